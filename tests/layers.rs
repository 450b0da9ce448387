//! The layers of CONTRIBUTING, checked: who may import whom, who may name which crate, and where
//! `unsafe`, time, environment, files and sockets may appear.
//!
//! Reads `src/**` as text: comments and literals are blanked, then every path that starts with
//! `crate::` or climbs there by `super::` is checked against [`LAYERS`]. Unit tests inside `src` obey the
//! layers as well; only the rules about the outside world are lifted for them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test must fail loudly and say why"
)]

#[path = "layers/public.rs"]
mod public;
#[path = "layers/source.rs"]
mod source;

use public::{first_names, module_items, public, read_if_there, root_exports};
use source::{code, words};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A module and the modules it may import. A module may always import itself.
const LAYERS: [(&str, &[&str]); 26] = [
    // 0: no domain words, no I/O
    ("error", &[]),
    ("base", &["error"]),
    // 1: bytes in, bytes out
    ("crypto", &["error", "base"]),
    // 2: formats and rules, leftwards
    ("jwk", &["error", "base", "crypto"]),
    ("jws", &["error", "base", "crypto", "jwk"]),
    ("jwt", &["error", "base", "crypto", "jwk", "jws"]),
    // 3: traits and plain records, and (below their own trait) the adapters
    ("store", &["error", "base", "crypto"]),
    ("transport", &["error", "base", "crypto"]),
    ("pepper", &["error", "base", "crypto", "store"]),
    ("web", &["error", "base", "crypto"]),
    // 4: use cases, never each other
    ("apikey", &["error", "base", "crypto", "store", "pepper"]),
    ("revocations", &["error", "base", "jwt", "store"]),
    ("keyring", &["error", "base", "crypto", "jwk", "jwt", "store", "pepper"]),
    ("session", SESSION),
    ("oauth", OAUTH),
    // 5: what the edges share
    ("open", OPEN),
    ("resource", &["error", "base", "crypto", "jwk", "jws", "jwt", "transport", "apikey", "oauth"]),
    ("guard", GUARD),
    (
        "backup",
        &[
            "error",
            "base",
            "store",
            "pepper",
            "apikey",
            "revocations",
            "keyring",
            "session",
            "open",
        ],
    ),
    ("doctor", &["error", "base", "store", "pepper", "keyring", "open"]),
    ("operations", OPERATIONS),
    ("present", PRESENT),
    // Edges, imported by no other module.
    ("interop", &["error", "base", "jwk"]),
    // The public API only: see [`EDGES`].
    ("ffi", PUBLIC),
    ("cli", PUBLIC),
    // Nothing of this crate but `gatekey::cli`.
    ("bin", PUBLIC),
];

/// The files outside of `src/ffi` that may be `unsafe`; each says why.
const UNSAFE: [&str; 3] =
    ["src/base/prefetch.rs", "src/base/process.rs", "src/store/limits/mapped.rs"];

/// Where the standard library's `Instant` may be named, which stands still while the machine is suspended: for how long
/// a call waits. How old something is that is kept is measured by `src/base/steady.rs`.
const WAITS: [&str; 8] = [
    "src/base/process.rs",
    "src/base/steady.rs",
    "src/store/file_lock.rs",
    "src/store/postgres/",
    "src/store/redis/",
    "src/store/socket.rs",
    "src/transport/http/",
    "src/cli/oauth/loopback.rs",
];

/// What these modules may name is public: what the crate root re-exports, and what a public module does.
const EDGES: [&str; 2] = ["ffi", "cli"];
const PUBLIC: &[&str] = &[];
const SESSION: &[&str] =
    &["error", "base", "crypto", "jwt", "store", "pepper", "web", "revocations"];
const OAUTH: &[&str] =
    &["error", "base", "crypto", "jwk", "jwt", "store", "transport", "pepper", "web"];
const OPEN: &[&str] =
    &["error", "base", "jwt", "store", "pepper", "apikey", "revocations", "keyring", "session"];

const OPERATIONS: &[&str] =
    &["error", "base", "store", "pepper", "apikey", "keyring", "session", "open", "doctor"];
