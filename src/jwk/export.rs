//! Writing a JWK: `kty`, `use`, `key_ops`, `alg`, `kid` in the order of RFC 7517 section 4, then
//! the numbers in the order of RFC 7518 section 6.
//!
//! Private members leave only through [`private_jwk`], whose buffer is sized first and so never
//! leaves a copy behind.

use super::curve_name;
use super::der;
use super::key::Key;
use super::material::Parts;
use crate::base::secret::Secret;
use crate::base::{b64, json};
use crate::error::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

/// Appends the public half.
pub(super) fn write_public(key: &Key, out: &mut String) -> Result<()> {
    if key.is_symmetric() {
        return Err(Error::new(
            ErrorKind::KeyUsage,
            "A symmetric key has no public JWK: all that have the key can sign.",
        ));
    }
    write_head(key, kty(key.parts()), key.usage().public(), out);
    write_public_numbers(key.parts(), out);
    out.push('}');
    Ok(())
}

/// The whole key.
pub(super) fn private_jwk(key: &Key) -> Result<Secret> {
    let mut out = Zeroizing::new(String::with_capacity(private_capacity(key)));
    write_private(key, &mut out)?;
    Ok(Secret::from(std::mem::take(&mut *out)))
}

/// Room enough for [`write_private`].
pub(super) fn private_capacity(key: &Key) -> usize {
    let numbers = match key.parts() {
        Parts::Symmetric { secret } => secret.expose().len(),
        Parts::Rsa { n, private, .. } => n.len() + private.as_ref().map_or(0, |p| p.expose().len()),
        Parts::MlDsa { public, .. } => public.len(),
        Parts::Ec { .. } | Parts::Ed25519 { .. } => 256,
    };
    // A `kid` has at most 256 bytes, each of which takes at most six in JSON.
    6 * key.kid().len() + b64::encoded_len(numbers) + 1024
}

/// Appends the whole key.
pub(super) fn write_private(key: &Key, out: &mut String) -> Result<()> {
    if !key.is_private() {
        return Err(Error::new(
            ErrorKind::KeyUsage,
            "The key has no private part; export it as a public JWK.",
        ));
    }
    write_head(key, kty(key.parts()), key.usage(), out);
    write_public_numbers(key.parts(), out);
    match key.parts() {
        Parts::Symmetric { secret } => member(out, "k", secret.expose()),
        Parts::Rsa { private, .. } => {
            let der = private.as_ref().map(Secret::expose).unwrap_or_default();
            for (name, number) in der::private::rsa_numbers(der)? {
                member(out, name, number);
            }
        }
        Parts::Ec { private: Some(d), .. } | Parts::Ed25519 { seed: Some(d), .. } => {
            member(out, "d", d.expose());
        }
        Parts::MlDsa { seed: Some(seed), .. } => member(out, "priv", seed.expose()),
        Parts::Ec { .. } | Parts::Ed25519 { .. } | Parts::MlDsa { .. } => {}
    }
    out.push('}');
    Ok(())
}

fn kty(parts: &Parts) -> &'static str {
    match parts {
        Parts::Symmetric { .. } => "oct",
        Parts::Rsa { .. } => "RSA",
        Parts::Ec { .. } => "EC",
        Parts::Ed25519 { .. } => "OKP",
        Parts::MlDsa { .. } => "AKP",
    }
}

fn write_head(key: &Key, kty: &str, usage: super::usage::Usage, out: &mut String) {
    out.push_str(r#"{"kty":""#);
    out.push_str(kty);
    out.push('"');
    usage.write(out);
    out.push_str(r#","alg":""#);
    out.push_str(key.alg().name());
    out.push_str(r#"","kid":"#);
    json::write_str(out, key.kid());
}

fn write_public_numbers(parts: &Parts, out: &mut String) {
    match parts {
        Parts::Symmetric { .. } => {}
        Parts::Rsa { n, e, .. } => {
            member(out, "n", n);
            member(out, "e", e);
        }
        Parts::Ec { curve, point, .. } => {
            let (x, y) = Parts::coordinates(point);
            out.push_str(r#","crv":""#);
            out.push_str(curve_name(*curve));
            out.push('"');
            member(out, "x", x);
            member(out, "y", y);
        }
        Parts::Ed25519 { public, .. } => {
            out.push_str(r#","crv":"Ed25519""#);
            member(out, "x", public);
        }
        Parts::MlDsa { public, .. } => member(out, "pub", public),
    }
}

fn member(out: &mut String, name: &str, octets: &[u8]) {
    out.push_str(r#",""#);
    out.push_str(name);
    out.push_str(r#"":""#);
    b64::encode_into(octets, out);
    out.push('"');
}
