//! Reads what callers pass: text, JSON, expectations, durations and clocks.
//!
//! Errors name the argument and the type that was found, never the value: it may be a secret.

use crate::args::Text;
use crate::errors::{raise, usage};
use gatekey::{Alg, ErrorKind, Secret};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyIterator, PyMapping, PyString, PyType,
};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// The type of `gatekey.ANY`: accept any value of this claim, or its absence.
#[pyclass(frozen, module = "gatekey._core")]
pub(crate) struct AnyValue;

#[pymethods]
impl AnyValue {
    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __repr__(&self) -> &'static str {
        "gatekey.ANY"
    }

    /// Pickles and copies by name: there is only one.
    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __reduce__(&self) -> &'static str {
        "ANY"
    }
}

/// The bytes of a `bytes`, or of a `str` in UTF-8. Mutable buffers are not taken: another thread
/// could change them after the check.
pub(crate) fn octets<'a>(value: &'a Bound<'_, PyAny>, what: &str) -> PyResult<&'a [u8]> {
    if let Ok(value) = value.cast::<PyString>() {
        return text(value, what).map(str::as_bytes);
    }
    match value.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes()),
        Err(_) if value.hasattr("__fspath__").unwrap_or(false) => {
            Err(wrong_type(value, what, "the content of the file (read_bytes())"))
        }
        Err(_) => Err(wrong_type(value, what, "str or bytes")),
    }
}

/// A text as `repr` shows it to people: Python's way, not Rust's.
pub(crate) fn shown(py: Python<'_>, text: &str) -> String {
    PyString::new(py, text).repr().map_or_else(|_| String::new(), |shown| shown.to_string())
}

/// The same of a text that may be missing.
pub(crate) fn shown_or_none(py: Python<'_>, text: Option<&str>) -> String {
    text.map_or_else(|| "None".to_owned(), |text| shown(py, text))
}

/// The text of a `str`. Python's own UnicodeEncodeError would carry the whole text along.
pub(crate) fn text<'a>(value: &'a Bound<'_, PyString>, what: &str) -> PyResult<&'a str> {
    value.to_str().map_err(|_| {
        let message =
            format!("The {what} holds half of a surrogate pair, which has no UTF-8 form.");
        usage(value.py(), &message)
    })
}

/// The bytes of a token. A `str` that is not Unicode text is a malformed token, not a misuse; None is what a request
/// without credentials brings.
#[inline]
pub(crate) fn token_octets<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    there(value)?;
    if let Ok(text) = value.cast::<PyString>() {
        let malformed = |_| raise(value.py(), &ErrorKind::MalformedToken.into());
        return text.to_str().map(str::as_bytes).map_err(malformed);
    }
    octets(value, "token")
}

/// Refuses None, where a credential is to be: of a cookie or a header that the request does not have.
#[inline]
pub(crate) fn there(value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_none() {
        return Err(raise(value.py(), &ErrorKind::MissingCredentials.into()));
    }
    Ok(())
}

/// A JWK or JWK Set, given as a dict or as JSON text. Wiped, because it may be private.
pub(crate) fn jwk_text(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Secret> {
    match value.cast::<PyDict>() {
        Ok(members) => crate::encode::jwk(members).map(Secret::from),
        Err(_) if value.cast::<PyString>().is_ok() || value.cast::<PyBytes>().is_ok() => {
            octets(value, what).map(|text| Secret::new(text.to_vec()))
        }
        Err(_) => Err(wrong_type(value, what, "dict, str or bytes")),
    }
}

/// The algorithm of this name.
pub(crate) fn algorithm(py: Python<'_>, name: &str) -> PyResult<Alg> {
    Alg::from_name(name).map_err(|error| raise(py, &error))
}

/// The algorithm of this name, if one is named.
pub(crate) fn optional_algorithm(py: Python<'_>, name: Option<&str>) -> PyResult<Option<Alg>> {
    name.map(|name| algorithm(py, name)).transpose()
}

/// A `str`, or any iterable of `str`. Bytes and mappings iterate as well, and would name nothing where they are empty.
pub(crate) fn names(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<String>> {
    let name = |item: &Bound<'_, PyAny>| match item.cast::<PyString>() {
        Ok(name) => text(name, what).map(str::to_owned),
        Err(_) => Err(wrong_type(item, what, "str, or an iterable of str")),
    };
    if value.cast::<PyString>().is_ok() {
        return Ok(vec![name(value)?]);
    }
    let is_other = value.cast::<PyBytes>().is_ok()
        || value.cast::<PyByteArray>().is_ok()
        || value.cast::<PyMapping>().is_ok();
    let Some(items) = (!is_other).then(|| value.try_iter().ok()).flatten() else {
        return Err(wrong_type(value, what, "str, or an iterable of str"));
    };
    few(items, what)?.iter().map(name).collect()
}

/// What an iterable gives, unless that does not end.
pub(crate) fn few<'py>(
    items: Bound<'py, PyIterator>,
    what: &str,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    const MOST: usize = 10_000;
    let py = items.py();
    let items: Vec<_> = items.take(MOST + 1).collect::<PyResult<_>>()?;
    if items.len() > MOST {
        return Err(usage(py, &format!("The {what} are more than {MOST}.")));
    }
    Ok(items)
}

