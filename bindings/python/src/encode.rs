//! Python to JSON, exactly: what is written here reads back as an equal value of the same type.
//!
//! Accepted: `dict` with `str` keys, `list`, `tuple`, `str`, `int` of any size, finite `float`,
//! `bool`, `None`; and, where the caller allows it, an aware `datetime` for `exp`, `nbf` and `iat`,
//! and what a function of the caller's makes of other values, as the `default` of `json.dumps`.
//! Refused: everything else, NaN and the infinities (RFC 8259 section 6), lone surrogates, and
//! nesting deeper than the reader of tokens allows. No message quotes a value.

use crate::errors::usage;
use crate::options::text;
use gatekey::json::{MAX_DEPTH, write_str};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple, PyType};

/// Writes the claims of a token: a mapping whose time claims may be aware datetimes. What has no JSON form is given to
/// `default`, if there is one, and what that returns is written in its place.
pub(crate) fn claims<'py>(
    claims: &Bound<'py, PyAny>,
    default: Default<'_, 'py>,
) -> PyResult<String> {
    let out = String::with_capacity(512);
    let mut encoder = Encoder { out, times: true, default };
    encoder.object(&mapping(claims, "claims")?, 0)?;
    Ok(encoder.out)
}

/// Writes any value as JSON.
pub(crate) fn value<'py>(value: &Bound<'py, PyAny>, default: Default<'_, 'py>) -> PyResult<String> {
    let mut encoder = Encoder { out: String::new(), times: false, default };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

/// Writes the members of a mapping, each by its own.
pub(crate) fn members<'py>(
    value: &Bound<'py, PyAny>,
    what: &str,
    default: Default<'_, 'py>,
) -> PyResult<Vec<(String, String)>> {
    let pair = |(name, member): (Bound<'py, PyAny>, Bound<'py, PyAny>)| {
        let Ok(name) = name.cast::<PyString>() else {
            let found = type_name(&name);
            return Err(PyTypeError::new_err(format!(
                "the names of {what} must be str, not {found}"
            )));
        };
        Ok((text(name, "name")?.to_owned(), self::value(&member, default)?))
    };
    mapping(value, what)?.iter().map(pair).collect()
}

/// Writes a JWK or a JWK Set. The caller wipes the text.
pub(crate) fn jwk(members: &Bound<'_, PyDict>) -> PyResult<String> {
    // Room for an RSA-8192 private key, so that no secret is left behind by a reallocation.
    let mut encoder =
        Encoder { out: String::with_capacity(16 * 1024), times: false, default: Default::Absent };
    encoder.object(&members.copy()?, 0)?;
    Ok(encoder.out)
}

/// Writes any mapping as a JSON object.
pub(crate) fn object(value: &Bound<'_, PyAny>, what: &str) -> PyResult<String> {
    let mut encoder = Encoder { out: String::new(), times: false, default: Default::Absent };
    encoder.object(&mapping(value, what)?, 0)?;
    Ok(encoder.out)
}

/// A private copy of the mapping as a dict, which no other thread can change while it is read.
fn mapping<'py>(value: &Bound<'py, PyAny>, what: &str) -> PyResult<Bound<'py, PyDict>> {
    if let Ok(dict) = value.cast::<PyDict>() {
        return dict.copy();
    }
    let Ok(mapping) = value.cast::<PyMapping>() else {
        return Err(PyTypeError::new_err(format!(
            "{what} must be a mapping, not {}",
            type_name(value)
        )));
    };
    let dict = PyDict::new(value.py());
    dict.update(mapping)?;
    Ok(dict)
}

/// What gives a value in the place of one that has no JSON form.
#[derive(Clone, Copy)]
pub(crate) enum Default<'a, 'py> {
    /// The call has no such argument.
    Absent,
    /// Its `default`, if one was given.
    Given(Option<&'a Bound<'py, PyAny>>),
}

struct Encoder<'a, 'py> {
    out: String,
    /// Whether `exp`, `nbf` and `iat` of the outermost object may be datetimes.
    times: bool,
    default: Default<'a, 'py>,
}

