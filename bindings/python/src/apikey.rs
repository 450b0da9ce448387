//! `gatekey.ApiKeys`: issue, verify, rotate, revoke and limit API keys.
//!
//! A verification that memory is enough for keeps the GIL: it is over before another thread could
//! wake up. Everything that touches the store's disk, or computes a slow hash, runs without.

use crate::apikey_import::import_and_tell;
use crate::apikey_records::{
    ApiKeyCheck, ApiKeyRecord, AuditRecord, ImportReport, IssuedApiKey, Page, PepperUse,
};
use crate::args::{self as args, Changes, Count, ForPeople, Place, Text, Whose};
use crate::clock::OwnClock;
use crate::errors::{OrRaise, raise, usage};
use crate::gil::{Kept, quickly};
use crate::options::{PyClock, Span, octets, span, wrong_type};
use gatekey::ErrorKind;
use gatekey::apikey::{ApiKeyOptions, AuditFilter, Check, Grant, KeyFilter};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

/// The API keys of a service, in memory or in a SQLite file.
///
/// Made by `ApiKeys.open`. Safe to share between threads, and usable after a fork. Every change is durable when its
/// call returns. `close` it, or use it as a context manager, so that credits that are not spent are given back.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct ApiKeys {
    inner: Kept<gatekey::ApiKeys>,
    clock: Option<OwnClock>,
}

impl ApiKeys {
    pub(crate) fn core(&self) -> &gatekey::ApiKeys {
        &self.inner
    }

    /// Those that a store has handed out.
    pub(crate) fn of(keys: gatekey::ApiKeys, clock: Option<OwnClock>) -> Self {
        Self { inner: Kept::new(keys), clock }
    }

    /// Reads Python's clock for what follows.
    #[inline]
    pub(crate) fn follow(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(clock) = &self.clock {
            clock.tick(py)?;
        }
        Ok(())
    }
}

#[pymethods]
impl ApiKeys {
    /// Refuses, and says how one is made.
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(_given: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Err(PyTypeError::new_err(
            "an ApiKeys is made by ApiKeys.open(url) or Store.open(url).api_keys()",
        ))
    }

