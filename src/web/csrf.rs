//! Whether a request was forged from another site (OWASP, "Cross-Site Request Forgery Prevention"):
//! what the browser itself says of the request comes first, then a token that is bound to the
//! session.
//!
//! A token is base64url(random 16 bytes || HMAC-SHA256(secret, label || length of the session's
//! id || id || random)): nothing is stored, each page may have its own, and one of another session
//! does not fit.

use crate::base::b64;
use crate::base::random::SecureRandom;
use crate::base::secret::Secret;
use crate::crypto::random::SystemRandom;
use crate::crypto::{Hash, constant_time_eq, hmac};
use crate::error::{Error, ErrorKind, Remedy, Result};
use std::sync::Arc;

const LABEL: &[u8] = b"gk-csrf1";
const RANDOM: usize = 16;
const MAC: usize = 32;
/// A token's length in characters: 48 bytes in base64url.
const TOKEN: usize = 64;
/// The longest id of a session, in bytes.
const LONGEST_ID: usize = 512;
/// The longest header that is compared.
const LONGEST_HEADER: usize = 1024;

/// Makes and checks CSRF tokens under one secret. Cheap to clone, safe to share.
///
/// ```
/// use gatekey::Secret;
/// use gatekey::web::{Csrf, CsrfRequest};
///
/// let csrf = Csrf::new(&Secret::new(vec![7; 32]))?; // from a file, in production
/// let token = csrf.issue("session-1")?;
/// let request = CsrfRequest::new("POST").sec_fetch_site("same-origin");
/// csrf.check("session-1", &token, &request)?;
/// assert!(csrf.check("session-2", &token, &request).is_err());
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Csrf {
    key: Arc<hmac::Key>,
    random: Arc<dyn SecureRandom>,
    allow_same_site: bool,
    allow_http: bool,
}

/// What is known of a request, from its first line and its headers.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct CsrfRequest<'r> {
    method: &'r str,
    sec_fetch_site: Option<&'r str>,
    origin: Option<&'r str>,
    host: Option<&'r str>,
}

impl<'r> CsrfRequest<'r> {
    /// A request of this method, without headers.
    pub const fn new(method: &'r str) -> Self {
        Self { method, sec_fetch_site: None, origin: None, host: None }
    }

    /// Its `Sec-Fetch-Site` header.
    pub const fn sec_fetch_site(mut self, value: &'r str) -> Self {
        self.sec_fetch_site = Some(value);
        self
    }

    /// Its `Origin` header; goes with [`Self::host`].
    pub const fn origin(mut self, value: &'r str) -> Self {
        self.origin = Some(value);
        self
    }

    /// Its `Host` header or, behind a proxy, the name under which users know the service.
    pub const fn host(mut self, value: &'r str) -> Self {
        self.host = Some(value);
        self
    }
}

impl Csrf {
    /// Tokens under this secret of at least 32 random bytes.
    ///
    /// # Errors
    /// `WeakKey`: it has fewer than 32 bytes.
    pub fn new(secret: &Secret) -> Result<Self> {
        if secret.expose().len() < MAC {
            return Err(Error::new(
                ErrorKind::WeakKey,
                "The `secret` for CSRF tokens has at least 32 random bytes; make one with a random generator.",
            ));
        }
        Ok(Self {
            key: Arc::new(hmac::Key::new(Hash::Sha256, secret.expose())),
            random: Arc::new(SystemRandom),
            allow_same_site: false,
            allow_http: false,
        })
    }

    /// Accepts requests of other hosts of the same site, such as `app.example.com` for
    /// `api.example.com`: only where every host of the site is trusted.
    #[must_use]
    pub const fn allow_same_site(mut self) -> Self {
        self.allow_same_site = true;
        self
    }

