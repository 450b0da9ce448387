//! Properties over random input: our strict parsers against reference crates, seen through the public
//! API, and what must hold of every token.

use crate::fixtures::{NOW, claims, key, policy, silent_policy, verifier, verifying};
use crate::forge::{b64, header, sign, sign_text, token};
use crate::rounds::rounds;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatekey::jwt::danger_decode_unverified;
use gatekey::{Alg, Claims, ErrorKind, Key, Signer, Verifier, json};
use proptest::prelude::*;
use serde_json::Value;

/// Random JSON without duplicate members (serde_json's maps have none).
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(".{0,8}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Random claims under names that are nobody's.
fn any_claims() -> impl Strategy<Value = Value> {
    let name = ".{0,10}".prop_filter("registered", |name| {
        !["iss", "sub", "aud", "exp", "nbf", "iat", "jti"].contains(&name.as_str())
    });
    prop::collection::hash_map(name, any_json(), 0..6)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// Algorithms that sign fast enough for thousands of cases.
fn fast_alg() -> impl Strategy<Value = Alg> {
    prop::sample::select(vec![
        Alg::Hs256,
        Alg::Hs384,
        Alg::Hs512,
        Alg::EdDsa,
        Alg::Ed25519,
        Alg::Es256,
    ])
}

/// Every algorithm; RSA signatures are slow, so for fewer cases.
fn any_alg() -> impl Strategy<Value = Alg> {
    prop::sample::select(Alg::ALL.to_vec())
}

/// Whether serde_json's value and our reading are the same; its own reading of a double may be one
/// unit in the last place off.
fn same(ours: json::Value<'_>, theirs: &Value) -> bool {
    match theirs {
        Value::Null => ours.kind() == json::Kind::Null,
        Value::Bool(b) => ours.as_bool() == Some(*b),
        Value::Number(n) if n.is_f64() => {
            let (ours, theirs) =
                (ours.as_f64().unwrap_or(f64::NAN), n.as_f64().unwrap_or(f64::NAN));
            ours == theirs
                || (ours - theirs).abs() <= theirs.abs() * 1e-15
                || ours.abs() < f64::MIN_POSITIVE
        }
        Value::Number(n) => ours.as_i64() == n.as_i64() && ours.as_u64() == n.as_u64(),
        Value::String(s) => ours.as_str().as_deref() == Some(s),
        Value::Array(items) => {
            ours.elements().count() == items.len()
                && ours.elements().zip(items).all(|(a, b)| same(a, b))
        }
        Value::Object(map) => {
            ours.members().count() == map.len()
                && map.iter().all(|(k, v)| ours.member(k).is_some_and(|mine| same(mine, v)))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(128), failure_persistence: None, ..ProptestConfig::default() })]

    /// Base64url, through the third part of a token: decoded exactly where the reference decodes.
    #[test]
    fn base64url_agrees_with_the_reference(text in "[A-Za-z0-9_=+/ .-]{0,40}|\\PC{0,12}") {
        let ours = danger_decode_unverified(format!("e30.e30.{text}"));
        prop_assert_eq!(ours.is_ok(), URL_SAFE_NO_PAD.decode(&text).is_ok(), "{}", text);
    }

    #[test]
    fn base64url_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = b64(&bytes);
        let plain = format!("e30.e30.{text}");
        prop_assert!(danger_decode_unverified(plain).is_ok());
        let padded = format!("e30.e30.{text}=");
        prop_assert!(danger_decode_unverified(padded).is_err());
    }

    /// JSON: whatever serde_json writes is read as the same value, pretty or not.
    #[test]
    fn json_reads_what_the_reference_writes(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let ours = json::parse(text.as_bytes()).unwrap();
        prop_assert!(same(ours, &value), "{}", text);
    }

    /// JSON: whatever we accept, serde_json accepts and reads the same way.
    #[test]
    fn json_accepts_nothing_more(bytes in prop::collection::vec(any::<u8>(), 0..48), text in r#"[\[\]{}",:0-9.eE+\-truefalsn\\ud8c0 ]{0,24}"#) {
        for text in [&bytes[..], text.as_bytes()] {
            if let Ok(ours) = json::parse(text) {
                let theirs: Result<Value, _> = serde_json::from_slice(text);
                prop_assert!(theirs.is_ok_and(|theirs| same(ours, &theirs)));
            }
        }
    }

    /// One byte changed in a JSON text: still the same verdict as serde_json, but for what is stricter here.
    #[test]
    fn json_after_damage(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        let ours = json::parse(&text).is_ok();
        let theirs = serde_json::from_slice::<Value>(&text);
        prop_assert!(!ours || theirs.is_ok());
        if let (false, Ok(value)) = (ours, theirs) {
            // A duplicate is all that random damage can make of it: depth, BOM and surrogates cannot occur.
            prop_assert!(value.is_object() || value.is_array(), "{:?}", String::from_utf8_lossy(&text));
        }
    }

    /// Headers: any object with our `alg` and no member that means something passes; else it does not.
    #[test]
    fn header_parser(members in any_claims(), alg in fast_alg(), pretty in any::<bool>()) {
        let mut header = members;
        for name in ["alg", "typ", "crit", "kid", "b64"] {
            header.as_object_mut().unwrap().remove(name);
        }
        let verify = |header: &Value| {
            let text = if pretty { serde_json::to_string_pretty(header) } else { serde_json::to_string(header) }.unwrap();
            let token = sign(key(alg), &text, claims().to_string());
            verifier(alg).verify(token).map(|verified| (verified.header_json(), text))
        };
        prop_assert_eq!(verify(&header).unwrap_err().kind(), ErrorKind::MalformedToken);
        header["alg"] = alg.name().into();
        let (read, written) = verify(&header).unwrap();
        prop_assert_eq!(read, written);
        for typ in ["JWT", "application/jwt"] {
            header["typ"] = typ.into();
            prop_assert!(verify(&header).is_ok());
        }
        header["crit"] = serde_json::json!(["alg"]);
        prop_assert!(verify(&header).is_err());
    }

    /// Bytes that are not a token never panic and are never accepted.
    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), dots in 0..4usize) {
        let mut bytes = bytes;
        for i in 0..dots.min(bytes.len()) {
            let at = i * bytes.len() / dots;
            bytes[at] = b'.';
        }
        for alg in [Alg::Hs256, Alg::Es256] {
            let verdict = verifier(alg).verify(&bytes);
            prop_assert!(verdict.is_err_and(|error| error.is_rejected()));
        }
        let _ = danger_decode_unverified(&bytes);
        let _ = Key::from_der(&bytes, Some(Alg::Rs256)).map(|_| panic!("random DER is no key"));
        let _ = Key::from_pem(&bytes, None);
        let _ = Key::from_jwk(&bytes, None);
        let _ = gatekey::KeySet::from_jwks(&bytes);
    }

    /// Bytes under a good signature: accepted exactly when they are an acceptable claims object.
    #[test]
    fn arbitrary_signed_payloads(bytes in prop::collection::vec(any::<u8>(), 0..64), value in any_json()) {
        let verifier = Verifier::with_key(key(Alg::Hs256), silent_policy().allow_missing_exp().ignore_audience().ignore_issuer()).unwrap();
        for payload in [bytes, serde_json::to_vec(&value).unwrap()] {
            let is_object = json::parse(&payload).is_ok_and(|value| value.kind() == json::Kind::Object);
            let verdict = verifier.verify(sign(key(Alg::Hs256), header(Alg::Hs256), &payload));
            prop_assert!(verdict.is_ok() == is_object || verdict.is_err_and(|error| error.kind() == ErrorKind::InvalidClaim));
        }
    }

    /// Sign, verify: the same claims, exactly, for every number, string and nesting.
    #[test]
    fn round_trip(claims in any_claims(), alg in fast_alg(), ttl in 1u64..100_000) {
        let clock = crate::fixtures::fixed_clock();
        let signer = Signer::builder(key(alg)).ttl(ttl).clock(clock.clone()).issuer("i").audience("a").build().unwrap();
        let token = signer.sign_json(claims.to_string()).unwrap();
        prop_assert_eq!(token.split('.').count(), 3);
        let policy = silent_policy().expect_issuer("i").expect_audience("a");
        let verified = Verifier::with_key(&verifying(key(alg)), policy).unwrap().verify(&token).unwrap();
        let read: Value = serde_json::from_str(verified.claims_json()).unwrap();
        for (name, value) in claims.as_object().unwrap() {
            prop_assert_eq!(verified.claim(name).unwrap().raw(), value.to_string());
            prop_assert!(same(verified.claim(name).unwrap(), value));
        }
        prop_assert_eq!(read.as_object().unwrap().len(), claims.as_object().unwrap().len() + 5);
        prop_assert_eq!(verified.expires_at(), Some((NOW + ttl) as i64));
        let by_members = claims.as_object().unwrap().iter().fold(Claims::new(), |all, (name, value)| {
            all.claim_json(name, &value.to_string()).unwrap()
        });
        prop_assert!(same(json::parse(by_members.to_json().as_bytes()).unwrap(), &claims));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(64), failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bit of any token of any algorithm flipped: refused, for bytes that differ are another token.
    #[test]
    fn one_flipped_bit_is_refused(alg in any_alg(), at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let good = fixed_token(alg);
        let mut bytes = good.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(bytes != good.as_bytes());
        let verifier = verifier(alg);
        prop_assert!(verifier.verify(good).is_ok());
        let verdict = verifier.verify(&bytes);
        prop_assert!(verdict.is_err(), "{} byte {} bit {}", alg, at, bit);
    }

    /// Bytes inserted, removed or swapped anywhere: refused.
    #[test]
    fn edits_are_refused(alg in fast_alg(), at in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), byte in any::<u8>(), edit in 0..3) {
        let good = fixed_token(alg);
        let mut bytes = good.as_bytes().to_vec();
        let (at, from) = (at.index(bytes.len()), from.index(bytes.len()));
        match edit {
            0 => bytes.insert(at, byte),
            1 => { bytes.remove(at); }
            _ => bytes.swap(at, from),
        }
        prop_assert!(bytes == good.as_bytes() || verifier(alg).verify(&bytes).is_err());
    }
}

