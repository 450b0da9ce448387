//! The one pass over a JSON text: checks everything, tells a visitor, copies nothing.

use super::MAX_DEPTH;
use super::text::Str;
use super::value::Value;
use crate::error::{Error, ErrorKind, Result};
use std::ops::Range;

/// Told of every token in the order of the text. Every method does nothing unless implemented.
pub trait Visitor<'a> {
    /// `null`
    fn null(&mut self) {}
    /// `true` or `false`
    fn boolean(&mut self, _value: bool) {}
    /// A number, as written (RFC 8259 section 6). Fraction or exponent means a finite double.
    fn number(&mut self, _text: &'a str) {}
    /// A string value.
    fn string(&mut self, _text: Str<'a>) {}
    /// An array begins.
    fn begin_array(&mut self) {}
    /// The innermost array ends.
    fn end_array(&mut self) {}
    /// An object begins.
    fn begin_object(&mut self) {}
    /// The name of a member, before its value.
    fn name(&mut self, _name: Str<'a>) {}
    /// The innermost object ends.
    fn end_object(&mut self) {}
    /// A member of the outermost object, after its value, with the value's place in the text.
    fn top_member(&mut self, _name: Str<'a>, _value: Value<'a>, _place: Range<usize>) {}
}

/// Visits nothing: the text is only checked.
impl Visitor<'_> for () {}

/// Checks the text while telling `visitor` of each token.
///
/// A visitor hears of the tokens before a fault; what it made of them must be dropped on error.
///
/// # Errors
/// `MalformedToken`: the text is not acceptable JSON (see the module's documentation).
pub fn visit<'a, V: Visitor<'a>>(text: &'a [u8], visitor: &mut V) -> Result<Value<'a>> {
    visit_str(utf8(text)?, visitor)
}

/// The text, if it is UTF-8.
pub(crate) fn utf8(text: &[u8]) -> Result<&str> {
    simdutf8::basic::from_utf8(text).map_err(|_| NOT_UTF8)
}

/// [`visit`] for a text that is known to be UTF-8.
pub(crate) fn visit_str<'a, V: Visitor<'a>>(text: &'a str, visitor: &mut V) -> Result<Value<'a>> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, names: Names::new(), visitor };
    scanner.skip_space();
    let start = scanner.at;
    scanner.value(0)?;
    let end = scanner.at;
    scanner.skip_space();
    if scanner.at != text.len() {
        return Err(MALFORMED);
    }
    Ok(Value::from_checked(text.get(start..end).unwrap_or_default()))
}

const MALFORMED: Error =
    Error::new(ErrorKind::MalformedToken, "The text is not valid JSON (RFC 8259).");
const NOT_UTF8: Error =
    Error::new(ErrorKind::MalformedToken, "The JSON text is not UTF-8 (RFC 8259 section 8.1).");
const TOO_DEEP: Error =
    Error::new(ErrorKind::MalformedToken, "The JSON text is nested deeper than 32 levels.");
const DUPLICATE: Error = Error::new(
    ErrorKind::MalformedToken,
    "A JSON object has two members of one name (RFC 7519 section 4).",
);
const LONE_SURROGATE: Error = Error::new(
    ErrorKind::MalformedToken,
    "A JSON string escapes half of a surrogate pair (RFC 7493 section 2.1).",
);
const BAD_NUMBER: Error = Error::new(
    ErrorKind::MalformedToken,
    "A JSON number is malformed or out of range (RFC 8259 section 6).",
);

struct Scanner<'a, 'v, V> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    names: Names<'a>,
    visitor: &'v mut V,
}

impl<'a, V: Visitor<'a>> Scanner<'a, '_, V> {
    fn value(&mut self, depth: usize) -> Result<()> {
        match self.peek() {
            Some(b'"') => {
                let text = self.string()?;
                self.visitor.string(text);
            }
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b't') => {
                self.literal(b"true")?;
                self.visitor.boolean(true);
            }
            Some(b'f') => {
                self.literal(b"false")?;
                self.visitor.boolean(false);
            }
            Some(b'n') => {
                self.literal(b"null")?;
                self.visitor.null();
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(MALFORMED),
        }
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<()> {
        if depth == MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        self.at += 1;
        self.visitor.begin_object();
        let first_name = self.names.len;
        self.skip_space();
        if !self.take(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(MALFORMED);
                }
                let name_at = self.at + 1;
                let name = self.string()?;
                self.names.add(self.bytes, name_at, name, first_name)?;
                self.visitor.name(name);
                self.skip_space();
                if !self.take(b':') {
                    return Err(MALFORMED);
                }
                self.skip_space();
                let start = self.at;
                self.value(depth + 1)?;
                if depth == 0 {
                    let place = start..self.at;
                    let value =
                        Value::from_checked(self.text.get(place.clone()).unwrap_or_default());
                    self.visitor.top_member(name, value, place);
                }
                self.skip_space();
                if self.take(b',') {
                    self.skip_space();
                } else if self.take(b'}') {
                    break;
                } else {
                    return Err(MALFORMED);
                }
            }
        }
        self.names.close(first_name)?;
        self.visitor.end_object();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<()> {
        if depth == MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        self.at += 1;
        self.visitor.begin_array();
        self.skip_space();
        if !self.take(b']') {
            loop {
                self.value(depth + 1)?;
                self.skip_space();
                if self.take(b',') {
                    self.skip_space();
                } else if self.take(b']') {
                    break;
                } else {
                    return Err(MALFORMED);
                }
            }
        }
        self.visitor.end_array();
        Ok(())
    }

    fn string(&mut self) -> Result<Str<'a>> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    let raw = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Str::new(raw, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(MALFORMED),
            }
        }
    }

    /// Moves to the next quote, backslash or control character, eight bytes at a time.
    fn skip_plain(&mut self) {
        const ONES: u64 = u64::MAX / 255;
        const HIGHS: u64 = ONES << 7;
        let zero_bytes = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
        while let Some(chunk) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            let quote = zero_bytes(word ^ (ONES * u64::from(b'"')));
            let backslash = zero_bytes(word ^ (ONES * u64::from(b'\\')));
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
            let stop = quote | backslash | control;
            if stop != 0 {
                self.at += (stop.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while self.peek().is_some_and(|b| b >= 0x20 && b != b'"' && b != b'\\') {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<()> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                match self.code_unit()? {
                    0xD800..=0xDBFF => {
                        if !(self.take(b'\\') && self.take(b'u')) {
                            return Err(LONE_SURROGATE);
                        }
                        if !matches!(self.code_unit()?, 0xDC00..=0xDFFF) {
                            return Err(LONE_SURROGATE);
                        }
                    }
                    0xDC00..=0xDFFF => return Err(LONE_SURROGATE),
                    _ => {}
                }
            }
            _ => return Err(MALFORMED),
        }
        Ok(())
    }

    fn code_unit(&mut self) -> Result<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16)).ok_or(MALFORMED)?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<()> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let mut is_integer = true;
        if self.take(b'.') {
            is_integer = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            is_integer = false;
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if !is_integer && !text.parse().is_ok_and(f64::is_finite) {
            return Err(BAD_NUMBER);
        }
        self.visitor.number(text);
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(BAD_NUMBER) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<()> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(MALFORMED);
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// The names of all objects that are open, innermost last.
///
/// Up to [`LINEAR`] members of one object are compared as they come; from there on the object is
/// sorted once when it ends, so that an attacker's thousand members cost n log n, not n squared.
struct Names<'a> {
    first: [Name<'a>; LINEAR],
    more: Vec<Name<'a>>,
    len: usize,
}

const LINEAR: usize = 24;

#[derive(Clone, Copy)]
struct Name<'a> {
    /// The first eight bytes: tells most names apart in one comparison.
    head: u64,
    text: Str<'a>,
}

