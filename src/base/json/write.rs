//! JSON objects, written member by member, into memory that is wiped: values may be secret.

use super::write_str;
use crate::base::secret::Secret;
use zeroize::Zeroizing;

/// An object that is being written; members stand in the order of the calls. What it was written in
/// is wiped when it is dropped or has grown too small; [`ObjectWriter::end`] gives the text away.
///
/// ```
/// let mut object = gatekey::json::ObjectWriter::new();
/// object.text("name", "a \"b\"");
/// object.number("count", 2);
/// object.number("limit", None);
/// assert_eq!(object.end(), r#"{"name":"a \"b\"","count":2,"limit":null}"#);
/// ```
#[derive(Clone)]
#[must_use]
pub struct ObjectWriter(Zeroizing<String>);

/// The longest that a character becomes in JSON: `\u001f`.
const LONGEST: usize = 6;

impl ObjectWriter {
    /// An empty object.
    pub fn new() -> Self {
        let mut text = String::with_capacity(128);
        text.push('{');
        Self(Zeroizing::new(text))
    }

    /// Makes room; what was too small is wiped.
    fn reserve(&mut self, more: usize) {
        let needed = self.0.len().saturating_add(more);
        if needed > self.0.capacity() {
            let mut larger = String::with_capacity(needed.saturating_mul(2));
            larger.push_str(&self.0);
            self.0 = Zeroizing::new(larger);
        }
    }

    fn name(&mut self, name: &str) {
        self.reserve(LONGEST * name.len() + 4);
        if self.0.len() > 1 {
            self.0.push(',');
        }
        write_str(&mut self.0, name);
        self.0.push(':');
    }

    /// A member whose value is JSON already.
    pub fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.reserve(json.len());
        self.0.push_str(json);
    }

    /// A string.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.reserve(LONGEST * value.len() + 2);
        write_str(&mut self.0, value);
    }

    /// A string, or `null`.
    pub fn optional(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A number, or `null`.
    pub fn number(&mut self, name: &str, value: impl Into<Option<u64>>) {
        match value.into() {
            Some(value) => self.raw(name, &value.to_string()),
            None => self.raw(name, "null"),
        }
    }

    /// `true` or `false`.
    pub fn bool(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    /// An array of strings.
    pub fn texts<T: AsRef<str>>(&mut self, name: &str, values: &[T]) {
        self.raw(name, &array(values, |value| quoted(value.as_ref())));
    }

    /// The object's text.
    #[must_use]
    pub fn end(mut self) -> String {
        self.reserve(1);
        self.0.push('}');
        std::mem::take(&mut self.0)
    }

    /// The object's text, which is wiped when it is dropped.
    #[must_use]
    pub fn end_secret(self) -> Secret {
        Secret::from(self.end())
    }
}

impl Default for ObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

/// The members' names; their values may be secret.
impl std::fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectWriter({} bytes)", self.0.len())
    }
}

/// The text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_str(&mut out, text);
    out
}

/// An array of what `write` makes of the values.
pub fn array<T>(values: &[T], write: impl Fn(&T) -> String) -> String {
    format!("[{}]", values.iter().map(write).collect::<Vec<_>>().join(","))
}
