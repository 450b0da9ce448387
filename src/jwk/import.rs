//! Reading a JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3).
//!
//! Refused: duplicate members at any depth, a `kty` or `crv` gatekey does not implement, base64url
//! that is not canonical, numbers with leading zero octets (RFC 7518 section 2: the minimum number
//! of octets), coordinates, seeds and scalars of any length but their own (section 6.2.1.2),
//! private RSA keys without all of `p q dp dq qi` (but for none of them, outside of a set) or with
//! `oth`, private members without the one that makes the key private, and `AKP` keys without `alg`.
//! Members that gatekey does not know are ignored.
//!
//! Two habits of others are read: one zero octet before `n`, or before a private number of an RSA
//! key (the sign that Java's and .NET's integers carry), and the names of Azure Key Vault
//! (`RSA-HSM`, `EC-HSM`, `P-256K`). The key is the same, and so is its thumbprint.

use super::alg::{Alg, Family};
use super::der::{self, write};
use super::material::Parts;
use super::mistaken;
use super::stated::{Stated, is_kid};
use super::usage::Usage;
use crate::base::b64;
use crate::base::json::{self, Kind, Value};
use crate::base::secret::Secret;
use crate::crypto::{Curve, eddsa, mldsa, rsa_numbers};
use crate::error::{Error, ErrorKind, Result};
use std::borrow::Cow;

/// The most bytes of JWK or JWK Set text that are read.
pub(super) const MAX_TEXT: usize = 512 * 1024;

/// The most bytes of PEM, DER or secret that are read.
pub(super) const MAX_BINARY: usize = 64 * 1024;

/// Reads the text of one JWK.
pub(super) fn read_text(text: &[u8]) -> Result<(Parts, Stated)> {
    read_jwk(&parse(text)?, true)
}

/// Checks the text as JSON of acceptable size.
pub(super) fn parse(text: &[u8]) -> Result<Value<'_>> {
    if text.len() > MAX_TEXT {
        return Err(invalid("A JWK or JWK Set may have at most 512 KiB."));
    }
    json::parse(text).map_err(|error| {
        mistaken::for_jwk(text).unwrap_or_else(|| error.with_kind(ErrorKind::InvalidKey))
    })
}

/// Reads one member of a JWK Set whose text has been checked.
pub(super) fn read(jwk: &Value<'_>) -> Result<(Parts, Stated)> {
    read_jwk(jwk, false)
}

/// What checking the member costs, in private RSA keys of 2048 bits; nothing that is read from
/// others costs as much.
pub(super) fn work(jwk: &Value<'_>) -> usize {
    let text = |name| match jwk.kind() {
        Kind::Object => jwk.member(name).and_then(|value| value.as_json_str()),
        _ => None,
    };
    let (Some(_), Some(n)) = (text("d"), text("n")) else { return 0 };
    // Longer ones are refused unseen.
    match n.raw().len() / 4 * 3 {
        len @ ..=MAX_RSA => (len.pow(3) >> 24).max(1),
        _ => 0,
    }
}

/// More bytes than a modulus of 8192 bits has, after a zero octet.
const MAX_RSA: usize = 1026;

/// `alone`: whether it is a key by itself, for which the primes of RSA may be computed where they
/// are left out. Those of a set are not: sets are read from servers, and their readers pay for
/// nothing.
fn read_jwk(jwk: &Value<'_>, alone: bool) -> Result<(Parts, Stated)> {
    if jwk.kind() != Kind::Object {
        return Err(mistaken::for_no_object(jwk));
    }
    let Some(kty) = text(jwk, "kty")? else {
        return Err(match jwk.member("keys") {
            Some(_) => mistaken::JWK_SET,
            None => invalid("The JWK has no `kty` (RFC 7517 section 4.1)."),
        });
    };
    let kty = kty.strip_suffix("-HSM").filter(|kty| matches!(*kty, "RSA" | "EC")).unwrap_or(&kty);
    let usage = Usage::from_jwk(jwk, kty)?;
    let alg = text(jwk, "alg")?.map(|name| Alg::from_name(&name)).transpose();
    let alg = alg.map_err(|error| error.with_kind(ErrorKind::UnsupportedKey))?;
    let kid = text(jwk, "kid")?.map(Cow::into_owned);
    if kid.as_ref().is_some_and(|kid| !is_kid(kid)) {
        return Err(invalid(
            "The `kid` of a JWK must have 1 to 256 bytes, and no control characters.",
        ));
    }
    let parts = match kty {
        "oct" => Parts::Symmetric { secret: secret(jwk)? },
        "RSA" => rsa(jwk, alone)?,
        "EC" => ec(jwk)?,
        "OKP" => okp(jwk)?,
        "AKP" => akp(jwk, alg)?,
        "oct-HSM" => {
            return Err(unsupported(
                "A key of `kty` oct-HSM never leaves its HSM, so there is nothing to sign or verify with.",
            ));
        }
        _ => return Err(unsupported("The `kty` of the JWK is not oct, RSA, EC, OKP or AKP.")),
    };
    Ok((parts, Stated { alg, pss_only: false, kid, usage }))
}

