//! Where a request carries its key: `Authorization: Bearer` (RFC 6750 section 2.1) or `X-API-Key`; in
//! the query string only for those who ask, because addresses end up in logs.

use crate::error::{Error, ErrorKind, Result};

const TWICE: Error =
    Error::new(ErrorKind::MalformedApiKey, "The request carries more than one API key.");
const EMPTY: Error = Error::new(ErrorKind::MalformedApiKey, "The request's API key is empty.");

/// The key among a request's headers, given as names and values. Another scheme of `Authorization`,
/// such as `Basic`, is someone else's.
///
/// # Errors
/// `MalformedApiKey`: there is more than one, in one place or in two, or an empty one.
///
/// ```
/// let headers = [("Host", "api.example"), ("Authorization", "Bearer gk_live_x")];
/// assert_eq!(gatekey::apikey::api_key_from_headers(headers)?, Some("gk_live_x"));
/// # Ok::<(), gatekey::Error>(())
/// ```
pub fn api_key_from_headers<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Option<&'a str>> {
    let (mut found, mut authorizations) = (None, 0);
    for (name, value) in headers {
        let key = if name.eq_ignore_ascii_case("authorization") {
            authorizations += 1;
            bearer(value)
        } else if name.eq_ignore_ascii_case("x-api-key") {
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

/// What follows `Bearer` and spaces; the scheme's name is not case-sensitive (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let value = value.trim_matches([' ', '\t']);
    let (scheme, key) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim_start_matches(' '))
}

/// The key in the query string under this parameter's name. Addresses are logged by proxies, browsers
/// and servers alike: only for clients that can do nothing else.
///
/// # Errors
/// `MalformedApiKey`: the parameter is there more than once, or empty.
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
