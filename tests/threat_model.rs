//! Every row of the attack catalogue in `docs/threat-model.md` names tests, and every one of them is there.

#![expect(clippy::unwrap_used, reason = "a missing test must fail loudly and say which")]

use std::path::Path;

fn read(file: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()
}

/// The rows of the table: the number, and the tests it names.
fn rows(page: &str) -> Vec<(u32, Vec<String>)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let number = cells.first()?.parse().ok()?;
        let names = cells.last()?.split('`').filter(|name| name.contains("::"));
        Some((number, names.map(str::to_owned).collect()))
    };
    page.lines().filter(|line| line.starts_with("| ")).filter_map(row).collect()
}

/// Whether the file of this test has it, as a test.
fn exists(test: &str) -> bool {
    let (file, name) = test.split_once("::").unwrap();
    let text = read(&format!("tests/oauth/{file}.rs"));
    text.is_some_and(|text| text.contains(&format!("#[test]\nfn {name}() {{")))
}

#[test]
fn every_attack_names_a_test_that_is_there() {
    let page = read("docs/threat-model.md").unwrap();
    let rows = rows(&page);
    let numbers: Vec<u32> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=48).collect::<Vec<_>>());
    for (number, tests) in rows {
        assert!(!tests.is_empty(), "row {number} names no test");
        for test in tests {
            assert!(exists(&test), "row {number}: there is no {test}");
        }
    }
}

#[test]
fn a_test_that_is_missing_is_found() {
    assert!(exists("callbacks::states"));
    assert!(!exists("callbacks::statues") && !exists("nowhere::states"));
    assert_eq!(
        rows("| 7 | a | b | `x::y` and `z::w` |\n| # | a |\n"),
        [(7, vec!["x::y".to_owned(), "z::w".to_owned()])]
    );
}
