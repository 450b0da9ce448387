//! The one pass over a JSON text: checks everything, calls a visitor, copies nothing. A duplicate
//! member is refused here.

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
    simdutf8::basic::from_utf8(text).map_err(|_| {
        let place = std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
        Error::from(Fault::NotUtf8).about_place(text, place)
    })
}

/// [`visit`] for a text that is known to be UTF-8.
pub(crate) fn visit_str<'a, V: Visitor<'a>>(text: &'a str, visitor: &mut V) -> Result<Value<'a>> {
    if text.len() > MAX_LEN {
        return Err(Fault::Malformed.into());
    }
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, names: Names::new(), visitor };
    scanner.skip_space();
    let start = scanner.at;
    let read = scanner.value(0);
    let end = scanner.at;
    scanner.skip_space();
    let read = read.and(if scanner.at == text.len() { Ok(()) } else { Err(Fault::Malformed) });
    read.map_err(|fault| Error::from(fault).about_place(text.as_bytes(), scanner.at))?;
    Ok(Value::from_checked(text.get(start..end).unwrap_or_default()))
}

/// The longest text that is read. Callers bound theirs far below it.
const MAX_LEN: usize = 1 << 31;

/// What is wrong with a text: one byte, so that the scanner's results travel in registers.
#[derive(Clone, Copy)]
enum Fault {
    NotUtf8,
    Malformed,
    TooDeep,
    Duplicate,
    LoneSurrogate,
    BadNumber,
}

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Self {
        let message = match fault {
            Fault::NotUtf8 => "The JSON text is not UTF-8 (RFC 8259 section 8.1).",
            Fault::Malformed => "The text is not valid JSON (RFC 8259).",
            Fault::TooDeep => "The JSON text is nested deeper than 32 levels.",
            Fault::Duplicate => "A JSON object has two members of one name (RFC 7519 section 4).",
            Fault::LoneSurrogate => {
                "A JSON string escapes half of a surrogate pair (RFC 7493 section 2.1)."
            }
            Fault::BadNumber => "A JSON number is malformed or out of range (RFC 8259 section 6).",
        };
        Self::new(ErrorKind::MalformedToken, message)
    }
}

struct Scanner<'a, 'v, V> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    names: Names,
    visitor: &'v mut V,
}

