//! A strict, bounded, one-pass JSON reader (RFC 8259, and the stricter I-JSON of RFC 7493).
//!
//! Refused, at every depth: invalid UTF-8, a byte order mark, duplicate member names (compared
//! after unescaping), nesting deeper than [`MAX_DEPTH`], lone surrogate escapes, control characters
//! in strings, fractions and exponents that overflow a double (integers may have any size), and
//! anything after the value.
//!
//! [`parse`] checks a whole text once and hands out [`Value`]s that borrow from it; [`visit`]
//! drives a [`Visitor`] through the same single pass. Neither copies anything.

pub(crate) mod fields;
mod scan;
mod text;
mod value;
mod write;

pub use scan::{Visitor, visit};
pub(crate) use scan::{utf8, visit_str};
pub use text::{Str, write_str};
pub use value::{Elements, Kind, Members, Value};
pub(crate) use write::quoted;
pub use write::{ObjectWriter, array};

use crate::error::{ErrorKind, Result};

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 32;

/// Checks the text and returns its value; every accessor of [`Value`] is infallible afterwards.
///
/// # Errors
/// `MalformedToken`: the text is not acceptable JSON.
///
/// ```
/// let value = gatekey::json::parse(br#"{"scope":"read","n":[1,2]}"#)?;
/// assert_eq!(value.member("scope").and_then(|v| v.as_str()).as_deref(), Some("read"));
/// assert!(gatekey::json::parse(br#"{"role":"user","role":"admin"}"#).is_err());
/// # Ok::<(), gatekey::Error>(())
/// ```
pub fn parse(text: &[u8]) -> Result<Value<'_>> {
    let mut nothing = ();
    visit(text, &mut nothing)
}

/// [`parse`], of an argument of this name.
///
/// # Errors
/// `InvalidArgument`: the text is not acceptable JSON.
pub(crate) fn parse_of<'a>(what: &'static str, text: &'a [u8]) -> Result<Value<'a>> {
    parse(text).map_err(|error| error.with_kind(ErrorKind::InvalidArgument).about_text(what))
}

/// Checks the text.
///
/// # Errors
/// `MalformedToken`: the text is not acceptable JSON.
pub fn validate(text: &[u8]) -> Result<()> {
    parse(text).map(|_| ())
}

#[cfg(test)]
mod tests;