    /// The short way for a program that keeps nothing else there: `Store.open(url).api_keys()`.
    ///
    /// - `url`, `pepper`: as for `Store.open`.
    /// - `prefix`, `env`: what keys begin with, `gk_live_` unless set; keys of another environment
    ///   are not accepted.
    /// - `strict`: look for changes by other processes before every verification, not within 50 ms.
    /// - `max_stale`: seconds for which keys are served from memory if the store is out of reach.
    /// - `limits`: where the rates of keys are counted. Unless set, in the file `<path>.limits` beside the
    ///   store; a folder, for stores of another kind or where the store's own cannot be written to; `False`:
    ///   each process counts for itself. The processes of one machine that count in one place share each key's
    ///   limit, over restarts; each machine has limits of its own. Or the URL of a server that all machines count
    ///   in, as of `Store.open`. See `check_limits`.
    /// - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970. Processes that
    ///   share limits must agree about it.
    #[staticmethod]
    #[pyo3(signature = (url, *, pepper=None, prefix=Text("gk"), env=Text("live"), strict=false, max_stale=None,
        limits=None, clock=None), text_signature = "(url, *, pepper=None, prefix='gk', env='live', strict=False, \
        max_stale=30, limits=None, clock=None)")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python method")]
    fn open(
        py: Python<'_>,
        url: Place,
        pepper: Option<&Bound<'_, PyAny>>,
        prefix: Text<'_>,
        env: Text<'_>,
        strict: bool,
        max_stale: Option<&Bound<'_, PyAny>>,
        limits: Option<&Bound<'_, PyAny>>,
        clock: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let pepper = args::pepper_source(pepper)?;
        let max_stale =
            max_stale.map_or(Ok(30_000), |value| span(value, "max_stale").map(Span::millis))?;
        let mut options =
            ApiKeyOptions::new().prefix(prefix.0).env(env.0).strict(strict).max_stale_ms(max_stale);
        options = args::limits(options, limits)?;
        let clock = PyClock::read(clock)?.map(|clock| OwnClock::new(py, clock)).transpose()?;
        if let Some(clock) = &clock {
            options = options.clock(clock.core());
        }
        let opened =
            py.detach(|| gatekey::open::open_api_keys(&url.0, &pepper, options)).or_raise(py)?;
        args::warn_of_pepper(py, opened.new_pepper_file.as_deref())?;
        Ok(Self::of(opened.keys, clock))
    }

    /// Makes a key. `secret` of the result is its text, which is kept nowhere.
    ///
    /// `expires_in`: seconds from now, or a timedelta; or `expires_at`: seconds since 1970, or an aware datetime, to come.
    /// `rate`: how often it may be used, such as `100/60s`. The processes of one machine share the limit, over
    /// restarts (see `open`); each machine has a limit of its own, unless `limits` names a server for all.
    #[pyo3(signature = (*, owner, name=Text(""), scopes=None, not_before=None, expires_in=None, expires_at=None,
        rate=None, credits=None, cidrs=None, meta=None, tenant=Text(""), actor=None),
        text_signature = "($self, *, owner, name='', scopes=(), not_before=None, expires_in=None, expires_at=None, \
        rate=None, credits=None, cidrs=(), meta=None, tenant='', actor=None)")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python method")]
    fn create(
        &self,
        py: Python<'_>,
        owner: Text<'_>,
        name: Text<'_>,
        scopes: Option<&Bound<'_, PyAny>>,
        not_before: Option<&Bound<'_, PyAny>>,
        expires_in: Option<&Bound<'_, PyAny>>,
        expires_at: Option<&Bound<'_, PyAny>>,
        rate: Option<&Bound<'_, PyAny>>,
        credits: Option<&Bound<'_, PyAny>>,
        cidrs: Option<&Bound<'_, PyAny>>,
        meta: Option<&Bound<'_, PyAny>>,
        tenant: Text<'_>,
        actor: Option<Text<'_>>,
    ) -> PyResult<IssuedApiKey> {
        let mut spec = gatekey::apikey::KeySpec::new(owner.0);
        spec.name = name.0.to_owned();
        spec.tenant = tenant.0.to_owned();
        let option =
            |name, value: Option<&Bound<'_, PyAny>>, spec: &mut gatekey::apikey::KeySpec| {
                value.map_or(Ok(()), |value| args::set(spec, name, value))
            };
        for (name, value) in [
            ("scopes", scopes),
            ("not_before", not_before),
            ("expires_in", expires_in),
            ("expires_at", expires_at),
            ("rate", rate),
            ("credits", credits),
            ("cidrs", cidrs),
            ("meta", meta),
        ] {
            option(name, value, &mut spec)?;
        }
        let keys = self.acting(py, actor)?;
        py.detach(|| keys.create(&spec)).or_raise(py).map(IssuedApiKey::new)
    }

    /// The key's record, if it may do what is asked; takes the request's cost from its limits.
    ///
    /// `scopes`: all of these are needed. `ip`: the caller's address, a `str` or of the module
    /// `ipaddress`; a key that is limited to addresses is refused without it. `cost`: units of the
    /// rate and credits, 0 for none. `tenant`: the one that the key must belong to. `presented` is None, as
    /// `api_key_from_headers` gives it, where the request brings no key.
    ///
    /// Raises `MissingCredentialsError`, or a subclass of `ApiKeyError`, each with `code`, `status` and `retry_after`.
    #[pyo3(signature = (presented, *, scopes=None, ip=None, cost=Count(1), tenant=None),
        text_signature = "($self, presented, *, scopes=(), ip=None, cost=1, tenant=None)")]
    fn verify(
        &self,
        py: Python<'_>,
        presented: &Bound<'_, PyAny>,
        scopes: Option<&Bound<'_, PyAny>>,
        ip: Option<&Bound<'_, PyAny>>,
        cost: Count,
        tenant: Option<Text<'_>>,
    ) -> PyResult<ApiKeyRecord> {
        match self.verified(py, presented, scopes, ip, cost, tenant)? {
            Ok(grant) => Ok(ApiKeyRecord::of_grant(grant)),
            Err(error) => Err(raise(py, &error)),
        }
    }

    /// Like `verify`, but gives a result instead of raising: see `ApiKeyCheck`. Mistakes in the arguments are still
    /// raised.
    #[pyo3(signature = (presented, *, scopes=None, ip=None, cost=Count(1), tenant=None),
        text_signature = "($self, presented, *, scopes=(), ip=None, cost=1, tenant=None)")]
    fn check(
        &self,
        py: Python<'_>,
        presented: &Bound<'_, PyAny>,
        scopes: Option<&Bound<'_, PyAny>>,
        ip: Option<&Bound<'_, PyAny>>,
        cost: Count,
        tenant: Option<Text<'_>>,
    ) -> PyResult<ApiKeyCheck> {
        match self.verified(py, presented, scopes, ip, cost, tenant)? {
            Err(error) if error.is_misuse() => Err(raise(py, &error)),
            outcome => ApiKeyCheck::new(py, outcome),
        }
    }

    /// Gives the key a new secret under the same id; the old one is accepted for `overlap` more
    /// seconds, at most 90 days; 0, the default, ends it now. A key has two secrets at the most: a second rotation within
    /// an overlap ends the first secret at once.
    #[pyo3(signature = (id, *, overlap=None, owned_by=Whose::Any, tenant=None, actor=None),
        text_signature = "($self, id, *, overlap=0, owned_by=..., tenant=None, actor=None)")]
    fn rotate(
        &self,
        py: Python<'_>,
        id: Text<'_>,
        overlap: Option<&Bound<'_, PyAny>>,
        owned_by: Whose<'_>,
        tenant: Option<Text<'_>>,
        actor: Option<Text<'_>>,
    ) -> PyResult<IssuedApiKey> {
        let overlap = overlap.map_or(Ok(0), |value| span(value, "overlap").map(Span::at_most))?;
        let keys = self.owned(py, owned_by, tenant, actor)?;
        py.detach(|| keys.rotate(id.0, overlap)).or_raise(py).map(IssuedApiKey::new)
    }

    /// Revokes the key for good. The record as it is now.
    ///
    /// With `owned_by`, here and in the other calls about one key, another owner's key is one that does not exist, and so is
    /// one of another `tenant`; none, for keys without. For users who choose a key by its id, which is public.
    #[pyo3(signature = (id, reason=None, *, owned_by=Whose::Any, tenant=None, actor=None),
        text_signature = "($self, id, reason='', *, owned_by=..., tenant=None, actor=None)")]
    fn revoke(
        &self,
        py: Python<'_>,
        id: Text<'_>,
        reason: Option<ForPeople>,
        owned_by: Whose<'_>,
        tenant: Option<Text<'_>>,
        actor: Option<Text<'_>>,
    ) -> PyResult<ApiKeyRecord> {
        let keys = self.owned(py, owned_by, tenant, actor)?;
        let reason = reason.map(|reason| reason.0).unwrap_or_default();
        py.detach(|| keys.revoke(id.0, &reason)).or_raise(py).map(ApiKeyRecord::new)
    }

    /// Refuses the key until it is enabled again. The record as it is now.
    #[pyo3(signature = (id, reason=None, *, owned_by=Whose::Any, tenant=None, actor=None),
        text_signature = "($self, id, reason='', *, owned_by=..., tenant=None, actor=None)")]
    fn disable(
        &self,
        py: Python<'_>,
        id: Text<'_>,
        reason: Option<ForPeople>,
        owned_by: Whose<'_>,
        tenant: Option<Text<'_>>,
        actor: Option<Text<'_>>,
    ) -> PyResult<ApiKeyRecord> {
        let keys = self.owned(py, owned_by, tenant, actor)?;
        let reason = reason.map(|reason| reason.0).unwrap_or_default();
        py.detach(|| keys.disable(id.0, &reason)).or_raise(py).map(ApiKeyRecord::new)
    }

    /// Accepts a disabled key again. The record as it is now.
    #[pyo3(signature = (id, *, owned_by=Whose::Any, tenant=None, actor=None),
        text_signature = "($self, id, *, owned_by=..., tenant=None, actor=None)")]
    fn enable(
        &self,
        py: Python<'_>,
        id: Text<'_>,
        owned_by: Whose<'_>,
        tenant: Option<Text<'_>>,
        actor: Option<Text<'_>>,
    ) -> PyResult<ApiKeyRecord> {
        let keys = self.owned(py, owned_by, tenant, actor)?;
        py.detach(|| keys.enable(id.0)).or_raise(py).map(ApiKeyRecord::new)
    }

    /// Changes what is named: `owner`, `name`, `scopes`, `not_before`, `expires_at`, `expires_in`,
    /// `rate`, `credits`, `cidrs`, `meta`. `None` takes a limit away. The record as it is now.
    #[pyo3(signature = (id, *, owned_by=Whose::Any, tenant=None, actor=None, **changes),
        text_signature = "($self, id, *, owned_by=..., tenant=None, actor=None, **changes)")]
    fn update(
        &self,
        py: Python<'_>,
        id: Text<'_>,
        owned_by: Whose<'_>,
        tenant: Option<Text<'_>>,
        actor: Option<Text<'_>>,
        changes: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<ApiKeyRecord> {
        let keys = self.owned(py, owned_by, tenant, actor)?;
        let update = Changes::read(changes, || self.now())?;
        py.detach(|| keys.update(id.0, &update)).or_raise(py).map(ApiKeyRecord::new)
    }

    /// The record of the key. Raises `ApiKeyNotFoundError`.
    #[pyo3(signature = (id, *, owned_by=Whose::Any, tenant=None),
        text_signature = "($self, id, *, owned_by=..., tenant=None)")]
    fn get(
        &self,
        py: Python<'_>,
        id: Text<'_>,
        owned_by: Whose<'_>,
        tenant: Option<Text<'_>>,
    ) -> PyResult<ApiKeyRecord> {
        let keys = self.owned(py, owned_by, tenant, None)?;
        py.detach(|| keys.get(id.0)).or_raise(py).map(ApiKeyRecord::new)
    }

    /// A page of records in ascending order of their ids; `cursor` of a page leads to the next one.
    #[pyo3(signature = (*, owner=None, tenant=None, cursor=None, limit=Count(100)),
        text_signature = "($self, *, owner=None, tenant=None, cursor=None, limit=100)")]
    fn list(
        &self,
        py: Python<'_>,
        owner: Option<Text<'_>>,
        tenant: Option<Text<'_>>,
        cursor: Option<Text<'_>>,
        limit: Count,
    ) -> PyResult<Page> {
        let limit = page_limit(py, limit)?;
        let (owner, tenant, cursor) =
            (owner.map(Text::owned), tenant.map(Text::owned), cursor.map(Text::owned));
        let filter = KeyFilter { owner, tenant, cursor, limit };
        let page = py.detach(|| self.inner.list(&filter)).or_raise(py)?;
        let records = page.records.into_iter().map(|one| Py::new(py, ApiKeyRecord::new(one)));
        Page::new(py, records, page.cursor)
    }

    /// A page of the audit, oldest first: what was done to keys, when and by whom.
    #[pyo3(signature = (*, key_id=None, cursor=None, limit=Count(100)),
        text_signature = "($self, *, key_id=None, cursor=None, limit=100)")]
    fn audit(
        &self,
        py: Python<'_>,
        key_id: Option<Text<'_>>,
        cursor: Option<Text<'_>>,
        limit: Count,
    ) -> PyResult<Page> {
        let limit = page_limit(py, limit)?;
        let (key_id, cursor) = (key_id.map(Text::owned), cursor.map(Text::owned));
        let filter = AuditFilter { key_id, cursor, limit };
        let page = py.detach(|| self.inner.audit(&filter)).or_raise(py)?;
        let rows = page.records.into_iter().map(|one| Py::new(py, AuditRecord::new(one)));
        Page::new(py, rows, page.cursor)
    }

    /// Imports keys that another system issued, without their owners noticing.
    ///
    /// `rows` are mappings with `owner`, with `secret` (scheme `plaintext`) or `hash`, with `name`
    /// and the other options of `create`, and with `lookup`, the public part that the key begins with, up to a
    /// separator, which salted hashes need. Schemes: plaintext, sha256-hex, sha256-base64, sha512-hex, drf-api-key, bcrypt,
    /// argon2, pbkdf2-sha256. A row of the wrong form raises `UsageError`, and nothing is imported;
    /// keys that are there already are listed in `rejected`.
    ///
    /// `progress` is called with the number of rows that are done and of all, after every 500 rows. What
    /// it raises is raised when the import is over.
    #[pyo3(signature = (rows, *, scheme, actor=None, progress=None))]
    fn import_(
        &self,
        py: Python<'_>,
        rows: &Bound<'_, PyAny>,
        scheme: Text<'_>,
        actor: Option<Text<'_>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<ImportReport> {
        let scheme = gatekey::apikey::ImportScheme::from_name(scheme.0).or_raise(py)?;
        let keys = self.acting(py, actor)?;
        let Ok(items) = rows.try_iter() else {
            return Err(wrong_type(rows, "rows", "an iterable of mappings"));
        };
        let rows: Vec<_> = items
            .enumerate()
            .map(|(at, row)| args::import_row(&row?, at, scheme))
            .collect::<PyResult<_>>()?;
        let report = match progress {
            None => py.detach(|| keys.import(scheme, &rows)).or_raise(py)?,
            Some(progress) => import_and_tell(py, &keys, scheme, &rows, &progress)?,
        };
        let wrong = report.rejected.iter().filter(|(_, e)| e.kind() == ErrorKind::InvalidArgument);
        let wrong: Vec<_> = wrong.take(3).map(|(at, error)| format!("row {at}: {error}")).collect();
        if wrong.is_empty() {
            return Ok(ImportReport::new(report));
        }
        Err(usage(py, &format!("Nothing was imported; {}", wrong.join(" "))))
    }

    /// Deletes keys that expired, or were revoked, before this time, or before now; how many. Their
    /// audit stays.
    #[pyo3(signature = (before=None, *, actor=None))]
    fn purge(
        &self,
        py: Python<'_>,
        before: Option<&Bound<'_, PyAny>>,
        actor: Option<Text<'_>>,
    ) -> PyResult<u64> {
        let before = before.map(|before| args::moment(before, "before")).transpose()?;
        let keys = self.acting(py, actor)?;
        let before = before.unwrap_or_else(|| self.now());
        py.detach(|| keys.purge(before)).or_raise(py)
    }

    /// How many keys, sessions and key rings of the store still need each pepper.
    fn pepper_report(&self, py: Python<'_>) -> PyResult<Vec<PepperUse>> {
        let report = py.detach(|| self.inner.pepper_report()).or_raise(py)?;
        Ok(report.into_iter().map(PepperUse::new).collect())
    }

    /// Puts every key under the active pepper as well, now: for the day an old one has leaked. How
    /// many keys. `StoreCorruptError` if rows were altered from outside: all others are wrapped, its `key_id` is the first
    /// of them, and `pepper_report` names all.
    #[pyo3(signature = (*, actor=None))]
    fn wrap_peppers(&self, py: Python<'_>, actor: Option<Text<'_>>) -> PyResult<u64> {
        let keys = self.acting(py, actor)?;
        py.detach(|| keys.wrap_peppers()).or_raise(py)
    }

    /// Raises an error that says why, unless the rates of all keys are shared by the processes of this machine, or by
    /// all machines where `limits` names a server, which is asked now. Where they are not, each process counts for itself, and no key is without its limit.
    fn check_limits(&self, py: Python<'_>) -> PyResult<()> {
        self.tick(py)?;
        py.detach(|| self.inner.check_limits()).or_raise(py)
    }

    /// Writes down now when keys were last used; otherwise that happens every 10 seconds.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.tick(py)?;
        py.detach(|| self.inner.flush()).or_raise(py)
    }

    /// Writes down what is pending, gives back credits that were not spent, closes the store. Closing one that may
    /// only be read is no error.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let ticked = self.tick(py);
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

    fn __repr__(&self) -> String {
        format!("<gatekey.ApiKeys {}_{}>", self.inner.prefix(), self.inner.env())
    }

    /// Refuses: a pickle would need the peppers.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an ApiKeys is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.clock.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

