//! Which interpreter of the process the module works in: the first one that imports it, and no
//! other.
//!
//! Classes of an extension module, and what it looks up once, such as the exceptions, are objects
//! of one interpreter. In another one `except GatekeyError` would catch nothing of what is raised.
//! So the import is refused there, before any class is touched, with what to do about it.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The module `sys` of the first interpreter. Each has its own; this one is never let go of, so that no other
/// can come to lie in its place.
static FIRST: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

const ONLY_ONE: &str = "gatekey is in use by another interpreter of this process and works in one only; \
    use the main interpreter (mod_wsgi: WSGIApplicationGroup %{GLOBAL}) or one process for each.";

/// Takes this interpreter, unless another one has been taken.
///
/// # Errors
/// `ImportError`: another one has.
pub(crate) fn take(py: Python<'_>) -> PyResult<()> {
    let sys = py.import("sys")?;
    let first = FIRST.get_or_init(py, || sys.clone().unbind());
    if first.is(&sys) { Ok(()) } else { Err(PyImportError::new_err(ONLY_ONE)) }
}
