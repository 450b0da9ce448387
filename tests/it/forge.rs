//! Tokens that no honest signer makes: any header, any payload, any signature.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatekey::{Alg, Key};

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Encodes header and payload and signs them with `key`, whatever they say.
pub(crate) fn sign(key: &Key, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    sign_text(key, &format!("{}.{}", b64(header), b64(payload)))
}

/// Signs a signing input that may not even be base64url.
pub(crate) fn sign_text(key: &Key, signing_input: &str) -> String {
    let signature = key.sign_with(signing_input.as_bytes(), |bytes| b64(bytes)).unwrap();
    format!("{signing_input}.{signature}")
}

/// `{"alg":...}` of the key, and these claims.
pub(crate) fn token(key: &Key, claims: &serde_json::Value) -> String {
    sign(key, header(key.alg()), claims.to_string())
}

/// `{"alg":"..."}`
pub(crate) fn header(alg: Alg) -> String {
    format!(r#"{{"alg":"{}"}}"#, alg.name())
}

/// `{"alg":"...",` and then these members.
pub(crate) fn header_and(alg: Alg, members: &str) -> String {
    format!(r#"{{"alg":"{}",{members}}}"#, alg.name())
}

/// Header and payload under any signature bytes.
pub(crate) fn with_signature(
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
    signature: &[u8],
) -> String {
    format!("{}.{}.{}", b64(header), b64(payload), b64(signature))
}

/// The same token with another signature.
pub(crate) fn resign(token: &str, signature: &[u8]) -> String {
    let (input, _) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", b64(signature))
}

pub(crate) fn signature(token: &str) -> Vec<u8> {
    unb64(token.rsplit_once('.').unwrap().1)
}

/// An HMAC by the primitive itself, for secrets that gatekey would never load.
pub(crate) fn hmac_token(
    alg: Alg,
    secret: &[u8],
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
) -> String {
    let algorithm = match alg {
        Alg::Hs256 => hmac::HMAC_SHA256,
        Alg::Hs384 => hmac::HMAC_SHA384,
        Alg::Hs512 => hmac::HMAC_SHA512,
        _ => panic!("{alg} is not an HMAC"),
    };
    let input = format!("{}.{}", b64(header), b64(payload));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    format!("{input}.{}", b64(tag))
}

/// The DER inside a PEM text.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}
