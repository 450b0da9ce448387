//! JWS compact serialization (RFC 7515 section 7.1): the three parts and the protected header.
//!
//! Refused: anything but three parts, a header that is not a JSON object, `crit` (no extension is
//! understood; RFC 7515 section 4.1.11), unencoded payloads (`b64`, RFC 7797), and header members
//! of the wrong type. `jwk`, `jku`, `x5u` and `x5c` are never read.

use crate::base::{b64, json};
use crate::error::{Error, ErrorKind, Result};
use std::ops::Range;

/// The parts of a compact serialization, still encoded.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'t> {
    /// The encoded protected header.
    pub(crate) header: &'t [u8],
    /// The encoded payload.
    pub(crate) payload: &'t [u8],
    /// The encoded signature; it may be empty or hold more dots, which decoding refuses.
    pub(crate) signature: &'t [u8],
    /// What is signed: header, dot, payload (RFC 7515 section 5.1 step 5).
    pub(crate) signing_input: &'t [u8],
}

impl<'t> Compact<'t> {
    /// Splits at the first two dots.
    pub(crate) fn split(token: &'t [u8]) -> Result<Self> {
        let first = memchr::memchr(b'.', token).ok_or(NOT_COMPACT)?;
        let (header, rest) = (token.get(..first), token.get(first + 1..).unwrap_or_default());
        let second = memchr::memchr(b'.', rest).ok_or(NOT_COMPACT)?;
        Ok(Self {
            header: header.unwrap_or_default(),
            payload: rest.get(..second).unwrap_or_default(),
            signature: rest.get(second + 1..).unwrap_or_default(),
            signing_input: token.get(..first + 1 + second).unwrap_or_default(),
        })
    }
}

impl Compact<'_> {
    /// The same token without the padding that some signers write behind its parts (`=`, RFC 4648
    /// section 4): one for both forms. What was signed stays as it came.
    ///
    /// # Errors
    /// `MalformedToken`: the padding is not what the part's length asks for.
    pub(crate) fn unpadded(self) -> Result<Self> {
        Ok(Self {
            header: b64::unpadded(self.header)?,
            payload: b64::unpadded(self.payload)?,
            signature: b64::unpadded(self.signature)?,
            signing_input: self.signing_input,
        })
    }
}

/// The members of a protected header that matter, checked.
#[derive(Clone, Copy)]
pub(crate) struct Header<'h> {
    /// `alg` (RFC 7515 section 4.1.1).
    pub(crate) alg: json::Str<'h>,
    /// `kid` (RFC 7515 section 4.1.4): opaque text, only ever compared.
    pub(crate) kid: Option<json::Str<'h>>,
    /// `typ` (RFC 7515 section 4.1.9).
    pub(crate) typ: Option<json::Str<'h>>,
}

impl<'h> Header<'h> {
    /// Reads a decoded header.
    pub(crate) fn parse(text: &'h [u8]) -> Result<Self> {
        let mut members = HeaderMembers::default();
        let object = json::visit(text, &mut members)?;
        if object.kind() != json::Kind::Object {
            return Err(NOT_AN_OBJECT);
        }
        if let Some(crit) = members.crit {
            return Err(refuse_crit(crit, object));
        }
        if members.b64.is_some_and(|value| value.as_bool() != Some(true)) {
            return Err(UNENCODED);
        }
        let text_of = |name, value: Option<json::Value<'h>>| match value {
            Some(value) => {
                let wrong = || WRONG_TYPE.finding(name, value.kind().in_words(), "");
                value.as_json_str().map(Some).ok_or_else(wrong)
            }
            None => Ok(None),
        };
        Ok(Self {
            alg: text_of("alg", members.alg)?.ok_or(NO_ALGORITHM)?,
            kid: text_of("kid", members.kid)?,
            typ: text_of("typ", members.typ)?,
        })
    }
}

