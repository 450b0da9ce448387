//! Rows 1, 2 and 7-10: who chooses the algorithm. The key does, always.

use crate::fixtures::{
    asymmetric, claims, key, kind_of, policy, refused, row, verifier, verifying,
};
use crate::forge::{b64, header, hmac_token, sign, token, with_signature};
use gatekey::{Alg, ErrorKind, Key, KeySet, Verifier};

/// CVE-2015-2951, CVE-2018-1000531, CVE-2021-22160: `none` is not an algorithm.
#[test]
fn row_01_alg_none_in_every_spelling() {
    let unsupported = [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":"nOnE"}"#,
        r#"{"alg":"none "}"#,
        r#"{"alg":" none"}"#,
        r#"{"alg":"none\u0000"}"#,
        r#"{"alg":"\u006eone"}"#,
        r#"{"typ":"JWT","alg":"none"}"#,
    ];
    let malformed = [
        "{}",
        r#"{"typ":"JWT"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":["none"]}"#,
        r#"{"alg":0}"#,
        r#"{"alg":false}"#,
        r#"{"alg":{}}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"Alg":"none"}"#,
    ];
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let honest = crate::forge::signature(&token(key(alg), &claims()));
        for (headers, kind) in [
            (&unsupported[..], ErrorKind::UnsupportedAlgorithm),
            (&malformed, ErrorKind::MalformedToken),
        ] {
            for header in headers {
                for signature in [&b""[..], b"\0", b"junk", &honest] {
                    let token = with_signature(header, claims().to_string(), signature);
                    refused(verifier.verify(token), kind, &format!("{alg} {header}"));
                }
                // Even a signature that is right changes nothing.
                refused(
                    verifier.verify(sign(key(alg), header, claims().to_string())),
                    kind,
                    header,
                );
                // Nor does leaving out the signature's dot.
                let two_parts = format!("{}.{}", b64(header), b64(claims().to_string()));
                refused(verifier.verify(two_parts), ErrorKind::MalformedToken, header);
            }
        }
    }
    assert_eq!(Alg::from_name("none").unwrap_err().kind(), ErrorKind::InvalidArgument);
}

/// CVE-2026-23993: an unknown algorithm must not skip the signature.
#[test]
fn row_02_unknown_algorithm() {
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let lower = alg.name().to_ascii_lowercase();
        for name in [
            "XX999", "", "HS1", "hs256", "HS256 ", "HS-256", "RSA1_5", "A128KW", "ES521", "ESP256",
            "Ed448", "SHA256", "*", &lower,
        ] {
            let header = format!(r#"{{"alg":"{name}"}}"#);
            for token in [
                with_signature(&header, claims().to_string(), b""),
                sign(key(alg), &header, claims().to_string()),
            ] {
                refused(
                    verifier.verify(token),
                    ErrorKind::UnsupportedAlgorithm,
                    &format!("{alg}: {name:?}"),
                );
            }
        }
    }
}

/// CVE-2026-44699: a public key without `alg` used as an HMAC key, down to HMAC of nothing.
#[test]
fn row_07_every_key_type_with_every_algorithm() {
    for &of_key in Alg::ALL {
        let fixed = row(&of_key.name().to_ascii_lowercase());
        let bare = without(&public_jwk(fixed.jwk, of_key), "alg");
        for &wanted in Alg::ALL {
            let loaded = Key::from_jwk(bare.as_bytes(), Some(wanted));
            if fits(of_key, wanted) {
                assert_eq!(loaded.unwrap().alg(), wanted, "{of_key} as {wanted}");
            } else {
                let kind = kind_of(loaded, &format!("{of_key} as {wanted}"));
                assert!(
                    kind.is_misuse() || kind == ErrorKind::InvalidAlgorithm,
                    "{of_key} as {wanted}: {kind:?}"
                );
            }
        }
    }
    for alg in asymmetric() {
        for hmac in [Alg::Hs256, Alg::Hs384, Alg::Hs512] {
            let forged = hmac_token(hmac, b"", header(hmac), claims().to_string());
            refused(
                verifier(alg).verify(&forged),
                ErrorKind::InvalidAlgorithm,
                "HMAC under an empty key",
            );
            let disguised = hmac_token(hmac, b"", header(alg), claims().to_string());
            refused(
                verifier(alg).verify(&disguised),
                ErrorKind::InvalidSignature,
                "the same under the right name",
            );
        }
    }
    for hmac in [Alg::Hs256, Alg::Hs384, Alg::Hs512] {
        let forged = hmac_token(hmac, b"", header(hmac), claims().to_string());
        refused(
            verifier(hmac).verify(&forged),
            ErrorKind::InvalidSignature,
            "HMAC under an empty key",
        );
    }
}

