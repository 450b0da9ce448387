//! How a guard is built, from what the service has. Settings that no answer could carry, or that
//! would let everybody in, are refused here.

use super::address::{Proxies, header_name};
use super::limit::Limiter;
use super::request::Names;
use super::session::any_caller;
use super::{Guard, Inner};
use crate::apikey::ApiKeys;
use crate::base::clock::{Clock, SystemClock};
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::jwt::{OwnTokens, RevocationList};
use crate::resource::{FormerTokens, OwnSessions, ResourceServer, ResourceServerBuilder};
use crate::session::{SessionCookies, Sessions};
use crate::store::shared_limits;
use crate::web::Origins;
use std::fmt;
use std::sync::Arc;

/// How a [`Guard`] is built; see [`Guard::builder`]. At least one of [`Self::api_keys`],
/// [`Self::sessions`] and [`Self::tokens`].
#[derive(Clone)]
#[must_use]
pub struct GuardBuilder {
    tokens: Option<ResourceServerBuilder>,
    api_keys: Option<ApiKeys>,
    sessions: Option<Sessions>,
    former: Option<FormerTokens>,
    revocations: Option<Arc<dyn RevocationList>>,
    cookies: Option<SessionCookies>,
    origins: Vec<String>,
    trusted: Vec<String>,
    forwarded: Option<String>,
    exact_names: bool,
    api_key_header: String,
    csrf_header: String,
    realm: Option<String>,
    metadata_url: Option<String>,
    ipv6_prefix: u8,
    clock: Option<Arc<dyn Clock>>,
    limits: Option<Secret>,
}

impl GuardBuilder {
    pub(super) fn new() -> Self {
        Self {
            tokens: None,
            api_keys: None,
            sessions: None,
            former: None,
            revocations: None,
            cookies: None,
            origins: Vec::new(),
            trusted: Vec::new(),
            forwarded: None,
            exact_names: false,
            api_key_header: API_KEY_HEADER.to_owned(),
            csrf_header: CSRF_HEADER.to_owned(),
            realm: None,
            metadata_url: None,
            ipv6_prefix: 64,
            clock: None,
            limits: None,
        }
    }

    /// Takes these API keys: `Authorization: Api-Key` or `Bearer`, and `X-API-Key`.
    pub fn api_keys(mut self, keys: ApiKeys) -> Self {
        self.api_keys = Some(keys);
        self
    }

    /// Takes the access tokens of these sessions, as their signer makes them: `Authorization:
    /// Bearer`, and with [`Self::cookies`] the session's cookie. Their tenant is in the claim
    /// `tenant`, unless the tokens of others say another.
    pub fn sessions(mut self, sessions: Sessions) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Takes the tokens of others, as this resource server would: JWTs of issuers, and opaque
    /// tokens. What is said there of API keys holds unless [`Self::api_keys`] says more.
    pub fn tokens(mut self, tokens: ResourceServerBuilder) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Takes the access tokens of what the service had before, until their date, of users whom the
    /// program has looked up: see [`Guard::former_user`]. Their kind is `Jwt`.
    pub fn former_tokens(mut self, tokens: FormerTokens) -> Self {
        self.former = Some(tokens);
        self
    }

    /// Refuses tokens of others that are on this list. Those of [`Self::sessions`] are refused by
    /// the sessions' own.
    pub fn revocations(mut self, list: Arc<dyn RevocationList>) -> Self {
        self.revocations = Some(list);
        self
    }

    /// The sessions are in these cookies, too; and a request that a cookie proves shows that no
    /// other site has caused it.
    pub fn cookies(mut self, cookies: SessionCookies) -> Self {
        self.cookies = Some(cookies);
        self
    }

    /// An origin of our own pages, such as `https://shop.example`; several calls, several origins.
    /// Compared with what browsers say of a request (`Origin`), never with `Host`. Without any,
    /// only `Sec-Fetch-Site` is believed, and no cookie opens a websocket.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Believes this proxy, or network of proxies, whom it speaks for; several calls, several. A
    /// Unix socket is `unix`.
    pub fn trusted_proxy(mut self, network: impl Into<String>) -> Self {
        self.trusted.push(network.into());
        self
    }

    /// The one header by which the proxies say so: `X-Forwarded-For` unless set. For `Forwarded`
    /// (RFC 7239) its `for` is read, of any other a list of addresses. No other header is looked
    /// at.
    pub fn forwarded_header(mut self, name: impl Into<String>) -> Self {
        self.forwarded = Some(name.into());
        self
    }

