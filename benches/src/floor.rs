//! The floor: the least honest work that verifying or signing a JWT takes.
//!
//! Verify: split, three SIMD base64url decodes onto the stack, one AWS-LC primitive with a key parsed
//! once (HS256: the two SHA-256 states of the key saved), one JSON pass that allocates nothing, the
//! clock, three compares. It hands nothing out, knows the header by one compare, decodes no escapes
//! and does not look for duplicate members: a limit, not a product.
//! Sign: serde_json writes a struct, base64, the primitive.

use crate::fixtures::{AUDIENCE, Claims, Fixtures, ISSUER, header};
use crate::primitive::{Signing, Verifying};
use crate::scan::Scan;
use crate::serve::{self, Case};
use aws_lc_sys::{SHA256_CTX, SHA256_Final, SHA256_Init, SHA256_Update};
use base64_simd::{AsOut, URL_SAFE_NO_PAD as B64};
use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn cases(fixtures: &Fixtures, cases: &mut Vec<Case>) {
    let header = header(fixtures.alg);
    if fixtures.alg == "HS256" {
        let key = SavedHmac::new(&fixtures.public);
        serve::verify("floor", fixtures, cases, move |token| {
            verify(token, header.as_bytes(), |message, tag| key.verify(message, tag))
        });
    } else {
        let key = Verifying::new(fixtures.alg, &fixtures.public);
        serve::verify("floor", fixtures, cases, move |token| {
            verify(token, header.as_bytes(), |message, signature| key.verify(message, signature))
        });
    }

    let key = Signing::new(fixtures.alg, &fixtures.private);
    let claims = Claims::sample(0);
    let prefix = format!("{}.", B64.encode_to_string(crate::fixtures::header(fixtures.alg)));
    serve::sign("floor", fixtures, cases, move || sign(&key, &prefix, &claims));
}

/// Whether the token is one this benchmark would accept; the check of every signer's output.
pub(crate) fn accepts(fixtures: &Fixtures, token: &str) -> bool {
    let key = Verifying::new(fixtures.alg, &fixtures.public);
    let Some(header) = token.split('.').next().and_then(|part| B64.decode_to_vec(part).ok()) else {
        return false;
    };
    let json: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
    json["alg"] == fixtures.alg
        && verify(token, &header, |message, signature| key.verify(message, signature))
}

fn verify(token: &str, header: &[u8], primitive: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    let token = token.as_bytes();
    if token.len() > 2048 {
        return false;
    }
    let Some(first) = token.iter().position(|&byte| byte == b'.') else { return false };
    let Some(last) = token.iter().rposition(|&byte| byte == b'.') else { return false };
    if first == last {
        return false;
    }
    let mut head = [MaybeUninit::uninit(); 64];
    let mut body = [MaybeUninit::uninit(); 1536];
    let mut tail = [MaybeUninit::uninit(); 512];
    let parts = (&token[..first], &token[first + 1..last], &token[last + 1..]);
    if parts.0.len() > 80 || parts.2.len() > 512 {
        return false;
    }
    let Ok(decoded) = B64.decode(parts.0, head[..].as_out()) else { return false };
    if decoded != header {
        return false;
    }
    let Ok(signature) = B64.decode(parts.2, tail[..].as_out()) else { return false };
    if !primitive(&token[..last], signature) {
        return false;
    }
    let Ok(payload) = B64.decode(parts.1, body[..].as_out()) else { return false };
    let Ok(payload) = simdutf8::basic::from_utf8(payload) else { return false };
    let Some(claims) = Scan::claims(payload) else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |d| d.as_secs());
    claims.exp > now && claims.aud == AUDIENCE && claims.iss == ISSUER
}

fn sign(key: &Signing, prefix: &str, claims: &Claims) -> String {
    let mut json = Vec::with_capacity(512);
    serde_json::to_writer(&mut json, claims).expect("claims are JSON");
    let mut token = String::with_capacity(1024);
    token.push_str(prefix);
    B64.encode_append(&json, &mut token);
    let mut signature = [0; 512];
    let len = key.sign_into(token.as_bytes(), &mut signature);
    token.push('.');
    B64.encode_append(&signature[..len], &mut token);
    token
}

/// HMAC-SHA256 (RFC 2104) with the states after the padded keys saved.
struct SavedHmac {
    inner: SHA256_CTX,
    outer: SHA256_CTX,
}

impl SavedHmac {
    fn new(secret: &[u8]) -> Self {
        assert!(secret.len() <= 64);
        let state = |pad: u8| {
            let mut block = [pad; 64];
            block.iter_mut().zip(secret).for_each(|(byte, key)| *byte ^= key);
            let mut context = SHA256_CTX::default();
            // SAFETY: `context` is a plain struct of its own, `block` is 64 readable bytes.
            unsafe {
                SHA256_Init(&mut context);
                SHA256_Update(&mut context, block.as_ptr().cast(), block.len());
            }
            context
        };
        Self { inner: state(0x36), outer: state(0x5c) }
    }

    fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        let (mut inner, mut outer) = (self.inner, self.outer);
        let mut digest = [0; 32];
        // SAFETY: the contexts are initialised copies, the slice is readable, `digest` takes 32 bytes.
        unsafe {
            SHA256_Update(&mut inner, message.as_ptr().cast(), message.len());
            SHA256_Final(digest.as_mut_ptr(), &mut inner);
            SHA256_Update(&mut outer, digest.as_ptr().cast(), digest.len());
            SHA256_Final(digest.as_mut_ptr(), &mut outer);
        }
        aws_lc_rs::constant_time::verify_slices_are_equal(&digest, tag).is_ok()
    }
}
