//! Where each claim stands in the claims' text.
//!
//! A service reads two or three claims of a token. Finding all of them takes one pass over the text
//! and one allocation; making Python objects of them all costs four times as much as that.

use crate::decode;
use crate::errors::OrRaise;
use gatekey::json::{self, Str, Value, Visitor};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::collections::HashMap;
use std::ops::Range;

/// The members of one JSON object, which has been checked before.
pub(crate) struct Index {
    /// In the order of the text.
    members: Vec<Member>,
    /// Only if there are more than [`MANY`] members: a search through them would add up.
    by_name: HashMap<Box<str>, usize>,
}

const MANY: usize = 32;

struct Member {
    name: Range<usize>,
    name_has_escapes: bool,
    value: Range<usize>,
}

impl Index {
    /// Finds every member of `text`.
    pub(crate) fn of(py: Python<'_>, text: &str) -> PyResult<Self> {
        let mut finder = Finder { text, members: Vec::with_capacity(16) };
        json::visit(text.as_bytes(), &mut finder).or_raise(py)?;
        let members = finder.members;
        let mut by_name = HashMap::new();
        if members.len() > MANY {
            let place = |(at, member): (usize, &Member)| (member.name(text).into_boxed_str(), at);
            by_name = members.iter().enumerate().map(place).collect();
        }
        Ok(Self { members, by_name })
    }

    /// How many members there are.
    pub(crate) const fn len(&self) -> usize {
        self.members.len()
    }

    /// The names, in the order of the text.
    pub(crate) fn names(&self, text: &str) -> impl ExactSizeIterator<Item = String> {
        self.members.iter().map(move |member| member.name(text))
    }

    /// The text of the value of the member with this name.
    pub(crate) fn find<'t>(&self, text: &'t str, name: &str) -> Option<&'t str> {
        let found = if self.members.len() > MANY {
            self.members.get(*self.by_name.get(name)?)
        } else {
            self.members.iter().find(|member| member.is(text, name))
        };
        text.get(found?.value.clone())
    }
}

impl Member {
    fn name(&self, text: &str) -> String {
        let raw = text.get(self.name.clone()).unwrap_or_default();
        if self.name_has_escapes { unescape(raw) } else { raw.to_owned() }
    }

    fn is(&self, text: &str, name: &str) -> bool {
        let raw = text.get(self.name.clone()).unwrap_or_default();
        if self.name_has_escapes { unescape(raw) == name } else { raw == name }
    }
}

/// The text of a JSON string that has been checked, given without its quotes.
fn unescape(raw: &str) -> String {
    let quoted = format!("\"{raw}\"");
    let value = json::parse(quoted.as_bytes());
    value.ok().and_then(|value| value.as_str().map(Into::into)).unwrap_or_default()
}

struct Finder<'a> {
    text: &'a str,
    members: Vec<Member>,
}

impl<'a> Visitor<'a> for Finder<'a> {
    fn top_member(&mut self, name: Str<'a>, _value: Value<'a>, place: Range<usize>) {
        let start = name.raw().as_ptr().addr() - self.text.as_ptr().addr();
        let range = start..start + name.raw().len();
        self.members.push(Member {
            name: range,
            name_has_escapes: name.has_escapes(),
            value: place,
        });
    }
}

/// The Python object of a value that has been checked. Strings without escapes and numbers, which
/// is what most claims are, need no second look.
pub(crate) fn object<'py>(py: Python<'py>, value: &str) -> PyResult<Bound<'py, PyAny>> {
    let plain = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match plain {
        Some(plain) if !plain.contains('\\') => Ok(PyString::new(py, plain).into_any()),
        None if value.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            decode::number(py, value)
        }
        _ => decode::value(py, value.as_bytes()),
    }
}
