//! `gatekey.store_backup` and what belongs to it: copies of a store.

use crate::args::{FilePath, Place, before, pepper_source};
use crate::decode;
use crate::errors::OrRaise;
use gatekey::backup::{AcknowledgeOptions, BackupOptions, RestoreOptions};
use gatekey::pepper::PepperSource;
use gatekey::{Error, ErrorKind, ToJson as _};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Copies a store to the file `to`, which must not be there, while the store is in use: its state of one
/// moment, checked, in one file that only its owner may read.
///
/// - `pepper_to`: a file that receives the pepper file as well; keep it apart from the backup. Without it
///   the pepper is not copied.
/// - `pepper_file`: where the pepper file is, unless it lies beside the store.
/// - `progress`: a callable that hears how many pages are done, of how many; if it raises, the copy stops.
///
/// A dict: `bytes`, `api_keys`, `sessions`.
#[pyfunction]
#[pyo3(signature = (url, to, *, pepper_to=None, pepper_file=None, progress=None))]
pub(crate) fn store_backup<'py>(
    py: Python<'py>,
    url: Place,
    to: FilePath,
    pepper_to: Option<FilePath>,
    pepper_file: Option<FilePath>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let pepper = pepper_file.map_or(PepperSource::Beside, |file| PepperSource::File(file.0));
    let options = BackupOptions { pepper_to: pepper_to.map(|file| file.0), pepper };
    let mut hearing = Hearing::new(progress);
    let done = py.detach(|| {
        gatekey::backup::store_backup(&url.0, &to.0, &options, &mut |done, all| {
            hearing.hear(done, all)
        })
    });
    decode::object(py, hearing.result(py, done)?.to_json().as_bytes())
}

/// Puts a backup, which stays as it is, in the place of a store. A store that is there is kept under another
/// name. The pepper is not touched.
///
/// - `force`: replaces a store that programs have open; restart them afterwards.
/// - `progress`: as in `store_backup`.
///
/// A dict: `bytes`, `api_keys`, `sessions`, `replaced` (a path or None) and `must_acknowledge`, whether the
/// store is refused until `store_acknowledge_restore` is called.
#[pyfunction]
#[pyo3(signature = (backup, url, *, force=false, progress=None))]
pub(crate) fn store_restore<'py>(
    py: Python<'py>,
    backup: FilePath,
    url: Place,
    force: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = RestoreOptions { force };
    let mut hearing = Hearing::new(progress);
    let done = py.detach(|| {
        gatekey::backup::store_restore(&backup.0, &url.0, options, &mut |done, all| {
            hearing.hear(done, all)
        })
    });
    decode::object(py, hearing.result(py, done)?.to_json().as_bytes())
}

/// Accepts a store, or a folder of key rings, that is older than its mark, such as a backup that was put back, after everything from
/// before a moment has ended: sessions and access tokens always, API keys (disabled) and the keys of key
/// rings (replaced by new ones) unless they are to be kept.
///
/// - `revoke_before`: the time of the restore, as seconds since 1970 or an aware datetime; 0 ends nothing, for
///   a store that was only moved.
/// - `pepper`: as in `ApiKeys.open`.
///
/// A dict: how many `sessions`, `api_keys`, `key_rings`; `damaged_key_rings`, the names of those whose rows were altered from
/// outside or cannot be read, which stay as they are; and `was_refused`: if it was not, what was asked for has ended all
/// the same.
#[pyfunction]
#[pyo3(signature = (url, *, revoke_before, keep_api_keys=false, keep_key_rings=false, pepper=None))]
pub(crate) fn store_acknowledge_restore<'py>(
    py: Python<'py>,
    url: Place,
    revoke_before: &Bound<'_, PyAny>,
    keep_api_keys: bool,
    keep_key_rings: bool,
    pepper: Option<&Bound<'_, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let revoke_before = before(revoke_before, "revoke_before")?;
    let pepper = pepper_source(pepper)?;
    let options = AcknowledgeOptions { revoke_before, keep_api_keys, keep_key_rings };
    let done = py.detach(|| gatekey::backup::store_acknowledge_restore(&url.0, &pepper, options));
    decode::object(py, done.or_raise(py)?.to_json().as_bytes())
}

/// Who hears of the progress, and what it raised.
struct Hearing {
    progress: Option<Py<PyAny>>,
    raised: Option<PyErr>,
}

impl Hearing {
    fn new(progress: Option<Py<PyAny>>) -> Self {
        Self { progress, raised: None }
    }

    fn hear(&mut self, done: u64, all: u64) -> gatekey::Result<()> {
        let heard = Python::attach(|py| {
            if let Some(progress) = &self.progress {
                progress.call1(py, (done, all))?;
            }
            py.check_signals()
        });
        heard.map_err(|raised| {
            self.raised = Some(raised);
            Error::from(ErrorKind::InvalidArgument)
        })
    }

    fn result<T>(self, py: Python<'_>, done: gatekey::Result<T>) -> PyResult<T> {
        match self.raised {
            Some(raised) => Err(raised),
            None => done.or_raise(py),
        }
    }
}
