//! `libgatekey.so` exports exactly the functions of tests/symbols.txt, each of which the header
//! declares; nothing of AWS-LC or of Rust leaks. The list is append-only: a line that goes is a break of
//! the ABI (src/ffi/version.rs).
#![cfg(all(feature = "capi", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_library_exports_exactly_the_listed_symbols() {
    let listed = listed();
    let library = library();
    let nm = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output().unwrap();
    assert!(nm.status.success(), "nm cannot read {}", library.display());
    let nm = String::from_utf8(nm.stdout).unwrap();
    let exported: BTreeSet<&str> =
        nm.lines().filter_map(|line| line.split_whitespace().last()).collect();
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
    let readelf = Command::new("readelf").arg("-d").arg(library()).output().unwrap();
    let wanted = format!("[libgatekey.so.{}]", gatekey::ffi::GK_ABI_VERSION);
    let dynamic = String::from_utf8_lossy(&readelf.stdout).into_owned();
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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
