//! Wycheproof's `json_web_signature` set: 401 cases, of which 393 must be decided as the set says and
//! eight are wrong in the set, each listed with the reason.
//!
//! Most payloads are not claims, so "accepted" is decided in the steps a verifier takes before it
//! reads claims, each by the piece that a verifier uses: the key by [`Key::from_jwk`], the header by a
//! [`Verifier`] that is shown the case's own encoded header over honest claims, the payload's encoding
//! by the reference decoder (`properties.rs` shows that ours agrees), the signature by
//! [`Key::verify_signature`]. [`Verifier::verify`] on the case itself must then agree.

use crate::fixtures::{claims, key as fixed, policy, silent_policy};
use crate::forge::{b64, sign_text};
use crate::vectors;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatekey::jwk::KeyOptions;
use gatekey::{ErrorKind, Key, Verifier};
use serde_json::Value;

/// Cases whose verdict in the set is wrong, with what gatekey does and why.
const EXCEPTIONS: [(u64, bool, &str); 8] = [
    (346, false, "the key says PS256 and the header PS384: one key, one algorithm"),
    (347, false, "the key's alg is the typo ES521"),
    (350, false, "the key says PS256 and the header PS384: one key, one algorithm"),
    (351, false, "the key's alg is the typo ES521"),
    (367, true, "byte for byte the valid case 357: the padding it is about was lost in conversion"),
    (370, true, "byte for byte the valid case 357: the padding it is about was lost in conversion"),
    (372, false, "marked valid, but the header holds a `?`, which is not base64url"),
    (373, false, "marked valid, but the payload holds a `?`, which is not base64url"),
];

#[test]
fn all_401_cases() {
    let Some(set) = vectors::read("wycheproof/json_web_signature_test.json") else { return };
    let (mut cases, mut as_marked, mut excepted, mut zero_key) = (0, 0, 0, 0);
    for group in set["testGroups"].as_array().unwrap() {
        let jwk = group.get("public").unwrap_or_else(|| &group["private"]).to_string();
        let (key, weak) = load(&jwk);
        for case in group["tests"].as_array().unwrap() {
            cases += 1;
            zero_key += u32::from(weak);
            let id = case["tcId"].as_u64().unwrap();
            let text = case["jws"].as_str().map_or_else(|| case["jws"].to_string(), str::to_owned);
            let accepted = key.as_ref().is_some_and(|key| accepts(key, &text));
            let marked = case["result"] == "valid";
            match EXCEPTIONS.iter().find(|exception| exception.0 == id) {
                Some((_, ours, reason)) => {
                    assert_ne!(*ours, marked, "{id} is no exception any more");
                    assert_eq!(accepted, *ours, "{id}: {reason}");
                    excepted += 1;
                }
                None => {
                    assert_eq!(accepted, marked, "{id} {}: {text}", case["comment"]);
                    as_marked += 1;
                }
            }
        }
    }
    assert_eq!((cases, as_marked, excepted), (401, 393, 8));
    assert_eq!(
        zero_key, 21,
        "only the base64 group has the all-zero secret, which needs the escape"
    );
}

/// The two exceptions that are duplicates really are.
#[test]
fn the_duplicates_are_duplicates() {
    let Some(set) = vectors::read("wycheproof/json_web_signature_test.json") else { return };
    let find = |id: u64| -> Value {
        let groups = set["testGroups"].as_array().unwrap();
        let mut cases = groups.iter().flat_map(|group| group["tests"].as_array().unwrap());
        cases.find(|case| case["tcId"] == id).unwrap()["jws"].clone()
    };
    for id in [367, 370] {
        assert_eq!(find(id), find(357), "{id}");
    }
    for id in [372, 373] {
        assert!(find(id).as_str().unwrap().contains('?'), "{id}");
    }
}

/// The key as an integrator would load it; the all-zero secret needs the escape for weak keys.
fn load(jwk: &str) -> (Option<Key>, bool) {
    match Key::from_jwk(jwk.as_bytes(), None) {
        Ok(key) => (Some(key), false),
        Err(error) if error.kind() == ErrorKind::WeakKey => {
            (Some(KeyOptions::new().danger_allow_weak().from_jwk(jwk.as_bytes()).unwrap()), true)
        }
        Err(error) => {
            let kind = error.kind();
            let refusals =
                [ErrorKind::KeyUsage, ErrorKind::UnsupportedKey, ErrorKind::AlgorithmRequired];
            assert!(refusals.contains(&kind), "{error:?} {jwk}");
            (None, false)
        }
    }
}

fn accepts(key: &Key, jws: &str) -> bool {
    let accepted = accepts_signature(key, jws);
    let anything =
        silent_policy().ignore_issuer().ignore_audience().ignore_type().allow_missing_exp();
    let verdict = Verifier::with_key(key, anything).unwrap().verify(jws);
    match verdict {
        Ok(_) => assert!(accepted, "verify accepts what its parts refuse: {jws}"),
        Err(error) => {
            let about_claims = error.kind() == ErrorKind::MalformedToken;
            assert!(
                !accepted || about_claims,
                "verify refuses for another reason than the payload: {error:?} {jws}"
            );
        }
    }
    accepted
}

fn accepts_signature(key: &Key, jws: &str) -> bool {
    let parts: Vec<&str> = jws.split('.').collect();
    let [header, payload, signature] = parts[..] else { return false };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let input = format!("{header}.{payload}");
    header_passes(key, header)
        && URL_SAFE_NO_PAD.decode(payload).is_ok()
        && key.verify_signature(input.as_bytes(), &signature).is_ok()
}

/// Whether a verifier for a key of this algorithm and `kid` accepts honest claims under this header.
fn header_passes(key: &Key, header: &str) -> bool {
    let probe = fixed(key.alg());
    let probe =
        if key.has_explicit_kid() { probe.with_kid(key.kid()).unwrap() } else { probe.clone() };
    let token = sign_text(&probe, &format!("{header}.{}", b64(claims().to_string())));
    Verifier::with_key(&probe, policy().ignore_type()).unwrap().verify(token).is_ok()
}
