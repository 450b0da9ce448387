//! `gatekey.Signer`: a parsed key and the claims it adds, and the two-step form for a KMS or HSM.

use crate::args::Text;
use crate::encode;
use crate::errors::OrRaise;
use crate::gil::{Kept, quickly};
use crate::key::Key;
use crate::keyring::KeyRing;
use crate::options::{PyClock, names, span, wrong_type};
use crate::own_transport::asked;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use std::sync::Arc;

/// Signs claims with one key, or with the active key of a `KeyRing`. Immutable and safe to share between
/// threads.
///
/// Each token gets the `issuer` and `audience` given here, `iat`, `exp` (now + `ttl` seconds), a
/// random `jti` (unless `token_ids=False`) and the `kid` of the key (unless `kid=False`). Claims may
/// bring their own `iat`, `exp` and `jti`; an `iss` or `aud` that is not the signer's is refused.
/// `ttl=None` sets no `exp`: the claims must have one, unless `allow_missing_exp`. `headers` are more members of the
/// header: `x5t`, `x5t#S256`, `x5c`, `cty`, `nonce` or private ones; never `alg`, `kid`, `typ`, `crit`, `b64`, `jwk`,
/// `jku`, `x5u`, `enc` or `zip`. `default` is called for values that have no JSON form, such as a UUID or a Decimal, and
/// returns what is written in their place, as that of `json.dumps`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Signer {
    inner: Kept<gatekey::Signer>,
    clock: Option<PyClock>,
    symmetric: bool,
    /// What makes JSON of values that have no form in it.
    default: Option<Py<PyAny>>,
    /// Whose active key signs, if it is not always the same.
    ring: Option<Py<KeyRing>>,
}

#[pymethods]
impl Signer {
    #[new]
    #[pyo3(
        signature = (key, *, issuer=None, audience=None, ttl=Ttl(Some(900)), typ=Some(Text("JWT")), kid=true,
            token_ids=true, allow_missing_exp=false, clock=None, headers=None, default=None),
        text_signature = "(key, *, issuer=None, audience=None, ttl=900, typ='JWT', kid=True, \
            token_ids=True, allow_missing_exp=False, clock=None, headers=None, default=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python class")]
    fn new(
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        issuer: Option<Text<'_>>,
        audience: Option<&Bound<'_, PyAny>>,
        ttl: Ttl,
        typ: Option<Text<'_>>,
        kid: bool,
        token_ids: bool,
        allow_missing_exp: bool,
        clock: Option<Bound<'_, PyAny>>,
        headers: Option<&Bound<'_, PyAny>>,
        default: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut ring = None;
        let builder = match (key.cast::<Key>(), key.cast::<KeyRing>()) {
            (Ok(key), _) => gatekey::Signer::builder(&key.get().0),
            (_, Ok(own)) => {
                own.get().follow(py)?;
                ring = Some(own.clone().unbind());
                gatekey::Signer::following(Arc::new(own.get().core().clone()))
            }
            _ => {
                return Err(wrong_type(
                    key,
                    "key",
                    "a gatekey.Key, made by Key.from_pem(...), Key.from_jwk(...) or Key.from_secret(...), or a gatekey.KeyRing",
                ));
            }
        };
        let mut builder = builder.kid(kid).token_ids(token_ids);
        if let Some(issuer) = issuer {
            builder = builder.issuer(issuer.0);
        }
        for name in
            audience.map(|audience| names(audience, "audience")).transpose()?.unwrap_or_default()
        {
            builder = builder.audience(name);
        }
        builder = match ttl.0 {
            Some(seconds) => builder.ttl(seconds),
            None => builder.no_ttl(),
        };
        builder = match typ {
            Some(typ) => builder.typ(typ.0),
            None => builder.no_typ(),
        };
        if let Some(default) = default.as_ref().filter(|default| !default.is_callable()) {
            return Err(wrong_type(default, "default", "a callable"));
        }
        for (name, json) in headers
            .map(|headers| {
                encode::members(headers, "headers", encode::Default::Given(default.as_ref()))
            })
            .transpose()?
            .unwrap_or_default()
        {
            builder = builder.header(&name, json);
        }
        let default = default.map(Bound::unbind);
        if allow_missing_exp {
            builder = builder.allow_missing_exp();
        }
        let clock = PyClock::read(clock)?;
        if clock.is_some() {
            builder = builder.clock(PyClock::core());
        }
        let inner = Kept::new(py.detach(|| builder.build()).or_raise(py)?);
        let symmetric = inner.key().is_symmetric();
        Ok(Self { inner, clock, symmetric, default, ring })
    }

    /// The key, for publishing its public half.
    #[getter]
    fn key(&self) -> Key {
        Key(self.inner.key())
    }

    /// The signed token.
    ///
    /// Claims are a mapping of `str` to `str`, `int` of any size, finite `float`, `bool`, `None`,
    /// and lists, tuples and dicts of those. `exp`, `nbf` and `iat` may be aware datetimes. Other values are given to the
    /// signer's `default`.
    fn sign(&self, claims: &Bound<'_, PyAny>) -> PyResult<String> {
        let py = claims.py();
        let json = self.json(claims)?;
        if self.symmetric {
            quickly(py, || self.inner.sign_json(&json)).or_raise(py)
        } else {
            asked(py, || self.inner.sign_json(&json))
        }
    }

    /// The token without its signature, for a key that lives in a KMS or HSM.
    fn prepare(&self, claims: &Bound<'_, PyAny>) -> PyResult<Unsigned> {
        let json = self.json(claims)?;
        let py = claims.py();
        quickly(py, || self.inner.prepare_json(&json)).or_raise(py).map(Unsigned)
    }

    fn __repr__(&self) -> String {
        format!("<gatekey.Signer alg='{}'>", self.inner.key().alg().name())
    }

    /// Refuses: a pickle would hold the private key in plain text.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Signer is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.ring)?;
        visit.call(&self.default)?;
        self.clock.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