#[rustfmt::skip]
const PRESENT: &[&str] =
    &["error", "base", "store", "apikey", "keyring", "session", "oauth", "resource", "backup", "operations"];
const GUARD: &[&str] = &["error", "base", "jwt", "store", "web", "apikey", "session", "resource"];

/// Where files are read and written.
const FILES: &[&str] = &[
    "src/pepper/file.rs",
    "src/store/sqlite/",
    "src/store/file_lock.rs",
    "src/store/folder.rs",
    "src/store/folder/",
    "src/store/token_folder.rs",
    "src/store/private_file.rs",
    "src/store/mark_place.rs",
    "src/store/real_path.rs",
    "src/store/limits/",
    "src/cli/",
];

/// Where bytes are read and written.
const READERS: &[&str] = &[
    "src/pepper/file.rs",
    "src/store/sqlite/",
    "src/store/file_lock.rs",
    "src/store/folder.rs",
    "src/store/folder/",
    "src/store/token_folder.rs",
    "src/store/private_file.rs",
    "src/store/limits/",
    "src/store/postgres/",
    "src/store/redis/",
    "src/store/socket.rs",
    "src/transport/http/",
    "src/cli/",
];

/// Where time is read or waited for.
const TIMES: &[&str] = &[
    "src/base/clock.rs",
    "src/base/process.rs",
    "src/base/steady.rs",
    "src/base/ticker.rs",
    "src/jwk/external.rs",
    "src/store/file_lock.rs",
    "src/store/sqlite/",
    "src/store/limits/",
    "src/store/postgres/",
    "src/store/redis/",
    "src/store/socket.rs",
    "src/transport/http/",
    "src/cli/",
];

/// How secrets are compared: by `crypto`, which alone names one of these.
const COMPARES: [&str; 3] = ["verify_slices_are_equal", "ct_eq", "black_box"];

/// Crates and modules of `std` that only some files may name; a folder ends in `/`.
const OUTSIDE: [(&str, &[&str]); 39] = [
    ("aws_lc_rs", &["src/crypto/"]),
    ("subtle", &["src/crypto/"]),
    ("jsonwebtoken", &["src/interop.rs", "src/lib.rs"]),
    ("serde_json", &["src/interop.rs"]),
    ("ureq", &["src/transport/http/"]),
    (
        "rustls",
        &[
            "src/crypto/tls.rs",
            "src/store/postgres/",
            "src/store/redis/",
            "src/store/socket.rs",
            "src/transport/http/",
        ],
    ),
    ("postgres_protocol", &["src/store/postgres/"]),
    ("bytes", &["src/store/postgres/"]),
    ("fallible_iterator", &["src/store/postgres/"]),
    ("webpki_roots", &["src/store/postgres/tls.rs", "src/store/redis/connect.rs"]),
    (
        "std::thread",
        &[
            "src/base/process.rs",
            "src/base/ticker.rs",
            "src/jwk/external.rs",
            "src/transport/http/",
            "src/store/",
            "src/cli/oauth/",
        ],
    ),
    ("rand", &["src/base/random.rs"]),
    ("base64_simd", &["src/base/b64.rs"]),
    ("simdutf8", &["src/base/json/"]),
    // `unsafe` by itself, and only here: the system is asked in few places.
    ("libc", &["src/ffi/", "src/base/process.rs", "src/store/limits/mapped.rs"]),
    ("portable_atomic", &["src/store/limits/"]),
    ("der", &["src/jwk/", "src/crypto/"]),
    ("base64ct", &["src/jwk/"]),
    ("pem_rfc7468", &["src/jwk/"]),
    ("std::time", TIMES),
    ("std::process", &["src/base/process.rs", "src/bin/", "src/cli/oauth/"]),
    ("crc32fast", &["src/base/b62.rs"]),
    ("argon2", &["src/crypto/"]),
    ("bcrypt", &["src/crypto/"]),
    ("bcrypt_pbkdf", &["src/crypto/"]),
    ("scrypt", &["src/crypto/"]),
    ("crypto_bigint", &["src/crypto/"]),
    ("rusqlite", &["src/store/sqlite/"]),
    ("clap", &["src/cli/"]),
    ("clap_complete", &["src/cli/"]),
    ("comfy_table", &["src/cli/"]),
    ("csv", &["src/cli/"]),
    ("humantime", &["src/cli/"]),
    ("indicatif", &["src/cli/"]),
    ("rpassword", &["src/cli/"]),
    (
        "std::env",
        &[
            "src/pepper/file.rs",
            "src/store/postgres/connect.rs",
            "src/transport/http/proxy.rs",
            "src/cli/given.rs",
            "src/cli/input.rs",
            "src/bin/",
        ],
    ),
    ("std::fs", FILES),
    (
        "std::net",
        &[
            "src/cli/",
            "src/store/postgres/connect.rs",
            "src/store/redis/connect.rs",
            "src/store/socket.rs",
            "src/transport/http/",
        ],
    ),
    ("std::io", READERS),
];

