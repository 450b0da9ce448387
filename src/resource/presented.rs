//! What of a request says who calls: `Authorization: Bearer` (RFC 6750 section 2.1) or `Api-Key`,
//! and the header of API keys. Refused: two credentials in one place, and in two places unless the
//! call says which decides.

use crate::apikey::{authorization_scheme, is_key_scheme};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// What of a request says who calls, as it came: none of it is trusted.
#[derive(Clone, Copy, Default)]
#[must_use]
pub struct Presented<'a> {
    /// The value of the one `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The value of the one `X-API-Key` header, or of the program's own for API keys.
    pub api_key: Option<&'a str>,
}

impl<'a> Presented<'a> {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the request's one `Authorization` header.
    pub const fn authorization(mut self, value: &'a str) -> Self {
        self.authorization = Some(value);
        self
    }

    /// The value of the request's one `X-API-Key` header, or of the program's own for API keys.
    pub const fn api_key(mut self, value: &'a str) -> Self {
        self.api_key = Some(value);
        self
    }

    /// Both among a request's headers, given as names and values.
    ///
    /// # Errors
    /// `SeveralCredentials`: one of the two headers is there more than once (RFC 9110 section 5.3).
    pub fn from_headers(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut found = Self::default();
        for (name, value) in headers {
            let (place, name) = if name.eq_ignore_ascii_case("authorization") {
                (&mut found.authorization, "authorization")
            } else if name.eq_ignore_ascii_case("x-api-key") {
                (&mut found.api_key, "x-api-key")
            } else {
                continue;
            };
            if place.replace(value).is_some() {
                return Err(TWICE.about_claim(name));
            }
        }
        Ok(found)
    }

    /// What `Authorization` says. Another scheme, such as `Basic`, is not this door's; `DPoP`
    /// (RFC 9449) is, and cannot be verified here.
    pub(crate) fn authorized(&self) -> Result<Option<Authorized<'a>>> {
        let (scheme, rest) = authorization_scheme(self.authorization.unwrap_or_default());
        match scheme {
            _ if scheme.eq_ignore_ascii_case("dpop") => Err(DPOP),
            _ if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(Authorized::Bearer(rest))),
            _ if is_key_scheme(scheme) && rest.is_empty() => Err(EMPTY),
            _ if is_key_scheme(scheme) => Ok(Some(Authorized::ApiKey(rest))),
            _ => Ok(None),
        }
    }

    /// Why there is nothing, where neither place brings anything for this door.
    pub(crate) fn missing(&self) -> Error {
        let value = self.authorization.unwrap_or_default().trim_matches([' ', '\t']);
        if value.is_empty() { ErrorKind::MissingCredentials.into() } else { NOT_BEARER }
    }

    /// The API key of its own header; an empty one is there, and wrong.
    pub(crate) fn key(&self) -> Result<Option<&'a str>> {
        let key = self.api_key.map(|key| key.trim_matches([' ', '\t']));
        if key.is_some_and(str::is_empty) { Err(EMPTY) } else { Ok(key) }
    }
}

/// What stands in `Authorization`.
#[derive(Clone, Copy)]
pub(crate) enum Authorized<'a> {
    /// Behind `Bearer`: a token, or an API key.
    Bearer(&'a str),
    /// Behind `Api-Key`: an API key alone.
    ApiKey(&'a str),
}

/// That both are there, and not what they are.
impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("authorization", &self.authorization.is_some())
            .field("api_key", &self.api_key.is_some())
            .finish()
    }
}

const NOT_BEARER: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The `Authorization` header is not `Bearer`, a space and the token; another scheme, or none, is not looked at.",
);
const TWICE: Error = Error::new(
    ErrorKind::SeveralCredentials,
    "The request has a header for credentials more than once; send one credential in each place.",
);
const EMPTY: Error = Error::new(ErrorKind::MalformedApiKey, "The request's API key is empty.");
const DPOP: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request presents a token by `DPoP` (RFC 9449), which is not verified here; send `Bearer`.",
);