impl ApiKeys {
    /// Reads Python's clock for the call that follows.
    #[inline]
    fn tick(&self, py: Python<'_>) -> PyResult<()> {
        self.clock.as_ref().map_or(Ok(()), |clock| clock.tick(py))
    }

    fn now(&self) -> u64 {
        match &self.clock {
            Some(clock) => clock.now(),
            None => gatekey::Clock::now(&gatekey::SystemClock),
        }
    }

    /// The keys, of one owner if one is given.
    fn owned(
        &self,
        py: Python<'_>,
        owner: Whose<'_>,
        tenant: Option<Text<'_>>,
        actor: Option<Text<'_>>,
    ) -> PyResult<gatekey::ApiKeys> {
        let keys = self.acting(py, actor)?;
        match owner {
            Whose::Any if tenant.is_none() => Ok(keys),
            Whose::Any => Err(usage(py, "A `tenant` is that of an owner: give `owned_by`, too.")),
            Whose::Of(owner) => {
                keys.owned_by(owner.0, tenant.map_or("", |name| name.0)).or_raise(py)
            }
        }
    }

    fn acting(&self, py: Python<'_>, actor: Option<Text<'_>>) -> PyResult<gatekey::ApiKeys> {
        self.tick(py)?;
        match actor {
            None => Ok(gatekey::ApiKeys::clone(&self.inner)),
            Some(actor) => self.inner.acting_as(actor.0).or_raise(py),
        }
    }

