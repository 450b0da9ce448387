//! `Key`: material bound to exactly one algorithm (RFC 8725 section 3.1 and its revision).
//!
//! A key that has been loaded is usable: its numbers have been checked and parsed, its permissions
//! are known, and neither a token's header nor a caller can make it work with another algorithm.

use super::alg::{Alg, Family};
use super::external::{self, External, ExternalSigner};
use super::material::{Engine, Parts};
use super::options::KeyOptions;
use super::stated::{Stated, is_kid};
use super::usage::Usage;
use super::{der, disguise, export, mistaken, pem, thumbprint};
use crate::base::random::SecureRandom as _;
use crate::base::secret::Secret;
use crate::crypto::random::SystemRandom;
use crate::crypto::{ecdsa, eddsa, mldsa, rsa};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::sync::Arc;

/// A key for exactly one algorithm. Cloning shares it; private parts are wiped with the last clone.
///
/// ```
/// use gatekey::{Alg, Key};
/// let key = Key::generate(Alg::Es256)?;
/// let public = Key::from_jwk(key.to_jwk()?.as_bytes(), None)?;
/// key.sign_with(b"message", |signature| public.verify_signature(b"message", signature))??;
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Key(Arc<Named>);

struct Named {
    kid: Box<str>,
    explicit_kid: bool,
    core: Arc<Core>,
}

struct Core {
    alg: Alg,
    usage: Usage,
    parts: Parts,
    engine: Engine,
    /// What signs for a public key, where its private half is not here.
    external: Option<External>,
}

impl Key {
    /// A new key. RSA keys have 2048 bits, secrets are as long as the hash.
    ///
    /// # Errors
    /// `RandomUnavailable`: the system's random number generator failed.
    pub fn generate(alg: Alg) -> Result<Self> {
        let parts = match alg.family() {
            Family::Rsa(_) => return Self::generate_rsa(alg, 2048),
            Family::Hmac(hash) => {
                let mut secret = zeroize::Zeroizing::new([0; 64]);
                let secret = secret.get_mut(..hash.len()).unwrap_or_default();
                SystemRandom.fill(secret)?;
                Parts::Symmetric { secret: Secret::new(secret.to_vec()) }
            }
            Family::Ec(curve) => {
                let (d, point) = ecdsa::generate(curve)?;
                Parts::Ec { curve, point, private: Some(d) }
            }
            Family::Ed25519 => {
                let seed = eddsa::generate()?;
                let public = eddsa::PrivateKey::from_seed(seed.expose())?.public().to_vec();
                Parts::Ed25519 { public, seed: Some(seed) }
            }
            Family::MlDsa(set) => {
                let seed = mldsa::generate(set)?;
                let public = mldsa::PrivateKey::from_seed(set, seed.expose())?.public();
                Parts::MlDsa { set, public, seed: Some(seed) }
            }
        };
        Self::build(parts, alg, Stated::default(), false)
    }

    /// A new RSA key of 2048, 3072, 4096 or 8192 bits. Long keys take seconds.
    ///
    /// # Errors
    /// `InvalidArgument`: the algorithm is not an RSA one, or the size is another.
    pub fn generate_rsa(alg: Alg, bits: usize) -> Result<Self> {
        if !matches!(alg.family(), Family::Rsa(_)) || !matches!(bits, 2048 | 3072 | 4096 | 8192) {
            return Err(NOT_RSA);
        }
        let (parts, _) = der::read_any(rsa::generate(bits)?.expose(), None)?;
        Self::build(parts, alg, Stated::default(), false)
    }

    /// A key for HS256, HS384 or HS512 from at least 32, 48 or 64 random bytes.
    ///
    /// # Errors
    /// `InvalidArgument`: another algorithm than these. `WeakKey`: the secret is empty, too short,
    /// or one byte repeated. `SecretLooksLikeKey`: it is a PEM, DER, SSH or JWK key in some
    /// disguise, which an attacker may know. `InvalidKey`: it has more than 64 KiB, or is the path
    /// of a file or a URL.
    ///
    /// # Security
    /// The secret must come from a random number generator; a password is not a key.
    pub fn from_secret(secret: &[u8], alg: Alg) -> Result<Self> {
        KeyOptions::new().alg(alg).from_secret(secret)
    }

