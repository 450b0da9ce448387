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

#[test]
fn no_function_has_more_than_six_parameters() {
    let functions = functions(RENDERED);
    assert!(functions.len() > 300, "only {} functions were found", functions.len());
    let long: Vec<_> = functions.iter().filter(|(_, parameters)| *parameters > 6).collect();
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

#[test]
fn each_function_stands_under_the_heading_of_its_noun() {
    assert_eq!(misplaced(RENDERED), Vec::<String>::new());
    assert!(RENDERED.matches(HEADING).count() > 15, "headings are missing");
}

#[test]
fn the_first_section_says_who_frees_what_and_when() {
    let (_, section) = RENDERED.split_once(" ==== Memory, threads, forks, lifetimes ====").unwrap();
    let (section, _) = section.split_once("*/").unwrap();
    let said = ["Who frees what", "NULL", "Errors", "Threads", "Forks", "Lifetimes", "Callbacks"];
    for paragraph in said {
        assert!(section.contains(&format!("\n * {paragraph}. ")), "nothing about {paragraph}");
    }
}

#[test]
fn what_is_misplaced_is_noticed() {
    let heading = |title: &str| format!("{HEADING}{title} ====\n *\n * Text.\n */\n");
    let a = heading("A") + "typedef struct gk_a gk_a;\nvoid gk_a_free(gk_a *a);\n";
    let b = heading("B") + "struct gk_a_b;\nvoid gk_a_b_free(gk_a_b *b);\nvoid gk_other(void);\n";
    let early = "typedef struct gk_a_b gk_a_b;\n";
    assert_eq!(misplaced(&format!("{early}{a}{b}")), Vec::<String>::new());
    for (header, wrong) in [
        (format!("void gk_none(void);\n{a}"), "gk_none stands under no heading"),
        (format!("{a}{b}void gk_a_new(void);\n"), "gk_a_new stands under B, its type under A"),
        (format!("{a}{b}{a}"), "the heading A comes twice"),
        (a.replace(" * Text.\n", ""), "nothing is said of A"),
        (heading("C"), "no function stands under C"),
    ] {
        assert!(misplaced(&header).iter().any(|found| found == wrong), "{wrong}: {header}");
    }
}

const HEADING: &str = "\n/*\n * ==== ";

/// What does not stand under a heading that says something, or under another than its type.
fn misplaced(header: &str) -> Vec<String> {
    let (front, rest) = header.split_at(header.find(HEADING).unwrap_or(header.len()));
    let mut wrong: Vec<String> = functions(front)
        .iter()
        .map(|(name, _)| format!("{name} stands under no heading"))
        .collect();
    let sections = rest.split(HEADING).filter_map(|part| part.split_once(" ====\n"));
    let sections: Vec<(&str, &str)> = sections.collect();
    let mut types = Vec::new();
    for (at, (title, text)) in sections.iter().enumerate() {
        if sections.iter().take(at).any(|(before, _)| before == title) {
            wrong.push(format!("the heading {title} comes twice"));
        }
        if !text.starts_with(" *\n * ") {
            wrong.push(format!("nothing is said of {title}"));
        }
        if functions(text).is_empty() {
            wrong.push(format!("no function stands under {title}"));
        }
        let declared = text.lines().filter_map(|line| line.strip_suffix(';')).filter(|line| {
            ["typedef ", "struct ", "} gk_"].iter().any(|word| line.starts_with(word))
        });
        types.extend(declared.filter_map(|line| Some((line.rsplit(' ').next()?, *title))));
    }
    for (title, text) in &sections {
        for (name, _) in functions(text) {
            let begins = |own: &&(&str, &str)| name.starts_with(&format!("{}_", own.0));
            let own = types.iter().filter(begins).max_by_key(|own| own.0.len());
            if let Some((_, home)) = own.filter(|own| own.1 != *title) {
                wrong.push(format!("{name} stands under {title}, its type under {home}"));
            }
        }
    }
    wrong
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