    #[inline]
    fn verified(
        &self,
        py: Python<'_>,
        presented: &Bound<'_, PyAny>,
        scopes: Option<&Bound<'_, PyAny>>,
        ip: Option<&Bound<'_, PyAny>>,
        cost: Count,
        tenant: Option<Text<'_>>,
    ) -> PyResult<gatekey::Result<Grant>> {
        self.follow(py)?;
        // A str that is no Unicode text is no key, not a misuse.
        let presented = match presented.cast::<PyString>() {
            Ok(text) => text.to_str().map_or(&b"?"[..], str::as_bytes),
            // What `api_key_from_headers` gives where there is no key.
            Err(_) if presented.is_none() => b"",
            Err(_) => octets(presented, "presented")?,
        };
        let mut check = Check::new().cost(cost.0);
        if let Some(tenant) = tenant {
            check = check.tenant(tenant.0);
        }
        if let Some(ip) = ip.map(args::caller_address).transpose()?.flatten() {
            check = check.ip(ip);
        }
        let verify = |scopes: &[&str]| {
            let check = check.scopes(scopes);
            quickly(py, || self.inner.verify(presented, &check))
        };
        let Some(scopes) = scopes else { return Ok(verify(&[])) };
        // What routes demand is a short tuple: its texts are looked at where they are.
        if let Some(outcome) = with_texts(scopes, verify) {
            return Ok(outcome);
        }
        let scopes = crate::options::names(scopes, "scopes")?;
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        Ok(verify(&scopes))
    }
}

