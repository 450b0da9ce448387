//! Reading a JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3).
//!
//! Refused: duplicate members at any depth, a `kty` or `crv` gatekey does not implement, base64url
//! that is not canonical, numbers with leading zero octets (RFC 7518 section 2: the minimum number
//! of octets), coordinates, seeds and scalars of any length but their own (section 6.2.1.2),
//! private RSA keys without all of `p q dp dq qi` or with `oth`, private members without the one
//! that makes the key private, and `AKP` keys without `alg`. Members that gatekey does not know are
//! ignored.

use super::alg::{Alg, Family};
use super::der::write;
use super::material::Parts;
use super::stated::{MAX_KID, Stated};
use super::usage::Usage;
use crate::base::b64;
use crate::base::json::{self, Kind, Value};
use crate::base::secret::Secret;
use crate::crypto::{Curve, eddsa, mldsa};
use crate::error::{Error, ErrorKind, Result};
use std::borrow::Cow;

/// The most bytes of JWK or JWK Set text that are read.
pub(super) const MAX_TEXT: usize = 512 * 1024;

/// The most bytes of PEM, DER or secret that are read.
pub(super) const MAX_BINARY: usize = 64 * 1024;

/// Reads the text of one JWK.
pub(super) fn read_text(text: &[u8]) -> Result<(Parts, Stated)> {
    read(&parse(text)?)
}

/// Checks the text as JSON of acceptable size.
pub(super) fn parse(text: &[u8]) -> Result<Value<'_>> {
    if text.len() > MAX_TEXT {
        return Err(invalid("A JWK or JWK Set may have at most 512 KiB."));
    }
    json::parse(text).map_err(|error| error.with_kind(ErrorKind::InvalidKey))
}

/// Reads one JWK of a text that has been checked.
pub(super) fn read(jwk: &Value<'_>) -> Result<(Parts, Stated)> {
    if jwk.kind() != Kind::Object {
        return Err(invalid("A JWK must be a JSON object (RFC 7517 section 4)."));
    }
    let Some(kty) = text(jwk, "kty")? else {
        return Err(match jwk.member("keys") {
            Some(_) => invalid("This is a JWK Set; load it with KeySet::from_jwks."),
            None => invalid("The JWK has no `kty` (RFC 7517 section 4.1)."),
        });
    };
    let usage = Usage::from_jwk(jwk)?;
    let alg = text(jwk, "alg")?.map(|name| Alg::from_name(&name)).transpose()?;
    let kid = text(jwk, "kid")?.map(Cow::into_owned);
    if kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID) {
        return Err(invalid("The `kid` of a JWK must have 1 to 256 bytes."));
    }
    let parts = match kty.as_ref() {
        "oct" => Parts::Symmetric { secret: secret(jwk)? },
        "RSA" => rsa(jwk)?,
        "EC" => ec(jwk)?,
        "OKP" => okp(jwk)?,
        "AKP" => akp(jwk, alg)?,
        _ => {
            return Err(Error::new(
                ErrorKind::UnsupportedKey,
                "The `kty` of the JWK is not oct, RSA, EC, OKP or AKP.",
            ));
        }
    };
    Ok((parts, Stated { alg, pss_only: false, kid, usage }))
}

fn secret(jwk: &Value<'_>) -> Result<Secret> {
    let secret = private(jwk, "k")?.ok_or(MISSING)?;
    if secret.expose().len() > MAX_BINARY {
        return Err(invalid("A secret may have at most 64 KiB."));
    }
    Ok(secret)
}

fn rsa(jwk: &Value<'_>) -> Result<Parts> {
    let n = number(jwk, "n")?.ok_or(MISSING)?.expose().to_vec();
    let e = number(jwk, "e")?.ok_or(MISSING)?.expose().to_vec();
    if jwk.member("oth").is_some() {
        return Err(Error::new(
            ErrorKind::UnsupportedKey,
            "RSA keys of more than two primes are not supported; generate a key of two primes.",
        ));
    }
    let private = match number(jwk, "d")? {
        None => {
            refuse_strays(jwk, &["p", "q", "dp", "dq", "qi"])?;
            None
        }
        Some(d) => {
            let part = |name| number(jwk, name)?.ok_or(NO_CRT);
            let (p, q, dp, dq, qi) =
                (part("p")?, part("q")?, part("dp")?, part("dq")?, part("qi")?);
            let numbers = [&d, &p, &q, &dp, &dq, &qi].map(Secret::expose);
            Some(write::rsa_private_key(&n, &e, numbers)?)
        }
    };
    Ok(Parts::Rsa { n, e, private })
}

