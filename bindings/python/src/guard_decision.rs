//! `_Decision`: what is to be answered.

use crate::access::Access;
use crate::errors::raise;
use crate::session_records::SessionTokens;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// What a guard has decided; an implementation detail of the adapters for frameworks.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _Decision(gatekey::guard::Decision);

impl _Decision {
    pub(crate) const fn new(decision: gatekey::guard::Decision) -> Self {
        Self(decision)
    }
}

#[pymethods]
impl _Decision {
    /// Whether the request may go on.
    #[getter]
    const fn is_allowed(&self) -> bool {
        self.0.is_allowed()
    }

    /// The HTTP status: 200 if it may.
    #[getter]
    const fn status(&self) -> u16 {
        self.0.status()
    }

    /// The headers that go with the answer, `Vary` first.
    #[getter]
    fn headers(&self) -> Vec<(&str, &str)> {
        self.0.headers().collect()
    }

    /// The body of a refusal, as JSON; else None.
    #[getter]
    fn body(&self) -> Option<&str> {
        self.0.body()
    }

    /// Who calls, if the request may go on; else None.
    #[getter]
    fn access(&self) -> Option<Access> {
        self.0.access().map(|access| Access::of_guard(access.clone()))
    }

    /// Why not, as an exception for the log; else None.
    #[getter]
    fn error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.0.error().map(|error| raise(py, error).into_value(py).into_any())
    }

    /// The tokens of a log-in or a refresh; else None.
    #[getter]
    fn tokens(&self) -> Option<SessionTokens> {
        self.0.tokens().map(|tokens| SessionTokens::new(tokens.clone()))
    }

    fn __repr__(&self) -> String {
        format!("<gatekey._Decision {} [redacted]>", self.0.status())
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a decision is not pickled or copied: it may hold cookies"))
    }
}
