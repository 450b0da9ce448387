//! JSON strings: borrowed with their escapes, decoded on demand, and written.

use std::borrow::Cow;

/// A JSON string as it stands in the text, between its quotes, already checked.
#[derive(Clone, Copy, Debug)]
pub struct Str<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Str<'a> {
    pub(super) const fn new(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The characters between the quotes, escapes and all.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// Whether [`Self::raw`] holds escapes.
    #[must_use]
    pub const fn has_escapes(&self) -> bool {
        self.escaped
    }

    /// The text it stands for; borrowed where there are no escapes.
    #[must_use]
    pub fn decode(&self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// Compares the text, after unescaping.
impl PartialEq<str> for Str<'_> {
    fn eq(&self, other: &str) -> bool {
        if self.escaped { unescape(self.raw) == other } else { self.raw == other }
    }
}

/// Appends `text` as a JSON string, quotes included.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut clean_from = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(bytes.get(clean_from..i).unwrap_or_default());
        clean_from = i + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let hex = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(bytes.get(clean_from..).unwrap_or_default());
    out.push(b'"');
}

/// Decodes escapes that the scanner has already found to be well-formed.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((clean, after)) = rest.split_once('\\') {
        out.push_str(clean);
        let mut tail = after.chars();
        match tail.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let (decoded, left) = unescape_unicode(tail.as_str());
                out.push(decoded);
                rest = left;
                continue;
            }
            Some(same) => out.push(same),
            None => {}
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out
}

/// Reads `XXXX` or `XXXX\uYYYY` (a surrogate pair) from the front of `text`.
fn unescape_unicode(text: &str) -> (char, &str) {
    let unit = |s: &str| s.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let after_one = text.get(4..).unwrap_or_default();
    let high = unit(text).unwrap_or(0xFFFD);
    let low = after_one.strip_prefix("\\u").and_then(unit);
    if let (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) = (high, low) {
        let c = char::decode_utf16([high, low]).next().and_then(Result::ok).unwrap_or('\u{FFFD}');
        return (c, after_one.get(6..).unwrap_or_default());
    }
    (char::from_u32(u32::from(high)).unwrap_or('\u{FFFD}'), after_one)
}
