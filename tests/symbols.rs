//! `libgatekey.so` and `libgatekey.a` export exactly the functions of tests/symbols.txt, each of which the header
//! declares; nothing of AWS-LC, SQLite or Rust leaks. The list is append-only: a line that goes is a break of
//! the ABI (src/ffi/version.rs).
#![cfg(all(feature = "capi", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

#[test]
fn the_library_exports_exactly_the_listed_symbols() {
    exports_exactly_the_listed_symbols(&library(), "-D");
}

#[test]
fn the_static_library_exports_exactly_the_listed_symbols() {
    exports_exactly_the_listed_symbols(&archive(), "-g");
}

/// Groups of sections have names that linkers compare, as they do those of symbols. Bitcode is another program's to
/// link, and what does not say that it needs no executable stack gets one.
#[test]
fn the_static_library_is_one_plain_object() {
    let archive = archive();
    let members = output(Command::new("ar").arg("t").arg(&archive));
    assert_eq!(members.trim(), "gatekey.o");
    let sections = output(Command::new("readelf").args(["-S", "-W"]).arg(&archive));
    let with = |what: &str| sections.lines().filter(|line| line.contains(what)).count();
    assert_eq!((with(" GROUP "), with(" .llvm"), with(" .debug_")), (0, 0, 0));
    assert_eq!(with(" .note.GNU-stack "), 1);
    let stack = sections.lines().find(|line| line.contains(" .note.GNU-stack ")).unwrap();
    assert!(!stack.split_whitespace().any(|word| word == "X"), "an executable stack: {stack}");
    // What runs before `main`: of Rust's standard library and of AWS-LC.
    assert!(with(" INIT_ARRAY ") > 0, "the constructors are lost");
}

#[test]
fn the_library_stays_where_it_is_loaded() {
    let dynamic = output(Command::new("readelf").args(["-d", "-W"]).arg(library()));
    let flags = dynamic.lines().find(|line| line.contains("(FLAGS_1)")).unwrap_or_default();
    assert!(flags.contains("NODELETE"), "bindings/c/build.rs does not mark it: {flags}");
}

fn exports_exactly_the_listed_symbols(library: &Path, which: &str) {
    let listed = listed();
    let nm = output(Command::new("nm").args([which, "--defined-only"]).arg(library));
    let exported: BTreeSet<&str> = nm
        .lines()
        .filter(|line| !line.ends_with(':'))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    let missing: Vec<_> = listed.difference(&exported).collect();
    let unlisted: Vec<_> = exported.difference(&listed).collect();
    assert!(missing.is_empty(), "listed in tests/symbols.txt, but not exported: {missing:?}");
    assert!(unlisted.is_empty(), "exported; add a `gk_` name to tests/symbols.txt: {unlisted:?}");
}

#[test]
fn the_header_declares_exactly_the_listed_symbols() {
    let header = std::fs::read_to_string(root().join("include/gatekey.h")).unwrap();
    let code: Vec<&str> =
        header.lines().filter(|line| !line.trim_start().starts_with('*')).collect();
    let code = code.join("\n");
    let names = code.match_indices(" gk_").chain(code.match_indices("*gk_"));
    let declared: BTreeSet<String> = names
        .filter_map(|(at, _)| {
            let name = code.get(at + 1..)?;
            let end = name.find(|c: char| c != '_' && !c.is_ascii_alphanumeric())?;
            let (name, rest) = name.split_at_checked(end)?;
            rest.starts_with('(').then(|| name.to_owned())
        })
        .collect();
    assert_eq!(declared, listed().into_iter().collect());
}

#[test]
fn the_library_is_named_after_its_abi_version() {
    let dynamic = output(Command::new("readelf").arg("-d").arg(library()));
    let wanted = format!("[libgatekey.so.{}]", gatekey::ffi::GK_ABI_VERSION);
    let soname = dynamic.lines().find(|line| line.contains("SONAME")).unwrap_or_default();
    assert!(soname.contains(&wanted), "bindings/c/build.rs sets another name: {soname}");
}

/// The list, which must be sorted and free of duplicates.
fn listed() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("tests/symbols.txt")).unwrap();
    let names: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(names.len() > 100, "tests/symbols.txt lists only {} functions", names.len());
    assert!(names.is_sorted_by(|a, b| a < b), "tests/symbols.txt is not sorted");
    names
}

/// Where the shared library is: `GATEKEY_LIBRARY`, or built now, in this test's own profile.
fn library() -> PathBuf {
    if let Some(library) = std::env::var_os("GATEKEY_LIBRARY") {
        return library.into();
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["build", "--quiet", "--package", "gatekey-c", "--target-dir"])
        .arg(target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug/libgatekey.so")
}

/// The static library as it is installed: made of Cargo's beside the shared one, if it has not been.
fn archive() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let library = library();
        let folder = library.parent().unwrap();
        let archive = folder.join("static/libgatekey.a");
        output(
            Command::new(root().join("bindings/c/localize.sh"))
                .arg(folder.join("libgatekey.a"))
                .arg(&archive),
        );
        archive
    });
    made.clone()
}

/// What a command prints, which must succeed.
fn output(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
