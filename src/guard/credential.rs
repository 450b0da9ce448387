//! Which credentials a request brings. Each has its place: `Authorization: Bearer` or `Api-Key`,
//! the header for API keys, the session's cookie. A place that holds two is refused, and so is what
//! a server has joined by a comma: nothing is cut, and no first or last one wins.

use super::Inner;
use super::access::{Known, ProvedBy};
use super::request::{Read, Request};
use crate::apikey::{authorization_scheme, is_key_scheme};
use crate::error::{Error, ErrorKind, Result};
use crate::resource::{self, AccessKind, Authorized, Presented};
use std::sync::Arc;

/// A credential in its place.
#[derive(Clone, Copy)]
pub(super) enum Credential<'r> {
    Authorization(Authorized<'r>),
    Header(&'r str),
    Cookie(&'r str),
}

/// All that a request brings.
pub(super) struct Found<'r> {
    places: [Option<Credential<'r>>; 3],
    presented: Presented<'r>,
}

impl<'r> Found<'r> {
    /// # Errors
    /// `SeveralCredentials`, `MalformedCookie`, `MalformedRequest`; `MalformedApiKey`: a key is
    /// empty; `MissingCredentials`: a scheme that cannot be verified.
    pub(super) fn in_request(
        inner: &Inner,
        request: &Request<'r>,
        read: &Read<'r>,
    ) -> Result<Self> {
        let authorization = read.authorization.text(|| TWICE.about_claim("authorization"))?;
        if authorization.is_some_and(is_joined) {
            return Err(JOINED.about_claim("authorization"));
        }
        let api_key = match inner.server.api_keys() {
            Some(_) => read.api_key.text(|| TWICE.about_claim("api_key"))?,
            None => None,
        };
        if api_key.is_some_and(|key| key.contains(',')) {
            return Err(JOINED.about_claim("api_key"));
        }
        let cookie = match &inner.cookies {
            Some(cookies) => read.session_cookies(request, cookies)?.access,
            None => None,
        };
        let presented = Presented { authorization, api_key };
        Ok(Self {
            places: [
                presented.authorized()?.map(Credential::Authorization),
                presented.key()?.map(Credential::Header),
                cookie.map(Credential::Cookie),
            ],
            presented,
        })
    }

    /// Why there is none, if there is none.
    pub(super) fn missing(&self) -> Error {
        self.presented.missing()
    }

    /// Those that are there, and then nothing.
    pub(super) fn in_order(&self) -> [Option<Credential<'r>>; 3] {
        let mut all = self.places.iter().flatten().copied();
        [all.next(), all.next(), all.next()]
    }
}

impl Credential<'_> {
    /// What kind it is, before anything of it is proved.
    pub(super) fn kind(self, inner: &Inner) -> AccessKind {
        match self {
            Self::Authorization(Authorized::Bearer(token)) => inner.server.kind_of(token),
            Self::Authorization(Authorized::ApiKey(_)) | Self::Header(_) => AccessKind::ApiKey,
            Self::Cookie(_) => AccessKind::Session,
        }
    }

    /// Proves it, and that it meets the demand. An API key is used by this, as much as the demand
    /// costs.
    pub(super) fn prove(self, inner: &Inner, demand: &resource::Demand<'_>) -> Result<Arc<Known>> {
        let proven = match self {
            Self::Authorization(given) => inner.server.prove(given, demand)?,
            Self::Header(key) => inner.server.prove(Authorized::ApiKey(key), demand)?,
            Self::Cookie(token) => inner.server.prove_session(token, demand)?,
        };
        let by = match (self, proven.kind()) {
            (Self::Cookie(_), _) => ProvedBy::Cookie,
            (_, AccessKind::ApiKey) => ProvedBy::Key,
            _ => ProvedBy::Bearer,
        };
        Ok(Known::new(by, proven))
    }
}

/// Whether a server has joined two headers of which one is ours.
fn is_joined(value: &str) -> bool {
    let is_ours = |part: &str| {
        let (scheme, _) = authorization_scheme(part);
        let known = ["bearer", "dpop"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        known || is_key_scheme(scheme)
    };
    memchr::memchr(b',', value.as_bytes()).is_some() && value.split(',').any(is_ours)
}

const TWICE: Error = Error::new(
    ErrorKind::SeveralCredentials,
    "The request has a header for credentials more than once; send one credential in each place.",
);
const JOINED: Error = Error::new(
    ErrorKind::SeveralCredentials,
    "The request has a header for credentials with two values, joined by a comma; send one credential in each place.",
);
