//! Transports of a program's own: a callable that takes an `HttpRequest` and gives status, headers
//! and body, or an object with such a method `send`.
//!
//! What it raises and a malformed result become a `TransportError` with that as its `__cause__`. Of
//! the answer no more is taken than the request allows.

use crate::errors::OrRaise;
use crate::options::{octets, wrong_type};
use crate::transport::{HttpRequest, HttpTransport};
use gatekey::transport::{HttpResponse, Transport};
use gatekey::{Error, ErrorKind, Secret};
use pyo3::exceptions::{PyException, PyTimeoutError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::sync::Arc;

/// The most headers of an answer, and the most bytes that they have in all; as with the built-in transport.
const MOST_HEADERS: (usize, usize) = (100, 64 * 1024);

/// What carries the requests of threads: the built-in transport, one of the program's own, or, without any, none that does.
pub(crate) fn in_threads(transport: Option<&Bound<'_, PyAny>>) -> PyResult<Arc<dyn Transport>> {
    let Some(transport) = transport else {
        return Ok(Arc::new(ForLoops));
    };
    match transport.cast::<HttpTransport>() {
        Ok(built_in) => Ok(Arc::new(built_in.get().core().clone())),
        Err(_) => Ok(Arc::new(Own(sender(transport)?.unbind()))),
    }
}

/// What is called with a request.
pub(crate) fn sender<'py>(transport: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if transport.is_callable() {
        return Ok(transport.clone());
    }
    match transport.getattr(intern!(transport.py(), "send")) {
        Ok(send) if send.is_callable() => Ok(send),
        _ => Err(wrong_type(
            transport,
            "transport",
            "an HttpTransport, a callable that takes an HttpRequest, or an object with send()",
        )),
    }
}

/// Why there is no answer, and what was raised.
pub(crate) struct Failed {
    pub(crate) kind: ErrorKind,
    pub(crate) cause: Option<PyErr>,
}

impl Failed {
    fn by(py: Python<'_>, error: PyErr) -> Self {
        Self { kind: kind(error.value(py)), cause: Some(error) }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        let error = Self::from(failed.kind);
        match failed.cause {
            Some(cause) => error.caused_by(Arc::new(Raised(cause))),
            None => error,
        }
    }
}

/// What kind of error this exception is: a `TransportError` says so itself, and anything else is no connection, or one that
/// took too long.
pub(crate) fn kind(error: &Bound<'_, PyAny>) -> ErrorKind {
    let number = error.getattr(intern!(error.py(), "number"));
    let kind = number.and_then(|number| number.extract()).ok().and_then(ErrorKind::from_number);
    let other = if error.is_instance_of::<PyTimeoutError>() {
        ErrorKind::DeadlineExceeded
    } else {
        ErrorKind::ConnectionFailed
    };
    kind.filter(|kind| kind.number() >= 7000).unwrap_or(other)
}

/// Sends with a transport of the program's own.
///
/// # Errors
/// What was raised and is no `Exception`, such as `KeyboardInterrupt`.
pub(crate) fn send(
    sender: &Bound<'_, PyAny>,
    request: &gatekey::transport::HttpRequest,
) -> PyResult<Result<HttpResponse, Failed>> {
    let py = sender.py();
    let answer = Py::new(py, HttpRequest(request.clone())).and_then(|own| sender.call1((own,)));
    let answer = answer.map_err(|error| Failed::by(py, error));
    match answer.and_then(|answer| response(&answer, request.max_body)) {
        Err(Failed { cause: Some(cause), .. }) if !is_exception(py, &cause) => Err(cause),
        answer => Ok(answer),
    }
}

fn is_exception(py: Python<'_>, raised: &PyErr) -> bool {
    raised.is_instance_of::<PyException>(py)
}

/// Status, headers and body, of which there is no more than `max_body` and [`MOST_HEADERS`].
pub(crate) fn response(answer: &Bound<'_, PyAny>, max_body: usize) -> Result<HttpResponse, Failed> {
    let read = read(answer, max_body).map_err(|error| Failed::by(answer.py(), error))?;
    read.ok_or(Failed { kind: ErrorKind::ResponseTooLarge, cause: None })
}

