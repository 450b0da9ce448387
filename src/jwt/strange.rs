//! Tokens that are refused for what stands around them or in their place: the refusal says what
//! that is. They are still refused.

use crate::base::presented::{Form, not_a_token, recognize};
use crate::error::{Error, ErrorKind, Remedy};

/// The same refusal, with what the text can be told to be instead of a token.
#[cold]
pub(super) fn told(token: &[u8], error: Error, allow_padding: bool) -> Error {
    let kind = error.kind();
    let is_form = matches!(kind, ErrorKind::MalformedToken | ErrorKind::UnsupportedAlgorithm);
    if !is_form && kind != ErrorKind::InvalidSignature {
        return error;
    }
    let Some(form) = recognize(token) else {
        let parts = token.split(|&byte| byte == b'.').count();
        return if is_form && parts != 3 { error.saying(not_three(parts)) } else { error };
    };
    match form {
        // Signed over other bytes than those that came: nothing else is said of a bad signature.
        Form::LineEnd | Form::Space => match not_a_token(form) {
            Some(sentence) => error.saying(sentence),
            None => error,
        },
        _ if !is_form => error,
        Form::Jwe => JWE,
        Form::ApiKey => API_KEY,
        Form::Padding if !allow_padding && kind == ErrorKind::MalformedToken => {
            PADDED.remedied(Remedy::AllowPadding)
        }
        Form::OtherAlphabet if kind == ErrorKind::MalformedToken => OTHER_ALPHABET,
        form => not_a_token(form).map_or(error, |sentence| JWE.saying(sentence)),
    }
}

const fn not_three(parts: usize) -> &'static str {
    match parts {
        1 => {
            "The token has no dots, and a JWT has three parts with dots between them (RFC 7515 section 7.1): this is an opaque \
             token, or something else."
        }
        2 => {
            "The token has two parts, and a JWT has three with dots between them (RFC 7515 section 7.1): it was cut, or has no \
             signature."
        }
        _ => {
            "The token has more than the three parts of a JWT with dots between them (RFC 7515 section 7.1)."
        }
    }
}

const JWE: Error = Error::new(
    ErrorKind::MalformedToken,
    "This is an encrypted token (JWE, five parts), which only those that it is for can read: ask the issuer for a signed one \
     for this API, with its `audience`.",
);
const API_KEY: Error =
    Error::new(ErrorKind::MalformedToken, "This is an API key and no token: verify it as one.");
const PADDED: Error = Error::new(
    ErrorKind::MalformedToken,
    "The token's parts are padded with `=`, which a JWT never is (RFC 7515 section 2).",
);
const OTHER_ALPHABET: Error = Error::new(
    ErrorKind::MalformedToken,
    "The token holds `+` or `/`, which base64url does not have (RFC 7515 section 2): it was encoded with the other alphabet.",
);