#[test]
fn every_import_keeps_to_its_layer() {
    let exports = public(&code(&read("src/lib.rs")), &read_if_there);
    let mut paths = 0;
    for file in sources() {
        let text = read(&file);
        paths += crate_paths(&file, &code(&text)).len();
        let wrong = violations(&file, &text, &exports);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    assert!(paths > 100, "only {paths} paths were seen; is src/ read at all?");
}

#[test]
fn every_room_is_in_the_table() {
    for file in sources() {
        let room = room_of(&file);
        let known = room == "lib" || LAYERS.iter().any(|(name, _)| *name == room);
        assert!(known, "{file}: no layer for {room}; add a row to LAYERS");
    }
    // A row may only point to rows above it, so that there is no circle.
    for (i, (room, allowed)) in LAYERS.iter().enumerate() {
        for name in *allowed {
            assert!(
                LAYERS[..i].iter().any(|(above, _)| above == name),
                "{room} may import {name}, which is not above it"
            );
        }
    }
}

#[test]
fn files_open_with_what_they_are() {
    for file in sources() {
        let text = read(&file);
        assert!(text.starts_with("//!"), "{file} does not open with `//!`");
        assert!(text.lines().count() <= 600, "{file} has more than 600 lines");
    }
}

/// Comments have at most a hundred columns: those of src/ffi are gatekey.h's. Not the tables and examples in them, nor
/// the docstrings of Python, whose lines are those of its stub.
#[test]
fn comments_have_a_hundred_columns() {
    let mut files = sources();
    files.extend(below("bindings"));
    assert!(files.len() > 300, "only {} files were found", files.len());
    for file in files {
        let long = long_comments(&file, &read(&file));
        assert!(long.is_empty(), "{file}: these comments have more than 100 columns: {long:?}");
    }
}

#[test]
fn long_comments_are_found() {
    let long = format!("    // {}\n/// {}\n", "x ".repeat(50), "y ".repeat(50));
    let fine = format!("/// ```\n{long}/// ```\n/// | {} |\n", "z".repeat(100));
    assert_eq!(long_comments("src/x.rs", &format!("\n{fine}{long}")), [7, 8]);
    assert_eq!(long_comments("bindings/python/src/x.rs", &long), [1]);
}

/// The numbers of the lines.
fn long_comments(file: &str, text: &str) -> Vec<usize> {
    let mut in_example = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some(comment) = line.trim_start().strip_prefix("//") else {
            in_example = false;
            continue;
        };
        let said = comment.trim_start_matches(['/', '!']).trim_start();
        in_example ^= said.starts_with("```");
        let is_docstring = file.starts_with("bindings/python/") && comment.starts_with('/');
        let is_exempt = in_example || said.starts_with('|') || is_docstring;
        if line.chars().count() > 100 && !is_exempt {
            found.push(at + 1);
        }
    }
    found
}

