//! The command line as its users meet it: the program is run, its output read, its exit code compared.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test must fail loudly and say why")]

mod backups;
mod doctor;
#[cfg(all(unix, feature = "postgres"))]
mod doctor_server;
#[path = "../oauth/evil.rs"]
#[expect(dead_code, reason = "the other test program uses the rest of it")]
mod evil;
mod keys;
mod mistakes;
mod oauth;
mod oauth_lines;
#[cfg(all(unix, feature = "postgres"))]
mod operations;
mod peppers;
#[path = "../oauth/provider.rs"]
#[expect(dead_code, reason = "the other test program uses the rest of it")]
mod provider;
#[cfg(all(unix, feature = "postgres"))]
#[path = "../rounds/mod.rs"]
mod rounds;
#[cfg(all(unix, feature = "postgres"))]
#[path = "../it/postgres/server.rs"]
#[expect(dead_code, reason = "the other test program uses the rest of it")]
mod server;
mod session;
mod together;
mod tokens;
mod visible;

use gatekey::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DONE: i32 = 0;
const REFUSED: i32 = 1;
const USAGE: i32 = 2;
const INPUT: i32 = 3;
const STORE: i32 = 4;

/// What a run of the program came to.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// What was printed, if it was done.
    #[track_caller]
    fn done(self) -> String {
        assert_eq!(self.code, DONE, "{self:?}");
        self.out
    }

    /// What was said, if this is the exit code and nothing was printed.
    #[track_caller]
    fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        self.err
    }
}

