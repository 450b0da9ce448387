//! How a resource server is put together: by calls, or from a JSON object.

use super::asked::{Asked, IntrospectionOptions};
use super::former::FormerTokens;
use super::issuers::{Issuer, Issuers};
use super::rule::DoorRule;
use super::server::{Inner, ResourceServer};
use crate::apikey::ApiKeys;
use crate::base::json::fields;
use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, KeySource};
use crate::jwt::RevocationList;
use crate::oauth::OAuthClient;
use crate::transport::Transport;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// How a [`ResourceServer`] is put together. At least one of [`Self::issuer`],
/// [`Self::introspection`] and [`Self::api_keys`].
#[derive(Clone)]
#[must_use]
pub struct ResourceServerBuilder {
    audience: String,
    /// What holds for the issuers that have no rule of their own, and where theirs says nothing.
    pub(super) door: DoorRule,
    rules: HashMap<String, DoorRule>,
    /// The one whose name and keys come apart.
    issuer: Option<String>,
    keys: Option<Arc<dyn KeySource>>,
    issuers: Vec<(String, Arc<dyn KeySource>)>,
    pub(super) revocations: Option<Arc<dyn RevocationList>>,
    introspection: Option<(OAuthClient, Arc<dyn Transport>)>,
    asking: Option<IntrospectionOptions>,
    api_keys: Option<ApiKeys>,
    metadata_url: Option<String>,
    scopes_supported: Vec<String>,
    /// The service's own sessions, in a guard.
    pub(super) sessions: Option<OwnSessions>,
    /// What it had before, in a guard.
    former: Option<FormerTokens>,
    realm: Option<String>,
    in_guard: bool,
    pub(super) clock: Arc<dyn crate::base::clock::Clock>,
}

/// The access tokens of a service's own sessions.
#[derive(Clone)]
pub(crate) struct OwnSessions {
    pub(crate) keys: Arc<dyn KeySource>,
    pub(crate) issuer: Option<String>,
    /// Each token names all of them.
    pub(crate) audiences: Vec<String>,
    pub(crate) typ: Option<String>,
    pub(crate) revocations: Arc<dyn RevocationList>,
    pub(crate) clock: Arc<dyn crate::base::clock::Clock>,
}

impl ResourceServerBuilder {
    pub(super) fn new(audience: String) -> Self {
        Self {
            audience,
            door: DoorRule::new(),
            rules: HashMap::new(),
            issuer: None,
            keys: None,
            issuers: Vec::new(),
            revocations: None,
            introspection: None,
            asking: None,
            api_keys: None,
            metadata_url: None,
            scopes_supported: Vec::new(),
            sessions: None,
            former: None,
            realm: None,
            in_guard: false,
            clock: Arc::new(crate::base::clock::SystemClock),
        }
    }