    /// The server drops headers with an underscore in their name, so that where names collapse
    /// ([`Request::collapsed_names`](super::Request::collapsed_names)) a client cannot forge
    /// [`Self::forwarded_header`]. Gunicorn does so from version 22 on, nginx does.
    pub const fn exact_names(mut self) -> Self {
        self.exact_names = true;
        self
    }

    /// The header of API keys; `X-API-Key` unless set.
    pub fn api_key_header(mut self, name: impl Into<String>) -> Self {
        self.api_key_header = name.into();
        self
    }

    /// The header in which our own pages send the CSRF token; `X-CSRF-Token` unless set.
    pub fn csrf_header(mut self, name: impl Into<String>) -> Self {
        self.csrf_header = name.into();
        self
    }

    /// What challenges name as the realm (RFC 9110 section 11.5): 1 to 128 visible ASCII characters
    /// and spaces, without quotes and backslashes.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Where the metadata of this API are served, for challenges (RFC 9728 section 5.1).
    pub fn metadata_url(mut self, url: impl Into<String>) -> Self {
        self.metadata_url = Some(url.into());
        self
    }

    /// How many bits of an IPv6 address make one caller of limits: 64 unless set, 32 to 128.
    pub const fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits;
        self
    }

    /// Where the limits of demands are counted together with other machines: see
    /// [`StoreOptions::limits`](crate::open::StoreOptions::limits), which holds for a guard over
    /// what is in that store. Without either, each process counts for itself.
    pub fn limits(mut self, url: impl Into<String>) -> Self {
        self.limits = Some(Secret::new(url.into().into_bytes()));
        self
    }

    /// The source of the time: the system's unless set. Sessions and API keys have their own.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The guard. May ask the issuers of [`Self::tokens`] for their keys.
    ///
    /// # Errors
    /// `InvalidConfiguration`: nobody would be let in, a setting is not acceptable, or does nothing
    /// without another that is missing; the error's claim names it. Those of
    /// [`ResourceServerBuilder::build`].
    pub fn build(self) -> Result<Guard> {
        self.check()?;
        let mut proxies = Proxies::new();
        self.trusted.iter().try_for_each(|network| proxies.trust(network))?;
        proxies.exact_names = self.exact_names;
        let forwarded = self.forwarded.as_deref().unwrap_or("X-Forwarded-For");
        let names = Names::new(
            header_name(&self.api_key_header, "api_key_header")?,
            header_name(&self.csrf_header, "csrf_header")?,
            header_name(forwarded, "forwarded_header")?,
        );
        names.check()?;
        proxies.is_forwarded = names.forwarded == "forwarded";
        let allow_http = self.cookies.as_ref().is_some_and(SessionCookies::allows_http);
        let mut origins = Origins::default();
        self.origins.iter().try_for_each(|origin| origins.add(origin, allow_http))?;
        let vary = self.vary();
        let (sessions, cookies) = (self.sessions.clone(), self.cookies.clone());
        let own = sessions.as_ref().map(own_sessions).transpose()?;
        let clock = self.clock.clone().or_else(|| own.as_ref().map(|own| Arc::clone(&own.clock)));
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock));
        let limits = self.limits.as_ref().map(|url| shared_limits(url.expose_str())).transpose()?;
        let limits = limits.or_else(|| sessions.as_ref().and_then(Sessions::shared_limits));
        let (ipv6_prefix, own_clock) = (self.ipv6_prefix, Arc::clone(&clock));
        let server = self.server(own, clock)?;
        let limits = limits.or_else(|| server.api_keys().and_then(ApiKeys::shared_limits));
        let limiter = Limiter::new(ipv6_prefix, own_clock, limits);
        let any_caller = any_caller()?;
        Ok(Guard(Arc::new(Inner {
            number: Inner::next_number(),
            server,
            sessions,
            cookies,
            origins,
            proxies,
            names,
            limiter,
            vary,
            any_caller,
        })))
    }

    fn check(&self) -> Result<()> {
        if self.cookies.is_some() && self.sessions.is_none() {
            return Err(COOKIES.about_claim("cookies"));
        }
        if !(32..=128).contains(&self.ipv6_prefix) {
            return Err(PREFIX.about_claim("ipv6_prefix"));
        }
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let is_realm =
            |realm: &String| (1..=128).contains(&realm.len()) && realm.bytes().all(is_plain);
        if !self.realm.as_ref().is_none_or(is_realm) {
            return Err(REALM.about_claim("realm"));
        }
        if self.forwarded.is_some() && self.trusted.is_empty() {
            return Err(NO_PROXIES.about_claim("forwarded_header"));
        }
        // Adapters set both to what they are anyway.
        if self.cookies.is_none() && !self.csrf_header.eq_ignore_ascii_case(CSRF_HEADER) {
            return Err(NO_COOKIES.about_claim("csrf_header"));
        }
        let takes_keys = self.api_keys.is_some() || self.tokens.is_some();
        if !takes_keys && !self.api_key_header.eq_ignore_ascii_case(API_KEY_HEADER) {
            return Err(NO_KEYS.about_claim("api_key_header"));
        }
        if self.revocations.is_some() && self.tokens.is_none() && self.former.is_none() {
            return Err(NO_TOKENS.about_claim("revocations"));
        }
        Ok(())
    }

    /// The places that are looked at, for caches.
    fn vary(&self) -> Arc<str> {
        let mut names = vec!["Authorization"];
        names.extend(self.cookies.as_ref().map(|_| "Cookie"));
        let takes_keys = self.api_keys.is_some() || self.tokens.is_some();
        names.extend(takes_keys.then_some(&*self.api_key_header));
        names.join(", ").into()
    }

    fn server(self, own: Option<OwnSessions>, clock: Arc<dyn Clock>) -> Result<ResourceServer> {
        let mut server = match self.tokens {
            // It has a clock.
            Some(tokens) if self.clock.is_none() => tokens,
            tokens => tokens.unwrap_or_else(|| ResourceServer::builder("")).clock(clock),
        };
        if let Some(keys) = self.api_keys {
            server = server.api_keys(keys);
        }
        if let Some(list) = self.revocations {
            server = server.revocations(list);
        }
        if let Some(url) = self.metadata_url {
            server = server.metadata_url(url);
        }
        if let Some(realm) = self.realm {
            server = server.realm(realm);
        }
        if let Some(own) = own {
            server = server.sessions(own);
        }
        if let Some(former) = self.former {
            server = server.former(former);
        }
        server.in_guard().build()
    }
}

