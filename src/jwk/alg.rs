//! `Alg`: the signature and MAC algorithms (RFC 7518 section 3.1, RFC 8037, RFC 8812, RFC 9864,
//! RFC 9964).
//!
//! Names are compared byte by byte, case included (RFC 7515 section 4.1.1). `none` is not an
//! algorithm here; it is refused like every unknown name.

use crate::crypto::rsa::Scheme;
use crate::crypto::{Curve, Hash, MlDsa};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// A signature or MAC algorithm. Its number is the same in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Alg {
    /// HMAC with SHA-256
    Hs256 = 1,
    /// HMAC with SHA-384
    Hs384 = 2,
    /// HMAC with SHA-512
    Hs512 = 3,
    /// RSASSA-PKCS1-v1_5 with SHA-256
    Rs256 = 4,
    /// RSASSA-PKCS1-v1_5 with SHA-384
    Rs384 = 5,
    /// RSASSA-PKCS1-v1_5 with SHA-512
    Rs512 = 6,
    /// RSASSA-PSS with SHA-256
    Ps256 = 7,
    /// RSASSA-PSS with SHA-384
    Ps384 = 8,
    /// RSASSA-PSS with SHA-512
    Ps512 = 9,
    /// ECDSA on P-256 with SHA-256
    Es256 = 10,
    /// ECDSA on P-384 with SHA-384
    Es384 = 11,
    /// ECDSA on P-521 with SHA-512
    Es512 = 12,
    /// ECDSA on secp256k1 with SHA-256 (RFC 8812)
    Es256k = 13,
    /// Ed25519 under the name of RFC 8037
    EdDsa = 14,
    /// Ed25519 under the name of RFC 9864; the same algorithm as [`Alg::EdDsa`]
    Ed25519 = 15,
    /// ML-DSA-44 (RFC 9964)
    MlDsa44 = 16,
    /// ML-DSA-65 (RFC 9964)
    MlDsa65 = 17,
    /// ML-DSA-87 (RFC 9964)
    MlDsa87 = 18,
}

impl Alg {
    /// Every algorithm, in ascending order of its number.
    pub const ALL: &'static [Self] = &[
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Es256k,
        Self::EdDsa,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The name that stands in a token's `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Es256k => "ES256K",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// The algorithm with this name.
    ///
    /// # Errors
    /// `InvalidArgument`: the name is unknown; names are case-sensitive, and `none` is refused.
    ///
    /// ```
    /// use gatekey::Alg;
    /// assert_eq!(Alg::from_name("ES256")?, Alg::Es256);
    /// assert!(Alg::from_name("none").is_err());
    /// # Ok::<(), gatekey::Error>(())
    /// ```
    pub fn from_name(name: &str) -> Result<Self> {
        Self::from_bytes(name.as_bytes()).ok_or_else(|| UNSUPPORTED.about_claim("alg"))
    }

    /// The algorithm with this name, for bytes that need not be text.
    pub(crate) const fn from_bytes(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"HS256" => Self::Hs256,
            b"HS384" => Self::Hs384,
            b"HS512" => Self::Hs512,
            b"RS256" => Self::Rs256,
            b"RS384" => Self::Rs384,
            b"RS512" => Self::Rs512,
            b"PS256" => Self::Ps256,
            b"PS384" => Self::Ps384,
            b"PS512" => Self::Ps512,
            b"ES256" => Self::Es256,
            b"ES384" => Self::Es384,
            b"ES512" => Self::Es512,
            b"ES256K" => Self::Es256k,
            b"EdDSA" => Self::EdDsa,
            b"Ed25519" => Self::Ed25519,
            b"ML-DSA-44" => Self::MlDsa44,
            b"ML-DSA-65" => Self::MlDsa65,
            b"ML-DSA-87" => Self::MlDsa87,
            _ => return None,
        })
    }

    /// The stable number.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The algorithm with this number, if there is one.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|alg| alg.code() == code)
    }

    /// Whether signer and verifier share one secret (HS256, HS384, HS512).
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// Whether a token whose `alg` is `name` is signed with this algorithm: its own name, and for
    /// Ed25519 both of its names (RFC 8037, RFC 9864).
    #[must_use]
    pub fn accepts_name(&self, name: &[u8]) -> bool {
        Self::from_bytes(name).is_some_and(|other| self.same_algorithm(other))
    }

    /// Whether both mean the same algorithm: equal, or the two names of Ed25519.
    #[must_use]
    pub const fn same_algorithm(self, other: Self) -> bool {
        self.code() == other.code() || self.is_ed25519() && other.is_ed25519()
    }

    const fn is_ed25519(self) -> bool {
        matches!(self, Self::EdDsa | Self::Ed25519)
    }

    /// The SHA-2 function that what is signed goes through first, if there is one.
    pub(super) const fn hash(self) -> Option<Hash> {
        match self.family() {
            Family::Hmac(hash) | Family::Rsa(Scheme::Pkcs1(hash) | Scheme::Pss(hash)) => Some(hash),
            Family::Ec(Curve::P256 | Curve::Secp256k1) => Some(Hash::Sha256),
            Family::Ec(Curve::P384) => Some(Hash::Sha384),
            Family::Ec(Curve::P521) => Some(Hash::Sha512),
            Family::Ed25519 | Family::MlDsa(_) => None,
        }
    }

    /// What the algorithm asks of a key.
    pub(super) const fn family(self) -> Family {
        match self {
            Self::Hs256 => Family::Hmac(Hash::Sha256),
            Self::Hs384 => Family::Hmac(Hash::Sha384),
            Self::Hs512 => Family::Hmac(Hash::Sha512),
            Self::Rs256 => Family::Rsa(Scheme::Pkcs1(Hash::Sha256)),
            Self::Rs384 => Family::Rsa(Scheme::Pkcs1(Hash::Sha384)),
            Self::Rs512 => Family::Rsa(Scheme::Pkcs1(Hash::Sha512)),
            Self::Ps256 => Family::Rsa(Scheme::Pss(Hash::Sha256)),
            Self::Ps384 => Family::Rsa(Scheme::Pss(Hash::Sha384)),
            Self::Ps512 => Family::Rsa(Scheme::Pss(Hash::Sha512)),
            Self::Es256 => Family::Ec(Curve::P256),
            Self::Es384 => Family::Ec(Curve::P384),
            Self::Es512 => Family::Ec(Curve::P521),
            Self::Es256k => Family::Ec(Curve::Secp256k1),
            Self::EdDsa | Self::Ed25519 => Family::Ed25519,
            Self::MlDsa44 => Family::MlDsa(MlDsa::L44),
            Self::MlDsa65 => Family::MlDsa(MlDsa::L65),
            Self::MlDsa87 => Family::MlDsa(MlDsa::L87),
        }
    }
}

impl fmt::Display for Alg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const UNSUPPORTED: Error = Error::new(
    ErrorKind::InvalidArgument,
    "There is no algorithm of this name (`alg`): HS256, RS256 and PS256, each also 384 and 512; ES256, ES384, ES512, ES256K; EdDSA, \
     Ed25519; ML-DSA-44, -65, -87; letter case counts.",
);

/// The kind of key an algorithm works with, and how.
#[derive(Clone, Copy)]
pub(super) enum Family {
    Hmac(Hash),
    Rsa(Scheme),
    Ec(Curve),
    Ed25519,
    MlDsa(MlDsa),
}
