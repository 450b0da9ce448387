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
    #[inline]
    pub fn decode(&self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        // Never longer than with its escapes: it does not grow, which would leave parts of a secret
        // behind.
        let mut text = String::with_capacity(self.raw.len());
        text.extend(self.chars());
        Cow::Owned(text)
    }

    /// The text it stands for, decoded into `buffer` if it must be; `None` if that is too small.
    /// Never allocates.
    #[must_use]
    pub fn decode_in<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b str>
    where
        'a: 'b,
    {
        if !self.escaped {
            return Some(self.raw);
        }
        let mut len = 0;
        for c in self.chars() {
            let end = len + c.len_utf8();
            c.encode_utf8(buffer.get_mut(len..end)?);
            len = end;
        }
        std::str::from_utf8(buffer.get(..len)?).ok()
    }

    /// The characters that it stands for.
    pub(crate) fn chars(&self) -> impl Iterator<Item = char> + use<'a> {
        Unescape(self.raw.chars())
    }
}

/// Compares the text, after unescaping; never allocates.
impl PartialEq<str> for Str<'_> {
    fn eq(&self, other: &str) -> bool {
        if self.escaped { self.chars().eq(other.chars()) } else { self.raw == other }
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        if other.escaped { other.chars().eq(self.chars()) } else { *self == *other.raw }
    }
}

/// Appends `text` as a JSON string, quotes included.
pub fn write_str(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        let (clean, special) = rest.split_at(at); // the byte found is ASCII, so this is a boundary
        out.push_str(clean);
        let mut tail = special.chars();
        match tail.next() {
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            control => {
                let code = control.map_or(0, u32::from);
                let hex = |nibble: u32| char::from_digit(nibble, 16).unwrap_or('0');
                out.push_str("\\u00");
                out.extend([hex(code >> 4), hex(code & 15)]);
            }
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// The characters that a checked string stands for.
struct Unescape<'a>(std::str::Chars<'a>);

impl Iterator for Unescape<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.0.next()?;
        if c != '\\' {
            return Some(c);
        }
        Some(match self.0.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let high = self.code_unit();
                if let 0xD800..=0xDBFF = high {
                    self.0.nth(1); // the `\u` of the low half, which the scanner has seen
                    let low = self.code_unit();
                    char::from_u32(0x10000 + ((high & 0x3FF) << 10 | low & 0x3FF))
                        .unwrap_or('\u{FFFD}')
                } else {
                    char::from_u32(high).unwrap_or('\u{FFFD}')
                }
            }
            same => same,
        })
    }
}

impl Unescape<'_> {
    fn code_unit(&mut self) -> u32 {
        self.0.by_ref().take(4).fold(0, |unit, c| unit << 4 | c.to_digit(16).unwrap_or_default())
    }
}
