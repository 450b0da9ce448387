//! How the API's door is put together: by calls, or from a JSON object.

use super::asked::{Asked, IntrospectionOptions};
use super::server::{Door, Inner, ResourceServer};
use crate::apikey::ApiKeys;
use crate::base::json::fields;
use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, KeySource};
use crate::jwt::{Policy, RevocationList};
use crate::oauth::OAuthClient;
use crate::transport::Transport;
use std::fmt;
use std::sync::Arc;

/// How a [`ResourceServer`] is put together. At least one of [`Self::issuer`], [`Self::introspection`] and
/// [`Self::api_keys`].
#[derive(Clone)]
#[must_use]
pub struct ResourceServerBuilder {
    audience: String,
    issuer: Option<String>,
    keys: Option<Arc<dyn KeySource>>,
    types: Vec<String>,
    algorithms: Option<Vec<Alg>>,
    leeway: u64,
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
            issuer: None,
            keys: None,
            types: Vec::new(),
            algorithms: None,
            leeway: 0,
            revocations: None,
            introspection: None,
            asking: None,
            api_keys: None,
            metadata_url: None,
            scopes_supported: Vec::new(),
            clock: Arc::new(crate::base::clock::SystemClock),
        }
    }

    /// Reads a door: one JSON object with `audience`, and any of `issuer` (see [`Self::keys`]), `token_types`,
    /// `algorithms`, `leeway`, `metadata_url`, `scopes_supported`, and `introspection` with any of `ttl`, `negative_ttl`
    /// and `require_audience`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is no such object; the error's claim names the member.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let mut builder = ResourceServer::builder("");
        fields::read(text, fields::MOST, |field| {
            match field.name() {
                "audience" => builder.audience = field.text()?,
                "issuer" => builder.issuer = Some(field.text()?),
                "token_types" => {
                    builder.types = field.texts()?;
                    if builder.types.is_empty() {
                        return Err(field.refused(NO_TYPES));
                    }
                }
                "algorithms" => builder.algorithms = Some(field.names(Alg::from_name)?),
                "leeway" => builder.leeway = field.number()?,
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
    /// transport, or any others.
    pub fn issuer(mut self, issuer: impl Into<String>, keys: Arc<dyn KeySource>) -> Self {
        self.issuer = Some(issuer.into());
        self.keys(keys)
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

    /// Accepts tokens of this `typ` instead of `at+jwt`; several calls, several types. A server that types its access
    /// tokens `JWT` cannot be told from one that presents ID tokens but for the audience: give the API one of its own.
    pub fn token_type(mut self, typ: impl Into<String>) -> Self {
        self.types.push(typ.into());
        self
    }

    /// Accepts only these algorithms.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Alg>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// How many seconds the issuer's clock may be off; 0 unless set, 600 at most.
    pub const fn leeway(mut self, seconds: u64) -> Self {
        self.leeway = seconds;
        self
    }

    /// Refuses JWTs that are on this list.
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
    /// without an issuer. Those of the keys.
    pub fn build(self) -> Result<ResourceServer> {
        let issuer = match (&self.issuer, &self.keys) {
            (Some(issuer), Some(keys)) => Some((issuer, keys)),
            (None, None) => None,
            (Some(_), None) => return Err(NO_KEYS.about_claim("issuer")),
            (None, Some(_)) => return Err(fields::missing("issuer")),
        };
        if self.issuer.is_none() && self.introspection.is_none() && self.api_keys.is_none() {
            return Err(NOTHING);
        }
        if self.asking.is_some() && self.introspection.is_none() {
            return Err(NO_CLIENT.about_claim("introspection"));
        }
        if self.audience.is_empty() || self.audience.len() > 1024 {
            return Err(NO_AUDIENCE.about_claim("audience"));
        }
        if let Some(url) = &self.metadata_url {
            Url::checked(url, true).map_err(|error| {
                error.with_kind(ErrorKind::InvalidConfiguration).about_claim("metadata_url")
            })?;
        }
        let verifier = match issuer {
            None => None,
            Some((issuer, keys)) => {
                let mut policy = Policy::new()
                    .expect_issuer(issuer.as_str())
                    .expect_audience(&*self.audience)
                    .leeway(self.leeway)
                    .try_keys_without_kid()
                    .clock(Arc::clone(&self.clock));
                if self.types.is_empty() {
                    policy = policy.expect_type("at+jwt");
                    // RFC 9068 section 2.2, but for `jti`, which says nothing here.
                    for name in ["sub", "iat", "client_id"] {
                        policy = policy.require_claim(name);
                    }
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
                Some(Door::new(Arc::clone(keys), policy)?)
            }
        };
        let options = self.asking.unwrap_or_default();
        let asked = self.introspection.map(|(client, transport)| {
            Asked::new(client, transport, options, Arc::clone(&self.clock))
        });
        Ok(ResourceServer(Arc::new(Inner {
            verifier,
            asked,
            key_prefix: self.api_keys.as_ref().map(|keys| format!("{}_", keys.prefix())),
            api_keys: self.api_keys,
            issuer: self.issuer,
            audience: self.audience,
            metadata_url: self.metadata_url,
            scopes_supported: self.scopes_supported,
            leeway: self.leeway,
            clock: self.clock,
        })))
    }
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

const NO_TYPES: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The list of token types is empty: leave it out for `at+jwt`, or name what is accepted.",
);

const NO_CLIENT: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Options of the introspection are given, but no OAuth client that asks.",
);

const NOTHING: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A resource server needs an issuer, introspection or API keys; otherwise it lets nobody in.",
);

const NO_AUDIENCE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A resource server needs the identifier that tokens name as their audience.",
);
