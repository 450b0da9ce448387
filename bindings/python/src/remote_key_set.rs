//! `gatekey.RemoteKeySet`: keys that another server publishes.

use crate::args::Text;
use crate::errors::OrRaise;
use crate::gil::Kept;
use crate::keyring::KeyRing;
use crate::operation::{_Operation, Outcome};
use crate::options::{PyClock, shown};
use crate::own_transport::{asked, in_threads};
use gatekey::jwk::KeySource;
use gatekey::oauth::RemoteKeySetOptions;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;

/// The keys behind `gatekey.RemoteKeySet`, as the core follows them.
#[pyclass(frozen, subclass, module = "gatekey")]
pub(crate) struct _RemoteKeySet(pub(crate) Kept<gatekey::oauth::RemoteKeySet>);

#[pymethods]
impl _RemoteKeySet {
    #[new]
    #[pyo3(signature = (options, transport, clock=None))]
    fn new(
        py: Python<'_>,
        options: Text<'_>,
        transport: Option<&Bound<'_, PyAny>>,
        clock: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut options = RemoteKeySetOptions::new().json(options.0.as_bytes()).or_raise(py)?;
        if let Some(clock) = PyClock::read(clock)? {
            clock.now(py)?;
            options = options.clock(Arc::new(Asked(clock)));
        }
        let keys = gatekey::oauth::RemoteKeySet::open(options).or_raise(py)?;
        Ok(Self(Kept::new(match transport {
            Some(_) => keys.over(in_threads(transport)?),
            None => keys,
        })))
    }

    /// Fetches the keys now.
    fn _refresh(&self) -> _Operation {
        _Operation::new(self.0.refresh(), |()| Outcome::Nothing)
    }

    /// The same keys, for the classes of `gatekey.aio`, which fetch them.
    fn _plain(&self) -> Self {
        Self(Kept::new(gatekey::oauth::RemoteKeySet::clone(&self.0)))
    }

    /// What the operations are about that `_attempt` gives for want of these keys.
    #[getter]
    fn _about(&self) -> String {
        self.0.about()
    }

    /// Whether it is time to fetch the keys.
    #[getter]
    fn wants_refresh(&self) -> bool {
        self.0.wants_refresh()
    }

    /// The members of the issuer's key set that cannot be used, each as a `SkippedKey` with its `kid` and the `reason`: of
    /// the keys that are held, without asking for others.
    #[getter]
    fn skipped<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        crate::key_set::skipped(py, &self.0.skipped())
    }

    /// The keys as a JWK Set (RFC 7517), as a new dict; fetched if need be.
    fn to_jwks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let text = asked(py, || self.0.keys().and_then(|keys| keys.to_jwks()))?;
        crate::decode::object(py, text.as_bytes())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<gatekey.RemoteKeySet of {}>", shown(py, self.0.place()))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a RemoteKeySet is not pickled or copied; share it"))
    }
}

/// Refuses keys for asyncio that were not fetched yet: nothing that waits fetches them.
pub(crate) fn fetched(keys: &Bound<'_, _RemoteKeySet>) -> PyResult<()> {
    if keys.hasattr("_carrier")? && keys.get().wants_refresh() {
        let message = "These are keys for asyncio, and nothing that waits fetches them: use the class of gatekey.aio, \
                       or a gatekey.RemoteKeySet, or `await keys.refresh()` first.";
        return Err(crate::errors::usage(keys.py(), message));
    }
    Ok(())
}

/// A clock of Python's, for whatever thread fetches the keys: it is read when it is needed, which is seldom.
struct Asked(PyClock);

impl gatekey::Clock for Asked {
    fn now(&self) -> u64 {
        Python::attach(|py| match self.0.now(py) {
            Ok(time) => time.as_secs(),
            Err(error) => {
                error.write_unraisable(py, None);
                u64::MAX
            }
        })
    }
}

/// Keys that are fetched, that rotate, or that stay as they are.
pub(crate) fn key_source(keys: &Bound<'_, PyAny>) -> PyResult<Arc<dyn KeySource>> {
    if let Ok(remote) = keys.cast::<_RemoteKeySet>() {
        fetched(remote)?;
        return Ok(Arc::new(gatekey::oauth::RemoteKeySet::clone(&remote.get().0)));
    }
    if let Ok(ring) = keys.cast::<KeyRing>() {
        return Ok(Arc::new(ring.get().core().clone()));
    }
    Ok(Arc::new(crate::key_set::keyset(keys)?))
}
