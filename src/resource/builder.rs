//! How the API's door is put together: by calls, or from a JSON object.

use super::asked::{Asked, IntrospectionOptions};
use super::issuers::{Issuer, Issuers};
use super::server::{Inner, ResourceServer};
use crate::apikey::ApiKeys;
use crate::base::json::Kind;
use crate::base::json::fields::{self, Field};
use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, KeySource};
use crate::jwt::{Policy, RevocationList};
use crate::oauth::OAuthClient;
use crate::transport::Transport;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// How a [`ResourceServer`] is put together. At least one of [`Self::issuer`], [`Self::introspection`] and
/// [`Self::api_keys`].
#[derive(Clone)]
#[must_use]
pub struct ResourceServerBuilder {
    audience: String,
    any_audience: bool,
    clients: Option<Vec<String>>,
    /// The one whose name and keys come apart.
    issuer: Option<String>,
    keys: Option<Arc<dyn KeySource>>,
    issuers: Vec<(String, Arc<dyn KeySource>)>,
    types: Vec<String>,
    untyped: bool,
    algorithms: Option<Vec<Alg>>,
    leeway: Option<u64>,
    tenant_claim: Option<String>,
    revocations: Option<Arc<dyn RevocationList>>,
    introspection: Option<(OAuthClient, Arc<dyn Transport>)>,
    asking: Option<IntrospectionOptions>,
    api_keys: Option<ApiKeys>,
    metadata_url: Option<String>,
    scopes_supported: Vec<String>,
    clock: Arc<dyn crate::base::clock::Clock>,
}

impl ResourceServerBuilder {
    pub(super) fn new(audience: String) -> Self {
        Self {
            audience,
            any_audience: false,
            clients: None,
            issuer: None,
            keys: None,
            issuers: Vec::new(),
            types: Vec::new(),
            untyped: false,
            algorithms: None,
            leeway: None,
            tenant_claim: None,
            revocations: None,
            introspection: None,
            asking: None,
            api_keys: None,
            metadata_url: None,
            scopes_supported: Vec::new(),
            clock: Arc::new(crate::base::clock::SystemClock),
        }
    }