impl<'a, V: Visitor<'a>> Scanner<'a, '_, V> {
    fn value(&mut self, depth: usize) -> Result<(), Fault> {
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
            _ => return Err(Fault::Malformed),
        }
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        if depth == MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.at += 1;
        self.visitor.begin_object();
        let first_name = self.names.len;
        let met_outside = std::mem::take(&mut self.names.met);
        self.skip_space();
        if !self.take(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(Fault::Malformed);
                }
                let name = self.string()?;
                self.names.add(self.text, self.at - 1, name, first_name)?;
                self.visitor.name(name);
                self.skip_space();
                if !self.take(b':') {
                    return Err(Fault::Malformed);
                }
                self.skip_space();
                let start = self.at;
                // Most are strings, for which nothing is called.
                if self.peek() == Some(b'"') {
                    let text = self.string()?;
                    self.visitor.string(text);
                } else {
                    self.value(depth + 1)?;
                }
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
                    return Err(Fault::Malformed);
                }
            }
        }
        self.names.close(first_name, self.text)?;
        self.names.met = met_outside;
        self.visitor.end_object();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        if depth == MAX_DEPTH {
            return Err(Fault::TooDeep);
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
                    return Err(Fault::Malformed);
                }
            }
        }
        self.visitor.end_array();
        Ok(())
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Str<'a>, Fault> {
        let start = self.at + 1;
        let escaped = self.skip_string()?;
        let raw = self.text.get(start..self.at - 1).unwrap_or_default();
        Ok(Str::new(raw, escaped))
    }

    /// Moves past a string and tells whether it has escapes.
    #[inline(always)]
    fn skip_string(&mut self) -> Result<bool, Fault> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(Fault::Malformed),
            }
        }
    }

    /// Moves to the next quote, backslash or control character, eight bytes at a time.
    #[inline(always)]
    fn skip_plain(&mut self) {
        const ONES: u64 = u64::MAX / 255;
        const HIGHS: u64 = ONES << 7;
        while let Some(chunk) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            // Each subtraction borrows from the top bit of a byte that is a stop; where the text's
            // own top bit is set, it is no stop. A borrow can only mislead above the first stop.
            let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
            let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
            let control = word.wrapping_sub(ONES * 0x20);
            let stop = (quote | backslash | control) & !word & HIGHS;
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

    #[cold]
    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                match self.code_unit()? {
                    0xD800..=0xDBFF => {
                        if !(self.take(b'\\') && self.take(b'u')) {
                            return Err(Fault::LoneSurrogate);
                        }
                        if !matches!(self.code_unit()?, 0xDC00..=0xDFFF) {
                            return Err(Fault::LoneSurrogate);
                        }
                    }
                    0xDC00..=0xDFFF => return Err(Fault::LoneSurrogate),
                    _ => {}
                }
            }
            _ => return Err(Fault::Malformed),
        }
        Ok(())
    }

    fn code_unit(&mut self) -> Result<u32, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit =
                self.peek().and_then(|b| char::from(b).to_digit(16)).ok_or(Fault::Malformed)?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Fault> {
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
            return Err(Fault::BadNumber);
        }
        self.visitor.number(text);
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(Fault::BadNumber) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(Fault::Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        // A branch, which is foreseen, and not an addition, which the next read would wait for.
        if self.peek() != Some(byte) {
            return false;
        }
        self.at += 1;
        true
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// The names of all objects that are open, innermost last.
///
/// Up to [`LINEAR`] members of one object are compared as they come; from there on the object is
/// sorted once when it ends, so that an attacker's thousand members cost n log n, not n squared.
struct Names {
    /// The first eight bytes of each name, zero-filled: tells most names apart.
    heads: [u64; LINEAR],
    places: [Place; LINEAR],
    /// What does not fit above.
    more: Vec<Place>,
    len: usize,
    /// A bit for each name of the innermost object, as far as they are compared by their heads.
    met: u64,
    /// Whether a name with escapes was met, which its first bytes do not tell apart.
    escaped: bool,
}

const LINEAR: usize = 16;

/// Spreads the heads of names over 64 bits; odd, and such that the registered and the usual claims
/// (RFC 7519, OpenID Connect) have a bit each.
const SPREAD: u64 = 0xdb61_0487_c89d_a11b;

/// Where a name stands in the text, which has at most 2^31 bytes.
#[derive(Clone, Copy)]
struct Place {
    at: u32,
    /// The length in bytes; the top bit says whether there are escapes.
    len: u32,
}

impl Names {
    const fn new() -> Self {
        let nowhere = Place { at: 0, len: 0 };
        Self {
            heads: [0; LINEAR],
            places: [nowhere; LINEAR],
            more: Vec::new(),
            len: 0,
            met: 0,
            escaped: false,
        }
    }

    /// Adds the name whose closing quote stands at `end`.
    #[inline(always)]
    fn add(
        &mut self,
        text: &str,
        end: usize,
        name: Str<'_>,
        first_name: usize,
    ) -> Result<(), Fault> {
        let place = Place::new(end, name);
        let head = head(text.as_bytes(), place.at as usize, name.raw().len());
        self.escaped |= name.has_escapes();
        if self.len >= LINEAR || self.escaped {
            return self.add_slowly(text, place, head, first_name);
        }
        // One bit of 64 for each name: one that is clear still means a name not met before.
        let bit = 1 << (head.wrapping_mul(SPREAD) >> 58);
        if self.met & bit != 0 {
            let earlier = self.heads.get(first_name..self.len).unwrap_or_default();
            // No early exit, so that the compiler compares several at a time.
            if earlier.iter().fold(false, |met, other| met | (*other == head)) {
                self.compare(text, place, first_name)?;
            }
        }
        self.met |= bit;
        self.push(place, head);
        Ok(())
    }

    #[cold]
    fn add_slowly(
        &mut self,
        text: &str,
        place: Place,
        head: u64,
        first_name: usize,
    ) -> Result<(), Fault> {
        if self.len - first_name < LINEAR {
            self.compare(text, place, first_name)?;
        }
        self.push(place, head);
        Ok(())
    }

    #[inline]
    fn push(&mut self, place: Place, head: u64) {
        match (self.heads.get_mut(self.len), self.places.get_mut(self.len)) {
            (Some(head_slot), Some(slot)) => (*head_slot, *slot) = (head, place),
            _ => self.more.push(place),
        }
        self.len += 1;
    }

    #[cold]
    fn compare(&self, text: &str, place: Place, first_name: usize) -> Result<(), Fault> {
        let name = place.name(text);
        if self.open(first_name).any(|other| other.name(text) == name) {
            Err(Fault::Duplicate)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn close(&mut self, first_name: usize, text: &str) -> Result<(), Fault> {
        if self.len - first_name > LINEAR {
            self.compare_many(first_name, text)?;
        }
        self.len = first_name;
        self.more.truncate(first_name.saturating_sub(LINEAR));
        Ok(())
    }

    #[cold]
    fn compare_many(&self, first_name: usize, text: &str) -> Result<(), Fault> {
        let mut all: Vec<_> =
            self.open(first_name).map(|place| place.name(text).decode()).collect();
        all.sort_unstable();
        if all.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(Fault::Duplicate);
        }
        Ok(())
    }

    /// The names of the innermost object.
    fn open(&self, first_name: usize) -> impl Iterator<Item = &Place> {
        let filled = self.len.min(LINEAR);
        let here = self.places.get(first_name.min(filled)..filled).unwrap_or_default();
        here.iter().chain(self.more.get(first_name.saturating_sub(LINEAR)..).unwrap_or_default())
    }
}

impl Place {
    const ESCAPED: u32 = 1 << 31;

    #[inline]
    fn new(end: usize, name: Str<'_>) -> Self {
        let len = name.raw().len();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "visit_str refuses texts over 2^31 bytes"
        )]
        let [at, len] = [(end - len) as u32, len as u32];
        Self { at, len: if name.has_escapes() { len | Self::ESCAPED } else { len } }
    }

    fn name(self, text: &str) -> Str<'_> {
        let (at, len) = (self.at as usize, (self.len & !Self::ESCAPED) as usize);
        Str::new(text.get(at..at + len).unwrap_or_default(), self.len & Self::ESCAPED != 0)
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