    /// A key from PEM (RFC 7468): PKCS#8, PKCS#1, SEC1, SPKI, or an X.509 certificate; or an
    /// OpenSSH key, private, or public as a line or RFC 4716.
    ///
    /// Of a certificate, only the public key is read; of a chain, that of the first. Neither its
    /// signature nor its validity is checked. A private key may have its own certificate or public
    /// key beside it. Text around the key is ignored, and so are white space and written-out `\n`
    /// inside. RSA keys need `alg`; the others imply it. For an encrypted key see
    /// [`KeyOptions::passphrase`].
    ///
    /// # Errors
    /// `AlgorithmRequired`: several algorithms fit. `KeyUsage`: the key is restricted to another
    /// algorithm (id-RSASSA-PSS). `InvalidKey`: malformed, mislabelled, several keys, numbers that
    /// are no key, longer than 64 KiB, or `alg` needs a key of another type or curve.
    /// `UnsupportedKey`: an unknown type or curve, or an encryption that is old, unknown or costs
    /// too much. `PassphraseRequired`, `WrongPassphrase`: an encrypted key. `KeyPairMismatch`: a
    /// private part or certificate that does not belong to the public one. `WeakKey`: RSA under
    /// 2048 bits or a ROCA modulus.
    pub fn from_pem(pem: &[u8], alg: Option<Alg>) -> Result<Self> {
        options(alg).from_pem(pem)
    }

    /// A key from DER; the same forms as [`Self::from_pem`], but OpenSSH's.
    ///
    /// # Errors
    /// As [`Self::from_pem`].
    pub fn from_der(der: &[u8], alg: Option<Alg>) -> Result<Self> {
        options(alg).from_der(der)
    }

    /// A key from a JWK (RFC 7517) of type `oct`, `RSA`, `EC`, `OKP` or `AKP`.
    ///
    /// `oct` and `RSA` need `alg`, in the JWK or as the argument. `use`, `key_ops` and `alg` of the
    /// JWK bind. Members that gatekey does not know are ignored, among them `x5c` and `x5u`. A
    /// private RSA key may have `n`, `e` and `d` alone: its primes are computed.
    ///
    /// # Errors
    /// As [`Self::from_pem`] and [`Self::from_secret`]. `KeyUsage`: also if `use` or `key_ops` is
    /// for something else than signatures, or `alg` contradicts the argument.
    /// `UnsupportedKey`: also if `alg` is unknown. `InvalidKey`: also if the JSON is malformed or
    /// longer than 512 KiB.
    pub fn from_jwk(json: &[u8], alg: Option<Alg>) -> Result<Self> {
        options(alg).from_jwk(json)
    }

    /// The one place where a key comes into being.
    pub(super) fn build(parts: Parts, alg: Alg, stated: Stated, allow_weak: bool) -> Result<Self> {
        if !parts.fit(alg) {
            return Err(NOT_FIT);
        }
        let usage = stated.usage;
        if !usage.permits_verifying() && !parts.is_private() {
            return Err(USELESS);
        }
        if let Parts::Symmetric { secret } = &parts {
            disguise::refuse_keys(secret.expose())?;
            if let Some(error) = mistaken::for_secret(secret.expose()) {
                return Err(error);
            }
        }
        let engine = Engine::new(&parts, alg, allow_weak)?;
        let explicit_kid = stated.kid.is_some();
        let kid = stated.kid.unwrap_or_else(|| thumbprint::of(&parts));
        let core = Arc::new(Core { alg, usage, parts, engine, external: None });
        Ok(Self(Arc::new(Named { kid: kid.into(), explicit_kid, core })))
    }