/// `None`: there is more of it.
fn read(answer: &Bound<'_, PyAny>, max_body: usize) -> PyResult<Option<HttpResponse>> {
    let wanted = "a tuple of the status, the headers and the body";
    let parts = answer.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>)>();
    let (status, pairs, body) =
        parts.map_err(|_| wrong_type(answer, "the transport's result", wanted))?;
    let status: u16 = status
        .extract()
        .map_err(|_| wrong_type(&status, "the transport's status", "an int from 100 to 599"))?;
    if !(100..=599).contains(&status) {
        return Err(PyValueError::new_err("the transport's status must be from 100 to 599"));
    }
    let Some(headers) = read_headers(&pairs)? else {
        return Ok(None);
    };
    let body = octets(&body, "the transport's body")?;
    let is_all = body.len() <= max_body;
    Ok(is_all.then(|| HttpResponse { status, headers, body: Secret::new(body.to_vec()) }))
}

fn read_headers(pairs: &Bound<'_, PyAny>) -> PyResult<Option<Vec<(String, String)>>> {
    let no_pairs = || PyTypeError::new_err("the transport's headers must be pairs of str");
    let (mut headers, mut size) = (Vec::new(), 0);
    for pair in pairs.try_iter().map_err(|_| no_pairs())? {
        let pair: (String, String) = pair?.extract().map_err(|_| no_pairs())?;
        size += pair.0.len() + pair.1.len() + 4;
        headers.push(pair);
        if headers.len() > MOST_HEADERS.0 || size > MOST_HEADERS.1 {
            return Ok(None);
        }
    }
    Ok(Some(headers))
}

thread_local! {
    /// What was raised in the last one that was asked by this thread, and is no `Exception` or a mistake of the program's.
    static INTERRUPT: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// What was raised in a transport or callback of the program's own, as the cause of an error of the core.
#[derive(Debug)]
pub(crate) struct Raised(PyErr);

impl Raised {
    /// For an error that has it as its cause. What is no `Exception` is raised again by [`asking`].
    pub(crate) fn kept(py: Python<'_>, error: PyErr) -> Box<dyn std::error::Error + Send + Sync> {
        if !is_exception(py, &error) {
            return Self::misuse(py, error);
        }
        Box::new(Self(error))
    }

    /// The same, and it is raised again by [`asking`] whatever it is: a mistake of the program's.
    pub(crate) fn misuse(py: Python<'_>, error: PyErr) -> Box<dyn std::error::Error + Send + Sync> {
        INTERRUPT.set(Some(error.clone_ref(py)));
        Box::new(Self(error))
    }
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a callable of the program's own has raised an exception")
    }
}

impl std::error::Error for Raised {}

/// What was raised in a transport or callback of the program's own, if this error is due to that.
pub(crate) fn cause_of(py: Python<'_>, error: &Error) -> Option<PyErr> {
    let raised = std::error::Error::source(error)?.downcast_ref::<Raised>()?;
    Some(raised.0.clone_ref(py))
}

/// Does work of the core without the GIL, which may ask another server.
///
/// # Errors
/// What was raised in a transport of the program's own and is no `Exception`.
pub(crate) fn asking<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    INTERRUPT.take();
    let done = py.detach(work);
    INTERRUPT.take().map_or(Ok(done), Err)
}

/// The same, for work that may fail.
pub(crate) fn asked<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> gatekey::Result<T> + Send,
) -> PyResult<T> {
    asking(py, work)?.or_raise(py)
}

/// One of the program's own, for the threads of the core.
struct Own(Py<PyAny>);

impl Transport for Own {
    fn send(&self, request: &gatekey::transport::HttpRequest) -> gatekey::Result<HttpResponse> {
        Python::attach(|py| {
            let sent = send(self.0.bind(py), request).unwrap_or_else(|interrupt| {
                INTERRUPT.set(Some(interrupt));
                Err(Failed { kind: ErrorKind::ConnectionFailed, cause: None })
            });
            sent.map_err(Error::from)
        })
    }

    fn wait(&self, milliseconds: u64) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
}

/// Where only a loop can ask: no request is carried. What would ask is refused before.
struct ForLoops;

impl Transport for ForLoops {
    fn send(&self, _: &gatekey::transport::HttpRequest) -> gatekey::Result<HttpResponse> {
        Err(ErrorKind::ConnectionFailed.into())
    }

    fn wait(&self, milliseconds: u64) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
}
