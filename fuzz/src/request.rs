//! What a browser sends, or someone in its name: a Cookie header, read as a reference reads it, and a
//! CSRF token, accepted if and only if it is one that was issued for the session.

use gatekey::web::{Cookie, Csrf, CsrfRequest};
use gatekey::{ErrorKind, Secret};
use std::sync::LazyLock;

/// The session of [`TOKEN`].
pub const SESSION: &str = "session-1";
/// Issued for [`SESSION`] under thirty-two bytes of 7.
pub const TOKEN: &str = "AAECAwQFBgcICQoLDA0ODxiP3XUN436c7JMDFlQRFztxDs9dGG5NlEhX-dEQ_ZlA";
const NAME: &str = "__Host-a";

static COOKIE: LazyLock<Cookie> =
    LazyLock::new(|| Cookie::builder(NAME).build().expect("a cookie"));
static CSRF: LazyLock<Csrf> =
    LazyLock::new(|| Csrf::new(&Secret::new(vec![7; 32])).expect("a secret"));

/// Lines: a Cookie header, a session, a token, a method, `Sec-Fetch-Site`, `Origin`, `Host`; those that
/// are missing are not there.
pub fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut lines = text.split('\n');
    read(lines.next().unwrap_or_default());
    let (Some(session), Some(token)) = (lines.next(), lines.next()) else { return false };
    let mut request = CsrfRequest::new(lines.next().unwrap_or("POST"));
    let (site, origin, host) = (lines.next(), lines.next(), lines.next());
    let harmless = ["GET", "HEAD", "OPTIONS"].contains(&text.split('\n').nth(3).unwrap_or("POST"));
    if let Some(site) = site {
        request = request.sec_fetch_site(site);
    }
    if let Some(origin) = origin {
        request = request.origin(origin);
    }
    if let Some(host) = host {
        request = request.host(host);
    }
    match CSRF.check(session, token, &request) {
        Ok(()) => {
            let from_here = site.is_none_or(|site| ["same-origin", "none"].contains(&site));
            assert!(harmless || session == SESSION && token == TOKEN && from_here, "{text:?}");
            true
        }
        Err(error) => {
            let usual = [ErrorKind::CsrfRejected, ErrorKind::InvalidArgument];
            let has_none = session.is_empty() && error.kind() == ErrorKind::MissingCredentials;
            assert!(has_none || usual.contains(&error.kind()), "{error:?}");
            false
        }
    }
}

/// RFC 6265bis section 4.2: pairs, parted by semicolons, white space around them.
fn read(header: &str) {
    let values: Vec<&str> = header
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.trim_matches([' ', '\t']) == NAME)
        .map(|(_, value)| value.trim_matches([' ', '\t']))
        .collect();
    match (COOKIE.read(header), values.as_slice()) {
        (outcome, _) if is_joined(header) => {
            assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::MalformedCookie));
        }
        (Ok(None), [] | [""]) => {}
        (Ok(Some(value)), [only]) => {
            assert_eq!(value, *only);
            let back = COOKIE.set(value).expect("what is read can be set");
            assert!(back.starts_with(&format!("{NAME}={value}; Path=/; ")));
        }
        (Err(error), [only]) => {
            assert_eq!(error.kind(), ErrorKind::MalformedCookie);
            assert!(COOKIE.set(only).is_err(), "what can be set can be read");
        }
        (Err(error), [_, _, ..]) => assert_eq!(error.kind(), ErrorKind::MalformedCookie),
        (outcome, _) => panic!("{outcome:?}, but there are {values:?}"),
    }
}

/// Whether two headers were joined by a comma, so that the cookie stands in the value of another.
fn is_joined(header: &str) -> bool {
    let blank = [' ', '\t'];
    let is_ours =
        |part: &str| part.split_once('=').is_some_and(|(name, _)| name.trim_matches(blank) == NAME);
    header
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.trim_matches(blank) != NAME)
        .any(|(_, value)| value.split(',').skip(1).any(is_ours))
}
