//! What is behind `gatekey.guard.Guard`: the one decision, for adapters that translate requests and
//! answers.

use crate::apikey::ApiKeys;
use crate::args::{ForPeople, Text};
use crate::attempt::without_asking;
use crate::clock::OwnClock;
use crate::errors::{OrRaise, usage};
use crate::former_tokens::_FormerTokens;
use crate::gil::Kept;
use crate::guard_decision::_Decision;
use crate::guard_demand::_Demand;
use crate::guard_request::_Request;
use crate::options::{PyClock, names};
use crate::own_transport::{asked, asking};
use crate::resource::{_ResourceServer, FOR_LOOPS};
use crate::revocations::Revocations;
use crate::session::{Sessions, read_claims, read_spec};
use crate::session_cookies::SessionCookies;
use crate::store::limits_known;
use crate::twins::Own;
use gatekey::ErrorKind;
use gatekey::guard::{Decision, Request};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// What is behind `gatekey.guard.Guard`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _Guard {
    inner: Kept<gatekey::Guard>,
    /// What may have a clock of Python's.
    api_keys: Option<Py<ApiKeys>>,
    sessions: Option<Py<Sessions>>,
    tokens: Option<Py<_ResourceServer>>,
    revocations: Option<Py<Revocations>>,
    clock: Option<OwnClock>,
}

#[pymethods]
impl _Guard {
    #[new]
    #[pyo3(signature = (*, api_keys=None, sessions=None, tokens=None, former=None, revocations=None, cookies=None,
        origins=None, trusted_proxies=None, forwarded_header=None, exact_names=false, api_key_header=None, csrf_header=None,
        realm=None, metadata_url=None, ipv6_prefix=None, limits=None, clock=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python class")]
    fn new(
        py: Python<'_>,
        api_keys: Option<Own<ApiKeys>>,
        sessions: Option<Own<Sessions>>,
        tokens: Option<Py<_ResourceServer>>,
        former: Option<PyRef<'_, _FormerTokens>>,
        revocations: Option<Own<Revocations>>,
        cookies: Option<PyRef<'_, SessionCookies>>,
        origins: Option<&Bound<'_, PyAny>>,
        trusted_proxies: Option<&Bound<'_, PyAny>>,
        forwarded_header: Option<Text<'_>>,
        exact_names: bool,
        api_key_header: Option<Text<'_>>,
        csrf_header: Option<Text<'_>>,
        realm: Option<Text<'_>>,
        metadata_url: Option<Text<'_>>,
        ipv6_prefix: Option<u8>,
        limits: Option<Text<'_>>,
        clock: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let clock = PyClock::read(clock)?.map(|clock| OwnClock::new(py, clock)).transpose()?;
        let mut builder = gatekey::Guard::builder();
        let (api_keys, sessions) = (api_keys.map(|own| own.0), sessions.map(|own| own.0));
        let revocations = revocations.map(|own| own.0);
        if let Some(keys) = &api_keys {
            builder = builder.api_keys(keys.get().core().clone());
        }
        if let Some(sessions) = &sessions {
            builder = builder.sessions(sessions.get().signing(py)?);
        }
        if let Some(tokens) = &tokens {
            tokens.get().follow(py)?;
            builder = builder.tokens(tokens.get().builder());
        }
        if let Some(former) = former {
            builder = builder.former_tokens(former.0.clone());
        }
        if let Some(list) = &revocations {
            builder = builder.revocations(Arc::new(list.get().core().clone()));
        }
        if let Some(cookies) = cookies {
            builder = builder.cookies(cookies.core().clone());
        }
        for origin in listed(origins, "origins")? {
            builder = builder.origin(origin);
        }
        for proxy in listed(trusted_proxies, "trusted_proxies")? {
            builder = builder.trusted_proxy(proxy);
        }
        if let Some(name) = forwarded_header {
            builder = builder.forwarded_header(name.0);
        }
        if exact_names {
            builder = builder.exact_names();
        }
        if let Some(name) = api_key_header {
            builder = builder.api_key_header(name.0);
        }
        if let Some(name) = csrf_header {
            builder = builder.csrf_header(name.0);
        }
        if let Some(realm) = realm {
            builder = builder.realm(realm.0);
        }
        if let Some(url) = metadata_url {
            builder = builder.metadata_url(url.0);
        }
        if let Some(bits) = ipv6_prefix {
            builder = builder.ipv6_prefix(bits);
        }
        if let Some(url) = limits {
            builder = builder.limits(url.0);
        }
        if let Some(clock) = &clock {
            builder = builder.clock(clock.core());
        }
        let inner = Kept::new(asked(py, || builder.build())?);
        Ok(Self { inner, api_keys, sessions, tokens, revocations, clock })
    }

