//! `_attempt`: what `gatekey.aio` does on an event loop, without stopping it.

use crate::operation::{_Operation, Outcome};
use gatekey::transport::{Attempt, Told, attempt};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::cell::Cell;

thread_local! {
    /// Whether this thread is inside of `_attempt`.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Does work that may ask another server where only a loop can: `None` if it has to ask, unless a loop is trying it.
pub(crate) fn without_asking<T>(work: impl FnOnce() -> T) -> Option<T> {
    if INSIDE.get() {
        return Some(work());
    }
    match attempt(true, &[], work) {
        Attempt::Done(done) => Some(done),
        _ => None,
    }
}

/// What another server has answered, for the next try of the calls that waited for it.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _Told(pub(crate) Told);

#[pymethods]
impl _Told {
    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an answer is not pickled or copied: it is for one call"))
    }
}

/// Makes a call without asking other servers and, unless `may_wait`, with memory only; `told` is what its earlier tries
/// have asked for.
///
/// Gives `(result,)`, or raises what it raises; `(about, operation)`: drive the operation, and call again with what it
/// gives; None: it has to wait for something of this machine.
#[pyfunction]
#[pyo3(signature = (call, may_wait, told=Vec::new()))]
pub(crate) fn _attempt<'py>(
    call: &Bound<'py, PyAny>,
    may_wait: bool,
    told: Vec<PyRef<'py, _Told>>,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let py = call.py();
    let told: Vec<_> = told.iter().map(|told| told.0.clone()).collect();
    let work = || {
        let before = INSIDE.replace(true);
        let done = call.call0();
        INSIDE.set(before);
        done
    };
    match attempt(may_wait, &told, work) {
        Attempt::Done(done) => PyTuple::new(py, [done?]).map(Some),
        Attempt::Ask(ask) => {
            let about = ask.about().to_owned();
            let operation = _Operation::new(ask.into_operation(), Outcome::ForATry);
            (about, operation).into_pyobject(py).map(Some)
        }
        Attempt::Elsewhere => Ok(None),
    }
}
