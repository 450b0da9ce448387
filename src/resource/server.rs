//! What is accepted, and the one call that accepts it.

use super::asked::Asked;
use super::builder::ResourceServerBuilder;
use crate::apikey::{ApiKeys, Check};
use crate::base::json::{self, Kind, Value};
use crate::base::process::enter;
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::KeySource;
use crate::jwt::{Policy, Verifier};
use crate::oauth::{Introspection, is_logout};
use core::net::IpAddr;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What one call demands of its caller.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Demand<'a> {
    /// Every one of these must have been granted.
    pub scopes: &'a [&'a str],
    /// One of these must be how the user signed in (`acr`, RFC 9470).
    pub acr_values: &'a [&'a str],
    /// The user must have signed in within this many seconds (`auth_time`, RFC 9470).
    pub max_age: Option<u64>,
    /// The caller's address, for API keys with an allow-list.
    pub address: Option<IpAddr>,
}

impl<'a> Demand<'a> {
    /// Any caller that is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every one of these must have been granted.
    pub const fn scopes(mut self, scopes: &'a [&'a str]) -> Self {
        self.scopes = scopes;
        self
    }

    /// One of these must be how the user signed in.
    pub const fn acr_values(mut self, values: &'a [&'a str]) -> Self {
        self.acr_values = values;
        self
    }

    /// The user must have signed in within this many seconds.
    pub const fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// The caller's address.
    pub const fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }
}

/// What kind of credential let someone in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccessKind {
    /// An access token that says everything itself (RFC 9068).
    Jwt,
    /// A token that the authorization server was asked about (RFC 7662).
    Opaque,
    /// An API key.
    ApiKey,
}

impl AccessKind {
    /// The name: `jwt`, `opaque`, `api_key`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
            Self::ApiKey => "api_key",
        }
    }
}

/// Who calls, and what they may do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Access {
    /// What they presented.
    pub kind: AccessKind,
    /// Who it is: a token's `sub`, an API key's owner.
    pub subject: Option<String>,
    /// What acts for them: a token's `client_id`, an API key's id.
    pub client_id: Option<String>,
    /// What was granted.
    pub scopes: Vec<String>,
    /// Until when, in seconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// The token's claims, or the server's answer: the text of one JSON object. `{}` for an API key.
    pub claims_json: String,
}

impl Access {
    /// Whether a scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// An API's door: safe to share between threads, cheap to clone, usable after a fork.
///
/// ```
/// use gatekey::{Alg, Claims, Key, KeySet, ResourceServer, Signer};
/// use gatekey::resource::Demand;
/// use std::sync::Arc;
///
/// let key = Key::generate(Alg::Es256)?;
/// let keys = Arc::new(KeySet::new([key.public()?])?); // in earnest a RemoteKeySet
/// let api = ResourceServer::builder("https://api.example").issuer("https://auth.example", keys).build()?;
///
/// let signer = Signer::builder(&key).issuer("https://auth.example").audience("https://api.example");
/// let claims = Claims::new().subject("alice").claim_str("client_id", "app").claim_str("scope", "read");
/// let token = signer.typ("at+jwt").build()?.sign(&claims)?;
///
/// let demand = Demand::new().scopes(&["read"]);
/// let access = api.check(Some(&format!("Bearer {token}")), &demand)?;
/// assert_eq!(access.subject.as_deref(), Some("alice"));
///
/// let demand = Demand::new().scopes(&["write"]);
/// let error = api.check(Some(&format!("Bearer {token}")), &demand).unwrap_err();
/// assert_eq!(error.kind().http_status(), 403);
/// let challenge = api.challenge(&error, &demand).unwrap();
/// assert!(challenge.starts_with(r#"Bearer error="insufficient_scope""#));
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct ResourceServer(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) verifier: Option<Door>,
    pub(super) asked: Option<Asked>,
    pub(super) api_keys: Option<ApiKeys>,
    /// What an API key of ours begins with.
    pub(super) key_prefix: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) audience: String,
    pub(super) metadata_url: Option<String>,
    pub(super) scopes_supported: Vec<String>,
    pub(super) leeway: u64,
    pub(super) clock: Arc<dyn crate::base::clock::Clock>,
}

/// A verifier that may have to wait for its issuer.
pub(super) struct Door {
    keys: Arc<dyn KeySource>,
    policy: Policy,
    verifier: OnceLock<Verifier>,
}

