//! The README shows files that the tests compile or run, byte for byte, and leads with the two
//! commands.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The snippets of a Markdown text that are marked `<!-- path -->` on the line before: path and code.
fn snippets(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (i, pair) in lines.windows(2).enumerate() {
        let path = pair[0].strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        if let (Some(path), true) = (path, pair[1].starts_with("```")) {
            let code = lines[i + 2..].iter().take_while(|line| !line.starts_with("```"));
            found.push((path.to_owned(), code.map(|line| format!("{line}\n")).collect()));
        }
    }
    found
}

#[test]
fn snippets_are_found_where_they_are_marked() {
    let text = "text\n<!-- a/b.c -->\n```c\nint x;\n\nint y;\n```\nmore\n```sh\nmake\n```\n";
    assert_eq!(snippets(text), [("a/b.c".to_owned(), "int x;\n\nint y;\n".to_owned())]);
}

#[test]
fn every_marked_snippet_is_the_file_it_names() {
    let snippets = snippets(&read("README.md"));
    for (path, code) in &snippets {
        assert_eq!(*code, read(path), "README.md and {path} differ; copy the file into the README");
    }
    let shown: Vec<&str> = snippets.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        shown,
        [
            "examples/quickstart.py",
            "examples/quickstart.cpp",
            "examples/quickstart.c",
            "examples/apikey.py",
            "examples/apikey.cpp",
            "examples/apikey.c",
            "examples/session.py",
            "examples/session.cpp",
            "examples/oauth.py",
            "examples/oauth.cpp",
        ]
    );
}

#[test]
fn the_two_commands_come_first() {
    let readme = read("README.md");
    let place = |what: &str| readme.find(what).unwrap_or_else(|| panic!("README.md lacks {what}"));
    assert!(place("make demo") < place("## "), "make demo must come before the first heading");
    assert!(place("make test") < place("## "), "make test must come before the first heading");
}
