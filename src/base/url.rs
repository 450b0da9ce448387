//! Web addresses (RFC 3986), read strictly: what is not plainly an absolute `https` address of a
//! named or numbered host is refused, never corrected. The text is used as it was given; nothing is
//! normalised.
//!
//! Refused: other schemes, user information, fragments, backslashes, spaces, control characters,
//! anything that is not ASCII, hosts that are not names or addresses, ports out of range.

use crate::error::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest address that is read, in bytes.
const LONGEST: usize = 2048;

/// The parts of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    pub(crate) https: bool,
    /// A name, `1.2.3.4`, or `[::1]`.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Scheme, host and port, as they stand in the text.
    pub(crate) origin: &'a str,
    /// From the first slash on, without the query; empty or begins with one.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

const NOT_A_URL: Error = Error::new(
    ErrorKind::RequestBlocked,
    "This is not an absolute https address in its plain form.",
);
const NOT_HTTPS: Error = Error::new(
    ErrorKind::RequestBlocked,
    "Only https is used; plain http is for this very machine, in tests, and must be allowed.",
);

impl<'a> Url<'a> {
    /// The parts of an absolute `http` or `https` address.
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
        let fine = |byte: &u8| matches!(byte, b'!'..=b'~') && !b"\\#<>\"^`{|}".contains(byte);
        if text.len() > LONGEST || !text.as_bytes().iter().all(fine) {
            return Err(NOT_A_URL);
        }
        let (https, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://").ok_or(NOT_A_URL)?),
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let after = rest.get(authority.len()..).unwrap_or_default();
        let origin = text.get(..text.len() - after.len()).unwrap_or_default();
        let (host, port) = host_and_port(authority)?;
        let (path, query) = match after.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (after, None),
        };
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Ok(Self { https, host, port, origin, path, query })
    }

    /// [`Self::parse`], and that it may be asked: `https`, or this machine if that is allowed.
    pub(crate) fn checked(text: &'a str, allow_loopback_http: bool) -> Result<Self> {
        let url = Self::parse(text)?;
        if url.https || allow_loopback_http && url.is_loopback() { Ok(url) } else { Err(NOT_HTTPS) }
    }

    /// Whether the host is this machine by its very text.
    pub(crate) fn is_loopback(&self) -> bool {
        matches!(self.host, "127.0.0.1" | "[::1]" | "localhost")
    }
}

fn host_and_port(authority: &str) -> Result<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']').ok_or(NOT_A_URL)?;
            let is_address = inner
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' | b'.'));
            if inner.len() < 2 || !is_address {
                return Err(NOT_A_URL);
            }
            let host = authority.get(..inner.len() + 2).unwrap_or_default();
            (
                host,
                if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':').ok_or(NOT_A_URL)?)
                },
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_name =
        |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_');
    let named = host.starts_with('[') || host.bytes().all(is_name) && !host.starts_with('.');
    if host.is_empty() || host.len() > 255 || !named {
        return Err(NOT_A_URL);
    }
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) && digits.len() <= 5 => {
            Some(digits.parse().ok().filter(|&port| port > 0).ok_or(NOT_A_URL)?)
        }
        Some(_) => return Err(NOT_A_URL),
    };
    Ok((host, port))
}

/// Whether a byte stands for itself wherever it is (RFC 3986 section 2.3).
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Appends `text` as a value of `application/x-www-form-urlencoded`: all but unreserved characters
/// escaped, spaces as `%20`, which every reader of either encoding understands.
pub(crate) fn encode_into(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            // A String takes everything.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Pairs as `application/x-www-form-urlencoded`.
pub(crate) fn form<'t>(pairs: impl IntoIterator<Item = (&'t str, &'t str)>) -> String {
    let pairs: Vec<_> = pairs.into_iter().collect();
    // At once: a text that grows would leave copies of secrets behind.
    let most: usize = pairs.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut out = String::with_capacity(most);
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        encode_into(name, &mut out);
        out.push('=');
        encode_into(value, &mut out);
    }
    out
}

