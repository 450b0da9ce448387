//! When the GIL is released: for public keys, and for whatever needs more than memory. Never while
//! a lock of the core is held, so that no thread waits for both.
//!
//! What is over in a microsecond keeps the GIL: to release it and take it again costs more than
//! that, and under load a turn of another thread.

use pyo3::intern;
use pyo3::prelude::*;
use std::ops::Deref;

/// Does what is nearly always over in a microsecond: with the GIL if memory is enough for it, without if it
/// needs a disk, a network or a slow hash this time.
#[inline]
pub(crate) fn quickly<T: Send>(py: Python<'_>, work: impl Fn() -> T + Send) -> T {
    match gatekey::reach::in_memory(&work) {
        Some(done) => done,
        None => wherever(py, work),
    }
}

#[cold]
fn wherever<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(work)
}

/// Drops what may be the last handle of a store, which writes down what is pending and closes: without the
/// GIL, as a call would.
pub(crate) fn let_go<T: Send>(last: T) {
    let mut last = Some(last);
    // While Python shuts down nothing waits; and a thread that releases the GIL then may not get it
    // back.
    Python::try_attach(|py| {
        if !is_finalizing(py) {
            py.detach(|| drop(last.take()));
        }
    });
}

fn is_finalizing(py: Python<'_>) -> bool {
    // Objects are also dropped while an exception is on its way.
    let pending = PyErr::take(py);
    let asked = py.import("sys").and_then(|sys| sys.call_method0(intern!(py, "is_finalizing")));
    let is_finalizing = asked.and_then(|told| told.is_truthy()).unwrap_or(true);
    if let Some(pending) = pending {
        pending.restore(py);
    }
    is_finalizing
}

/// Something of the core that a Python object holds, let go of by [`let_go`].
pub(crate) struct Kept<T: Send>(Option<T>);

impl<T: Send> Kept<T> {
    pub(crate) const fn new(thing: T) -> Self {
        Self(Some(thing))
    }
}

impl<T: Send> Deref for Kept<T> {
    type Target = T;

    #[inline]
    #[expect(clippy::expect_used, reason = "only drop takes it, and nothing uses it after drop")]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl<T: Send> Drop for Kept<T> {
    fn drop(&mut self) {
        if let Some(last) = self.0.take() {
            let_go(last);
        }
    }
}