/// What a policy says about one claim: nothing, anything goes, or one of these.
pub(crate) enum Expectation {
    Silent,
    Ignore,
    OneOf(Vec<String>),
}

impl Expectation {
    /// Reads `None`, `gatekey.ANY`, a `str` or an iterable of `str`. Nothing to choose from is
    /// refused: it can only be a configuration that went missing.
    pub(crate) fn read(value: Option<&Bound<'_, PyAny>>, what: &str) -> PyResult<Self> {
        let Some(value) = value else {
            return Ok(Self::Silent);
        };
        if value.cast::<AnyValue>().is_ok() {
            return Ok(Self::Ignore);
        }
        let values = names(value, what)?;
        if values.is_empty() {
            let py = value.py();
            let message = format!(
                "No `{what}` is listed; name at least one, or pass gatekey.ANY to accept any."
            );
            return Err(configuration(py, &message));
        }
        Ok(Self::OneOf(values))
    }
}

/// `ConfigurationError` with a message of the binding's own.
fn configuration(py: Python<'_>, message: &str) -> PyErr {
    crate::errors::of_kind(py, ErrorKind::InvalidConfiguration, message)
}

/// A length of time that a caller gives, kept to the millisecond. The one way in which durations are read.
#[derive(Clone, Copy)]
pub(crate) struct Span(u64);

impl Span {
    /// Milliseconds.
    pub(crate) const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds, no longer than it is: for lifetimes, and for what lets something pass.
    pub(crate) const fn at_most(self) -> u64 {
        self.0 / 1000
    }

    /// Whole seconds, no shorter than it is: for what must be remembered or kept for that long.
    pub(crate) const fn at_least(self) -> u64 {
        self.0.div_ceil(1000)
    }
}

/// Reads a length of time: seconds as an `int` or a finite `float`, or a `datetime.timedelta`; zero or more.
pub(crate) fn span(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Span> {
    static TIMEDELTA: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = value.py();
    let unusable =
        || usage(py, &format!("{what} must be a finite number of seconds, zero or more."));
    let of_float = |seconds: f64| whole((seconds * 1000.0).round()).map(Span).ok_or_else(unusable);
    if value.cast::<PyBool>().is_ok() {
        return Err(wrong_type(value, what, WANTED_SPAN));
    }
    if value.cast::<PyInt>().is_ok() {
        let seconds: u64 = value.extract().map_err(|_| unusable())?;
        return seconds.checked_mul(1000).map(Span).ok_or_else(unusable);
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return of_float(float.value());
    }
    if value.is_instance(TIMEDELTA.import(py, "datetime", "timedelta")?)? {
        return of_float(value.call_method0(intern!(py, "total_seconds"))?.extract()?);
    }
    Err(wrong_type(value, what, WANTED_SPAN))
}

const WANTED_SPAN: &str = "seconds (int or float) or a timedelta";

/// A length of time in whole seconds, rounded down, for options that go to the core as JSON.
#[pyfunction]
pub(crate) fn _seconds(value: &Bound<'_, PyAny>, what: &str) -> PyResult<u64> {
    span(value, what).map(Span::at_most)
}

/// A length of time in milliseconds.
#[pyfunction]
pub(crate) fn _milliseconds(value: &Bound<'_, PyAny>, what: &str) -> PyResult<u64> {
    span(value, what).map(Span::millis)
}

/// The whole seconds in `total`, if it is neither negative nor beyond what a double counts exactly.
pub(crate) fn whole(total: f64) -> Option<u64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0; // 2^53: every whole number up to here is exact
    if !(0.0..LIMIT).contains(&total) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked just above"
    )]
    let seconds = total as u64;
    Some(seconds)
}