    /// A key whose private half lies in a KMS or an HSM, where the callback lets it sign: for
    /// signers, sessions, rings and client assertions, as if it were here. `public` may have
    /// `key_ops` that permit `verify` alone.
    ///
    /// Each signature is brought into its JWS form (ECDSA's may be DER) and verified before it
    /// leaves; the first is made at once, of a text that is no token. With a `deadline_ms`, at most
    /// 300,000, the callback has a thread of its own at each call; what comes later is thrown away.
    /// A callback must not sign by a callback itself.
    ///
    /// ```
    /// use gatekey::{Alg, Claims, Key, Signer};
    /// use gatekey::jwk::SignRequest;
    /// use std::{convert::Infallible, sync::Arc};
    ///
    /// let elsewhere = Key::generate(Alg::Es256)?; // in production: a client of the KMS
    /// let public = elsewhere.public()?;
    /// let sign = move |request: &SignRequest<'_>| {
    ///     elsewhere.sign_with(request.message(), <[u8]>::to_vec)
    /// };
    /// let key = Key::with_callback(&public, Arc::new(sign), None)?;
    /// let token = Signer::builder(&key).build()?.sign(&Claims::new().subject("alice"))?;
    /// assert!(key.may_sign() && !key.is_private() && token.len() > 100);
    /// # Ok::<(), gatekey::Error>(())
    /// ```
    ///
    /// # Errors
    /// `KeyUsage`: `public` is private or symmetric. `InvalidArgument`: the deadline is 0 or too
    /// long. `KeyUnavailable`: the callback has failed. `KeyPairMismatch`: it has signed with
    /// another key, hash or padding.
    pub fn with_callback(
        public: &Self,
        signer: Arc<dyn ExternalSigner>,
        deadline_ms: Option<u64>,
    ) -> Result<Self> {
        if public.is_private() {
            return Err(external::NOT_PUBLIC);
        }
        let key = public.public()?;
        let external = External::new(key.clone(), signer, deadline_ms)?;
        let Core { alg, usage, parts, .. } = &*key.0.core;
        let parts = parts.public().ok_or(SYMMETRIC)?;
        let engine = Engine::new(&parts, *alg, false)?;
        let core = Core { alg: *alg, usage: *usage, parts, engine, external: Some(external) };
        Ok(Self(Arc::new(Named {
            kid: key.0.kid.clone(),
            explicit_kid: key.0.explicit_kid,
            core: Arc::new(core),
        })))
    }

    /// The algorithm the key is bound to.
    #[must_use]
    pub fn alg(&self) -> Alg {
        self.0.core.alg
    }

    /// The key's name: its own, or else its RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// Whether the key was named, rather than named after its thumbprint.
    #[must_use]
    pub fn has_explicit_kid(&self) -> bool {
        self.0.explicit_kid
    }

    /// The same key under another name of 1 to 256 bytes, without control characters.
    ///
    /// # Errors
    /// `InvalidArgument`: the name is empty or too long, or has a control character.
    pub fn with_kid(&self, kid: &str) -> Result<Self> {
        if !is_kid(kid) {
            return Err(Self::BAD_KID);
        }
        let core = Arc::clone(&self.0.core);
        Ok(Self(Arc::new(Named { kid: kid.into(), explicit_kid: true, core })))
    }

