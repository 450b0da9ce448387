//! `gatekey.Store`: an open store, which hands out everything that is kept there.

use crate::apikey::ApiKeys;
use crate::args::{self as args, FilePath, Place, Text};
use crate::clock::OwnClock;
use crate::errors::OrRaise;
use crate::gil::Kept;
use crate::keyring::{KeyRing, Keys, made_of};
use crate::options::{PyClock, shown, span};
use crate::revocations::{Revocations, followed};
use crate::session::{Sessions, lived};
use crate::signer::Signer;
use crate::twins::Own;
use gatekey::ToJson as _;
use gatekey::apikey::ApiKeyOptions;
use gatekey::open::StoreOptions;
use gatekey::store::LimitsState;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

/// A store: API keys, sessions, revocations and key rings over one pool of connections, one pepper setting and one clock.
///
/// Made by `Store.open`. Safe to share between threads, and usable after a fork. What it hands out stays usable
/// without it, and ends when it is closed: `close` it, or use it as a context manager.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Store {
    inner: Kept<gatekey::Store>,
    clock: Option<OwnClock>,
}

#[pymethods]
impl Store {
    /// Refuses, and says how one is made.
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        _given: &Bound<'_, pyo3::types::PyTuple>,
        _named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Err(PyTypeError::new_err("a Store is made by Store.open(url)"))
    }

    /// Opens `sqlite:///relative/path`, `sqlite:////absolute/path`, a path (a SQLite file as well) or `memory:`;
    /// `folder:/path` is a folder that holds key rings only. `?mark=FILE` at the end of the URL says where the mark is that
    /// tells a restored backup; a StoreRestoredError, if it does. Never open the file with `sqlite3` in the same process,
    /// not even to read.
    ///
    /// - `pepper`: 16 bytes or more, a list of `(number, bytes)`, oldest first, the last one active, or a text as in a
    ///   pepper file. Without one, the file `<path>.pepper` is used, and made with the store. Losing the pepper is losing
    ///   what is in the store.
    /// - `pepper_file`: the file with the peppers, which only its owner may read.
    /// - `pepper_env`: the name of the environment variable that holds them, written as in a file.
    /// - `strict`: look for changes by other processes at every API key and token, not within 50 ms.
    /// - `max_stale`: seconds for which everything works from memory if the store is out of reach.
    /// - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970.
    /// - `limits`: a Valkey, or a Redis of version 7 or later, in which the rates of API keys and the limits of guards over
    ///   this store are counted together with other machines: `redis://127.0.0.1:6379`, `rediss://user:password@host:6379`
    ///   with TLS, `unix:/path/of/socket`. Without it each machine counts for itself, or each process where the store
    ///   is no file. A decision that counts asks the server, for 5 ms at most; while it does not answer, each process admits
    ///   its part of each limit.
    /// - `create`: whether a store that is not there is made. False where another process keeps it, so that a wrong path
    ///   is a StoreUnavailableError, and not an empty store.
    #[staticmethod]
    #[pyo3(signature = (url, *, pepper=None, pepper_file=None, pepper_env=None, strict=false, max_stale=None, limits=None,
        clock=None, create=true),
        text_signature = "(url, *, pepper=None, pepper_file=None, pepper_env=None, strict=False, max_stale=30, \
        limits=None, clock=None, create=True)")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python method")]
    fn open(
        py: Python<'_>,
        url: Place,
        pepper: Option<&Bound<'_, PyAny>>,
        pepper_file: Option<FilePath>,
        pepper_env: Option<Text<'_>>,
        strict: bool,
        max_stale: Option<&Bound<'_, PyAny>>,
        limits: Option<Text<'_>>,
        clock: Option<Bound<'_, PyAny>>,
        create: bool,
    ) -> PyResult<Self> {
        let mut options = StoreOptions::new().strict(strict).create(create);
        if let Some(source) = args::pepper_choice(pepper, pepper_file, pepper_env)? {
            options = options.pepper(source);
        }
        if let Some(max_stale) = max_stale {
            options = options.max_stale_ms(span(max_stale, "max_stale")?.millis());
        }
        if let Some(url) = limits {
            options = options.limits(url.0);
        }
        let clock = PyClock::read(clock)?.map(|clock| OwnClock::new(py, clock)).transpose()?;
        if let Some(clock) = &clock {
            options = options.clock(clock.core());
        }
        let store = py.detach(|| gatekey::Store::open_with(&url.0, options)).or_raise(py)?;
        args::warn_of_pepper(py, store.new_pepper_file().as_deref())?;
        Ok(Self { inner: Kept::new(store), clock })
    }

    /// The API keys; the options are those of `ApiKeys.open`.
    #[pyo3(signature = (*, prefix=Text("gk"), env=Text("live"), limits=None),
        text_signature = "($self, *, prefix='gk', env='live', limits=None)")]
    fn api_keys(
        &self,
        py: Python<'_>,
        prefix: Text<'_>,
        env: Text<'_>,
        limits: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<ApiKeys> {
        let options = ApiKeyOptions::new().prefix(prefix.0).env(env.0);
        let options = args::limits(options, limits)?;
        let clock = self.clock(py)?;
        let keys = py.detach(|| self.inner.api_keys(options)).or_raise(py)?;
        Ok(ApiKeys::of(keys, clock))
    }

    /// The sessions; the options are those of `Sessions.open`.
    #[pyo3(signature = (*, signer=None, refresh_ttl=None, absolute_ttl=None, grace=None, max_token_ttl=None,
        tenant_claim=Text("tenant")),
        text_signature = "($self, *, signer=None, refresh_ttl=604800, absolute_ttl=7776000, grace=10, \
        max_token_ttl=2592000, tenant_claim='tenant')")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python method")]
    fn sessions(
        &self,
        py: Python<'_>,
        signer: Option<Own<Signer>>,
        refresh_ttl: Option<&Bound<'_, PyAny>>,
        absolute_ttl: Option<&Bound<'_, PyAny>>,
        grace: Option<&Bound<'_, PyAny>>,
        max_token_ttl: Option<&Bound<'_, PyAny>>,
        tenant_claim: Text<'_>,
    ) -> PyResult<Sessions> {
        let revocations = followed(max_token_ttl, tenant_claim)?;
        let options = lived(refresh_ttl, absolute_ttl, grace)?.revocations(revocations);
        let clock = self.clock(py)?;
        let signer = signer.map(|signer| signer.0);
        let core = signer.as_ref().map(|signer| signer.get().core());
        let sessions = py.detach(|| self.inner.sessions(core, options)).or_raise(py)?;
        Ok(Sessions::of(sessions, clock, signer))
    }

    /// What is revoked; the options are those of `Revocations.open`. Needs no pepper.
    #[pyo3(signature = (*, max_token_ttl=None, tenant_claim=Text("tenant")),
        text_signature = "($self, *, max_token_ttl=2592000, tenant_claim='tenant')")]
    fn revocations(
        &self,
        py: Python<'_>,
        max_token_ttl: Option<&Bound<'_, PyAny>>,
        tenant_claim: Text<'_>,
    ) -> PyResult<Revocations> {
        let options = followed(max_token_ttl, tenant_claim)?;
        let clock = self.clock(py)?;
        let revocations = py.detach(|| self.inner.revocations(options)).or_raise(py)?;
        Ok(Revocations::of(revocations, clock))
    }

    /// A key ring, which is made if it is not there; the options are those of `KeyRing.open`.
    #[pyo3(signature = (name=Text("default"), *, alg=Text("ES256"), token_ttl=None,
        keys=Keys::default()),
        text_signature = "($self, name='default', *, alg='ES256', token_ttl=None, keys=())")]
    fn key_ring(
        &self,
        py: Python<'_>,
        name: Text<'_>,
        alg: Text<'_>,
        token_ttl: Option<&Bound<'_, PyAny>>,
        keys: Keys,
    ) -> PyResult<KeyRing> {
        let options = made_of(py, alg, token_ttl, &keys)?.name(name.0);
        let clock = self.clock(py)?;
        let ring = py.detach(|| self.inner.key_ring("", options)).or_raise(py)?;
        Ok(KeyRing::of(ring, clock))
    }

    /// How it is with the store, for an end point such as `/healthz`. That it is out of reach raises nothing: the answer
    /// says so.
    ///
    /// Waits for no other thread; for a server as long as for a connection to it, and while the store is followed not at
    /// all; for a program that holds a SQLite file 5 s.
    fn health(&self, py: Python<'_>) -> PyResult<StoreHealth> {
        py.detach(|| self.inner.health()).or_raise(py).map(StoreHealth)
    }

    /// What names the store.
    #[getter]
    fn url(&self) -> String {
        self.inner.url().to_owned()
    }

    /// What this process knows of the server of `limits`, as a dict; None without one. `server`, `connected`, `sharers`: how
    /// many processes count there, as last seen; `asked`: how many questions there were; `alone`: how many of them this
    /// process has decided alone; `troubles`: how often there was which; `last`: what went wrong last, or None. Asks
    /// nothing: `ApiKeys.check_limits` does.
    #[getter]
    fn limits_state<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.inner.limits_state().map(|state| limits_known(py, &state)).transpose()
    }

    /// Writes down what is pending, lets go of files, and ends everything that was handed out: each call of it raises
    /// `UsageError` from now on and changes nothing. A second call does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let ticked = self.clock.as_ref().map_or(Ok(()), |clock| clock.tick(py));
        // Closed, whatever the error.
        py.detach(|| self.inner.close()).or_raise(py)?;
        ticked
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.inner.check_open().or_raise(slf.py())?;
        Ok(slf)
    }

    #[pyo3(signature = (_kind=None, _error=None, _trace=None, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: Option<&Bound<'_, PyType>>,
        _error: Option<&Bound<'_, PyAny>>,
        _trace: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<gatekey.Store {}>", shown(py, self.inner.url()))
    }

    /// Refuses: it holds files and a pepper.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Store is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.clock.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

