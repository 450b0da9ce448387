//! `Claims`: what a token is to say, built up member by member or taken from a JSON text.

use super::registered::{self, audiences};
use crate::base::json;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// Claims to sign (RFC 7519 section 4). Built by value; a member set twice keeps the later value.
///
/// ```
/// let claims = gatekey::Claims::new().subject("alice").audience("api").claim_str("scope", "read");
/// assert_eq!(claims.to_json(), r#"{"sub":"alice","aud":"api","scope":"read"}"#);
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Claims {
    /// Names and the JSON text of their values, in the order they were first set.
    members: Vec<(String, String)>,
}

impl Claims {
    /// No claims yet.
    pub const fn new() -> Self {
        Self { members: Vec::new() }
    }

    /// The claims of a JSON object; values keep their exact text.
    ///
    /// # Errors
    /// `InvalidArgument`: not one JSON object, or not acceptable JSON (see [`crate::json`]).
    /// `InvalidClaim`: a registered claim has the wrong type.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let claims = registered::scan(text, &[]).map_err(as_argument)?;
        let members = claims.object.members();
        Ok(Self {
            members: members
                .map(|(name, value)| (name.decode().into_owned(), value.raw().to_owned()))
                .collect(),
        })
    }

    /// `iss`: who issues the token (RFC 7519 section 4.1.1).
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim_str("iss", issuer)
    }

    /// `sub`: whom the token is about (RFC 7519 section 4.1.2).
    pub fn subject(self, subject: &str) -> Self {
        self.claim_str("sub", subject)
    }

    /// `aud`: for whom the token is; several calls add to the list (RFC 7519 section 4.1.3).
    pub fn audience(self, audience: &str) -> Self {
        let earlier = self.get("aud").and_then(|text| json::parse(text.as_bytes()).ok());
        let mut texts: Vec<String> =
            earlier.into_iter().flat_map(audiences).map(|one| quoted(&one.decode())).collect();
        texts.push(quoted(audience));
        let value = if let [only] = texts.as_slice() {
            only.clone()
        } else {
            format!("[{}]", texts.join(","))
        };
        self.set("aud", value)
    }

    /// `jti`: the token's own identifier (RFC 7519 section 4.1.7).
    pub fn token_id(self, id: &str) -> Self {
        self.claim_str("jti", id)
    }

    /// `exp` in seconds since the Unix epoch (RFC 7519 section 4.1.4).
    pub fn expires_at(self, seconds: i64) -> Self {
        self.claim_i64("exp", seconds)
    }

    /// `nbf` in seconds since the Unix epoch (RFC 7519 section 4.1.5).
    pub fn not_before(self, seconds: i64) -> Self {
        self.claim_i64("nbf", seconds)
    }

    /// `iat` in seconds since the Unix epoch (RFC 7519 section 4.1.6).
    pub fn issued_at(self, seconds: i64) -> Self {
        self.claim_i64("iat", seconds)
    }

    /// A string claim of any name.
    pub fn claim_str(self, name: &str, value: &str) -> Self {
        self.set(name, quoted(value))
    }

    /// An integer claim of any name.
    pub fn claim_i64(self, name: &str, value: i64) -> Self {
        self.set(name, value.to_string())
    }

    /// A boolean claim of any name.
    pub fn claim_bool(self, name: &str, value: bool) -> Self {
        self.set(name, value.to_string())
    }

    /// A claim of any name and kind, as JSON text.
    ///
    /// # Errors
    /// `InvalidArgument`: the text is not acceptable JSON (see [`crate::json`]).
    pub fn claim_json(self, name: &str, value: &str) -> Result<Self> {
        let value = json::parse(value.as_bytes()).map_err(as_argument)?.raw().to_owned();
        Ok(self.set(name, value))
    }

    /// The claims as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (i, (name, value)) in self.members.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            json::write_str(&mut text, name);
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        text
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn set(mut self, name: &str, value: String) -> Self {
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.members.push((name.to_owned(), value)),
        }
        self
    }
}

/// What is wrong with a text that the program itself hands in is the program's mistake.
pub(super) fn as_argument(error: Error) -> Error {
    if error.kind() == ErrorKind::MalformedToken {
        error.with_kind(ErrorKind::InvalidArgument)
    } else {
        error
    }
}

/// The text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    json::write_str(&mut out, text);
    out
}

/// Names the claims; their values are the subject's business, not the log's.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members.iter().map(|(name, _)| name)).finish()
    }
}