pub(crate) fn page_limit(py: Python<'_>, limit: Count) -> PyResult<usize> {
    if (1..=1000).contains(&limit.0) {
        Ok(limit.0 as usize)
    } else {
        Err(usage(py, "A page has 1 to 1000 records: that is its `limit`."))
    }
}

/// Rules for secret scanners, as a dict: `regex`, and `gitleaks` as TOML.
#[pyfunction]
pub(crate) fn scan_rule<'py>(py: Python<'py>, prefix: Text<'_>) -> PyResult<Bound<'py, PyDict>> {
    let rule = gatekey::apikey::scan_rule(prefix.0).or_raise(py)?;
    let dict = PyDict::new(py);
    dict.set_item("regex", rule.regex)?;
    dict.set_item("gitleaks", rule.gitleaks)?;
    Ok(dict)
}

/// The most scopes that are looked at where they are.
const FEW: usize = 8;

/// Hands out the texts of a tuple, if it holds nothing else and few of them.
fn with_texts<T>(value: &Bound<'_, PyAny>, use_them: impl FnOnce(&[&str]) -> T) -> Option<T> {
    let tuple = value.cast_exact::<PyTuple>().ok()?;
    let (mut held, mut texts) = ([None; FEW], [""; FEW]);
    let held = held.get_mut(..tuple.len())?;
    for (n, place) in held.iter_mut().enumerate() {
        *place = Some(tuple.get_borrowed_item(n).ok()?.cast::<PyString>().ok()?);
    }
    for (text, held) in texts.iter_mut().zip(held.iter()) {
        *text = held.as_ref()?.to_str().ok()?;
    }
    texts.get(..tuple.len()).map(use_them)
}
