//! What a client knows of its authorization server and of itself. A configuration is text (JSON) or a builder;
//! a preset is such a text that gatekey brings along ([`super::presets`]), and whatever follows it overrides it.

use super::auth::AuthMethod;
use super::presets;
use super::quirks::Quirks;
use crate::base::clock::{Clock, SystemClock};
use crate::base::json::{self, Kind, Value};
use crate::base::random::SecureRandom;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key};
use crate::pepper::Peppers;
use std::fmt;
use std::sync::Arc;

/// Remembers which log-ins have been finished, so that a callback that is replayed by whoever kept its cookie is
/// refused here and not only by the authorization server.
pub trait SeenOnce: Send + Sync {
    /// Whether this is the first time; from now on, until `expires_at` (seconds since the Unix epoch), it is not.
    ///
    /// # Errors
    /// Those of the store; the log-in is then refused.
    fn seen_once(&self, issuer: &str, id: &str, expires_at: u64) -> Result<bool>;
}

/// The addresses of an authorization server, by the names of RFC 8414 section 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) authorization: Option<String>,
    pub(super) token: Option<String>,
    pub(super) userinfo: Option<String>,
    pub(super) jwks: Option<String>,
    pub(super) revocation: Option<String>,
    pub(super) introspection: Option<String>,
    pub(super) device: Option<String>,
    pub(super) pushed: Option<String>,
    pub(super) end_session: Option<String>,
}

impl Endpoints {
    /// Every endpoint with its name in metadata.
    pub(super) fn each(&mut self) -> [(&'static str, &mut Option<String>); 9] {
        [
            ("authorization_endpoint", &mut self.authorization),
            ("token_endpoint", &mut self.token),
            ("userinfo_endpoint", &mut self.userinfo),
            ("jwks_uri", &mut self.jwks),
            ("revocation_endpoint", &mut self.revocation),
            ("introspection_endpoint", &mut self.introspection),
            ("device_authorization_endpoint", &mut self.device),
            ("pushed_authorization_request_endpoint", &mut self.pushed),
            ("end_session_endpoint", &mut self.end_session),
        ]
    }
}

/// How a client is registered with its authorization server. Built by value; checked as a whole by
/// [`OAuthClient::new`](crate::OAuthClient::new).
///
/// ```
/// use gatekey::{OAuthClient, OAuthConfig, Secret};
/// let config = OAuthConfig::new("my-client")
///     .preset("github")?
///     .client_secret(Secret::from("from the environment".to_owned()))
///     .redirect_uri("https://app.example/callback");
/// let client = OAuthClient::new(config)?;
/// # let _ = client;
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct OAuthConfig {
    pub(super) issuer: Option<String>,
    pub(super) discover: bool,
    pub(super) endpoints: Endpoints,
    pub(super) client_id: String,
    pub(super) secret: Option<Secret>,
    pub(super) key: Option<Key>,
    pub(super) method: Option<AuthMethod>,
    pub(super) redirect_uri: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) id_token_algs: Vec<Alg>,
    pub(super) trusted_audiences: Vec<String>,
    pub(super) tenants: Vec<String>,
    pub(super) quirks: Quirks,
    pub(super) variables: Vec<(String, String)>,
    pub(super) allow_loopback_http: bool,
    pub(super) require_pkce: bool,
    pub(super) leeway: u64,
    pub(super) deadline_ms: u64,
    pub(super) flow_keys: Option<Peppers>,
    pub(super) replay: Option<Arc<dyn SeenOnce>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn SecureRandom>,
}

impl OAuthConfig {
    /// A client with this id, of an authorization server that is named by the calls that follow.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            issuer: None,
            discover: true,
            endpoints: Endpoints::default(),
            client_id: client_id.into(),
            secret: None,
            key: None,
            method: None,
            redirect_uri: None,
            scopes: Vec::new(),
            id_token_algs: Vec::new(),
            trusted_audiences: Vec::new(),
            tenants: Vec::new(),
            quirks: Quirks::default(),
            variables: Vec::new(),
            allow_loopback_http: false,
            require_pkce: false,
            leeway: 60,
            deadline_ms: 10_000,
            flow_keys: None,
            replay: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// Reads a configuration: one JSON object of at most 64 KiB, with the members of `docs/oauth.md`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is not one; a member is not known or has a wrong type, and the error's claim
    /// names it. Those of [`Key::from_jwk`] and [`Key::from_pem`].
    pub fn from_json(text: &[u8]) -> Result<Self> {
        if text.len() > 64 * 1024 {
            return Err(NOT_A_CONFIGURATION);
        }
        let value = json::parse(text).map_err(|_| NOT_A_CONFIGURATION)?;
        if value.kind() != Kind::Object {
            return Err(NOT_A_CONFIGURATION);
        }
        let mut config = Self::new("");
        if let Some(preset) = value.member("preset") {
            config = config.preset(&preset.as_str().ok_or_else(|| wrong("preset"))?)?;
        }
        config.apply(&value)?;
        Ok(config)
    }