fn secret(jwk: &Value<'_>) -> Result<Secret> {
    let secret = required(private(jwk, "k")?, "k")?;
    if secret.expose().len() > MAX_BINARY {
        return Err(invalid("A secret may have at most 64 KiB."));
    }
    Ok(secret)
}

fn rsa(jwk: &Value<'_>, alone: bool) -> Result<Parts> {
    let n = required(signed_number(jwk, "n")?, "n")?.expose().to_vec();
    let e = required(number(jwk, "e")?, "e")?.expose().to_vec();
    match jwk.member("oth").map(|oth| oth.kind()) {
        None => {}
        Some(Kind::Array) => {
            return Err(unsupported(
                "RSA keys of more than two primes (`oth`) are not supported; generate a key of two primes.",
            ));
        }
        Some(_) => {
            return Err(invalid(
                "The `oth` of a JWK must be an array; leave it out for a key of two primes.",
            ));
        }
    }
    let private = match signed_number(jwk, "d")? {
        None => {
            refuse_strays(jwk, &["p", "q", "dp", "dq", "qi"])?;
            None
        }
        Some(d) => Some(private_rsa(jwk, &n, &e, &d, alone)?),
    };
    Ok(Parts::Rsa { n, e, private })
}

/// `RSAPrivateKey`, with the numbers that RFC 7518 section 6.3.2 lets a JWK leave out, all or none.
fn private_rsa(jwk: &Value<'_>, n: &[u8], e: &[u8], d: &Secret, alone: bool) -> Result<Secret> {
    let names = ["p", "q", "dp", "dq", "qi"];
    if alone && !names.iter().any(|name| jwk.member(name).is_some()) {
        let [p, q] = rsa_numbers::primes(n, e, d.expose())?;
        let [dp, dq, qi] = rsa_numbers::exponents(d.expose(), p.expose(), q.expose())?;
        return write::rsa_private_key(n, e, [d, &p, &q, &dp, &dq, &qi].map(Secret::expose));
    }
    let part = |name| signed_number(jwk, name)?.ok_or_else(|| NO_CRT.about_claim(name));
    let [p, q, dp, dq, qi] = names.map(part);
    let (p, q, dp, dq, qi) = (p?, q?, dp?, dq?, qi?);
    write::rsa_private_key(n, e, [d, &p, &q, &dp, &dq, &qi].map(Secret::expose))
}

fn ec(jwk: &Value<'_>) -> Result<Parts> {
    let curve = match required(text(jwk, "crv")?, "crv")?.as_ref() {
        "P-256" => Curve::P256,
        "P-384" => Curve::P384,
        "P-521" => Curve::P521,
        "secp256k1" | "P-256K" => Curve::Secp256k1,
        _ => return Err(UNSUPPORTED_CURVE),
    };
    let len = curve.coordinate_len();
    let coordinate = |name| {
        let octets = required(octets(jwk, name)?, name)?;
        check_len(&octets, len, name).map(|()| octets)
    };
    let mut point = vec![4];
    point.extend_from_slice(&coordinate("x")?);
    point.extend_from_slice(&coordinate("y")?);
    let private = private_of_len(jwk, "d", len)?;
    Ok(Parts::Ec { curve, point, private })
}

fn okp(jwk: &Value<'_>) -> Result<Parts> {
    match required(text(jwk, "crv")?, "crv")?.as_ref() {
        "Ed25519" => {}
        "Ed448" => return Err(der::ED448_KEY),
        "X25519" | "X448" => return Err(der::AGREEMENT_KEY),
        _ => return Err(UNSUPPORTED_CURVE),
    }
    let public = required(octets(jwk, "x")?, "x")?;
    check_len(&public, eddsa::KEY_LEN, "x")?;
    let seed = private_of_len(jwk, "d", eddsa::KEY_LEN)?;
    Ok(Parts::Ed25519 { public, seed })
}

fn akp(jwk: &Value<'_>, alg: Option<Alg>) -> Result<Parts> {
    let set = match alg.map(Alg::family) {
        Some(Family::MlDsa(set)) => set,
        Some(_) => return Err(invalid("The `alg` of an AKP key must be ML-DSA-44, -65 or -87.")),
        None => return Err(invalid("An AKP key must have `alg` (RFC 9964 section 3).")),
    };
    let public = required(octets(jwk, "pub")?, "pub")?;
    check_len(&public, set.public_len(), "pub")?;
    let seed = private_of_len(jwk, "priv", mldsa::SEED_LEN)?;
    Ok(Parts::MlDsa { set, public, seed })
}

