//! `gatekey.Revocations`: tokens that are not good any more, although signature and dates are.

use crate::args::{self as args, Place, Subject, Text};
use crate::clock::OwnClock;
use crate::errors::{OrRaise, usage};
use crate::gil::Kept;
use crate::options::{PyClock, span};
use crate::session::Sessions;
use gatekey::revocations::{RevocationOptions, RevokeScope};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

/// What has been revoked: kept in a store, checked in memory, seen by other processes within 50 ms.
///
/// Made by `Revocations.open`, or found as `sessions.revocations`. Give it to a `Verifier`: then a
/// revoked token is a `RevokedTokenError`, tokens must have `iat` and `exp`, and if the store has been
/// silent for too long every token is a `StoreUnavailableError`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Revocations {
    inner: Kept<gatekey::Revocations>,
    clock: Option<OwnClock>,
    /// Whose they are; the clock is theirs then.
    sessions: Option<Py<Sessions>>,
}

impl Revocations {
    /// Those that a store has handed out.
    pub(crate) fn of(revocations: gatekey::Revocations, clock: Option<OwnClock>) -> Self {
        Self { inner: Kept::new(revocations), clock, sessions: None }
    }
}

/// How what is revoked is followed.
pub(crate) fn followed(
    max_token_ttl: Option<&Bound<'_, PyAny>>,
    tenant_claim: Text<'_>,
) -> PyResult<RevocationOptions> {
    let options = RevocationOptions::new().tenant_claim(tenant_claim.0);
    Ok(match max_token_ttl {
        Some(ttl) => options.max_token_ttl(span(ttl, "max_token_ttl")?.at_least()),
        None => options,
    })
}

#[pymethods]
impl Revocations {
    /// Refuses, and says how one is made.
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        _given: &Bound<'_, pyo3::types::PyTuple>,
        _named: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Self> {
        Err(PyTypeError::new_err(
            "a Revocations is made by Revocations.open(url) or Store.open(url).revocations()",
        ))
    }

