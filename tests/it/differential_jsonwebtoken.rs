//! The same tokens and keys through `jsonwebtoken` 11: what we accept it must accept; what it accepts
//! and we refuse must be on the list below, with the reason.

use crate::fixtures::{NOW, key, other, refused};
use crate::forge::{header, header_and, hmac_token, resign, sign, signature, token};
use crate::rounds::rounds;
use gatekey::{Alg, ErrorKind, Key, Policy, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The algorithms that both know.
pub(crate) fn shared() -> impl Iterator<Item = (Alg, Algorithm)> {
    Alg::ALL.iter().filter_map(|&alg| Some((alg, Algorithm::try_from(alg).ok()?)))
}

/// jsonwebtoken at its strictest that still means the same as [`ours`]; it has no clock of its own, so
/// the tests that compare verdicts give dates far away from now.
pub(crate) fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.validate_aud = true;
    validation.set_audience(&["me"]);
    validation.set_issuer(&["us"]);
    validation.sub = Some("ada".to_owned());
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

/// The same without `set_required_spec_claims`, as its documentation shows it and people write it.
fn usual(algorithm: Algorithm) -> Validation {
    let mut validation = validation(algorithm);
    validation.set_required_spec_claims(&["exp"]);
    validation
}

fn ours(key: &Key) -> Verifier {
    let policy =
        Policy::new().expect_issuer("us").expect_audience("me").expect_subject("ada").ignore_type();
    Verifier::with_key(key, policy).unwrap()
}

fn theirs_accepts(key: &Key, validation: &Validation, token: &str) -> bool {
    jsonwebtoken::decode::<Value>(token, &DecodingKey::try_from(key).unwrap(), validation).is_ok()
}

fn good() -> Value {
    json!({"iss": "us", "aud": "me", "sub": "ada", "exp": 32_503_680_000_u64, "iat": NOW - 1_000_000_000})
}

#[test]
fn tokens_go_both_ways() {
    for (alg, algorithm) in shared() {
        let theirs = jsonwebtoken::encode(
            &Header::new(algorithm),
            &good(),
            &EncodingKey::try_from(key(alg)).unwrap(),
        )
        .unwrap();
        let verified = ours(&crate::fixtures::verifying(key(alg))).verify(&theirs).unwrap();
        assert_eq!(serde_json::from_str::<Value>(verified.claims_json()).unwrap(), good());
        let signer = Signer::builder(key(alg)).issuer("us").audience("me").build().unwrap();
        let own =
            signer.sign_json(r#"{"sub":"ada","n":18446744073709551615,"u":"\u00e9"}"#).unwrap();
        let key = DecodingKey::try_from(key(alg)).unwrap();
        let read = jsonwebtoken::decode::<Value>(&own, &key, &validation(algorithm)).unwrap();
        assert_eq!((&read.claims["n"], &read.claims["u"]), (&json!(u64::MAX), &json!("é")));
        assert_eq!(read.header.kid.as_deref(), Some(signer.key().kid()));
    }
}

/// Everything jsonwebtoken accepts that gatekey refuses. Those marked `usual` it accepts only where the
/// claims it is told to expect are not also listed as required.
#[test]
fn the_list_of_differences() {
    let (alg, algorithm) = (Alg::Hs256, Algorithm::HS256);
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let claims_of = |claims: Value| token(key(alg), &claims);
    let raw = |text: &str| sign(key(alg), header(alg), text);
    let typed = |members: &str| sign(key(alg), header_and(alg, members), good().to_string());
    let body = good().to_string();
    let list: Vec<(&str, String, ErrorKind)> = vec![
        (
            "crit is stored and never read",
            typed(r#""crit":["x"],"x":1"#),
            ErrorKind::UnsupportedCritical,
        ),
        ("crit may be empty", typed(r#""crit":[]"#), ErrorKind::MalformedToken),
        (
            "b64:false is not understood",
            typed(r#""crit":["b64"],"b64":false"#),
            ErrorKind::UnsupportedCritical,
        ),
        (
            "usual: an audience of the wrong type is no audience",
            claims_of(with("aud", json!(42))),
            ErrorKind::InvalidClaim,
        ),
        (
            "usual: an audience list may hold anything",
            claims_of(with("aud", json!(["other", 7]))),
            ErrorKind::InvalidClaim,
        ),
        (
            "usual: an audience may be an object",
            claims_of(with("aud", json!({"me": 1}))),
            ErrorKind::InvalidClaim,
        ),
        (
            "usual: an issuer of the wrong type is no issuer",
            claims_of(with("iss", json!(42))),
            ErrorKind::InvalidClaim,
        ),
        (
            "an issuer may be a list",
            claims_of(with("iss", json!(["evil", "us"]))),
            ErrorKind::InvalidClaim,
        ),
        (
            "usual: a subject of the wrong type is no subject",
            claims_of(with("sub", json!(42))),
            ErrorKind::InvalidClaim,
        ),
        (
            "usual: an expected audience may be missing",
            claims_of(without("aud")),
            ErrorKind::MissingClaim,
        ),
        (
            "usual: an expected issuer may be missing",
            claims_of(without("iss")),
            ErrorKind::MissingClaim,
        ),
        (
            "usual: an expected subject may be missing",
            claims_of(without("sub")),
            ErrorKind::MissingClaim,
        ),
        (
            "claims may be a list",
            raw(r#"[32503680000,0,"ada","us","me"]"#),
            ErrorKind::MalformedToken,
        ),
        ("jti may be anything", claims_of(with("jti", json!(42))), ErrorKind::InvalidClaim),
        (
            "iat may be in the future",
            claims_of(with("iat", json!(32_000_000_000_u64))),
            ErrorKind::IssuedInFuture,
        ),
        (
            "iat may be anything",
            claims_of(with("iat", json!("yesterday"))),
            ErrorKind::InvalidClaim,
        ),
        (
            "an unknown claim may come twice",
            raw(&body.replacen('{', r#"{"role":"user","role":"admin","#, 1)),
            ErrorKind::MalformedToken,
        ),
        ("an unknown header may come twice", typed(r#""x":1,"x":2"#), ErrorKind::MalformedToken),
        ("dates beyond 2^53", claims_of(with("exp", json!(u64::MAX))), ErrorKind::InvalidClaim),
        (
            "no limit of size",
            claims_of(with("pad", json!("x".repeat(20_000)))),
            ErrorKind::TokenTooLarge,
        ),
        ("nesting up to 128", claims_of(with("deep", deep(40))), ErrorKind::MalformedToken),
    ];
    let verifier = ours(key(alg));
    for (reason, token, kind) in list {
        let strictest = theirs_accepts(key(alg), &validation(algorithm), &token);
        let usual = theirs_accepts(key(alg), &usual(algorithm), &token);
        assert_eq!(
            (strictest, usual),
            (!reason.starts_with("usual: "), true),
            "the difference has changed: {reason}"
        );
        refused(verifier.verify(&token), kind, reason);
    }
    // Secrets and keys that it loads and gatekey does not.
    let empty = hmac_token(alg, b"", header(alg), good().to_string());
    assert!(
        jsonwebtoken::decode::<Value>(
            &empty,
            &DecodingKey::from_secret(b""),
            &validation(algorithm)
        )
        .is_ok()
    );
    refused(Key::from_secret(b"", alg), ErrorKind::WeakKey, "it verifies with an empty secret");
    // An `exp` of this very second is still good there; there is no clock to show it with.
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

/// Whatever we accept it accepts: over the tokens that the attack tests damage.
#[test]
fn what_we_accept_it_accepts() {
    let mut compared = 0;
    for (alg, algorithm) in shared() {
        let key = key(alg);
        let verifier = ours(&crate::fixtures::verifying(key));
        let good_token = token(key, &good());
        let mut tokens = vec![
            good_token.clone(),
            sign(other(alg), header(alg), good().to_string()),
            resign(&good_token, b""),
        ];
        for name in ["none", "HS256", "RS256", "ES256", "EdDSA", "PS512"] {
            tokens.push(sign(key, format!(r#"{{"alg":"{name}"}}"#), good().to_string()));
        }
        for (name, value) in [
            ("exp", json!(1)),
            ("nbf", json!(32_000_000_000_u64)),
            ("nbf", json!(1)),
            ("aud", json!("x")),
            ("aud", json!(["x", "me"])),
            ("iss", json!("x")),
            ("sub", json!("eve")),
            ("exp", json!(32_503_680_000.5)),
            ("jti", json!("7")),
        ] {
            let mut claims = good();
            claims[name] = value;
            tokens.push(token(key, &claims));
        }
        let bytes = signature(&good_token);
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            tokens.push(resign(&good_token, &flipped));
        }
        for text in tokens {
            let accepted = verifier.verify(&text).is_ok();
            let theirs = theirs_accepts(key, &validation(algorithm), &text);
            assert_eq!(accepted, theirs, "{alg} {}", text.get(..60).unwrap_or(&text));
            compared += 1;
        }
    }
    assert_eq!(compared, 12 * 21);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(64), failure_persistence: None, ..ProptestConfig::default() })]

    /// Random claims, each library's tokens read by the other, and one bit flipped in each.
    #[test]
    fn random_claims_both_ways(
        pick in any::<prop::sample::Index>(), extra in prop::collection::hash_map("[a-z]{4,8}", any::<i64>(), 0..5),
        text in ".{0,20}", at in any::<prop::sample::Index>(), bit in 0..8u32,
    ) {
        let all: Vec<_> = shared().collect();
        let (alg, algorithm) = all[pick.index(all.len())];
        let mut claims = good();
        claims["text"] = text.into();
        for (name, value) in extra {
            claims[name] = value.into();
        }
        let verifier = ours(&crate::fixtures::verifying(key(alg)));
        let theirs = jsonwebtoken::encode(&Header::new(algorithm), &claims, &EncodingKey::try_from(key(alg)).unwrap()).unwrap();
        let read: Value = serde_json::from_str(verifier.verify(&theirs).unwrap().claims_json()).unwrap();
        prop_assert_eq!(&read, &claims);
        let own = Signer::builder(key(alg)).kid(false).build().unwrap().sign_json(claims.to_string()).unwrap();
        prop_assert!(theirs_accepts(key(alg), &validation(algorithm), &own));
        let mut damaged = own.into_bytes();
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        prop_assert!(verifier.verify(&damaged).is_err());
    }
}
