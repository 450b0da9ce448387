//! One kind = one number = one C status = one C++ enumerator = one Python class = one row of
//! `docs/errors.md`. Walks `ErrorKind::ALL` and fails where a language lacks a row, has it under
//! another number, or has one that Rust does not.

#![expect(clippy::panic, reason = "a missing row must fail loudly and say which")]

use gatekey::{Error, ErrorKind};
use std::collections::BTreeSet;
use std::path::Path;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Fails, naming the file, unless `rows` holds exactly what `row` makes of every kind.
#[track_caller]
fn same_rows(file: &str, rows: &BTreeSet<String>, row: impl Fn(ErrorKind) -> String) {
    let wanted: BTreeSet<String> = ErrorKind::ALL.iter().map(|&kind| row(kind)).collect();
    let missing: Vec<_> = wanted.difference(rows).collect();
    let surplus: Vec<_> = rows.difference(&wanted).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{file} lacks {missing:#?} and has, without a kind, {surplus:#?}"
    );
}

#[test]
fn the_table_itself() {
    let codes: Vec<i32> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
    assert!(
        codes.is_sorted() && codes.iter().collect::<BTreeSet<_>>().len() == codes.len(),
        "{codes:?}"
    );
    let names: BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.python_class()).collect();
    assert_eq!(names.len(), codes.len(), "two kinds share a Python class");
    for &kind in ErrorKind::ALL {
        assert_eq!(ErrorKind::from_code(kind.code()), Some(kind));
        assert!(
            kind.summary().ends_with('.') && kind.summary().len() <= Error::MAX_MESSAGE,
            "{kind:?}"
        );
        assert!(kind.python_class().ends_with("Error"), "{kind:?}");
        let answers = [
            kind.is_rejected(),
            kind.is_misuse(),
            kind.is_unavailable(),
            kind == ErrorKind::Internal,
        ];
        assert_eq!(
            answers.iter().filter(|&&answer| answer).count(),
            1,
            "{kind:?} must tell what to answer"
        );
        let status = kind.http_status();
        assert_eq!((400..500).contains(&status), kind.is_rejected(), "{kind:?} answers {status}");
        assert_eq!(status == 503, kind.is_unavailable(), "{kind:?} answers {status}");
        assert_eq!(kind.reason().is_empty(), kind.code() < 300, "{kind:?}");
        assert_eq!(Error::from(kind).kind(), kind);
        assert_eq!(kind.to_string(), kind.summary());
    }
    for code in [
        0,
        -1,
        6,
        99,
        119,
        199,
        208,
        299,
        311,
        399,
        407,
        499,
        516,
        599,
        607,
        705,
        i32::MAX,
        i32::MIN,
    ] {
        assert_eq!(ErrorKind::from_code(code), None, "{code}");
    }
}

/// `#define GK_STATUS_X n` or `GK_STATUS_X = n,` in the generated header.
#[test]
fn every_kind_is_in_the_c_header() {
    let header = read("include/gatekey.h");
    let rows = header.lines().filter_map(|line| {
        let line =
            line.trim().trim_start_matches("#define ").trim_end_matches(',').replace(" = ", " ");
        let (name, number) = line.split_once(' ')?;
        let is_row = name.starts_with("GK_STATUS_")
            && name != "GK_STATUS_OK"
            && number.parse::<i32>().is_ok();
        is_row.then(|| line.clone())
    });
    same_rows("include/gatekey.h", &rows.collect(), |kind| {
        format!("{} {}", kind.c_name(), kind.code())
    });
}

/// `expired = GK_STATUS_EXPIRED,` in the C++ enumeration.
#[test]
fn every_kind_is_in_the_cpp_header() {
    let header = read("include/gatekey/status.hpp");
    let rows = header.lines().filter_map(|line| {
        let (name, value) = line.trim().trim_end_matches(',').split_once(" = ")?;
        (value.starts_with("GK_STATUS_") && name != "ok").then(|| format!("{name} = {value}"))
    });
    same_rows("include/gatekey/status.hpp", &rows.collect(), |kind| {
        let c_name = kind.c_name();
        format!("{} = {c_name}", c_name.trim_start_matches("GK_STATUS_").to_ascii_lowercase())
    });
}

/// `class XError(...):` with `code = n` or `number = n` before the next class, and its name in `__all__`.
#[test]
fn every_kind_is_a_python_class() {
    let module = read("bindings/python/gatekey/exceptions.py");
    let classes = module.split("\nclass ").skip(1).filter_map(|class| {
        let name = class.split(['(', ':']).next()?;
        let code = class.lines().find_map(|line| {
            let (key, number) = line.trim().split_once(" = ")?;
            (["code", "number"].contains(&key) && number.parse::<i32>().is_ok()).then_some(number)
        })?;
        Some(format!("{name} {code}"))
    });
    same_rows("bindings/python/gatekey/exceptions.py", &classes.collect(), |kind| {
        format!("{} {}", kind.python_class(), kind.code())
    });
    let exported = module.split_once("__all__ = [").unwrap().1.split_once(']').unwrap().0;
    for kind in ErrorKind::ALL {
        let name = format!("\"{}\"", kind.python_class());
        assert!(exported.contains(&name), "__all__ of exceptions.py lacks {name}");
    }
}

/// `| 101 | InvalidSignature | GK_STATUS_... | InvalidSignatureError | summary | what to do |`.
#[test]
fn every_kind_is_documented() {
    let page = read("docs/errors.md");
    let mut rows = BTreeSet::new();
    for line in page.lines().filter(|line| {
        line.starts_with("| ") && line.as_bytes().get(2).is_some_and(u8::is_ascii_digit)
    }) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, rust, c, python, meaning, remedy] = cells[..] else {
            panic!("six cells: {line}")
        };
        assert!(remedy.len() > 10 && remedy.ends_with('.'), "what to do: {line}");
        rows.insert(format!("{number} {rust} {c} {python} {meaning}"));
    }
    same_rows("docs/errors.md", &rows, |kind| {
        let (name, python, summary) = (kind.name(), kind.python_class(), kind.summary());
        format!("{} `{name}` `{}` `{python}` {summary}", kind.code(), kind.c_name())
    });
}

#[test]
fn a_missing_and_a_surplus_row_are_found() {
    let row = |kind: ErrorKind| kind.name().to_owned();
    let all: BTreeSet<String> = ErrorKind::ALL.iter().map(|&kind| row(kind)).collect();
    same_rows("all rows", &all, row);
    let fails = |rows: &BTreeSet<String>| {
        std::panic::catch_unwind(|| same_rows("a file", rows, row)).is_err()
    };
    let mut fewer = all.clone();
    fewer.remove("Expired");
    let mut more = all;
    more.insert("Nonsense".to_owned());
    assert!(fails(&fewer) && fails(&more));
}

/// What `check().code` may be.
#[test]
fn every_reason_of_a_key_is_documented() {
    let page = read("docs/errors.md");
    for kind in ErrorKind::ALL {
        if matches!(kind.code(), 300..=310 | 600..=606) {
            let reason = kind.reason();
            assert!(
                !reason.is_empty() && page.contains(&format!("`{reason}`")),
                "{kind:?}: {reason}"
            );
        }
    }
}
