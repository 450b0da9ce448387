//! What a text is that was presented where a token or an API key is expected: recognized by its
//! form, so that the refusal can say what to do. It is still refused; nothing here accepts or
//! repairs anything.

use crate::error::Error;
use crate::error::named::is_api_key;
use memchr::{memchr, memchr2};

/// What stands in the place of a token or a key, or around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Empty,
    /// A PEM block.
    Pem,
    /// `Bearer ` in front.
    Bearer,
    /// The name of a header in front.
    HeaderName,
    /// Python's `str(b"...")`.
    BytesRepr,
    Quotes,
    Nul,
    LineEnd,
    Space,
    Json,
    /// Five parts (RFC 7516 section 7.1).
    Jwe,
    ApiKey,
    /// Three parts, the first one a JSON object in base64url.
    Jwt,
    Padding,
    /// `+` or `/`, which base64url does not have.
    OtherAlphabet,
}

/// What the text looks like. Never allocates.
#[cold]
pub(crate) fn recognize(text: &[u8]) -> Option<Form> {
    let begins = |with: &str| {
        text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    let (first, last) = match text {
        [] => return Some(Form::Empty),
        [only] => (*only, *only),
        [first, .., last] => (*first, *last),
    };
    let is_quote = |byte: u8| byte == b'"' || byte == b'\'';
    let dots = text.iter().filter(|&&byte| byte == b'.').count();
    match () {
        () if text.trim_ascii_start().starts_with(b"-----BEGIN ") => Some(Form::Pem),
        () if begins("authorization:") || begins("x-api-key:") => Some(Form::HeaderName),
        () if begins("bearer ") || begins("api-key ") => Some(Form::Bearer),
        () if text.starts_with(b"b'") || text.starts_with(b"b\"") => Some(Form::BytesRepr),
        () if text.trim_ascii_start().starts_with(b"{") => Some(Form::Json),
        () if is_quote(first) || is_quote(last) => Some(Form::Quotes),
        () if memchr(0, text).is_some() => Some(Form::Nul),
        () if memchr2(b'\n', b'\r', text).is_some() => Some(Form::LineEnd),
        () if memchr2(b' ', b'\t', text).is_some() => Some(Form::Space),
        () if dots == 4 && text.starts_with(b"eyJ") => Some(Form::Jwe),
        () if is_api_key(text) => Some(Form::ApiKey),
        () if memchr(b'=', text).is_some() => Some(Form::Padding),
        () if memchr2(b'+', b'/', text).is_some() => Some(Form::OtherAlphabet),
        () if dots == 2 && text.starts_with(b"eyJ") => Some(Form::Jwt),
        () => None,
    }
}

/// A whole token or API key, where the name of one is wanted: the form; `None` for what may be a
/// name. A name may look odd, so that only what is surely no name is recognized.
pub(crate) fn whole(text: &str) -> Option<Form> {
    let form = recognize(text.as_bytes())?;
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_of_base64url);
    let is_signed = || text.len() >= 40 && text.split('.').all(is_part);
    match form {
        Form::ApiKey => Some(form),
        Form::Jwt if is_signed() => Some(form),
        Form::Jwe => Some(form),
        _ => None,
    }
}

fn is_of_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The refusal, with what the text looks like in the words of one of the functions below.
#[cold]
pub(crate) fn recognized(
    refusal: Error,
    text: &[u8],
    say: impl FnOnce(Form) -> Option<&'static str>,
) -> Error {
    match recognize(text).and_then(say) {
        Some(sentence) => refusal.saying(sentence),
        None => refusal,
    }
}

/// What is no API key.
pub(crate) const fn not_an_api_key(form: Form) -> Option<&'static str> {
    match form {
        Form::Jwt | Form::Jwe => Some("This is a token (JWT) and no API key; verify it as one."),
        form => around_an_api_key(form),
    }
}

/// What is no refresh token.
pub(crate) const fn not_a_refresh_token(form: Form) -> Option<&'static str> {
    match form {
        Form::Jwt => Some(
            "This is a JWT, such as the access token, and no refresh token; pass the one that came with it.",
        ),
        Form::ApiKey => Some("This is an API key and no refresh token; verify it as one."),
        form => around_a_refresh_token(form),
    }
}