    /// Takes over what is known about a provider: `github`, `google`, `microsoft`, `facebook`, `apple`, `gitlab`,
    /// `discord`, `slack`, `linkedin`, `auth0`, `okta`, `keycloak`. Later calls override it.
    ///
    /// # Errors
    /// `InvalidConfiguration`: there is no such preset.
    pub fn preset(mut self, name: &str) -> Result<Self> {
        let text = presets::find(name).ok_or(NO_SUCH_PRESET)?;
        self.apply(&text)?;
        Ok(self)
    }

    /// A value for a placeholder of the preset, for example `tenant`, `domain` or `base_url`.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
        self
    }

    /// The authorization server by its issuer: its metadata is fetched when it is first needed (OpenID Connect
    /// Discovery section 4, RFC 8414 section 3) and must name this very issuer, byte by byte.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self.discover = true;
        self
    }

    /// Whether the issuer's metadata are fetched; they are, unless a preset knows better. Without them the endpoints must be
    /// configured, `jwks_uri` for ID tokens too.
    pub const fn discover(mut self, discover: bool) -> Self {
        self.discover = discover;
        self
    }

    /// One endpoint, by its name in metadata (RFC 8414 section 2), for example `token_endpoint`. It is used instead
    /// of what metadata say; a client with an authorization and a token endpoint and no issuer fetches none.
    ///
    /// # Errors
    /// `InvalidConfiguration`: there is no endpoint of this name.
    pub fn endpoint(mut self, name: &str, url: impl Into<String>) -> Result<Self> {
        let place = self.endpoints.each().into_iter().find(|(known, _)| *known == name);
        *place.ok_or_else(|| unknown(name))?.1 = Some(url.into());
        Ok(self)
    }

    /// The client's secret, for `client_secret_basic`, `_post` and `_jwt`.
    pub fn client_secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// The client's private key, for `private_key_jwt` (RFC 7523), or Apple's signed secret.
    pub fn private_key(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// How the client proves who it is; otherwise the best that its secret or key and the server's metadata allow.
    pub const fn auth_method(mut self, method: AuthMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Where the authorization server sends the browser back to, as it is registered there.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(uri.into());
        self
    }

    /// What a log-in asks for unless it says otherwise.
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    /// The algorithms that ID tokens may be signed with (`id_token_signed_response_alg`); otherwise the asymmetric
    /// ones of the server's metadata. HMAC is only ever used if it is named here.
    pub fn id_token_algorithms(mut self, algs: impl IntoIterator<Item = Alg>) -> Self {
        self.id_token_algs = algs.into_iter().collect();
        self
    }

    /// An audience that may stand beside this client in an ID token's `aud`.
    pub fn trusted_audience(mut self, audience: impl Into<String>) -> Self {
        self.trusted_audiences.push(audience.into());
        self
    }

    /// A tenant whose users may sign in, where the preset has tenants; without any, all may.
    pub fn allowed_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenants.push(tenant.into());
        self
    }

    /// Allows plain `http` to this very machine (127.0.0.1, \[::1\], localhost), for tests.
    pub const fn allow_loopback_http(mut self, allow: bool) -> Self {
        self.allow_loopback_http = allow;
        self
    }

    /// Refuses a server whose metadata do not say that it knows PKCE with S256 (OAuth 2.1). PKCE is used in any case.
    pub const fn require_pkce(mut self, require: bool) -> Self {
        self.require_pkce = require;
        self
    }

    /// How many seconds the server's clock may be off; 60 unless set, 600 at most.
    pub const fn leeway(mut self, seconds: u64) -> Self {
        self.leeway = seconds;
        self
    }

    /// How many milliseconds each request may take in all; 10,000 unless set.
    pub const fn deadline_ms(mut self, milliseconds: u64) -> Self {
        self.deadline_ms = milliseconds;
        self
    }

    /// Numbered secrets, oldest first, that the cookie of a log-in is sealed with. Every process that finishes
    /// log-ins needs the same ones. Without them a client makes one of its own, which ends with it.
    pub fn flow_keys(mut self, keys: Peppers) -> Self {
        self.flow_keys = Some(keys);
        self
    }

    /// Refuses callbacks that have been seen, even if someone kept the cookie.
    pub fn replay(mut self, seen: Arc<dyn SeenOnce>) -> Self {
        self.replay = Some(seen);
        self
    }

    /// The source of the time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of randomness.
    pub fn random(mut self, random: Arc<dyn SecureRandom>) -> Self {
        self.random = random;
        self
    }

    /// Takes over every member of an object.
    fn apply(&mut self, value: &Value<'_>) -> Result<()> {
        for (name, value) in value.members() {
            let name = name.decode();
            self.member(&name, &value)?;
        }
        Ok(())
    }

    fn member(&mut self, name: &str, value: &Value<'_>) -> Result<()> {
        let text = || value.as_str().map(String::from).ok_or_else(|| wrong(name));
        let flag = || value.as_bool().ok_or_else(|| wrong(name));
        let number = || value.as_u64().ok_or_else(|| wrong(name));
        match name {
            "preset" | "comment" => {}
            "issuer" => self.issuer = Some(text()?),
            "discover" => self.discover = flag()?,
            "client_id" => self.client_id = text()?,
            "client_secret" => self.secret = Some(Secret::from(text()?)),
            "private_key" => self.key = Some(private_key(value)?),
            "token_endpoint_auth_method" => {
                self.method = Some(AuthMethod::from_name(&text()?)?);
            }
            "redirect_uri" => self.redirect_uri = Some(text()?),
            "scopes" => self.scopes = texts(name, value)?,
            "id_token_algorithms" => {
                let names = texts(name, value)?;
                self.id_token_algs =
                    names.iter().map(|name| Alg::from_name(name)).collect::<Result<_>>()?;
            }
            "trusted_audiences" => self.trusted_audiences = texts(name, value)?,
            "allowed_tenants" => self.tenants = texts(name, value)?,
            "allow_loopback_http" => self.allow_loopback_http = flag()?,
            "require_pkce" => self.require_pkce = flag()?,
            "leeway" => self.leeway = number()?,
            "deadline_ms" => self.deadline_ms = number()?,
            "variables" => {
                for (variable, value) in value.members() {
                    let value = value.as_str().ok_or_else(|| wrong(name))?;
                    *self = self.clone().variable(variable.decode(), value);
                }
            }
            "quirks" => self.quirks.apply(value)?,
            "flow_keys" => {
                let key = |entry: Value<'_>| {
                    let number = entry.member("number").and_then(|number| number.as_u64());
                    let number = number.and_then(|number| u32::try_from(number).ok());
                    let secret = entry.member("secret").and_then(|secret| secret.as_str());
                    let secret = secret.map(|secret| Secret::from(secret.into_owned()));
                    number.zip(secret).ok_or_else(|| wrong(name))
                };
                let keys = value.elements().map(key).collect::<Result<Vec<_>>>()?;
                self.flow_keys = Some(Peppers::new(&keys)?);
            }
            _ => {
                let place = self.endpoints.each().into_iter().find(|(known, _)| *known == name);
                *place.ok_or_else(|| unknown(name))?.1 = Some(text()?);
            }
        }
        Ok(())
    }
}

