//! `gk_json`: reads the JSON that calls hand out, so that no C program cuts it out of the text.

use super::boundary::{Outcome, chars, create, lend, look, release, slice, tell};
use super::buf::gk_str;
use super::error::gk_error;
use super::status::gk_status;
use crate::json::{self, Kind, Value};
use crate::{Error, ErrorKind};
use libc::c_char;
use zeroize::Zeroizing;

/// What kind of value something is: one of the GK_JSON_ constants.
pub type gk_json_kind = i32;

/// There is no such value.
pub const GK_JSON_MISSING: gk_json_kind = 0;
/// `null`.
pub const GK_JSON_NULL: gk_json_kind = 1;
/// `true` or `false`.
pub const GK_JSON_BOOL: gk_json_kind = 2;
/// A number.
pub const GK_JSON_NUMBER: gk_json_kind = 3;
/// A string.
pub const GK_JSON_TEXT: gk_json_kind = 4;
/// An array.
pub const GK_JSON_LIST: gk_json_kind = 5;
/// An object.
pub const GK_JSON_OBJECT: gk_json_kind = 6;

/// The longest text that is read, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// A JSON value (RFC 8259), read strictly: no member twice, nothing after the value, at most 32
/// levels deep. Immutable, safe to use from several threads at once; what it holds may be secret,
/// and is wiped when it is freed. Calls that look into it take NULL for a value that is not there,
/// so that they can be nested: gk_json_text(gk_json_at(gk_json_member(...), 0)).
pub struct gk_json(Node);

enum Node {
    Null,
    Bool(bool),
    /// As it stood.
    Number(Zeroizing<String>),
    Text(Zeroizing<String>),
    List(Vec<gk_json>),
    Object(Vec<(Zeroizing<String>, gk_json)>),
}

impl gk_json {
    /// The depth has been checked.
    fn of(value: &Value<'_>) -> Self {
        Self(match value.kind() {
            Kind::Null => Node::Null,
            Kind::Bool => Node::Bool(value.as_bool().unwrap_or_default()),
            Kind::Number => Node::Number(value.raw().to_owned().into()),
            Kind::String => {
                Node::Text(value.as_str().map(|text| text.into_owned()).unwrap_or_default().into())
            }
            Kind::Array => Node::List(value.elements().map(|one| Self::of(&one)).collect()),
            Kind::Object => {
                let member = |(name, value): (json::Str<'_>, Value<'_>)| {
                    (name.decode().into_owned().into(), Self::of(&value))
                };
                Node::Object(value.members().map(member).collect())
            }
        })
    }

    /// The value of a text.
    pub(super) fn read(text: &[u8]) -> Outcome<Self> {
        let value = (text.len() <= LONGEST).then(|| json::parse(text).ok()).flatten();
        Ok(Self::of(&value.ok_or(NOT_JSON)?))
    }

    /// A string.
    pub(super) fn text(text: &str) -> Self {
        Self(Node::Text(text.to_owned().into()))
    }

    /// `null`.
    pub(super) const fn null() -> Self {
        Self(Node::Null)
    }

    fn entry(&self, index: usize) -> Option<(&str, &Self)> {
        match &self.0 {
            Node::List(list) => list.get(index).map(|value| ("", value)),
            Node::Object(members) => members.get(index).map(|(name, value)| (name.as_str(), value)),
            _ => None,
        }
    }

