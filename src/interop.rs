//! Keys to and from the `jsonwebtoken` crate (feature `jsonwebtoken`), so that a service on it can
//! share keys with gatekey and move over step by step. The only file that names its types.
//!
//! | gatekey | jsonwebtoken | how |
//! |---|---|---|
//! | [`Alg`] | [`Algorithm`] | `TryFrom`, both ways |
//! | [`Key`] | [`EncodingKey`] | `TryFrom<&Key>`; back with [`key_from_encoding`] |
//! | [`Key`] | [`DecodingKey`] | `TryFrom<&Key>`; back with [`key_from_decoding`] |
//! | [`Key`] | [`Jwk`] | `TryFrom`, both ways; public parts only |
//! | [`KeySet`] | [`JwkSet`] | `TryFrom`, both ways; public parts only |
//!
//! Refused: algorithms that crate lacks (ES512, ES256K, ML-DSA, and Ed25519 under its RFC 9864
//! name), and on the way in whatever gatekey refuses of any key: jsonwebtoken checks neither
//! strength nor `use`, `key_ops` and `alg`, so a key that works there may be refused here.
//!
//! ```
//! use gatekey::{Alg, Key};
//! use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
//!
//! let key = Key::generate(Alg::Es256)?;
//! let theirs = EncodingKey::try_from(&key)?;
//! let claims = serde_json::json!({"sub": "ada", "exp": 32503680000u64});
//! let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &theirs).unwrap();
//!
//! let verifier = gatekey::Verifier::with_key(&key, gatekey::Policy::new())?;
//! assert_eq!(verifier.verify(&token)?.subject().as_deref(), Some("ada"));
//!
//! let validation = Validation::new(Algorithm::ES256);
//! let read = jsonwebtoken::decode::<serde_json::Value>(&token, &DecodingKey::try_from(&key)?, &validation);
//! assert_eq!(read.unwrap().claims["sub"], "ada");
//!
//! let back = gatekey::interop::key_from_encoding(&theirs, Alg::Es256)?;
//! assert_eq!(back.thumbprint(), key.thumbprint());
//! # Ok::<(), gatekey::Error>(())
//! ```

use crate::base::{b64, json, secret::Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key, KeySet};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};

const UNSUPPORTED: Error = Error::new(
    ErrorKind::UnsupportedAlgorithm,
    "jsonwebtoken has no such algorithm; it knows HS, RS and PS 256 to 512, ES256, ES384 and EdDSA.",
);
const ED25519_NAME: Error = Error::new(
    ErrorKind::UnsupportedAlgorithm,
    "jsonwebtoken knows Ed25519 only by the header name EdDSA; bind the key to Alg::EdDsa.",
);
const NEW_THERE: Error = Error::new(
    ErrorKind::UnsupportedAlgorithm,
    "This jsonwebtoken algorithm is newer than this release of gatekey.",
);
const NOT_TAKEN: Error = Error::new(
    ErrorKind::InvalidKey,
    "jsonwebtoken did not take the key; report it with the kind of key.",
);
const NOT_RAW: Error = Error::new(
    ErrorKind::InvalidKey,
    "The DecodingKey does not hold a public key in the form its family uses.",
);
const WRONG_FAMILY: Error = Error::new(
    ErrorKind::InvalidAlgorithm,
    "The algorithm named does not belong to the family of the jsonwebtoken key.",
);

impl TryFrom<Alg> for Algorithm {
    type Error = Error;

    /// # Errors
    /// `UnsupportedAlgorithm`: jsonwebtoken does not have it.
    fn try_from(alg: Alg) -> Result<Self> {
        Ok(match alg {
            Alg::Hs256 => Self::HS256,
            Alg::Hs384 => Self::HS384,
            Alg::Hs512 => Self::HS512,
            Alg::Rs256 => Self::RS256,
            Alg::Rs384 => Self::RS384,
            Alg::Rs512 => Self::RS512,
            Alg::Ps256 => Self::PS256,
            Alg::Ps384 => Self::PS384,
            Alg::Ps512 => Self::PS512,
            Alg::Es256 => Self::ES256,
            Alg::Es384 => Self::ES384,
            Alg::EdDsa => Self::EdDSA,
            Alg::Ed25519 => return Err(ED25519_NAME),
            Alg::Es512 | Alg::Es256k | Alg::MlDsa44 | Alg::MlDsa65 | Alg::MlDsa87 => {
                return Err(UNSUPPORTED);
            }
        })
    }
}

