//! A key's numbers: what was read, and what `crypto` made of them.
//!
//! [`Parts`] are the numbers as every format carries them, kept for export. [`Engine`] holds the
//! same numbers parsed for use with exactly one algorithm; making one is where points off the curve
//! and private parts that do not belong to the public ones are refused.

use super::alg::{Alg, Family};
use super::strength;
use crate::base::secret::Secret;
use crate::crypto::{
    Curve, MAX_SIGNATURE_LEN, MlDsa, constant_time_eq, ecdsa, eddsa, hmac, mldsa, rsa,
};
use crate::error::{Error, ErrorKind, Result};

/// The numbers of one key; private ones are wiped when dropped.
pub(super) enum Parts {
    Symmetric {
        secret: Secret,
    },
    Rsa {
        /// Big-endian, without leading zeros.
        n: Vec<u8>,
        e: Vec<u8>,
        /// `RSAPrivateKey` in DER (RFC 8017 appendix A.1.2).
        private: Option<Secret>,
    },
    Ec {
        curve: Curve,
        /// Uncompressed: `04 || x || y`.
        point: Vec<u8>,
        /// As long as a coordinate.
        private: Option<Secret>,
    },
    Ed25519 {
        public: Vec<u8>,
        seed: Option<Secret>,
    },
    MlDsa {
        set: MlDsa,
        public: Vec<u8>,
        seed: Option<Secret>,
    },
}

impl Parts {
    /// True for symmetric keys, too.
    pub(super) fn is_private(&self) -> bool {
        match self {
            Self::Symmetric { .. } => true,
            Self::Rsa { private, .. } | Self::Ec { private, .. } => private.is_some(),
            Self::Ed25519 { seed, .. } | Self::MlDsa { seed, .. } => seed.is_some(),
        }
    }

    /// Whether these are the same numbers, whichever halves are there.
    pub(super) fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Symmetric { secret }, Self::Symmetric { secret: other }) => {
                constant_time_eq(secret.expose(), other.expose())
            }
            (Self::Rsa { n, e, .. }, Self::Rsa { n: other_n, e: other_e, .. }) => {
                (n, e) == (other_n, other_e)
            }
            (
                Self::Ec { curve, point, .. },
                Self::Ec { curve: other_curve, point: other_point, .. },
            ) => (curve, point) == (other_curve, other_point),
            (Self::Ed25519 { public, .. }, Self::Ed25519 { public: other, .. }) => public == other,
            (Self::MlDsa { public, .. }, Self::MlDsa { public: other, .. }) => public == other,
            _ => false,
        }
    }

    /// The public half; a symmetric key has none.
    pub(super) fn public(&self) -> Option<Self> {
        Some(match self {
            Self::Symmetric { .. } => return None,
            Self::Rsa { n, e, .. } => Self::Rsa { n: n.clone(), e: e.clone(), private: None },
            Self::Ec { curve, point, .. } => {
                Self::Ec { curve: *curve, point: point.clone(), private: None }
            }
            Self::Ed25519 { public, .. } => Self::Ed25519 { public: public.clone(), seed: None },
            Self::MlDsa { set, public, .. } => {
                Self::MlDsa { set: *set, public: public.clone(), seed: None }
            }
        })
    }

    /// The algorithm, where only one fits (Ed25519 goes by the name most peers know).
    pub(super) fn only_alg(&self) -> Option<Alg> {
        Some(match self {
            Self::Symmetric { .. } | Self::Rsa { .. } => return None,
            Self::Ec { curve: Curve::P256, .. } => Alg::Es256,
            Self::Ec { curve: Curve::P384, .. } => Alg::Es384,
            Self::Ec { curve: Curve::P521, .. } => Alg::Es512,
            Self::Ec { curve: Curve::Secp256k1, .. } => Alg::Es256k,
            Self::Ed25519 { .. } => Alg::EdDsa,
            Self::MlDsa { set: MlDsa::L44, .. } => Alg::MlDsa44,
            Self::MlDsa { set: MlDsa::L65, .. } => Alg::MlDsa65,
            Self::MlDsa { set: MlDsa::L87, .. } => Alg::MlDsa87,
        })
    }

    /// Whether a key of this type and curve can work with the algorithm.
    pub(super) fn fit(&self, alg: Alg) -> bool {
        match self.only_alg() {
            Some(only) => only.same_algorithm(alg),
            None => match self {
                Self::Symmetric { .. } => alg.is_symmetric(),
                _ => matches!(alg.family(), Family::Rsa(_)),
            },
        }
    }

    /// `x` and `y` of an elliptic curve point.
    pub(super) fn coordinates(point: &[u8]) -> (&[u8], &[u8]) {
        let xy = point.get(1..).unwrap_or_default();
        xy.split_at(xy.len() / 2)
    }
}