impl Signer {
    /// The signer, to be given to sessions.
    pub(crate) fn core(&self) -> &gatekey::Signer {
        &self.inner
    }

    /// Has the ring, if there is one, read its clock.
    #[inline]
    pub(crate) fn follow(&self, py: Python<'_>) -> PyResult<()> {
        self.ring.as_ref().map_or(Ok(()), |ring| ring.get().follow(py))
    }

    /// The claims as JSON, and the clock read. In this order: reading the claims may run Python
    /// code, which may use this very thread's clock.
    fn json(&self, claims: &Bound<'_, PyAny>) -> PyResult<String> {
        let default = self.default.as_ref().map(|default| default.bind(claims.py()));
        let json = encode::claims(claims, encode::Default::Given(default))?;
        self.follow(claims.py())?;
        if let Some(clock) = &self.clock {
            clock.tick(claims.py())?;
        }
        Ok(json)
    }
}

/// A token that waits for its signature.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Unsigned(gatekey::jwt::Unsigned);

#[pymethods]
impl Unsigned {
    /// What must be signed: header and claims, encoded (RFC 7515 section 5.1).
    #[getter]
    fn signing_input(&self) -> &str {
        self.0.signing_input()
    }

    /// The token with this signature, which is verified first. ECDSA's may be `r` and `s` side by side (RFC 7518 section
    /// 3.4) or DER.
    fn attach(&self, py: Python<'_>, signature: &[u8]) -> PyResult<String> {
        py.detach(|| self.0.attach(signature)).or_raise(py)
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __repr__(&self) -> &'static str {
        "<gatekey.Unsigned>"
    }
}

/// The `ttl` argument: seconds, a timedelta, or None for no `exp`.
struct Ttl(Option<u64>);

impl<'a, 'py> FromPyObject<'a, 'py> for Ttl {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if value.is_none() {
            return Ok(Self(None));
        }
        span(&value, "ttl").map(|ttl| Self(Some(ttl.at_most())))
    }
}
