//! Rows 14, 15 and 33: what a header may ask for, which is nothing.

use crate::fixtures::{accepted, claims, key, other, policy, refused, verifier, verifying};
use crate::forge::{b64, der, header_and, sign};
use gatekey::{Alg, ErrorKind, Key, KeySet, Verifier};
use std::io::ErrorKind as Io;
use std::net::TcpListener;

/// CVE-2018-0114, CVE-2026-27962: a key that comes with the token proves nothing and fetches nothing.
#[test]
fn row_14_keys_in_the_header_are_never_used() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", trap.local_addr().unwrap());
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let stranger = other(alg);
        let jwk = if alg.is_symmetric() {
            stranger.to_private_jwk().unwrap().expose_str().to_owned()
        } else {
            stranger.to_jwk().unwrap()
        };
        let spki = stranger.to_pem().map(|pem| der(&pem)).unwrap_or_default();
        let x5c = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, spki);
        for member in [
            format!(r#""jwk":{jwk}"#),
            format!(r#""x5c":["{x5c}"]"#),
            format!(r#""jku":"{url}""#),
            format!(r#""x5u":"{url}""#),
            format!(r#""jku":"file:///etc/passwd","x5u":"{url}","jwk":{jwk}"#),
            format!(r#""kid":"{url}","jku":"{url}""#),
            format!(r#""x5t":"{0}","x5t#S256":"{0}","jwk":{jwk}"#, b64([7; 32])),
        ] {
            let header = header_and(alg, &member);
            let forged = sign(stranger, &header, claims().to_string());
            refused(
                verifier.verify(forged),
                ErrorKind::InvalidSignature,
                &format!("{alg} {member:.20}"),
            );
            // They are hints to others: an honest token that carries them is still honest.
            let honest = sign(key(alg), &header, claims().to_string());
            accepted(&verifier, &honest, &format!("{alg} {member:.20}"));
        }
    }
    let caller = trap.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(caller, Err(Io::WouldBlock), "verification opened a connection");
}

/// CVE-2026-48522, GHSA-9v7f-9g4p-ffgj: no text given as a key is ever an address.
#[test]
fn row_15_key_text_is_never_an_address() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let http = format!("http://{}/", trap.local_addr().unwrap());
    let file = std::env::temp_dir().join(format!("gatekey-row-15-{}.pem", std::process::id()));
    std::fs::write(&file, key(Alg::Es256).to_pem().unwrap()).unwrap();
    let path = file.to_str().unwrap().to_owned();
    for text in [
        http,
        format!("file://{path}"),
        path,
        "ftp://127.0.0.1/k".into(),
        "data:,{}".into(),
        "gopher://x".into(),
    ] {
        let bytes = text.as_bytes();
        refused(Key::from_pem(bytes, Some(Alg::Es256)), ErrorKind::InvalidKey, &text);
        refused(Key::from_der(bytes, Some(Alg::Es256)), ErrorKind::InvalidKey, &text);
        refused(Key::from_jwk(bytes, Some(Alg::Es256)), ErrorKind::InvalidKey, &text);
        refused(KeySet::from_jwks(bytes), ErrorKind::InvalidKey, &text);
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(trap.accept().map(|_| ()).map_err(|error| error.kind()), Err(Io::WouldBlock));
}

/// CVE-2025-59420, CVE-2026-32597, GHSA-hm7r-c7qw-ghp6: `crit` binds (RFC 7515 section 4.1.11).
#[test]
fn row_33_crit() {
    let unknown = [
        r#""crit":["x"],"x":1"#,
        r#""x":1,"crit":["x"]"#,
        r#""crit":["http://example.com/ext"],"http://example.com/ext":{}"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":["b64"],"b64":true"#,
        r#""crit":["x","y"],"x":1,"y":2"#,
        r#""crit":["\u0078"],"x":1"#,
        r#""crit":["cnf"],"cnf":null"#,
    ];
    let malformed = [
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"x","x":1"#,
        r#""crit":{"x":1},"x":1"#,
        r#""crit":7"#,
        r#""crit":true"#,
        r#""crit":[1]"#,
        r#""crit":[null]"#,
        r#""crit":[["x"]],"x":1"#,
        r#""crit":["x","x"],"x":1"#,
        r#""crit":["x"]"#,
        r#""crit":["x","\u0078"],"x":1"#,
        r#""crit":["x","y"],"x":1"#,
        r#""crit":["alg"]"#,
        r#""crit":["typ"],"typ":"JWT""#,
        r#""crit":["kid"],"kid":"k""#,
        r#""crit":["crit"]"#,
        r#""crit":["jwk"],"jwk":{}"#,
        r#""crit":["x5t#S256"],"x5t#S256":"a""#,
        r#""crit":["x"],"crit":["x"],"x":1"#,
        r#""crit":["cty"],"cty":"JWT""#,
        r#""crit":[""]"#,
    ];
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        for (members, kind) in [
            (&unknown[..], ErrorKind::UnsupportedCritical),
            (&malformed, ErrorKind::MalformedToken),
        ] {
            for members in members {
                let token = sign(key(alg), header_and(alg, members), claims().to_string());
                refused(verifier.verify(&token), kind, &format!("{alg} {members}"));
                // Seen before does not mean allowed: the second look is refused like the first.
                refused(verifier.verify(&token), kind, &format!("{alg} {members}, again"));
            }
        }
        // Extensions that are not critical are ignored, as RFC 7515 section 4 asks.
        for members in [r#""x":1"#, r#""critical":["x"]"#, r#""Crit":["x"]"#, r#""CRIT":[]"#] {
            accepted(
                &verifier,
                &sign(key(alg), header_and(alg, members), claims().to_string()),
                members,
            );
        }
    }
}

/// CVE-2025-59420's sibling: `b64:false` outside `crit` changes the signing input for some libraries.
#[test]
fn row_33_b64_false_without_crit() {
    for &alg in Alg::ALL {
        let verifier = Verifier::with_key(&verifying(key(alg)), policy()).unwrap();
        let header = b64(header_and(alg, r#""b64":false"#));
        let detached = crate::forge::sign_text(key(alg), &format!("{header}.{}", claims()));
        refused(verifier.verify(&detached), ErrorKind::UnsupportedCritical, "an unencoded payload");
        // Signed over the raw payload, sent encoded: the signature is over something else.
        let (_, signature) = detached.rsplit_once('.').unwrap();
        let mixed = format!("{header}.{}.{signature}", b64(claims().to_string()));
        refused(
            verifier.verify(mixed),
            ErrorKind::UnsupportedCritical,
            "raw signature, encoded payload",
        );
    }
}
