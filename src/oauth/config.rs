//! What a client knows of its authorization server and of itself. A configuration is text (JSON) or
//! a builder; a preset is such a text that gatekey brings along ([`super::presets`]), and whatever
//! follows it overrides it.

use super::auth::{AssertionAudience, AuthMethod};
use super::presets;
use super::quirks::Quirks;
use crate::base::clock::{Clock, SystemClock, plausible};
use crate::base::json::fields::{self, Field};
use crate::base::json::{Kind, Value};
use crate::base::random::SecureRandom;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key};
use crate::jwt::SeenOnce;
use crate::pepper::Peppers;
use std::fmt;
use std::sync::Arc;

/// The names of endpoints in metadata (RFC 8414 section 2).
pub(super) const AUTHORIZATION: &str = "authorization_endpoint";
pub(super) const TOKEN: &str = "token_endpoint";
pub(super) const USERINFO: &str = "userinfo_endpoint";
pub(super) const JWKS: &str = "jwks_uri";
pub(super) const REVOCATION: &str = "revocation_endpoint";
pub(super) const INTROSPECTION: &str = "introspection_endpoint";
pub(super) const DEVICE: &str = "device_authorization_endpoint";
pub(super) const PUSHED: &str = "pushed_authorization_request_endpoint";
pub(super) const END_SESSION: &str = "end_session_endpoint";
const ENDPOINTS: [&str; 9] =
    [AUTHORIZATION, TOKEN, USERINFO, JWKS, REVOCATION, INTROSPECTION, DEVICE, PUSHED, END_SESSION];

/// The addresses of an authorization server, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoints([Option<String>; 9]);

impl Endpoints {
    /// Every endpoint with its name in metadata.
    pub(super) fn each(&mut self) -> impl Iterator<Item = (&'static str, &mut Option<String>)> {
        ENDPOINTS.into_iter().zip(&mut self.0)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        ENDPOINTS.into_iter().zip(&self.0).find(|(own, _)| *own == name)?.1.as_deref()
    }
}

