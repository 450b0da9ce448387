//! `gatekey.Verified`: the claims of a token that was verified; proof that it was.

use crate::claim_index::{self, Index};
use crate::decode;
use crate::errors::{OrRaise, of_kind};
use crate::options::token_octets;
use gatekey::ErrorKind;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyMappingProxy, PyString, PyTuple};
use std::borrow::Cow;

/// The claims of a verified token, as a read-only mapping.
///
/// Only `Verifier.verify` makes one. It cannot be changed, nor can what it holds: every look at a
/// claim makes a new object.
#[pyclass(frozen, mapping, module = "gatekey")]
pub(crate) struct Verified {
    inner: gatekey::Verified,
    /// Made at the first look-up.
    index: PyOnceLock<Index>,
}

#[pymethods]
impl Verified {
    /// The header, as a new dict.
    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        decode::object(py, self.inner.header_json().as_bytes())
    }

    /// The claims, as a new dict.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        decode::object(py, self.inner.claims_json().as_bytes())
    }

    /// The claims' JSON, byte for byte as it was signed.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.claims_json().as_bytes())
    }

    /// The kid of the key that verified the token.
    #[getter]
    fn key_id(&self) -> &str {
        self.inner.key_id()
    }

    /// The algorithm of the key that verified the token.
    #[getter]
    fn alg(&self) -> &'static str {
        self.inner.alg().name()
    }

    /// `iss`, if present.
    #[getter]
    fn issuer(&self) -> Option<Cow<'_, str>> {
        self.inner.issuer()
    }

    /// `sub`, if present: a `str`, or an `int` where the verifier allows numbers. 7 and "7" are two subjects.
    #[getter]
    fn subject<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match (self.inner.subject(), self.inner.numeric_subject()) {
            (Some(text), _) => text.into_bound_py_any(py).map(Some),
            (None, Some(number)) => number.into_bound_py_any(py).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// `aud`, whether it was one string or several; empty if absent.
    #[getter]
    fn audience<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.audience())
    }

    /// `exp` in whole seconds since the Unix epoch, if present.
    #[getter]
    fn expires_at(&self) -> Option<i64> {
        self.inner.expires_at()
    }

    /// `nbf` in whole seconds since the Unix epoch, if present.
    #[getter]
    fn not_before(&self) -> Option<i64> {
        self.inner.not_before()
    }

    /// `iat` in whole seconds since the Unix epoch, if present.
    #[getter]
    fn issued_at(&self) -> Option<i64> {
        self.inner.issued_at()
    }

    /// `jti`, if present.
    #[getter]
    fn token_id(&self) -> Option<Cow<'_, str>> {
        self.inner.token_id()
    }

    fn __getitem__<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.find(name)?.ok_or_else(|| PyKeyError::new_err(name.clone().unbind()))
    }

    /// The claim with this name, or else the default.
    #[pyo3(signature = (name, default=None, /))]
    fn get<'py>(
        &self,
        name: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.find(name)?.or(default))
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.raw_claim(name).map(|claim| claim.is_some())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.index(py).map(Index::len)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.index(py)?.names(self.inner.claims_json()))?.try_iter()
    }

    /// A view of the names of the claims.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.claims(py)?.call_method0(intern!(py, "keys"))
    }

    /// A view of the values of the claims.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.claims(py)?.call_method0(intern!(py, "values"))
    }

    /// A view of the names and values of the claims.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.claims(py)?.call_method0(intern!(py, "items"))
    }

    fn __eq__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = other.py();
        if let Ok(other) = other.cast::<Self>() {
            return self.claims(py)?.eq(other.get().claims(py)?)?.into_bound_py_any(py);
        }
        if other.cast::<PyDict>().is_ok() || other.cast::<PyMappingProxy>().is_ok() {
            return self.claims(py)?.eq(other)?.into_bound_py_any(py);
        }
        Ok(py.NotImplemented().into_bound(py))
    }

    /// Shows which registered claims there are, but no value: claims are personal data.
    fn __repr__(&self) -> String {
        const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];
        let claims = self.inner.claims();
        let total = claims.members().count();
        let known: Vec<_> =
            REGISTERED.into_iter().filter(|name| claims.member(name).is_some()).collect();
        let more = match total.saturating_sub(known.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "<gatekey.Verified alg='{}' claims: {}{more}>",
            self.inner.alg().name(),
            known.join(", ")
        )
    }

    /// Refuses: loading a pickle verifies nothing.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Verified is not pickled or copied, it is proof only here; use its .claims",
        ))
    }
}

impl Verified {
    #[inline]
    pub(crate) const fn new(inner: gatekey::Verified) -> Self {
        Self { inner, index: PyOnceLock::new() }
    }

    /// The index, made at the first call. Two threads may both make it, and one is thrown away: that
    /// is cheaper than a lock, which would have to let go of the GIL.
    fn index(&self, py: Python<'_>) -> PyResult<&Index> {
        if let Some(index) = self.index.get(py) {
            return Ok(index);
        }
        let _lost_the_race = self.index.set(py, Index::of(py, self.inner.claims_json())?);
        let internal = || of_kind(py, ErrorKind::Internal, "A verified token lost its claims.");
        self.index.get(py).ok_or_else(internal)
    }

    /// The JSON text of one claim. Names are text: nothing else can be one.
    fn raw_claim(&self, name: &Bound<'_, PyAny>) -> PyResult<Option<&str>> {
        let Ok(name) = name.cast::<PyString>() else {
            return Ok(None);
        };
        let Ok(text) = name.to_str() else {
            return Ok(None); // half of a surrogate pair: no token can hold it
        };
        Ok(self.index(name.py())?.find(self.inner.claims_json(), text))
    }

    fn find<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.raw_claim(name)?.map(|claim| claim_index::object(name.py(), claim)).transpose()
    }
}

/// The header and the claims of a token that was not verified: an attacker can write them.
///
/// For looking at tokens, never for deciding anything.
#[pyfunction]
pub(crate) fn danger_decode_unverified<'py>(
    token: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let py = token.py();
    let unverified = gatekey::jwt::danger_decode_unverified(token_octets(token)?).or_raise(py)?;
    let header = decode::object(py, unverified.header_json().as_bytes())?;
    let claims = decode::object(py, unverified.claims_json().as_bytes())?;
    Ok((header, claims))
}
