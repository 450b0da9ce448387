//! One kind = one number = one C status = one C++ enumerator = one Python class = one row of
//! `docs/errors.md`. Walks `ErrorKind::ALL` and fails where a language lacks a row, has it under
//! another number, or has one that Rust does not.

#![expect(clippy::panic, reason = "a missing row must fail loudly and say which")]

use gatekey::oauth::OAuthConfig;
use gatekey::{Error, ErrorKind, OAuthClient, Peppers, Secret};
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
    let codes: Vec<i32> = ErrorKind::ALL.iter().map(|kind| kind.number()).collect();
    assert!(
        codes.is_sorted() && codes.iter().collect::<BTreeSet<_>>().len() == codes.len(),
        "{codes:?}"
    );
    let names: BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.python_class()).collect();
    assert_eq!(names.len(), codes.len(), "two kinds share a Python class");
    for &kind in ErrorKind::ALL {
        assert_eq!(ErrorKind::from_number(kind.number()), Some(kind));
        assert!(
            kind.summary().ends_with('.') && kind.summary().len() <= Error::MAX_MESSAGE,
            "{kind:?}"
        );
        assert!(kind.python_class().ends_with("Error"), "{kind:?}");
        assert!(kind.remedy().len() > 10 && kind.remedy().ends_with('.'), "what to do: {kind:?}");
        assert!(kind.description().ends_with('.') && !kind.remedy().contains('|'), "{kind:?}");
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
        let c_name = kind.c_name();
        assert!(
            kind.code().bytes().all(|c| c.is_ascii_lowercase() || c == b'_'),
            "{kind:?}: {}",
            kind.code()
        );
        let snake = c_name.trim_start_matches("GK_STATUS_").replace('_', "").to_lowercase();
        assert_eq!(snake, kind.name().to_lowercase(), "the code is the name in snake case");
        assert_eq!(Error::from(kind).kind(), kind);
        assert_eq!(kind.to_string(), kind.summary());
    }
    for number in [0, -1, 6, 99, 1020, 1999, 2012, 3012, 4007, 5019, 6007, 7005, i32::MAX, i32::MIN]
    {
        assert_eq!(ErrorKind::from_number(number), None, "{number}");
    }
}

/// A number in a log that looks like an HTTP status is one.
#[test]
fn no_number_is_taken_for_an_http_status() {
    for number in 100..=599 {
        assert_eq!(ErrorKind::from_number(number), None, "{number} is an HTTP status, too");
    }
    for kind in ErrorKind::ALL {
        assert!(kind.number() < 100 || (1000..8000).contains(&kind.number()), "{kind:?}");
    }
}

/// A call that asks for one thing by its name is answered 404 where there is none, whatever the thing.
#[test]
fn what_a_managing_call_does_not_find_is_404() {
    for kind in [ErrorKind::ApiKeyNotFound, ErrorKind::SessionNotFound, ErrorKind::RingKeyNotFound]
    {
        assert_eq!((kind.http_status(), kind.is_rejected()), (404, true), "{kind:?}");
    }
    // Who presents one that is not known is told no more than who presents a wrong one.
    assert_eq!(ErrorKind::UnknownApiKey.http_status(), 401);
    assert_eq!(ErrorKind::UnknownApiKey.summary(), ErrorKind::BadApiKeySecret.summary());
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
        format!("{} {}", kind.c_name(), kind.number())
    });
}

/// Fails unless the text of `file` between `begin` and `end` is what the table renders to; writes it there with
/// GATEKEY_WRITE_ERRORS=1 (`make errors`).
#[track_caller]
fn is_rendered(file: &str, begin: &str, end: &str, rendered: &str) {
    let text = read(file);
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{file} lacks {begin:?}"));
    let until = if end.is_empty() { Some((rest, "")) } else { rest.split_once(end) };
    let (found, after) = until.unwrap_or_else(|| panic!("{file} lacks {end:?}"));
    if found == rendered {
        return;
    }
    if std::env::var_os("GATEKEY_WRITE_ERRORS").is_some() {
        let text = format!("{before}{begin}{rendered}{end}{after}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{file}: {error}"));
        return;
    }
    let differs = found.lines().zip(rendered.lines()).find(|(found, row)| found != row);
    panic!("{file} is not what src/error/kind.rs renders to: run `make errors`: {differs:#?}");
}

