//! `gatekey.KeySet`: several keys, looked up by kid.

use crate::args::Text;
use crate::errors::{OrRaise, skipped_key};
use crate::key::Key;
use crate::options::{few, jwk_text, optional_algorithm, wrong_type};
use gatekey::jwk::Skipped;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyString, PyTuple};

/// Several keys, symmetric or asymmetric but never both.
///
/// `len(keyset)` and iteration give its keys; `keyset[kid]` is the key with this kid.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct KeySet(pub(crate) gatekey::KeySet);

#[pymethods]
impl KeySet {
    #[new]
    fn new(py: Python<'_>, keys: &Bound<'_, PyAny>) -> PyResult<Self> {
        if keys.cast::<Key>().is_ok() {
            let message = "keys must be an iterable of Key, and not one Key: KeySet([key])";
            return Err(PyTypeError::new_err(message));
        }
        gatekey::KeySet::new(members(keys)?).or_raise(py).map(Self)
    }

    /// The usable keys of a JWK Set (RFC 7517), as a dict or as JSON text.
    ///
    /// Members that cannot be used are left out and listed in `skipped`. An RSA member without
    /// `alg` is one of them, unless `default_rsa` names the algorithm to use it with.
    #[staticmethod]
    #[pyo3(signature = (jwks, *, default_rsa=None))]
    fn from_jwks(jwks: &Bound<'_, PyAny>, default_rsa: Option<Text<'_>>) -> PyResult<Self> {
        let py = jwks.py();
        let default_rsa = optional_algorithm(py, default_rsa.map(|name| name.0))?;
        let text = jwk_text(jwks, "jwks")?;
        py.detach(|| gatekey::KeySet::from_jwks_with(text.expose(), default_rsa))
            .or_raise(py)
            .map(Self)
    }

    /// The set as a JWK Set; with private or secret members only if asked.
    #[pyo3(signature = (*, private=false))]
    fn to_jwks<'py>(&self, py: Python<'py>, private: bool) -> PyResult<Bound<'py, PyDict>> {
        if private {
            let text = self.0.to_private_jwks().or_raise(py)?;
            crate::decode::object(py, text.expose())
        } else {
            crate::decode::object(py, self.0.to_jwks().or_raise(py)?.as_bytes())
        }
    }

    /// The members of the JWK Set that cannot be used, each as a `SkippedKey` with its `kid` and the `reason`, in the order
    /// of the JWK Set.
    #[getter]
    fn skipped<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        skipped(py, self.0.skipped())
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.0.iter().cloned().map(Key))?.try_iter()
    }

    /// The key with this kid; `KeyNotFoundError`, which is a `KeyError`, if it is absent, `UnusableKeyError`, which
    /// is one too, if it was skipped, and `AmbiguousKeyError` if different keys have it.
    fn __getitem__(&self, py: Python<'_>, kid: Text<'_>) -> PyResult<Key> {
        self.0.by_kid(kid.0).cloned().map(Key).or_raise(py)
    }

    /// Whether the set holds this key, or a key with this kid.
    fn __contains__(&self, item: &Bound<'_, PyAny>) -> bool {
        if let Ok(kid) = item.cast::<PyString>() {
            return kid.to_str().is_ok_and(|kid| self.0.has_kid(kid));
        }
        item.cast::<Key>().is_ok_and(|key| self.0.iter().any(|own| Key(own.clone()) == *key.get()))
    }

    fn __repr__(&self) -> String {
        let algorithms: Vec<_> = self.0.iter().map(|key| key.alg().name()).collect();
        format!("<gatekey.KeySet of {}: {}>", algorithms.len(), algorithms.join(", "))
    }

    /// Refuses: a pickle would hold the secrets in plain text.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a KeySet is not pickled or copied; share it, or export it with to_jwks()",
        ))
    }
}

/// Reads the `keys` of a verifier: a `KeySet`, or an iterable of `Key`.
pub(crate) fn keyset(keys: &Bound<'_, PyAny>) -> PyResult<gatekey::KeySet> {
    if let Ok(set) = keys.cast::<KeySet>() {
        return Ok(set.get().0.clone());
    }
    if let Ok(key) = keys.cast::<Key>() {
        return gatekey::KeySet::new([key.get().0.clone()]).or_raise(keys.py());
    }
    gatekey::KeySet::new(members(keys)?).or_raise(keys.py())
}

/// The members of a JWK Set that cannot be used, as Python shows them.
pub(crate) fn skipped<'py>(py: Python<'py>, keys: &[Skipped]) -> PyResult<Bound<'py, PyTuple>> {
    let shown = keys.iter().map(|key| skipped_key(py, key.kid(), key.reason()));
    PyTuple::new(py, shown.collect::<PyResult<Vec<_>>>()?)
}

fn members(keys: &Bound<'_, PyAny>) -> PyResult<Vec<gatekey::Key>> {
    const WANTED: &str = "a gatekey.Key, made by Key.from_pem(...), Key.from_jwk(...) or Key.from_secret(...), a KeySet, or \
         an iterable of Key";
    let Ok(items) = keys.try_iter() else {
        return Err(wrong_type(keys, "keys", WANTED));
    };
    let key = |item: &Bound<'_, PyAny>| match item.cast::<Key>() {
        Ok(key) => Ok(key.get().0.clone()),
        Err(_) => Err(wrong_type(item, "keys", WANTED)),
    };
    few(items, "keys")?.iter().map(key).collect()
}
