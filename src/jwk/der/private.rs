//! Private keys: PKCS#8 and OneAsymmetricKey (RFC 5208, RFC 5958; RFC 8410 for Ed25519, RFC 9881
//! for ML-DSA), PKCS#1 `RSAPrivateKey` (RFC 8017 appendix A.1.2) and SEC1 `ECPrivateKey` (RFC
//! 5915).
//!
//! A public key that stands beside the private one must be its own. ML-DSA keys are seeds; a key in
//! expanded form only is refused, and one in both forms must have both of one key.

use super::public::point;
use super::{Algorithm, BAD_PARAMETERS, EXPLICIT_CURVE, MALFORMED, curve_of, invalid, unsupported};
use crate::base::secret::Secret;
use crate::crypto::{Curve, MlDsa, ecdsa, eddsa, mldsa};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::material::Parts;
use crate::jwk::stated::Stated;
use der::asn1::{OctetStringRef, UintRef};
use der::{Decode as _, Reader as _, SliceReader};
use pkcs8::PrivateKeyInfoRef;
use sec1::EcPrivateKey;

pub(super) fn pkcs8(der: &[u8]) -> Result<(Parts, Stated)> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| MALFORMED)?;
    let algorithm = Algorithm::of(info.algorithm)?;
    let key = info.private_key.as_bytes();
    let beside = info.public_key.map(|bits| bits.as_bytes().ok_or(MALFORMED)).transpose()?;
    let parts = match algorithm {
        Algorithm::Rsa | Algorithm::RsaPss(_) => {
            let parts = from_pkcs1(key)?;
            match beside {
                Some(public) if !same_rsa(&parts, public)? => return Err(MISMATCH),
                _ => parts,
            }
        }
        Algorithm::Ec(curve) => from_sec1(key, Some(curve), beside)?,
        Algorithm::Ed25519 => {
            let seed = octets(key)?;
            let own = eddsa::PrivateKey::from_seed(seed)?.public().to_vec();
            let public = beside.map_or(own, <[u8]>::to_vec);
            Parts::Ed25519 { public, seed: Some(Secret::new(seed.to_vec())) }
        }
        Algorithm::MlDsa(set) => from_ml_dsa(set, key, beside)?,
    };
    Ok((parts, algorithm.stated()))
}

pub(super) fn pkcs1(der: &[u8]) -> Result<(Parts, Stated)> {
    Ok((from_pkcs1(der)?, Stated::default()))
}

pub(super) fn sec1(der: &[u8]) -> Result<(Parts, Stated)> {
    Ok((from_sec1(der, None, None)?, Stated::default()))
}

/// The six private numbers of a key that has been loaded, under their names in a JWK.
pub(in crate::jwk) fn rsa_numbers(der: &[u8]) -> Result<[(&'static str, &[u8]); 6]> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| ErrorKind::Internal)?;
    Ok([
        ("d", key.private_exponent.as_bytes()),
        ("p", key.prime1.as_bytes()),
        ("q", key.prime2.as_bytes()),
        ("dp", key.exponent1.as_bytes()),
        ("dq", key.exponent2.as_bytes()),
        ("qi", key.coefficient.as_bytes()),
    ])
}

fn from_pkcs1(der: &[u8]) -> Result<Parts> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| MALFORMED)?;
    if key.other_prime_infos.is_some() {
        return Err(unsupported(
            "RSA keys of more than two primes are not supported; generate a key of two primes.",
        ));
    }
    let bytes = |number: UintRef<'_>| number.as_bytes().to_vec();
    let private = Some(Secret::new(der.to_vec()));
    Ok(Parts::Rsa { n: bytes(key.modulus), e: bytes(key.public_exponent), private })
}

fn same_rsa(parts: &Parts, public: &[u8]) -> Result<bool> {
    let other = pkcs1::RsaPublicKeyRef::from_der(public).map_err(|_| MALFORMED)?;
    Ok(match parts {
        Parts::Rsa { n, e, .. } => {
            other.modulus.as_bytes() == n && other.public_exponent.as_bytes() == e
        }
        _ => false,
    })
}

/// `outer` is the curve of the PKCS#8 document around it, `beside` its public key.
fn from_sec1(der: &[u8], outer: Option<Curve>, beside: Option<&[u8]>) -> Result<Parts> {
    let key = EcPrivateKey::from_der(der).map_err(|_| without_named_curve(der))?;
    let inner = key.parameters.and_then(sec1::EcParameters::named_curve).map(curve_of);
    let curve = match (outer, inner.transpose()?) {
        (Some(outer), Some(inner)) if outer != inner => return Err(BAD_PARAMETERS),
        (Some(curve), _) | (None, Some(curve)) => curve,
        (None, None) => return Err(NO_CURVE),
    };
    let private = scalar(curve, key.private_key)?;
    let own = ecdsa::public_from_private(curve, private.expose())?;
    for stated in [key.public_key, beside].into_iter().flatten() {
        if point(curve, stated)? != own {
            return Err(MISMATCH);
        }
    }
    Ok(Parts::Ec { curve, point: own, private: Some(private) })
}