/// How a client is registered with its authorization server. Built by value; checked as a whole by
/// [`OAuthClient::new`](crate::OAuthClient::new).
///
/// ```
/// use gatekey::{OAuthClient, Secret};
/// use gatekey::oauth::OAuthConfig;
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
    pub(super) metadata_url: Option<String>,
    pub(super) endpoints: Endpoints,
    pub(super) client_id: String,
    pub(super) secret: Option<Secret>,
    pub(super) key: Option<Key>,
    pub(super) method: Option<AuthMethod>,
    pub(super) assertion_audience: AssertionAudience,
    /// Names, and values as JSON text.
    pub(super) assertion_headers: Vec<(String, String)>,
    pub(super) redirect_uri: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) id_token_algs: Vec<Alg>,
    pub(super) trusted_audiences: Vec<String>,
    pub(super) tenants: Vec<String>,
    pub(super) quirks: Quirks,
    pub(super) variables: Vec<(String, String)>,
    /// The variables that the preset knows, whatever was set in place of its texts.
    pub(super) preset_variables: Vec<String>,
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
    /// The time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// `InvalidConfiguration`: the clock cannot be right.
    pub(super) fn now(&self) -> Result<u64> {
        plausible(self.clock.now())
    }

    /// A client with this id, of an authorization server that is named by the calls that follow.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            issuer: None,
            discover: true,
            metadata_url: None,
            endpoints: Endpoints::default(),
            client_id: client_id.into(),
            secret: None,
            key: None,
            method: None,
            assertion_audience: AssertionAudience::Issuer,
            assertion_headers: Vec::new(),
            redirect_uri: None,
            scopes: Vec::new(),
            id_token_algs: Vec::new(),
            trusted_audiences: Vec::new(),
            tenants: Vec::new(),
            quirks: Quirks::default(),
            variables: Vec::new(),
            preset_variables: Vec::new(),
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

    /// Reads a configuration: one JSON object of at most 64 KiB, with the members of
    /// `docs/oauth.md`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is malformed; a member is not known or has a wrong type, and the
    /// error's claim names it. Those of [`Key::from_jwk`] and [`Key::from_pem`].
    pub fn from_json(text: &[u8]) -> Result<Self> {
        Self::new("").json(text)
    }

    /// Takes over the members of a configuration in JSON. They override what was set before, and
    /// later calls override them.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn json(mut self, text: &[u8]) -> Result<Self> {
        // First, so that the other members override it.
        fields::read(text, fields::MOST, |field| {
            if field.name() == "preset" {
                self.set_preset(&field.text()?).map_err(|error| field.refused(error))?;
            }
            Ok(())
        })?;
        fields::read(text, fields::MOST, |field| self.member(field))?;
        Ok(self)
    }

    /// The client's id, as it is registered at the server.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// Takes over what is known about a provider: `github`, `google`, `microsoft`, `facebook`,
    /// `apple`, `gitlab` and others, which [`oauth_presets`](super::oauth_presets) lists. Later
    /// calls override it.
    ///
    /// # Errors
    /// `InvalidConfiguration`: there is no such preset; the error's claim is `preset`.
    pub fn preset(mut self, name: &str) -> Result<Self> {
        self.set_preset(name).map_err(|error| error.about_claim("preset"))?;
        Ok(self)
    }

    fn set_preset(&mut self, name: &str) -> Result<()> {
        let preset = presets::find(name).ok_or(NO_SUCH_PRESET)?;
        self.preset_variables.clear();
        // What it has in common with another one, which has no such one itself.
        if let Some(other) = preset.member("like").and_then(|other| other.as_str()) {
            self.set_preset(&other)?;
        }
        fields::read_value(&preset, |field| self.member(field))?;
        let own = preset.member("variables");
        let own = own.iter().flat_map(Value::members).map(|(name, _)| name.decode().into_owned());
        self.preset_variables.extend(own);
        let places: Vec<_> = self.texts().iter().flat_map(|(text, _)| placeholders(text)).collect();
        self.preset_variables.extend(places);
        Ok(())
    }

    /// The texts that a variable may stand in, and whether a text is an address.
    pub(super) fn texts(&mut self) -> Vec<(&mut String, bool)> {
        let named = [self.issuer.as_mut(), self.metadata_url.as_mut()];
        let endpoints = self.endpoints.each().filter_map(|(_, place)| place.as_mut());
        let addresses = named.into_iter().flatten().chain(endpoints).map(|text| (text, true));
        addresses.chain(self.quirks.texts().into_iter().map(|text| (text, false))).collect()
    }

    /// A value for a placeholder of the preset, for example `tenant`, `domain` or `base_url`.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set_variable(name.into(), value.into());
        self
    }

    fn set_variable(&mut self, name: String, value: String) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value));
    }

    /// The authorization server by its issuer: its metadata is fetched when it is first needed
    /// (OpenID Connect Discovery section 4, RFC 8414 section 3) and must name this very issuer,
    /// byte by byte.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self.discover = true;
        self
    }

    /// Whether the issuer's metadata are fetched; they are, unless a preset knows better. Without
    /// them the endpoints must be configured, `jwks_uri` for ID tokens too.
    pub const fn discover(mut self, discover: bool) -> Self {
        self.discover = discover;
        self
    }

    /// Where the issuer's metadata are, if they are at none of the places that its address leads
    /// to. They must name the issuer that is configured, byte by byte, as ever.
    pub fn metadata_url(mut self, url: impl Into<String>) -> Self {
        self.metadata_url = Some(url.into());
        self.discover = true;
        self
    }

    /// One endpoint, by its name in metadata (RFC 8414 section 2), for example `token_endpoint`. It
    /// is used instead of what metadata say; a client with an authorization and a token endpoint
    /// and no issuer fetches none.
    ///
    /// # Errors
    /// `InvalidConfiguration`: there is no endpoint of this name.
    pub fn endpoint(mut self, name: &str, url: impl Into<String>) -> Result<Self> {
        let place = self.endpoints.each().find(|(known, _)| *known == name);
        *place.ok_or_else(|| NO_SUCH_ENDPOINT.about_named_claim(&name.into()))?.1 =
            Some(url.into());
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

    /// How the client proves who it is; otherwise the best that its secret or key and the server's
    /// metadata allow.
    pub const fn auth_method(mut self, method: AuthMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Whom the tokens of `client_secret_jwt` and `private_key_jwt` are for: the issuer, unless
    /// set.
    pub const fn assertion_audience(mut self, audience: AssertionAudience) -> Self {
        self.assertion_audience = audience;
        self
    }

    /// The tokens of `client_secret_jwt` and `private_key_jwt` have this header member, with a
    /// value that is given as JSON text: `x5t` or `x5t#S256` for Entra ID, see
    /// [`SignerBuilder::header`](crate::jwt::SignerBuilder::header).
    pub fn assertion_header(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.assertion_headers.push((name.into(), json.into()));
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

    /// The algorithms that ID tokens may be signed with (`id_token_signed_response_alg`); otherwise
    /// the asymmetric ones of the server's metadata. HMAC is only ever used if it is named here.
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

    /// Refuses a server whose metadata do not say that it knows PKCE with S256 (OAuth 2.1). PKCE is
    /// used in any case.
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

    /// Numbered secrets, oldest first, that the cookie of a log-in is sealed with. Every process
    /// that finishes log-ins needs the same ones. Without them a client makes one of its own, which
    /// ends with it.
    pub fn flow_keys(mut self, keys: Peppers) -> Self {
        self.flow_keys = Some(keys);
        self
    }

    /// Where the server departs from the RFCs: one JSON object with the quirks of `docs/oauth.md`.
    /// Those that are not in it stay as they are.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is no JSON object; a quirk is not known or has a wrong type, and
    /// the error's claim names it (`quirks.no_pkce`).
    pub fn quirks(mut self, text: &[u8]) -> Result<Self> {
        fields::read_within("quirks", text, |quirk| self.quirks.member(quirk))?;
        Ok(self)
    }

    /// Refuses callbacks that have been seen, even if the cookie was kept.
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

    fn member(&mut self, field: &Field<'_>) -> Result<()> {
        match field.name() {
            "preset" | "comment" | "like" => {}
            "issuer" => self.issuer = Some(field.text()?),
            "discover" => self.discover = field.flag()?,
            "metadata_url" => self.metadata_url = Some(field.text()?),
            "client_id" => self.client_id = field.text()?,
            "client_secret" => self.secret = Some(Secret::from(field.text()?)),
            "private_key" => self.key = Some(private_key(field)?),
            "token_endpoint_auth_method" => {
                self.method = Some(field.named(AuthMethod::from_name)?);
            }
            "assertion_audience" => {
                self.assertion_audience = field.named(AssertionAudience::from_name)?;
            }
            "assertion_headers" => self.assertion_headers = field.texts_by_name()?,
            "redirect_uri" => self.redirect_uri = Some(field.text()?),
            "scopes" => self.scopes = field.texts()?,
            "id_token_algorithms" => self.id_token_algs = field.names(Alg::from_name)?,
            "trusted_audiences" => self.trusted_audiences = field.texts()?,
            "allowed_tenants" => self.tenants = field.texts()?,
            "allow_loopback_http" => self.allow_loopback_http = field.flag()?,
            "require_pkce" => self.require_pkce = field.flag()?,
            "leeway" => self.leeway = field.number()?,
            "deadline_ms" => self.deadline_ms = field.number()?,
            "variables" => {
                for (name, value) in field.pairs()? {
                    self.set_variable(name, value);
                }
            }
            "quirks" => field.fields(|quirk| self.quirks.member(quirk))?,
            "flow_keys" => self.flow_keys = Some(flow_keys(field)?),
            _ => {
                let place = self.endpoints.each().find(|(known, _)| *known == field.name());
                let (_, endpoint) = place.ok_or_else(|| field.unknown())?;
                *endpoint = Some(field.text()?);
            }
        }
        Ok(())
    }
}

/// The names in braces; what else stands in braces is JSON.
pub(super) fn placeholders(text: &str) -> Vec<String> {
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'0'..=b'9'))
    };
    let named = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    named.filter(is_name).map(str::to_owned).collect()
}