/// A clock written in Python: a callable, or an object with a `now()` method, that returns the
/// seconds since the Unix epoch.
///
/// It is read once before each operation and handed to the core through a thread-local variable:
/// so it may raise, and the core needs no GIL.
pub(crate) struct PyClock(Py<PyAny>);

impl PyClock {
    /// Reads the `clock` argument.
    pub(crate) fn read(value: Option<Bound<'_, PyAny>>) -> PyResult<Option<Self>> {
        let Some(value) = value else {
            return Ok(None);
        };
        if value.is_callable() {
            return Ok(Some(Self(value.unbind())));
        }
        match value.getattr(intern!(value.py(), "now")) {
            Ok(now) if now.is_callable() => Ok(Some(Self(now.unbind()))),
            _ => Err(wrong_type(&value, "clock", "a callable or an object with now()")),
        }
    }

    /// The same clock.
    pub(crate) fn share(&self, py: Python<'_>) -> Self {
        Self(self.0.clone_ref(py))
    }

    /// The clock to give to the core.
    pub(crate) fn core() -> Arc<dyn gatekey::Clock> {
        Arc::new(ThreadClock)
    }

    /// Reads the clock for the operation that follows on this thread.
    pub(crate) fn tick(&self, py: Python<'_>) -> PyResult<()> {
        NOW.set(self.now(py)?.as_secs());
        Ok(())
    }

    /// Reads the clock: the time since 1970.
    pub(crate) fn now(&self, py: Python<'_>) -> PyResult<Duration> {
        let value = self.0.call0(py)?;
        let value = value.bind(py);
        let time = if let Ok(float) = value.cast::<PyFloat>() {
            let float = float.value();
            whole(float).and_then(|_| Duration::try_from_secs_f64(float).ok())
        } else if value.cast::<PyInt>().is_ok() && value.cast::<PyBool>().is_err() {
            value.extract().ok().map(Duration::from_secs)
        } else {
            return Err(wrong_type(value, "clock's result", "int or float"));
        };
        let message = "The clock must return the seconds since 1970, zero or more.";
        time.ok_or_else(|| usage(py, message))
    }

    /// Shows the callable to Python's garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }
}

thread_local! {
    /// Never read before it is set; the far future refuses every token that expires.
    static NOW: Cell<u64> = const { Cell::new(u64::MAX) };
}

struct ThreadClock;

impl gatekey::Clock for ThreadClock {
    fn now(&self) -> u64 {
        NOW.get()
    }
}

/// A whole number from `least` to `most`.
pub(crate) fn bounded(
    value: &Bound<'_, PyAny>,
    what: &str,
    (least, most): (u64, u64),
) -> PyResult<u64> {
    if value.cast::<PyInt>().is_err() || value.cast::<PyBool>().is_ok() {
        return Err(wrong_type(value, what, "int"));
    }
    let number = value.extract::<u64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let message = format!("`{what}` must be a whole number from {least} to {most}.");
        configuration(value.py(), &message)
    })
}

/// A number from 0 to `most`, for options that go to the core as JSON.
#[pyfunction]
pub(crate) fn _bounded(value: &Bound<'_, PyAny>, what: &str, most: u64) -> PyResult<u64> {
    bounded(value, what, (0, most))
}

/// A name as a message shows it: not what may be a secret, given by mistake.
#[pyfunction]
pub(crate) fn _named(text: Text<'_>) -> String {
    gatekey::named::shown(text.0).into_owned()
}

/// `TypeError`: an argument is of a type that cannot be meant.
#[cold]
pub(crate) fn wrong_type(value: &Bound<'_, PyAny>, what: &str, wanted: &str) -> PyErr {
    let found = value.get_type().name().map_or_else(|_| String::from("?"), |name| name.to_string());
    PyTypeError::new_err(format!("{what} must be {wanted}, not {found}"))
}