impl<'a> Names<'a> {
    const fn new() -> Self {
        let empty = Name { head: 0, text: Str::new("", false) };
        Self { first: [empty; LINEAR], more: Vec::new(), len: 0 }
    }

    fn add(&mut self, bytes: &[u8], at: usize, text: Str<'a>, first_name: usize) -> Result<()> {
        let name = Name { head: head(bytes, at, text.raw().len()), text };
        let end = self.len.min(LINEAR);
        if self.len - first_name < LINEAR {
            let open = self.first.get(first_name.min(end)..end).unwrap_or_default();
            let spilled = self.more.get(first_name.saturating_sub(LINEAR)..).unwrap_or_default();
            if open.iter().chain(spilled).any(|other| other.same(&name)) {
                return Err(DUPLICATE);
            }
        }
        match self.first.get_mut(self.len) {
            Some(slot) => *slot = name,
            None => self.more.push(name),
        }
        self.len += 1;
        Ok(())
    }

    fn close(&mut self, first_name: usize) -> Result<()> {
        if self.len - first_name > LINEAR {
            let end = self.len.min(LINEAR);
            let open = self.first.get(first_name.min(end)..end).unwrap_or_default();
            let spilled = self.more.get(first_name.saturating_sub(LINEAR)..).unwrap_or_default();
            let mut all: Vec<_> =
                open.iter().chain(spilled).map(|name| name.text.decode()).collect();
            all.sort_unstable();
            if all.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
                return Err(DUPLICATE);
            }
        }
        self.len = first_name;
        self.more.truncate(first_name.saturating_sub(LINEAR));
        Ok(())
    }
}

impl Name<'_> {
    #[inline]
    fn same(&self, other: &Self) -> bool {
        if self.text.has_escapes() || other.text.has_escapes() {
            return self.text == other.text;
        }
        self.head == other.head && self.text.raw() == other.text.raw()
    }
}

/// The first eight bytes of the name at `at`, zero-filled, as one word.
#[inline]
fn head(bytes: &[u8], at: usize, len: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(chunk) = rest.first_chunk::<8>() else {
        let name = rest.get(..len).unwrap_or_default(); // at most seven bytes are left
        return name.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    };
    let word = u64::from_le_bytes(*chunk);
    if len >= 8 { word } else { word & ((1 << (len * 8)) - 1) }
}