/// A comment of so many columns a line at most.
fn comment(text: &str, columns: usize) -> String {
    let (mut lines, mut line) = (String::new(), "///".to_owned());
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > columns {
            lines += &std::mem::replace(&mut line, "///".to_owned());
            lines.push('\n');
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line
}

#[test]
fn the_statuses_of_c_are_rendered_with_their_comments() {
    let rows = ErrorKind::ALL.iter().map(|kind| {
        let (comment, name) = (comment(kind.description(), 100), kind.c_name());
        format!("{comment}\npub const {name}: gk_status = {};\n", kind.number())
    });
    let begin = "pub const GK_STATUS_OK: gk_status = 0;\n";
    is_rendered(
        "src/ffi/status.rs",
        begin,
        "\n/// The name of a status,",
        &rows.collect::<String>(),
    );
}

#[test]
fn the_enumerators_of_cpp_are_rendered() {
    let rows =
        ErrorKind::ALL.iter().map(|kind| format!("    {} = {},\n", kind.code(), kind.c_name()));
    let rows = rows.collect::<String>();
    is_rendered("include/gatekey/status.hpp", "    ok = GK_STATUS_OK,\n", "};", &rows);
}

/// `class XError(...):` with `number = n`, `code = "..."` and `status = n` before the next class, and its name in
/// `__all__`.
#[test]
fn every_kind_is_a_python_class() {
    let folder = "bindings/python/gatekey/exceptions";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut rows = BTreeSet::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        if !file.ends_with(".py") {
            continue;
        }
        let module = read(&format!("{folder}/{file}"));
        rows.extend(module.split("\nclass ").skip(1).filter_map(|class| {
            let name = class.split(['(', ':']).next()?;
            let value = |key: &str| {
                class.lines().find_map(|line| line.strip_prefix(&format!("    {key} = ")))
            };
            let (number, code, status) = (value("number")?, value("code")?, value("status")?);
            let retryable = value("retryable").unwrap_or("False");
            Some(format!("{name} {number} {code} {status} {retryable}"))
        }));
    }
    same_rows(folder, &rows, |kind| {
        let (class, number, code) = (kind.python_class(), kind.number(), kind.code());
        let retryable = if kind.is_retryable() { "True" } else { "False" };
        format!("{class} {number} \"{code}\" {} {retryable}", kind.http_status())
    });
    let package = read(&format!("{folder}/__init__.py"));
    let exported = package.split_once("__all__ = [").unwrap().1.split_once(']').unwrap().0;
    for kind in ErrorKind::ALL {
        let name = format!("\"{}\"", kind.python_class());
        assert!(exported.contains(&name), "__all__ of {folder} lacks {name}");
    }
}

/// Each block of numbers is a section of docs/errors.md, whose table is rendered.
#[test]
fn the_tables_of_the_documentation_are_rendered() {
    let file = "docs/errors.md";
    let page = read(file);
    let mut rows = 0;
    for heading in page.lines().filter(|line| line.starts_with("## ") && line.contains('-')) {
        let numbers = heading.trim_start_matches("## ").split(':').next().unwrap();
        let Some((first, last)) = numbers.split_once('-') else { continue };
        let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) else { continue };
        let mut table = String::new();
        for kind in ErrorKind::ALL.iter().filter(|k| (first..=last).contains(&k.number())) {
            let (name, python, code) = (kind.name(), kind.python_class(), kind.code());
            let (number, c, http) = (kind.number(), kind.c_name(), kind.http_status());
            let (summary, remedy) = (kind.summary(), kind.remedy());
            table += &format!(
                "| {number} | `{name}` | `{code}` | `{c}` | `{python}` | {http} | {summary} | {remedy} |\n"
            );
            rows += 1;
        }
        let text = page.split_once(heading).unwrap().1;
        let (prose, _) = text.split_once("|---|---|---|---|---|---|---|---|\n").unwrap();
        let begin = format!("{heading}{prose}|---|---|---|---|---|---|---|---|\n");
        // The last section ends with the file.
        let end = if last < 7000 { "\n## " } else { "" };
        is_rendered(file, &begin, end, &table);
    }
    assert_eq!(rows, ErrorKind::ALL.len(), "a kind is in no section of {file}");
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

