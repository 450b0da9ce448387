//! `gatekey.Sessions`: log-ins, refresh tokens that rotate, log-outs.

use crate::apikey::page_limit;
use crate::apikey_records::Page;
use crate::args::{self as args, Count, ForPeople, Place, Text, Whose};
use crate::clock::OwnClock;
use crate::encode;
use crate::errors::{OrRaise, usage};
use crate::gil::let_go;
use crate::options::{PyClock, octets, span, there};
use crate::revocations::{Revocations, followed};
use crate::session_records::{SessionEvent, SessionRecord, SessionTokens};
use crate::signer::Signer;
use crate::twins::Own;
use gatekey::Claims;
use gatekey::session::{SessionEventFilter, SessionOptions, SessionSpec};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use std::sync::{PoisonError, RwLock};

/// The sessions of a service: access tokens of some minutes, refresh tokens that are used once.
///
/// Made by `Sessions.open`. Safe to share between threads, and usable after a fork. Every change is durable when its
/// call returns.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Sessions {
    /// None once it is closed.
    inner: RwLock<Option<gatekey::Sessions>>,
    clock: Option<OwnClock>,
    signer: Option<Py<Signer>>,
}

impl Sessions {
    /// Those that a store has handed out.
    pub(crate) fn of(
        sessions: gatekey::Sessions,
        clock: Option<OwnClock>,
        signer: Option<Py<Signer>>,
    ) -> Self {
        Self { inner: RwLock::new(Some(sessions)), clock, signer }
    }
}

/// How long sessions live.
pub(crate) fn lived(
    refresh_ttl: Option<&Bound<'_, PyAny>>,
    absolute_ttl: Option<&Bound<'_, PyAny>>,
    grace: Option<&Bound<'_, PyAny>>,
) -> PyResult<SessionOptions> {
    let mut options = SessionOptions::new();
    if let Some(ttl) = refresh_ttl {
        options = options.refresh_ttl(span(ttl, "refresh_ttl")?.at_most());
    }
    if let Some(ttl) = absolute_ttl {
        options = options.absolute_ttl(span(ttl, "absolute_ttl")?.at_most());
    }
    if let Some(grace) = grace {
        options = options.grace_ms(span(grace, "grace")?.millis());
    }
    Ok(options)
}

#[pymethods]
impl Sessions {
    /// Refuses, and says how one is made.
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        _given: &Bound<'_, pyo3::types::PyTuple>,
        _named: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Self> {
        Err(PyTypeError::new_err(
            "a Sessions is made by Sessions.open(url, signer=...) or Store.open(url).sessions(signer=...)",
        ))
    }