/// What verifies the sessions' own access tokens.
fn own_sessions(sessions: &Sessions) -> Result<OwnSessions> {
    sessions.check_open()?;
    let (tokens, clock) =
        sessions.own_tokens()?.ok_or_else(|| NO_SIGNER.about_claim("sessions"))?;
    let OwnTokens { keys, issuer, audiences, typ } = tokens;
    let revocations = Arc::new(sessions.revocations().clone());
    Ok(OwnSessions { keys, issuer, audiences, typ, revocations, clock })
}

impl fmt::Debug for GuardBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardBuilder")
            .field("api_keys", &self.api_keys)
            .field("sessions", &self.sessions.is_some())
            .field("tokens", &self.tokens)
            .field("origins", &self.origins)
            .field("trusted_proxies", &self.trusted)
            .finish_non_exhaustive()
    }
}

/// Unless set.
const API_KEY_HEADER: &str = "X-API-Key";
const CSRF_HEADER: &str = "X-CSRF-Token";

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const COOKIES: Error = refusal("Cookies of sessions are given, and no sessions that are in them.");
const NO_SIGNER: Error = refusal(
    "The sessions were opened without a signer, so that what verifies their access tokens is not known; open them with one.",
);
const PREFIX: Error = refusal("The prefix of IPv6 addresses has 32 to 128 bits.");
const REALM: Error = refusal(
    "A realm is 1 to 128 visible ASCII characters and spaces, without quotes and backslashes.",
);
const NO_COOKIES: Error = refusal(
    "A header for CSRF tokens is named, and no cookies of sessions are given (`cookies`), of which alone a token is asked: it would never be read.",
);
const NO_KEYS: Error = refusal(
    "A header for API keys is named, and no API keys are given (`api_keys`): it would never be read.",
);
const NO_TOKENS: Error = refusal(
    "A list of revoked tokens of others is given, and no others whose tokens are taken; sessions have their own list.",
)
.remedied(Remedy::GiveTokens);
const NO_PROXIES: Error = refusal(
    "A header for forwarded addresses is named, and no proxy that is trusted: it would never be read.",
)
.remedied(Remedy::TrustProxy);