    fn number(&self) -> Option<&str> {
        match &self.0 {
            Node::Number(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads JSON.
///
/// @param text The text, UTF-8, at most 16 MiB; borrowed for the call.
/// @param text_len Its length in bytes.
/// @param json Receives the value, to be freed with gk_json_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not exactly one JSON value.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_json_parse(
    text: *const c_char,
    text_len: usize,
    json: *mut *mut gk_json,
    err: *mut gk_error,
) -> gk_status {
    create(json, err, || gk_json::read(chars(text, text_len, "text")?))
}

const NOT_JSON: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The text is not exactly one JSON value of at most 16 MiB; look for members that are there twice.",
);

/// Frees what gk_json_parse or gk_operation_json has made, with all values in it.
///
/// @param json The value, which must not be used again; NULL is fine. Never a value that was found
/// in another.
#[unsafe(no_mangle)]
pub extern "C" fn gk_json_free(json: Option<Box<gk_json>>) {
    release(json);
}

/// Says what kind of value it is.
///
/// @param json The value; NULL is fine.
/// @return A GK_JSON_ constant; GK_JSON_MISSING for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_json_kind_of(json: Option<&gk_json>) -> gk_json_kind {
    look(GK_JSON_MISSING, || {
        Some(match &json?.0 {
            Node::Null => GK_JSON_NULL,
            Node::Bool(_) => GK_JSON_BOOL,
            Node::Number(_) => GK_JSON_NUMBER,
            Node::Text(_) => GK_JSON_TEXT,
            Node::List(_) => GK_JSON_LIST,
            Node::Object(_) => GK_JSON_OBJECT,
        })
    })
}

/// Finds the member of an object.
///
/// @param json The object; NULL is fine.
/// @param name The member's name, UTF-8.
/// @param name_len Its length in bytes.
/// @return The value, which belongs to `json`; NULL if this is no object or has no such member.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_json_member(
    json: Option<&gk_json>,
    name: *const c_char,
    name_len: usize,
) -> Option<&gk_json> {
    look(None, || {
        let Node::Object(members) = &json?.0 else { return None };
        // SAFETY: as this function's own contract.
        let name: &[u8] = unsafe { slice(name.cast(), name_len, "name") }.ok()?;
        Some(members.iter().find(|(own, _)| own.as_bytes() == name).map(|(_, value)| value))
    })
}

/// Says how many elements a list has, or members an object.
///
/// @param json The list or object; NULL is fine.
/// @return How many; 0 for everything else.
#[unsafe(no_mangle)]
pub extern "C" fn gk_json_len(json: Option<&gk_json>) -> usize {
    look(0, || match &json?.0 {
        Node::List(list) => Some(list.len()),
        Node::Object(members) => Some(members.len()),
        _ => None,
    })
}

/// Gives an element of a list, or the value of a member of an object, in the order of the text.
///
/// @param json The list or object; NULL is fine.
/// @param index From 0.
/// @return The value, which belongs to `json`; NULL if it has fewer.
#[unsafe(no_mangle)]
pub extern "C" fn gk_json_at(json: Option<&gk_json>, index: usize) -> Option<&gk_json> {
    look(None, || Some(json?.entry(index).map(|(_, value)| value)))
}

/// Gives the name of a member of an object, in the order of the text.
///
/// @param json The object; NULL is fine.
/// @param index From 0.
/// @return The name, valid as long as `json`; {NULL, 0} if this is no object or has fewer.
#[unsafe(no_mangle)]
pub extern "C" fn gk_json_name_at(json: Option<&gk_json>, index: usize) -> gk_str {
    look(gk_str::NONE, || match &json?.0 {
        Node::Object(members) => members.get(index).map(|(name, _)| lend(name)),
        _ => None,
    })
}

/// Gives the text of a string, without its escapes.
///
/// @param json The string; NULL is fine.
/// @return The text, valid as long as `json`; {NULL, 0} if this is no string.
#[unsafe(no_mangle)]
pub extern "C" fn gk_json_text(json: Option<&gk_json>) -> gk_str {
    look(gk_str::NONE, || match &json?.0 {
        Node::Text(text) => Some(lend(text)),
        _ => None,
    })
}

/// Gives a whole number.
///
/// @param json The number; NULL is fine.
/// @param value Receives it; untouched if it is absent. NULL is fine.
/// @return True if this is a number without fraction and exponent, from INT64_MIN to INT64_MAX.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_json_integer(json: Option<&gk_json>, value: *mut i64) -> bool {
    look(false, || {
        let number: i64 = json?.number()?.parse().ok()?;
        // SAFETY: as this function's own contract.
        unsafe { tell(value, number) };
        Some(true)
    })
}

/// Gives a number as the nearest double.
///
/// @param json The number; NULL is fine.
/// @param value Receives it; untouched if it is absent. NULL is fine.
/// @return True if this is a number in the range of doubles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_json_number(json: Option<&gk_json>, value: *mut f64) -> bool {
    look(false, || {
        let number: f64 = json?.number()?.parse().ok()?;
        number.is_finite().then(|| {
            // SAFETY: as this function's own contract.
            unsafe { tell(value, number) };
            true
        })
    })
}

/// Gives a truth value.
///
/// @param json The value; NULL is fine.
/// @param value Receives it; untouched if it is absent. NULL is fine.
/// @return True if this is `true` or `false`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_json_bool(json: Option<&gk_json>, value: *mut bool) -> bool {
    look(false, || match &json?.0 {
        Node::Bool(known) => {
            // SAFETY: as this function's own contract.
            unsafe { tell(value, *known) };
            Some(true)
        }
        _ => None,
    })
}
