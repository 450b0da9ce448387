//! `gatekey.Key`: key material bound to exactly one algorithm.

use crate::args::Text;
use crate::errors::OrRaise;
use crate::key_callback::Callable;
use crate::options::{algorithm, bounded, jwk_text, octets, optional_algorithm, span, wrong_type};
use crate::own_transport::asked;
use gatekey::jwk::KeyOptions;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict, PyString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A key and the one algorithm it may be used with.
///
/// Immutable and safe to share between threads. Its repr never shows key material, it refuses to
/// be pickled or copied, and its memory is wiped when it is gone.
///
/// Two keys are equal if they are of one algorithm and one kid, have the same RFC 7638 thumbprint,
/// and both may sign or both may not.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Key(pub(crate) gatekey::Key);

#[pymethods]
impl Key {
    /// Refuses, and says how one is made.
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        _given: &Bound<'_, pyo3::types::PyTuple>,
        _named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Err(PyTypeError::new_err(
            "a Key is made by Key.generate(alg), Key.from_pem(...), Key.from_jwk(...), Key.from_der(...) or Key.from_secret(...)",
        ))
    }

    /// Makes a new key for this algorithm: a secret as long as the hash for HS*, 2048 bits for
    /// RS* and PS* unless `bits` says otherwise.
    #[staticmethod]
    #[pyo3(signature = (alg, *, kid=None, bits=None))]
    fn generate(
        py: Python<'_>,
        alg: Text<'_>,
        kid: Option<Text<'_>>,
        bits: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let alg = algorithm(py, alg.0)?;
        let bits = bits.map(|bits| bounded(bits, "bits", (2048, 8192))).transpose()?;
        let bits = bits.map(|bits| usize::try_from(bits).unwrap_or(usize::MAX));
        let key = py.detach(|| match bits {
            Some(bits) => gatekey::Key::generate_rsa(alg, bits),
            None => gatekey::Key::generate(alg),
        });
        let key = key.or_raise(py)?;
        match kid {
            Some(kid) => key.with_kid(kid.0).or_raise(py).map(Self),
            None => Ok(Self(key)),
        }
    }

    /// A symmetric key for HS256, HS384 or HS512; the secret is at least as long as the hash.
    ///
    /// Text that is really a PEM, DER, SSH or JWK key is refused in every disguise.
    /// `danger_allow_weak` accepts a shorter secret, for legacy peers.
    #[staticmethod]
    #[pyo3(signature = (secret, alg, *, kid=None, danger_allow_weak=false))]
    fn from_secret(
        secret: &Bound<'_, PyAny>,
        alg: Text<'_>,
        kid: Option<Text<'_>>,
        danger_allow_weak: bool,
    ) -> PyResult<Self> {
        let py = secret.py();
        let options = options(py, Some(alg), kid, danger_allow_weak)?;
        options.from_secret(octets(secret, "secret")?).or_raise(py).map(Self)
    }

    /// A key from PEM: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate; or an OpenSSH key, private, or public as a
    /// line or RFC 4716.
    ///
    /// RSA keys need `alg`; for every other type it follows from the key. `passphrase` opens an encrypted private key;
    /// without it that is `PassphraseRequiredError`, and with another `WrongPassphraseError`.
    #[staticmethod]
    #[pyo3(signature = (data, alg=None, *, kid=None, passphrase=None, danger_allow_weak=false))]
    fn from_pem(
        data: &Bound<'_, PyAny>,
        alg: Option<Text<'_>>,
        kid: Option<Text<'_>>,
        passphrase: Option<&Bound<'_, PyAny>>,
        danger_allow_weak: bool,
    ) -> PyResult<Self> {
        let py = data.py();
        let mut options = options(py, alg, kid, danger_allow_weak)?;
        if let Some(passphrase) = passphrase {
            options = options.passphrase(octets(passphrase, "passphrase")?);
        }
        let data = octets(data, "data")?;
        py.detach(|| options.from_pem(data)).or_raise(py).map(Self)
    }

    /// A key from DER: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate.
    ///
    /// RSA keys need `alg`; for every other type it follows from the key. `passphrase` opens an encrypted private key.
    #[staticmethod]
    #[pyo3(signature = (data, alg=None, *, kid=None, passphrase=None, danger_allow_weak=false))]
    fn from_der(
        data: &Bound<'_, PyAny>,
        alg: Option<Text<'_>>,
        kid: Option<Text<'_>>,
        passphrase: Option<&Bound<'_, PyAny>>,
        danger_allow_weak: bool,
    ) -> PyResult<Self> {
        let py = data.py();
        let mut options = options(py, alg, kid, danger_allow_weak)?;
        if let Some(passphrase) = passphrase {
            options = options.passphrase(octets(passphrase, "passphrase")?);
        }
        if data.is_instance_of::<PyString>() {
            return Err(wrong_type(
                data,
                "data",
                "bytes (a text is PEM or a JWK: use from_pem or from_jwk)",
            ));
        }
        let data = octets(data, "data")?;
        py.detach(|| options.from_der(data)).or_raise(py).map(Self)
    }

    /// A key from a JWK (RFC 7517), as a dict or as JSON text.
    ///
    /// `alg` may be left out if the JWK has one, or if it follows from the type of the key.
    #[staticmethod]
    #[pyo3(signature = (jwk, alg=None, *, kid=None, danger_allow_weak=false))]
    fn from_jwk(
        jwk: &Bound<'_, PyAny>,
        alg: Option<Text<'_>>,
        kid: Option<Text<'_>>,
        danger_allow_weak: bool,
    ) -> PyResult<Self> {
        let py = jwk.py();
        let options = options(py, alg, kid, danger_allow_weak)?;
        let text = jwk_text(jwk, "jwk")?;
        py.detach(|| options.from_jwk(text.expose())).or_raise(py).map(Self)
    }

    /// A key whose private half lies in a KMS or an HSM, where `sign` lets it sign: for signers, sessions, rings and
    /// client assertions, as if it were here.
    ///
    /// - `public`: the public half; its `key_ops` may permit `verify` alone.
    /// - `sign`: a callable that takes a `SignRequest` (`alg`, `message`, `digest`) and gives the signature, as bytes:
    ///   ECDSA's as `r` and `s` side by side or as DER. Called from any thread that signs. It must not sign by a callback
    ///   itself.
    /// - `deadline`: how long a signature may take, in seconds or as a timedelta, at most 300: then the callable has a
    ///   thread of its own at each call, and what comes later is thrown away. None: the thread that signs waits for it.
    ///
    /// Each signature is verified before it leaves; the first is made at once, of a text that is no token. If the
    /// callable raises, that is the `__cause__` of a `KeyUnavailableError`; a signature of another key, hash or padding
    /// is a `KeyPairMismatchError`.
    #[staticmethod]
    #[pyo3(signature = (public, sign, *, deadline=None))]
    fn with_callback(
        public: &Self,
        sign: &Bound<'_, PyAny>,
        deadline: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = sign.py();
        let signer = Arc::new(Callable::read(sign)?);
        let deadline = deadline.map(|deadline| span(deadline, "deadline")).transpose()?;
        let deadline = deadline.map(|span| span.millis());
        asked(py, || gatekey::Key::with_callback(&public.0, signer, deadline)).map(Self)
    }

    /// The algorithm, for example `ES256`.
    #[getter]
    fn alg(&self) -> &'static str {
        self.0.alg().name()
    }

    /// The key id: the one given, or else the RFC 7638 thumbprint.
    #[getter]
    fn kid(&self) -> &str {
        self.0.kid()
    }

    /// Whether the key has its private half; true of every symmetric key.
    #[getter]
    fn is_private(&self) -> bool {
        self.0.is_private()
    }

    /// Whether a callback signs, because the private half is not here: see `Key.with_callback`.
    #[getter]
    fn signs_by_callback(&self) -> bool {
        self.0.signs_by_callback()
    }

    /// Whether the key is a secret shared by signer and verifier (HS256, HS384, HS512).
    #[getter]
    fn is_symmetric(&self) -> bool {
        self.0.is_symmetric()
    }

    /// The same key under another key id.
    fn with_kid(&self, py: Python<'_>, kid: Text<'_>) -> PyResult<Self> {
        self.0.with_kid(kid.0).or_raise(py).map(Self)
    }

    /// The public half. A symmetric key has none.
    fn public(&self, py: Python<'_>) -> PyResult<Self> {
        self.0.public().or_raise(py).map(Self)
    }

    /// The RFC 7638 thumbprint: base64url of a SHA-256.
    fn thumbprint(&self) -> String {
        self.0.thumbprint()
    }

    /// The RFC 9278 thumbprint URI.
    fn thumbprint_uri(&self) -> String {
        self.0.thumbprint_uri()
    }

    /// The key as a JWK; with its private or secret members only if asked.
    #[pyo3(signature = (*, private=false))]
    fn to_jwk<'py>(&self, py: Python<'py>, private: bool) -> PyResult<Bound<'py, PyDict>> {
        if private {
            let text = self.0.to_private_jwk().or_raise(py)?;
            crate::decode::object(py, text.expose())
        } else {
            crate::decode::object(py, self.0.to_jwk().or_raise(py)?.as_bytes())
        }
    }

    /// The key as PEM text: SPKI, or PKCS#8 if the private key is asked for.
    #[pyo3(signature = (*, private=false))]
    fn to_pem(&self, py: Python<'_>, private: bool) -> PyResult<String> {
        if private {
            let text = self.0.to_private_pem().or_raise(py)?;
            return Ok(text.expose_str().to_owned());
        }
        self.0.to_pem().or_raise(py)
    }

    fn __repr__(&self) -> String {
        let kind = match (self.0.is_symmetric(), self.0.is_private()) {
            _ if self.0.signs_by_callback() => "callback",
            (true, _) => "secret",
            (false, true) => "private",
            (false, false) => "public",
        };
        format!(
            "<gatekey.Key alg='{}' kid='{}' {kind}>",
            self.0.alg().name(),
            self.0.kid().escape_debug()
        )
    }

    fn __eq__(&self, other: &Self) -> bool {
        self == other
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.identity().hash(&mut hasher);
        hasher.finish()
    }

    /// Refuses: a pickle would hold the secret in plain text, on disk or on the wire.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Key is not pickled or copied; share it, or export it with to_jwk()",
        ))
    }
}

impl Key {
    fn identity(&self) -> (&'static str, &str, bool, String) {
        (self.0.alg().name(), self.0.kid(), self.0.may_sign(), self.0.thumbprint())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

fn options(
    py: Python<'_>,
    alg: Option<Text<'_>>,
    kid: Option<Text<'_>>,
    weak: bool,
) -> PyResult<KeyOptions> {
    let mut options = KeyOptions::new();
    if let Some(alg) = optional_algorithm(py, alg.map(|alg| alg.0))? {
        options = options.alg(alg);
    }
    if let Some(kid) = kid {
        options = options.kid(kid.0);
    }
    if weak {
        options = options.danger_allow_weak();
    }
    Ok(options)
}