/// The numbers, parsed once for one algorithm.
#[expect(clippy::large_enum_variant, reason = "it lives behind an Arc, and HMAC is the hottest")]
pub(super) enum Engine {
    Hmac(hmac::Key),
    Rsa(rsa::PublicKey, Option<rsa::PrivateKey>),
    Ec(Curve, ecdsa::PublicKey, Option<ecdsa::PrivateKey>),
    Ed25519(eddsa::PublicKey, Option<eddsa::PrivateKey>),
    MlDsa(MlDsa, mldsa::PublicKey, Option<mldsa::PrivateKey>),
}

impl Engine {
    /// Refuses what is weak, what does not belong together and what is no key at all.
    pub(super) fn new(parts: &Parts, alg: Alg, allow_weak: bool) -> Result<Self> {
        Ok(match (parts, alg.family()) {
            (Parts::Symmetric { secret }, Family::Hmac(hash)) => {
                strength::check_secret(secret.expose(), hash, allow_weak)?;
                Self::Hmac(hmac::Key::new(hash, secret.expose()))
            }
            (Parts::Rsa { n, e, private }, Family::Rsa(scheme)) => {
                let public = rsa::PublicKey::new(scheme, n, e, allow_weak)?;
                strength::refuse_roca(n)?;
                let private =
                    private.as_ref().map(|der| rsa::PrivateKey::from_pkcs1(scheme, der.expose()));
                Self::Rsa(public, private.transpose()?)
            }
            (Parts::Ec { curve, point, private }, Family::Ec(_)) => {
                let public = ecdsa::PublicKey::new(*curve, point)?;
                let private =
                    private.as_ref().map(|d| ecdsa::PrivateKey::new(*curve, d.expose(), point));
                Self::Ec(*curve, public, private.transpose()?)
            }
            (Parts::Ed25519 { public, seed }, Family::Ed25519) => {
                let private = seed.as_ref().map(|s| eddsa::PrivateKey::from_seed(s.expose()));
                let private = private.transpose()?;
                if private.as_ref().is_some_and(|key| key.public()[..] != public[..]) {
                    return Err(MISMATCH);
                }
                Self::Ed25519(eddsa::PublicKey::new(public)?, private)
            }
            (Parts::MlDsa { set, public, seed }, Family::MlDsa(_)) => {
                let private = seed.as_ref().map(|s| mldsa::PrivateKey::from_seed(*set, s.expose()));
                let private = private.transpose()?;
                if private.as_ref().is_some_and(|key| key.public()[..] != public[..]) {
                    return Err(MISMATCH);
                }
                Self::MlDsa(*set, mldsa::PublicKey::new(*set, public)?, private)
            }
            _ => return Err(NOT_FIT),
        })
    }

    /// Hands the signature of `message` to `f`; it lives on the stack.
    pub(super) fn sign_with<R>(&self, message: &[u8], f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        match self {
            Self::Hmac(key) => Ok(f(key.sign(message, &mut [0; 64]))),
            Self::Rsa(_, Some(key)) => {
                let mut out = [0; MAX_MODULUS];
                let len = key.sign(message, &mut out)?;
                Ok(f(out.get(..len).unwrap_or_default()))
            }
            Self::Ec(_, _, Some(key)) => {
                let mut out = [0; 132];
                let len = key.sign(message, &mut out)?;
                Ok(f(out.get(..len).unwrap_or_default()))
            }
            Self::Ed25519(_, Some(key)) => {
                let mut out = [0; 64];
                let len = key.sign(message, &mut out)?;
                Ok(f(out.get(..len).unwrap_or_default()))
            }
            Self::MlDsa(_, _, Some(key)) => {
                let mut out = [0; MAX_SIGNATURE_LEN];
                let len = key.sign(message, &mut out)?;
                Ok(f(out.get(..len).unwrap_or_default()))
            }
            _ => Err(PUBLIC),
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => key.verify(message, signature),
            Self::Rsa(key, _) => key.verify(message, signature),
            Self::Ec(_, key, _) => key.verify(message, signature),
            Self::Ed25519(key, _) => key.verify(message, signature),
            Self::MlDsa(_, key, _) => key.verify(message, signature),
        }
    }

    /// The length of every signature of this key.
    pub(super) fn signature_len(&self, alg: Alg) -> usize {
        match self {
            Self::Hmac(_) => match alg.family() {
                Family::Hmac(hash) => hash.len(),
                _ => 0,
            },
            Self::Rsa(key, _) => key.modulus_len(),
            Self::Ec(curve, ..) => 2 * curve.coordinate_len(),
            Self::Ed25519(..) => 64,
            Self::MlDsa(set, ..) => set.signature_len(),
        }
    }
}

/// The bytes of the longest RSA signature: 8192 bits.
const MAX_MODULUS: usize = 1024;

const MISMATCH: Error = Error::new(
    ErrorKind::KeyPairMismatch,
    "The private part of the key does not belong to its public part.",
);

const NOT_FIT: Error = Error::new(
    ErrorKind::InvalidKey,
    "The algorithm needs a key of another type or curve; name the algorithm of this key.",
);

const PUBLIC: Error =
    Error::new(ErrorKind::KeyUsage, "A public key cannot sign; use the private key.");
