//! Raises `gatekey::Error` as the Python class of its kind.
//!
//! The classes are Python's own (`gatekey/exceptions`), so that they can be documented,
//! subclassed and pickled. They are looked up when the module is imported, and again if it is
//! imported again: a refused token must not cost much more than an accepted one, or refusals become
//! a way to keep a server busy.

use crate::oauth_records::OAuthTokens;
use gatekey::{Error, ErrorKind, Words};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use std::sync::{Arc, PoisonError, RwLock};

/// Those of the last import: a test may throw modules out of `sys.modules` and import them again. The lock is
/// held for a moment only, never while Python code runs.
static CLASSES: RwLock<Option<Arc<Classes>>> = RwLock::new(None);

struct Classes {
    /// In the order of `ErrorKind::ALL`, which ascends.
    by_kind: Vec<(ErrorKind, Class)>,
    /// PyJWT tells a `jti` of a wrong type apart; a subclass of the class of `InvalidClaim`.
    invalid_jti: Class,
    /// A key of a set that is not used.
    skipped_key: Py<PyType>,
}

struct Class {
    python: Py<PyType>,
    /// The class attribute `claim`: an exception about another claim gets an attribute of its own.
    claim: Option<String>,
    /// The first message it was raised with, which is nearly always the next one too, and the
    /// arguments of the exception made of it.
    usual: PyOnceLock<(Box<str>, Py<PyTuple>)>,
}

impl Classes {
    fn find(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("gatekey.exceptions")?;
        let class = |name: &str| {
            let python = module.getattr(name)?.cast_into::<PyType>()?;
            let claim = python.getattr(intern!(py, "claim"))?.extract()?;
            Ok::<_, PyErr>(Class { python: python.unbind(), claim, usual: PyOnceLock::new() })
        };
        let by_kind = ErrorKind::ALL
            .iter()
            .map(|kind| Ok((*kind, class(kind.python_class())?)))
            .collect::<PyResult<_>>()?;
        let skipped_key = py.import("gatekey.skipped")?.getattr("SkippedKey")?;
        let skipped_key = skipped_key.cast_into::<PyType>()?.unbind();
        Ok(Self { by_kind, invalid_jti: class("InvalidJTIError")?, skipped_key })
    }

    fn of(&self, kind: ErrorKind, claim: Option<&str>) -> Option<&Class> {
        if kind == ErrorKind::InvalidClaim && claim == Some("jti") {
            return Some(&self.invalid_jti);
        }
        let at = self.by_kind.binary_search_by_key(&kind, |(kind, _)| *kind).ok()?;
        self.by_kind.get(at).map(|(_, class)| class)
    }
}

impl Class {
    fn exception<'py>(
        &self,
        py: Python<'py>,
        message: &str,
        claim: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let usual = self.usual.get_or_try_init(py, || {
            Ok::<_, PyErr>((message.into(), PyTuple::new(py, [message])?.unbind()))
        })?;
        let exception = if *usual.0 == *message {
            self.python.bind(py).call1(usual.1.bind(py))?
        } else {
            self.python.bind(py).call1((message,))?
        };
        if claim.is_some() && claim != self.claim.as_deref() {
            exception.setattr(intern!(py, "claim"), claim)?;
        }
        Ok(exception)
    }
}

/// Finds every class; the import of the module fails if one is missing.
pub(crate) fn load(py: Python<'_>) -> PyResult<()> {
    let found = Arc::new(Classes::find(py)?);
    let before = CLASSES.write().unwrap_or_else(PoisonError::into_inner).replace(found);
    drop(before);
    Ok(())
}

/// Options that have another name here than in the core's JSON, because their unit is another, or
/// they are a pair.
const OPTIONS: [(&str, &str); 5] = [
    ("deadline_ms", "deadline"),
    ("ca_pem", "ca"),
    ("client_certificate_pem", "client_certificate"),
    ("client_key_pem", "client_certificate"),
    ("token_endpoint_auth_method", "auth_method"),
];

/// The same of errors that are about one of these.
const CLAIMS: [(&str, &str); 2] = [("limit", "limits"), ("any_scopes", "any_of")];

/// The text of an error, and what it is about, with the names that options have here.
fn in_python(text: String, claim: Option<&str>) -> (String, Option<&str>) {
    let about = CLAIMS.iter().filter(|(core, _)| claim == Some(*core));
    let names = OPTIONS.iter().chain(about);
    names.fold((text, claim), |(text, claim), (core, python)| {
        let claim = if claim == Some(*core) { Some(*python) } else { claim };
        match text.contains(core) {
            true => (text.replace(&format!("`{core}`"), &format!("`{python}`")), claim),
            false => (text, claim),
        }
    })
}