/// The scalar in as many octets as the curve asks (RFC 5915 section 3). Encoders that took it for
/// an INTEGER have put a zero octet before it, or have cut its leading zeros off; both name the
/// same number.
pub(in crate::jwk) fn scalar(curve: Curve, octets: &[u8]) -> Result<Secret> {
    let len = curve.coordinate_len();
    let octets = match octets {
        [0, rest @ ..] if rest.len() == len => rest,
        _ => octets,
    };
    let missing = len.checked_sub(octets.len()).filter(|missing| *missing <= MOST_CUT_OFF);
    let missing = missing.ok_or(WRONG_SCALAR)?;
    let mut padded = zeroize::Zeroizing::new(vec![0; len]);
    padded.get_mut(missing..).unwrap_or_default().copy_from_slice(octets);
    Ok(Secret::new(std::mem::take(&mut *padded)))
}

/// A scalar begins with more zero octets than this once in 2^32 keys; a shorter one was damaged.
const MOST_CUT_OFF: usize = 4;

/// Why a document is no ECPrivateKey with a named curve: it may have the curve's parameters
/// instead.
fn without_named_curve(der: &[u8]) -> Error {
    let parameters = |reader: &mut SliceReader<'_>| {
        for _ in ["version", "privateKey"] {
            reader.tlv_bytes()?;
        }
        // [0] { SEQUENCE ... }
        let is_explicit = matches!(reader.tlv_bytes()?, [0xA0, rest @ ..] if is_sequence_in(rest));
        while !reader.is_finished() {
            reader.tlv_bytes()?;
        }
        Ok::<_, der::Error>(is_explicit)
    };
    let Ok(mut reader) = SliceReader::new(der) else { return MALFORMED };
    match reader.sequence(parameters) {
        Ok(true) => EXPLICIT_CURVE,
        _ => MALFORMED,
    }
}

/// Whether a length and then a SEQUENCE stand here.
fn is_sequence_in(rest: &[u8]) -> bool {
    match rest {
        [0x81, _, tag, ..] | [0x82, _, _, tag, ..] => *tag == 0x30,
        [0..=0x7F, tag, ..] => *tag == 0x30,
        _ => false,
    }
}

/// `CHOICE { seed [0] OCTET STRING, expandedKey OCTET STRING, both SEQUENCE }` (RFC 9881 section
/// 6).
fn from_ml_dsa(set: MlDsa, der: &[u8], beside: Option<&[u8]>) -> Result<Parts> {
    const SEED: u8 = 0x80;
    const EXPANDED: u8 = 0x04;
    const BOTH: u8 = 0x30;
    let (seed, expanded) = match der.first() {
        Some(&SEED) => match der {
            [SEED, 32, seed @ ..] if seed.len() == mldsa::SEED_LEN => (seed, None),
            _ => return Err(MALFORMED),
        },
        Some(&BOTH) => {
            let mut reader = SliceReader::new(der).map_err(|_| MALFORMED)?;
            let (seed, expanded) = reader
                .sequence(|inner| {
                    let seed = inner.decode::<&OctetStringRef>()?.as_bytes();
                    Ok::<_, der::Error>((seed, inner.decode::<&OctetStringRef>()?.as_bytes()))
                })
                .and_then(|both| reader.finish().map(|()| both))
                .map_err(|_| MALFORMED)?;
            (seed, Some(expanded))
        }
        Some(&EXPANDED) => {
            return Err(unsupported(
                "The ML-DSA key is in expanded form only; export it with its seed (RFC 9881).",
            ));
        }
        _ => return Err(MALFORMED),
    };
    let own = mldsa::PrivateKey::from_seed(set, seed)?;
    let public = own.public();
    if expanded.is_some_and(|expanded| !own.expands_to(expanded)) {
        return Err(MISMATCH);
    }
    let public = beside.map_or(public, <[u8]>::to_vec);
    Ok(Parts::MlDsa { set, public, seed: Some(Secret::new(seed.to_vec())) })
}

/// `CurvePrivateKey ::= OCTET STRING` (RFC 8410 section 7).
fn octets(der: &[u8]) -> Result<&[u8]> {
    <&OctetStringRef>::from_der(der).map(OctetStringRef::as_bytes).map_err(|_| MALFORMED)
}

const NO_CURVE: Error = invalid(
    "The EC private key does not name its curve; convert it with `openssl pkcs8 -topk8 -nocrypt`.",
);

const WRONG_SCALAR: Error = invalid(
    "The EC private key is not as long as a number of its curve, so part of it was lost; export the key again.",
);

const MISMATCH: Error = Error::new(
    ErrorKind::KeyPairMismatch,
    "The private part of the key does not belong to its public part; export the key again.",
);
