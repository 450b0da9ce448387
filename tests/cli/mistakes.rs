//! Mistakes on purpose: what is said about each names what was given, what is wanted and what to do, in the command line's
//! own words. One table.

use super::{Desk, USAGE, commands};
use gatekey::ErrorKind;

/// What is written into the file `in` and to standard input, the words of the line, and the words that must be said.
type Row = (&'static str, &'static str, &'static str);

const ROWS: [Row; 30] = [
    ("Bearer {token}", "token verify --key key.jwk --token-file in", "`Bearer `|without"),
    ("\"{token}\"", "token verify --key key.jwk --token-file in", "quotes|without"),
    ("'{token}'", "token inspect --token-file in", "quotes|without"),
    ("b'{token}'", "token inspect --token-file in", "b'...'|decode"),
    ("eyJhbGciOiJkaXIifQ..aa.bb.cc", "token inspect --token-file in", "JWE|encrypted"),
    ("{key}", "token verify --key key.jwk --token-file in", "API key"),
    ("-----BEGIN PUBLIC KEY-----\nMFkw\n", "token verify --key key.jwk --token-file in", "PEM|key"),
    ("{\"a\":1}", "token inspect --token-file in", "JSON|token"),
    ("2YotnFZFEjr1zCsicMWpAA", "token verify --key key.jwk --token-file in", "opaque|three parts"),
    ("{token}=", "token verify --key key.jwk --token-file in", "`=`|--allow-padding"),
    (
        "{token}",
        "token verify --key key.jwk --token-file in --issuer https://auth.example",
        "`aud`|api|--audience|--any-audience",
    ),
    (
        "{token}",
        "token verify --key key.jwk --token-file in --audience api",
        "`iss`|--issuer|--any-issuer",
    ),
    (
        "{token}",
        "token verify --key key.jwk --token-file in --audience api --issuer https://auth.example/",
        "`iss`|slash",
    ),
    (
        "{token}",
        "token verify --key key.jwk --token-file in --issuer https://auth.example --audience shop",
        "`aud`|api|shop",
    ),
    (
        "{token}",
        "token verify --key key.jwk --token-file in --any-issuer --any-audience --subject bob",
        "`sub`|`subject`",
    ),
    (
        "{token}",
        "token verify --key key.jwk --token-file in --any-issuer --any-audience --require tid",
        "`tid`|`required`",
    ),
    (
        "{token}",
        "token verify --key key.jwk --token-file in --any-issuer --any-audience --typ at+jwt",
        "`typ`|JWT|at+jwt",
    ),
    ("{token}", "token verify --key key.jwk --token-file in --leeway 1h", "`leeway`|600"),
    ("{token}", "token verify --key other.jwk --token-file in", "`alg`|HS256|ES256"),
    (
        "hunter2",
        "token sign --secret-file in --alg HS256",
        "7 bytes, at least 32|gatekey jwk generate",
    ),
    ("{token}", "token sign --key in", "token|key"),
    ("{key}", "token sign --key in", "API key"),
    (
        "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":7,\"k\":\"AAAA\"}",
        "jwk thumbprint in",
        "`kid`|a number",
    ),
    ("{\"exp\":1795000060000}", "token sign --key key.jwk --claims in", "milliseconds"),
    ("Bearer {key}", "key verify", "`Bearer `|without"),
    ("{token}", "key verify", "token (JWT)"),
    ("gk_live_short", "key verify", "checksum|cut"),
    ("{key}", "key verify --scope write", "scope|write"),
    ("", "key create --owner acme --rate often", "`rate`|100/60s"),
    ("", "key create --owner acme --cidr 10.1.2.3/8", "`cidrs`|10.0.0.0/8"),
];

/// The members of each error in JSON, in the order of their names.
const MEMBERS: [&str; 9] =
    ["claim", "code", "exit", "key_id", "message", "name", "number", "retry_after_ms", "status"];

/// Names of Rust, C and Python.
const FOREIGN: [&str; 7] = ["::", "policy", "gk_policy", "gk_key", "gatekey.ANY", "=True", "Some("];

#[test]
fn a_mistake_is_told() {
    let desk = Desk::new("told");
    let (key, _) = desk.key("");
    let made =
        [desk.run("jwk generate --alg HS256").done(), desk.run("jwk generate --alg ES256").done()];
    desk.write("key.jwk", &made[0]);
    desk.write("other.jwk", &made[1]);
    let line =
        "token sign --key key.jwk --issuer https://auth.example --audience api --subject alice";
    let token = desk.run(line).done();
    let mut wrong = Vec::new();
    for (given, line, words) in ROWS {
        let text = given.replace("{token}", token.trim()).replace("{key}", &key);
        desk.write("in", &text);
        let ran = desk.run_with(&line.split(' ').collect::<Vec<_>>(), text.as_bytes());
        let lacks: Vec<_> = words.split('|').filter(|word| !ran.err.contains(word)).collect();
        let foreign: Vec<_> = FOREIGN.iter().filter(|word| ran.err.contains(**word)).collect();
        if ran.code == 0 || !lacks.is_empty() || !foreign.is_empty() {
            wrong.push(format!("{given} {line}: lacks {lacks:?}, has {foreign:?}: {ran:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

/// What programs ask for as JSON is told as JSON, also where the arguments cannot be read.
#[test]
fn programs_are_told_in_json() {
    let desk = Desk::new("told-json");
    desk.write("in", "not a key");
    for (line, exit, code) in [
        ("--json key create --color red", 2, "invalid_argument"),
        ("key list --json --limit many", 2, "invalid_argument"),
        ("--json jwk thumbprint no.jwk", 3, "invalid_argument"),
        ("--json jwk thumbprint in", 3, "invalid_key"),
        ("--json key create --owner acme --cidr 10.1.2.3/8", 2, "invalid_argument"),
    ] {
        let ran = desk.run(line);
        assert_eq!(ran.code, exit, "{line}: {ran:?}");
        let told: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        let error = &told["error"];
        assert_eq!(error["exit"], exit, "{line}");
        assert_eq!(error["code"], code, "{line}: {told}");
        let kind = ErrorKind::ALL.iter().find(|kind| kind.code() == code).unwrap();
        let (number, status) = (kind.number(), kind.http_status());
        assert_eq!((&error["number"], &error["status"]), (&number.into(), &status.into()));
        assert_eq!(error["name"], kind.name(), "{line}: {told}");
        let names: Vec<_> = error.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, MEMBERS, "{line}: {told}");
        assert!(error["message"].as_str().unwrap().len() > 20, "{line}: {told}");
    }
    let ran = desk.run("key create --owner -- --json");
    assert!(ran.code == 2 && !ran.err.starts_with('{'), "{ran:?}");
}

/// A line that is refused must not have made a store, a pepper file or a key ring.
#[test]
fn what_is_refused_leaves_no_file() {
    let desk = Desk::new("refused-first");
    desk.write("rows.csv", "owner,secret\nacme,long-enough-1\n,long-enough-2\n");
    desk.write("dated.csv", "owner,secret,expires_at\nacme,long-enough-1,tomorrow\n");
    desk.write("scoped.csv", "owner,secret,scopes\nacme,long-enough-1,\u{e9}\n");
    let mut before = desk.names();
    before.sort();
    for line in [
        "key create --owner acme --scope \u{e9}",
        "key create --owner acme --expires-at 1",
        "key create --owner acme --expires-in 0",
        "key create --owner acme --expires-in 1M",
        "key create --owner acme --cidr 10.1.2.3/8",
        "key create --owner acme --meta 7",
        "key create --owner acme --prefix GK",
        "key create --owner acme --env production",
        "key create --owner acme --rate often",
        "key create --owner acme --credits 1M",
        "key create --owner acme --pepper-file none.pepper",
        "key create --owner acme --pepper-env NOT_SET",
        "key create --owner acme --colour red",
        "key create --owner acme --store sqlite:///keys.sqlite?mode=ro",
        "key import rows.csv --scheme plaintext",
        "key import dated.csv --scheme plaintext",
        "key import scoped.csv --scheme plaintext",
        "key import none.csv --scheme plaintext",
        "key import rows.csv --scheme rot13",
        "key import rows.csv --scheme plaintext --env production",
        "keyring new rings.sqlite --name Rings",
        "keyring new rings.sqlite --token-ttl 400d",
        "keyring new rings.sqlite --alg ES257",
        "keyring new rings.sqlite --pepper-env NOT_SET",
        "keyring new folder:rings --name Rings",
        "keyring new folder:rings --token-ttl 0",
        "revoke status --max-token-ttl 0s",
        "key list",
        "session list",
    ] {
        let ran = desk.run(line);
        let mut names = desk.names();
        names.sort();
        assert!(ran.code != 0, "{line}: {ran:?}");
        assert_eq!(names, before, "{line} has made a file: {ran:?}");
    }
}

/// What is given in the place of a word, a file, a store or a number, and repeated by no message: a part of each.
const SECRETS: [(&str, &str); 6] = [
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.dBjftJeZ4CVPmB92K27uhbUJU1p1r", "eyJhbGciOi"),
    ("gk_live_4f9aKq27LmXz_8sHd72KqPzM3vBn5XcRt1YwLg6Fj9TkUe0", "gk_live_4f9"),
    (
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----",
        "MC4CAQAwBQ",
    ),
    ("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ\"}", "AyM1SysPpb"),
    ("8xLOxBtZp8kJ2mQ4vR7nW1sY", "8xLOxBtZp8"),
    ("postgres://app:hunter2horse@db.example/auth", "hunter2hor"),
];

/// The options of a command that take a value, as help names them: `--store` and `<URL>`.
fn options(help: &str) -> Vec<(String, String)> {
    let lines = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let from = line.find("--").filter(|_| line.starts_with('-'))?;
        let (name, value) = line.get(from..)?.split_once(" <")?;
        Some((name.to_owned(), value.split('>').next()?.to_owned()))
    });
    lines.collect()
}

/// Every command, with each secret as its argument, as the value of each option that names a file, a place or a variable,
/// and as a command.
#[test]
fn no_message_repeats_a_secret() {
    let desk = Desk::new("no-secret");
    let before = desk.names();
    let mut tried = 0;
    let mut check = |line: &[&str], part: &str| {
        tried += 1;
        let ran = desk.run_with(line, b"");
        let told = format!("{}{}", ran.out, ran.err);
        assert!(!told.contains(part), "{line:?}: {told}");
        assert!(!told.contains("panicked") && ran.code != 101, "{line:?}: {told}");
        // What is asked of a store that is not there makes none.
        assert_eq!(desk.names(), before, "{line:?}: {told}");
        ran
    };
    for (secret, part) in SECRETS {
        let ran = check(&[secret], part);
        assert_eq!(ran.code, USAGE, "{ran:?}");
        let option = format!("--{secret}");
        check(&[&option], part);
        check(&["key", secret], part);
        check(&["help", secret], part);
    }
    for command in commands(&desk, &[]) {
        let line: Vec<&str> = command.iter().map(String::as_str).collect();
        let help = desk.run_with(&[&line[..], &["--help"]].concat(), b"").done();
        for (at, (secret, part)) in SECRETS.into_iter().enumerate() {
            // A folder, a subject or a name of the caller's own may look like anything.
            if at < 3 || line[0] != "man" {
                check(&[&line[..], &[secret]].concat(), part);
                check(&[&line[..], &["--json", "no-such", secret]].concat(), part);
                check(&[&line[..], &["--no-such", secret]].concat(), part);
                let joint = format!("--no-such={secret}");
                check(&[&line[..], &[&joint]].concat(), part);
            }
        }
        for (option, value) in options(&help) {
            let is_place = ["FILE", "URL", "NAME", "FOLDER"].contains(&value.as_str());
            let turn = if is_place { 0..6 } else { 0..2 };
            for (secret, part) in &SECRETS[turn] {
                let joint = format!("{option}={secret}");
                check(&[&line[..], &[&joint]].concat(), part);
            }
        }
    }
    assert!(tried > 2000, "{tried}");
}

/// A variable is as much a place to put the wrong thing into as an option.
#[test]
fn no_message_repeats_what_a_variable_holds() {
    let desk = Desk::new("no-variable");
    for (secret, part) in SECRETS {
        for name in ["GATEKEY_STORE", "GATEKEY_PEPPER_FILE", "GATEKEY_ENV", "GATEKEY_PREFIX"] {
            for line in [&["key", "list"][..], &["key", "list", "--help"], &["doctor", "--json"]] {
                let mut program = desk.program();
                let output = program.args(line).env(name, secret).output().unwrap();
                let told = format!(
                    "{}{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
                assert!(!told.contains(part), "{name} {line:?}: {told}");
            }
        }
    }
}

#[test]
fn a_word_that_is_mistyped_is_still_helped() {
    let desk = Desk::new("helped");
    for (line, words) in [
        ("tokn verify", "'tokn'|'token'"),
        ("key creat --owner a", "'creat'|'create'"),
        ("key create --ownr a", "'--ownr'|'--owner'"),
        ("jwk convert in --to jwks", "--to <TO>|jwk, pem"),
        ("key list --limit 5000", "--limit|1..=1000"),
        ("key list --limit many", "--limit|a whole number"),
        ("key create --owner a --expires-in 1M", "--expires-in|15m"),
        ("jwk public eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", "Word 3|token (JWT)|files"),
        ("revoke key eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", "Word 3|gatekey revoke token"),
        ("jwk public hunter2", "name of a file"),
        ("key create hunter2", "word 3|secret"),
    ] {
        let ran = desk.run(line);
        let lacks: Vec<_> = words.split('|').filter(|word| !ran.err.contains(word)).collect();
        assert!(ran.code != 0 && lacks.is_empty(), "{line}: lacks {lacks:?}: {ran:?}");
    }
}
