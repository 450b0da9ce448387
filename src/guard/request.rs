//! A request as the server has it: borrowed bytes, none of it trusted. Headers are split, joined,
//! counted and compared here and nowhere else.
//!
//! Refused: more headers, or longer ones, than are read; control characters in the path and in
//! what is read; names that are empty or end in a space. What is there twice is kept as that.

use super::address::Peer;
use crate::base::json;
use crate::error::{Error, ErrorKind, Result};
use crate::resource::User;
use crate::session::{SentCookies, SessionCookies};
use core::net::IpAddr;
use std::fmt;

/// A request, as the server has it. Names and values are bytes as they came: adapters split, join
/// and decode nothing.
///
/// ```
/// use gatekey::guard::Request;
///
/// let headers: [(&[u8], &[u8]); 2] = [(b"host", b"api.example"), (b"x-api-key", b"gk_live_x")];
/// let request = Request::new(b"GET", b"/orders").headers(&headers).peer("192.0.2.7");
/// assert!(!format!("{request:?}").contains("gk_live_x"));
/// ```
#[derive(Clone, Copy)]
#[must_use]
pub struct Request<'r> {
    pub(super) method: &'r [u8],
    path: &'r [u8],
    headers: &'r [(&'r [u8], &'r [u8])],
    pub(super) peer: Peer,
    pub(super) csrf_field: Option<&'r [u8]>,
    pub(super) user: Option<User<'r>>,
    upgrade: bool,
    pub(super) collapsed: bool,
}

impl<'r> Request<'r> {
    /// The most headers that are read; more are `RequestTooLarge`.
    pub const MAX_HEADERS: usize = 500;
    /// The most bytes of names and values together.
    pub const MAX_BYTES: usize = 128 * 1024;

    /// A request of this method for this path, without headers, from nobody. The path is what the
    /// server routes by, not an address that was put together from `Host`; it decides nothing.
    pub const fn new(method: &'r [u8], path: &'r [u8]) -> Self {
        Self {
            method,
            path,
            headers: &[],
            peer: Peer::Unknown,
            csrf_field: None,
            user: None,
            upgrade: false,
            collapsed: false,
        }
    }

    /// Its headers, as names and values, in the order in which they came; a name that comes twice
    /// is there twice.
    pub const fn headers(mut self, headers: &'r [(&'r [u8], &'r [u8])]) -> Self {
        self.headers = headers;
        self
    }

    /// Whom the socket is connected to, as servers name it: an address, with or without a port. A
    /// Unix socket is empty, `@...`, `unix:...` or a path. Anything else counts as unknown.
    pub fn peer(mut self, peer: &str) -> Self {
        self.peer = Peer::parse(peer);
        self
    }

    /// The address that the socket is connected to.
    pub const fn peer_address(mut self, address: IpAddr) -> Self {
        self.peer = Peer::Address(address);
        self
    }

    /// The CSRF token of a form's field, for pages without scripts. The header goes first.
    pub const fn csrf_field(mut self, token: &'r [u8]) -> Self {
        self.csrf_field = Some(token);
        self
    }

    /// The program has looked up this user, which [`Guard::former_user`](super::Guard::former_user)
    /// has named: it is active, and these scopes are granted to it.
    pub const fn user(mut self, subject: &'r str, scopes: &'r [&'r str]) -> Self {
        self.user = Some(User { subject, scopes });
        self
    }

    /// The request opens a websocket, or another protocol, as the server knows.
    pub const fn upgrade(mut self) -> Self {
        self.upgrade = true;
        self
    }

    /// The server names headers as CGI does (WSGI): `X-Forwarded-For` and `X_Forwarded_For` look
    /// the same, and a client may have sent the latter.
    pub const fn collapsed_names(mut self) -> Self {
        self.collapsed = true;
        self
    }

    /// Whether the method changes nothing (RFC 9110 section 9.2.1): exactly these; no header says
    /// otherwise.
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
    }

