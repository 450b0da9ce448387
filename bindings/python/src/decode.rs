//! JSON to Python, in the one pass of `gatekey::json::visit`.
//!
//! An integer becomes an `int` whatever its size, a number with fraction or exponent a `float`.

use crate::errors::OrRaise;
use gatekey::json::{self, Str, Visitor};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

/// The value of a JSON text.
pub(crate) fn value<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let mut builder = Builder::new(py);
    json::visit(text, &mut builder).or_raise(py)?;
    builder.finish()
}

/// The members of a JSON object.
pub(crate) fn object<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyDict>> {
    Ok(value(py, text)?.cast_into::<PyDict>()?)
}

/// Builds the value bottom up. The innermost open container is in a field of its own, so that a
/// flat object, which is what most tokens are, needs no stack on the heap.
struct Builder<'py> {
    py: Python<'py>,
    open: Open<'py>,
    parents: Vec<Open<'py>>,
    failure: Option<PyErr>,
}

enum Open<'py> {
    /// Outside of every container, with the value once it is complete.
    Root(Option<Bound<'py, PyAny>>),
    Array(Bound<'py, PyList>),
    /// With the name whose value comes next.
    Object(Bound<'py, PyDict>, Option<Bound<'py, PyString>>),
}

impl<'py> Builder<'py> {
    const fn new(py: Python<'py>) -> Self {
        Self { py, open: Open::Root(None), parents: Vec::new(), failure: None }
    }

    fn finish(self) -> PyResult<Bound<'py, PyAny>> {
        match (self.failure, self.open) {
            (Some(failure), _) => Err(failure),
            (None, Open::Root(Some(value))) => Ok(value),
            (None, _) => Ok(self.py.None().into_bound(self.py)),
        }
    }

    #[inline]
    fn add(&mut self, value: Bound<'py, PyAny>) {
        let added = match &mut self.open {
            Open::Root(slot) => {
                *slot = Some(value);
                Ok(())
            }
            Open::Array(list) => list.append(value),
            Open::Object(dict, name) => match name.take() {
                Some(name) => dict.set_item(name, value),
                None => Ok(()),
            },
        };
        if let Err(failure) = added {
            self.failure.get_or_insert(failure);
        }
    }

    fn begin(&mut self, container: Open<'py>) {
        let parent = std::mem::replace(&mut self.open, container);
        if !matches!(parent, Open::Root(_)) {
            self.parents.push(parent);
        }
    }

    fn end(&mut self) {
        let parent = self.parents.pop().unwrap_or(Open::Root(None));
        match std::mem::replace(&mut self.open, parent) {
            Open::Array(list) => self.add(list.into_any()),
            Open::Object(dict, _) => self.add(dict.into_any()),
            Open::Root(_) => {}
        }
    }

    fn text(&self, text: Str<'_>) -> Bound<'py, PyString> {
        if text.has_escapes() {
            PyString::new(self.py, &text.decode())
        } else {
            PyString::new(self.py, text.raw())
        }
    }
}

impl<'a> Visitor<'a> for Builder<'_> {
    fn null(&mut self) {
        self.add(self.py.None().into_bound(self.py));
    }

    fn boolean(&mut self, value: bool) {
        self.add(PyBool::new(self.py, value).to_owned().into_any());
    }

    fn number(&mut self, text: &'a str) {
        match number(self.py, text) {
            Ok(value) => self.add(value),
            Err(failure) => {
                self.failure.get_or_insert(failure);
            }
        }
    }

    fn string(&mut self, text: Str<'a>) {
        let value = self.text(text).into_any();
        self.add(value);
    }

    fn begin_array(&mut self) {
        self.begin(Open::Array(PyList::empty(self.py)));
    }

    fn end_array(&mut self) {
        self.end();
    }

    fn begin_object(&mut self) {
        self.begin(Open::Object(PyDict::new(self.py), None));
    }

    fn name(&mut self, name: Str<'a>) {
        let key = known_name(self.py, name.raw()).cloned().unwrap_or_else(|| self.text(name));
        if let Open::Object(_, slot) = &mut self.open {
            *slot = Some(key);
        }
    }

    fn end_object(&mut self) {
        self.end();
    }
}

/// The `int` or `float` of a JSON number that has been checked.
pub(crate) fn number<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(small) = text.parse::<i64>() {
        return Ok(PyInt::new(py, small).into_any());
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return integer(py, text);
    }
    // The scanner has checked that it is a finite double.
    Ok(PyFloat::new(py, text.parse().unwrap_or_default()).into_any())
}

/// An integer of any size. CPython refuses to read more than a few thousand digits at once, so
/// longer ones are put together from pieces; the length of the token bounds the work.
fn integer<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    const PIECE: usize = 600; // the lowest limit that sys.set_int_max_str_digits() allows is 640
    let int = py.get_type::<PyInt>();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let mut total = PyInt::new(py, 0).into_any();
    let mut rest = digits;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.len().min(PIECE));
        let shift = PyInt::new(py, 10).into_any().pow(piece.len(), py.None())?;
        total = total.mul(shift)?.add(int.call1((piece,))?)?;
        rest = tail;
    }
    if sign.is_empty() { Ok(total) } else { total.neg() }
}

/// The names that most tokens hold, as strings that exist already.
fn known_name<'py>(py: Python<'py>, name: &str) -> Option<&'py Bound<'py, PyString>> {
    Some(match name.as_bytes() {
        b"iss" => intern!(py, "iss"),
        b"sub" => intern!(py, "sub"),
        b"aud" => intern!(py, "aud"),
        b"exp" => intern!(py, "exp"),
        b"nbf" => intern!(py, "nbf"),
        b"iat" => intern!(py, "iat"),
        b"jti" => intern!(py, "jti"),
        b"alg" => intern!(py, "alg"),
        b"typ" => intern!(py, "typ"),
        b"kid" => intern!(py, "kid"),
        b"kty" => intern!(py, "kty"),
        b"scope" => intern!(py, "scope"),
        b"scp" => intern!(py, "scp"),
        b"azp" => intern!(py, "azp"),
        b"name" => intern!(py, "name"),
        b"email" => intern!(py, "email"),
        b"roles" => intern!(py, "roles"),
        b"groups" => intern!(py, "groups"),
        b"tenant" => intern!(py, "tenant"),
        b"client_id" => intern!(py, "client_id"),
        b"auth_time" => intern!(py, "auth_time"),
        _ => return None,
    })
}
