//! Rows 51 and 52: keys that are weak, or whose halves do not belong together.

use crate::fixtures::{asymmetric, key, kind_of, other, refused, row, weak_jwks};
use crate::forge::{b64, der};
use gatekey::jwk::KeyOptions;
use gatekey::{Alg, ErrorKind, Key, KeySet};
use serde_json::{Value, json};

/// CVE-2022-23539, CVE-2017-15361 and RSA-1024, e = 1, short secrets that most libraries load today.
#[test]
fn row_51_weak_keys_are_refused_at_load() {
    for (name, jwk) in weak_jwks() {
        let kind = kind_of(Key::from_jwk(jwk.as_bytes(), None), name);
        let expected: &[ErrorKind] = match name {
            "rsa-1024" | "roca" => &[ErrorKind::WeakKey],
            _ => &[ErrorKind::WeakKey, ErrorKind::InvalidKey],
        };
        assert!(expected.contains(&kind), "{name}: {kind:?}");
        let set = KeySet::from_jwks(
            format!(r#"{{"keys":[{jwk},{}]}}"#, key(Alg::Es256).to_jwk().unwrap()).as_bytes(),
        )
        .unwrap();
        assert_eq!((set.len(), set.skipped().len()), (1, 1), "{name} in a set");
        let escape = KeyOptions::new().danger_allow_weak();
        kind_of(escape.from_jwk(jwk.as_bytes()), name);
        if name == "rsa-1024" {
            let mut public: Value = serde_json::from_str(jwk).unwrap();
            public
                .as_object_mut()
                .unwrap()
                .retain(|member, _| matches!(member.as_str(), "kty" | "alg" | "n" | "e"));
            let public = public.to_string();
            refused(Key::from_jwk(public.as_bytes(), None), ErrorKind::WeakKey, "public, too");
            let legacy = escape
                .from_jwk(public.as_bytes())
                .expect("the one greppable escape, and only to verify");
            assert!(legacy.may_verify() && !legacy.is_private());
        }
    }
    for alg in [Alg::Hs256, Alg::Hs384, Alg::Hs512] {
        for bits in [1024, 512, 2047, 1, 0, 16384] {
            refused(Key::generate_rsa(alg, 2048), ErrorKind::InvalidArgument, "RSA for an HMAC");
            kind_of(Key::generate_rsa(Alg::Rs256, bits), &format!("RSA of {bits} bits"));
        }
    }
    let mut jwk: Value = serde_json::from_str(row("rs256").jwk).unwrap();
    jwk["n"] = json!(b64(vec![0xff; 8193 / 8 + 1]));
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        jwk.as_object_mut().unwrap().remove(member);
    }
    kind_of(Key::from_jwk(jwk.to_string().as_bytes(), None), "RSA of more than 8192 bits");
}

/// PyJWT 2.15, jose 6.2.5-10: a private part that does not belong to the public one.
#[test]
fn row_52_the_halves_of_a_pair_belong_together() {
    for alg in asymmetric() {
        let own: Value = serde_json::from_str(row(&alg.name().to_ascii_lowercase()).jwk).unwrap();
        let foreign: Value =
            serde_json::from_str(row(&format!("other-{}", alg.name().to_ascii_lowercase())).jwk)
                .unwrap();
        let private = if own["kty"] == "AKP" { "priv" } else { "d" };
        let mut swapped = own.clone();
        swapped[private] = foreign[private].clone();
        let kind = kind_of(
            Key::from_jwk(swapped.to_string().as_bytes(), None),
            &format!("{alg}: another's {private}"),
        );
        assert!(
            matches!(kind, ErrorKind::KeyPairMismatch | ErrorKind::InvalidKey),
            "{alg}: {kind:?}"
        );
        if own["kty"] != "RSA" {
            assert_eq!(kind, ErrorKind::KeyPairMismatch, "{alg}");
        }
        for member in ["n", "p", "q", "dp", "dq", "qi", "x", "y", "pub"] {
            if own.get(member).is_none() {
                continue;
            }
            let mut swapped = own.clone();
            swapped[member] = foreign[member].clone();
            let kind = kind_of(
                Key::from_jwk(swapped.to_string().as_bytes(), None),
                &format!("{alg}: another's {member}"),
            );
            assert!(
                matches!(kind, ErrorKind::KeyPairMismatch | ErrorKind::InvalidKey),
                "{alg} {member}: {kind:?}"
            );
            let mut missing = own.clone();
            missing.as_object_mut().unwrap().remove(member);
            refused(
                Key::from_jwk(missing.to_string().as_bytes(), None),
                ErrorKind::InvalidKey,
                member,
            );
        }
        for member in ["n", "e", "x", "y", "pub", private] {
            let Some(text) = own[member].as_str() else { continue };
            let long = crate::forge::unb64(text);
            for damaged in [
                json!(null),
                json!(7),
                json!(""),
                json!([text]),
                json!(format!("{text}=")),
                json!(format!(" {text}")),
                json!("*"),
                json!(b64(&long[1..])),
                // One zero octet is the sign that some put before the numbers of an RSA key.
                json!(b64([if own["kty"] == "RSA" { &[0, 0][..] } else { &[0] }, &long].concat())),
                json!(b64(&long[..long.len() - 1])),
            ] {
                let mut jwk = own.clone();
                jwk[member] = damaged.clone();
                let kind = kind_of(
                    Key::from_jwk(jwk.to_string().as_bytes(), None),
                    &format!("{alg} {member} {damaged}"),
                );
                assert!(kind.is_misuse(), "{alg} {member} {damaged}: {kind:?}");
            }
        }
    }
}

