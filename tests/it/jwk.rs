//! Keys: generated, read and written in every form, named, and never shown.

use crate::fixtures::{asymmetric, key, kind_of, other, refused, row, rows, verifying};
use crate::forge::{b64, der};
use gatekey::jwk::KeyOptions;
use gatekey::{Alg, ErrorKind, Key, KeySet};
use serde_json::{Value, json};

/// One section of `pem_keys.txt`.
struct Text {
    name: &'static str,
    form: &'static str,
    kind: &'static str,
    pem: &'static str,
}

fn texts() -> Vec<Text> {
    let sections = include_str!("../vectors/pem_keys.txt").split("=== ").skip(1);
    let section = |text: &'static str| {
        let (head, pem) = text.split_once('\n').unwrap();
        let words: Vec<_> = head.split(' ').collect();
        Text { name: words[0], form: words[1], kind: words[2], pem }
    };
    sections.map(section).collect()
}

fn signs_and_verifies(signing: &Key, verifying: &Key) {
    let verdict = signing.sign_with(b"message", |signature| {
        assert_eq!(signature.len(), signing.signature_len());
        (
            verifying.verify_signature(b"message", signature),
            verifying.verify_signature(b"massage", signature),
        )
    });
    let (right, wrong) = verdict.unwrap();
    right.unwrap();
    refused(wrong, ErrorKind::InvalidSignature, "another message");
}

#[test]
fn every_written_form_is_read() {
    let texts = texts();
    assert_eq!(texts.iter().filter(|text| text.kind != "refused").count(), 33);
    for Text { name, form, kind, pem } in texts {
        if kind == "refused" {
            let kind = kind_of(Key::from_pem(pem.as_bytes(), None), &format!("{name} {form}"));
            assert!(kind.is_misuse(), "{name} {form}: {kind:?}");
            continue;
        }
        let fixed = row(name);
        let asked = (name == "rs256").then_some(Alg::Rs256);
        for text in [pem.to_owned(), pem.replace('\n', "\r\n"), format!("some text before\n{pem}")]
        {
            let read = Key::from_pem(text.as_bytes(), asked)
                .unwrap_or_else(|error| panic!("{name} {form}: {error}"));
            assert_eq!(read.thumbprint(), fixed.key.thumbprint(), "{name} {form}");
            assert_eq!(
                (read.is_private(), read.kid()),
                (kind == "private", read.thumbprint().as_str()),
                "{name} {form}"
            );
            if kind == "private" {
                signs_and_verifies(&read, &fixed.key)
            } else {
                signs_and_verifies(&fixed.key, &read)
            }
        }
        let read = Key::from_der(&der(pem), asked)
            .unwrap_or_else(|error| panic!("{name} {form} DER: {error}"));
        assert_eq!(read.thumbprint(), fixed.key.thumbprint(), "{name} {form} DER");
        if name == "rs256" {
            refused(Key::from_pem(pem.as_bytes(), None), ErrorKind::AlgorithmRequired, form);
            refused(Key::from_der(&der(pem), None), ErrorKind::AlgorithmRequired, form);
        } else {
            let expected = if name == "eddsa" {
                read.alg().same_algorithm(Alg::EdDsa)
            } else {
                read.alg() == fixed.alg
            };
            assert!(expected, "{name}: {}", read.alg());
        }
    }
}

#[test]
fn written_forms_go_round() {
    for row in rows() {
        let key = &row.key;
        let private = key.to_private_jwk().unwrap();
        let again = Key::from_jwk(private.expose(), None).unwrap();
        assert_eq!(
            (again.alg(), again.thumbprint(), again.is_private()),
            (row.alg, key.thumbprint(), true)
        );
        let (ours, theirs): (Value, Value) = (
            serde_json::from_slice(private.expose()).unwrap(),
            serde_json::from_str(row.jwk).unwrap(),
        );
        for (member, value) in theirs.as_object().unwrap() {
            assert_eq!(&ours[member], value, "{} {member}", row.name);
        }
        if row.alg.is_symmetric() {
            for error in [
                key.to_jwk().err(),
                key.to_pem().err(),
                key.public().err(),
                key.to_private_pem().err(),
            ] {
                assert_eq!(
                    error.expect("a secret has no public form").kind(),
                    ErrorKind::KeyUsage,
                    "{}",
                    row.name
                );
            }
            continue;
        }
        let public = key.public().unwrap();
        assert!(!public.is_private() && public.public().unwrap().kid() == key.kid());
        let jwk = key.to_jwk().unwrap();
        assert_eq!(jwk, public.to_jwk().unwrap());
        let members: Value = serde_json::from_str(&jwk).unwrap();
        for secret in ["d", "p", "q", "dp", "dq", "qi", "priv", "k"] {
            assert_eq!(members.get(secret), None, "{} {secret}", row.name);
        }
        assert_eq!((&members["alg"], &members["kid"]), (&json!(row.alg.name()), &json!(key.kid())));
        assert_eq!(Key::from_jwk(jwk.as_bytes(), None).unwrap().thumbprint(), key.thumbprint());
        for error in [public.to_private_jwk().err(), public.to_private_pem().err()] {
            assert_eq!(
                error.expect("there is no private part").kind(),
                ErrorKind::KeyUsage,
                "{}",
                row.name
            );
        }
        let pem = Key::from_pem(key.to_private_pem().unwrap().expose(), Some(row.alg)).unwrap();
        signs_and_verifies(
            &pem,
            &Key::from_pem(key.to_pem().unwrap().as_bytes(), Some(row.alg)).unwrap(),
        );
        refused(public.sign_with(b"m", |_| ()), ErrorKind::KeyUsage, "a public key cannot sign");
    }
}