fn ec(jwk: &Value<'_>) -> Result<Parts> {
    let curve = match text(jwk, "crv")?.ok_or(MISSING)?.as_ref() {
        "P-256" => Curve::P256,
        "P-384" => Curve::P384,
        "P-521" => Curve::P521,
        "secp256k1" => Curve::Secp256k1,
        _ => return Err(UNSUPPORTED_CURVE),
    };
    let coordinate = |name| sized(octets(jwk, name)?.ok_or(MISSING)?, curve.coordinate_len());
    let mut point = vec![4];
    point.extend_from_slice(&coordinate("x")?);
    point.extend_from_slice(&coordinate("y")?);
    let private = private(jwk, "d")?;
    if private.as_ref().is_some_and(|d| d.expose().len() != curve.coordinate_len()) {
        return Err(WRONG_LENGTH);
    }
    Ok(Parts::Ec { curve, point, private })
}

fn okp(jwk: &Value<'_>) -> Result<Parts> {
    if text(jwk, "crv")?.ok_or(MISSING)? != "Ed25519" {
        return Err(UNSUPPORTED_CURVE);
    }
    let public = sized(octets(jwk, "x")?.ok_or(MISSING)?, eddsa::KEY_LEN)?;
    let seed = private(jwk, "d")?;
    if seed.as_ref().is_some_and(|seed| seed.expose().len() != eddsa::KEY_LEN) {
        return Err(WRONG_LENGTH);
    }
    Ok(Parts::Ed25519 { public, seed })
}

fn akp(jwk: &Value<'_>, alg: Option<Alg>) -> Result<Parts> {
    let set = match alg.map(Alg::family) {
        Some(Family::MlDsa(set)) => set,
        Some(_) => return Err(invalid("The `alg` of an AKP key must be ML-DSA-44, -65 or -87.")),
        None => return Err(invalid("An AKP key must have `alg` (RFC 9964 section 3).")),
    };
    let public = sized(octets(jwk, "pub")?.ok_or(MISSING)?, set.public_len())?;
    let seed = private(jwk, "priv")?;
    if seed.as_ref().is_some_and(|seed| seed.expose().len() != mldsa::SEED_LEN) {
        return Err(WRONG_LENGTH);
    }
    Ok(Parts::MlDsa { set, public, seed })
}

/// A member that must be a string.
fn text<'a>(jwk: &Value<'a>, name: &str) -> Result<Option<Cow<'a, str>>> {
    jwk.member(name).map(|value| value.as_str().ok_or(NOT_A_STRING)).transpose()
}

/// A public member in base64url.
fn octets(jwk: &Value<'_>, name: &str) -> Result<Option<Vec<u8>>> {
    let Some(value) = jwk.member(name) else { return Ok(None) };
    let text = value.as_json_str().ok_or(NOT_A_STRING)?;
    // No character of base64url needs an escape, so one that is escaped is there to be missed.
    // Without escapes the text is borrowed, too, and no copy of a secret stays behind.
    if text.has_escapes() {
        return Err(BAD_BASE64);
    }
    b64::decode(text.raw().as_bytes()).map(Some).map_err(|_| BAD_BASE64)
}

/// A private member in base64url; never empty.
fn private(jwk: &Value<'_>, name: &str) -> Result<Option<Secret>> {
    Ok(octets(jwk, name)?.map(Secret::new))
}

/// A Base64urlUInt (RFC 7518 section 2).
fn number(jwk: &Value<'_>, name: &str) -> Result<Option<Secret>> {
    let octets = private(jwk, name)?;
    match octets.as_ref().map(|octets| octets.expose().first()) {
        Some(None | Some(0)) => Err(invalid(
            "An RSA number has leading zero octets or none at all (RFC 7518 section 2).",
        )),
        _ => Ok(octets),
    }
}

fn sized(octets: Vec<u8>, len: usize) -> Result<Vec<u8>> {
    if octets.len() == len { Ok(octets) } else { Err(WRONG_LENGTH) }
}

fn refuse_strays(jwk: &Value<'_>, names: &[&str]) -> Result<()> {
    if names.iter().any(|name| jwk.member(name).is_some()) {
        return Err(invalid("The JWK has private members but no `d`; export the key again."));
    }
    Ok(())
}

const MISSING: Error =
    invalid("The JWK lacks a member that its `kty` requires (RFC 7518 section 6).");
const NOT_A_STRING: Error = invalid("A member of the JWK that must be a string is not.");
const BAD_BASE64: Error =
    invalid("A member of the JWK is not canonical unpadded base64url (RFC 7515 section 2).");
const WRONG_LENGTH: Error = invalid(
    "A member of the JWK is not exactly as long as its curve or algorithm asks (RFC 7518 section 6.2).",
);
const NO_CRT: Error = invalid(
    "A private RSA JWK must have `p`, `q`, `dp`, `dq` and `qi` beside `d`; export the key with them.",
);
const UNSUPPORTED_CURVE: Error = Error::new(
    ErrorKind::UnsupportedKey,
    "The `crv` of the JWK is not P-256, P-384, P-521, secp256k1 or Ed25519.",
);

const fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidKey, message)
}
