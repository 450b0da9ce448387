//! Every row of `docs/threat-model.md` names tests that are there, and a test cites only rows that are on that page.

#![expect(clippy::unwrap_used, reason = "a missing test must fail loudly and say which")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn in_the_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(in_the_repository(file)).ok()
}

/// The rows of the tables: the number, and the tests that the last cell names.
fn rows(page: &str) -> Vec<(u32, Vec<String>)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let number = cells.first()?.parse().ok()?;
        let names = cells.last()?.split('`').filter(|name| name.contains("::"));
        Some((number, names.map(str::to_owned).collect()))
    };
    page.lines().filter(|line| line.starts_with("| ")).filter_map(row).collect()
}

/// Whether the file of this test has it: `it/policy::typ` in Rust, `ffi/wiped.c::keys` in C,
/// `python/test_key::...`, `ffi/curl_loop.py::...`.
fn exists(test: &str) -> bool {
    let (file, name) = test.split_once("::").unwrap();
    let (file, head) = if let Some(module) = file.strip_prefix("python/") {
        (format!("bindings/python/tests/{module}.py"), format!("\ndef {name}("))
    } else if file.starts_with("pg18/") || file.starts_with("proxies/") {
        (format!("tests/{file}.py"), format!("\ndef {name}("))
    } else if Path::new(file).extension().is_some_and(|kind| kind == "py") {
        (format!("tests/{file}"), format!("\ndef {name}("))
    } else if Path::new(file).extension().is_some_and(|kind| kind == "c") {
        (format!("tests/{file}"), format!("\nstatic void {name}(void) {{"))
    } else {
        (format!("tests/{file}.rs"), format!("#[test]\nfn {name}("))
    };
    let unindented =
        |text: String| text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    read(&file).is_some_and(|text| unindented(text).contains(&head))
}

/// The numbers that a line of a source cites: of a comment with "Row 7:" or "Rows 3 to 6 and 12.", or of `row_07_name`.
fn cited(line: &str) -> Vec<u32> {
    let numbers = |text: &str| -> Vec<u32> {
        let digits = text.split(|c: char| !c.is_ascii_digit());
        digits.filter_map(|number| number.parse().ok()).collect()
    };
    if let Some((_, name)) = line.split_once("fn row_") {
        return numbers(name.split('_').next().unwrap_or_default());
    }
    let Some((_, comment)) = line.split_once("//") else { return Vec::new() };
    let begins = ["Row ", "Rows ", "rows "].iter().find_map(|word| comment.split_once(word));
    let Some((_, list)) = begins else { return Vec::new() };
    let goes_on = |c: char| c.is_ascii_digit() || " ,-andto".contains(c);
    let end = list.find(|c| !goes_on(c)).unwrap_or(list.len());
    numbers(list.get(..end).unwrap_or_default())
}

/// The Rust sources of a folder and of those in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_attack_names_a_test_that_is_there() {
    let rows = rows(&read("docs/threat-model.md").unwrap());
    assert!(rows.len() > 100);
    let pairs = rows.iter().zip(rows.iter().skip(1));
    for ((before, _), (number, _)) in pairs {
        assert!(before < number, "row {number} comes twice, or after a higher one");
    }
    for (number, tests) in rows {
        assert!(!tests.is_empty(), "row {number} names no test");
        for test in tests {
            assert!(exists(&test), "row {number}: there is no {test}");
        }
    }
}

#[test]
fn tests_cite_only_rows_of_the_page() {
    let known: BTreeSet<u32> = rows(&read("docs/threat-model.md").unwrap())
        .into_iter()
        .map(|(number, _)| number)
        .collect();
    let mut citations = 0;
    for folder in ["tests/it/attacks", "tests/oauth"] {
        for path in sources(&in_the_repository(folder)) {
            for line in fs::read_to_string(&path).unwrap().lines() {
                for number in cited(line) {
                    citations += 1;
                    assert!(known.contains(&number), "{}: row {number}: {line}", path.display());
                }
            }
        }
    }
    assert!(citations > 80, "only {citations} were found");
}

#[test]
fn a_test_that_is_missing_is_found() {
    assert!(exists("oauth/callbacks::states") && exists("ffi/wiped.c::keys"));
    assert!(exists("it/session/put_back::no_row_revives_what_has_ended_in_sqlite"));
    assert!(exists("python/test_key::test_generate"));
    assert!(!exists("oauth/callbacks::statues") && !exists("nowhere::states"));
    assert!(!exists("ffi/wiped.c::key") && !exists("python/test_key::test_gener"));
    assert_eq!(
        rows("| 7 | a | b | `x::y` and `z::w` |\n| # | a |\n"),
        [(7, vec!["x::y".to_owned(), "z::w".to_owned()])]
    );
}

#[test]
fn citations_are_found() {
    assert_eq!(cited("//! Rows 3-6, 11, 12 and 50: what may serve"), [3, 6, 11, 12, 50]);
    assert_eq!(cited("/// Rows 308 to 310: RFC 9207"), [308, 310]);
    assert_eq!(cited("fn row_07_every_key_type() {"), [7]);
    assert_eq!(cited("let row = 7; // the row 7 of a table"), [0_u32; 0]);
}
