//! A look at a token that nobody has verified: for logs, tools and tests, never for decisions.

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
/// `MalformedToken`: not three parts of canonical base64url whose first two are JSON objects.
/// `TokenTooLarge`: more than 1 MiB.
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
    let parts = Compact::split(token)?;
    b64::check(parts.signature)?;
    Ok(Unverified { header: object(parts.header)?, claims: object(parts.payload)? })
}

/// Decodes a part that must be a JSON object.
fn object(part: &[u8]) -> Result<String> {
    const NOT_AN_OBJECT: Error = Error::new(
        ErrorKind::MalformedToken,
        "A part is not a JSON object (RFC 7515 section 4, RFC 7519 section 3).",
    );
    let text = b64::decode(part)?;
    if json::parse(&text)?.kind() != json::Kind::Object {
        return Err(NOT_AN_OBJECT);
    }
    Ok(json::utf8(&text)?.to_owned())
}

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unverified(..)")
    }
}