/// The sentences for what was expected instead.
macro_rules! sentences {
    ($name:ident, $noun:literal) => {
        /// What is said where it is expected and this is given; `None` where it may be one.
        pub(crate) const fn $name(form: Form) -> Option<&'static str> {
            Some(match form {
                Form::Empty => concat!("The ", $noun, " is empty."),
                Form::Pem => {
                    concat!("This is a key in PEM and no ", $noun, "; look whether two arguments changed places.")
                }
                Form::Bearer => concat!(
                    "`Bearer ` (or `Api-Key `) stands in front of the ", $noun, ": pass the ", $noun, " without it."
                ),
                Form::HeaderName => concat!(
                    "The header's name (`Authorization` or `X-API-Key`) stands in front of the ", $noun,
                    ": pass the ", $noun, " without it."
                ),
                Form::BytesRepr => concat!(
                    "The ", $noun, " stands in b'...', as Python shows bytes: decode them instead of calling str()."
                ),
                Form::Quotes => {
                    concat!("There are quotes around the ", $noun, ": pass it without them.")
                }
                Form::Nul => concat!(
                    "There is a NUL byte in the ", $noun, ": pass its length without the end of the C string."
                ),
                Form::LineEnd => concat!(
                    "There is a line end in the ", $noun, ": strip it, such as one that was read with the ", $noun,
                    " from a file."
                ),
                Form::Space => concat!("There is a space in the ", $noun, ": strip it."),
                Form::Json => concat!("This is JSON and no ", $noun, "; pass the member that holds the ", $noun, "."),
                _ => return None,
            })
        }
    };
}

sentences!(not_a_token, "token");
sentences!(around_an_api_key, "API key");
sentences!(around_a_refresh_token, "refresh token");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_told_and_a_token_is_one() {
        let key = format!("gk_live_{}_{}", "a1".repeat(6), "Zz9".repeat(12));
        for (text, form) in [
            ("", Form::Empty),
            ("-----BEGIN PUBLIC KEY-----\n", Form::Pem),
            ("BEARER eyJ.a.b", Form::Bearer),
            ("Authorization: Bearer eyJ.a.b", Form::HeaderName),
            ("b'eyJ.a.b'", Form::BytesRepr),
            ("\"eyJ.a.b\"", Form::Quotes),
            ("eyJ.a.b'", Form::Quotes),
            ("eyJ.a.b\0", Form::Nul),
            ("eyJ.a\r\n.b", Form::LineEnd),
            (" eyJ.a.b", Form::Space),
            (" {\"a\":1}", Form::Json),
            ("eyJ.a.b.c.d", Form::Jwe),
            (key.as_str(), Form::ApiKey),
            ("eyJ.a.b", Form::Jwt),
            ("eyJ.a=.b", Form::Padding),
            ("eyJ.a.b/", Form::OtherAlphabet),
        ] {
            assert_eq!(recognize(text.as_bytes()), Some(form), "{text}");
        }
        for text in ["a", "a.b.c", "2YotnFZFEjr1zCsicMWpAA", &key[1..], &key[8..]] {
            assert_eq!(
                recognize(text.as_bytes()).filter(|form| *form != Form::ApiKey),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn a_whole_one_is_no_name() {
        let key = format!("gk_live_{}_{}", "a1".repeat(6), "Zz9".repeat(12));
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        assert_eq!(whole(&key), Some(Form::ApiKey));
        assert_eq!(whole(token), Some(Form::Jwt));
        assert_eq!(whole("eyJhbGciOiJkaXIifQ..aa.bb.cc"), Some(Form::Jwe));
        for name in [
            "",
            "alice",
            "a.b.c",
            "eyJ.a.b",
            "eyJ x.y",
            "550e8400-e29b-41d4",
            &key[8..],
            &token[..20],
        ] {
            assert_eq!(whole(name), None, "{name}");
        }
    }

    #[test]
    fn a_sentence_is_short_enough_for_an_error() {
        let forms =
            [Form::Empty, Form::Pem, Form::Bearer, Form::HeaderName, Form::LineEnd, Form::Nul];
        for say in [not_a_token, not_an_api_key, not_a_refresh_token] {
            for form in forms {
                let text = say(form).unwrap();
                assert!(text.len() <= Error::MAX_MESSAGE && text.ends_with('.'), "{text}");
            }
        }
    }
}
