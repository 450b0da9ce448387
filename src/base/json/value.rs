//! `Value`: one checked JSON value that borrows its text. Every walk over it is infallible.

use super::text::Str;
use std::borrow::Cow;

/// The six kinds of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "JSON has six kinds and no seventh")]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number
    Number,
    /// A string
    String,
    /// An array
    Array,
    /// An object
    Object,
}

impl Kind {
    /// In words, for a message.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "a list",
            Self::Object => "an object",
        }
    }
}

/// One JSON value inside a text that has been checked as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    raw: &'a str,
}

impl<'a> Value<'a> {
    /// `raw` must be exactly one value, checked by the scanner, without surrounding space.
    pub(crate) const fn from_checked(raw: &'a str) -> Self {
        Self { raw }
    }

    /// The value's text, exactly as it stood.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// What kind of value this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.raw.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The string with its escapes, if this is one.
    #[must_use]
    #[inline]
    pub fn as_json_str(&self) -> Option<Str<'a>> {
        let inner = self.raw.strip_prefix('"')?.strip_suffix('"')?;
        Some(Str::new(inner, has_escapes(inner)))
    }

    /// The text, if this is a string.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        self.as_json_str().map(|s| s.decode())
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.raw {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The integer, if this is a number written without fraction and exponent that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        short_natural(self.raw.as_bytes()).or_else(|| self.number()?.parse().ok())
    }

    /// The integer, if this is a number written without fraction, exponent and sign that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.number()?.parse().ok()
    }

    /// The nearest double, if this is a number in the range of doubles.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.number()?.parse().ok().filter(|x: &f64| x.is_finite())
    }

    /// The elements; none if this is not an array.
    #[must_use]
    pub fn elements(&self) -> Elements<'a> {
        Elements(Walk::inside(self.raw, b'['))
    }

    /// The members in the order of the text; none if this is not an object.
    #[must_use]
    pub fn members(&self) -> Members<'a> {
        Members(Walk::inside(self.raw, b'{'))
    }

    /// The member with this name, if this is an object that has it.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Self> {
        self.members().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The member with this name, unless it is `null`: in what other servers answer, that says
    /// nothing.
    pub(crate) fn given(&self, name: &str) -> Option<Self> {
        self.member(name).filter(|value| value.kind() != Kind::Null)
    }

    /// Whether both say the same: texts without their escapes, numbers by their value, objects in
    /// any order.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        match (self.kind(), other.kind()) {
            (Kind::String, Kind::String) => self.as_json_str() == other.as_json_str(),
            (Kind::Number, Kind::Number) => self.is_same_number(other),
            (Kind::Array, Kind::Array) => {
                let (mut own, mut others) = (self.elements(), other.elements());
                loop {
                    match (own.next(), others.next()) {
                        (None, None) => return true,
                        (Some(one), Some(other)) if one.says_the_same(&other) => {}
                        _ => return false,
                    }
                }
            }
            (Kind::Object, Kind::Object) => {
                let is_there = |(name, value): (Str<'_>, Self)| {
                    other.members().any(|(own, wanted)| own == name && value.says_the_same(&wanted))
                };
                self.members().count() == other.members().count() && self.members().all(is_there)
            }
            _ => self.raw == other.raw,
        }
    }

    fn is_same_number(&self, other: &Self) -> bool {
        self.raw == other.raw || Decimal::of(self.raw) == Decimal::of(other.raw)
    }

    fn number(&self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then_some(self.raw)
    }
}

/// What a number of JSON says, exactly: `7`, `7.0` and `70e-1` are the same.
struct Decimal<'a> {
    is_negative: bool,
    /// The digits before the point and behind it, without the zeros at either end of the whole.
    whole: &'a [u8],
    fraction: &'a [u8],
    /// The power of ten of the first digit.
    power: i64,
}

impl<'a> Decimal<'a> {
    fn of(raw: &'a str) -> Self {
        let (is_negative, text) =
            raw.strip_prefix('-').map_or((false, raw), |positive| (true, positive));
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        // More digits than a number has here say only that it is very large, or very small.
        let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
        let limit = if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
        let exponent = exponent.parse().unwrap_or(limit).clamp(i64::MIN / 4, i64::MAX / 4);
        let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX / 4);
        let (start, end) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let (whole, fraction, point) = match (start, end) {
            ("", end) => {
                let rest = end.trim_start_matches('0');
                ("", rest, length(rest) - length(end))
            }
            (start, "") => (start.trim_end_matches('0'), "", length(start)),
            (start, end) => (start, end, length(start)),
        };
        let is_zero = whole.is_empty() && fraction.is_empty();
        Self {
            is_negative: is_negative && !is_zero,
            whole: whole.as_bytes(),
            fraction: fraction.as_bytes(),
            power: if is_zero { 0 } else { exponent + point },
        }
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        let digits =
            |one: &Self| (one.whole.len() + one.fraction.len(), one.is_negative, one.power);
        digits(self) == digits(other)
            && self.whole.iter().chain(self.fraction).eq(other.whole.iter().chain(other.fraction))
    }
}

/// The number that up to fifteen digits stand for: every date and most counts, read in one go.
#[inline]
fn short_natural(text: &[u8]) -> Option<i64> {
    let short = (1..=15).contains(&text.len());
    let digit = |number: i64, byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + i64::from(digit))
    };
    if short { text.iter().try_fold(0, digit) } else { None }
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a>(Walk<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.0.value()
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a>(Walk<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Str<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.value()?.as_json_str()?;
        Some((name, self.0.value()?))
    }
}

/// Steps from value to value inside one container; the text is known to be well-formed.
#[derive(Clone, Debug)]
struct Walk<'a> {
    rest: &'a str,
}

impl<'a> Walk<'a> {
    fn inside(raw: &'a str, open: u8) -> Self {
        let opened = raw.as_bytes().first() == Some(&open);
        let inner = raw.get(1..raw.len().saturating_sub(1)).filter(|_| opened);
        Self { rest: inner.unwrap_or_default() }
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let skip = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':');
        let start = self.rest.bytes().position(|b| !skip(&b))?;
        let at = self.rest.get(start..)?;
        let (raw, rest) = at.split_at_checked(value_len(at.as_bytes()))?;
        self.rest = rest;
        Some(Value { raw })
    }
}

/// The length of the value that well-formed `text` begins with.
fn value_len(text: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut bytes = text.iter().enumerate();
    while let Some((i, &byte)) = bytes.next() {
        match byte {
            b'"' => {
                let mut end = i;
                while let Some((j, &b)) = bytes.next() {
                    end = j;
                    match b {
                        b'\\' => {
                            bytes.next();
                        }
                        b'"' => break,
                        _ => {}
                    }
                }
                if depth == 0 {
                    return end + 1;
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            b'}' | b']' if depth == 1 => return i + 1,
            b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' | b':' if depth == 0 => return i,
            _ => {}
        }
    }
    text.len()
}

/// Whether there is a backslash in a string. Most are short; looking at all of it is faster than
/// stopping.
#[inline]
fn has_escapes(inner: &str) -> bool {
    const SHORT: usize = 128;
    if inner.len() > SHORT {
        return memchr::memchr(b'\\', inner.as_bytes()).is_some();
    }
    inner.bytes().fold(false, |found, byte| found | (byte == b'\\'))
}