/// The exception for this error, ready to be raised.
#[cold]
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let (text, claim) = in_python(error.text(Words::Python).to_string(), error.claim());
    let raised = new(py, error.kind(), &text, claim);
    let raised = raised.unwrap_or_else(|failure| failure);
    for (name, value) in [
        (intern!(py, "peer_code"), error.peer_code()),
        (intern!(py, "peer_message"), error.peer_message()),
        (intern!(py, "key_id"), error.api_key_id()),
    ] {
        if let Some(value) = value
            && let Err(failure) = raised.value(py).setattr(name, value)
        {
            return failure;
        }
    }
    if let Some((kid, reason)) = error.unusable_key()
        && let Err(failure) = skipped_key(py, (!kid.is_empty()).then_some(kid), reason)
            .and_then(|key| raised.value(py).setattr(intern!(py, "skipped"), key))
    {
        return failure;
    }
    if let Some(kept) = gatekey::oauth::OAuthTokens::kept_in(error)
        && let Err(failure) = Py::new(py, OAuthTokens(kept))
            .and_then(|kept| raised.value(py).setattr(intern!(py, "tokens"), kept))
    {
        return failure;
    }
    if let Some(cause) = crate::own_transport::cause_of(py, error) {
        raised.set_cause(py, Some(cause));
    }
    if let Some(seconds) = crate::apikey_records::retry_after(error)
        && let Err(failure) = raised.value(py).setattr(intern!(py, "retry_after"), seconds)
    {
        return failure;
    }
    raised
}

/// A key of a set that is not used, and why.
#[cold]
pub(crate) fn skipped_key<'py>(
    py: Python<'py>,
    kid: Option<&str>,
    reason: &Error,
) -> PyResult<Bound<'py, PyAny>> {
    let classes = CLASSES.read().unwrap_or_else(PoisonError::into_inner).clone();
    let classes = classes.ok_or_else(no_class)?;
    classes.skipped_key.bind(py).call1((kid, raise(py, reason).into_value(py)))
}

/// `UsageError`: the value of an argument is not acceptable. A wrong type is Python's `TypeError`.
#[cold]
pub(crate) fn usage(py: Python<'_>, message: &str) -> PyErr {
    of_kind(py, ErrorKind::InvalidArgument, message)
}

/// The exception of this kind, with a message of the binding's own.
#[cold]
pub(crate) fn of_kind(py: Python<'_>, kind: ErrorKind, message: &str) -> PyErr {
    new(py, kind, message, None).unwrap_or_else(|failure| failure)
}

fn new(py: Python<'_>, kind: ErrorKind, message: &str, claim: Option<&str>) -> PyResult<PyErr> {
    let classes = CLASSES.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(class) = classes.as_ref().and_then(|classes| classes.of(kind, claim)) else {
        return Ok(no_class());
    };
    class.exception(py, message, claim).map(PyErr::from_value)
}

#[cold]
fn no_class() -> PyErr {
    pyo3::exceptions::PySystemError::new_err("gatekey has no class for this error.")
}

/// What the caller may be told of the kind with this number.
#[pyfunction]
pub(crate) fn _public_message(number: i32) -> &'static str {
    ErrorKind::from_number(number).unwrap_or(ErrorKind::Internal).public_message()
}

/// The headers of the HTTP answer for the kind with this number.
#[pyfunction]
#[pyo3(signature = (number, retry_after))]
pub(crate) fn _error_headers<'py>(
    py: Python<'py>,
    number: i32,
    retry_after: Option<f64>,
) -> PyResult<Bound<'py, PyDict>> {
    let kind = ErrorKind::from_number(number).unwrap_or(ErrorKind::Internal);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let waits = retry_after.map(|seconds| (seconds * 1000.0).ceil() as u32);
    let headers = PyDict::new(py);
    for (name, value) in kind.http_headers(waits) {
        headers.set_item(name, value)?;
    }
    Ok(headers)
}

/// `result.or_raise(py)?`
pub(crate) trait OrRaise<T> {
    /// The value, or the error as a Python exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for gatekey::Result<T> {
    #[inline]
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raise(py, &error))
    }
}
