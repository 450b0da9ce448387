//! Wycheproof's `json_web_key` set: 26 key sets, each with a token that must be verified or refused.
//!
//! The payloads are not claims, so "accepted" is decided in the steps a verifier takes before it reads claims: the set by
//! [`KeySet::from_jwks`], the key by [`KeySet::select`], the signature by [`Key::verify_signature`].
//! [`Verifier::verify`] must then agree.

use crate::fixtures::silent_policy;
use crate::vectors;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatekey::{Alg, ErrorKind, Key, KeySet, Verifier};
use serde_json::Value;

#[test]
fn all_26_sets() {
    let Some(file) = vectors::read("wycheproof/json_web_key_test.json") else { return };
    let mut cases = 0;
    for group in file["testGroups"].as_array().unwrap() {
        for (place, set) in [("public", group.get("public")), ("private", group.get("private"))] {
            let Some(set) = set else { continue };
            for case in group["tests"].as_array().unwrap() {
                let jws = case["jws"].as_str().unwrap();
                let marked = case["result"] == "valid";
                let told = format!("{} {} {place}", case["tcId"], case["comment"]);
                assert_eq!(accepts(&set.to_string(), jws), marked, "{told}");
                cases += u32::from(place == "private");
            }
        }
    }
    assert_eq!(cases, 26);
}

fn accepts(jwks: &str, jws: &str) -> bool {
    let set = KeySet::from_jwks(jwks.as_bytes());
    let accepted = set.as_ref().is_ok_and(|set| accepts_signature(set, jws));
    let anything =
        silent_policy().ignore_issuer().ignore_audience().ignore_type().allow_missing_exp();
    let Ok(verifier) = set.and_then(|set| Verifier::new(&set, anything)) else {
        assert!(!accepted);
        return false;
    };
    let error = verifier.verify(jws).unwrap_err();
    assert_eq!(accepted, error.kind() == ErrorKind::MalformedToken, "{error:?} {jws}");
    accepted
}

fn accepts_signature(set: &KeySet, jws: &str) -> bool {
    let parts: Vec<&str> = jws.split('.').collect();
    let [header, payload, signature] = parts[..] else { return false };
    let decoded = URL_SAFE_NO_PAD.decode(header).unwrap();
    let members: Value = serde_json::from_slice(&decoded).unwrap();
    let alg = Alg::from_name(members["alg"].as_str().unwrap()).unwrap();
    let key: Result<&Key, _> = set.select(members["kid"].as_str(), alg);
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    key.is_ok_and(|key| {
        key.verify_signature(format!("{header}.{payload}").as_bytes(), &signature).is_ok()
    })
}