    /// Reads a door: one JSON object with `audience`, and any of `any_audience`, `clients`, `issuer` (see [`Self::keys`]),
    /// `token_types` (a list of texts, in which `null` is [`Self::allow_missing_type`]), `algorithms`, `leeway`,
    /// `tenant_claim`, `metadata_url`, `scopes_supported`, and `introspection` with any of `ttl`, `negative_ttl` and
    /// `require_audience`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is no such object; the error's claim names the member.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let mut builder = ResourceServer::builder("");
        fields::read(text, fields::MOST, |field| {
            match field.name() {
                "audience" => builder.audience = field.text()?,
                "issuer" => builder.issuer = Some(field.text()?),
                "any_audience" => builder.any_audience = field.flag()?,
                "clients" => builder.clients = Some(field.texts()?),
                "token_types" => (builder.types, builder.untyped) = token_types(field)?,
                "algorithms" => builder.algorithms = Some(field.names(Alg::from_name)?),
                "leeway" => builder.leeway = Some(field.number()?),
                "tenant_claim" => builder.tenant_claim = Some(field.text()?),
                "metadata_url" => builder.metadata_url = Some(field.text()?),
                "scopes_supported" => builder.scopes_supported = field.texts()?,
                "introspection" => {
                    let mut options = IntrospectionOptions::new();
                    field.fields(|field| options.member(field))?;
                    builder.asking = Some(options);
                }
                _ => return Err(field.unknown()),
            }
            Ok(())
        })?;
        Ok(builder)
    }

    /// Accepts the JWTs of this issuer, verified with these keys: a [`RemoteKeySet`](crate::oauth::RemoteKeySet) over a
    /// transport, or any others. Several calls, several issuers: each one's keys verify its own tokens and no others.
    pub fn issuer(mut self, issuer: impl Into<String>, keys: Arc<dyn KeySource>) -> Self {
        self.issuers.push((issuer.into(), keys));
        self
    }

    /// Accepts tokens for any audience and for none, of the clients that are named ([`Self::client`]): for issuers whose
    /// access tokens name no API. Where the builder has been given an identifier, the metadata tell it.
    pub const fn any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// Accepts the tokens of this client alone, by `client_id`, `cid` or `appid`; several calls, several clients. `azp` and
    /// `aud`, by which ID tokens name their client, are not read.
    pub fn client(mut self, client_id: impl Into<String>) -> Self {
        self.clients.get_or_insert_default().push(client_id.into());
        self
    }

    /// The keys of the issuer, where it is named elsewhere: [`Self::from_json`], [`Self::issuer_name`].
    pub fn keys(mut self, keys: Arc<dyn KeySource>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The issuer's name; [`Self::keys`] are needed, too.
    pub fn issuer_name(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Accepts tokens of this `typ` instead of `at+jwt`; several calls, several types. Where access tokens are typed `JWT`,
    /// ID tokens are told from them by their claims and by the audience: give the API one of its own.
    pub fn token_type(mut self, typ: impl Into<String>) -> Self {
        self.types.push(typ.into());
        self
    }

    /// Accepts tokens without `typ`, instead of `at+jwt` or beside those of [`Self::token_type`].
    pub const fn allow_missing_type(mut self) -> Self {
        self.untyped = true;
        self
    }

    /// The claim that names a token's tenant, for [`Access::tenant`](super::Access::tenant) and
    /// [`Demand::tenant`](super::Demand::tenant); without it, only API keys have a tenant.
    pub fn tenant_claim(mut self, name: impl Into<String>) -> Self {
        self.tenant_claim = Some(name.into());
        self
    }

    /// Accepts only these algorithms.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Alg>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// How many seconds an issuer's clock may be off: 30 unless set, 600 at most. For issuers whose keys are ours
    /// ([`KeySource::is_own`]), 0 unless set.
    pub const fn leeway(mut self, seconds: u64) -> Self {
        self.leeway = Some(seconds);
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

    /// The source of the time.
    pub fn clock(mut self, clock: Arc<dyn crate::base::clock::Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The resource server. Keys are fetched now, so that a wrong address shows in time; if their issuer is out of
    /// reach, with the first token.
    ///
    /// # Errors
    /// `InvalidConfiguration`: nothing would be accepted, or an option contradicts itself: an issuer without keys, keys
    /// without an issuer, an issuer twice, any audience without clients. Those of the keys.
    pub fn build(mut self) -> Result<ResourceServer> {
        match (self.issuer.take(), self.keys.take()) {
            (Some(issuer), Some(keys)) => self.issuers.push((issuer, keys)),
            (None, None) => {}
            (Some(_), None) => return Err(NO_KEYS.about_claim("issuer")),
            (None, Some(_)) => return Err(fields::missing("issuer")),
        }
        self.check()?;
        let issuers = self.issuers.iter().map(|(name, keys)| self.issuer_of(name, keys));
        let issuers = Issuers::new(issuers.collect::<Result<_>>()?);
        let options = self.asking.unwrap_or_default();
        let asked = self.introspection.map(|(client, transport)| {
            Asked::new(client, transport, options, Arc::clone(&self.clock))
        });
        Ok(ResourceServer(Arc::new(Inner {
            issuers,
            asked,
            api_keys: self.api_keys,
            audience: self.audience,
            any_audience: self.any_audience,
            clients: self.clients.unwrap_or_default(),
            profiled: self.types.is_empty() && !self.untyped,
            tenant_claim: self.tenant_claim,
            revocations: self.revocations,
            metadata_url: self.metadata_url,
            scopes_supported: self.scopes_supported,
            leeway: self.leeway.unwrap_or(LEEWAY),
            clock: self.clock,
        })))
    }

    fn check(&self) -> Result<()> {
        if self.issuers.is_empty() && self.introspection.is_none() && self.api_keys.is_none() {
            return Err(NOTHING);
        }
        let mut names = HashSet::new();
        if self.issuers.iter().any(|(name, _)| name.is_empty() || !names.insert(name)) {
            return Err(ISSUER_TWICE.about_claim("issuers"));
        }
        if self.asking.is_some() && self.introspection.is_none() {
            return Err(NO_CLIENT.about_claim("introspection"));
        }
        if self.clients.as_ref().is_some_and(|all| all.is_empty() || all.contains(&String::new())) {
            return Err(EMPTY_CLIENTS.about_claim("clients"));
        }
        if self.any_audience && self.clients.is_none() {
            return Err(ANY_CLIENT.about_claim("clients"));
        }
        let is_named = self.any_audience || !self.audience.is_empty();
        if !is_named || self.audience.len() > 1024 {
            return Err(NO_AUDIENCE.about_claim("audience"));
        }
        if self.leeway.is_some_and(|leeway| leeway > Policy::MAX_LEEWAY) {
            return Err(LONG_LEEWAY.about_claim("leeway"));
        }
        if self.types.iter().any(String::is_empty) {
            return Err(EMPTY_TYPE.about_claim("token_types"));
        }
        if self.tenant_claim.as_ref().is_some_and(String::is_empty) {
            return Err(EMPTY_TENANT_CLAIM.about_claim("tenant_claim"));
        }
        let url =
            self.metadata_url.as_ref().map_or(Ok(()), |url| Url::checked(url, true).map(drop));
        url.map_err(|error| {
            error.with_kind(ErrorKind::InvalidConfiguration).about_claim("metadata_url")
        })
    }

    fn issuer_of(&self, name: &str, keys: &Arc<dyn KeySource>) -> Result<Issuer> {
        let leeway = self.leeway.unwrap_or_else(|| if keys.is_own() { 0 } else { LEEWAY });
        let mut policy = Policy::new()
            .expect_issuer(name)
            .leeway(leeway)
            .try_keys_without_kid()
            .empty_audience_is_absent()
            .clock(Arc::clone(&self.clock));
        policy = match self.any_audience {
            true => policy.ignore_audience(),
            false => policy.expect_audience(&*self.audience),
        };
        if self.untyped {
            policy = policy.allow_missing_type();
        } else if self.types.is_empty() {
            policy = policy.expect_type("at+jwt");
        }
        for typ in &self.types {
            policy = policy.expect_type(typ.as_str());
        }
        if let Some(algorithms) = &self.algorithms {
            policy = policy.algorithms(algorithms.iter().copied());
        }
        if let Some(list) = &self.revocations {
            policy = policy.revocations(Arc::clone(list));
        }
        Issuer::new(name.to_owned(), Arc::clone(keys), policy, leeway)
    }
}

/// How far the clocks of other servers may be off, in seconds.
const LEEWAY: u64 = 30;

/// The types that are named, and whether tokens without one are accepted.
fn token_types(field: &Field<'_>) -> Result<(Vec<String>, bool)> {
    let (mut types, mut untyped) = (Vec::new(), false);
    if field.value().kind() != Kind::Array {
        return Err(field.refused(NO_TYPES));
    }
    for value in field.value().elements() {
        match value.as_str() {
            Some(typ) => types.push(typ.into_owned()),
            None if value.kind() == Kind::Null => untyped = true,
            None => return Err(field.refused(NO_TYPES)),
        }
    }
    if types.is_empty() && !untyped {
        return Err(field.refused(NO_TYPES));
    }
    Ok((types, untyped))
}

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceServerBuilder({})", self.audience)
    }
}

const NO_KEYS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "An issuer is named, but no keys are given that its tokens are verified with.",
);

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const NO_TYPES: Error = refusal(
    "The token types are a list of what is accepted, with `null` (Python: None) for tokens without one; leave the list out for `at+jwt` alone.",
);
const EMPTY_TYPE: Error = refusal(
    "A token type is empty: put `null` (Python: None) into the list for tokens without `typ`, or name the type.",
);
const NO_CLIENT: Error =
    refusal("Options of the introspection are given, but no OAuth client that asks.");
const NOTHING: Error = refusal(
    "A resource server needs an issuer, introspection or API keys; otherwise it lets nobody in.",
);
const NO_AUDIENCE: Error = refusal(
    "A resource server needs the identifier that tokens name as their audience, of 1 to 1024 bytes; where they name none, say that any is accepted.",
);
const ANY_CLIENT: Error = refusal(
    "Any audience is accepted, and the clients are not named: every token of the issuer would open this API. Name in `clients` whose tokens do.",
);
const EMPTY_CLIENTS: Error = refusal(
    "The list of clients is empty, or one has no name; leave it out to accept the tokens of every client.",
);
const ISSUER_TWICE: Error =
    refusal("An issuer is named twice, or has no name; name each once, with all of its keys.");
const LONG_LEEWAY: Error =
    refusal("The leeway is more than 600 seconds; correct the clocks instead.");
const EMPTY_TENANT_CLAIM: Error =
    refusal("The name of the claim for tenants is empty; leave it out, or name a claim.");