    /// Reads a door: one JSON object with `audience`, and any of `any_audience`, `clients`,
    /// `issuer` (see [`Self::keys`]), `token_types` (a list of texts, in which `null` is
    /// [`Self::allow_missing_type`]), `claims` (an object, see [`Self::claim`]), `algorithms`,
    /// `leeway`, `tenant_claim`, `metadata_url`, `scopes_supported`, `introspection` with any of
    /// `ttl`, `negative_ttl` and `require_audience`, and `issuers`, an object that has for an
    /// issuer's name the members that are otherwise with it ([`Self::issuer_rule`]): `audience` (a
    /// text or several), `any_audience`, `clients`, `token_types`, `claims`, `algorithms`, `leeway`
    /// and `tenant_claim`. Their keys are given by [`Self::issuer`].
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is no such object; the error's claim names the member.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let mut builder = ResourceServer::builder("");
        fields::read(text, fields::MOST, |field| {
            match field.name() {
                "audience" => builder.audience = field.text()?,
                "issuer" => builder.issuer = Some(field.text()?),
                "issuers" => field.fields(|issuer| {
                    let mut rule = DoorRule::new();
                    issuer.fields(|field| rule.member(field))?;
                    builder.rules.insert(issuer.name().to_owned(), rule);
                    Ok(())
                })?,
                "metadata_url" => builder.metadata_url = Some(field.text()?),
                "scopes_supported" => builder.scopes_supported = field.texts()?,
                "introspection" => {
                    let mut options = IntrospectionOptions::new();
                    field.fields(|field| options.member(field))?;
                    builder.asking = Some(options);
                }
                _ => builder.door.member(field)?,
            }
            Ok(())
        })?;
        Ok(builder)
    }

    /// Accepts the JWTs of this issuer, verified with these keys: a
    /// [`RemoteKeySet`](crate::oauth::RemoteKeySet) over a transport, or any others. Several calls,
    /// several issuers: each one's keys verify its own tokens and no others.
    pub fn issuer(mut self, issuer: impl Into<String>, keys: Arc<dyn KeySource>) -> Self {
        self.issuers.push((issuer.into(), keys));
        self
    }

    /// Accepts of this issuer's tokens what the rule says, instead of what the door says of all:
    /// its audience, clients, types, algorithms, leeway and claim for tenants. It holds for what
    /// that issuer answers about opaque tokens, too. For an issuer that is named by
    /// [`Self::issuer`] or asked by [`Self::introspection`]; a second rule replaces the first.
    pub fn issuer_rule(mut self, issuer: impl Into<String>, rule: DoorRule) -> Self {
        self.rules.insert(issuer.into(), rule);
        self
    }

    /// Accepts tokens for any audience and for none, of the clients that are named
    /// ([`Self::client`]): for issuers whose access tokens name no API. Where the builder has been
    /// given an identifier, the metadata tell it.
    pub fn any_audience(mut self) -> Self {
        self.door = self.door.any_audience();
        self
    }

    /// Accepts the tokens of this client alone, by `client_id`, `cid` or `appid`; several calls,
    /// several clients. `azp` and `aud`, by which ID tokens name their client, are not read.
    pub fn client(mut self, client_id: impl Into<String>) -> Self {
        self.door = self.door.client(client_id);
        self
    }

    /// The keys of the issuer, where it is named elsewhere: [`Self::from_json`],
    /// [`Self::issuer_name`].
    pub fn keys(mut self, keys: Arc<dyn KeySource>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The issuer's name; [`Self::keys`] are needed, too.
    pub fn issuer_name(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Accepts tokens of this `typ` instead of `at+jwt`; several calls, several types. Where access
    /// tokens are typed `JWT`, ID tokens are distinguished from them by their claims and by the
    /// audience: give the API one of its own.
    pub fn token_type(mut self, typ: impl Into<String>) -> Self {
        self.door = self.door.token_type(typ);
        self
    }

    /// Accepts tokens without `typ`, instead of `at+jwt` or beside those of [`Self::token_type`].
    pub fn allow_missing_type(mut self) -> Self {
        self.door = self.door.allow_missing_type();
        self
    }

    /// Accepts only tokens whose claim of this name has this value, given as JSON text; several
    /// calls of one name, any of the values ([`Policy::expect_claim`]). The same for the answers
    /// about opaque tokens. API keys have no claims.
    pub fn claim(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.door = self.door.claim(name, json);
        self
    }

    /// The claim that names a token's tenant, for [`Access::tenant`](super::Access::tenant) and
    /// [`Demand::tenant`](super::Demand::tenant); without it, only API keys have a tenant.
    pub fn tenant_claim(mut self, name: impl Into<String>) -> Self {
        self.door = self.door.tenant_claim(name);
        self
    }

    /// Accepts only these algorithms.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Alg>) -> Self {
        self.door = self.door.algorithms(algorithms);
        self
    }

    /// How many seconds an issuer's clock may be off: 30 unless set, 600 at most. For issuers whose
    /// keys are ours ([`KeySource::is_own`]), 0 unless set.
    pub fn leeway(mut self, seconds: u64) -> Self {
        self.door = self.door.leeway(seconds);
        self
    }

    /// Refuses tokens that are on this list. With one, introspection must tell `iat` and `exp`.
    pub fn revocations(mut self, list: Arc<dyn RevocationList>) -> Self {
        self.revocations = Some(list);
        self
    }

    /// Asks this client's server about tokens that are not JWTs of the issuer.
    pub fn introspection(
        mut self,
        client: OAuthClient,
        transport: Arc<dyn Transport>,
        options: IntrospectionOptions,
    ) -> Self {
        self.asking = Some(options);
        self.introspection_by(client, transport)
    }

    /// For how long the answers about opaque tokens are remembered, and what must be in them.
    pub const fn introspection_options(mut self, options: IntrospectionOptions) -> Self {
        self.asking = Some(options);
        self
    }

    /// As [`Self::introspection`], with the options that there are.
    pub fn introspection_by(mut self, client: OAuthClient, transport: Arc<dyn Transport>) -> Self {
        self.introspection = Some((client, transport));
        self
    }

    /// Accepts these API keys.
    pub fn api_keys(mut self, keys: ApiKeys) -> Self {
        self.api_keys = Some(keys);
        self
    }

    /// Where [`ResourceServer::metadata_json`] is served, for challenges (RFC 9728 section 5.1).
    pub fn metadata_url(mut self, url: impl Into<String>) -> Self {
        self.metadata_url = Some(url.into());
        self
    }

    /// The scopes that there are, for the metadata.
    pub fn scopes_supported(mut self, scopes: &[&str]) -> Self {
        self.scopes_supported = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    /// Accepts the access tokens of the service's own sessions, whatever their type, and whether
    /// they name an issuer or an audience.
    pub(crate) fn sessions(mut self, sessions: OwnSessions) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Accepts the tokens of what the service had before.
    pub(crate) fn former(mut self, former: FormerTokens) -> Self {
        self.former = Some(former);
        self
    }

    /// What challenges name as the realm (RFC 9110 section 11.5).
    pub(crate) fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// For a guard, which needs no identifier where it takes no tokens of others.
    pub(crate) const fn in_guard(mut self) -> Self {
        self.in_guard = true;
        self
    }

    /// The source of the time.
    pub fn clock(mut self, clock: Arc<dyn crate::base::clock::Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The resource server. Keys are fetched now, so that a wrong address shows in time; if their
    /// issuer is out of reach, with the first token.
    ///
    /// # Errors
    /// `InvalidConfiguration`: nothing would be accepted, or an option contradicts itself: an
    /// issuer without keys, keys without an issuer, an issuer twice, any audience without clients,
    /// a rule for an issuer that is not there. Those of the keys, and if the issuer's metadata name
    /// another issuer. `InvalidArgument`: the API keys or the revocations have been closed.
    pub fn build(mut self) -> Result<ResourceServer> {
        match (self.issuer.take(), self.keys.take()) {
            (Some(issuer), Some(keys)) => self.issuers.push((issuer, keys)),
            (None, None) => {}
            (Some(_), None) => return Err(NO_KEYS.about_claim("issuer")),
            (None, Some(_)) => return Err(fields::missing("issuer")),
        }
        self.check()?;
        if !self.audience.is_empty() {
            self.door.audiences = vec![self.audience.clone()];
        }
        let asked_issuer = self.introspection.as_ref().and_then(|(client, _)| client.issuer());
        let is_there = |name: &String| {
            asked_issuer == Some(&**name) || self.issuers.iter().any(|(issuer, _)| issuer == name)
        };
        if !self.rules.keys().all(is_there) {
            return Err(NO_ISSUER.about_claim("issuers"));
        }
        let has_rule = |(name, _): &(String, _)| self.rules.contains_key(name);
        // The door's own options need not be whole where they are not used as they are.
        let is_empty = self.issuers.is_empty() && !self.in_guard;
        if self.introspection.is_some() || !self.issuers.iter().all(has_rule) || is_empty {
            self.door = self.door.checked()?;
        }
        let rules: HashMap<String, DoorRule> = self
            .rules
            .iter()
            .map(|(name, rule)| Ok((name.clone(), rule.over(&self.door).checked()?)))
            .collect::<Result<_>>()?;
        let issuers = self
            .issuers
            .iter()
            .map(|(name, keys)| self.issuer_of(name, keys, rules.get(name).unwrap_or(&self.door)));
        let mut issuers: Vec<Issuer> = issuers.collect::<Result<_>>()?;
        issuers.extend(self.sessions.as_ref().map(|own| self.issuer_of_sessions(own)).transpose()?);
        issuers.extend(self.former.as_ref().map(|own| self.issuer_of_former(own)).transpose()?);
        let issuers = Issuers::new(issuers);
        let options = self.asking.unwrap_or_default();
        let asked = self.introspection.map(|(client, transport)| {
            Asked::new(client, transport, options, Arc::clone(&self.clock))
        });
        Ok(ResourceServer(Arc::new(Inner {
            issuers,
            asked,
            api_keys: self.api_keys,
            audience: self.audience,
            door: self.door,
            rules,
            revocations: self.revocations,
            metadata_url: self.metadata_url,
            scopes_supported: self.scopes_supported,
            realm: self.realm,
            clock: self.clock,
        })))
    }

    fn check(&self) -> Result<()> {
        let takes_tokens = !self.issuers.is_empty() || self.introspection.is_some();
        let takes_own = self.sessions.is_some() || self.former.is_some();
        if !takes_tokens && self.api_keys.is_none() && !takes_own {
            return Err(if self.in_guard { NOTHING_IN_GUARD } else { NOTHING });
        }
        self.api_keys.as_ref().map_or(Ok(()), ApiKeys::check_open)?;
        self.revocations.as_ref().map_or(Ok(()), |list| list.check_open())?;
        let mut names = HashSet::new();
        if self.issuers.iter().any(|(name, _)| name.is_empty() || !names.insert(name)) {
            return Err(ISSUER_TWICE.about_claim("issuers"));
        }
        let former = self.former.as_ref().and_then(|former| former.issuer.as_ref());
        if former.is_some_and(|name| names.contains(name)) {
            return Err(ISSUER_TWICE.about_claim("former_tokens"));
        }
        match (&self.asking, &self.introspection) {
            (Some(_), None) => return Err(NO_CLIENT.about_claim("introspection")),
            (Some(options), Some(_)) => options.check()?,
            (None, _) => {}
        }
        let url =
            self.metadata_url.as_ref().map_or(Ok(()), |url| Url::checked(url, true).map(drop));
        url.map_err(|error| {
            error.with_kind(ErrorKind::InvalidConfiguration).about_claim("metadata_url")
        })
    }

    fn issuer_of(&self, name: &str, keys: &Arc<dyn KeySource>, rule: &DoorRule) -> Result<Issuer> {
        let leeway = rule.leeway.unwrap_or_else(|| if keys.is_own() { 0 } else { LEEWAY });
        let mut policy = rule.policy(Some(name), leeway).clock(Arc::clone(&self.clock));
        if let Some(list) = &self.revocations {
            policy = policy.revocations(Arc::clone(list));
        }
        Issuer::new(name.into(), Arc::clone(keys), policy, rule.clone(), leeway)
    }

    /// Those of our own sessions: what the tokens say beside is known, and nothing of it is asked
    /// of who configures the door.
    fn issuer_of_sessions(&self, own: &OwnSessions) -> Result<Issuer> {
        let tenant_claim = self.door.tenant_claim.clone().unwrap_or_else(|| "tenant".to_owned());
        let mut rule = DoorRule::new().tenant_claim(tenant_claim);
        rule.audiences.clone_from(&own.audiences);
        rule = match &own.typ {
            Some(typ) => rule.token_type(typ),
            None => rule.allow_missing_type(),
        };
        let policy = rule
            .policy(own.issuer.as_deref(), 0)
            .require_claim("sub")
            .require_claim("sid")
            .clock(Arc::clone(&own.clock))
            .revocations(Arc::clone(&own.revocations));
        let name = own.issuer.as_deref().unwrap_or_default().into();
        Ok(Issuer::new(name, Arc::clone(&own.keys), policy, rule, 0)?.of_sessions())
    }
}

/// How far the clocks of other servers may be off, in seconds.
pub(super) const LEEWAY: u64 = 30;

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceServerBuilder({})", self.audience)
    }
}

const NO_KEYS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "An `issuer` is named, but no keys are given that its tokens are verified with (`keys`).",
);

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const NO_CLIENT: Error =
    refusal("Options of the introspection are given, but no OAuth client that asks.");
const NOTHING: Error = refusal(
    "A resource server needs an `issuer`, an `introspection` client or `api_keys`; otherwise it refuses all requests.",
);
const NOTHING_IN_GUARD: Error = refusal(
    "A guard was given nobody to let in: give it `api_keys`, `sessions`, or who verifies the tokens of others (`tokens`, an issuer); otherwise it refuses all requests.",
);
const ISSUER_TWICE: Error =
    refusal("An issuer is named twice, or has no name; name each once, with all of its keys.");
const NO_ISSUER: Error = refusal(
    "A rule is for an issuer that is neither named with its keys nor asked about tokens; names are compared byte by byte.",
);