#[test]
fn generated_keys_work_and_differ() {
    for &alg in Alg::ALL {
        let generated = Key::generate(alg).unwrap();
        assert_eq!(
            (generated.alg(), generated.is_private(), generated.has_explicit_kid()),
            (alg, true, false)
        );
        assert_eq!(generated.kid(), generated.thumbprint());
        assert_eq!(generated.is_symmetric(), alg.is_symmetric());
        assert!(generated.may_sign() && generated.may_verify());
        signs_and_verifies(&generated, &verifying(&generated));
        if !matches!(alg.name().as_bytes(), [b'R' | b'P', b'S', ..]) {
            assert_ne!(generated.thumbprint(), Key::generate(alg).unwrap().thumbprint());
        }
        let foreign = generated
            .sign_with(b"message", |signature| key(alg).verify_signature(b"message", signature))
            .unwrap();
        refused(foreign, ErrorKind::InvalidSignature, "another key");
    }
    let large = Key::generate_rsa(Alg::Ps384, 3072).unwrap();
    assert_eq!(large.signature_len(), 384);
    signs_and_verifies(&large, &large.public().unwrap());
    let named = KeyOptions::new().alg(Alg::Es256).kid("main").generate().unwrap();
    assert_eq!((named.kid(), named.has_explicit_kid()), ("main", true));
    refused(KeyOptions::new().generate(), ErrorKind::AlgorithmRequired, "which algorithm?");
}

#[test]
fn names() {
    let plain = key(Alg::Es256);
    for kid in ["x", "2026-11", "é😀", &"k".repeat(256), "https://a.example/k#1", " "] {
        let named = plain.with_kid(kid).unwrap();
        assert_eq!(
            (named.kid(), named.has_explicit_kid(), named.thumbprint()),
            (kid, true, plain.thumbprint())
        );
        let read = Key::from_jwk(named.to_jwk().unwrap().as_bytes(), None).unwrap();
        assert_eq!(read.kid(), kid);
        assert_eq!(named.public().unwrap().kid(), kid);
    }
    for kid in ["", &"k".repeat(257)] {
        refused(plain.with_kid(kid), ErrorKind::InvalidArgument, "1 to 256 bytes");
        let jwk = plain.to_jwk().unwrap();
        let mut jwk: Value = serde_json::from_str(&jwk).unwrap();
        jwk["kid"] = json!(kid);
        refused(
            Key::from_jwk(jwk.to_string().as_bytes(), None),
            ErrorKind::InvalidKey,
            "1 to 256 bytes",
        );
    }
    let overridden = KeyOptions::new()
        .kid("mine")
        .from_jwk(plain.with_kid("theirs").unwrap().to_jwk().unwrap().as_bytes());
    assert_eq!(overridden.unwrap().kid(), "mine");
    let uri = format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", plain.thumbprint());
    assert_eq!(plain.thumbprint_uri(), uri);
    for alg in [Alg::EdDsa, Alg::Ed25519] {
        let renamed = row(&alg.name().to_ascii_lowercase()).jwk.replace(alg.name(), "x");
        assert_ne!(renamed, row(&alg.name().to_ascii_lowercase()).jwk);
    }
    let (eddsa, ed25519) = (row("eddsa").jwk, row("eddsa").jwk.replace("EdDSA", "Ed25519"));
    let (a, b) = (
        Key::from_jwk(eddsa.as_bytes(), None).unwrap(),
        Key::from_jwk(ed25519.as_bytes(), None).unwrap(),
    );
    assert_eq!(
        a.thumbprint(),
        b.thumbprint(),
        "the thumbprint is of the material (RFC 8037 section 2)"
    );
}