/// What a stranger reads and what an answer carries are the core's, for every language.
#[test]
fn an_answer_says_no_more_than_it_must() {
    for &kind in ErrorKind::ALL {
        let (status, public) = (kind.http_status(), kind.public_message());
        assert!(public.ends_with('.') && public.len() < 64, "{kind:?}: {public}");
        let headers = kind.http_headers(Some(1001));
        let header = |name: &str| {
            headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(header("Cache-Control"), Some("no-store"), "{kind:?}");
        // RFC 9110 section 15.5.2; RFC 6750 section 3.1.
        let several = kind == ErrorKind::SeveralCredentials;
        let challenged = status == 401 || several || kind == ErrorKind::InsufficientScope;
        assert_eq!(header("WWW-Authenticate").is_some(), challenged, "{kind:?}");
        assert_eq!(header("WWW-Authenticate"), kind.challenge().as_deref());
        assert_eq!(header("Retry-After"), [429, 503].contains(&status).then_some("2"), "{kind:?}");
        assert!(kind.http_headers(None).iter().all(|(name, _)| *name != "Retry-After"));
    }
    // Which check a token or a key failed is for the log.
    for (block, many) in [(1000..2000, 15), (3000..4000, 6)] {
        let told: Vec<_> = ErrorKind::ALL
            .iter()
            .filter(|kind| block.contains(&kind.number()) && kind.http_status() == 401)
            .map(|kind| (kind.public_message(), kind.challenge()))
            .collect();
        assert!(told.len() > many && told.iter().all(|one| *one == told[0]), "{told:?}");
    }
    assert_eq!(ErrorKind::MissingCredentials.challenge().as_deref(), Some("Bearer"));
    let summaries: BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.public_message()).collect();
    assert!(summaries.len() < 16, "a few texts, not one a kind: {summaries:?}");
}

fn secret(byte: u8, len: usize) -> Secret {
    Secret::new(vec![byte; len])
}

/// Which of several peppers, and by which option it was given.
#[test]
fn a_pepper_that_is_refused_is_named_by_its_number() {
    let told = |peppers: &[(u32, Secret)]| Peppers::new(peppers).unwrap_err().to_string();
    for peppers in [
        [(1, secret(1, 32)), (7, secret(2, 15))],
        [(7, secret(1, 32)), (7, secret(2, 32))],
        [(1, secret(1, 32)), (7, secret(1, 32))],
    ] {
        let told = told(&peppers);
        assert!(told.ends_with("(`pepper`, number 7)"), "{told}");
    }
    assert!(told(&[]).ends_with("(`pepper`)"));
    let config = r#"{"client_id":"c","flow_keys":[{"number":3,"secret":"short"}]}"#;
    let error = OAuthConfig::from_json(config.as_bytes()).unwrap_err();
    let told = error.to_string();
    assert!(!told.contains("epper") && told.ends_with("(`flow_keys`, number 3)"), "{told}");
    assert_eq!(error.claim(), Some("flow_keys"));
    let read = gatekey::pepper::read_peppers("# one\n1 zz\n").unwrap_err();
    assert_eq!(read.place(), Some((2, 1)), "{read}");
}

/// A configuration that is no JSON says where.
#[test]
fn a_configuration_that_is_no_json_says_where() {
    let error = OAuthConfig::from_json(b"{\n  \"client_id\": \"c\",\n}").unwrap_err();
    assert_eq!((error.kind(), error.place()), (ErrorKind::InvalidConfiguration, Some((3, 1))));
    assert!(error.to_string().ends_with("(line 3, column 1)"), "{error}");
}

/// A client that cannot be made says which member of its configuration is at fault.
#[test]
fn a_configuration_that_is_refused_names_its_member() {
    for (member, value) in [
        ("client_id", r#""""#),
        ("issuer", r#""h""#),
        ("redirect_uri", r#""h""#),
        ("token_endpoint", r#""http://h/token""#),
        ("leeway", "601"),
        ("deadline_ms", "0"),
        ("scopes", r#"["a b"]"#),
        ("token_endpoint_auth_method", r#""private_key_jwt""#),
    ] {
        let mut members = vec![("client_id", r#""c""#), ("issuer", r#""https://h""#)];
        members.retain(|(name, _)| *name != member);
        members.push((member, value));
        let members: Vec<_> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
        let config = OAuthConfig::from_json(format!("{{{}}}", members.join(",")).as_bytes());
        let error = config.and_then(OAuthClient::new).unwrap_err();
        assert_eq!(error.claim(), Some(member), "{error}");
        assert!(error.to_string().contains(&format!("`{member}`")), "{error}");
    }
}

#[test]
fn a_variable_that_no_preset_has_is_refused() {
    let client = |preset: &str, name: &str, value: &str| {
        OAuthClient::new(OAuthConfig::new("c").preset(preset).unwrap().variable(name, value))
    };
    let error = client("github", "tenant", "x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert_eq!(error.claim(), Some("variables.tenant"), "{error}");
    let error = client("microsoft", "tennant", "common").unwrap_err();
    assert_eq!(error.claim(), Some("variables.tennant"), "{error}");
    let error = client("microsoft", "tenant", "").unwrap_err();
    assert_eq!(error.claim(), Some("variables.tenant"), "{error}");
    assert!(client("microsoft", "tenant", "common").is_ok());
    // An issuer in place of the preset's leaves its variables without a place, and no mistake.
    let gitlab = OAuthConfig::new("c").preset("gitlab").unwrap().issuer("https://git.example");
    assert!(OAuthClient::new(gitlab).is_ok());
}
