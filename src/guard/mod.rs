//! Layer 5: `Guard`: one decision for every door of a service. A request's method, headers and peer
//! go in; the status, headers and body of an answer come out, or who calls: by an API key, by a
//! session of this service in a cookie or behind `Bearer`, by a token of another issuer.
//!
//! - Exactly one credential, unless the route demands a pair. One that is there and bad is refused;
//!   no other is tried after it (RFC 6750 section 2, RFC 9110 section 11.6.2).
//! - What proved the caller is a value, on which everything else hangs: only a request that a
//!   cookie proved must show that no other site has caused it, and it must whatever other headers
//!   say.
//! - Nothing is taken from a rate, credits or a limit before everything else has passed.
//! - Who has proved nothing learns nothing: one answer for every bad credential of a kind.
//!
//! Refused: headers that come twice or were joined by a comma, cookies of ours that come twice,
//! control characters, preflights, websockets that a page of another origin opens by a cookie.

mod access;
mod address;
mod builder;
mod check;
mod credential;
mod decision;
mod demand;
mod fits;
mod former;
mod limit;
mod own_pages;
mod problem;
mod request;
mod session;

pub use self::access::{Access, ProvedBy};
pub use self::builder::GuardBuilder;
pub use self::decision::Decision;
pub use self::demand::{AccessKind, Demand, DemandBuilder, Pair};
pub use self::own_pages::FormToken;
pub use self::request::Request;
pub use crate::resource::{FormerTokens, FormerUser};

use self::address::Proxies;
use self::limit::Limiter;
use self::request::Names;
use crate::resource::ResourceServer;
use crate::session::{SessionCookies, Sessions};
use crate::store::LimitsState;
use crate::web::Origins;
use std::fmt;
use std::sync::Arc;

/// One decision for every door of a service: safe to share between threads, cheap to clone, usable
/// after a fork.
///
/// ```
/// use gatekey::apikey::{ApiKeyOptions, KeySpec};
/// use gatekey::guard::{Demand, Guard, Request};
/// use gatekey::session::{SessionCookies, SessionOptions, SessionSpec};
/// use gatekey::web::Csrf;
/// use gatekey::{Alg, Key, Secret, Signer, Store};
///
/// let store = Store::open("memory:")?;
/// let keys = store.api_keys(ApiKeyOptions::new())?;
/// let signer = Signer::builder(&Key::generate(Alg::Es256)?).build()?;
/// let sessions = store.sessions(Some(&signer), SessionOptions::new())?;
/// let csrf = Csrf::new(&Secret::new(vec![7; 32]))?; // from a file, in production
/// let guard = Guard::builder()
///     .api_keys(keys.clone())
///     .sessions(sessions)
///     .cookies(SessionCookies::builder(&csrf).build()?)
///     .origin("https://shop.example")
///     .build()?;
///
/// // Once, where the route is made.
/// let read = Demand::builder().scopes(["orders:read"]).build()?;
///
/// let mut spec = KeySpec::new("acme");
/// spec.scopes = vec!["orders:read".into()];
/// let key = keys.create(&spec)?.secret;
/// let headers: [(&[u8], &[u8]); 1] = [(b"X-API-Key", key.expose())];
/// let request = Request::new(b"GET", b"/orders").headers(&headers).peer("192.0.2.7");
/// let decision = guard.check(&request, &read);
/// assert_eq!(decision.access().and_then(|access| access.subject()), Some("acme"));
///
/// let refused = guard.check(&Request::new(b"GET", b"/orders"), &read);
/// assert_eq!(refused.status(), 401);
/// assert_eq!(refused.header("WWW-Authenticate"), Some(r#"Bearer scope="orders:read""#));
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

pub(in crate::guard) struct Inner {
    /// Another for each guard; see `fits`.
    number: u64,
    server: ResourceServer,
    sessions: Option<Sessions>,
    cookies: Option<SessionCookies>,
    origins: Origins,
    proxies: Proxies,
    names: Names,
    limiter: Limiter,
    /// What the decisions hang on, for caches.
    vary: Arc<str>,
    any_caller: Demand,
}

impl Guard {
    /// A guard, built from what the service has.
    pub fn builder() -> GuardBuilder {
        GuardBuilder::new()
    }

    /// What this process knows of the server that the limits are counted in together with other
    /// machines; `None` if each counts for itself. Asks nothing.
    #[must_use]
    pub fn limits_state(&self) -> Option<LimitsState> {
        self.0.limiter.state()
    }

    /// The metadata of this API (RFC 9728 section 2), to be served as `application/json`.
    #[must_use]
    pub fn metadata_json(&self) -> String {
        self.0.server.metadata_json()
    }

    /// The path that the metadata are served at; `None` if the API's identifier is no address.
    #[must_use]
    pub fn metadata_path(&self) -> Option<String> {
        self.0.server.metadata_path()
    }

    /// The sessions' cookies.
    #[must_use]
    pub fn cookies(&self) -> Option<&SessionCookies> {
        self.0.cookies.as_ref()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("tokens", &self.0.server)
            .field("sessions", &self.0.sessions.is_some())
            .field("cookies", &self.0.cookies.is_some())
            .finish_non_exhaustive()
    }
}
