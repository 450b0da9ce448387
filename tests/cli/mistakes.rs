//! Mistakes on purpose: what is said about each names what was given, what is wanted and what to do, in the command line's
//! own words. One table.

use super::Desk;

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
        ("--json key create --color red", 2, None),
        ("key list --json --limit many", 2, None),
        ("--json jwk thumbprint in", 3, Some("invalid_key")),
        ("--json key create --owner acme --cidr 10.1.2.3/8", 2, Some("invalid_argument")),
    ] {
        let ran = desk.run(line);
        assert_eq!(ran.code, exit, "{line}: {ran:?}");
        let told: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        let error = &told["error"];
        assert_eq!(error["exit"], exit, "{line}");
        assert_eq!(error["code"].as_str(), code, "{line}: {told}");
        assert!(error["message"].as_str().unwrap().len() > 20, "{line}: {told}");
    }
    let ran = desk.run("key create --owner -- --json");
    assert!(ran.code == 2 && !ran.err.starts_with('{'), "{ran:?}");
}