impl TryFrom<Algorithm> for Alg {
    type Error = Error;

    /// # Errors
    /// `UnsupportedAlgorithm`: an algorithm that a later jsonwebtoken has added.
    fn try_from(algorithm: Algorithm) -> Result<Self> {
        Ok(match algorithm {
            Algorithm::HS256 => Self::Hs256,
            Algorithm::HS384 => Self::Hs384,
            Algorithm::HS512 => Self::Hs512,
            Algorithm::RS256 => Self::Rs256,
            Algorithm::RS384 => Self::Rs384,
            Algorithm::RS512 => Self::Rs512,
            Algorithm::PS256 => Self::Ps256,
            Algorithm::PS384 => Self::Ps384,
            Algorithm::PS512 => Self::Ps512,
            Algorithm::ES256 => Self::Es256,
            Algorithm::ES384 => Self::Es384,
            Algorithm::EdDSA => Self::EdDsa,
            _ => return Err(NEW_THERE),
        })
    }
}

impl TryFrom<&Key> for EncodingKey {
    type Error = Error;

    /// # Errors
    /// `UnsupportedAlgorithm`; `KeyUsage`: the key is public.
    ///
    /// # Security
    /// The copy is wiped when it is dropped, but it no longer knows its algorithm: take it from
    /// [`Key::alg`] when filling the header.
    fn try_from(key: &Key) -> Result<Self> {
        match Algorithm::try_from(key.alg())?.family() {
            AlgorithmFamily::Hmac => Ok(Self::from_secret(hmac_secret(key)?.expose())),
            AlgorithmFamily::Rsa => {
                Self::from_rsa_pem(key.to_private_pem()?.expose()).map_err(|_| NOT_TAKEN)
            }
            AlgorithmFamily::Ec => {
                Self::from_ec_pem(key.to_private_pem()?.expose()).map_err(|_| NOT_TAKEN)
            }
            AlgorithmFamily::Ed => {
                Self::from_ed_pem(key.to_private_pem()?.expose()).map_err(|_| NOT_TAKEN)
            }
        }
    }
}

impl TryFrom<&Key> for DecodingKey {
    type Error = Error;

    /// # Errors
    /// `UnsupportedAlgorithm`
    ///
    /// # Security
    /// The copy no longer knows its algorithm: put exactly [`Key::alg`] into
    /// `Validation::algorithms`.
    fn try_from(key: &Key) -> Result<Self> {
        match Algorithm::try_from(key.alg())?.family() {
            AlgorithmFamily::Hmac => Ok(Self::from_secret(hmac_secret(key)?.expose())),
            AlgorithmFamily::Rsa => {
                Self::from_rsa_pem(key.to_pem()?.as_bytes()).map_err(|_| NOT_TAKEN)
            }
            AlgorithmFamily::Ec => {
                Self::from_ec_pem(key.to_pem()?.as_bytes()).map_err(|_| NOT_TAKEN)
            }
            AlgorithmFamily::Ed => {
                Self::from_ed_pem(key.to_pem()?.as_bytes()).map_err(|_| NOT_TAKEN)
            }
        }
    }
}

/// The key inside an [`EncodingKey`], bound to `alg`.
///
/// # Errors
/// `InvalidAlgorithm`: `alg` is of another family; else as [`Key::from_der`] and
/// [`Key::from_secret`].
pub fn key_from_encoding(key: &EncodingKey, alg: Alg) -> Result<Key> {
    same_family(alg, key.family())?;
    match key.family() {
        AlgorithmFamily::Hmac => Key::from_secret(key.as_bytes(), alg),
        AlgorithmFamily::Rsa | AlgorithmFamily::Ec | AlgorithmFamily::Ed => {
            Key::from_der(key.as_bytes(), Some(alg))
        }
    }
}