impl<'py> Encoder<'_, 'py> {
    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        if let Ok(text) = value.cast::<PyString>() {
            self.string(text)
        } else if let Ok(truth) = value.cast::<PyBool>() {
            self.out.push_str(if truth.is_true() { "true" } else { "false" });
            Ok(())
        } else if let Ok(integer) = value.cast::<PyInt>() {
            self.integer(integer)
        } else if let Ok(float) = value.cast::<PyFloat>() {
            self.float(float)
        } else if value.is_none() {
            self.out.push_str("null");
            Ok(())
        } else if let Ok(list) = value.cast::<PyList>() {
            self.array(value.py(), list.iter(), depth)
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            self.array(value.py(), tuple.iter(), depth)
        } else if let Ok(dict) = value.cast::<PyDict>() {
            self.object(&dict.copy()?, depth)
        } else if let Default::Given(Some(default)) = self.default {
            // As deep as one more level, so that a function that gives its argument back comes to
            // an end.
            check_depth(value.py(), depth)?;
            self.value(&default.call1((value,))?, depth + 1)
        } else {
            let name = type_name(value);
            let more = match self.default {
                Default::Given(_) => ", or give the signer a default= function that does",
                Default::Absent => "",
            };
            let message = format!("a value of type {name} has no JSON form; convert it{more}");
            Err(PyTypeError::new_err(message))
        }
    }

    fn array(
        &mut self,
        py: Python<'py>,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> PyResult<()> {
        check_depth(py, depth)?;
        self.out.push('[');
        let mut first = true;
        for item in items {
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            self.value(&item, depth + 1)?;
        }
        self.out.push(']');
        Ok(())
    }

    /// `members` must be a dict without another reference.
    fn object(&mut self, members: &Bound<'py, PyDict>, depth: usize) -> PyResult<()> {
        check_depth(members.py(), depth)?;
        self.out.push('{');
        let mut first = true;
        for (name, value) in members.iter() {
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            let Ok(name) = name.cast::<PyString>() else {
                let found = type_name(&name);
                return Err(PyTypeError::new_err(format!(
                    "the names of members must be str, not {found}"
                )));
            };
            self.string(name)?;
            self.out.push(':');
            match self.time(name, &value, depth)? {
                Some(seconds) => self.out.push_str(&seconds.to_string()),
                None => self.value(&value, depth + 1)?,
            }
        }
        self.out.push('}');
        Ok(())
    }

    fn string(&mut self, text: &Bound<'_, PyString>) -> PyResult<()> {
        let text = text.to_str().map_err(|_| {
            usage(text.py(), "A string holds half of a surrogate pair, which has no UTF-8 form.")
        })?;
        write_str(&mut self.out, text);
        Ok(())
    }

    fn integer(&mut self, integer: &Bound<'_, PyInt>) -> PyResult<()> {
        match integer.extract::<i64>() {
            Ok(small) => self.out.push_str(&small.to_string()),
            Err(_) => self.big_integer(integer.as_any())?,
        }
        Ok(())
    }

    /// CPython refuses to write more than a few thousand digits at once, so the number is divided
    /// until every piece is short.
    fn big_integer(&mut self, integer: &Bound<'_, PyAny>) -> PyResult<()> {
        const PIECE: usize = 600; // see decode.rs
        let py = integer.py();
        let zero = PyInt::new(py, 0);
        let int = py.get_type::<PyInt>();
        let negative = integer.lt(&zero)?;
        // `int.__abs__` and `int.__repr__`: a subclass that overrides them is still a number.
        let mut rest = int.call_method1(intern!(py, "__abs__"), (integer,))?;
        let base = PyInt::new(py, 10).into_any().pow(PIECE, py.None())?;
        let mut pieces = Vec::new();
        while rest.gt(&zero)? {
            let (quotient, piece) =
                rest.divmod(&base)?.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
            pieces.push(int.call_method1(intern!(py, "__repr__"), (piece,))?.extract::<String>()?);
            rest = quotient;
        }
        if negative {
            self.out.push('-');
        }
        for (at, piece) in pieces.iter().rev().enumerate() {
            let zeros = if at == 0 { 0 } else { PIECE.saturating_sub(piece.len()) };
            self.out.extend(std::iter::repeat_n('0', zeros));
            self.out.push_str(piece);
        }
        Ok(())
    }

    fn float(&mut self, float: &Bound<'_, PyFloat>) -> PyResult<()> {
        let value = float.value();
        if !value.is_finite() {
            return Err(usage(float.py(), "JSON has no NaN and no infinity (RFC 8259 section 6)."));
        }
        // Rust's `{:?}` is the shortest text that reads back as the same double, and never looks
        // like an integer.
        self.out.push_str(&format!("{value:?}"));
        Ok(())
    }

    /// The NumericDate of an aware datetime under a time claim's name (RFC 7519 section 2).
    fn time(
        &self,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<Option<i64>> {
        if !self.times || depth > 0 || value.cast::<PyInt>().is_ok() {
            return Ok(None);
        }
        let py = value.py();
        if !matches!(name.to_str(), Ok("exp" | "nbf" | "iat"))
            || !value.is_instance(datetime(py)?)?
        {
            return Ok(None);
        }
        if value.call_method0(intern!(py, "utcoffset"))?.is_none() {
            return Err(usage(
                py,
                "A datetime for exp, nbf or iat must be aware; use datetime.now(timezone.utc).",
            ));
        }
        let seconds: f64 = value.call_method0(intern!(py, "timestamp"))?.extract()?;
        #[expect(clippy::cast_possible_truncation, reason = "years 1 to 9999 are far inside i64")]
        let seconds = seconds.floor() as i64;
        Ok(Some(seconds))
    }
}

fn datetime(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static DATETIME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    DATETIME.import(py, "datetime", "datetime")
}

fn check_depth(py: Python<'_>, depth: usize) -> PyResult<()> {
    if depth == MAX_DEPTH {
        return Err(usage(py, "The value is nested deeper than 32 levels, or holds itself."));
    }
    Ok(())
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| String::from("?"), |name| name.to_string())
}
