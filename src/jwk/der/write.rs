//! Writing DER: SubjectPublicKeyInfo, PKCS#8, and the `RSAPrivateKey` that `crypto` signs with.
//!
//! Everything with a private part is encoded into a buffer of its exact size that is wiped.

use super::{EC, ED25519, MALFORMED, RSA, curve_oid, ml_dsa_oid};
use crate::base::secret::Secret;
use crate::error::{ErrorKind, Result};
use crate::jwk::material::Parts;
use der::Encode;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use pkcs8::PrivateKeyInfoRef;
use sec1::EcPrivateKey;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

/// SubjectPublicKeyInfo; `None` for a symmetric key.
pub(in crate::jwk) fn spki(parts: &Parts) -> Result<Option<Vec<u8>>> {
    let document = match parts {
        Parts::Symmetric { .. } => return Ok(None),
        Parts::Rsa { n, e, .. } => {
            let key = pkcs1::RsaPublicKeyRef { modulus: uint(n)?, public_exponent: uint(e)? };
            subject(rsa(), &key.to_der().map_err(|_| ErrorKind::Internal)?)?
        }
        Parts::Ec { curve, point, .. } => subject(ec(&curve_oid(*curve)), point)?,
        Parts::Ed25519 { public, .. } => subject(plain(ED25519), public)?,
        Parts::MlDsa { set, public, .. } => subject(plain(ml_dsa_oid(*set)), public)?,
    };
    Ok(Some(document))
}

/// PKCS#8, version 1; `None` for a key that has no private part or no such form.
pub(in crate::jwk) fn pkcs8(parts: &Parts) -> Result<Option<Secret>> {
    let document = match parts {
        Parts::Rsa { private: Some(der), .. } => one_key(rsa(), der.expose())?,
        Parts::Ec { curve, point, private: Some(d) } => {
            // The curve stands in the document around it (RFC 5915 section 3).
            let key =
                EcPrivateKey { private_key: d.expose(), parameters: None, public_key: Some(point) };
            one_key(ec(&curve_oid(*curve)), encode(&key)?.expose())?
        }
        Parts::Ed25519 { seed: Some(seed), .. } => {
            let key = OctetStringRef::new(seed.expose()).map_err(|_| ErrorKind::Internal)?;
            one_key(plain(ED25519), encode(&key)?.expose())?
        }
        Parts::MlDsa { set, seed: Some(seed), .. } => {
            let mut key = zeroize::Zeroizing::new([0x80, 32].to_vec());
            key.reserve_exact(seed.expose().len());
            key.extend_from_slice(seed.expose());
            one_key(plain(ml_dsa_oid(*set)), &key)?
        }
        _ => return Ok(None),
    };
    Ok(Some(document))
}

/// `RSAPrivateKey` from its numbers: d, p, q, dp, dq, qi.
pub(in crate::jwk) fn rsa_private_key(n: &[u8], e: &[u8], private: [&[u8]; 6]) -> Result<Secret> {
    let [d, p, q, dp, dq, qi] = private;
    encode(&pkcs1::RsaPrivateKeyRef {
        modulus: uint(n)?,
        public_exponent: uint(e)?,
        private_exponent: uint(d)?,
        prime1: uint(p)?,
        prime2: uint(q)?,
        exponent1: uint(dp)?,
        exponent2: uint(dq)?,
        coefficient: uint(qi)?,
        other_prime_infos: None,
    })
}

fn subject(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<Vec<u8>> {
    let subject_public_key = BitStringRef::from_bytes(key).map_err(|_| ErrorKind::Internal)?;
    let info = SubjectPublicKeyInfoRef { algorithm, subject_public_key };
    Ok(info.to_der().map_err(|_| ErrorKind::Internal)?)
}

fn one_key(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<Secret> {
    let key = OctetStringRef::new(key).map_err(|_| ErrorKind::Internal)?;
    encode(&PrivateKeyInfoRef::new(algorithm, key))
}

fn rsa() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::NULL) }
}

fn ec(curve: &ObjectIdentifier) -> AlgorithmIdentifierRef<'_> {
    AlgorithmIdentifierRef { oid: EC, parameters: Some(curve.into()) }
}

fn plain(oid: ObjectIdentifier) -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef { oid, parameters: None }
}

fn uint(bytes: &[u8]) -> Result<UintRef<'_>> {
    UintRef::new(bytes).map_err(|_| MALFORMED)
}

fn encode(document: &impl Encode) -> Result<Secret> {
    document.to_der().map(Secret::new).map_err(|_| ErrorKind::Internal.into())
}