/// Every single bit of a short token, not only random ones.
#[test]
fn every_bit_of_one_token() {
    for alg in [Alg::Hs256, Alg::EdDsa] {
        let (good, verifier) = (fixed_token(alg), verifier(alg));
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                assert!(verifier.verify(&bytes).is_err(), "{alg} byte {at} bit {bit}");
            }
        }
    }
}

/// The last character of a signature carries unused bits; each of its 64 values but one is refused.
#[test]
fn unused_bits_of_the_last_character() {
    for &alg in Alg::ALL {
        let good = fixed_token(alg);
        let (body, last) = good.split_at(good.len() - 1);
        let accepted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            .chars()
            .filter(|c| verifier(alg).verify(format!("{body}{c}")).is_ok())
            .collect::<String>();
        assert_eq!(accepted, last, "{alg}");
    }
    let (payload, twin) = (b64("{}"), "e31");
    assert_ne!(payload, twin);
    let open = Verifier::with_key(key(Alg::Hs256), policy().allow_missing_exp()).unwrap();
    assert!(
        open.verify(sign_text(key(Alg::Hs256), &format!("{}.{twin}", b64(header(Alg::Hs256)))))
            .is_err()
    );
}

/// One good token per algorithm, made once.
fn fixed_token(alg: Alg) -> &'static str {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    static TOKENS: LazyLock<HashMap<Alg, String>> =
        LazyLock::new(|| Alg::ALL.iter().map(|&alg| (alg, token(key(alg), &claims()))).collect());
    &TOKENS[&alg]
}
