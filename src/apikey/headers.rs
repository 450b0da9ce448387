//! Where a request carries its key: `Authorization: Bearer` (RFC 6750 section 2.1) or `Api-Key`, or
//! `X-API-Key`; in the query string only for those who ask, because addresses end up in logs.

use crate::error::{Error, ErrorKind, Result};

/// The places of a request that a credential can be in. Each has its own kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialPlace {
    /// `Authorization: Bearer`: tokens of an issuer, opaque tokens and API keys; `Authorization:
    /// Api-Key`: API keys alone.
    Authorization,
    /// `X-API-Key`, or a header of the program's own: API keys alone.
    ApiKey,
}

impl CredentialPlace {
    /// The name: `authorization`, `api_key`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::ApiKey => "api_key",
        }
    }
}

const TWICE: Error = Error::new(
    ErrorKind::SeveralCredentials,
    "The request carries more than one API key: exactly one is taken, unless the API says in which place (`place`).",
);
const EMPTY: Error = Error::new(ErrorKind::MalformedApiKey, "The request's API key is empty.");

/// The key among a request's headers, given as names and values. Another scheme of `Authorization`,
/// such as `Basic`, is someone else's.
///
/// # Errors
/// `SeveralCredentials`: there is more than one, in one place or in two. `MalformedApiKey`: it is
/// empty.
///
/// ```
/// let headers = [("Host", "api.example"), ("Authorization", "Bearer gk_live_x")];
/// assert_eq!(gatekey::apikey::api_key_from_headers(headers)?, Some("gk_live_x"));
/// # Ok::<(), gatekey::Error>(())
/// ```
pub fn api_key_from_headers<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Option<&'a str>> {
    read(headers, None)
}

/// The key in this place of a request's headers, where the other one holds a credential of another
/// kind: for clients that send `X-API-Key` beside `Authorization: Bearer` with a token of their
/// user's. What is in the other place is not looked at: let
/// [`ResourceServer`](crate::ResourceServer) verify it, or whatever it is for.
///
/// # Errors
/// As [`api_key_from_headers`], of this place alone.
pub fn api_key_from_headers_at<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    place: CredentialPlace,
) -> Result<Option<&'a str>> {
    read(headers, Some(place))
}

fn read<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    place: Option<CredentialPlace>,
) -> Result<Option<&'a str>> {
    use CredentialPlace::{ApiKey, Authorization};
    let is_read = |own: CredentialPlace| place.is_none_or(|place| place == own);
    let (mut found, mut authorizations) = (None, 0);
    for (name, value) in headers {
        let key = if name.eq_ignore_ascii_case("authorization") && is_read(Authorization) {
            authorizations += 1;
            of_authorization(value)
        } else if name.eq_ignore_ascii_case("x-api-key") && is_read(ApiKey) {
            Some(value.trim_matches([' ', '\t']))
        } else {
            None
        };
        if let Some(key) = key
            && found.replace(key).is_some()
        {
            return Err(TWICE);
        }
    }
    // Two of them are malformed whatever they say (RFC 9110 section 11.6.2): who reads which?
    if authorizations > 1 {
        return Err(TWICE);
    }
    if found.is_some_and(str::is_empty) {
        return Err(EMPTY);
    }
    Ok(found)
}

/// What follows `Bearer`, or a scheme of API keys, and spaces.
fn of_authorization(value: &str) -> Option<&str> {
    let (scheme, key) = authorization_scheme(value);
    (scheme.eq_ignore_ascii_case("bearer") || is_key_scheme(scheme)).then_some(key)
}

/// The scheme of an `Authorization` header's value, and what follows it.
pub(crate) fn authorization_scheme(value: &str) -> (&str, &str) {
    // As nearly all are written, without a search.
    if let Some(("Bearer", rest)) = value.split_at_checked(6)
        && let [b' ', b'!'..=b'~', .., b'!'..=b'~'] = rest.as_bytes()
    {
        return ("Bearer", rest.get(1..).unwrap_or_default());
    }
    let value = value.trim_matches([' ', '\t']);
    // A tab is no separator (RFC 9110 section 11.4): it ends the scheme's name, so that this is no
    // other scheme, and stays before what follows, which is refused for it.
    let end = value.find([' ', '\t']).unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(end).unwrap_or((value, ""));
    (scheme, rest.trim_start_matches(' '))
}

/// Whether this scheme names API keys and nothing else: `Api-Key`, as the package
/// djangorestframework-api-key has its clients send it, or `ApiKey`. No scheme's name is
/// case-sensitive (RFC 9110 section 11.1).
pub(crate) fn is_key_scheme(scheme: &str) -> bool {
    ["api-key", "apikey"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// The key in the query string under this parameter's name. Addresses are logged by proxies,
/// browsers and servers alike: only for clients that can do nothing else.
///
/// # Errors
/// `SeveralCredentials`: the parameter is there more than once. `MalformedApiKey`: it is empty.
pub fn api_key_from_query<'a>(query: &'a str, parameter: &str) -> Result<Option<&'a str>> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A key has no character that would be percent-encoded.
        if name == parameter && found.replace(value).is_some() {
            return Err(TWICE);
        }
    }
    if found.is_some_and(str::is_empty) { Err(EMPTY) } else { Ok(found) }
}