    /// The CSRF token that the request brings: in the header, or in a form's field.
    pub(super) fn csrf_token(&self, read: &Read<'r>) -> Result<Option<&'r str>> {
        match (read.csrf.text(|| TWO_TOKENS)?, self.csrf_field) {
            (Some(token), _) => Ok(Some(token)),
            (None, Some(field)) => std::str::from_utf8(field).map(Some).map_err(|_| TWO_TOKENS),
            (None, None) => Ok(None),
        }
    }

    /// Looks through the headers once.
    ///
    /// # Errors
    /// `MalformedRequest`, `RequestTooLarge`.
    pub(super) fn read(&self, names: &Names) -> Result<Read<'r>> {
        if self.headers.len() > Self::MAX_HEADERS {
            return Err(TOO_LARGE);
        }
        if has_control(self.path, |_| true) || has_control(self.method, |_| true) {
            return Err(CONTROLS);
        }
        let mut read = Read { is_upgrade: self.upgrade, ..Read::default() };
        let mut bytes = 0_usize;
        for (name, value) in self.headers {
            bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
            if let [] | [.., 0..=b' ' | b':' | 0x7f] = name {
                return Err(NAME);
            }
            if names.may_be(name) {
                self.look_at(name, value, names, &mut read)?;
            }
        }
        if bytes > Self::MAX_BYTES { Err(TOO_LARGE) } else { Ok(read) }
    }

    fn look_at(
        &self,
        name: &[u8],
        value: &'r [u8],
        names: &Names,
        read: &mut Read<'r>,
    ) -> Result<()> {
        let is = |known: &[u8]| is_named(name, known);
        match name.len() {
            6 if is(b"cookie") => read.cookies.add(value),
            6 if is(b"origin") => read.origin.add(value)?,
            7 if is(b"upgrade") => read.is_upgrade |= !value.eq_ignore_ascii_case(b"h2c"),
            13 if is(b"authorization") => read.authorization.add(value)?,
            14 if is(b"sec-fetch-site") => read.site.add(value)?,
            29 if is(b"access-control-request-method") => {
                read.is_preflight = self.method == b"OPTIONS";
            }
            // Each of these is another name (`Names::check`).
            _ if is(names.forwarded.as_bytes()) => read.forwarded.add(value),
            _ if is(names.api_key.as_bytes()) => read.api_key.add(value)?,
            _ if is(names.csrf.as_bytes()) => read.csrf.add(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// The method and how many headers there are; none of their values.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &String::from_utf8_lossy(self.method))
            .field("headers", &self.headers.len())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The headers whose names a service chooses, in lower case.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) api_key: String,
    pub(super) csrf: String,
    /// By which proxies tell whom they speak for.
    pub(super) forwarded: String,
    /// A bit for each name that is looked at: most other headers have another.
    marks: u64,
}

/// The names that are looked at whatever a service chooses, in lower case.
const FIXED: [&str; 6] = [
    "cookie",
    "origin",
    "upgrade",
    "authorization",
    "sec-fetch-site",
    "access-control-request-method",
];

impl Names {
    pub(super) fn new(api_key: String, csrf: String, forwarded: String) -> Self {
        let own = [&*api_key, &csrf, &forwarded];
        let all = FIXED.into_iter().chain(own);
        let marks = all.fold(0, |marks, name| marks | Self::mark(name.as_bytes()));
        Self { api_key, csrf, forwarded, marks }
    }

    /// Refuses a name that says something else already.
    pub(super) fn check(&self) -> Result<()> {
        let own = [
            (&self.api_key, "api_key_header"),
            (&self.csrf, "csrf_header"),
            (&self.forwarded, "forwarded_header"),
        ];
        for (at, (name, option)) in own.iter().enumerate() {
            let is_same = |other: &(&String, &str)| is_named(other.0.as_bytes(), name.as_bytes());
            let mut taken = FIXED.iter().chain(&["host", "connection"]);
            let is_taken = taken.any(|taken| name.eq_ignore_ascii_case(taken));
            if is_taken || own.iter().take(at).any(is_same) {
                return Err(NAMED_TWICE.about_claim(option));
            }
        }
        Ok(())
    }

    /// By the length of a name and its last letter, in either case.
    const fn mark(name: &[u8]) -> u64 {
        let last = if let [.., last] = name { *last | 0x20 } else { 0 };
        1 << (name.len().wrapping_mul(5).wrapping_add(last as usize) & 63)
    }

    const fn may_be(&self, name: &[u8]) -> bool {
        self.marks & Self::mark(name) != 0
    }
}

/// What a request's headers say.
#[derive(Default)]
pub(super) struct Read<'r> {
    pub(super) authorization: Sent<'r>,
    pub(super) api_key: Sent<'r>,
    pub(super) origin: Sent<'r>,
    /// `Sec-Fetch-Site`.
    pub(super) site: Sent<'r>,
    pub(super) csrf: Sent<'r>,
    pub(super) is_upgrade: bool,
    /// A browser asks whether a page of another origin may (Fetch, "CORS-preflight request").
    pub(super) is_preflight: bool,
    pub(super) cookies: Lines<'r>,
    /// By which proxies tell whom they speak for.
    pub(super) forwarded: Lines<'r>,
}

impl<'r> Read<'r> {
    /// What the `Cookie` headers of the request that this was read of say that a session's are.
    pub(super) fn session_cookies(
        &self,
        request: &Request<'r>,
        cookies: &SessionCookies,
    ) -> Result<SentCookies<'r>> {
        match self.cookies {
            Lines::Nothing => Ok(SentCookies::default()),
            Lines::Once(only) => cookies.read_all([only]),
            Lines::Several => cookies.read_all(self.cookies.of(request, b"cookie")),
        }
    }
}