/// What is known of the server of limits.
pub(crate) fn limits_known<'py>(
    py: Python<'py>,
    state: &LimitsState,
) -> PyResult<Bound<'py, PyDict>> {
    let (known, troubles) = (PyDict::new(py), PyDict::new(py));
    state.troubles.iter().try_for_each(|(name, count)| troubles.set_item(*name, *count))?;
    known.set_item("server", &state.server)?;
    known.set_item("connected", state.connected)?;
    known.set_item("sharers", state.sharers)?;
    known.set_item("asked", state.asked)?;
    known.set_item("alone", state.alone)?;
    known.set_item("troubles", troubles)?;
    known.set_item("last", state.last.as_ref().map(gatekey::Error::message))?;
    Ok(known)
}

impl Store {
    /// The clock for what is handed out, read for the first time.
    fn clock(&self, py: Python<'_>) -> PyResult<Option<OwnClock>> {
        let clock = self.clock.as_ref().map(|clock| clock.share(py));
        clock.map(|clock| clock.tick(py).map(|()| clock)).transpose()
    }
}

/// How it is with a store. Nothing of it is secret: no URL, no host, no name.
///
/// `str()` is its JSON, for an end point such as `/healthz`.
#[pyclass(frozen, eq, module = "gatekey")]
#[derive(PartialEq)]
pub(crate) struct StoreHealth(gatekey::store::StoreHealth);