    /// What this process knows of the server that the limits are counted in; see `Store.limits_state`.
    #[getter]
    fn limits_state<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.inner.limits_state().map(|state| limits_known(py, &state)).transpose()
    }

    /// Decides a request: with the GIL as far as memory goes, without it where something is waited for. `user`: whom the
    /// program has looked up, with what is granted, for former tokens.
    #[pyo3(signature = (request, demand, user=None))]
    fn check(
        &self,
        py: Python<'_>,
        request: PyRef<'_, _Request>,
        demand: PyRef<'_, _Demand>,
        user: Option<(String, Vec<String>)>,
    ) -> PyResult<_Decision> {
        self.follow(py)?;
        let user = user.as_ref();
        let at_once = |request: &Request<'_>| self.inner.try_check(request, &demand.0);
        if let Some(decision) = request.with_user(user, at_once) {
            return Ok(_Decision::new(decision));
        }
        let (request, demand) = (&*request, &demand.0);
        self.deciding(py, || request.with_user(user, |request| self.inner.check(request, demand)))
    }

    /// That callers of this guard can meet a demand.
    fn check_demand(&self, py: Python<'_>, demand: PyRef<'_, _Demand>) -> PyResult<()> {
        self.inner.check_demand(&demand.0).or_raise(py)
    }

    /// Whose former token the request brings, with its claims as JSON; None if it brings none that is good by itself.
    fn former_user(
        &self,
        py: Python<'_>,
        request: PyRef<'_, _Request>,
    ) -> PyResult<Option<(String, String)>> {
        self.follow(py)?;
        let found = request.with(|request| self.inner.former_user(request));
        Ok(found.map(|found| (found.subject, found.claims_json)))
    }

    /// Who makes the request, as far as that can be known: for the log.
    fn address_of(&self, request: PyRef<'_, _Request>) -> Option<String> {
        request.with(|request| self.inner.address_of(request)).map(|address| address.to_string())
    }

    /// The CSRF token of a page with a form of a caller who is not known yet, and the `Set-Cookie` that belongs to it.
    fn form_token(
        &self,
        py: Python<'_>,
        request: PyRef<'_, _Request>,
    ) -> PyResult<(String, Option<String>)> {
        let made = request.with(|request| self.inner.form_token(request)).or_raise(py)?;
        Ok((made.token, made.set_cookie))
    }

    /// The decision, if memory is enough for it; else None, and nothing was taken.
    #[pyo3(signature = (request, demand, user=None))]
    fn try_check(
        &self,
        py: Python<'_>,
        request: PyRef<'_, _Request>,
        demand: PyRef<'_, _Demand>,
        user: Option<(String, Vec<String>)>,
    ) -> PyResult<Option<_Decision>> {
        self.follow(py)?;
        let at_once = |request: &Request<'_>| self.inner.try_check(request, &demand.0);
        let decision = request.with_user(user.as_ref(), at_once);
        Ok(decision.map(_Decision::new))
    }

    /// The answer where a request could not be decided, because another server gave none: the number of that error.
    fn refuse(&self, number: i32, demand: PyRef<'_, _Demand>) -> _Decision {
        let kind = ErrorKind::from_number(number).unwrap_or(ErrorKind::Internal);
        _Decision::new(self.inner.refuse(kind.into(), &demand.0))
    }

    /// Starts a session, after a log-in.
    #[pyo3(signature = (subject, claims=None, client=None, meta=None))]
    fn log_in(
        &self,
        py: Python<'_>,
        subject: Text<'_>,
        claims: Option<&Bound<'_, PyAny>>,
        client: Option<ForPeople>,
        meta: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<_Decision> {
        let spec = read_spec(claims, client, meta)?;
        self.follow(py)?;
        py.detach(|| self.inner.log_in(subject.0, &spec)).or_raise(py).map(_Decision::new)
    }

    /// Exchanges the refresh cookie for new cookies.
    #[pyo3(signature = (request, claims=None))]
    fn refresh(
        &self,
        py: Python<'_>,
        request: PyRef<'_, _Request>,
        claims: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<_Decision> {
        let claims = claims.map(read_claims).transpose()?;
        self.follow(py)?;
        let request = &*request;
        self.deciding(py, || request.with(|request| self.inner.refresh(request, claims.as_ref())))
    }

    /// Ends the session of the request, and clears its cookies.
    fn log_out(&self, py: Python<'_>, request: PyRef<'_, _Request>) -> PyResult<_Decision> {
        self.follow(py)?;
        let request = &*request;
        self.deciding(py, || request.with(|request: &Request<'_>| self.inner.log_out(request)))
    }

    /// The metadata of this API, as JSON.
    fn metadata_json(&self) -> String {
        self.inner.metadata_json()
    }

    /// The path that the metadata are served at, if the API's identifier is an address.
    #[getter]
    fn metadata_path(&self) -> Option<String> {
        self.inner.metadata_path()
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __repr__(&self) -> &'static str {
        "<gatekey._Guard>"
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Guard is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.api_keys)?;
        visit.call(&self.sessions)?;
        visit.call(&self.tokens)?;
        visit.call(&self.revocations)?;
        self.clock.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

impl _Guard {
    /// Has everything that it was given read its clock, if it is one of Python's.
    fn follow(&self, py: Python<'_>) -> PyResult<()> {
        self.api_keys.as_ref().map_or(Ok(()), |keys| keys.get().follow(py))?;
        self.sessions.as_ref().map_or(Ok(()), |sessions| sessions.get().follow(py))?;
        self.tokens.as_ref().map_or(Ok(()), |tokens| tokens.get().follow(py))?;
        self.revocations.as_ref().map_or(Ok(()), |list| list.get().follow(py))?;
        self.clock.as_ref().map_or(Ok(()), |clock| clock.tick(py))
    }

    /// Decides where it may wait, without the GIL.
    fn deciding(&self, py: Python<'_>, work: impl Fn() -> Decision + Send) -> PyResult<_Decision> {
        let is_for_loops = self.tokens.as_ref().is_some_and(|tokens| tokens.get().is_for_loops());
        let decided =
            asking(py, || if is_for_loops { without_asking(work) } else { Some(work()) })?;
        decided.map(_Decision::new).ok_or_else(|| usage(py, FOR_LOOPS))
    }
}

pub(crate) fn listed(value: Option<&Bound<'_, PyAny>>, what: &str) -> PyResult<Vec<String>> {
    value.map_or(Ok(Vec::new()), |value| names(value, what))
}
