//! `ApiKeys.import_` with `progress`: the import on one thread, and Python's callable on another.

use crate::errors::OrRaise;
use gatekey::apikey::{ImportReport, ImportRow, ImportScheme};
use gatekey::{ApiKeys, ErrorKind};
use pyo3::prelude::*;
use std::sync::PoisonError;

/// Imports on a thread of its own. What is called is Python's, so it is called by this one: a thread that the
/// interpreter does not know would come back into the main one, whichever this is.
pub(crate) fn import_and_tell(
    py: Python<'_>,
    keys: &ApiKeys,
    scheme: ImportScheme,
    rows: &[ImportRow],
    progress: &Py<PyAny>,
) -> PyResult<ImportReport> {
    let (tell, told) = std::sync::mpsc::sync_channel(0);
    let told = std::sync::Mutex::new(told);
    std::thread::scope(|scope| {
        let import = move || {
            keys.import_with(scheme, rows, &mut |done| {
                let _ = tell.send(done); // not received after an exception
            })
        };
        let thread = std::thread::Builder::new().spawn_scoped(scope, import)?;
        let next = || told.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let mut raised = None;
        while let Ok(done) = py.detach(next) {
            if raised.is_none() {
                raised = progress.call1(py, (done, rows.len())).err();
            }
        }
        let report = py.detach(|| thread.join());
        let report = report.unwrap_or_else(|_| Err(ErrorKind::Internal.into())).or_raise(py)?;
        raised.map_or(Ok(report), Err)
    })
}