/// A list of `{"number": 1, "secret": "..."}`.
fn flow_keys(field: &Field<'_>) -> Result<Peppers> {
    let mut keys: Vec<(Option<u32>, Option<Secret>)> = Vec::new();
    field.each(|at, field| {
        let Some(field) = field else {
            keys.push((None, None));
            return Ok(());
        };
        let (number, secret) = keys.get_mut(at).ok_or(ErrorKind::Internal)?;
        match field.name() {
            "number" => {
                let given = field.number()?;
                *number = Some(u32::try_from(given).map_err(|_| field.refused(NO_KEY_NUMBER))?);
            }
            "secret" => *secret = Some(Secret::from(field.text()?)),
            _ => return Err(field.unknown()),
        }
        Ok(())
    })?;
    let key = |(number, secret): (Option<u32>, Option<Secret>)| {
        let number = number.ok_or_else(|| fields::missing("flow_keys.number"))?;
        Ok((number, secret.ok_or_else(|| fields::missing("flow_keys.secret"))?))
    };
    Peppers::named("flow_keys", &keys.into_iter().map(key).collect::<Result<Vec<_>>>()?)
        .map_err(|error| error.with_kind(ErrorKind::InvalidConfiguration))
}

/// A JWK, or PEM.
fn private_key(field: &Field<'_>) -> Result<Key> {
    let key = match field.value().as_str() {
        Some(pem) => Key::from_pem(pem.as_bytes(), None),
        None if field.value().kind() == Kind::Object => {
            Key::from_jwk(field.value().raw().as_bytes(), None)
        }
        None => Err(NO_PRIVATE_KEY),
    };
    key.map_err(|error| {
        field.refused(match error.kind() {
            ErrorKind::PassphraseRequired => error.saying(ENCRYPTED),
            ErrorKind::UnsupportedAlgorithm => error.saying(NO_ALGORITHM),
            _ => error,
        })
    })
}