/// The public key, or HMAC secret, inside a [`DecodingKey`], bound to `alg`.
///
/// # Errors
/// `InvalidAlgorithm`: `alg` is of another family; else as [`Key::from_jwk`], [`Key::from_der`] and
/// [`Key::from_secret`].
pub fn key_from_decoding(key: &DecodingKey, alg: Alg) -> Result<Key> {
    same_family(alg, key.family())?;
    let jwk = match (key.family(), key.kind()) {
        (AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => {
            return Key::from_secret(secret, alg);
        }
        (AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(der)) => {
            return Key::from_der(der, Some(alg));
        }
        (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            serde_json::json!({"kty": "RSA", "n": b64::encode(n), "e": b64::encode(e)})
        }
        (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            let (x, y) = match point.split_first() {
                Some((4, xy)) => xy.split_at(xy.len() / 2),
                _ => return Key::from_der(point, Some(alg)),
            };
            let crv = if alg == Alg::Es384 { "P-384" } else { "P-256" };
            serde_json::json!({"kty": "EC", "crv": crv, "x": b64::encode(x), "y": b64::encode(y)})
        }
        (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(x)) => {
            serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": b64::encode(x)})
        }
        _ => return Err(NOT_RAW),
    };
    Key::from_jwk(jwk.to_string().as_bytes(), Some(alg))
}

impl TryFrom<&Key> for Jwk {
    type Error = Error;

    /// The public part, with `kid` and `alg`.
    ///
    /// # Errors
    /// `UnsupportedAlgorithm`; `KeyUsage`: a symmetric key has no public part.
    fn try_from(key: &Key) -> Result<Self> {
        Algorithm::try_from(key.alg())?;
        serde_json::from_str(&key.to_jwk()?).map_err(|_| NOT_TAKEN)
    }
}

impl TryFrom<&Jwk> for Key {
    type Error = Error;

    /// # Errors
    /// As [`Key::from_jwk`]; an RSA or symmetric key without `alg` is `AlgorithmRequired`.
    fn try_from(jwk: &Jwk) -> Result<Self> {
        let text = Secret::new(serde_json::to_vec(jwk).map_err(|_| ErrorKind::InvalidKey)?); // may hold a secret
        Self::from_jwk(text.expose(), None)
    }
}

impl TryFrom<&KeySet> for JwkSet {
    type Error = Error;

    /// # Errors
    /// `UnsupportedAlgorithm`: one of the keys is not for jsonwebtoken; `KeyUsage`: they are
    /// symmetric.
    fn try_from(set: &KeySet) -> Result<Self> {
        Ok(Self { keys: set.iter().map(Jwk::try_from).collect::<Result<_>>()? })
    }
}

impl TryFrom<&JwkSet> for KeySet {
    type Error = Error;

    /// # Errors
    /// As [`KeySet::from_jwks`]; members gatekey cannot use are skipped and counted.
    fn try_from(set: &JwkSet) -> Result<Self> {
        let text = Secret::new(serde_json::to_vec(set).map_err(|_| ErrorKind::InvalidKey)?); // may hold secrets
        Self::from_jwks(text.expose())
    }
}

fn hmac_secret(key: &Key) -> Result<Secret> {
    let jwk = key.to_private_jwk()?;
    let k = json::parse(jwk.expose())?
        .member("k")
        .and_then(|k| k.as_json_str())
        .ok_or(ErrorKind::Internal)?;
    Ok(Secret::new(b64::decode(k.raw().as_bytes())?))
}

fn same_family(alg: Alg, family: AlgorithmFamily) -> Result<()> {
    if Algorithm::try_from(alg)?.family() == family { Ok(()) } else { Err(WRONG_FAMILY) }
}