    /// The short way for a program that keeps nothing else there: `Store.open(url).sessions()`.
    ///
    /// - `url`: as for `Store.open`.
    /// - `signer`: signs the access tokens, which live for its `ttl`. Without one, sessions are looked
    ///   at and ended only.
    /// - `refresh_ttl`: seconds after which a session ends that was not refreshed; 7 days.
    /// - `absolute_ttl`: seconds after which a session ends however often it is refreshed; 90 days.
    /// - `grace`: seconds for which a refresh token that was used gives the same answer again, while its successor
    ///   has not been presented; 10, at most 60.
    /// - `strict`, `max_stale`, `max_token_ttl`, `tenant_claim`: of `revocations`, see `Revocations`.
    /// - `pepper`: as for `Store.open`. Losing it ends every session.
    /// - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970; the dates of
    ///   access tokens come from it, too.
    #[staticmethod]
    #[pyo3(signature = (url, *, signer=None, refresh_ttl=None, absolute_ttl=None, grace=None, pepper=None,
        strict=false, max_stale=None, max_token_ttl=None, tenant_claim=Text("tenant"), clock=None),
        text_signature = "(url, *, signer=None, refresh_ttl=604800, absolute_ttl=7776000, grace=10, \
        pepper=None, strict=False, max_stale=30, max_token_ttl=2592000, tenant_claim='tenant', clock=None)")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python method")]
    fn open(
        py: Python<'_>,
        url: Place,
        signer: Option<Own<Signer>>,
        refresh_ttl: Option<&Bound<'_, PyAny>>,
        absolute_ttl: Option<&Bound<'_, PyAny>>,
        grace: Option<&Bound<'_, PyAny>>,
        pepper: Option<&Bound<'_, PyAny>>,
        strict: bool,
        max_stale: Option<&Bound<'_, PyAny>>,
        max_token_ttl: Option<&Bound<'_, PyAny>>,
        tenant_claim: Text<'_>,
        clock: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let pepper = args::pepper_source(pepper)?;
        let mut revocations = followed(max_token_ttl, tenant_claim)?.strict(strict);
        if let Some(max_stale) = max_stale {
            revocations = revocations.max_stale_ms(span(max_stale, "max_stale")?.millis());
        }
        let mut options = lived(refresh_ttl, absolute_ttl, grace)?.revocations(revocations);
        let clock = PyClock::read(clock)?.map(|clock| OwnClock::new(py, clock)).transpose()?;
        if let Some(clock) = &clock {
            options = options.clock(clock.core());
        }
        let signer = signer.map(|signer| signer.0);
        let core = signer.as_ref().map(|signer| signer.get().core());
        let opened = py
            .detach(|| gatekey::open::open_sessions(&url.0, &pepper, core, options))
            .or_raise(py)?;
        args::warn_of_pepper(py, opened.new_pepper_file.as_deref())?;
        Ok(Self::of(opened.sessions, clock, signer))
    }

    /// Starts a session, after a log-in.
    ///
    /// `claims`: what each access token says in addition; not `sub`, `sid`, `iss`, `aud`, `exp`, `iat`, `jti` or
    /// `gkn`. `client`: what the subject logs in with, for people. `meta`: a mapping, for the program.
    #[pyo3(signature = (subject, claims=None, client=None, meta=None))]
    fn start(
        &self,
        py: Python<'_>,
        subject: Text<'_>,
        claims: Option<&Bound<'_, PyAny>>,
        client: Option<ForPeople>,
        meta: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<SessionTokens> {
        let spec = read_spec(claims, client, meta)?;
        let sessions = self.signing(py)?;
        py.detach(move || sessions.start(subject.0, &spec)).or_raise(py).map(SessionTokens::new)
    }

    /// Exchanges a refresh token for a new pair. With `claims` the access tokens say these from now on,
    /// else what they said before.
    ///
    /// Raises `TokenReuseError` if the token was used before: the session is ended then.
    /// `SessionEndedError`, `SessionExpiredError`; `InvalidRefreshTokenError`, also if it was used before and the
    /// clock, which was set since, cannot tell how long ago: nothing is changed then.
    #[pyo3(signature = (refresh_token, claims=None))]
    fn refresh(
        &self,
        py: Python<'_>,
        refresh_token: &Bound<'_, PyAny>,
        claims: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<SessionTokens> {
        self.be_open(py)?;
        let token = presented(refresh_token, "refresh_token")?;
        let claims = claims.map(read_claims).transpose()?;
        let sessions = self.signing(py)?;
        let tokens = py.detach(move || sessions.refresh(token, claims.as_ref()));
        tokens.or_raise(py).map(SessionTokens::new)
    }

    /// Ends the session of a refresh token, which is checked, and revokes its access tokens: a log-out. Whether it
    /// had not been ended before. Any refresh token of the session will do; its public `family` will not.
    ///
    /// Raises `InvalidRefreshTokenError`.
    fn end(&self, py: Python<'_>, refresh_token: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.be_open(py)?;
        let token = presented(refresh_token, "refresh_token")?;
        let sessions = self.inner(py)?;
        py.detach(move || sessions.end(token)).or_raise(py)
    }

    /// Ends the session with this id and revokes its access tokens; whether it had not been ended before. With
    /// `subject`, only a session of that subject.
    ///
    /// The id is public (`sid` of access tokens): where users choose it, from a list of their devices, give the
    /// subject that is logged in. Raises `SessionNotFoundError`, also for another subject's session.
    #[pyo3(signature = (family, subject=Whose::Any), text_signature = "($self, family, subject=...)")]
    fn end_by_id(&self, py: Python<'_>, family: Text<'_>, subject: Whose<'_>) -> PyResult<bool> {
        let sessions = self.inner(py)?;
        let subject = match subject {
            Whose::Any => None,
            Whose::Of(subject) => Some(subject.0),
        };
        py.detach(move || sessions.end_by_id(family.0, subject)).or_raise(py)
    }

    /// Ends every session whose refresh token was made under this old pepper, and revokes its access tokens: for
    /// the day that it has leaked. How many sessions. Those that were refreshed under a newer one more than a minute ago
    /// stay; those whose rows were altered from outside end. `WrongPepperError` if rows are sealed under a pepper that was
    /// not given: these stay, and all others are done.
    fn end_under_pepper(&self, py: Python<'_>, pepper: Count) -> PyResult<u64> {
        let sessions = self.inner(py)?;
        py.detach(move || sessions.end_under_pepper(pepper.0)).or_raise(py)
    }

    /// Ends all sessions of a subject and revokes what access tokens it has; how many sessions.
    ///
    /// With `but`, the id of one of them, that one is kept and not touched, and sessions that are started meanwhile are not
    /// ended: `SessionNotFoundError`, also for another subject's session, or `SessionEndedError`; then none is.
    #[pyo3(signature = (subject, *, but=None))]
    fn end_all(&self, py: Python<'_>, subject: Text<'_>, but: Option<Text<'_>>) -> PyResult<u64> {
        let sessions = self.inner(py)?;
        let end = move || match but {
            Some(family) => sessions.end_others(subject.0, family.0),
            None => sessions.end_all(subject.0),
        };
        py.detach(end).or_raise(py)
    }

    /// The live sessions of a subject, the last one used first; those whose rows were altered from outside or cannot be
    /// read too (`altered`).
    fn list(&self, py: Python<'_>, subject: Text<'_>) -> PyResult<Vec<SessionRecord>> {
        let sessions = self.inner(py)?;
        let records = py.detach(move || sessions.list(subject.0)).or_raise(py)?;
        Ok(records.into_iter().map(SessionRecord::new).collect())
    }

    /// The session with this id, live or not. Raises `SessionNotFoundError`.
    fn get(&self, py: Python<'_>, family: Text<'_>) -> PyResult<SessionRecord> {
        let sessions = self.inner(py)?;
        py.detach(move || sessions.get(family.0)).or_raise(py).map(SessionRecord::new)
    }

    /// A page of what happened to sessions, oldest first; `cursor` of a page leads to the next one.
    #[pyo3(signature = (*, subject=None, family=None, cursor=None, limit=Count(100)),
        text_signature = "($self, *, subject=None, family=None, cursor=None, limit=100)")]
    fn events(
        &self,
        py: Python<'_>,
        subject: Option<Text<'_>>,
        family: Option<Text<'_>>,
        cursor: Option<Text<'_>>,
        limit: Count,
    ) -> PyResult<Page> {
        let filter = SessionEventFilter {
            subject: subject.map(Text::owned),
            family: family.map(Text::owned),
            cursor: cursor.map(Text::owned),
            limit: page_limit(py, limit)?,
        };
        let sessions = self.inner(py)?;
        let page = py.detach(move || sessions.events(&filter)).or_raise(py)?;
        let events = page.records.into_iter().map(|one| Py::new(py, SessionEvent::new(one)));
        Page::new(py, events, page.cursor)
    }

    /// Deletes sessions that expired, or were ended, before this time, or before now; how many.
    #[pyo3(signature = (before=None))]
    fn purge(&self, py: Python<'_>, before: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
        let before = before.map(|before| args::moment(before, "before")).transpose()?;
        let sessions = self.inner(py)?;
        let now = || match &self.clock {
            Some(clock) => clock.now(),
            None => gatekey::Clock::now(&gatekey::SystemClock),
        };
        let before = before.unwrap_or_else(now);
        py.detach(move || sessions.purge(before)).or_raise(py)
    }

    /// What is revoked, to be given to verifiers: `Verifier(..., revocations=sessions.revocations)`.
    #[getter]
    fn revocations(slf: PyRef<'_, Self>) -> PyResult<Revocations> {
        let inner = slf.inner(slf.py())?.revocations().clone();
        Ok(Revocations::of_sessions(inner, slf.into()))
    }

    /// Closes the store, unless a verifier still has its revocations.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let taken = self.inner.write().unwrap_or_else(PoisonError::into_inner).take();
        match taken {
            Some(sessions) => py.detach(move || sessions.close()).or_raise(py),
            None => Ok(()),
        }
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.be_open(slf.py())?;
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

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __repr__(&self) -> &'static str {
        "<gatekey.Sessions>"
    }

    /// Refuses: a pickle would need the peppers.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Sessions is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.signer)?;
        self.clock.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = inner.take() {
            let_go(last);
        }
    }
}