const ENCRYPTED: &str = "The private key is encrypted: read it as a key first, with its passphrase, and give that key to \
                         the client.";
const NO_ALGORITHM: &str = "The private key does not say its algorithm: read it as a key first, by `alg`, and give that key \
                            to the client.";
const NO_PRIVATE_KEY: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The private key must be a JWK (an object) or PEM (a string).",
);
const NO_KEY_NUMBER: Error =
    Error::new(ErrorKind::InvalidConfiguration, "The number of a key must be below 2^32.");
const NO_SUCH_ENDPOINT: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "There is no endpoint of this name; docs/oauth.md lists them.",
);
const NO_SUCH_PRESET: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "There is no preset of this name; docs/oauth.md lists them. Any server works by its issuer or endpoints.",
);

/// A text for a URL or a form: printable ASCII.
pub(super) fn checked_text(text: &str, most: usize) -> Result<()> {
    if text.is_empty() || text.len() > most || !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Err(argument(
            "An OAuth parameter must be printable ASCII, not empty and not too long.",
        ));
    }
    Ok(())
}

/// Parameters of the server's own; the error names the one that is not acceptable
/// (`parameters.audience`).
pub(super) fn check_parameters(
    parameters: &[(String, String)],
    most: usize,
    refused: impl Fn(&str) -> Option<Error>,
) -> Result<()> {
    for (name, value) in parameters {
        let named = |error: Error| {
            let name: String = name.chars().take(64).collect();
            match name.as_str() {
                "resource" => error.about_claim("resources"),
                name => error.about_named_claim(&format!("parameters.{name}").into()),
            }
        };
        checked_text(name, 64).map_err(|error| error.about_claim("parameters"))?;
        checked_text(value, most).map_err(named)?;
        refused(name).map_or(Ok(()), |error| Err(named(error)))?;
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
