//! The README shows one Python program for each pillar, and a service of all of them, byte for byte as the tests run it,
//! links the same in C and C++, and leads with the two commands. Links of all pages lead to files and headings that are there.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// Where the project's files are for those who read a page somewhere else.
const PUBLISHED: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

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
            "examples/apikey.py",
            "examples/session.py",
            "examples/oauth.py",
            "examples/fastapi_service.py",
        ]
    );
}

/// Whether these lines stand in a text one after the other, all indented by as much.
fn has_lines(text: &str, code: &str) -> bool {
    let (text, code): (Vec<&str>, Vec<&str>) = (text.lines().collect(), code.lines().collect());
    let indented = |line: &str, by: usize, wanted: &str| match line.split_at_checked(by) {
        Some((margin, rest)) => margin.trim().is_empty() && rest == wanted,
        None => line.is_empty() && wanted.is_empty(),
    };
    let width = |line: &str| line.len() - line.trim_start().len();
    !code.is_empty()
        && text.windows(code.len()).any(|lines| {
            let by = width(lines[0]).checked_sub(width(code[0]));
            by.is_some_and(|by| lines.iter().zip(&code).all(|(line, own)| indented(line, by, own)))
        })
}

/// Its programs are built and run by the tests; the page shows parts of them.
#[test]
fn the_page_for_c_and_cpp_shows_lines_of_the_files_it_names() {
    let page = read("docs/c-and-cpp.md");
    let shown = snippets(&page);
    for (place, code) in &shown {
        let path = place.strip_prefix("lines of ").expect("`<!-- lines of FILE -->`");
        assert!(has_lines(&read(path), code), "docs/c-and-cpp.md: {path} lacks:\n{code}");
    }
    // What is not compared is for a shell.
    let fences = page.lines().filter(|line| line.starts_with("```") && line.len() > 3);
    let others = fences.filter(|line| *line != "```sh").count();
    assert_eq!(others, shown.len(), "each snippet names its file");
    assert!(shown.len() > 10);
}

#[test]
fn lines_are_found_where_they_stand_together() {
    let text = "a {\n    b;\n\n    c;\n}\n";
    assert!(has_lines(text, "b;\n\nc;\n") && has_lines(text, "    b;\n"));
    assert!(!has_lines(text, "b;\nc;\n") && !has_lines(text, "b;\n\n  c;\n"));
    assert!(!has_lines(text, "") && !has_lines(text, "      b;\n"));
}

#[test]
fn the_same_programs_are_linked_in_c_and_in_cpp() {
    let readme = read("README.md");
    let sections: Vec<&str> = readme.split("\n## ").collect();
    for (path, _) in snippets(&readme) {
        let mark = format!("<!-- {path} -->");
        let section = sections.iter().find(|text| text.contains(&mark)).expect("its section");
        for ending in ["c", "cpp"] {
            let name = path.replace("fastapi_service", "guard");
            let other = name.replace(".py", &format!(".{ending}"));
            assert!(section.contains(&format!("]({other})")), "README.md does not link {other}");
            assert!(read(&other).contains("int main("), "{other} is no program");
        }
    }
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 250, "README.md has {lines} lines; what is more belongs into docs/");
}

/// The pages that people read.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(String::from).into();
    pages.extend(["bindings/c/README.md", "bindings/python/README.md"].map(String::from));
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for entry in fs::read_dir(docs).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|kind| kind == "md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages
}

/// The targets of a page's links, but those to other sites.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let ours = |target: &&str| !target.contains("://") || target.starts_with(PUBLISHED);
    targets.filter(|target| ours(target) && !target.contains(' ')).collect()
}

/// The name by which a heading is linked.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.trim().chars().filter(kept).collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages() {
        let text = read(&page);
        for target in links(&text) {
            let folder = Path::new(&page).parent().unwrap_or_else(|| Path::new(""));
            let (folder, target) = match target.strip_prefix(PUBLISHED) {
                Some(rest) => (Path::new(""), rest),
                None => (folder, target),
            };
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = folder.join(file);
            let path = if file.is_empty() { Path::new(&page) } else { &path };
            assert!(root.join(path).exists(), "{page}: there is no {target}");
            if !heading.is_empty() {
                let found = anchors(&read(&path.to_string_lossy()));
                assert!(
                    found.iter().any(|name| name == heading),
                    "{page}: no heading for {target}"
                );
            }
        }
    }
}

/// Package indexes show it, where no other file of the project is.
#[test]
fn the_page_of_the_python_package_has_no_relative_link() {
    let page = read("bindings/python/README.md");
    let relative = |target: &&str| !target.starts_with(PUBLISHED) && !target.starts_with('#');
    assert_eq!(links(&page).into_iter().find(relative), None, "write {PUBLISHED}... instead");
    assert!(links(&page).len() > 6, "it links the pages of docs/");
}

#[test]
fn headings_have_the_names_that_links_use() {
    assert_eq!(
        anchors("# OAuth and the API's door\ntext\n## C, C++ and Python\n"),
        ["oauth-and-the-apis-door", "c-c-and-python"]
    );
    let published = format!("{PUBLISHED}docs/a.md");
    let text = format!("[a](b.md#c) and [d](https://e.example) `f(g)` [h]({published})");
    assert_eq!(links(&text), ["b.md#c", &published]);
}

#[test]
fn the_two_commands_come_first() {
    let readme = read("README.md");
    let place = |what: &str| readme.find(what).unwrap_or_else(|| panic!("README.md lacks {what}"));
    assert!(place("make demo") < place("## "), "make demo must come before the first heading");
    assert!(place("make test") < place("## "), "make test must come before the first heading");
}

/// Some of the words that CONTRIBUTING.md lists, but for code and pages that are written by programs.
#[test]
fn pages_are_in_plain_english() {
    let words = [
        "whoever",
        "somebody",
        "anew",
        "so many",
        "is not one",
        "held against",
        "in earnest",
        "besides",
        "stranger",
        " mend",
    ];
    let made = ["docs/errors.md", "docs/peers.md", "docs/bench"];
    let of_people = |page: &String| !made.iter().any(|begin| page.starts_with(begin));
    let pages: Vec<String> = pages().into_iter().filter(of_people).collect();
    assert!(pages.len() > 12);
    for page in pages.iter().filter(|page| *page != "CONTRIBUTING.md") {
        for (number, line) in read(page).lines().enumerate() {
            // Every other piece between backticks is code.
            let text: String = line.split('`').step_by(2).collect::<String>().to_lowercase();
            let found = words.iter().find(|word| text.contains(**word));
            assert!(found.is_none(), "{page}, line {}: {found:?}: {line}", number + 1);
        }
    }
}