/// Whether two media types are the same: letter case and a leading `application/` before a plain
/// name do not matter (RFC 7515 section 4.1.9).
pub(crate) fn same_media_type(a: &str, b: &str) -> bool {
    fn plain(name: &str) -> &str {
        const PREFIX: &str = "application/";
        match name.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => {
                rest
            }
            _ => name,
        }
    }
    plain(a).eq_ignore_ascii_case(plain(b))
}

/// Decodes a part in memory that is bounded and, up to 12 KiB, on the stack.
pub(crate) fn with_decoded<R>(part: &[u8], then: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
    #[inline(never)]
    fn on_the_stack<R, const N: usize>(
        part: &[u8],
        then: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<R> {
        then(b64::decode_to_slice(part, &mut [0; N])?)
    }
    match b64::decoded_len(part.len()) {
        0..=128 => on_the_stack::<R, 128>(part, then),
        129..=512 => on_the_stack::<R, 512>(part, then),
        513..=2048 => on_the_stack::<R, 2048>(part, then),
        2049..=STACK => on_the_stack::<R, STACK>(part, then),
        _ => then(&b64::decode(part)?),
    }
}

/// The largest part decoded on the stack; the default limits allow none larger.
const STACK: usize = 12 * 1024;

const NOT_COMPACT: Error = Error::new(
    ErrorKind::MalformedToken,
    "The token is not a JWS compact serialization: three base64url parts joined by dots (RFC 7515 section 7.1).",
);
const NOT_AN_OBJECT: Error = Error::new(
    ErrorKind::MalformedToken,
    "The token's header is not a JSON object (RFC 7515 section 4).",
);
const WRONG_TYPE: Error = Error::new(
    ErrorKind::MalformedToken,
    "A member of the token's header must be a string (RFC 7515 section 4.1).",
);
const NO_ALGORITHM: Error = Error::new(
    ErrorKind::MalformedToken,
    "The token's header has no `alg` (RFC 7515 section 4.1.1).",
);
const UNENCODED: Error = Error::new(
    ErrorKind::UnsupportedCritical,
    "The token asks for an unencoded payload (`b64`, RFC 7797), which is not supported.",
);
const UNKNOWN_CRIT: Error = Error::new(
    ErrorKind::UnsupportedCritical,
    "The header's `crit` lists an extension that is not supported (RFC 7515 section 4.1.11).",
);
const BAD_CRIT: Error = Error::new(
    ErrorKind::MalformedToken,
    "The header's `crit` is not a list of distinct extension names that the header holds (RFC 7515 section 4.1.11).",
);

/// The header names of RFC 7515 and RFC 7516, which `crit` must not list.
const REGISTERED: [&str; 16] = [
    "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "enc",
    "zip", "epk", "apu", "apv",
];

/// The most names of a `crit` that are looked at; the check is quadratic and the text is a
/// caller's.
const CRIT_NAMES: usize = 16;

/// No extension is understood, so every `crit` is refused; this says why.
#[cold]
fn refuse_crit(crit: json::Value<'_>, header: json::Value<'_>) -> Error {
    let mut count = 0;
    for (i, name) in crit.elements().take(CRIT_NAMES).enumerate() {
        count += 1;
        let Some(name) = name.as_json_str() else { return BAD_CRIT };
        let twice =
            crit.elements().take(i).any(|e| e.as_json_str().is_some_and(|earlier| earlier == name));
        let held = header.members().any(|(member, _)| member == name);
        if twice || !held || REGISTERED.iter().any(|registered| name == **registered) {
            return BAD_CRIT;
        }
    }
    if count == 0 { BAD_CRIT } else { UNKNOWN_CRIT }
}

#[derive(Default)]
struct HeaderMembers<'h> {
    alg: Option<json::Value<'h>>,
    kid: Option<json::Value<'h>>,
    typ: Option<json::Value<'h>>,
    crit: Option<json::Value<'h>>,
    b64: Option<json::Value<'h>>,
}

