//! `_Operation`: what the classes of `gatekey.oauth` and `gatekey.aio` drive.

use crate::args::Text;
use crate::errors::{OrRaise, usage};
use crate::gil::Kept;
use crate::oauth_records::{
    BegunLogin, DeviceCodes, FinishedLogin, Introspection, LogoutNotice, OAuthTokens, UserInfo,
};
use crate::options::octets;
use crate::revocations::Revocations;
use crate::transport::{HttpRequest, HttpTransport};
use gatekey::{ErrorKind, HttpResponse, Operation, Secret, Step, Transport as _};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};

/// What an operation may end with.
pub(crate) enum Outcome {
    Begun(gatekey::BegunLogin),
    Finished(gatekey::FinishedLogin),
    Tokens(gatekey::OAuthTokens),
    Codes(gatekey::DeviceCodes),
    User(gatekey::UserInfo),
    Told(gatekey::Introspection),
    Notice(gatekey::LogoutNotice),
    Text(String),
    Nothing,
}

impl Outcome {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(match self {
            Self::Begun(begun) => Py::new(py, BegunLogin(begun))?.into_any(),
            Self::Finished(login) => Py::new(py, FinishedLogin(login))?.into_any(),
            Self::Tokens(tokens) => Py::new(py, OAuthTokens(tokens))?.into_any(),
            Self::Codes(codes) => Py::new(py, DeviceCodes(codes))?.into_any(),
            Self::User(info) => Py::new(py, UserInfo(info))?.into_any(),
            Self::Told(told) => Py::new(py, Introspection(told))?.into_any(),
            Self::Notice(notice) => Py::new(py, LogoutNotice(notice))?.into_any(),
            Self::Text(text) => text.into_pyobject(py)?.into_any().unbind(),
            Self::Nothing => py.None(),
        })
    }
}

/// Something that takes requests to another server; an implementation detail of `gatekey.oauth`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _Operation(Kept<Mutex<State>>);

struct State {
    operation: Operation<Outcome>,
    /// Handed out, and not answered yet.
    request: Option<gatekey::HttpRequest>,
    done: Option<Outcome>,
}

