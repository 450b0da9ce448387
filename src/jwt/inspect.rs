//! A look at a token that was not verified: for logs, tools and tests, never for decisions.

use super::strange;
use crate::base::{b64, json};
use crate::error::{Error, ErrorKind, Result};
use crate::jws::Compact;
use std::fmt;

/// The header and the claims of a token that **was not verified**: anyone may have written them.
pub struct Unverified {
    header: String,
    claims: String,
}

impl Unverified {
    /// The header as it was written: the text of one JSON object.
    #[must_use]
    pub fn header_json(&self) -> &str {
        &self.header
    }

    /// The claims as they were written: the text of one JSON object.
    #[must_use]
    pub fn claims_json(&self) -> &str {
        &self.claims
    }
}

/// Decodes a token **without verifying anything but its form**.
///
/// # Errors
/// `MalformedToken`: not three parts of canonical base64url whose first two are JSON objects, or a
/// number of more than 4,300 digits, which is made to keep a reader busy (and more than Python
/// reads as an `int`). `TokenTooLarge`: more than 1 MiB.
///
/// # Security
/// The result proves nothing. Never authenticate, authorize or pick a key by it.
pub fn danger_decode_unverified(token: impl AsRef<[u8]>) -> Result<Unverified> {
    const LONGEST: usize = 1024 * 1024;
    const TOO_LARGE: Error =
        Error::new(ErrorKind::TokenTooLarge, "The token is longer than 1 MiB.");
    let token = token.as_ref();
    if token.len() > LONGEST {
        return Err(TOO_LARGE);
    }
    decode(token).map_err(|error| strange::told(token, error, true))
}

fn decode(token: &[u8]) -> Result<Unverified> {
    let parts = Compact::split(token)?;
    b64::check(parts.signature)?;
    Ok(Unverified { header: object(parts.header)?, claims: object(parts.payload)? })
}

/// Decodes a part that must be a JSON object.
fn object(part: &[u8]) -> Result<String> {
    const NOT_AN_OBJECT: Error = Error::new(
        ErrorKind::MalformedToken,
        "The token's header or its claims are not a JSON object (RFC 7515 section 4, RFC 7519 section 3).",
    );
    let text = b64::decode(part)?;
    let mut numbers = Numbers { is_long: false };
    if json::visit(&text, &mut numbers)?.kind() != json::Kind::Object {
        return Err(NOT_AN_OBJECT);
    }
    if numbers.is_long {
        return Err(LONG_NUMBER);
    }
    Ok(json::utf8(&text)?.to_owned())
}

/// Looks out for numbers that cannot be meant.
struct Numbers {
    is_long: bool,
}

impl json::Visitor<'_> for Numbers {
    fn number(&mut self, text: &str) {
        const MOST_DIGITS: usize = 4300;
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        self.is_long |= digits > MOST_DIGITS;
    }
}

const LONG_NUMBER: Error = Error::new(
    ErrorKind::MalformedToken,
    "A number of the token has more than 4300 digits; no reader can be expected to take it.",
);

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unverified(..)")
    }
}
