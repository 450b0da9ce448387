//! ECDSA on P-256, P-384, P-521 and secp256k1 (FIPS 186-5; RFC 7518 section 3.4, RFC 8812 section
//! 3.2), each curve with its one hash.
//!
//! Signatures are `r || s` of fixed length; DER signatures are refused by their length. Points are
//! uncompressed, on the curve and never the point at infinity. Private scalars have the full
//! coordinate length and lie in `1..n`.

use super::{Curve, buffer_too_short, library_failed};
use crate::base::process::enter;
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair, ParsedPublicKey,
};
use zeroize::Zeroizing;

impl Curve {
    fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED,
            Self::Secp256k1 => &signature::ECDSA_P256K1_SHA256_FIXED,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
            Self::Secp256k1 => &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING,
        }
    }
}

/// A public key.
pub(crate) struct PublicKey {
    key: ParsedPublicKey,
    signature_len: usize,
}

impl PublicKey {
    /// Checks and prepares a key from its uncompressed point, `04 || x || y`.
    ///
    /// # Errors
    /// `InvalidKey` for any other encoding and for points that are not on the curve.
    pub(crate) fn new(curve: Curve, uncompressed_point: &[u8]) -> Result<Self> {
        let _inside = enter();
        // The library would also take compressed points and whole SubjectPublicKeyInfo documents.
        if uncompressed_point.len() != curve.point_len() || uncompressed_point.first() != Some(&4) {
            return Err(invalid_point());
        }
        let key = ParsedPublicKey::new(curve.verification(), uncompressed_point)
            .map_err(|_| invalid_point())?;
        Ok(Self { key, signature_len: curve.signature_len() })
    }

    /// Whether `sig`, `r || s`, is a signature of `msg`.
    pub(crate) fn verify(&self, msg: &[u8], sig: &[u8]) -> bool {
        let _inside = enter();
        sig.len() == self.signature_len && self.key.verify_sig(msg, sig).is_ok()
    }
}

/// A private key.
pub(crate) struct PrivateKey {
    pair: EcdsaKeyPair,
    signature_len: usize,
}

impl PrivateKey {
    /// Checks and prepares a key from its scalar and its public point.
    ///
    /// # Errors
    /// `InvalidKey` when either is no scalar or point of the curve, `KeyPairMismatch` when they do
    /// not belong together.
    pub(crate) fn new(curve: Curve, d: &[u8], uncompressed_point: &[u8]) -> Result<Self> {
        let _inside = enter();
        let pair = pair_from_scalar(curve, d)?;
        PublicKey::new(curve, uncompressed_point)?;
        if pair.public_key().as_ref() != uncompressed_point {
            return Err(Error::new(
                ErrorKind::KeyPairMismatch,
                "The EC private scalar does not belong to the public point; export the key again.",
            ));
        }
        Ok(Self { pair, signature_len: curve.signature_len() })
    }

    /// Writes the signature of `msg`, `r || s`, to the front of `out` and returns its length.
    pub(crate) fn sign(&self, msg: &[u8], out: &mut [u8]) -> Result<usize> {
        let _inside = enter();
        let out = out.get_mut(..self.signature_len).ok_or_else(buffer_too_short)?;
        let sig = self.pair.sign(&SystemRandom::new(), msg).map_err(|_| library_failed())?;
        if sig.as_ref().len() != out.len() {
            return Err(library_failed());
        }
        out.copy_from_slice(sig.as_ref());
        Ok(out.len())
    }
}

/// The uncompressed point of a private scalar.
///
/// # Errors
/// `InvalidKey` when `d` is no scalar of the curve.
pub(crate) fn public_from_private(curve: Curve, d: &[u8]) -> Result<Vec<u8>> {
    Ok(pair_from_scalar(curve, d)?.public_key().as_ref().to_vec())
}

/// The uncompressed form of a compressed point, `02 || x` or `03 || x`.
///
/// # Errors
/// `InvalidKey` for any other encoding and when the curve has no such point.
pub(crate) fn decompress(curve: Curve, compressed: &[u8]) -> Result<Vec<u8>> {
    let _inside = enter();
    if compressed.len() != 1 + curve.coordinate_len() || !matches!(compressed.first(), Some(2 | 3))
    {
        return Err(invalid_point());
    }
    let key =
        ParsedPublicKey::new(curve.verification(), compressed).map_err(|_| invalid_point())?;
    // The library exports a parsed key as SubjectPublicKeyInfo only, whose last field is the
    // uncompressed point.
    let info: PublicKeyX509Der<'_> = key.as_der().map_err(|_| library_failed())?;
    let info = info.as_ref();
    let start = info.len().checked_sub(curve.point_len()).ok_or_else(library_failed)?;
    match info.get(start..) {
        Some(point @ [4, ..]) => Ok(point.to_vec()),
        _ => Err(library_failed()),
    }
}

/// Generates a key; returns its scalar and its uncompressed point.
pub(crate) fn generate(curve: Curve) -> Result<(Secret, Vec<u8>)> {
    let _inside = enter();
    let pair = EcdsaKeyPair::generate(curve.signing()).map_err(|_| library_failed())?;
    let d: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().map_err(|_| library_failed())?;
    Ok((Secret::new(d.as_ref().to_vec()), pair.public_key().as_ref().to_vec()))
}

/// The library derives the point only for an `ECPrivateKey` document (RFC 5915) that lacks it.
fn pair_from_scalar(curve: Curve, d: &[u8]) -> Result<EcdsaKeyPair> {
    let _inside = enter();
    // SEQUENCE { INTEGER 1, OCTET STRING d }; 66 bytes at the most, so each length is one byte.
    const OVERHEAD: u8 = 5;
    let len = u8::try_from(d.len()).ok().filter(|len| usize::from(*len) == curve.coordinate_len());
    let len = len.ok_or_else(invalid_scalar)?;
    let mut document = Zeroizing::new(Vec::with_capacity(2 + usize::from(len + OVERHEAD)));
    document.extend_from_slice(&[0x30, len + OVERHEAD, 2, 1, 1, 4, len]);
    document.extend_from_slice(d);
    EcdsaKeyPair::from_private_key_der(curve.signing(), &document).map_err(|_| invalid_scalar())
}

#[cold]
const fn invalid_point() -> Error {
    Error::new(
        ErrorKind::InvalidKey,
        "The EC public key is not a point of its curve; check the curve and export the key again.",
    )
}

#[cold]
const fn invalid_scalar() -> Error {
    Error::new(
        ErrorKind::InvalidKey,
        "The EC private key is not a full-length scalar of its curve; export the key again.",
    )
}
