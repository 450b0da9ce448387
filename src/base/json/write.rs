//! JSON objects, written member by member.

use super::write_str;

/// An object that is being written; members stand in the order of the calls.
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
pub struct ObjectWriter(String);

impl ObjectWriter {
    /// An empty object.
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// A member whose value is JSON already.
    pub fn raw(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        write_str(&mut self.0, name);
        self.0.push(':');
        self.0.push_str(json);
    }

    /// A string.
    pub fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &quoted(value));
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
        self.0.push('}');
        self.0
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