/// CVE-2026-22817, CVE-2021-46743, CVE-2026-11800: without `alg` in the JWK the header must not decide.
#[test]
fn row_08_jwk_without_alg() {
    for name in ["rs256", "ps256"] {
        let bare = without(&public_jwk(row(name).jwk, Alg::Rs256), "alg");
        refused(Key::from_jwk(bare.as_bytes(), None), ErrorKind::AlgorithmRequired, name);
        let set = KeySet::from_jwks(format!(r#"{{"keys":[{bare}]}}"#).as_bytes()).unwrap();
        assert_eq!((set.len(), set.skipped().len()), (0, 1));
        refused(Verifier::new(&set, policy()), ErrorKind::InvalidConfiguration, "nothing usable");

        // The integrator, not the token, says what such members are for.
        let set =
            KeySet::from_jwks_with(format!(r#"{{"keys":[{bare}]}}"#).as_bytes(), Some(Alg::Rs256))
                .unwrap();
        let verifier = Verifier::new(&set, policy()).unwrap();
        for hmac in [Alg::Hs256, Alg::Hs384, Alg::Hs512] {
            let forged = hmac_token(hmac, bare.as_bytes(), header(hmac), claims().to_string());
            let kind = kind_of(verifier.verify(forged), "HMAC keyed with the JWK");
            assert!(
                matches!(kind, ErrorKind::InvalidAlgorithm | ErrorKind::KeyNotFound),
                "{kind:?}"
            );
        }
    }
    let bare = without(row("hs256").jwk, "alg");
    refused(Key::from_jwk(bare.as_bytes(), None), ErrorKind::AlgorithmRequired, "oct");
}

/// CVE-2026-48523: the allow-list also binds a key that brings its own algorithm.
#[test]
fn row_09_header_key_and_allow_list_must_agree() {
    for &of_key in Alg::ALL {
        let verifier = verifier(of_key);
        for &claimed in Alg::ALL {
            let token = sign(key(of_key), header(claimed), claims().to_string());
            if of_key.accepts_name(claimed.name().as_bytes()) {
                verifier.verify(token).unwrap();
            } else {
                refused(
                    verifier.verify(token),
                    ErrorKind::InvalidAlgorithm,
                    &format!("{of_key} as {claimed}"),
                );
            }
        }
        for &allowed in Alg::ALL {
            let built = Verifier::with_key(&verifying(key(of_key)), policy().algorithms([allowed]));
            if Alg::same_algorithm(of_key, allowed) {
                built.unwrap().verify(token(key(of_key), &claims())).unwrap();
            } else {
                refused(
                    built,
                    ErrorKind::InvalidConfiguration,
                    &format!("{of_key}, allowed {allowed}"),
                );
            }
        }
    }
}

/// GHSA-jc38-x7x8-2xc8: an unprotected header has no say, in any serialization.
#[test]
fn row_10_alg_in_an_unprotected_header() {
    for &alg in Alg::ALL {
        let good = token(key(alg), &claims());
        let parts: Vec<&str> = good.split('.').collect();
        let (protected, payload, signature) = (parts[0], parts[1], parts[2]);
        let name = alg.name();
        for json in [
            format!(
                r#"{{"payload":"{payload}","header":{{"alg":"{name}"}},"signature":"{signature}"}}"#
            ),
            format!(
                r#"{{"payload":"{payload}","protected":"e30","header":{{"alg":"{name}"}},"signature":"{signature}"}}"#
            ),
            format!(
                r#"{{"payload":"{payload}","protected":"{protected}","header":{{"alg":"none"}},"signature":"{signature}"}}"#
            ),
            format!(
                r#"{{"payload":"{payload}","signatures":[{{"protected":"{protected}","signature":"{signature}"}}]}}"#
            ),
        ] {
            refused(verifier(alg).verify(json), ErrorKind::MalformedToken, "a JSON serialization");
        }
        refused(
            verifier(alg).verify(sign(key(alg), "{}", claims().to_string())),
            ErrorKind::MalformedToken,
            "no alg in the protected header",
        );
    }
}

/// Whether key material of one algorithm can serve another.
fn fits(of_key: Alg, wanted: Alg) -> bool {
    let family = |alg: Alg| match alg {
        Alg::Hs256 | Alg::Hs384 | Alg::Hs512 => "oct",
        Alg::Rs256 | Alg::Rs384 | Alg::Rs512 | Alg::Ps256 | Alg::Ps384 | Alg::Ps512 => "RSA",
        Alg::EdDsa | Alg::Ed25519 => "OKP",
        // One curve or parameter set, one algorithm. AKP needs its `alg` member (RFC 9964 section 3).
        Alg::MlDsa44 | Alg::MlDsa65 | Alg::MlDsa87 => "never without alg",
        other => other.name(),
    };
    let long_enough = match (of_key, wanted) {
        (Alg::Hs256, other) => other == Alg::Hs256,
        (Alg::Hs384, other) => other != Alg::Hs512,
        _ => true,
    };
    let akp = |alg| matches!(alg, Alg::MlDsa44 | Alg::MlDsa65 | Alg::MlDsa87);
    family(of_key) == family(wanted) && long_enough && !akp(of_key)
}

fn public_jwk(private: &str, alg: Alg) -> String {
    let mut jwk: serde_json::Value = serde_json::from_str(private).unwrap();
    if !alg.is_symmetric() {
        for secret in ["d", "p", "q", "dp", "dq", "qi", "priv"] {
            jwk.as_object_mut().unwrap().remove(secret);
        }
    }
    jwk.to_string()
}

fn without(jwk: &str, member: &str) -> String {
    let mut jwk: serde_json::Value = serde_json::from_str(jwk).unwrap();
    jwk.as_object_mut().unwrap().remove(member);
    jwk.to_string()
}