    /// Whether the key holds secret parts; true for symmetric keys.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.parts().is_private()
    }

    /// Whether signer and verifier share this key (HS256, HS384, HS512).
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        self.alg().is_symmetric()
    }

    /// `sig`, the `use` that the key is exported with; `None` for a key that has `key_ops` instead.
    #[must_use]
    pub fn key_use(&self) -> Option<&str> {
        self.usage().use_sig.then_some("sig")
    }

    /// Whether the key can sign and its owner permits it.
    #[must_use]
    pub fn may_sign(&self) -> bool {
        self.signs_by_callback() || self.is_private() && self.usage().permits_signing()
    }

    /// Whether a callback signs, because the private half is not here.
    #[must_use]
    pub fn signs_by_callback(&self) -> bool {
        self.0.core.external.is_some()
    }

    /// Whether the key's owner permits verifying with it.
    #[must_use]
    pub fn may_verify(&self) -> bool {
        self.usage().permits_verifying()
    }

    /// The public half, under the same name, to be given away. It may verify.
    ///
    /// # Errors
    /// `KeyUsage`: a symmetric key has none.
    pub fn public(&self) -> Result<Self> {
        let core = &self.0.core;
        let parts = core.parts.public().ok_or(SYMMETRIC)?;
        if !self.is_private() && !self.signs_by_callback() {
            return Ok(self.clone());
        }
        let engine = Engine::new(&parts, core.alg, false)?; // what signs is not weak
        let usage = core.usage.public();
        let core = Arc::new(Core { alg: core.alg, usage, parts, engine, external: None });
        Ok(Self(Arc::new(Named {
            kid: self.0.kid.clone(),
            explicit_kid: self.0.explicit_kid,
            core,
        })))
    }

    /// The thumbprint (RFC 7638, SHA-256, base64url); equal for the two halves of a pair.
    ///
    /// # Security
    /// That of a symmetric key is a hash of the secret: harmless for a random one.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        thumbprint::of(self.parts())
    }

    /// The thumbprint as a URI (RFC 9278).
    #[must_use]
    pub fn thumbprint_uri(&self) -> String {
        format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", self.thumbprint())
    }

    /// The public half as a JWK, with `kid`, `alg` and `use`.
    ///
    /// # Errors
    /// `KeyUsage`: a symmetric key has no public half.
    pub fn to_jwk(&self) -> Result<String> {
        let mut out = String::new();
        export::write_public(self, &mut out)?;
        Ok(out)
    }

    /// The whole key as a JWK.
    ///
    /// # Errors
    /// `KeyUsage`: the key has no private part.
    pub fn to_private_jwk(&self) -> Result<Secret> {
        export::private_jwk(self)
    }

    /// The public half as PEM (`PUBLIC KEY`, RFC 5280 SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// `KeyUsage`: a symmetric key has no public half.
    pub fn to_pem(&self) -> Result<String> {
        pem::write_public(self.parts())
    }

    /// The whole key as PEM (`PRIVATE KEY`, unencrypted PKCS#8).
    ///
    /// # Errors
    /// `KeyUsage`: the key has no private part, or is symmetric and has no PEM form.
    pub fn to_private_pem(&self) -> Result<Secret> {
        pem::write_private(self.parts())
    }

    /// Signs, and hands the signature to `f`.
    ///
    /// # Errors
    /// `KeyUsage`: the key is public or may not sign. Of a key with a callback, `KeyUnavailable`
    /// and `KeyPairMismatch`; see [`Self::with_callback`].
    pub fn sign_with<R>(&self, message: &[u8], f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        if let Some(external) = &self.0.core.external {
            return Ok(f(&external.sign(message)?));
        }
        if !self.usage().permits_signing() {
            return Err(MAY_NOT_SIGN);
        }
        self.0.core.engine.sign_with(message, f)
    }

    /// Checks a signature. Does not allocate.
    ///
    /// # Errors
    /// `InvalidSignature`: it does not match. `KeyUsage`: the key may not verify.
    pub fn verify_signature(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        if !self.may_verify() {
            return Err(Self::MAY_NOT_VERIFY);
        }
        self.check_own_signature(message, signature)
    }

    /// [`Self::verify_signature`] for a signer that checks its own work, whatever `key_ops` says.
    pub(crate) fn check_own_signature(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        if self.0.core.engine.verify(message, signature) { Ok(()) } else { Err(WRONG_SIGNATURE) }
    }

    /// The JWS form of a signature that was made elsewhere, once the key has verified it.
    pub(crate) fn take_signature(&self, message: &[u8], given: &[u8]) -> Result<Vec<u8>> {
        external::jws_form(self, given)
            .find(|signature| self.check_own_signature(message, signature).is_ok())
            .ok_or(WRONG_SIGNATURE)
    }

    /// How long every signature of this key is, in bytes.
    #[must_use]
    pub fn signature_len(&self) -> usize {
        self.0.core.engine.signature_len(self.alg())
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.core.parts
    }

    pub(super) fn usage(&self) -> Usage {
        self.0.core.usage
    }

    pub(super) const BAD_KID: Error = Error::new(
        ErrorKind::InvalidArgument,
        "A `kid` must have 1 to 256 bytes, and no control characters.",
    );

    pub(crate) const WRONG_SIGNATURE: Error = WRONG_SIGNATURE;

    pub(super) const MAY_NOT_VERIFY: Error = Error::new(
        ErrorKind::KeyUsage,
        "The key's `key_ops` does not permit `verify`; use its public half.",
    );
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("alg", &self.alg())
            .field("kid", &self.kid())
            .field("private", &self.is_private())
            .finish_non_exhaustive()
    }
}

fn options(alg: Option<Alg>) -> KeyOptions {
    alg.map_or_else(KeyOptions::new, |alg| KeyOptions::new().alg(alg))
}

const NOT_RSA: Error = Error::new(
    ErrorKind::InvalidArgument,
    "An RSA key is for RS256 to PS512 and made with 2048, 3072, 4096 or 8192 bits.",
);

const NOT_FIT: Error = Error::new(
    ErrorKind::InvalidKey,
    "The algorithm needs a key of another type or curve; name the algorithm of this key.",
);

const USELESS: Error = Error::new(
    ErrorKind::KeyUsage,
    "The `key_ops` of a public key must permit `verify`; a public key can do nothing else.",
);

const SYMMETRIC: Error = Error::new(
    ErrorKind::KeyUsage,
    "A symmetric key has no public half; it must never be published.",
);

const MAY_NOT_SIGN: Error =
    Error::new(ErrorKind::KeyUsage, "The key's `key_ops` does not permit `sign`.");

const WRONG_SIGNATURE: Error = Error::new(
    ErrorKind::InvalidSignature,
    "The signature is not valid: another key made it, or what is signed was changed or cut on the way.",
);