/// The same in DER, and DER that ends early or late.
#[test]
fn row_52_truncated_and_trailing_der() {
    for alg in asymmetric() {
        let Ok(pem) = key(alg).to_private_pem() else { panic!("{alg} exports its private key") };
        for bytes in [der(pem.expose_str()), der(&key(alg).to_pem().unwrap())] {
            assert_eq!(
                Key::from_der(&bytes, Some(alg)).unwrap().thumbprint(),
                key(alg).thumbprint()
            );
            for cut in (0..bytes.len()).step_by(bytes.len() / 64 + 1) {
                kind_of(Key::from_der(&bytes[..cut], Some(alg)), &format!("{alg} cut at {cut}"));
            }
            for tail in [&b"\0"[..], b"\x05\0", &bytes] {
                kind_of(
                    Key::from_der(&[&bytes, tail].concat(), Some(alg)),
                    &format!("{alg} with a tail"),
                );
            }
        }
        // Someone else's private key under this public one, where the format carries both.
        let mine = der(pem.expose_str());
        let theirs = der(other(alg).to_private_pem().unwrap().expose_str());
        if matches!(alg, Alg::Es256 | Alg::Es384 | Alg::Es512 | Alg::Es256k) {
            let half = key(alg).signature_len() / 2;
            let point = 2 * half + 1;
            assert_eq!(mine.len(), theirs.len());
            let mixed = [&mine[..mine.len() - point], &theirs[theirs.len() - point..]].concat();
            let kind = kind_of(Key::from_der(&mixed, Some(alg)), &format!("{alg} mixed"));
            assert_eq!(kind, ErrorKind::KeyPairMismatch, "{alg}");
        }
    }
}

/// `use`, `key_ops` and `alg` of a JWK bind (RFC 7517 sections 4.2 to 4.4).
#[test]
fn row_52_contradicting_permissions() {
    for &alg in Alg::ALL {
        let own: Value = serde_json::from_str(row(&alg.name().to_ascii_lowercase()).jwk).unwrap();
        let load = |member: &str, value: Value| {
            let mut jwk = own.clone();
            jwk[member] = value;
            Key::from_jwk(jwk.to_string().as_bytes(), None)
        };
        for wrong in [json!("enc"), json!("SIG"), json!(""), json!("verify")] {
            refused(load("use", wrong.clone()), ErrorKind::KeyUsage, &format!("{alg} use {wrong}"));
        }
        for wrong in [json!(7), json!(null), json!(["sig"])] {
            assert!(kind_of(load("use", wrong), "use of a wrong type").is_misuse());
        }
        for wrong in
            [json!(["encrypt"]), json!(["wrapKey", "unwrapKey"]), json!([]), json!(["deriveBits"])]
        {
            assert!(
                kind_of(load("key_ops", wrong.clone()), &format!("{alg} key_ops {wrong}"))
                    .is_misuse()
            );
        }
        for wrong in
            [json!("sign"), json!([1]), json!(null), json!({"sign": true}), json!(["sign", "sign"])]
        {
            assert!(
                kind_of(load("key_ops", wrong.clone()), &format!("{alg} key_ops {wrong}"))
                    .is_misuse()
            );
        }
        assert!(load("key_ops", json!(["sign", "verify"])).unwrap().may_verify());
        let signs = load("key_ops", json!(["sign"])).unwrap();
        assert!(signs.may_sign() && !signs.may_verify());
        refused(signs.verify_signature(b"m", b"s"), ErrorKind::KeyUsage, "key_ops without verify");
        let verifies = load("key_ops", json!(["verify"])).unwrap();
        assert!(!verifies.may_sign() && verifies.may_verify());
        refused(verifies.sign_with(b"m", |_| ()), ErrorKind::KeyUsage, "key_ops without sign");
        for wrong in ["RS256X", "none", "", "RSA-OAEP"] {
            refused(load("alg", json!(wrong)), ErrorKind::UnsupportedKey, wrong);
        }
        for &asked in Alg::ALL {
            if !alg.same_algorithm(asked) {
                let kind = kind_of(
                    Key::from_jwk(own.to_string().as_bytes(), Some(asked)),
                    &format!("{alg} as {asked}"),
                );
                assert!(
                    kind.is_misuse() || kind == ErrorKind::InvalidAlgorithm,
                    "{alg} as {asked}: {kind:?}"
                );
            }
        }
    }
}
