//! The JWK thumbprint: SHA-256 over the required members in lexicographic order (RFC 7638 section
//! 3, RFC 8037 section 2 for `OKP`, RFC 9964 section 6 for `AKP`).

use super::material::Parts;
use crate::base::b64;
use crate::crypto::hash::sha256;
use zeroize::Zeroizing;

/// The thumbprint in base64url.
pub(super) fn of(parts: &Parts) -> String {
    let long = match parts {
        Parts::Symmetric { secret } => secret.expose().len(),
        Parts::Rsa { n, .. } => n.len(),
        _ => 0,
    };
    // Never grown, so that no copy of a secret is left behind.
    let mut input = Zeroizing::new(String::with_capacity(b64::encoded_len(long) + 4096));
    let mut first = true;
    let mut member = |name: &str, value: Value<'_>| {
        input.push_str(if first { r#"{""# } else { r#",""# });
        first = false;
        input.push_str(name);
        input.push_str(r#"":""#);
        match value {
            Value::Text(text) => input.push_str(text),
            Value::Octets(octets) => b64::encode_into(octets, &mut input),
        }
        input.push('"');
    };
    match parts {
        Parts::Symmetric { secret } => {
            member("k", Value::Octets(secret.expose()));
            member("kty", Value::Text("oct"));
        }
        Parts::Rsa { n, e, .. } => {
            member("e", Value::Octets(e));
            member("kty", Value::Text("RSA"));
            member("n", Value::Octets(n));
        }
        Parts::Ec { curve, point, .. } => {
            let (x, y) = Parts::coordinates(point);
            member("crv", Value::Text(super::curve_name(*curve)));
            member("kty", Value::Text("EC"));
            member("x", Value::Octets(x));
            member("y", Value::Octets(y));
        }
        Parts::Ed25519 { public, .. } => {
            member("crv", Value::Text("Ed25519"));
            member("kty", Value::Text("OKP"));
            member("x", Value::Octets(public));
        }
        Parts::MlDsa { public, .. } => {
            member("alg", Value::Text(parts.only_alg().map_or("", super::Alg::name)));
            member("kty", Value::Text("AKP"));
            member("pub", Value::Octets(public));
        }
    }
    input.push('}');
    b64::encode(&sha256(input.as_bytes()))
}

enum Value<'a> {
    Text(&'a str),
    Octets(&'a [u8]),
}
