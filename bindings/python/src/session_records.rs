//! What `Sessions` hands out: pairs of tokens, records, events. All are read-only; none holds a
//! secret but the pairs.

use crate::decode;
use crate::options::shown;
use gatekey::session::SessionEnd;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What a client is given at a log-in and at each refresh.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct SessionTokens(gatekey::session::SessionTokens);

impl SessionTokens {
    pub(crate) const fn new(tokens: gatekey::session::SessionTokens) -> Self {
        Self(tokens)
    }

    pub(crate) const fn core(&self) -> &gatekey::session::SessionTokens {
        &self.0
    }
}

#[pymethods]
impl SessionTokens {
    /// The access token: a JWT with `sub`, `sid` and the claims of the session.
    #[getter]
    fn access_token(&self) -> &str {
        self.0.access_token.expose_str()
    }

    /// The refresh token, to be used once, instead of the previous one.
    #[getter]
    fn refresh_token(&self) -> &str {
        self.0.refresh_token.expose_str()
    }

    /// For how many seconds the access token is good (RFC 6749 section 5.1).
    #[getter]
    const fn expires_in(&self) -> u64 {
        self.0.expires_in
    }

    /// When the session ends unless it is refreshed before, in seconds since 1970.
    #[getter]
    const fn expires_at(&self) -> u64 {
        self.0.expires_at
    }

    /// The id of the session: `sid` of its access tokens.
    #[getter]
    fn family(&self) -> &str {
        self.0.family()
    }

    /// The session as it is now.
    #[getter]
    fn session(&self) -> SessionRecord {
        SessionRecord(self.0.session.clone())
    }

    fn __repr__(&self) -> String {
        format!("<gatekey.SessionTokens {} [redacted]>", self.0.family())
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("session tokens cannot be pickled or copied: they are secrets"))
    }
}

/// A session, without anything that could be presented. Times are in seconds since 1970.
#[pyclass(frozen, eq, module = "gatekey")]
#[derive(PartialEq)]
pub(crate) struct SessionRecord(gatekey::session::SessionRecord);

impl SessionRecord {
    pub(crate) const fn new(record: gatekey::session::SessionRecord) -> Self {
        Self(record)
    }
}

#[pymethods]
impl SessionRecord {
    /// The id: twelve letters and digits, `sid` of its access tokens.
    #[getter]
    fn family(&self) -> &str {
        &self.0.family
    }

    /// Whose session it is: `sub` of its access tokens.
    #[getter]
    fn subject(&self) -> &str {
        &self.0.subject
    }

    /// What the subject logged in with, as the program said.
    #[getter]
    fn client(&self) -> &str {
        &self.0.client
    }

    /// The program's own notes, as a new dict.
    #[getter]
    fn meta<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match &*self.0.meta {
            "" => Ok(PyDict::new(py)),
            meta => decode::object(py, meta.as_bytes()),
        }
    }

    /// When it was started.
    #[getter]
    const fn created_at(&self) -> u64 {
        self.0.created_at
    }

    /// When it was started or last refreshed.
    #[getter]
    const fn last_seen_at(&self) -> u64 {
        self.0.last_seen_at
    }

    /// When it ends unless it is refreshed before.
    #[getter]
    const fn expires_at(&self) -> u64 {
        self.0.expires_at
    }

    /// When it ends however often it is refreshed.
    #[getter]
    const fn absolute_expires_at(&self) -> u64 {
        self.0.absolute_expires_at
    }

    /// How often it was refreshed.
    #[getter]
    const fn refreshes(&self) -> u64 {
        self.0.refreshes
    }

    /// When it was ended, if it was.
    #[getter]
    const fn ended_at(&self) -> Option<u64> {
        self.0.ended_at
    }

    /// Why it was ended: `logout`, `logout_everywhere`, `reuse` or `expired`.
    #[getter]
    fn end(&self) -> Option<&'static str> {
        self.0.end.map(SessionEnd::name)
    }

    /// Whether its row was altered from outside, so that its refresh tokens are refused, and nothing else here is to
    /// be believed.
    #[getter]
    const fn altered(&self) -> bool {
        self.0.altered
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        std::hash::Hash::hash(&self.0.family, &mut hasher);
        std::hash::Hasher::finish(&hasher)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let end = self.end().unwrap_or("live");
        let subject = shown(py, &self.0.subject);
        format!("<gatekey.SessionRecord {} subject={subject} {end}>", self.0.family)
    }
}

/// Something that happened to a session.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct SessionEvent(gatekey::session::SessionEvent);

impl SessionEvent {
    pub(crate) const fn new(event: gatekey::session::SessionEvent) -> Self {
        Self(event)
    }
}

#[pymethods]
impl SessionEvent {
    /// Its number; those of later events are higher.
    #[getter]
    const fn seq(&self) -> u64 {
        self.0.seq
    }

    /// When, in seconds since 1970.
    #[getter]
    const fn at(&self) -> u64 {
        self.0.at
    }

    /// The session.
    #[getter]
    fn family(&self) -> &str {
        &self.0.family
    }

    /// Whose session it is.
    #[getter]
    fn subject(&self) -> &str {
        &self.0.subject
    }

    /// `start`, `logout`, `logout_everywhere`, `reuse` or `expired`.
    #[getter]
    fn action(&self) -> &str {
        &self.0.action
    }

    /// More about it: the client.
    #[getter]
    fn detail(&self) -> &str {
        &self.0.detail
    }

    fn __repr__(&self) -> String {
        format!("<gatekey.SessionEvent {} {} {}>", self.0.seq, self.0.action, self.0.family)
    }
}