impl Door {
    pub(super) fn new(keys: Arc<dyn KeySource>, policy: Policy) -> Result<Self> {
        let door = Self { keys, policy, verifier: OnceLock::new() };
        match door.get() {
            Err(error) if !error.is_unavailable() => return Err(error),
            _ => {}
        }
        Ok(door)
    }

    #[inline]
    fn get(&self) -> Result<&Verifier> {
        match self.verifier.get() {
            Some(verifier) => Ok(verifier),
            None => {
                let verifier = Verifier::following(Arc::clone(&self.keys), self.policy.clone())?;
                let _inside = enter(); // a cell that a fork copies half made would never be ready
                Ok(self.verifier.get_or_init(|| verifier))
            }
        }
    }
}

impl ResourceServer {
    /// A door for the API of this identifier: what tokens must name as their audience.
    pub fn builder(audience: impl Into<String>) -> ResourceServerBuilder {
        ResourceServerBuilder::new(audience.into())
    }

    /// Who calls, by the value of the request's one `Authorization` header; `None` for a request without.
    ///
    /// # Errors
    /// `MissingCredentials`; the 1000s and 3000s; `TokenInactive`; `InsufficientScope`; `InsufficientAuthentication`;
    /// `StoreUnavailable`, `OauthServerFailed` and the 7000s if it cannot be known. Answer `http_status` with
    /// [`Self::challenge`].
    pub fn check(&self, authorization: Option<&str>, demand: &Demand<'_>) -> Result<Access> {
        self.check_token(bearer(authorization)?, demand)
    }

    /// Who calls, by the credential itself.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_token(&self, token: &str, demand: &Demand<'_>) -> Result<Access> {
        let inner = &*self.0;
        if token.is_empty() {
            return Err(ErrorKind::MissingCredentials.into());
        }
        let is_jws = token.bytes().filter(|&byte| byte == b'.').count() == 2;
        let is_ours = inner.key_prefix.as_ref().is_some_and(|prefix| token.starts_with(&**prefix));
        match (&inner.verifier, &inner.asked, &inner.api_keys) {
            (_, _, Some(keys)) if is_ours && !is_jws => api_key(keys, token, demand),
            (Some(verifier), _, _) if is_jws => inner.jwt(verifier, token, demand),
            (_, Some(asked), _) => inner.opaque(asked, token, demand),
            (_, None, Some(keys)) if !is_jws => api_key(keys, token, demand),
            (Some(verifier), None, _) => inner.jwt(verifier, token, demand),
            _ => Err(ErrorKind::MalformedToken.into()),
        }
    }
}

/// What follows `Bearer` (RFC 6750 section 2.1).
fn bearer(authorization: Option<&str>) -> Result<&str> {
    let value = authorization.unwrap_or_default().trim_matches([' ', '\t']);
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ErrorKind::MissingCredentials.into());
    }
    Ok(token.trim_start_matches(' '))
}

fn api_key(keys: &ApiKeys, token: &str, demand: &Demand<'_>) -> Result<Access> {
    if !demand.acr_values.is_empty() || demand.max_age.is_some() {
        // Nobody has signed in.
        return Err(ErrorKind::InsufficientAuthentication.into());
    }
    let mut check = Check::new().scopes(demand.scopes);
    if let Some(address) = demand.address {
        check = check.ip(address);
    }
    let grant = keys.verify(token, &check)?;
    Ok(Access {
        kind: AccessKind::ApiKey,
        subject: Some(grant.owner().to_owned()),
        client_id: Some(grant.key_id().to_owned()),
        scopes: grant
            .scopes()
            .split(' ')
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect(),
        expires_at: grant.expires_at(),
        claims_json: "{}".to_owned(),
    })
}

impl Inner {
    fn jwt(&self, verifier: &Door, token: &str, demand: &Demand<'_>) -> Result<Access> {
        let verified = verifier.get()?.verify(token)?;
        let claims = verified.claims();
        let scopes = scopes(&claims);
        if is_logout(&claims) {
            return Err(LOGOUT.about_claim("events"));
        }
        if verified.subject().is_some_and(|subject| subject.is_empty()) {
            return Err(NOBODY.about_claim("sub"));
        }
        self.admit(&claims, &scopes, demand)?;
        let text = |name: &str| claims.member(name).and_then(|text| text.as_str());
        // Entra and others name the client `azp`.
        let client_id = text("client_id").or_else(|| text("azp")).map(String::from);
        Ok(Access {
            kind: AccessKind::Jwt,
            subject: verified.subject().map(String::from),
            client_id,
            scopes: scopes.into_iter().map(String::from).collect(),
            expires_at: verified.expires_at().and_then(|end| u64::try_from(end).ok()),
            claims_json: verified.claims_json().to_owned(),
        })
    }