impl _Operation {
    pub(crate) fn new<T: 'static>(
        operation: Operation<T>,
        wrap: impl FnOnce(T) -> Outcome + Send + 'static,
    ) -> Self {
        let operation = operation.map(wrap);
        Self(Kept::new(Mutex::new(State { operation, request: None, done: None })))
    }

    /// Works on the state without the GIL: a step may verify a token, and ask a store whether it was seen
    /// before; and who waits for another thread's step must not keep it, either.
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut State) -> T + Send) -> T {
        py.detach(|| work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What an operation wants next.
enum Wanted {
    Request(gatekey::HttpRequest),
    Pause(u64),
    Nothing,
    Unknown,
}

#[pymethods]
impl _Operation {
    /// What it wants: an `HttpRequest` to be sent, a number of seconds to wait, or None: it is over.
    fn step(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let wanted = self.with(py, |state| {
            Ok(match state.operation.next()? {
                Step::Request(request) => {
                    state.request = Some(request.clone());
                    Wanted::Request(request)
                }
                Step::Wait(milliseconds) => Wanted::Pause(milliseconds),
                Step::Done(outcome) => {
                    state.done = Some(outcome);
                    Wanted::Nothing
                }
                _ => Wanted::Unknown,
            })
        });
        match wanted.or_raise(py)? {
            Wanted::Request(request) => Ok(Py::new(py, HttpRequest(request))?.into_any()),
            Wanted::Pause(milliseconds) => {
                let seconds = std::time::Duration::from_millis(milliseconds).as_secs_f64();
                Ok(seconds.into_pyobject(py)?.into_any().unbind())
            }
            Wanted::Nothing => Ok(py.None()),
            Wanted::Unknown => {
                Err(usage(py, "The operation wants something that is not known here."))
            }
        }
    }

    /// Sends the request with the built-in transport and takes the answer, or the failure.
    fn send(&self, py: Python<'_>, transport: &HttpTransport) -> PyResult<()> {
        let request = self.with(py, |state| state.request.take());
        let request = request.ok_or_else(|| usage(py, "The operation has no request to send."))?;
        let answer = py.detach(|| transport.core().send(&request));
        self.with(py, |state| match answer {
            Ok(response) => state.operation.feed(response),
            Err(error) => state.operation.fail(error),
        });
        Ok(())
    }

    /// The answer to the request.
    fn feed(
        &self,
        status: u16,
        headers: Vec<(String, String)>,
        body: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let response =
            HttpResponse { status, headers, body: Secret::new(octets(body, "body")?.to_vec()) };
        self.with(body.py(), |state| {
            state.request = None;
            state.operation.feed(response);
        });
        Ok(())
    }

    /// There is no answer: `number` is that of a `TransportError`.
    fn fail(&self, py: Python<'_>, number: i32) {
        let kind = ErrorKind::from_code(number).filter(|kind| kind.code() >= 700);
        self.with(py, |state| {
            state.request = None;
            state.operation.fail(kind.unwrap_or(ErrorKind::ConnectionFailed).into());
        });
    }

    /// What it has ended with.
    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let done = self.with(py, |state| state.done.take());
        done.ok_or_else(|| usage(py, "The operation is not over yet."))?.into_python(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        self.with(py, |state| format!("<gatekey {:?}>", state.operation))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an operation cannot be pickled or copied: it holds secrets"))
    }
}

/// The client behind `gatekey.oauth.OAuthClient`: it makes operations.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _OAuthClient(pub(crate) Kept<gatekey::OAuthClient>, Option<Py<Revocations>>);

#[pymethods]
impl _OAuthClient {
    #[new]
    #[pyo3(signature = (config, *, flow_keys=None, replay=None))]
    fn new(
        py: Python<'_>,
        config: Text<'_>,
        flow_keys: Option<&Bound<'_, PyAny>>,
        replay: Option<Py<Revocations>>,
    ) -> PyResult<Self> {
        let mut config = gatekey::OAuthConfig::from_json(config.0.as_bytes()).or_raise(py)?;
        if let Some(keys) = flow_keys {
            config = config.flow_keys(crate::args::peppers(keys)?);
        }
        if let Some(replay) = &replay {
            config = config.replay(std::sync::Arc::new(replay.get().core().clone()));
        }
        Ok(Self(Kept::new(gatekey::OAuthClient::new(config).or_raise(py)?), replay))
    }

    #[getter]
    fn client_id(&self) -> &str {
        self.0.client_id()
    }

    #[getter]
    fn issuer(&self) -> Option<&str> {
        self.0.issuer()
    }

    fn begin(&self, py: Python<'_>, options: Text<'_>, cookies: Text<'_>) -> PyResult<_Operation> {
        let options = gatekey::LoginOptions::from_json(options.0.as_bytes()).or_raise(py)?;
        Ok(_Operation::new(self.0.begin(&options, cookies.0).or_raise(py)?, Outcome::Begun))
    }

    fn finish(
        &self,
        py: Python<'_>,
        callback: Text<'_>,
        cookies: Text<'_>,
    ) -> PyResult<_Operation> {
        self.1.as_ref().map_or(Ok(()), |list| list.get().follow(py))?;
        // What was seen before is asked of a store.
        let operation = py.detach(|| self.0.finish(callback.0, cookies.0)).or_raise(py)?;
        Ok(_Operation::new(operation, Outcome::Finished))
    }

    fn end_login(&self, callback: Text<'_>) -> Option<String> {
        self.0.end_login(callback.0)
    }

    fn refresh(&self, py: Python<'_>, tokens: &OAuthTokens) -> PyResult<_Operation> {
        Ok(_Operation::new(self.0.refresh(&tokens.0).or_raise(py)?, Outcome::Tokens))
    }

    fn client_credentials(&self, py: Python<'_>, grant: Text<'_>) -> PyResult<_Operation> {
        let grant = gatekey::TokenGrant::from_json(grant.0.as_bytes()).or_raise(py)?;
        Ok(_Operation::new(self.0.client_credentials(&grant).or_raise(py)?, Outcome::Tokens))
    }

    fn jwt_bearer(
        &self,
        py: Python<'_>,
        assertion: Text<'_>,
        grant: Text<'_>,
    ) -> PyResult<_Operation> {
        let grant = gatekey::TokenGrant::from_json(grant.0.as_bytes()).or_raise(py)?;
        let assertion = Secret::from(assertion.owned());
        Ok(_Operation::new(self.0.jwt_bearer(assertion, &grant).or_raise(py)?, Outcome::Tokens))
    }

    fn token_exchange(&self, py: Python<'_>, exchange: Text<'_>) -> PyResult<_Operation> {
        let exchange = gatekey::TokenExchange::from_json(exchange.0.as_bytes()).or_raise(py)?;
        Ok(_Operation::new(self.0.token_exchange(&exchange).or_raise(py)?, Outcome::Tokens))
    }

    fn device_codes(&self, py: Python<'_>, grant: Text<'_>) -> PyResult<_Operation> {
        let grant = gatekey::TokenGrant::from_json(grant.0.as_bytes()).or_raise(py)?;
        Ok(_Operation::new(self.0.device_codes(&grant).or_raise(py)?, Outcome::Codes))
    }

    fn poll(&self, codes: &DeviceCodes) -> _Operation {
        _Operation::new(self.0.poll(&codes.0), Outcome::Tokens)
    }

    fn userinfo(&self, tokens: &OAuthTokens) -> _Operation {
        _Operation::new(self.0.userinfo(&tokens.0), Outcome::User)
    }

    fn introspect(&self, token: Text<'_>) -> _Operation {
        _Operation::new(self.0.introspect(&Secret::from(token.owned())), Outcome::Told)
    }

    fn revoke(&self, token: Text<'_>, is_refresh_token: bool) -> _Operation {
        let operation = self.0.revoke(&Secret::from(token.owned()), is_refresh_token);
        _Operation::new(operation, |()| Outcome::Nothing)
    }

    fn logout_url(
        &self,
        py: Python<'_>,
        id_token: Option<Text<'_>>,
        post_logout_redirect_uri: Option<Text<'_>>,
        state: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let id_token = id_token.map(|token| Secret::from(token.owned()));
        let (uri, state) = (post_logout_redirect_uri.map(|uri| uri.0), state.map(|state| state.0));
        let operation = self.0.logout_url(id_token.as_ref(), uri, state).or_raise(py)?;
        Ok(_Operation::new(operation, Outcome::Text))
    }

    fn logout_notice(&self, logout_token: Text<'_>) -> _Operation {
        _Operation::new(self.0.logout_notice(logout_token.0), Outcome::Notice)
    }

    fn __repr__(&self) -> String {
        format!("<gatekey {:?}>", *self.0)
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an OAuth client cannot be pickled or copied: it holds secrets"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.1)
    }
}
