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
#[derive(Clone)]
#[must_use]
pub struct Claims {
    /// One JSON object, checked, so that signing has nothing left to write.
    json: String,
}

impl Default for Claims {
    fn default() -> Self {
        Self::new()
    }
}

impl Claims {
    /// No claims yet.
    pub fn new() -> Self {
        Self { json: "{}".to_owned() }
    }

    /// The claims of a JSON object; values keep their exact text.
    ///
    /// # Errors
    /// `InvalidArgument`: not one JSON object, not acceptable JSON (see [`crate::json`]), or a
    /// registered claim of the wrong type.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let claims = registered::scan(text, &[]).map_err(as_argument)?;
        Ok(Self { json: claims.object.raw().to_owned() })
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
        let mut texts: Vec<String> = self
            .object()
            .member("aud")
            .into_iter()
            .flat_map(audiences)
            .map(|one| json::quoted(&one.decode()))
            .collect();
        texts.push(json::quoted(audience));
        match texts.as_slice() {
            [only] => self.set("aud", only),
            several => self.set("aud", &format!("[{}]", several.join(","))),
        }
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
        self.set(name, &json::quoted(value))
    }

    /// An integer claim of any name.
    pub fn claim_i64(self, name: &str, value: i64) -> Self {
        self.set(name, &value.to_string())
    }

    /// A boolean claim of any name.
    pub fn claim_bool(self, name: &str, value: bool) -> Self {
        self.set(name, &value.to_string())
    }

    /// A claim of any name and kind, as JSON text.
    ///
    /// # Errors
    /// `InvalidArgument`: the text is not acceptable JSON (see [`crate::json`]).
    pub fn claim_json(self, name: &str, value: &str) -> Result<Self> {
        let value = json::parse(value.as_bytes()).map_err(as_argument)?;
        Ok(self.set(name, value.raw()))
    }

    /// The claims as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.json.clone()
    }

    /// Whether there is a claim of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.object().member(name).is_some()
    }

    /// [`Self::to_json`] without a copy.
    pub(super) fn json(&self) -> &str {
        &self.json
    }

    fn object(&self) -> json::Value<'_> {
        json::Value::from_checked(&self.json)
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        if self.object().member(name).is_none() {
            self.json.pop(); // the closing brace
            self.json.truncate(self.json.trim_end().len());
            append(&mut self.json, name, value);
            self.json.push('}');
            return self;
        }
        let mut json = String::from("{");
        for (known, old) in self.object().members() {
            let new = if known == *name { value } else { old.raw() };
            append(&mut json, &known.decode(), new);
        }
        json.push('}');
        Self { json }
    }
}

/// Appends a member to an object that is not closed yet.
fn append(json: &mut String, name: &str, value: &str) {
    if !json.ends_with('{') {
        json.push(',');
    }
    json::write_str(json, name);
    json.push(':');
    json.push_str(value);
}

/// What is wrong with claims that the program itself hands in is the program's mistake.
#[cold]
pub(super) fn as_argument(error: Error) -> Error {
    let error = match error.kind() {
        ErrorKind::InvalidClaim => error.unremedied(),
        ErrorKind::MalformedToken | ErrorKind::MissingClaim => error,
        _ => return error,
    };
    error.with_kind(ErrorKind::InvalidArgument)
}

/// Names the claims; their values are the subject's business, not the log's.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.object().members().map(|(name, _)| name.decode())).finish()
    }
}
