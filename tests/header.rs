//! The committed include/gatekey.h is what build.rs renders from src/ffi, and names every status and
//! every algorithm that Rust knows. `make header` runs this with GATEKEY_WRITE_HEADER=1, which writes
//! the file instead of comparing it.
#![cfg(feature = "capi")]

use gatekey::{Alg, ErrorKind};
use std::fs;
use std::path::Path;

const RENDERED: &str = include_str!(concat!(env!("OUT_DIR"), "/gatekey.h"));

#[test]
fn the_committed_header_is_the_rendered_one() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/gatekey.h");
    if std::env::var_os("GATEKEY_WRITE_HEADER").is_some() {
        fs::write(&committed, RENDERED).unwrap();
    }
    let text = fs::read_to_string(&committed).unwrap_or_default();
    let differs = text.lines().zip(RENDERED.lines()).position(|(left, right)| left != right);
    assert!(
        text == RENDERED,
        "include/gatekey.h is not what src/ffi renders to (first difference after line {}). \
         Run `make header`, look at the difference, and commit it.",
        differs.unwrap_or_else(|| text.lines().count().min(RENDERED.lines().count())),
    );
}

#[test]
fn every_kind_has_its_status() {
    for kind in ErrorKind::ALL {
        assert!(
            defines(&kind.c_name(), kind.number()),
            "src/ffi/status.rs lacks {}",
            kind.c_name()
        );
    }
    assert_eq!(RENDERED.matches("#define GK_STATUS_").count(), ErrorKind::ALL.len() + 1);
}

#[test]
fn every_algorithm_has_its_constant() {
    for alg in Alg::ALL {
        let name = format!("GK_ALG_{}", alg.name().to_uppercase().replace('-', "_"));
        assert!(defines(&name, alg.code()), "src/ffi/alg.rs lacks {name}");
    }
    assert_eq!(RENDERED.matches("#define GK_ALG_").count(), Alg::ALL.len() + 1);
}

#[test]
fn every_function_is_documented_for_c() {
    let functions =
        RENDERED.split("\n\n").filter(|block| block.contains(");") && block.contains(" gk_"));
    let mut count = 0;
    for function in functions.filter(|block| block.starts_with("/**")) {
        let (comment, declaration) = function.split_once("*/").unwrap();
        count += 1;
        let arguments = declaration.split_once(opening(declaration)).unwrap().1.split(',');
        let names = arguments.filter_map(|argument| {
            let mut words = argument.split('[').next()?.rsplit([' ', '*', ')', '(', ';', '\n']);
            words.find(|word| !word.is_empty()).filter(|&word| word != "void")
        });
        for name in names {
            assert!(
                comment.contains(&format!("@param {name} ")),
                "the documentation of{} lacks `@param {name}`",
                declaration.trim_end_matches(';'),
            );
        }
        let nothing =
            ["void ", "typedef void "].iter().any(|v| declaration.trim_start().starts_with(v));
        assert!(nothing || comment.contains("@return "), "no @return at{declaration}");
    }
    assert!(count > 100, "only {count} functions were found");
}

/// These wait for handles of their own.
const LONG: [&str; 7] = [
    "gk_oauth_client_begin",
    "gk_oauth_client_finish",
    "gk_oauth_client_jwt_bearer",
    "gk_oauth_client_logout_url",
    "gk_operation_feed",
    "gk_token_manager_new",
    "gk_token_manager_replace",
];

#[test]
fn no_function_has_more_than_six_parameters() {
    let functions = functions(RENDERED);
    assert!(functions.len() > 300, "only {} functions were found", functions.len());
    let long = functions.iter().filter(|(_, parameters)| *parameters > 6);
    let long: Vec<_> = long.filter(|(name, _)| !LONG.contains(&name.as_str())).collect();
    assert!(long.is_empty(), "what is said belongs into a handle with setters: {long:?}");
}

#[test]
fn parameters_are_counted() {
    let header = "/** No gk_said(int a, int b); */\nvoid gk_none(void);\n\n/**\n * gk_x(a, b)\n */\n\
                  GK_NODISCARD\nconst char *gk_two(const char (*a)[GK_A_SIZE],\n    gk_fn b);\n\
                  typedef bool (*gk_fn)(void *user, int a);\n\
                  int gk_seven(int a, int b, int c, int d, int e, int f, int g);\n";
    let named = |name: &str, parameters| (name.to_owned(), parameters);
    assert_eq!(
        functions(header),
        [named("gk_none", 0), named("gk_two", 2), named("gk_fn", 2), named("gk_seven", 7)]
    );
}

/// Each function and each callback's type of a header, and how many parameters it has.
fn functions(header: &str) -> Vec<(String, usize)> {
    let code = header.split("/*").enumerate().map(|(n, part)| match part.split_once("*/") {
        Some((_, code)) => code,
        None if n == 0 => part,
        None => "",
    });
    let code: String = code.collect();
    let statements = code.split(';').filter(|statement| !statement.contains('{'));
    let found = statements.filter_map(|statement| {
        let (before, arguments) = statement.split_once(opening(statement))?;
        let name = before.rsplit([' ', '*', '\n']).next()?.trim_end_matches(')').to_owned();
        let arguments = arguments.trim_end().strip_suffix(')')?;
        let count = if arguments == "void" { 0 } else { arguments.split(',').count() };
        name.starts_with("gk_").then_some((name, count))
    });
    found.collect()
}

/// What stands before the arguments: a callback's type has parentheses around its name.
fn opening(declaration: &str) -> &'static str {
    if declaration.trim_start().starts_with("typedef ") { ")(" } else { "(" }
}

fn defines(name: &str, number: i32) -> bool {
    let wanted = format!("#define {name} {number}");
    RENDERED.lines().any(|line| line == wanted)
}