#[pymethods]
impl StoreHealth {
    /// What keeps it: `memory`, `sqlite`, `folder` or `postgresql`.
    #[getter]
    const fn kind(&self) -> &str {
        self.0.kind
    }

    /// Whether the store answers, and is accepted as it is.
    #[getter]
    const fn reachable(&self) -> bool {
        self.0.reachable
    }

    /// How many seconds ago this process last heard of the store, by a clock that goes on while the machine is suspended;
    /// None if it never has.
    #[getter]
    fn heard_ago(&self) -> Option<f64> {
        self.0.heard_ago_ms.map(seconds)
    }

    /// How many seconds ago what was handed out has last looked for changes: the one whose look is the oldest. Who is
    /// not used does not look. None if nothing has looked yet.
    #[getter]
    fn looked_ago(&self) -> Option<f64> {
        self.0.looked_ago_ms.map(seconds)
    }

    /// The number of the last change in the store; None if it is not known.
    #[getter]
    const fn position(&self) -> Option<u64> {
        self.0.position
    }

    /// The version of PostgreSQL, as the server says it, or of the SQLite library; None if it is not known.
    #[getter]
    fn version(&self) -> Option<&str> {
        self.0.version.as_deref()
    }

    /// Whether this process may change what is in the store; None if it is not known.
    #[getter]
    const fn writable(&self) -> Option<bool> {
        self.0.writable
    }

    /// Why it is not reachable: the `code` of an error, such as `store_unavailable`; None if it is.
    #[getter]
    fn error(&self) -> Option<&str> {
        self.0.error.map(gatekey::ErrorKind::code)
    }

    fn __str__(&self) -> String {
        self.0.to_json()
    }

    fn __repr__(&self) -> String {
        let (kind, state) =
            (self.0.kind, self.0.error.map_or("reachable", gatekey::ErrorKind::code));
        format!("<gatekey.StoreHealth {kind} {state}>")
    }
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}
