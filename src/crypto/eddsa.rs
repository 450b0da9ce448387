//! Ed25519 (RFC 8032 section 5.1; RFC 8037 section 3.1). Ed448 is not implemented.
//!
//! Refuses public keys that encode their point in a second way (RFC 8032 section 5.1.3) and the
//! eight points of small order, under which one signature is good for many messages.

use super::{buffer_too_short, library_failed};
use crate::base::process::enter;
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use curve25519_dalek::edwards::CompressedEdwardsY;

/// The length in bytes of a public key and of a seed.
pub(crate) const KEY_LEN: usize = 32;

/// The length in bytes of a signature.
pub(crate) const SIGNATURE_LEN: usize = 64;

/// A public key.
pub(crate) struct PublicKey(ParsedPublicKey);

impl PublicKey {
    /// Checks and prepares a key from its 32 bytes.
    ///
    /// # Errors
    /// `InvalidKey` for other lengths and for what is not the canonical encoding of a point,
    /// `WeakKey` for points of small order.
    pub(crate) fn new(public: &[u8]) -> Result<Self> {
        let _inside = enter();
        let bytes: &[u8; KEY_LEN] = public.try_into().map_err(|_| invalid_point())?;
        check_point(bytes)?;
        ParsedPublicKey::new(&ED25519, bytes).map(Self).map_err(|_| invalid_point())
    }

    /// Whether `sig` is a signature of `msg`.
    pub(crate) fn verify(&self, msg: &[u8], sig: &[u8]) -> bool {
        let _inside = enter();
        sig.len() == SIGNATURE_LEN && self.0.verify_sig(msg, sig).is_ok()
    }
}

/// A private key.
pub(crate) struct PrivateKey(Ed25519KeyPair);

impl PrivateKey {
    /// Expands a key from its 32-byte seed, which RFC 8032 calls the private key.
    ///
    /// # Errors
    /// `InvalidKey` for other lengths.
    pub(crate) fn from_seed(seed: &[u8]) -> Result<Self> {
        let _inside = enter();
        if seed.len() != KEY_LEN {
            return Err(Error::new(
                ErrorKind::InvalidKey,
                "An Ed25519 private key is a seed of 32 bytes; export the key again.",
            ));
        }
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| library_failed())
    }

    /// The public key.
    pub(crate) fn public(&self) -> [u8; KEY_LEN] {
        let mut out = [0; KEY_LEN];
        out.copy_from_slice(self.0.public_key().as_ref());
        out
    }

    /// Writes the signature of `msg` to the front of `out` and returns its length.
    pub(crate) fn sign(&self, msg: &[u8], out: &mut [u8]) -> Result<usize> {
        let _inside = enter();
        let out = out.get_mut(..SIGNATURE_LEN).ok_or_else(buffer_too_short)?;
        let sig = self.0.try_sign(msg).map_err(|_| library_failed())?;
        out.copy_from_slice(sig.as_ref());
        Ok(SIGNATURE_LEN)
    }
}

/// Generates a key; returns its seed.
pub(crate) fn generate() -> Result<Secret> {
    let _inside = enter();
    let pair = Ed25519KeyPair::generate().map_err(|_| library_failed())?;
    let document = pair.to_pkcs8v1().map_err(|_| library_failed())?;
    // RFC 8410 section 7: the document ends with the seed's OCTET STRING.
    match document.as_ref().last_chunk::<34>() {
        Some([4, 32, seed @ ..]) => Ok(Secret::new(seed.to_vec())),
        _ => Err(library_failed()),
    }
}

/// AWS-LC takes any 32 bytes when it loads a key, and points of small order ever after; this does
/// not.
fn check_point(bytes: &[u8; KEY_LEN]) -> Result<()> {
    let encoded = CompressedEdwardsY(*bytes);
    let point = encoded.decompress().filter(|point| point.compress() == encoded);
    if point.ok_or_else(invalid_point)?.is_small_order() {
        return Err(Error::new(
            ErrorKind::WeakKey,
            "The Ed25519 public key is a point of small order, for which anyone can sign; replace it.",
        ));
    }
    Ok(())
}

#[cold]
const fn invalid_point() -> Error {
    Error::new(
        ErrorKind::InvalidKey,
        "The Ed25519 public key is not a point in its 32-byte encoding; export the key again.",
    )
}