/// A member that must be a string.
fn text<'a>(jwk: &Value<'a>, name: &'static str) -> Result<Option<Cow<'a, str>>> {
    let text = |value: Value<'a>| value.as_str().ok_or_else(|| not_a_string(&value, name));
    jwk.member(name).map(text).transpose()
}

fn not_a_string(value: &Value<'_>, name: &'static str) -> Error {
    NOT_A_STRING.finding(name, value.kind().in_words(), "")
}

/// A member that must be there.
fn required<T>(member: Option<T>, name: &'static str) -> Result<T> {
    member.ok_or_else(|| MISSING.about_claim(name))
}

/// A public member in base64url.
fn octets(jwk: &Value<'_>, name: &'static str) -> Result<Option<Vec<u8>>> {
    let Some(value) = jwk.member(name) else { return Ok(None) };
    let text = value.as_json_str().ok_or_else(|| not_a_string(&value, name))?;
    // No character of base64url needs an escape, so one that is escaped is there to be missed.
    // Without escapes the text is borrowed, too, and no copy of a secret stays behind.
    let decoded = if text.has_escapes() { None } else { b64::decode(text.raw().as_bytes()).ok() };
    decoded.map(Some).ok_or_else(|| BAD_BASE64.about_claim(name))
}

/// A private member in base64url; never empty.
fn private(jwk: &Value<'_>, name: &'static str) -> Result<Option<Secret>> {
    Ok(octets(jwk, name)?.map(Secret::new))
}

fn private_of_len(jwk: &Value<'_>, name: &'static str, len: usize) -> Result<Option<Secret>> {
    let octets = private(jwk, name)?;
    if let Some(octets) = &octets {
        check_len(octets.expose(), len, name)?;
    }
    Ok(octets)
}

/// A Base64urlUInt (RFC 7518 section 2).
fn number(jwk: &Value<'_>, name: &'static str) -> Result<Option<Secret>> {
    let octets = private(jwk, name)?;
    match octets.as_ref().map(|octets| octets.expose().first()) {
        Some(None | Some(0)) => Err(LEADING_ZEROS.about_claim(name)),
        _ => Ok(octets),
    }
}

/// A Base64urlUInt, or one after a zero octet: what a signed integer has before a number of full
/// length.
fn signed_number(jwk: &Value<'_>, name: &'static str) -> Result<Option<Secret>> {
    let octets = private(jwk, name)?;
    match octets.as_ref().map(Secret::expose) {
        Some([] | [0] | [0, 0, ..]) => Err(LEADING_ZEROS.about_claim(name)),
        Some([0, rest @ ..]) => Ok(Some(Secret::new(rest.to_vec()))),
        _ => Ok(octets),
    }
}

/// Numbers that have a length of their own.
fn check_len(octets: &[u8], len: usize, name: &'static str) -> Result<()> {
    let error = match octets {
        _ if octets.len() == len => return Ok(()),
        [0, rest @ ..] if rest.len() == len => TOO_LONG_BY_ZERO,
        _ if octets.len() + 1 == len => TOO_SHORT_BY_ONE,
        _ => WRONG_LENGTH,
    };
    Err(error.sized(name, octets.len(), ("exactly", len)))
}

fn refuse_strays(jwk: &Value<'_>, names: &[&str]) -> Result<()> {
    if names.iter().any(|name| jwk.member(name).is_some()) {
        return Err(invalid("The JWK has private members but no `d`; export the key again."));
    }
    Ok(())
}

const MISSING: Error =
    invalid("The JWK lacks a member that its `kty` requires (RFC 7518 section 6).");
const NOT_A_STRING: Error = invalid("A member of the JWK must be a string (RFC 7517 section 4).");
const BAD_BASE64: Error =
    invalid("A member of the JWK is not canonical unpadded base64url (RFC 7515 section 2).");
const WRONG_LENGTH: Error = invalid(
    "A member of the JWK is not as long as its curve or algorithm asks (RFC 7518 section 6.2); export the key again.",
);
const TOO_LONG_BY_ZERO: Error = invalid(
    "A member of the JWK has a leading zero octet too many; its curve has numbers of one length (RFC 7518 section \
     6.2.1.2), so take the zero off.",
);
const TOO_SHORT_BY_ONE: Error = invalid(
    "A member of the JWK is an octet too short, as if its leading zero was cut off; put it back (RFC 7518 section \
     6.2.1.2).",
);
const LEADING_ZEROS: Error =
    invalid("An RSA number has leading zero octets or none at all (RFC 7518 section 2).");
const NO_CRT: Error = invalid(
    "A private RSA JWK must have all of `p`, `q`, `dp`, `dq` and `qi` beside `d`, or none, and then it is loaded by itself \
     with from_jwk.",
);
const UNSUPPORTED_CURVE: Error =
    unsupported("The `crv` of the JWK is not P-256, P-384, P-521, secp256k1 or Ed25519.");

const fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidKey, message)
}

const fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::UnsupportedKey, message)
}