    /// The short way for a program that keeps nothing else there: `Store.open(url).revocations()`. Needs no pepper.
    ///
    /// - `url`: as for `Store.open`.
    /// - `strict`: look for changes by other processes at every token, not within 50 ms.
    /// - `max_stale`: seconds for which tokens are accepted if the store is out of reach; 30.
    /// - `max_token_ttl`: seconds between `iat` and `exp` of a token at the most; others are refused,
    ///   because what is revoked is not remembered for longer. 30 days.
    /// - `tenant_claim`: the claim that names a token's tenant.
    /// - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970.
    /// - `create`: whether a store that is not there is made. False where another process keeps it, so that a wrong path
    ///   is a StoreUnavailableError, and not an empty store.
    #[staticmethod]
    #[pyo3(signature = (url, *, strict=false, max_stale=None, max_token_ttl=None,
        tenant_claim=Text("tenant"), clock=None, create=true),
        text_signature = "(url, *, strict=False, max_stale=30, max_token_ttl=2592000, \
        tenant_claim='tenant', clock=None, create=True)")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python method")]
    fn open(
        py: Python<'_>,
        url: Place,
        strict: bool,
        max_stale: Option<&Bound<'_, PyAny>>,
        max_token_ttl: Option<&Bound<'_, PyAny>>,
        tenant_claim: Text<'_>,
        clock: Option<Bound<'_, PyAny>>,
        create: bool,
    ) -> PyResult<Self> {
        let mut options = followed(max_token_ttl, tenant_claim)?.strict(strict).create(create);
        if let Some(max_stale) = max_stale {
            options = options.max_stale_ms(span(max_stale, "max_stale")?.millis());
        }
        let clock = PyClock::read(clock)?.map(|clock| OwnClock::new(py, clock)).transpose()?;
        if let Some(clock) = &clock {
            options = options.clock(clock.core());
        }
        let inner = py.detach(|| gatekey::open::open_revocations(&url.0, options)).or_raise(py)?;
        Ok(Self::of(inner, clock))
    }

    /// Revokes one token, by its `iss` and its `jti`; it is remembered until `expires_at`, its `exp`. With None for the
    /// issuer, every token with this `jti` is refused, whatever its `iss`. `UsageError` if `expires_at` has passed by more
    /// than 600 seconds, or is after the year 9999, as milliseconds are: then nothing is revoked.
    fn revoke_token(
        &self,
        py: Python<'_>,
        issuer: Option<Text<'_>>,
        jti: Text<'_>,
        expires_at: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let expires_at = args::until(expires_at, "expires_at")?;
        let issuer = issuer.map_or("", |issuer| issuer.0);
        self.call(py, |inner| inner.revoke_token(issuer, jti.0, expires_at))
    }

    /// Revokes the tokens of one session, by their `sid`; its next refresh is refused and ends it.
    fn revoke_session(&self, py: Python<'_>, sid: Text<'_>) -> PyResult<()> {
        self.call(py, |inner| inner.revoke_session(sid.0))
    }

    /// Revokes the tokens that a subject has now; a later log-in gives good ones. Access tokens of `Sessions` say
    /// which revocations came before them (the claim `gkn`); others go by `iat`, to the second. Its sessions
    /// continue, and their next refresh gives good tokens: `Sessions.end_all` ends them as well. An `int` is the
    /// subject of tokens whose `sub` is that number, which is another one than its text.
    fn revoke_subject(&self, py: Python<'_>, sub: Subject) -> PyResult<()> {
        self.call(py, |inner| match &sub {
            Subject::Text(sub) => inner.revoke_subject(sub),
            Subject::Number(sub) => inner.revoke_numeric_subject(*sub),
        })
    }

    /// Revokes the tokens of one key, for ever: by the `kid` of the key that verifies them.
    fn revoke_key(&self, py: Python<'_>, kid: Text<'_>) -> PyResult<()> {
        self.call(py, |inner| inner.revoke_key(kid.0))
    }

    /// Revokes the tokens that were issued (`iat`) before `at`: of one subject, one tenant, or all.
    #[pyo3(signature = (at, subject=None, tenant=None))]
    fn revoke_before(
        &self,
        py: Python<'_>,
        at: &Bound<'_, PyAny>,
        subject: Option<Subject>,
        tenant: Option<Text<'_>>,
    ) -> PyResult<()> {
        let scope = match (&subject, &tenant) {
            (None, None) => RevokeScope::All,
            (Some(Subject::Text(subject)), None) => RevokeScope::Subject(subject),
            (Some(Subject::Number(subject)), None) => RevokeScope::NumericSubject(*subject),
            (None, Some(tenant)) => RevokeScope::Tenant(tenant.0),
            (Some(_), Some(_)) => {
                return Err(usage(py, "Name a `subject` or a `tenant`, not both."));
            }
        };
        let at = args::before(at, "at")?;
        self.call(py, |inner| inner.revoke_before(at, scope))
    }

    /// Whether a token that is good for one use has not been used yet; from now on it has, in every
    /// process that shares the store. One that has expired is good for none.
    fn seen_once(
        &self,
        py: Python<'_>,
        issuer: Option<Text<'_>>,
        jti: Text<'_>,
        expires_at: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let expires_at = args::until(expires_at, "expires_at")?;
        let issuer = issuer.map_or("", |issuer| issuer.0);
        self.call(py, |inner| inner.seen_once(issuer, jti.0, expires_at))
    }

    /// Looks now at what other processes have revoked.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, gatekey::Revocations::refresh)
    }

    /// Forgets what has become needless; otherwise that happens every ten minutes. How many entries.
    fn purge(&self, py: Python<'_>) -> PyResult<u64> {
        self.call(py, gatekey::Revocations::purge)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.inner.check_open().or_raise(py)?;
        Ok(self.inner.len())
    }

    /// True, also when nothing is revoked: `revocations or None` must not turn it off.
    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self) -> String {
        format!("<gatekey.Revocations with {} entries>", self.inner.len())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Revocations is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.sessions)?;
        self.clock.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

impl Revocations {
    pub(crate) const fn of_sessions(inner: gatekey::Revocations, sessions: Py<Sessions>) -> Self {
        Self { inner: Kept::new(inner), clock: None, sessions: Some(sessions) }
    }

    /// The list, to be given to a policy.
    pub(crate) fn core(&self) -> &gatekey::Revocations {
        &self.inner
    }

    /// Reads Python's clock for what follows.
    pub(crate) fn follow(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(clock) = self.clock() {
            clock.tick(py)?;
        }
        Ok(())
    }

    fn clock(&self) -> Option<&OwnClock> {
        let theirs = self.sessions.as_ref().and_then(|sessions| sessions.get().clock());
        self.clock.as_ref().or(theirs)
    }

    fn call<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&gatekey::Revocations) -> gatekey::Result<T> + Send,
    ) -> PyResult<T> {
        if let Some(clock) = self.clock() {
            clock.tick(py)?;
        }
        py.detach(|| work(&self.inner)).or_raise(py)
    }
}