impl Sessions {
    /// The clock that was given, if one was.
    pub(crate) const fn clock(&self) -> Option<&OwnClock> {
        self.clock.as_ref()
    }

    /// Refuses what has been closed, before any Python code runs for the call.
    fn be_open(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let inner = inner.as_ref().ok_or_else(|| usage(py, "The sessions have been closed."))?;
        inner.check_open().or_raise(py)
    }

    /// The sessions, with Python's clock read for the call that follows.
    fn inner(&self, py: Python<'_>) -> PyResult<gatekey::Sessions> {
        if let Some(clock) = &self.clock {
            clock.tick(py)?;
        }
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.clone().ok_or_else(|| usage(py, "The sessions have been closed."))
    }

    /// Has what they go by read its clock, if it is one of Python's.
    pub(crate) fn follow(&self, py: Python<'_>) -> PyResult<()> {
        self.signer.as_ref().map_or(Ok(()), |signer| signer.get().follow(py))?;
        self.clock.as_ref().map_or(Ok(()), |clock| clock.tick(py))
    }

    /// The same, with the signer's keys up to date.
    pub(crate) fn signing(&self, py: Python<'_>) -> PyResult<gatekey::Sessions> {
        if let Some(signer) = &self.signer {
            signer.get().follow(py)?;
        }
        self.inner(py)
    }
}

/// What a session is started with.
pub(crate) fn read_spec(
    claims: Option<&Bound<'_, PyAny>>,
    client: Option<ForPeople>,
    meta: Option<&Bound<'_, PyAny>>,
) -> PyResult<SessionSpec> {
    Ok(SessionSpec {
        claims: claims.map(read_claims).transpose()?.unwrap_or_default(),
        client: client.map(|client| client.0).unwrap_or_default(),
        meta: meta.map(|meta| encode::object(meta, "meta")).transpose()?.unwrap_or_default(),
    })
}

pub(crate) fn read_claims(claims: &Bound<'_, PyAny>) -> PyResult<Claims> {
    Claims::from_json(encode::claims(claims, encode::Default::Absent)?.as_bytes())
        .or_raise(claims.py())
}

/// What a client presents: a str that is no Unicode text is no token, not a misuse. None is nothing, of a request without
/// the cookie.
fn presented<'a>(value: &'a Bound<'_, PyAny>, what: &str) -> PyResult<&'a [u8]> {
    there(value)?;
    match value.cast::<PyString>() {
        Ok(text) => Ok(text.to_str().map_or(&b""[..], str::as_bytes)),
        Err(_) => octets(value, what),
    }
}
