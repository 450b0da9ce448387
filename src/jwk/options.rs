//! `KeyOptions`: what to say about a key before it is loaded.

use super::alg::Alg;
use super::der;
use super::import::{self, MAX_BINARY};
use super::key::Key;
use super::material::Parts;
use super::pem;
use super::stated::{Stated, is_kid};
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};

/// How to load or make a key: its algorithm, its `kid`, its passphrase, and the one escape from the
/// strength rules.
///
/// ```
/// use gatekey::Alg;
/// use gatekey::jwk::KeyOptions;
/// let key = KeyOptions::new().alg(Alg::Es256).kid("2026-11").generate()?;
/// assert_eq!(key.kid(), "2026-11");
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyOptions {
    alg: Option<Alg>,
    kid: Option<String>,
    passphrase: Option<Secret>,
    allow_weak: bool,
}

impl KeyOptions {
    /// No algorithm, no `kid`, no weakness.
    #[must_use]
    pub const fn new() -> Self {
        Self { alg: None, kid: None, passphrase: None, allow_weak: false }
    }

    /// Binds the key to this algorithm. A JWK whose own `alg` says otherwise is refused.
    #[must_use]
    pub const fn alg(mut self, alg: Alg) -> Self {
        self.alg = Some(alg);
        self
    }

    /// Names the key, whatever name it carries itself. 1 to 256 bytes without control characters,
    /// checked when it is loaded.
    #[must_use]
    pub fn kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// The passphrase of an encrypted private key: PKCS#8 under PBES2, or OpenSSH's format. 1 to
    /// 1024 bytes, wiped with the last copy of the options. A key that is not encrypted is read
    /// without it.
    ///
    /// The cost that the key asks for is bounded: 10,000,000 iterations of PBKDF2, 256 MiB of
    /// scrypt, 1000 rounds of bcrypt. Up to that, reading may take some ten seconds.
    #[must_use]
    pub fn passphrase(mut self, passphrase: impl AsRef<[u8]>) -> Self {
        self.passphrase = Some(Secret::new(passphrase.as_ref().to_vec()));
        self
    }

    /// Accepts legacy keys: HMAC secrets of any length but zero, and RSA public keys of 1024 to
    /// 2047 bits, to verify only.
    ///
    /// # Security
    /// Such keys can be guessed or factored. Secrets that look like a key in disguise, ROCA moduli
    /// and everything malformed are refused even so.
    #[must_use]
    pub const fn danger_allow_weak(mut self) -> Self {
        self.allow_weak = true;
        self
    }

    /// A key for HS256, HS384 or HS512; see [`Key::from_secret`].
    ///
    /// # Errors
    /// As [`Key::from_secret`]; `AlgorithmRequired` if [`Self::alg`] was not called.
    pub fn from_secret(&self, secret: &[u8]) -> Result<Key> {
        let alg = self.alg.ok_or(ALG_REQUIRED)?;
        if !alg.is_symmetric() {
            return Err(NOT_SYMMETRIC);
        }
        if secret.len() > MAX_BINARY {
            return Err(TOO_LARGE);
        }
        self.build(Parts::Symmetric { secret: Secret::new(secret.to_vec()) }, Stated::default())
    }

    /// A key from PEM; see [`Key::from_pem`].
    ///
    /// # Errors
    /// As [`Key::from_pem`].
    pub fn from_pem(&self, pem: &[u8]) -> Result<Key> {
        if pem.len() > MAX_BINARY {
            return Err(TOO_LARGE);
        }
        let (parts, stated) = pem::read(pem, self.passphrase.as_ref())?;
        self.build(parts, stated)
    }

    /// A key from DER; see [`Key::from_der`].
    ///
    /// # Errors
    /// As [`Key::from_der`].
    pub fn from_der(&self, der: &[u8]) -> Result<Key> {
        if der.len() > MAX_BINARY {
            return Err(TOO_LARGE);
        }
        let (parts, stated) = der::read_any(der, self.passphrase.as_ref())?;
        self.build(parts, stated)
    }

    /// A key from a JWK; see [`Key::from_jwk`].
    ///
    /// # Errors
    /// As [`Key::from_jwk`].
    pub fn from_jwk(&self, json: &[u8]) -> Result<Key> {
        let (parts, stated) = import::read_text(json)?;
        self.build(parts, stated)
    }

    /// A new key; see [`Key::generate`].
    ///
    /// # Errors
    /// As [`Key::generate`]; `AlgorithmRequired` if [`Self::alg`] was not called.
    pub fn generate(&self) -> Result<Key> {
        let key = Key::generate(self.alg.ok_or(ALG_REQUIRED)?)?;
        match &self.kid {
            Some(kid) => key.with_kid(kid),
            None => Ok(key),
        }
    }

    /// Binds parts that have been read to the algorithm, which must be unique.
    pub(super) fn build(&self, parts: Parts, mut stated: Stated) -> Result<Key> {
        let alg = match (stated.alg, self.alg) {
            (Some(own), Some(asked)) if !own.same_algorithm(asked) => {
                return Err(CONTRADICTION.seeing("alg", Some(own.name())));
            }
            (_, Some(asked)) => asked,
            (Some(own), None) => own,
            (None, None) if matches!(parts, Parts::Symmetric { .. }) => {
                return Err(HMAC_ALG_REQUIRED);
            }
            (None, None) if stated.pss_only => return Err(PSS_ALG_REQUIRED),
            (None, None) => parts.only_alg().ok_or(ALG_REQUIRED)?,
        };
        if stated.pss_only && !matches!(alg, Alg::Ps256 | Alg::Ps384 | Alg::Ps512) {
            return Err(PSS_ONLY);
        }
        if let Some(kid) = &self.kid {
            if !is_kid(kid) {
                return Err(Key::BAD_KID);
            }
            stated.kid = Some(kid.clone());
        }
        Key::build(parts, alg, stated, self.allow_weak)
    }
}

const TOO_LARGE: Error =
    Error::new(ErrorKind::InvalidKey, "A key in PEM or DER, or a secret, may have at most 64 KiB.");

const ALG_REQUIRED: Error = Error::new(
    ErrorKind::AlgorithmRequired,
    "The key fits several algorithms: name the one it is for, such as RS256, when loading it (`alg`).",
);

const PSS_ALG_REQUIRED: Error = Error::new(
    ErrorKind::AlgorithmRequired,
    "The key is for RSASSA-PSS alone; name PS256, PS384 or PS512 when loading it.",
);

const PSS_ONLY: Error = Error::new(
    ErrorKind::KeyUsage,
    "The key itself says that it is for RSASSA-PSS alone, so for PS256, PS384 or PS512, and not for the algorithm asked \
     for.",
);

const HMAC_ALG_REQUIRED: Error = Error::new(
    ErrorKind::AlgorithmRequired,
    "A secret fits HS256, HS384 and HS512: name the one that it is for when loading it (`alg`).",
);

const NOT_SYMMETRIC: Error = Error::new(
    ErrorKind::InvalidArgument,
    "A secret is for HS256, HS384 or HS512 (`alg`); load other keys with from_pem, from_der or from_jwk.",
);

const CONTRADICTION: Error = Error::new(
    ErrorKind::KeyUsage,
    "The key itself says that it is for another algorithm than the one asked for (`alg`); leave that out, or name the key's.",
);
