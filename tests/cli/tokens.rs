//! Tokens and keys on the command line.

use super::{DONE, Desk, INPUT, REFUSED, USAGE, member};
use gatekey::json::{self, Kind};

#[test]
fn tokens_of_every_algorithm() {
    let desk = Desk::new("tokens");
    desk.write("claims.json", r#"{"roles":["a"],"n":1.50}"#);
    for alg in gatekey::Alg::ALL {
        let (name, file) = (alg.name(), format!("{}.jwk", alg.name()));
        desk.run(&format!("jwk generate --alg {name} --out {file} --kid k1")).done();
        let sign = format!(
            "token sign --key {file} --issuer https://a.example --audience api --subject alice --claims claims.json"
        );
        let token = desk.run(&sign).done();
        let claims = desk
            .run_with(
                &format!(
                    "token verify --key {file} --issuer https://a.example --audience api --json"
                )
                .split(' ')
                .collect::<Vec<_>>(),
                token.as_bytes(),
            )
            .done();
        assert_eq!((member(&claims, "sub"), member(&claims, "n")), ("alice".into(), "1.50".into()));
        let lifetime = member(&claims, "exp").parse::<u64>().unwrap()
            - member(&claims, "iat").parse::<u64>().unwrap();
        assert_eq!(lifetime, 900);
        // What it is not told to expect, it refuses.
        desk.write("token", &token);
        let fine = "--issuer https://a.example --audience api --claim n=1.5 --allow-padding";
        let fine = format!("token verify --token-file token --key {file} {fine}");
        desk.run(&format!("{fine} --claim roles=[\"a\"] --allow-numeric-subject")).done();
        desk.run(&format!("{fine} --claim roles=a")).failed(USAGE);
        desk.run(&format!("{sign} --header cty=JWT")).failed(USAGE);
        desk.run(&format!("{sign} --header jku=1")).failed(USAGE);
        desk.write("with_cty", &desk.run(&format!("{sign} --header cty=\"JWT\"")).done());
        let seen = desk.run("token inspect --token-file with_cty --json").done();
        assert_eq!(member(&seen, "header.cty"), "JWT");
        for (line, status) in [
            (format!("--key {file} --any-issuer --any-audience --claim n=2"), "1009"),
            (format!("--key {file} --audience api"), "1004"),
            (format!("--key {file} --issuer https://a.example"), "1005"),
            (format!("--key {file} --issuer https://b.example --audience api"), "1004"),
            (format!("--key {file} --any-issuer --any-audience --subject bob"), "1007"),
            (format!("--key {file} --any-issuer --any-audience --typ at+jwt"), "1006"),
            (format!("--key {file} --any-issuer --any-audience --require scope"), "1008"),
        ] {
            let told =
                desk.run(&format!("token verify --json --token-file token {line}")).failed(REFUSED);
            assert_eq!(member(&told, "error.number"), status, "{line}");
        }
        let seen = desk.run("token inspect --token-file token --json").done();
        assert_eq!(
            (member(&seen, "verified"), member(&seen, "header.alg")),
            ("false".into(), name.into())
        );
        assert!(desk.run("token inspect --token-file token").err.contains("NOT VERIFIED"));
        if alg.is_symmetric() {
            desk.run(&format!("jwk public {file}")).failed(INPUT);
            continue;
        }
        // The public half verifies and does not sign.
        desk.write("set.json", &desk.run(&format!("jwks {file}")).done());
        desk.run("token verify --token-file token --key set.json --any-issuer --any-audience")
            .done();
        desk.write("public.jwk", &desk.run(&format!("jwk public {file}")).done());
        desk.run("token sign --key public.jwk").failed(INPUT);
        desk.run("token sign --key set.json").failed(USAGE);
        assert!(!desk.run("jwk public public.jwk").done().contains("\"d\":"));
    }
}

#[test]
fn a_token_that_somebody_else_has_made() {
    // RFC 7515, appendix A.1: HS256, expired in 2011.
    let desk = Desk::new("rfc");
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    desk.write("token", token);
    desk.write("key.jwk", r#"{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#);
    let told = desk
        .run("token verify --key key.jwk --token-file token --issuer joe --json")
        .failed(REFUSED);
    assert_eq!(member(&told, "error.number"), "1002");
    desk.write("token", &token.replace("dBjft", "dBjfu"));
    let told = desk
        .run("token verify --key key.jwk --token-file token --issuer joe --json")
        .failed(REFUSED);
    assert_eq!(member(&told, "error.number"), "1001");
    let seen = desk.run_with(&["token", "inspect"], token.as_bytes());
    assert!(seen.err.contains("exp: expires 2011-03-22T18:43:00Z"), "{seen:?}");
    assert!(seen.done().contains("\n  \"iss\": \"joe\",\n"));
    // A token is never an argument.
    assert_eq!(desk.run(&format!("token inspect {token}")).code, USAGE);
    for bad in ["", "a.b", "a.b.c.d", "eyJhbGciOiJub25lIn0.e30."] {
        let ran = desk.run_with(&["token", "verify", "--key", "key.jwk"], bad.as_bytes());
        assert!([REFUSED, INPUT].contains(&ran.code), "{bad}: {ran:?}");
    }
    // A secret in a file, with or without a line break.
    desk.write("secret", "0123456789abcdef0123456789abcdef\n");
    let token = desk.run("token sign --secret-file secret --alg HS256 --subject a").done();
    desk.write("secret", "0123456789abcdef0123456789abcdef");
    desk.run_with(
        &["token", "verify", "--secret-file", "secret", "--alg", "HS256"],
        token.as_bytes(),
    )
    .done();
    desk.run("token sign --secret-file secret").failed(USAGE);
    desk.write("secret", "hunter2");
    let told = desk.run("token sign --secret-file secret --alg HS256").failed(INPUT);
    assert!(told.contains("secret") && !told.contains("hunter2"), "{told}");
}

#[test]
fn keys_in_every_form() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new("keys");
    for alg in gatekey::Alg::ALL.iter().filter(|alg| !alg.is_symmetric()) {
        let name = alg.name();
        desk.write("a.jwk", &desk.run(&format!("jwk generate --alg {name}")).done());
        let thumbprint = desk.run("jwk thumbprint a.jwk").done();
        let pem = desk.run("jwk convert a.jwk --to pem");
        assert_eq!(pem.code, DONE, "{name}: {pem:?}");
        desk.write("a.pem", &pem.out);
        assert!(pem.out.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{}", pem.out);
        let back = desk.run(&format!("jwk convert a.pem --to jwk --alg {name}")).done();
        assert_eq!(back.into_bytes(), desk.read("a.jwk"), "{name}");
        desk.write("p.pem", &desk.run("jwk public a.jwk --pem").done());
        let public = desk.run(&format!("jwk thumbprint p.pem --alg {name} --json")).done();
        assert_eq!(member(&public, "thumbprint"), thumbprint.trim());
        assert!(member(&public, "uri").ends_with(thumbprint.trim()));
    }
    desk.run("jwk generate --alg ES256 --out new.jwk").done();
    let mode = std::fs::metadata(desk.0.join("new.jwk")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = desk.read("new.jwk");
    desk.run("jwk generate --alg ES256 --out new.jwk").failed(INPUT);
    assert_eq!(desk.read("new.jwk"), first, "a key is never overwritten");
    desk.run("jwk generate --alg ES256 --out no/such/folder").failed(INPUT);
    // A full disk leaves no half of a key.
    desk.run_on_a_full_disk("jwk generate --alg RS256 --out half.jwk").failed(INPUT);
    assert!(!desk.0.join("half.jwk").exists());
    desk.run("jwk generate --alg none").failed(USAGE);
    desk.run("jwk generate --alg RS256 --bits 1024").failed(USAGE);
    desk.run("jwk generate --alg ES256 --bits 2048").failed(USAGE);
    desk.write("bad.jwk", r#"{"kty":"oct","alg":"HS256","k":"c2VjcmV0LW9mLW1pbmU"}"#);
    let told = desk.run("jwk thumbprint bad.jwk").failed(INPUT);
    assert!(told.contains("bad.jwk") && !told.contains("c2VjcmV0"), "{told}");
    desk.run("jwk thumbprint missing").failed(INPUT);
    desk.write("huge", &"x".repeat((1 << 20) + 1));
    assert!(desk.run("jwk thumbprint huge").failed(INPUT).contains("1 MiB"));

    desk.run("jwk generate --alg RS256 --out rsa.jwk").done();
    let set = desk.run("jwks new.jwk rsa.jwk").done();
    let value = json::parse(set.trim().as_bytes()).unwrap();
    let members: Vec<_> = value.member("keys").unwrap().elements().collect();
    assert_eq!(members.len(), 2);
    assert!(members.iter().all(|key| key.kind() == Kind::Object && key.member("d").is_none()));
    desk.write("set.json", &set);
    desk.run("jwk generate --alg EdDSA --out ed.jwk").done();
    let more = desk.run("jwks set.json ed.jwk").done();
    assert_eq!(more.matches("\"kty\"").count(), 3);
    // What is left out is named, and a token of it is told why.
    desk.run("jwk generate --alg RS256 --kid entra --out entra.jwk").done();
    desk.write("token", &desk.run("token sign --key entra.jwk").done());
    let silent = desk.run("jwk public entra.jwk").done().replace(r#""alg":"RS256","#, "");
    let ed = desk.run("jwk public ed.jwk").done();
    desk.write("part.json", &format!(r#"{{"keys":[{silent},{ed}]}}"#));
    let told = desk.run("jwks part.json");
    assert!(told.err.contains("kid entra") && told.err.contains("RS256"), "{}", told.err);
    let told = desk.run("token verify --token-file token --key part.json").failed(REFUSED);
    assert!(told.contains("entra") && told.contains("several algorithms"), "{told}");
    desk.write("none.json", &format!(r#"{{"keys":[{silent}]}}"#));
    let told = desk.run("token verify --token-file token --key none.json");
    assert!(told.err.contains("entra") && told.err.contains("several algorithms"), "{}", told.err);
    desk.run("token verify --token-file token --key none.json --alg RS256").done();
    desk.write("odd.json", "\u{feff}{\"keys\":[]}");
    for line in ["jwks odd.json", "token verify --token-file token --key odd.json"] {
        let told = desk.run(line).failed(INPUT);
        assert!(told.contains("byte order mark"), "{told}");
    }
    desk.run("jwk generate --alg HS256 --out hs.jwk").done();
    desk.run("jwks hs.jwk").failed(INPUT);
    desk.run("jwks new.jwk hs.jwk").failed(INPUT);
}