impl<'h> json::Visitor<'h> for HeaderMembers<'h> {
    fn top_member(&mut self, name: json::Str<'h>, value: json::Value<'h>, _place: Range<usize>) {
        let slot = match name {
            _ if name == *"alg" => &mut self.alg,
            _ if name == *"kid" => &mut self.kid,
            _ if name == *"typ" => &mut self.typ,
            _ if name == *"crit" => &mut self.crit,
            _ if name == *"b64" => &mut self.b64,
            _ => return,
        };
        *slot = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_two_dots_and_no_less() {
        let parts = Compact::split(b"aa.bb.cc.dd").unwrap();
        assert_eq!(
            (parts.header, parts.payload, parts.signature),
            (&b"aa"[..], &b"bb"[..], &b"cc.dd"[..])
        );
        assert_eq!(parts.signing_input, b"aa.bb");
        assert!(b64::decode(parts.signature).is_err());
        let parts = Compact::split(b"..").unwrap();
        assert_eq!((parts.header, parts.payload, parts.signature), (&b""[..], &b""[..], &b""[..]));
        for token in ["", "a", "a.b", "."] {
            assert_eq!(
                Compact::split(token.as_bytes()).err().unwrap().kind(),
                ErrorKind::MalformedToken,
                "{token:?}"
            );
        }
    }

    #[test]
    fn every_crit_is_refused_and_a_malformed_one_as_malformed() {
        for (header, kind) in [
            (r#"{"alg":"HS256","crit":["x"],"x":1}"#, ErrorKind::UnsupportedCritical),
            (r#"{"alg":"HS256","crit":["b64"],"b64":true}"#, ErrorKind::UnsupportedCritical),
            (r#"{"alg":"HS256","b64":false}"#, ErrorKind::UnsupportedCritical),
            (r#"{"alg":"HS256","b64":"true"}"#, ErrorKind::UnsupportedCritical),
            (r#"{"alg":"HS256","crit":[]}"#, ErrorKind::MalformedToken),
            (r#"{"alg":"HS256","crit":null}"#, ErrorKind::MalformedToken),
            (r#"{"alg":"HS256","crit":"x","x":1}"#, ErrorKind::MalformedToken),
            (r#"{"alg":"HS256","crit":["x"]}"#, ErrorKind::MalformedToken),
            (r#"{"alg":"HS256","crit":["alg"]}"#, ErrorKind::MalformedToken),
            (r#"{"alg":"HS256","crit":["x","\u0078"],"x":1}"#, ErrorKind::MalformedToken),
            (r#"{"alg":"HS256","crit":[7],"7":1}"#, ErrorKind::MalformedToken),
        ] {
            assert_eq!(Header::parse(header.as_bytes()).err().unwrap().kind(), kind, "{header}");
        }
        assert!(Header::parse(br#"{"alg":"HS256","b64":true}"#).is_ok());
    }

    #[test]
    fn members_of_a_wrong_type_are_refused() {
        for header in [
            "{}",
            "[]",
            "null",
            r#""HS256""#,
            r#"{"alg":null}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","typ":["JWT"]}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
            "\u{feff}{\"alg\":\"HS256\"}",
        ] {
            assert_eq!(
                Header::parse(header.as_bytes()).err().unwrap().kind(),
                ErrorKind::MalformedToken,
                "{header}"
            );
        }
    }

    #[test]
    fn media_types_compare_as_rfc_7515_says() {
        for (a, b) in [("JWT", "jwt"), ("application/jwt", "JWT"), ("at+jwt", "APPLICATION/AT+JWT")]
        {
            assert!(same_media_type(a, b) && same_media_type(b, a), "{a} {b}");
        }
        for (a, b) in
            [("JWT", "JWS"), ("text/jwt", "jwt"), ("application/a/jwt", "a/jwt"), ("", "JWT")]
        {
            assert!(!same_media_type(a, b) && !same_media_type(b, a), "{a} {b}");
        }
    }
}
