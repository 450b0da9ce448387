//! ML-DSA with an empty context string (FIPS 204 sections 5.2 and 5.3; RFC 9964).
//!
//! Private keys are 32-byte seeds; the expanded form is refused by its length.

use super::{MlDsa, buffer_too_short, library_failed};
use crate::base::process::enter;
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use aws_lc_rs::encoding::AsRawBytes as _;
use aws_lc_rs::signature::{
    self, KeyPair, ParsedPublicKey, PqdsaKeyPair, PqdsaSigningAlgorithm, PqdsaVerificationAlgorithm,
};

/// The length in bytes of a seed, which FIPS 204 calls xi.
pub(crate) const SEED_LEN: usize = 32;

impl MlDsa {
    fn verification(self) -> &'static PqdsaVerificationAlgorithm {
        match self {
            Self::L44 => &signature::ML_DSA_44,
            Self::L65 => &signature::ML_DSA_65,
            Self::L87 => &signature::ML_DSA_87,
        }
    }

    fn signing(self) -> &'static PqdsaSigningAlgorithm {
        match self {
            Self::L44 => &signature::ML_DSA_44_SIGNING,
            Self::L65 => &signature::ML_DSA_65_SIGNING,
            Self::L87 => &signature::ML_DSA_87_SIGNING,
        }
    }
}

/// A public key.
pub(crate) struct PublicKey {
    key: ParsedPublicKey,
    signature_len: usize,
}

impl PublicKey {
    /// Prepares a key from its encoding (FIPS 204 section 7.2).
    ///
    /// # Errors
    /// `InvalidKey` for other lengths; every string of the right length is a public key.
    pub(crate) fn new(set: MlDsa, public: &[u8]) -> Result<Self> {
        let _inside = enter();
        let invalid = || {
            Error::new(
                ErrorKind::InvalidKey,
                "The ML-DSA public key does not have its set's length; check the algorithm.",
            )
        };
        // The library would also take a whole SubjectPublicKeyInfo document.
        if public.len() != set.public_len() {
            return Err(invalid());
        }
        let key = ParsedPublicKey::new(set.verification(), public).map_err(|_| invalid())?;
        Ok(Self { key, signature_len: set.signature_len() })
    }

    /// Whether `sig` is a signature of `msg`.
    pub(crate) fn verify(&self, msg: &[u8], sig: &[u8]) -> bool {
        let _inside = enter();
        sig.len() == self.signature_len && self.key.verify_sig(msg, sig).is_ok()
    }
}

/// A private key.
pub(crate) struct PrivateKey(PqdsaKeyPair);

impl PrivateKey {
    /// Expands a key from its 32-byte seed.
    ///
    /// # Errors
    /// `InvalidKey` for other lengths.
    pub(crate) fn from_seed(set: MlDsa, seed: &[u8]) -> Result<Self> {
        let _inside = enter();
        if seed.len() != SEED_LEN {
            return Err(Error::new(
                ErrorKind::InvalidKey,
                "An ML-DSA private key is a seed of 32 bytes; export the key in its seed form.",
            ));
        }
        PqdsaKeyPair::from_seed(set.signing(), seed).map(Self).map_err(|_| library_failed())
    }

    /// The public key.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    /// Whether `expanded` is this key's expanded form (FIPS 204 section 5.1).
    pub(crate) fn expands_to(&self, expanded: &[u8]) -> bool {
        let own = self.0.private_key().as_raw_bytes();
        own.is_ok_and(|own| super::constant_time_eq(own.as_ref(), expanded))
    }

    /// Writes the signature of `msg` to the front of `out` and returns its length.
    pub(crate) fn sign(&self, msg: &[u8], out: &mut [u8]) -> Result<usize> {
        let _inside = enter();
        if out.len() < self.0.algorithm().signature_len() {
            return Err(buffer_too_short());
        }
        self.0.sign(msg, out).map_err(|_| library_failed())
    }
}

/// Generates a key; returns its seed.
pub(crate) fn generate(set: MlDsa) -> Result<Secret> {
    let _inside = enter();
    let pair = PqdsaKeyPair::generate(set.signing()).map_err(|_| library_failed())?;
    let document = pair.to_pkcs8v1().map_err(|_| library_failed())?;
    // RFC 9881 section 6: the document ends with the seed under the tag [0].
    match document.as_ref().last_chunk::<34>() {
        Some([0x80, 32, seed @ ..]) => Ok(Secret::new(seed.to_vec())),
        _ => Err(library_failed()),
    }
}
