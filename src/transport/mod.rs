//! Layer 3: what is asked of another server and what it answers. Protocol code only makes requests
//! and reads responses; whatever carries them is a [`Transport`]: the built-in one (feature
//! `http`), a program's own, or an event loop that drives an [`Operation`] itself.

mod attempt;
mod flight;
mod operation;

#[cfg(feature = "http")]
mod http;

pub use attempt::{Ask, Attempt, Told, attempt};
pub(crate) use attempt::{ask_elsewhere, told};
pub(crate) use flight::{Came, Flight};
pub(crate) use operation::Io;
pub use operation::{Operation, Step};

#[cfg(feature = "http")]
pub use http::{HttpOptions, HttpTransport};

use crate::base::secret::Secret;
use crate::error::Result;
use std::fmt;

/// What a request is for, so that a transport or a log can tell without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// The metadata of an authorization server (RFC 8414, OpenID Connect Discovery).
    Metadata,
    /// A JWK Set.
    Keys,
    /// The token endpoint.
    Token,
    /// What the server knows about a user.
    UserInfo,
    /// Whether a token is active (RFC 7662).
    Introspection,
    /// The end of a token (RFC 7009).
    Revocation,
    /// An authorization request that is deposited (RFC 9126).
    PushedAuthorization,
    /// The codes of a device (RFC 8628).
    DeviceAuthorization,
}

impl Purpose {
    /// The endpoint by its name in metadata, for messages.
    pub(crate) const fn endpoint(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Keys => "jwks_uri",
            Self::Token => "token_endpoint",
            Self::UserInfo => "userinfo_endpoint",
            Self::Introspection => "introspection_endpoint",
            Self::Revocation => "revocation_endpoint",
            Self::PushedAuthorization => "pushed_authorization_request_endpoint",
            Self::DeviceAuthorization => "device_authorization_endpoint",
        }
    }

    /// The name, for example `token`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Keys => "keys",
            Self::Token => "token",
            Self::UserInfo => "userinfo",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
            Self::PushedAuthorization => "pushed_authorization",
            Self::DeviceAuthorization => "device_authorization",
        }
    }
}

/// A request to another server. Anyone who sends it follows no redirect, keeps to `deadline_ms` for
/// all of it, reads at most `max_body` bytes of the answer's body, and asks for no compression.
///
/// # Security
/// Headers and body hold secrets; `Debug` shows neither.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The absolute address: `https`, or `http` on this machine where that was allowed.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body of a `POST`.
    pub body: Option<Secret>,
    /// Milliseconds that everything may take, from the name's look-up to the last byte.
    pub deadline_ms: u64,
    /// The most bytes of the answer's body.
    pub max_body: usize,
    /// What it is for.
    pub purpose: Purpose,
}

impl HttpRequest {
    pub(crate) fn new(method: &'static str, url: String, purpose: Purpose) -> Self {
        Self {
            method,
            url,
            // Without this header a server may compress (RFC 9110 section 12.5.3).
            headers: vec![("accept-encoding", Secret::from("identity".to_owned()))],
            body: None,
            deadline_ms: 10_000,
            max_body: 1 << 20,
            purpose,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The method, origin and purpose.
impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.split('?').next().unwrap_or_default();
        write!(f, "HttpRequest({} {place} for {})", self.method, self.purpose.name())
    }
}

/// What another server answered.
#[derive(Clone)]
pub struct HttpResponse {
    /// The status, 100 to 599.
    pub status: u16,
    /// Names, in any case, and values; those of [`Self::READ`] are read.
    pub headers: Vec<(String, String)>,
    /// The body: wiped when dropped.
    pub body: Secret,
}

impl HttpResponse {
    /// The names of the headers that are read, in lower case.
    pub const READ: [&'static str; 6] = [
        "cache-control",
        "content-encoding",
        "content-type",
        "date",
        "retry-after",
        "x-ratelimit-remaining",
    ];

    /// The value of a header, if it came exactly once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let value = values.next()?;
        if values.next().is_some() { None } else { Some(&value.1) }
    }
}

/// The status and how much there is.
impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({}, {} bytes)", self.status, self.body.expose().len())
    }
}

/// Whatever carries requests to other servers and waits for their answers.
pub trait Transport: Send + Sync {
    /// Sends the request, once, and waits for the answer, whatever its status.
    ///
    /// # Errors
    /// One of the 7000s; `RandomUnavailable`.
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse>;

    /// Waits: for the next question of a device, or before another try.
    fn wait(&self, milliseconds: u64);
}