/// Hands the members of a JSON object of at most 64 KiB to `take`, those that are `null` excepted.
pub(super) fn each_member(
    text: &[u8],
    mut take: impl FnMut(&str, &Value<'_>) -> Result<()>,
) -> Result<()> {
    let value = (text.len() <= 64 * 1024).then(|| json::parse(text).ok()).flatten();
    let value = value.filter(|value| value.kind() == Kind::Object).ok_or(NOT_A_CONFIGURATION)?;
    for (name, value) in value.members() {
        if value.kind() != Kind::Null {
            take(&name.decode(), &value)?;
        }
    }
    Ok(())
}

/// A string.
pub(super) fn text(name: &str, value: &Value<'_>) -> Result<String> {
    value.as_str().map(String::from).ok_or_else(|| wrong(name))
}

/// A list of strings.
pub(super) fn texts(name: &str, value: &Value<'_>) -> Result<Vec<String>> {
    if value.kind() != Kind::Array {
        return Err(wrong(name));
    }
    let text = |value: Value<'_>| value.as_str().map(String::from).ok_or_else(|| wrong(name));
    value.elements().map(text).collect()
}

/// A JWK, or PEM.
fn private_key(value: &Value<'_>) -> Result<Key> {
    match value.as_str() {
        Some(pem) => Key::from_pem(pem.as_bytes(), None),
        None => Key::from_jwk(value.raw().as_bytes(), None),
    }
}

const NOT_A_CONFIGURATION: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The configuration or the options are not one JSON object of at most 64 KiB.",
);
const NO_SUCH_PRESET: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "There is no preset of this name; docs/oauth.md lists them. Any server works by its issuer or endpoints.",
);

#[cold]
pub(super) fn wrong(name: &str) -> Error {
    let error = Error::new(
        ErrorKind::InvalidConfiguration,
        "A member of the OAuth configuration has a wrong type; see docs/oauth.md.",
    );
    error.about_named_claim(&name.into())
}

#[cold]
pub(super) fn unknown(name: &str) -> Error {
    let error = Error::new(
        ErrorKind::InvalidConfiguration,
        "A member of the OAuth configuration is not known; see docs/oauth.md.",
    );
    error.about_named_claim(&name.chars().take(64).collect::<String>().into())
}

/// A text for a URL or a form: printable ASCII.
pub(super) fn checked_text(text: &str, most: usize) -> Result<()> {
    if text.is_empty() || text.len() > most || !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Err(argument(
            "An OAuth parameter must be printable ASCII, not empty and not too long.",
        ));
    }
    Ok(())
}

impl fmt::Debug for OAuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthConfig")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}