/// The pairs of a query or form, unescaped; `None` if an escape or what it stands for is not text.
pub(crate) fn pairs(query: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((unescape(name)?, unescape(value)?))
        })
        .collect()
}

/// The values of one parameter of a query or form, as they stand there: escaped. A name that is not
/// text matches none.
pub(crate) fn values<'q>(query: &'q str, name: &str) -> impl Iterator<Item = &'q str> {
    query.split('&').filter_map(move |part| {
        let (own, value) = part.split_once('=').unwrap_or((part, ""));
        (unescape(own)? == name).then_some(value)
    })
}

/// What a value stands for, whatever is wrong with its escapes: for texts that are only shown.
pub(crate) fn unescape_lossy(text: &str) -> String {
    let (mut rest, mut out) = (text.as_bytes(), Vec::with_capacity(text.len()));
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'%', &[high, low, ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                digit(high)
                    .zip(digit(low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            }
            _ => None,
        };
        out.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = after.get(if escaped.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(crate) fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_plainly_an_address() {
        let url = Url::parse("https://auth.example:8443/a/b?c=d&e").unwrap();
        assert_eq!((url.https, url.host, url.port), (true, "auth.example", 8443));
        assert_eq!(
            (url.origin, url.path, url.query),
            ("https://auth.example:8443", "/a/b", Some("c=d&e"))
        );
        let url = Url::parse("http://[::1]").unwrap();
        assert_eq!((url.host, url.port, url.path, url.query), ("[::1]", 80, "", None));
        assert_eq!(Url::parse("https://h?q").unwrap().origin, "https://h");
        assert!(Url::checked("http://127.0.0.1:9/", true).is_ok());
        for plain in ["http://127.0.0.1:9/", "http://localhost/"] {
            assert!(Url::checked(plain, false).is_err(), "{plain}");
        }
        for far in ["http://127.0.0.1.evil/", "http://evil/", "http://localhost./"] {
            assert!(Url::checked(far, true).is_err(), "{far}");
        }
    }

    #[test]
    fn escapes_that_are_none() {
        let query = "a=1&b=100%&c=acc%E8s&%zz=9&a=2&%61=3&d";
        assert_eq!(values(query, "a").collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!(values(query, "d").collect::<Vec<_>>(), [""]);
        for (escaped, text) in [
            ("100%", "100%"),
            ("%", "%"),
            ("%4", "%4"),
            ("%u00e9", "%u00e9"),
            ("a+b%20c%C3%A9", "a b c\u{e9}"),
            ("acc%E8s", "acc\u{fffd}s"),
            ("%25%32", "%2"),
        ] {
            assert_eq!(unescape_lossy(escaped), text, "{escaped}");
        }
        assert!(unescape("acc%E8s").is_none() && unescape("100%").is_none());
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "https://",
            "https:///x",
            "HTTPS://h/",
            "ftp://h/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://user@h/",
            "https://user:pw@h/",
            "https://h/#f",
            "https://h/a b",
            "https://h\\@evil/",
            "https://h/\n",
            "https://h:0/",
            "https://h:65536/",
            "https://h:+1/",
            "https://h:/",
            "https://h:1:2/",
            "https://[::1/",
            "https://[]/",
            "https://[::1]x/",
            "https://[zz]/",
            "https://.h/",
            "https://h%41/",
            "https://h\u{e9}/",
            "//h/",
            "/x",
            "h",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        assert!(Url::parse(&format!("https://h/{}", "x".repeat(2048))).is_err());
    }

    #[test]
    fn forms_go_round() {
        let text = form([("a b", "c&d=é+%"), ("e", "")]);
        assert_eq!(text, "a%20b=c%26d%3D%C3%A9%2B%25&e=");
        assert_eq!(
            pairs(&text).unwrap(),
            [("a b".into(), "c&d=é+%".into()), ("e".into(), "".into())]
        );
        assert_eq!(
            pairs("a=b+c&&d").unwrap(),
            [("a".into(), "b c".into()), ("d".into(), "".into())]
        );
        for bad in ["a=%", "a=%4", "a=%zz", "%ff=x", "a=%+1"] {
            assert!(pairs(bad).is_none(), "{bad}");
        }
    }
}