/// A row that a store has given is sealed again only after its seal was checked, which the type `Checked` sees to: so
/// those who make rows that are in no store yet are few, and known.
#[test]
fn only_new_rows_are_sealed_unchecked() {
    let made = |file: &str| {
        let code = code(&read(file));
        without_tests(file, &code).matches("Checked::new(").count()
    };
    let makers: Vec<_> = sources().into_iter().map(|file| (made(&file), file)).collect();
    let makers: Vec<_> = makers.iter().filter(|(made, _)| *made > 0).collect();
    let known = [
        (1, "src/apikey/admin.rs".to_owned()),
        (2, "src/apikey/import.rs".to_owned()),
        (1, "src/session/life.rs".to_owned()),
    ];
    assert!(makers.iter().copied().eq(known.iter()), "{makers:?}");
}

/// The self-test: each rule finds what breaks it, and nothing where nothing is broken.
#[test]
fn violations_are_found() {
    let root =
        "pub mod jwk;\npub use jwk::Key;\npub mod jwt;\npub use jwt::Policy;\npub mod apikey;";
    let exports = public(root, &|file| {
        let text = "\npub(crate) mod hidden;\nmod grant;\npub use grant::Grant;\npub fn parse() {}";
        (file == "src/apikey/mod.rs").then(|| text.to_owned())
    });
    for (file, text) in [
        ("src/base/b64.rs", "use crate::crypto::hash;"),
        ("src/crypto/rsa.rs", "use crate::{\n    error::Result,\n    jwk::Key,\n};"),
        ("src/crypto/rsa.rs", "fn f() { crate::base::json::parse(b\"\"); let k: crate::Key; }"),
        ("src/jwk/key.rs", "use super::super::jwt::Policy;"),
        ("src/jwk/der/mod.rs", "use super::super::jws::Compact;"),
        ("src/jws.rs", "use super::jwt::Policy;"),
        ("src/jws.rs", "use crate::Policy;"),
        ("src/error.rs", "use crate::base::json;"),
        ("src/jwt/mod.rs", "use crate::ffi::boundary;"),
        ("src/ffi/key.rs", "use crate::jwk::Engine;"),
        ("src/ffi/key.rs", "use crate::{Key, base};"),
        ("src/cli/apikey.rs", "use crate::apikey::hidden;"),
        ("src/cli/apikey.rs", "use crate::apikey::{Grant, grant::Other};"),
        ("src/cli/apikey.rs", "let mirror = crate::apikey::Mirror::new();"),
        ("src/cli/apikey.rs", "use crate::{Key, apikey::mirror};"),
        ("src/cli/apikey.rs", "use crate::base;"),
        ("src/open/mod.rs", "use crate::cli::main;"),
        ("src/bin/gatekey.rs", "use clap::Parser;"),
        ("src/jwt/signer.rs", "use aws_lc_rs::hmac;"),
        ("src/jwk/key.rs", "use ::aws_lc_rs as lc;"),
        ("src/jwk/key.rs", "fn f(k: jsonwebtoken::DecodingKey) {}"),
        ("src/jwt/check.rs", "let now = std::time::SystemTime::now();"),
        ("src/jwt/check.rs", "use std::{fmt, time::Duration};"),
        ("src/base/clock.rs", "use std::time::{Instant, SystemTime};"),
        ("src/store/sqlite/mod.rs", "let now = std::time::Instant::now();"),
        ("src/jwk/set.rs", "std::fs::read(path)"),
        ("src/crypto/mod.rs", "std::env::var(\"X\")"),
        ("src/base/clock.rs", "use std::net::TcpStream;"),
        ("src/crypto/hmac.rs", "unsafe { x() }"),
        ("src/jwt/mod.rs", "unsafe fn f() {}"),
        ("src/store/limits/file.rs", "unsafe { x() }"),
        ("src/store/limits/file.rs", "let flags = libc::O_NOFOLLOW;"),
        ("src/base/steady.rs", "unsafe { x() }"),
        ("src/base/clock.rs", "let clock = libc::CLOCK_BOOTTIME;"),
        ("src/base/descriptors.rs", "use libc::close;"),
        ("src/base/prefetch.rs", "use libc::close;"),
        ("src/base/reach.rs", "#[cfg(test)]\nmod tests {\n fn f() { unsafe { x() } }\n}"),
        ("src/crypto/rsa.rs", "#[cfg(test)]\nmod tests {\n use crate::jwk::Key;\n}"),
        ("src/apikey/verify.rs", "std::hint::black_box(difference) == 0"),
        ("src/jwt/check.rs", "bool::from(a.ct_eq(b))"),
    ] {
        assert_eq!(violations(file, text, &exports).len(), 1, "{file}: {text}");
    }
    for (file, text) in [
        (
            "src/jwk/key.rs",
            "use crate::{base::{b64, json}, crypto, error::Result};\nuse super::alg::Alg;",
        ),
        ("src/jwk/der/read.rs", "use super::super::alg::Alg;\nuse super::write;"),
        (
            "src/jws.rs",
            "#[cfg(test)]\nmod tests {\n use super::*;\n use super::super::error::Error;\n}",
        ),
        (
            "src/jwk/key.rs",
            "// use crate::jwt::Policy;\n/* aws_lc_rs */ let s = \"unsafe crate::jwt \\\" x\";",
        ),
        (
            "src/jwk/key.rs",
            "/// [`crate::Verifier`] and std::time\nlet r = r#\"std::fs \"unsafe\" \"#;",
        ),
        (
            "src/ffi/key.rs",
            "use crate::{Key, Policy};\nuse crate::apikey::{Grant, parse};\nuse super::boundary::guard;\nuse crate::ffi::buf;\nunsafe { f() }",
        ),
        (
            "src/base/random.rs",
            "#[cfg(test)]\nmod tests {\n use std::time::Duration; use serde_json::json;\n}",
        ),
        ("src/crypto/tests/mod.rs", "use std::fs; use super::hash;"),
        (
            "src/jwk/key.rs",
            "let c = '\\''; let l: &'static str = x; let rsa = 1; let derive = 2; // unsafe",
        ),
        ("src/base/process.rs", "let _ = unsafe { libc::close(descriptor) };"),
        ("src/base/prefetch.rs", "unsafe { x() }"),
        ("src/store/limits/mapped.rs", "unsafe { libc::munmap(start, size) };"),
        ("src/ffi/buf.rs", "use libc::c_char; unsafe { f() }"),
        (
            "src/interop.rs",
            "use jsonwebtoken::Algorithm; use crate::jwk::Key; use crate::base::b64;",
        ),
    ] {
        assert_eq!(violations(file, text, &exports), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn the_crate_root_is_understood() {
    let exports = root_exports(&code(
        "pub use base::json;\npub use jwk::{Alg, Key};\npub use jwt::{\n    Claims,\n    Policy,\n};",
    ));
    let of = |name: &str| exports.get(name).map(String::as_str);
    assert_eq!(
        [of("json"), of("Alg"), of("Policy"), of("Nobody")],
        [Some("base"), Some("jwk"), Some("jwt"), None]
    );
    let real = public(&code(&read("src/lib.rs")), &read_if_there);
    assert!(
        ["Key", "Verifier", "Error", "Secret", "jwt::Policy", "json::parse", "clock::FixedClock"]
            .iter()
            .all(|name| real.contains_key(*name)),
        "{real:?}"
    );
}

/// Everything in the file that its layer does not allow.
fn violations(file: &str, text: &str, exports: &BTreeMap<String, String>) -> Vec<String> {
    let (code, room) = (code(text), room_of(file));
    if room == "lib" {
        return Vec::new();
    }
    let allowed =
        LAYERS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, allowed)| *allowed);
    let mut wrong = Vec::new();
    let is_edge = EDGES.contains(&room.as_str());
    for name in crate_paths(file, &code) {
        let target = exports.get(&name).unwrap_or(&name);
        let fine = *target == room
            || allowed.contains(&target.as_str())
            || is_edge && exports.contains_key(&name);
        if !fine {
            wrong.push(format!("{file}: {room} may not import {name}, which is of {target}"));
        }
    }
    if is_edge {
        let in_known = |path: &str| {
            path.split("::")
                .next()
                .is_none_or(|module| module.contains(',') || exports.contains_key(module))
        };
        let private =
            module_items(&code).filter(|path| in_known(path) && !exports.contains_key(path));
        wrong.extend(private.map(|path| format!("{file}: {path} is not public")));
    }
    let product = without_tests(file, &code);
    for (name, places) in OUTSIDE {
        let at_home = places.iter().any(|place| {
            if place.ends_with('/') { file.starts_with(place) } else { file == *place }
        });
        // Test code may look around in the world; other crates' types stay where they are at home.
        let strict = matches!(name, "aws_lc_rs" | "jsonwebtoken");
        if !at_home && names(if strict { &code } else { &product }, name) {
            wrong.push(format!("{file}: {name} may only be named in {places:?}"));
        }
    }
    let compare = COMPARES.iter().find(|name| words(&code).any(|(word, _)| word == **name));
    if let Some(name) = compare.filter(|_| room != "crypto") {
        wrong.push(format!("{file}: secrets are compared by `constant_time_eq`, not by `{name}`"));
    }
    let may_wait = WAITS.iter().any(|place| file.starts_with(place));
    if !may_wait && words(&product).any(|(word, _)| word == "Instant") {
        wrong.push(format!(
            "{file}: `Instant` stands still in suspend: only for waits, in {WAITS:?}"
        ));
    }
    let may_be_unsafe = room == "ffi" || UNSAFE.contains(&file);
    if !may_be_unsafe && words(&code).any(|(word, _)| word == "unsafe") {
        wrong.push(format!("{file}: `unsafe` belongs into src/ffi and {UNSAFE:?}"));
    }
    wrong
}

/// The first names after `crate::`, and after as many `super::` as lead there.
fn crate_paths(file: &str, code: &str) -> Vec<String> {
    let depth = file
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .split('/')
        .count();
    let mut found = Vec::new();
    for (word, at) in words(code) {
        let rest = &code[at + word.len()..];
        if word == "crate" {
            found.extend(rest.strip_prefix("::").map(first_names).unwrap_or_default());
        } else if word == "super" && !code[..at].ends_with("super::") {
            let mut chain = rest;
            let mut climbed = 1;
            while let Some(after) = chain.strip_prefix("::super") {
                (chain, climbed) = (after, climbed + 1);
            }
            if climbed >= depth + inline_depth(&code[..at]) {
                found.extend(chain.strip_prefix("::").map(first_names).unwrap_or_default());
            }
        }
    }
    found
}

/// How many inline `mod name {` are open where `before` ends.
fn inline_depth(before: &str) -> usize {
    let mut open: Vec<bool> = Vec::new();
    for (i, c) in before.char_indices() {
        match c {
            '{' => {
                let head: Vec<&str> =
                    before[..i].trim_end().rsplitn(3, char::is_whitespace).collect();
                open.push(head.get(1) == Some(&"mod"));
            }
            '}' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().filter(|&is_mod| is_mod).count()
}

/// The code that is not for tests.
fn without_tests(file: &str, code: &str) -> String {
    let is_test_file = file.contains("/tests/") || file.ends_with("/tests.rs");
    let product = if is_test_file { "" } else { code };
    // By convention the tests of a file are its last item.
    product.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// Whether `code` names this crate or module of `std`, also through `use std::{...}`.
fn names(code: &str, name: &str) -> bool {
    if let Some(module) = name.strip_prefix("std::") {
        let grouped = |group: &str| first_names(group).iter().any(|first| first == module);
        return code.match_indices("std::").any(|(at, _)| grouped(&code[at + 5..]));
    }
    words(code).any(|(word, at)| {
        let before = code[..at].trim_end();
        let rest = code[at + word.len()..].trim_start();
        // A path's first segment, or a `use` of the crate itself.
        let first = !before.ends_with("::")
            || before.trim_end_matches("::").ends_with([' ', '\n', '{', '(', ',', '<']);
        let used = rest.starts_with("::") || before.ends_with("use") || before.ends_with("use ::");
        word == name && first && used
    })
}

/// The first folder or file under `src`.
fn room_of(file: &str) -> String {
    file.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every Rust file under `src`, as a path from the root of the project.
fn sources() -> Vec<String> {
    below("src")
}

/// Every Rust file in this folder, as a path from the root of the project.
fn below(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut files) = (vec![root.join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}
