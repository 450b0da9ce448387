//! `_attempt`: what `gatekey.aio` does on an event loop, without stopping it.

use crate::operation::{_Operation, Outcome};
use gatekey::transport::{Attempt, attempt};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Makes a call without asking other servers and, unless `may_wait`, with memory only.
///
/// Gives `(result,)`, or raises what it raises; `(about, operation)`: drive the operation, and call again; None: it has
/// to wait for something of this machine.
#[pyfunction]
pub(crate) fn _attempt<'py>(
    call: &Bound<'py, PyAny>,
    may_wait: bool,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let py = call.py();
    match attempt(may_wait, || call.call0()) {
        Attempt::Done(done) => PyTuple::new(py, [done?]).map(Some),
        Attempt::Ask(ask) => {
            let about = ask.about().to_owned();
            let operation = _Operation::new(ask.into_operation(), |()| Outcome::Nothing);
            (about, operation).into_pyobject(py).map(Some)
        }
        Attempt::Elsewhere => Ok(None),
    }
}