    /// Accepts an `Origin` of `http://`, for development without HTTPS.
    #[must_use]
    pub const fn danger_allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Draws from this source instead of the system's.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn SecureRandom>) -> Self {
        self.random = random;
        self
    }

    /// A new token for this session: 64 characters of base64url. It fits for as long as the
    /// session's id stays the same.
    ///
    /// # Errors
    /// `InvalidArgument`: the id has not 1 to 512 bytes. `RandomUnavailable`.
    pub fn issue(&self, session_id: &str) -> Result<String> {
        check_id(session_id)?;
        let mut random = [0; RANDOM];
        self.random.fill(&mut random)?;
        let mac = self.mac(session_id, &random);
        Ok(b64::encode(&[&random[..], &mac].concat()))
    }

    /// Lets a request pass that is harmless (`GET`, `HEAD`, `OPTIONS`), or that no other site has
    /// caused and that brings a token of this session.
    ///
    /// # Errors
    /// `CsrfRejected`: it is neither. `MissingCredentials`: it is not harmless, and the id is
    /// empty, because the request has no session. `InvalidArgument`: the id has more than 512
    /// bytes, or there is an `Origin` without a `Host` to compare it with.
    pub fn check(&self, session_id: &str, token: &str, request: &CsrfRequest<'_>) -> Result<()> {
        if matches!(request.method, "GET" | "HEAD" | "OPTIONS") {
            return Ok(());
        }
        if session_id.is_empty() {
            return Err(Error::new(
                ErrorKind::MissingCredentials,
                "The request has no session, and so no CSRF token of one.",
            ));
        }
        check_id(session_id)?;
        self.check_source(request)?;
        self.check_token(session_id, token)
    }

    /// Whether the token is one of this session: nothing is asked of the request's method or of
    /// where it comes from. For a program that knows both, such as [`crate::guard`].
    ///
    /// # Errors
    /// `CsrfRejected`: it is not. `InvalidArgument`: the id has not 1 to 512 bytes.
    pub fn check_token(&self, session_id: &str, token: &str) -> Result<()> {
        check_id(session_id)?;
        let mut bytes = [0; RANDOM + MAC];
        let is_token =
            token.len() == TOKEN && b64::decode_to_slice(token.as_bytes(), &mut bytes).is_ok();
        let (random, mac) = bytes.split_at(RANDOM);
        let wanted = self.mac(session_id, random);
        if is_token && constant_time_eq(&wanted, mac) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::CsrfRejected,
            "The CSRF token does not belong to this session: issue one with the page, and send it back.",
        ))
    }

    /// What the browser says of where the request comes from: `Sec-Fetch-Site` (Fetch Metadata),
    /// which no script can set, or else `Origin` (RFC 6454).
    fn check_source(&self, request: &CsrfRequest<'_>) -> Result<()> {
        const CROSS: Error = Error::new(
            ErrorKind::CsrfRejected,
            "The browser says that another site has caused the request: its origin is not the host's.",
        );
        const PLAIN: Error = CROSS
            .saying("The request was sent from a page over plain HTTP, and pages over HTTPS alone are accepted.")
            .remedied(Remedy::AllowHttp);
        let from_here = match (request.sec_fetch_site, request.origin) {
            // `none`: the user's own doing, such as a form that was sent again.
            (Some("same-origin" | "none"), _) => true,
            (Some("same-site"), _) => self.allow_same_site,
            (Some(_), _) => false,
            (None, Some(origin)) => {
                let host = request.host.ok_or(Error::new(
                    ErrorKind::InvalidArgument,
                    "The `origin` of the request is compared with the `host`; give both.",
                ))?;
                self.is_origin_of(origin, host)
            }
            // Neither: no browser of today. The token decides.
            (None, None) => true,
        };
        let over_http = |origin: &str| origin.starts_with("http://") && !self.allow_http;
        match request.origin {
            _ if from_here => Ok(()),
            Some(origin) if request.sec_fetch_site.is_none() && over_http(origin) => Err(PLAIN),
            _ => Err(CROSS),
        }
    }

    fn is_origin_of(&self, origin: &str, host: &str) -> bool {
        if origin.len() > LONGEST_HEADER || host.len() > LONGEST_HEADER {
            return false;
        }
        let (own, port) = match origin.split_once("://") {
            Some(("https", own)) => (own, ":443"),
            Some(("http", own)) if self.allow_http => (own, ":80"),
            _ => return false,
        };
        let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
        !own.is_empty() && bare(own) == bare(host)
    }

    fn mac(&self, session_id: &str, random: &[u8]) -> [u8; MAC] {
        let length = (session_id.len() as u64).to_be_bytes();
        let mut message = [0; LABEL.len() + 8 + LONGEST_ID + RANDOM];
        let mut end = 0;
        for part in [LABEL, &length, session_id.as_bytes(), random] {
            if let Some(room) = message.get_mut(end..).and_then(|rest| rest.get_mut(..part.len())) {
                room.copy_from_slice(part);
            }
            end += part.len();
        }
        let mut out = [0; 64];
        let message = message.get(..end).unwrap_or_default();
        self.key.sign(message, &mut out).try_into().unwrap_or([0; MAC])
    }
}

impl std::fmt::Debug for Csrf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Csrf([redacted])")
    }
}

fn check_id(session_id: &str) -> Result<()> {
    if (1..=LONGEST_ID).contains(&session_id.len()) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        "The id of a session (`session_id`) has 1 to 512 bytes.",
    ))
}
