//! Layer 1: bytes in, bytes out. The only folder that names the crypto library (`aws_lc_rs`).
//!
//! One submodule per family: [`hmac`] (RFC 2104), [`rsa`] (RFC 8017), [`ecdsa`] (FIPS 186-5),
//! [`eddsa`] (RFC 8032), [`mldsa`] (FIPS 204), [`hash`] (FIPS 180-4), [`slow`] (RFC 9106, RFC
//! 8018), [`passphrase`] (RFC 8018, RFC 7914), [`aead`] (SP 800-38D). In all of them a key is
//! parsed and checked once, at construction; `verify` allocates nothing here and answers a plain
//! `bool`; `sign` writes into the caller's buffer. A signature of any length but the algorithm's
//! own is refused before any arithmetic. Nothing here knows JSON, claims or time. What may take one
//! of the library's locks happens inside [`enter`](crate::base::process::enter), so that a fork
//! copies none that is held.

pub(crate) mod aead;
pub(crate) mod ecdsa;
pub(crate) mod eddsa;
pub(crate) mod hash;
pub(crate) mod hmac;
pub(crate) mod mldsa;
pub(crate) mod passphrase;
pub(crate) mod random;
pub(crate) mod rsa;
pub(crate) mod rsa_numbers;
pub(crate) mod slow;
#[cfg(any(feature = "http", feature = "postgres", feature = "redis"))]
pub(crate) mod tls;

#[cfg(test)]
mod tests;

use crate::error::{Error, ErrorKind};
use subtle::ConstantTimeEq as _;

/// The length of the longest signature there is: ML-DSA-87 (RSA-8192 has 1024 bytes).
pub(crate) const MAX_SIGNATURE_LEN: usize = 4627;

/// The SHA-2 functions that JOSE signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// The digest's length in bytes.
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// The ECDSA curves; each implies its hash (RFC 7518 section 3.4, RFC 8812 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    /// The length in bytes of one coordinate, and of the private scalar.
    pub(crate) const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The length in bytes of an uncompressed point: `04 || x || y`.
    pub(crate) const fn point_len(self) -> usize {
        1 + 2 * self.coordinate_len()
    }

    /// The length in bytes of a signature: `r || s`.
    pub(crate) const fn signature_len(self) -> usize {
        2 * self.coordinate_len()
    }
}

/// The ML-DSA parameter sets (FIPS 204 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MlDsa {
    L44,
    L65,
    L87,
}

impl MlDsa {
    /// The length in bytes of a public key.
    pub(crate) const fn public_len(self) -> usize {
        match self {
            Self::L44 => 1312,
            Self::L65 => 1952,
            Self::L87 => 2592,
        }
    }

    /// The length in bytes of a signature.
    pub(crate) const fn signature_len(self) -> usize {
        match self {
            Self::L44 => 2420,
            Self::L65 => 3309,
            Self::L87 => MAX_SIGNATURE_LEN,
        }
    }
}

/// Compares in a time that depends on the lengths alone. Secrets are compared by this or the next,
/// and by nothing else (`tests/layers.rs`).
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// The same for two MACs that are kept as words. Apart for speed: at each API key AWS-LC's loop
/// over bytes would cost 20 ns more than this, which costs about 6 ns more than a compare that a
/// compiler may shorten (2026-11, x86-64).
#[inline]
pub(crate) fn constant_time_eq_words(a: &[u64; 4], b: &[u64; 4]) -> bool {
    a.ct_eq(b).into()
}

/// The crypto library refused something that was checked before it was asked.
#[cold]
const fn library_failed() -> Error {
    Error::new(ErrorKind::Internal, "The crypto library refused a valid request; please report it.")
}

/// The caller's buffer cannot hold the signature: a defect of the caller inside this crate.
#[cold]
const fn buffer_too_short() -> Error {
    Error::new(ErrorKind::Internal, "A signature buffer is too short; please report it.")
}