#[test]
fn algorithms_have_names_and_numbers() {
    assert_eq!(Alg::ALL.len(), 18);
    for (i, &alg) in Alg::ALL.iter().enumerate() {
        assert_eq!(
            (Alg::from_name(alg.name()).unwrap(), alg.code(), Alg::from_code(alg.code())),
            (alg, i as i32 + 1, Some(alg))
        );
        assert_eq!(alg.to_string(), alg.name());
        for &b in Alg::ALL {
            let same = alg == b
                || matches!((alg, b), (Alg::EdDsa, Alg::Ed25519) | (Alg::Ed25519, Alg::EdDsa));
            assert_eq!(
                (alg.same_algorithm(b), alg.accepts_name(b.name().as_bytes())),
                (same, same),
                "{alg} {b}"
            );
        }
        for wrong in [
            alg.name().to_ascii_lowercase(),
            format!("{} ", alg.name()),
            format!(" {}", alg.name()),
        ] {
            refused(Alg::from_name(&wrong), ErrorKind::InvalidArgument, &wrong);
        }
    }
    for code in [0, -1, 19, i32::MAX, i32::MIN] {
        assert_eq!(Alg::from_code(code), None);
    }
}

#[test]
fn points_off_the_curve_and_degenerate_points() {
    for alg in [Alg::Es256, Alg::Es384, Alg::Es512, Alg::Es256k] {
        let half = key(alg).signature_len() / 2;
        let public: Value = serde_json::from_str(&key(alg).to_jwk().unwrap()).unwrap();
        let with = |x: Vec<u8>, y: Vec<u8>| {
            let mut jwk = public.clone();
            (jwk["x"], jwk["y"]) = (json!(b64(x)), json!(b64(y)));
            Key::from_jwk(jwk.to_string().as_bytes(), None)
        };
        let (x, y) = (
            crate::forge::unb64(public["x"].as_str().unwrap()),
            crate::forge::unb64(public["y"].as_str().unwrap()),
        );
        let mut off = y.clone();
        off[half - 1] ^= 1;
        for (x, y) in [
            (x.clone(), off),
            (y.clone(), x.clone()),
            (vec![0; half], vec![0; half]),
            (vec![0xff; half], y.clone()),
            (x, vec![0xff; half]),
        ] {
            refused(with(x, y), ErrorKind::InvalidKey, &format!("{alg}: not a point"));
        }
    }
    // Small-order and non-canonical Ed25519 points verify forgeries for some libraries.
    for hex in [
        "00".repeat(32),
        format!("01{}", "00".repeat(31)),
        format!("ec{}7f", "ff".repeat(30)),
        format!("ee{}7f", "ff".repeat(30)),
        "ff".repeat(32),
        format!("ed{}7f", "ff".repeat(30)),
    ] {
        let bytes: Vec<u8> =
            (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": b64(bytes)});
        kind_of(Key::from_jwk(jwk.to_string().as_bytes(), None), &hex);
    }
}

#[test]
fn sizes_are_bounded() {
    let long = vec![b'x'; 64 * 1024 + 1];
    refused(Key::from_pem(&long, None), ErrorKind::InvalidKey, "PEM");
    refused(Key::from_der(&long, None), ErrorKind::InvalidKey, "DER");
    refused(Key::from_secret(&long, Alg::Hs256), ErrorKind::InvalidKey, "secret");
    let padded = format!(r#"{{"pad":"{}",{}"#, "x".repeat(512 * 1024), &row("es256").jwk[1..]);
    refused(Key::from_jwk(padded.as_bytes(), None), ErrorKind::InvalidKey, "JWK");
    let ignored = format!(r#"{{"pad":"{}",{}"#, "x".repeat(500 * 1024), &row("es256").jwk[1..]);
    assert_eq!(
        Key::from_jwk(ignored.as_bytes(), None).unwrap().thumbprint(),
        key(Alg::Es256).thumbprint()
    );
    assert!(KeySet::from_jwks(padded.as_bytes()).is_err());
}

#[test]
fn copies_share_and_nothing_is_printed() {
    for alg in asymmetric() {
        let copy = key(alg).clone();
        assert_eq!((copy.kid(), copy.alg()), (key(alg).kid(), alg));
        assert!(format!("{copy:?}").contains(copy.kid()));
        assert_ne!(copy.thumbprint(), other(alg).thumbprint());
    }
    assert_eq!(key(Alg::Es256).key_use(), Some("sig"));
}
