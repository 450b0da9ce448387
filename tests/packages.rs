//! What the files for packagers say again is what it comes from: the version and the number of the ABI in
//! bindings/c/Cargo.toml (cargo-c, cargo-deb), the words of pkg-config's file, the addresses of the Python package.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a table of a TOML file, up to the next table.
fn table<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let head = format!("[{name}]");
    let lines = text.lines().skip_while(|line| *line != head).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with('[')).collect();
    assert!(!lines.is_empty(), "there is no {head}");
    lines
}

/// A member of a table that is a string.
fn member<'a>(text: &'a str, name: &str, member: &str) -> &'a str {
    let begin = format!("{member} = \"");
    let found = table(text, name).into_iter().find_map(|line| line.strip_prefix(&begin));
    let found = found.and_then(|rest| rest.split('"').next());
    found.unwrap_or_else(|| panic!("[{name}] has no {member}"))
}

/// The number of the ABI, as the header has it.
fn abi() -> String {
    let header = read("include/gatekey.h");
    let found = header.lines().find_map(|line| line.strip_prefix("#define GK_ABI_VERSION "));
    found.unwrap_or_else(|| panic!("the header has no GK_ABI_VERSION")).to_owned()
}

#[test]
fn tables_are_read() {
    let text = "[a]\nb = \"c\" # d\n\n[e]\nb = \"f\"\n";
    assert_eq!((member(text, "a", "b"), member(text, "e", "b")), ("c", "f"));
}

#[test]
fn cargo_c_makes_the_library_of_this_version_and_abi() {
    let c = read("bindings/c/Cargo.toml");
    // The version is the workspace's, unless the table has one.
    let library = table(&c, "package.metadata.capi.library");
    assert!(!library.iter().any(|line| line.starts_with("version = ")), "leave the version out");
    // One number of it is the SONAME's, which is the ABI's.
    assert!(library.iter().any(|line| line.starts_with("version_suffix_components = 1")));
    assert_eq!(abi(), VERSION.split('.').next().unwrap_or_default());
    let least = member(&c, "package.metadata.capi", "min_version");
    assert_eq!(least.split('.').count(), 3, "cargo-c reads a version of three numbers");
}

#[test]
fn pkg_config_says_the_same_whoever_has_installed() {
    let c = read("bindings/c/Cargo.toml");
    let described = member(&c, "package.metadata.capi.pkg_config", "description");
    assert!(read("bindings/c/gatekey.pc.in").contains(&format!("\nDescription: {described}\n")));
}

#[test]
fn debian_has_this_version_and_abi() {
    let c = read("bindings/c/Cargo.toml");
    let library = format!("libgatekey{}", abi());
    assert_eq!(member(&c, "package.metadata.deb", "name"), library);
    let wanted = format!("{library} (= {VERSION}-1)");
    assert_eq!(member(&c, "package.metadata.deb.variants.dev", "depends"), wanted);
    let file = format!("libgatekey.so.{}*", abi());
    assert!(table(&c, "package.metadata.deb").iter().any(|line| line.contains(&file)), "{file}");
}

#[test]
fn the_python_package_names_this_repository() {
    let project = read("bindings/python/pyproject.toml");
    for name in ["Repository", "Documentation", "Changelog"] {
        let url = member(&project, "project.urls", name);
        let rest = url.strip_prefix(env!("CARGO_PKG_REPOSITORY"));
        let rest = rest.unwrap_or_else(|| panic!("{name} is {url}"));
        let path = rest.split("/main/").nth(1).unwrap_or_default();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(root.join(path).exists(), "{name}: there is no {path}");
    }
}