    fn opaque(&self, asked: &Asked, token: &str, demand: &Demand<'_>) -> Result<Access> {
        let answer = asked.about(&Secret::from(token.to_owned()))?;
        let Introspection { active, subject, client_id, expires_at, claims_json, .. } = &*answer;
        if !active {
            return Err(ErrorKind::TokenInactive.into());
        }
        let claims = json::parse(claims_json.as_bytes())?;
        let audience = claims.given("aud");
        let names_us = |value: &Value<'_>| value.as_str().as_deref() == Some(&*self.audience);
        let is_for_us = match &audience {
            None => !asked.wants_audience(),
            Some(list) if list.kind() == Kind::Array => list.elements().any(|one| names_us(&one)),
            Some(one) => names_us(one),
        };
        if !is_for_us {
            return Err(ErrorKind::InvalidAudience.into());
        }
        let scopes = scopes(&claims);
        self.admit(&claims, &scopes, demand)?;
        Ok(Access {
            kind: AccessKind::Opaque,
            subject: subject.clone(),
            client_id: client_id.clone(),
            scopes: scopes.into_iter().map(String::from).collect(),
            expires_at: *expires_at,
            claims_json: claims_json.clone(),
        })
    }

    /// Holds a good token against what the call demands.
    fn admit(
        &self,
        claims: &Value<'_>,
        scopes: &[Cow<'_, str>],
        demand: &Demand<'_>,
    ) -> Result<()> {
        if claims.member("cnf").is_some() {
            return Err(BOUND.about_claim("cnf"));
        }
        if demand.scopes.iter().any(|wanted| !scopes.iter().any(|granted| granted == wanted)) {
            return Err(ErrorKind::InsufficientScope.into());
        }
        if !demand.acr_values.is_empty() {
            let acr = claims.member("acr").and_then(|acr| acr.as_str());
            if !acr.is_some_and(|acr| demand.acr_values.contains(&&*acr)) {
                return Err(ErrorKind::InsufficientAuthentication.into());
            }
        }
        if let Some(max_age) = demand.max_age {
            let at = claims.member("auth_time").as_ref().and_then(Value::as_f64);
            let now = crate::base::clock::plausible(self.clock.now())?;
            #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
            let oldest = now.saturating_sub(max_age.saturating_add(self.leeway)) as f64;
            if !at.is_some_and(|at| at >= oldest) {
                return Err(ErrorKind::InsufficientAuthentication.into());
            }
        }
        Ok(())
    }
}

/// `scope` (RFC 9068 section 2.2.3), or `scp`, as Entra (a text) and Okta (a list) have it.
fn scopes<'a>(claims: &Value<'a>) -> Vec<Cow<'a, str>> {
    let Some(value) = claims.given("scope").or_else(|| claims.given("scp")) else {
        return Vec::new();
    };
    if value.kind() == Kind::Array {
        return value.elements().filter_map(|scope| scope.as_str()).collect();
    }
    match value.as_str() {
        Some(Cow::Borrowed(text)) => {
            text.split(' ').filter(|s| !s.is_empty()).map(Cow::Borrowed).collect()
        }
        Some(Cow::Owned(text)) => {
            text.split(' ').filter(|s| !s.is_empty()).map(|s| Cow::Owned(s.to_owned())).collect()
        }
        None => Vec::new(),
    }
}

const NOBODY: Error =
    Error::new(ErrorKind::InvalidClaim, "The token is about nobody: its `sub` is there and empty.");
const LOGOUT: Error =
    Error::new(ErrorKind::InvalidClaim, "This is a logout token, which opens nothing (`events`).");
const BOUND: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The token is bound to a key (`cnf`) that its bearer has not proven; such tokens are not accepted.",
);

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer")
            .field("audience", &self.0.audience)
            .field("issuer", &self.0.issuer)
            .field("introspects", &self.0.asked.is_some())
            .field("api_keys", &self.0.api_keys.is_some())
            .finish_non_exhaustive()
    }
}
