//! `_Operation`: what the classes of `gatekey.oauth` and `gatekey.aio` drive.

use crate::attempt::_Told;
use crate::clock::OwnClock;
use crate::errors::{OrRaise, usage};
use crate::gil::Kept;
use crate::oauth_records::{
    BegunLogin, DeviceCodes, FinishedLogin, Introspection, LogoutNotice, OAuthTokens, UserInfo,
};
use crate::own_transport::{self, Failed};
use crate::transport::{HttpRequest, HttpTransport};
use gatekey::transport::{HttpResponse, Operation, Step, Transport as _};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};

/// What an operation may end with.
pub(crate) enum Outcome {
    Begun(gatekey::oauth::BegunLogin),
    Finished(gatekey::oauth::FinishedLogin),
    Tokens(gatekey::oauth::OAuthTokens),
    Codes(gatekey::oauth::DeviceCodes),
    User(gatekey::oauth::UserInfo),
    Told(gatekey::oauth::Introspection),
    Notice(gatekey::oauth::LogoutNotice),
    Text(String),
    /// One JSON object.
    Json(String),
    /// For the next try of an attempt.
    ForATry(gatekey::transport::Told),
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
            Self::Json(text) => crate::decode::object(py, text.as_bytes())?.into_any().unbind(),
            Self::ForATry(told) => Py::new(py, _Told(told))?.into_any(),
            Self::Nothing => py.None(),
        })
    }
}

/// Something that takes requests to another server; an implementation detail of `gatekey.oauth`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _Operation(Kept<Mutex<State>>, Option<OwnClock>);

struct State {
    operation: Operation<Outcome>,
    /// Handed out, and not answered yet.
    request: Option<gatekey::transport::HttpRequest>,
    done: Option<Outcome>,
}

impl State {
    fn answer(&mut self, answer: Result<HttpResponse, Failed>) {
        self.request = None;
        match answer {
            Ok(response) => self.operation.feed(response),
            Err(failed) => self.operation.fail(failed.into()),
        }
    }
}

impl _Operation {
    pub(crate) fn new<T: 'static>(
        operation: Operation<T>,
        wrap: impl FnOnce(T) -> Outcome + Send + 'static,
    ) -> Self {
        let operation = operation.map(wrap);
        let state = State { operation, request: None, done: None };
        Self(Kept::new(Mutex::new(state)), None)
    }

    /// The same, with a clock that is read before each of its steps.
    pub(crate) fn by(self, clock: Option<OwnClock>) -> Self {
        Self(self.0, clock)
    }

    /// Works on the state without the GIL: a step may verify a token, and ask a store whether it was seen
    /// before; and who waits for another thread's step must not keep it, either.
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut State) -> T + Send) -> T {
        py.detach(|| work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What an operation wants next.
enum Wanted {
    Request(gatekey::transport::HttpRequest),
    Pause(u64),
    Nothing,
    Unknown,
}

#[pymethods]
impl _Operation {
    /// What it wants: an `HttpRequest` to be sent, a number of seconds to wait, or None: it is over.
    fn step(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.1.as_ref().map_or(Ok(()), |clock| clock.tick(py))?;
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

    /// Sends the request and takes the answer, or the failure.
    fn send(&self, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = transport.py();
        let request = self.with(py, |state| state.request.take());
        let request = request.ok_or_else(|| usage(py, "The operation has no request to send."))?;
        if let Ok(built_in) = transport.cast::<HttpTransport>() {
            let built_in = built_in.get().core();
            let answer = py.detach(|| built_in.send(&request));
            self.with(py, |state| match answer {
                Ok(response) => state.operation.feed(response),
                Err(error) => state.operation.fail(error),
            });
            return Ok(());
        }
        let answer = own_transport::send(&own_transport::sender(transport)?, &request)?;
        self.with(py, |state| state.answer(answer));
        Ok(())
    }

    /// What a transport of the loop gave: status, headers and body.
    fn feed(&self, answer: &Bound<'_, PyAny>) {
        let py = answer.py();
        let most =
            self.with(py, |state| state.request.as_ref().map_or(0, |request| request.max_body));
        let answer = own_transport::response(answer, most);
        self.with(py, |state| state.answer(answer));
    }

    /// A transport of the loop gave no answer: the kind of error that it is, and what it is due to.
    fn fail(&self, error: &Bound<'_, PyAny>, cause: Option<Bound<'_, PyAny>>) {
        let kind = own_transport::kind(error);
        let failed = Failed { kind, cause: cause.map(PyErr::from_value) };
        self.with(error.py(), |state| state.answer(Err(failed)));
    }

    /// Gives it up: what it holds is let go of now, not when the last reference to it goes.
    fn close(&self, py: Python<'_>) {
        self.with(py, |state| {
            state.operation.give_up();
            state.request = None;
            state.done = None;
        });
    }

    /// What it has ended with.
    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let done = self.with(py, |state| state.done.take());
        done.ok_or_else(|| usage(py, "The operation is not over yet."))?.into_python(py)
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __repr__(&self) -> &'static str {
        "<gatekey._Operation>"
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an operation cannot be pickled or copied: it holds secrets"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.1.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}