/// A folder of its own, and the program in it.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn program(&self) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_gatekey"));
        program.current_dir(&self.0).env_clear().env("GATEKEY_STORE", "keys.sqlite");
        program
    }

    /// Runs it with the words of `line` as arguments and `input` as standard input.
    fn run_with(&self, line: &[&str], input: &[u8]) -> Ran {
        let mut program = self.program();
        program.args(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        // A program that does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn run(&self, line: &str) -> Ran {
        self.run_with(&line.split(' ').collect::<Vec<_>>(), b"")
    }

    /// Runs it where no file can grow.
    fn run_on_a_full_disk(&self, line: &str) -> Ran {
        let program = env!("CARGO_BIN_EXE_gatekey");
        let limited = format!("trap '' XFSZ; ulimit -f 0; exec {program} {line}");
        let mut shell = Command::new("bash");
        let output = shell.args(["-c", &limited]).current_dir(&self.0).output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Makes a key: its text and its id.
    #[track_caller]
    fn key(&self, more: &str) -> (String, String) {
        let text = self.run(&format!("key create --owner acme{more}")).done().trim().to_owned();
        let id = text.rsplit('_').nth(1).unwrap().to_owned();
        (text, id)
    }

    fn verify(&self, key: &str, more: &[&str]) -> Ran {
        self.run_with(&[&["key", "verify"], more].concat(), key.as_bytes())
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The member of a JSON text, as text.
#[track_caller]
fn member(text: &str, path: &str) -> String {
    let mut value = json::parse(text.trim().as_bytes()).unwrap_or_else(|_| panic!("{text}"));
    for name in path.split('.') {
        value = value.member(name).unwrap_or_else(|| panic!("{name} of {text}"));
    }
    value.as_str().map_or_else(|| value.raw().to_owned(), Into::into)
}

/// Every command there is, as `["key", "create"]`, found by asking for help.
fn commands(desk: &Desk, path: &[String]) -> Vec<Vec<String>> {
    let line: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let help = desk.run_with(&line, b"").done();
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return vec![path.to_vec()] };
    let list = list.split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help");
    names.flat_map(|name| commands(desk, &[path, &[name.to_owned()]].concat())).collect()
}

#[test]
fn every_command_has_help_and_a_line_in_the_document() {
    let desk = Desk::new("help");
    let all = commands(&desk, &[]);
    assert!(all.len() >= 43, "{all:?}");
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let document = std::fs::read_to_string(document).unwrap();
    for command in &all {
        let line = format!("gatekey {}", command.join(" "));
        assert!(document.contains(&line), "docs/cli.md does not mention `{line}`");
        let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = desk.run_with(&words, b"").done();
        assert!(help.contains("--json"), "{help}");
        let of_store = help.split("\nStore:\n").nth(1).unwrap_or_default();
        for place in ["\n  <", "\n  ["] {
            assert!(!of_store.contains(place), "an argument among the store's options: {help}");
        }
        // Whatever is secret is in a file, never an argument.
        for option in ["--secret ", "--token ", "--pepper ", "--password", "[TOKEN]", "[SECRET]"] {
            assert!(!help.contains(option), "{line} has {option}");
        }
    }
    for code in [DONE, REFUSED, USAGE, INPUT, STORE, 5] {
        assert!(document.contains(&format!("\n| {code} | ")), "docs/cli.md lacks exit code {code}");
    }
    assert!(desk.run("--version").done().contains(env!("CARGO_PKG_VERSION")));
    assert!(desk.run_with(&[], b"").failed(USAGE).contains("Usage"));
    assert!(desk.run("key destroy").failed(USAGE).contains("unrecognized"));
    assert_eq!(desk.names(), Vec::<String>::new(), "help makes nothing");
}

#[test]
fn a_key_from_creation_to_revocation() {
    let desk = Desk::new("life");
    let created = desk.run(
        "key create --owner acme --name till --scope orders:read --rate 100/60s --expires-in 90d",
    );
    assert!(
        created.err.contains("Made the pepper file /")
            && created.err.contains("/keys.sqlite.pepper"),
        "{}",
        created.err
    );
    let key = created.out.trim().to_owned();
    assert!(!created.err.contains(&key), "the key is printed once");
    let id = key.rsplit('_').nth(1).unwrap().to_owned();
    assert!(created.err.contains(&id) && key.starts_with("gk_live_"), "{key}");

    let seen = desk.verify(&key, &["--scope", "orders:read", "--json"]).done();
    assert_eq!((member(&seen, "id"), member(&seen, "owner")), (id.clone(), "acme".into()));
    let refused = desk.verify(&key, &["--scope", "admin", "--json"]).failed(REFUSED);
    assert_eq!(member(&refused, "error.number"), "3008");
    assert_eq!(member(&refused, "error.exit"), "1");

    let with_overlap = desk.run(&format!("key rotate {id} --overlap 1h")).done();
    desk.verify(&key, &[]).done();
    desk.verify(&with_overlap, &[]).done();
    let new = desk.run(&format!("key rotate {id} --json")).done();
    let (secret, record) = (member(&new, "secret"), member(&new, "record"));
    assert_eq!(member(&record, "id"), id);
    desk.verify(&with_overlap, &[]).failed(REFUSED);
    desk.verify(&secret, &[]).done();

    let shown =
        desk.run(&format!("key update {id} --remove rate --scope a --scope b --json")).done();
    assert_eq!(
        (member(&shown, "rate"), member(&shown, "scopes")),
        ("null".into(), r#"["a","b"]"#.into())
    );
    desk.run(&format!("key disable {id} --reason holiday")).done();
    assert!(desk.verify(&secret, &[]).failed(REFUSED).contains("disabled"));
    desk.run(&format!("key enable {id}")).done();
    desk.verify(&secret, &[]).done();
    let revoked = desk.run(&format!("key revoke {id} --reason leaked --actor mallory")).done();
    assert!(revoked.contains("revoked") && revoked.contains("leaked"), "{revoked}");
    let refused = desk.verify(&secret, &["--json"]).failed(REFUSED);
    assert_eq!(member(&refused, "error.name"), "ApiKeyRevoked");
    assert_eq!(
        member(&desk.run(&format!("key enable {id} --json")).failed(USAGE), "error.number"),
        "2"
    );

    let audit = desk.run("key audit --all --json").done();
    let actions: Vec<_> = audit.lines().map(|line| member(line, "action")).collect();
    assert_eq!(actions, ["create", "rotate", "rotate", "update", "disable", "enable", "revoke"]);
    assert_eq!(member(audit.lines().last().unwrap(), "actor"), "mallory");
    let table = desk.run(&format!("key audit --key {id}")).done();
    assert!(table.starts_with("SEQ") && table.lines().count() == 8, "{table}");
    assert!(desk.run("key list").done().contains("revoked"));

    // Nothing of a secret is in the files.
    for text in [&key, &secret] {
        let needle = text.rsplit('_').next().unwrap().as_bytes();
        for name in desk.names() {
            let file = desk.read(&name);
            assert!(!file.windows(needle.len()).any(|part| part == needle), "{name}");
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(desk.run("key purge --older-than 0s --json").done(), "{\"purged\":1}\n");
    assert_eq!(desk.run("key list").err, "No keys.\n");
    desk.run(&format!("key show {id}")).failed(REFUSED);
}

#[test]
fn another_owners_key_does_not_exist() {
    let desk = Desk::new("owned");
    let made = "key create --owner acme --tenant eu --json";
    let id = member(&member(&desk.run(made).done(), "record"), "id");
    let before = desk.run("key audit --all --json").done();
    for call in ["show", "update --name n", "rotate", "revoke", "disable", "enable"] {
        for other in ["--owned-by mallory --in-tenant eu", "--owned-by acme", "--owned-by ACME"] {
            let told = desk.run(&format!("key {call} {id} {other} --json")).failed(REFUSED);
            assert_eq!(member(&told, "error.name"), "ApiKeyNotFound", "{call} {other}");
        }
        desk.run(&format!("key {call} {id} --in-tenant eu")).failed(USAGE);
    }
    desk.run_with(&["key", "show", &id, "--owned-by", ""], b"").failed(USAGE);
    assert_eq!(desk.run("key audit --all --json").done(), before, "nothing has changed");
    for call in ["show", "update --name n", "rotate", "disable", "enable", "revoke"] {
        desk.run(&format!("key {call} {id} --owned-by acme --in-tenant eu")).done();
    }
}

#[test]
fn pages() {
    let desk = Desk::new("pages");
    let mut ids: Vec<_> = (0..5).map(|n| desk.key(&format!(" --name n{n}")).1).collect();
    ids.sort();
    let mut seen = Vec::new();
    let mut line = "key list --limit 2 --json".to_owned();
    loop {
        let page = desk.run(&line).done();
        let value = json::parse(page.trim().as_bytes()).unwrap();
        let records = value.member("records").unwrap();
        seen.extend(
            records.elements().map(|one| one.member("id").unwrap().as_str().unwrap().into_owned()),
        );
        match value.member("cursor").unwrap().as_str() {
            Some(cursor) => line = format!("key list --limit 2 --json --cursor {cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let page = desk.run("key list --limit 2");
    assert!(page.err.contains("There are more: --cursor"), "{page:?}");
    assert_eq!(page.done().lines().count(), 3);
    assert_eq!(desk.run("key list --all").done().lines().count(), 6);
    assert_eq!(desk.run("key list --all --json").done().lines().count(), 5);
    assert_eq!(desk.run("key list --owner nobody").err, "No keys.\n");
    for line in [
        "key list --limit 0",
        "key list --limit 1001",
        "key list --all --limit 3",
        "key audit --cursor x",
    ] {
        desk.run(line).failed(USAGE);
    }
}

#[test]
fn mistakes_change_nothing() {
    let desk = Desk::new("mistakes");
    for line in [
        "key list",
        "key show x",
        "key revoke x",
        "key audit",
        "key purge --older-than 1d",
        "key verify",
        "pepper report",
        "pepper wrap",
        "pepper add",
    ] {
        desk.run(line).failed(INPUT);
    }
    for line in [
        "key create",
        "key create --owner",
        "key create --owner a --rate often",
        "key create --owner a --expires-in soon",
        "key create --owner a --expires-in 1.5",
        "key create --owner a --not-before yesterday",
        "key create --owner a --credits 1+",
        "key rotate",
        "key rotate x --overlap -1",
        "key purge",
        "key import",
        "key import f --scheme rot13",
        "key create --owner a --store postgres://x",
        "key create --owner a --store memory:",
        "key create --owner a --store sqlite://keys",
        "scan-rule --prefix 9",
        "key verify --ip 300.1.1.1",
    ] {
        desk.run(line).failed(USAGE);
    }
    assert_eq!(desk.names(), Vec::<String>::new(), "none of these makes a store");

    let (key, id) = desk.key("");
    let before = desk.run("key audit --all --json").done();
    for more in [
        "--owner a --scope a\"b",
        "--owner a --cidr 10.0.0.0/33",
        "--owner a --meta []",
        "--owner a --expires-in 0",
        "--owner a --env LIVE",
        "--owner a --prefix 9",
    ] {
        desk.run(&format!("key create {more}")).failed(USAGE);
    }
    desk.run_with(&["key", "create", "--owner", "a\nb"], b"").failed(USAGE);
    desk.run(&format!("key rotate {id} --overlap 91d")).failed(USAGE);
    desk.run(&format!("key update {id}")).failed(USAGE);
    desk.run(&format!("key update {id} --rate 1/s --remove rate")).failed(USAGE);
    desk.run("key revoke OQVF9jBHX7qC").failed(REFUSED);
    desk.run("key revoke ../../etc").failed(REFUSED);
    assert_eq!(desk.run("key audit --all --json").done(), before);
    for presented in ["", "nonsense", &key[..key.len() - 1], &"x".repeat(2 << 20)] {
        let told = desk.verify(presented, &[]);
        assert!([REFUSED, INPUT].contains(&told.code), "{told:?}");
        assert!(presented.is_empty() || !told.err.contains(presented), "the input is not echoed");
    }
    desk.verify(&format!("  {key}\r\n"), &[]).done();
}

#[test]
fn the_pepper_must_fit() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new("pepper");
    let (key, _) = desk.key("");
    let report = desk.run("pepper report --json").done();
    assert!(report.contains(r#""pepper":1,"active":true,"keys":1"#), "{report}");
    assert_eq!(member(&desk.run("pepper add --json").done(), "pepper"), "2");
    desk.verify(&key, &[]).done(); // and is put under the new pepper by that
    assert!(desk.run("pepper report").done().contains("not needed any more"));
    assert_eq!(desk.run("pepper wrap").done(), "Wrapped 0 keys.\n");
    desk.run("pepper add").done();
    let wrapped = desk.run("pepper wrap --json").done();
    assert_eq!(member(&wrapped, "wrapped"), "1");
    assert!(wrapped.contains(r#""pepper":2,"active":false,"keys":1"#), "{wrapped}");
    desk.verify(&key, &[]).done();

    // A full disk leaves the file as it is, and no half of a new one.
    let before = desk.read("keys.sqlite.pepper");
    desk.run_on_a_full_disk("pepper add --store keys.sqlite").failed(STORE);
    desk.run_on_a_full_disk("pepper add --store keys.sqlite --pepper-file fresh").failed(STORE);
    assert_eq!(desk.read("keys.sqlite.pepper"), before);
    assert!(!desk.names().iter().any(|name| name == "fresh" || name.ends_with(".new")));

    // From the environment, which is not where a pepper can be added.
    let peppers = String::from_utf8(desk.read("keys.sqlite.pepper")).unwrap();
    let mut program = desk.program();
    program.env("PEPPERS", &peppers).args(["key", "list", "--pepper-env", "PEPPERS"]);
    assert!(program.output().unwrap().status.success());
    desk.run("key list --pepper-env PEPPERS").failed(USAGE);
    desk.run("pepper add --pepper-env PEPPERS").failed(USAGE);

    // From a file of its own.
    desk.write("other", &peppers);
    desk.run("key list --pepper-file other").failed(USAGE); // others may read it
    std::fs::set_permissions(desk.0.join("other"), std::fs::Permissions::from_mode(0o600)).unwrap();
    desk.run("key list --pepper-file other").done();
    desk.run("key list --pepper-file missing").failed(STORE);
    desk.write("other", &format!("1 {}", "00".repeat(32)));
    let told = desk.run("key list --pepper-file other --json").failed(STORE);
    assert_eq!(member(&told, "error.number"), "6005");
    std::fs::remove_file(desk.0.join("keys.sqlite.pepper")).unwrap();
    desk.run("key list").failed(STORE);
    desk.write(
        "keys.sqlite",
        "this is not a database, and it is long enough to be looked at as one",
    );
    let told = desk.run("key list --pepper-file other").failed(STORE);
    assert!(!told.contains("this is not"), "{told}");
}

#[test]
fn imports() {
    let desk = Desk::new("import");
    desk.write("a.csv", "owner,name,secret,scopes,cidrs,rate,credits,meta,expires_in,not_before,tenant\n\
        acme,\"till, left\",legacy-key-0001,orders:read orders:write,10.0.0.0/8,10/s,50,\"{\"\"a\"\":1}\",3600,1,t\n\
        beta,,legacy-key-0002,,,,,,,,\n");
    assert_eq!(desk.run("key import a.csv --scheme plaintext").done(), "Imported 2 keys.\n");
    let seen =
        desk.verify("legacy-key-0001", &["--ip", "10.1.2.3", "--tenant", "t", "--json"]).done();
    for (name, value) in [
        ("owner", "acme"),
        ("name", "till, left"),
        ("scopes", r#"["orders:read","orders:write"]"#),
        ("cidrs", r#"["10.0.0.0/8"]"#),
        ("rate", "10/1s"),
        ("meta", r#"{"a":1}"#),
        ("not_before", "1"),
    ] {
        assert_eq!(member(&seen, name), value);
    }
    desk.verify("legacy-key-0001", &[]).failed(REFUSED);
    desk.verify("legacy-key-0002", &[]).done();
    // As another system's table has them: what has ended there has ended here.
    desk.write("c.csv", "owner,secret,revoked,expires_at\n\
        a,legacy-key-0005,True,\nb,legacy-key-0006,f,2020-01-31\nc,legacy-key-0007,,2099-01-31T12:00:00Z\n");
    desk.run("key import c.csv --scheme plaintext").done();
    assert!(desk.verify("legacy-key-0005", &[]).failed(REFUSED).contains("revoked"));
    assert!(desk.verify("legacy-key-0006", &[]).failed(REFUSED).contains("expired"));
    let end = member(&desk.verify("legacy-key-0007", &["--json"]).done(), "expires_at");
    assert_eq!(end, "4073544000");
    let rows =
        br#"{"owner":"d","secret":"legacy-key-0008","revoked":true,"expires_at":4073544000}"#;
    desk.run_with(&["key", "import", "-", "--format", "jsonl", "--scheme", "plaintext"], rows)
        .done();
    assert!(desk.verify("legacy-key-0008", &[]).failed(REFUSED).contains("revoked"));
    // Again: what is there is told, and stops nobody else.
    desk.write("a.csv", "owner,secret\nacme,legacy-key-0001\ngamma,legacy-key-0003\n");
    let again = desk.run("key import a.csv --scheme plaintext");
    assert_eq!((again.code, again.out.as_str()), (REFUSED, "Imported 1 key.\n"), "{again:?}");
    assert!(again.err.contains("line 2: This key has been imported before."), "{again:?}");

    // SHA-256 of "legacy-key-0004", as JSON, from standard input.
    let digest = "c0c1f8d6f2a9b6cd".repeat(4);
    let rows = format!(
        "{{\"owner\":\"a\",\"hash\":\"{digest}\",\"scopes\":[\"x\",\"y\"],\"meta\":{{\"b\":[1]}},\"credits\":5,\"name\":null}}\n\n"
    );
    let line = ["key", "import", "-", "--format", "jsonl", "--scheme", "sha256-hex", "--json"];
    let report = desk.run_with(&line, rows.as_bytes()).done();
    assert_eq!(
        (member(&report, "imported"), member(&report, "rejected")),
        ("1".into(), "[]".into())
    );
    let id = member(&report, "ids").trim_matches(['[', ']', '"']).to_owned();
    let shown = desk.run(&format!("key show {id} --json")).done();
    assert_eq!(
        (member(&shown, "scopes"), member(&shown, "meta")),
        (r#"["x","y"]"#.into(), r#"{"b":[1]}"#.into())
    );

    let before = desk.run("key audit --all --json").done();
    for (name, text, told) in [
        ("b.csv", "owner,secret\na,SECRET-IN-A-ROW\nb\n", "line 3: it has more or fewer columns"),
        (
            "b.csv",
            "owner,secret,colour\na,SECRET-IN-A-ROW,red\n",
            "line 2: a column has an unknown name",
        ),
        ("b.csv", "owner,secret\na,\n", "line 2: `secret` is missing"),
        ("b.csv", "owner,secret,revoked\na,SECRET-IN-A-ROW,no\n", "`revoked` is not true or false"),
        (
            "b.csv",
            "owner,secret,expires_at\na,SECRET-IN-A-ROW,soon\n",
            "`expires_at` is not a date",
        ),
        (
            "b.csv",
            "owner,hash\na,SECRET-IN-A-ROW\n",
            "`hash` does not go with the scheme plaintext",
        ),
        ("b.csv", "owner,secret,rate\na,SECRET-IN-A-ROW,often\n", "line 2: A `rate` is written as"),
        (
            "b.csv",
            "owner,secret,credits\na,SECRET-IN-A-ROW,many\n",
            "line 2: `credits` is not a number",
        ),
        ("b.csv", "owner,secret\na,SECRET-IN-A-ROW\n,SECRET-IN-A-ROW2\n", "line 3: An `owner` has"),
        (
            "b.csv",
            "owner,secret\na,short\nb,SECRET-IN-A-ROW\n",
            "line 2: A key to import has 8 to 512",
        ),
        (
            "b.csv",
            "owner,secret\na,SECRET-IN-A-ROW\nb,SECRET-IN-A-ROW\n",
            "line 3: Another row holds the same",
        ),
        ("b.jsonl", "[\"SECRET-IN-A-ROW\"]\n", "line 1: it is not a JSON object"),
        ("b.jsonl", "{\"owner\":\"a\",\"secret\":7}\n", "line 1: `secret` is of the wrong type"),
        (
            "b.jsonl",
            "{\"owner\":\"a\",\"secret\":\"SECRET-IN-A-ROW\",\"scopes\":[7]}\n",
            "`scopes` is not an array of texts",
        ),
        ("b.jsonl", "{\"owner\":\"a\",\"owner\":\"b\"}\n", "line 1: it is not a JSON object"),
    ] {
        desk.write(name, text);
        let ran = desk.run(&format!("key import {name} --scheme plaintext"));
        assert_eq!(ran.code, INPUT, "{text}: {ran:?}");
        assert!(ran.err.contains(told), "{text}: {ran:?}");
        assert!(!ran.err.contains("SECRET-IN-A-ROW"), "{ran:?}");
    }
    desk.write("long.jsonl", &format!("{{\"owner\":\"{}\"}}", "x".repeat(70_000)));
    assert!(desk.run("key import long.jsonl --scheme plaintext").failed(INPUT).contains("64 KiB"));
    desk.run("key import missing.csv --scheme plaintext").failed(INPUT);
    assert_eq!(desk.run("key audit --all --json").done(), before, "nothing was imported");
}

#[test]
fn rules_and_completions() {
    let desk = Desk::new("rules");
    let rule = desk.run("scan-rule --prefix acme").done();
    assert!(rule.contains("[[rules]]") && rule.contains("acme_[a-z]{2,8}_"), "{rule}");
    assert_eq!(
        desk.run("scan-rule --prefix acme --regex").done().trim(),
        member(&desk.run("scan-rule --prefix acme --json").done(), "regex")
    );
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = desk.run(&format!("completions {shell}")).done();
        assert!(script.contains("thumbprint") && script.contains("pepper-file"), "{shell}");
        desk.write(shell, &script);
    }
    let checked = Command::new("bash").arg("-n").arg(desk.0.join("bash")).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn nobody_reads_any_more() {
    let desk = Desk::new("closed");
    for n in 0..3 {
        desk.key(&format!(" --name {}", "n".repeat(200 + n)));
    }
    let mut program = desk.program();
    // Nobody reads from the beginning on, however fast the program writes.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    program.args(["key", "list", "--all", "--json"]).stdout(writer).stderr(Stdio::piped());
    let output = program.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(141), Vec::new()));
}