/// A header that may be there several times: nearly always it is not.
#[derive(Clone, Copy, Default)]
pub(super) enum Lines<'r> {
    #[default]
    Nothing,
    Once(&'r [u8]),
    Several,
}

impl<'r> Lines<'r> {
    const fn add(&mut self, value: &'r [u8]) {
        *self = if matches!(self, Self::Nothing) { Self::Once(value) } else { Self::Several };
    }

    /// Its values in the request that it was read of, in the order in which they came; the name in
    /// lower case.
    pub(super) fn of<'n>(
        self,
        request: &Request<'r>,
        name: &'n [u8],
    ) -> impl DoubleEndedIterator<Item = &'r [u8]> + Clone + use<'r, 'n> {
        let (once, all): (_, &'r [_]) = match self {
            Self::Nothing => (None, &[]),
            Self::Once(value) => (Some(value), &[]),
            Self::Several => (None, request.headers),
        };
        let all = all.iter().filter(move |(own, _)| is_named(own, name));
        once.into_iter().chain(all.map(|(_, value)| *value))
    }
}

/// A header that is there once, or not at all.
#[derive(Clone, Copy, Default)]
pub(super) enum Sent<'r> {
    #[default]
    Nothing,
    Once(&'r [u8]),
    Several,
}

impl<'r> Sent<'r> {
    fn add(&mut self, value: &'r [u8]) -> Result<()> {
        // A tab is let in, and rare.
        if has_control(value, |byte| byte != b'\t') {
            return Err(CONTROLS);
        }
        *self = if matches!(self, Self::Nothing) { Self::Once(value) } else { Self::Several };
        Ok(())
    }

    /// The value as a text; `twice` if it is there more than once.
    ///
    /// # Errors
    /// `MalformedRequest`: it is not UTF-8.
    pub(super) fn text(self, twice: impl FnOnce() -> Error) -> Result<Option<&'r str>> {
        match self {
            Self::Nothing => Ok(None),
            Self::Once(value) => json::utf8(value).map(Some).map_err(|_| NOT_UTF8),
            Self::Several => Err(twice()),
        }
    }
}

/// Whether a header has this name, which is in lower case. Nearly all others end in another letter,
/// and nearly all of this name are in lower case.
#[inline]
fn is_named(name: &[u8], known: &[u8]) -> bool {
    match (name, known) {
        ([.., one], [.., other]) if one.to_ascii_lowercase() == *other => {
            name == known || name.eq_ignore_ascii_case(known)
        }
        _ => false,
    }
}

/// Whether there is a control character of which this counts.
#[inline]
fn has_control(text: &[u8], counts: impl Fn(u8) -> bool) -> bool {
    // At most a space for each of them, and for some that are not ASCII. Without an early exit the
    // compiler looks at many at once.
    let least = text.iter().fold(u8::MAX, |least, byte| least.min(byte.wrapping_add(1) & 0x7f));
    least <= b' ' && text.iter().any(|byte| is_control(*byte) && counts(*byte))
}

const fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7f
}

const NAMED_TWICE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A header of this name says something else already; choose another name for it.",
);
const TOO_LARGE: Error = Error::new(
    ErrorKind::RequestTooLarge,
    "The request has more than 500 headers, or more than 128 KiB of them.",
);
const CONTROLS: Error = Error::new(
    ErrorKind::MalformedRequest,
    "The request's path, or a header that is read, holds a control character.",
);
const NAME: Error = Error::new(
    ErrorKind::MalformedRequest,
    "The request has a header whose name is empty, or ends in a space or a colon.",
);
const TWO_TOKENS: Error = Error::new(
    ErrorKind::CsrfRejected,
    "The request brings two CSRF tokens, or one that is no text: send the session's in its header.",
);
const NOT_UTF8: Error = Error::new(
    ErrorKind::MalformedRequest,
    "The request has a header for credentials that is not UTF-8.",
);
