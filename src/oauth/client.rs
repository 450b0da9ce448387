//! `OAuthClient`: one registration at one authorization server. Every method that needs the server
//! gives an [`Operation`], which a transport runs or an event loop drives.

use super::answer;
use super::auth::{AuthMethod, Authenticator};
use super::config::{INTROSPECTION, OAuthConfig, TOKEN};
use super::metadata::{self, Metadata, NO_ENDPOINT, check_endpoint};
use super::remote_key_set::RemoteKeySet;
use super::sent::{Answer, secrets_of};
use super::variables::fill_in;
use crate::base::backoff::BackOff;
use crate::base::clock::NANOS;
use crate::base::process::brief;
use crate::base::secret::Secret;
use crate::base::text::{self, argument};
use crate::base::url;
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::Verifier;
use crate::pepper::Peppers;
use crate::transport::{Flight, HttpRequest, Io, Operation, Purpose};
use arc_swap::ArcSwapOption;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// For how long metadata are believed, and for how long while the server cannot be reached, in
/// nanoseconds.
const METADATA_TTL: u64 = 3600 * NANOS;
const METADATA_STALE: u64 = 86_400 * NANOS;
/// The longest pause after a failure to get them, in seconds.
const LONGEST_PAUSE: u64 = 30;

/// One registration at one authorization server: safe to share between threads, cheap to clone.
///
/// ```no_run
/// use gatekey::{OAuthClient, Secret};
/// use gatekey::oauth::{LoginOptions, OAuthConfig};
/// use gatekey::transport::{HttpOptions, HttpTransport};
///
/// let http = HttpTransport::new(HttpOptions::new())?;
/// let config = OAuthConfig::new("my-client")
///     .issuer("https://auth.example")
///     .client_secret(Secret::from("from a file".to_owned()))
///     .redirect_uri("https://app.example/callback");
/// let client = OAuthClient::new(config)?;
///
/// // GET /login: send the browser to `begun.url` with the cookies of `begun.set_cookies`.
/// let begun = client.begin(&LoginOptions::new().return_to("/orders"), "")?.run(&http)?;
///
/// // GET /callback?code=...&state=...: `cookies` is the request's Cookie header.
/// # let (callback, cookies) = ("", "");
/// let login = client.finish(callback, cookies)?.run(&http)?;
/// println!("{:?} signed in", login.subject);
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct OAuthClient(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: OAuthConfig,
    pub(super) flow_keys: Peppers,
    auth: Authenticator,
    metadata: ArcSwapOption<Known>,
    turns: AtomicU64,
    /// One request for metadata at a time, and what was wrong with the last one.
    flight: Flight,
    trouble: Mutex<BackOff>,
    pub(super) trust: ArcSwapOption<Trust>,
}

struct Known {
    metadata: Arc<Metadata>,
    /// When the request for them began, in nanoseconds of the monotonic clock.
    asked: u64,
    /// Which of the requests it is the answer to, in the order in which they began.
    turn: u64,
}

/// What ID tokens are verified with: the keys at one address.
pub(super) struct Trust {
    pub(super) keys: RemoteKeySet,
    /// Of ID tokens, if one of the keys can have signed them.
    pub(super) verifier: Option<Verifier>,
}

impl OAuthClient {
    /// Checks a configuration as a whole.
    ///
    /// # Errors
    /// `InvalidConfiguration`: something is missing, contradicts itself or is not `https`; the
    /// error's claim names the member where there is one. `WeakKey`: a secret that signs has fewer
    /// than 32 bytes.
    pub fn new(mut config: OAuthConfig) -> Result<Self> {
        fill_in(&mut config)?;
        check(&mut config)?;
        let auth = Authenticator::new(&config)?;
        let flow_keys = match &config.flow_keys {
            Some(keys) => keys.clone(),
            None => {
                let mut secret = zeroize::Zeroizing::new(vec![0; 32]);
                config.random.fill(&mut secret)?;
                Peppers::new(&[(1, Secret::new(std::mem::take(&mut *secret)))])?
            }
        };
        Ok(Self(Arc::new(Inner {
            config,
            flow_keys,
            auth,
            metadata: ArcSwapOption::empty(),
            turns: AtomicU64::new(0),
            flight: Flight::default(),
            trouble: Mutex::default(),
            trust: ArcSwapOption::empty(),
        })))
    }

    /// The client's id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.0.config.client_id
    }

    /// Who its authorization server is, if the configuration names an issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.config.issuer.as_deref()
    }

    /// Who its authorization server is: the issuer, or the token endpoint of one without.
    pub(super) fn server(&self) -> &str {
        let config = &self.0.config;
        config.issuer.as_deref().or_else(|| config.endpoints.get(TOKEN)).unwrap_or_default()
    }

    /// An operation of this client's.
    pub(super) fn operation<T, F>(&self, code: impl FnOnce(Arc<Inner>, Io) -> F) -> Operation<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        Operation::new(|io| code(inner, io))
    }
}

impl Inner {
    /// What is known of the server, with one of its endpoints; more is asked for if it has not been
    /// named.
    pub(super) async fn endpoint(
        &self,
        io: &Io,
        name: &'static str,
    ) -> Result<(Arc<Metadata>, String)> {
        let metadata = self.metadata_with(io, |metadata| metadata.has(name)).await?;
        let url = metadata.endpoint(&self.config, name)?.to_owned();
        Ok((metadata, url))
    }

    /// What is known of the server, asked for place after place until it is enough or there is no
    /// more. One operation asks for all; what has failed is tried again after a second, then after
    /// twice as long each time.
    pub(super) async fn metadata_with(
        &self,
        io: &Io,
        is_enough: impl Fn(&Metadata) -> bool,
    ) -> Result<Arc<Metadata>> {
        let mut known = self.known(io).await?;
        while !is_enough(&known.metadata) && known.metadata.has_more() {
            known = self.more(io, known).await?;
        }
        Ok(Arc::clone(&known.metadata))
    }

    /// What is known, asked for if need be. If the server cannot be reached, what was known before
    /// is used for a day.
    async fn known(&self, io: &Io) -> Result<Arc<Known>> {
        if !self.config.discover || self.config.issuer.is_none() {
            return Ok(self.metadata.load_full().unwrap_or_else(|| {
                let metadata = Arc::new(Metadata::configured(&self.config));
                self.take(Known { metadata, asked: 0, turn: 0 })
            }));
        }
        let fresh = || self.held(METADATA_TTL).map(Ok).or_else(|| self.at_once());
        let stale = || self.held(METADATA_STALE);
        let ask = || async { self.discover(io).await.or_else(|error| self.or_stale(error)) };
        self.flight.once(io, self.patience(), fresh, stale, ask).await
    }

    async fn discover(&self, io: &Io) -> Result<Arc<Known>> {
        let asked = self.config.clock.monotonic();
        let turn = self.turns.fetch_add(1, Ordering::AcqRel);
        let metadata = Arc::new(self.noted(metadata::discover(io, &self.config).await)?);
        Ok(self.take(Known { metadata, asked, turn }))
    }

    /// What the next place says as well; as old as what it completes.
    async fn more(&self, io: &Io, before: Arc<Known>) -> Result<Arc<Known>> {
        let known = || {
            let held = self.metadata.load_full()?;
            if !Arc::ptr_eq(&held, &before) {
                return Some(Ok(held));
            }
            Some(Err(brief(&self.trouble).pause(self.config.clock.monotonic())?))
        };
        let ask = || async {
            let more = metadata::more(io, &self.config, &before.metadata).await;
            let metadata = Arc::new(self.noted(more)?);
            Ok(self.take(Known { metadata, ..*before }))
        };
        self.flight.once(io, self.patience(), known, || None, ask).await
    }

    /// What is known, if it is no older than this, in nanoseconds.
    fn held(&self, oldest: u64) -> Option<Arc<Known>> {
        let now = self.config.clock.monotonic();
        self.metadata.load_full().filter(|known| now < known.asked.saturating_add(oldest))
    }

    /// What can be used for now, or what went wrong, until it is tried again.
    fn at_once(&self) -> Option<Result<Arc<Known>>> {
        let pause = brief(&self.trouble).pause(self.config.clock.monotonic())?;
        Some(self.or_stale(pause))
    }

    /// What was known before, if the server is out of reach.
    fn or_stale(&self, error: Error) -> Result<Arc<Known>> {
        self.held(METADATA_STALE).filter(|_| error.is_unavailable()).ok_or(error)
    }

    /// The outcome of a request for metadata, remembered if it has failed.
    fn noted<T>(&self, outcome: Result<T>) -> Result<T> {
        let mut trouble = brief(&self.trouble);
        let error = match outcome {
            Ok(got) => {
                trouble.over();
                return Ok(got);
            }
            Err(error) => error,
        };
        let now = self.config.clock.monotonic();
        trouble.failed(&error, now, LONGEST_PAUSE);
        Err(trouble.pause(now).unwrap_or(error))
    }

    /// How long another caller's requests for metadata may take, in milliseconds.
    const fn patience(&self) -> u64 {
        self.config.deadline_ms.saturating_mul(4)
    }

    /// Takes metadata over, unless what is held was asked for later: an answer that was held up
    /// brings nothing old back.
    fn take(&self, new: Known) -> Arc<Known> {
        let new = Arc::new(new);
        let latest = |held: &Option<Arc<Known>>| match held {
            Some(held) if held.turn > new.turn => Arc::clone(held),
            _ => Arc::clone(&new),
        };
        let before = self.metadata.rcu(|held| Some(latest(held)));
        latest(&before)
    }

    /// Posts a form to one of the server's endpoints, with the client's proof of who it is.
    pub(super) async fn post(
        &self,
        io: &Io,
        metadata: &Metadata,
        url: &str,
        purpose: Purpose,
        parameters: &[(&str, &str)],
    ) -> Result<Answer> {
        if purpose == Purpose::Token {
            self.config.now()?; // or what is answered, which the server gives once, could not be dated
        }
        let proof = self.auth.prove(&self.config, metadata, url)?;
        // A pushed request names the client itself (RFC 9126 section 2.1).
        let is_new = |name: &str| parameters.iter().all(|(own, _)| *own != name);
        let own = proof.parameters.iter().map(|(name, value)| (*name, value.expose_str()));
        let all: Vec<_> =
            parameters.iter().copied().chain(own.filter(|(name, _)| is_new(name))).collect();
        let mut sent = secrets_of(all.iter().copied());
        sent.extend(self.config.secret.clone());
        sent.extend(proof.credential());
        let body = url::form(all);
        let request = HttpRequest::new("POST", url.to_owned(), purpose)
            .header("accept", "application/json".to_owned())
            .header("content-type", "application/x-www-form-urlencoded".to_owned());
        let mut request = proof.attach(request);
        request.body = Some(Secret::from(body));
        request.deadline_ms = self.config.deadline_ms;
        let response = io.ask(request).await?;
        if (300..400).contains(&response.status) {
            return Err(answer::REDIRECT);
        }
        self.accepted(metadata, Answer::new(response, sent))
    }

    /// The answer, unless the server does not accept this client and something can be said of why.
    fn accepted(&self, metadata: &Metadata, response: Answer) -> Result<Answer> {
        if !matches!(response.status, 400 | 401) {
            return Ok(response);
        }
        let refused = answer::object(&self.config, &response).err();
        // A client that is known, and may not do this, has proved itself.
        let is_proof = |error: &Error| {
            error.kind() == ErrorKind::OauthInvalidClient
                && error.peer_code() != Some("unauthorized_client")
        };
        let refused = refused.filter(is_proof);
        match refused.zip(self.auth.remedy(&self.config, metadata)) {
            Some((error, remedy)) => Err(error.saying(remedy)),
            None => Ok(response),
        }
    }

    /// Scopes as one parameter.
    pub(super) fn join_scopes(&self, scopes: &[String]) -> String {
        scopes.join(if self.config.quirks.comma_scopes { "," } else { " " })
    }
}

fn check(config: &mut OAuthConfig) -> Result<()> {
    let loopback = config.allow_loopback_http;
    let misconfigured = |error: Error| error.with_kind(ErrorKind::InvalidConfiguration);
    super::config::checked_text(&config.client_id, 1024)
        .map_err(|error| error.about_claim("client_id"))?;
    if let Some(issuer) = &config.issuer {
        metadata::well_known(issuer, loopback).map_err(|error| error.about_claim("issuer"))?;
    }
    if let Some(url) = &config.metadata_url {
        let checked = check_endpoint(url, loopback).map_err(misconfigured);
        let checked =
            checked.and_then(|()| if config.issuer.is_some() { Ok(()) } else { Err(NO_ISSUER) });
        checked.map_err(|error| error.about_claim("metadata_url"))?;
    }
    for (name, place) in config.endpoints.each() {
        if let Some(url) = place {
            check_endpoint(url, loopback)
                .map_err(|error| misconfigured(error).about_named_claim(&name.into()))?;
        }
    }
    if let Some(uri) = &config.redirect_uri {
        check_redirect_uri(uri).map_err(|error| error.about_claim("redirect_uri"))?;
    }
    let is_there = |name: &str| config.endpoints.get(name).is_some();
    if config.issuer.is_none() && !is_there(TOKEN) && !is_there(INTROSPECTION) {
        return Err(NO_SERVER);
    }
    if config.secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
        return Err(EMPTY_SECRET.about_claim("client_secret"));
    }
    if config.leeway > 600 {
        return Err(argument("The `leeway` is at most 600 seconds; set the clocks right instead.")
            .about_claim("leeway"));
    }
    if !(1..=120_000).contains(&config.deadline_ms) {
        return Err(argument("The `deadline` of a request is from 1 ms to 120 s.")
            .about_claim("deadline_ms"));
    }
    if config.scopes.iter().any(|scope| !is_scope(scope)) {
        return Err(NOT_A_SCOPE.about_claim("scopes"));
    }
    if config.method == Some(AuthMethod::SignedSecret) && config.quirks.signed_secret.is_none() {
        return Err(NO_ENDPOINT);
    }
    Ok(())
}

/// A redirect URI is absolute and has no fragment (RFC 6749 section 3.1.2): `https`, `http` on this
/// machine (RFC 8252 section 7.3), or a scheme of the program's own with a dot in it (section 7.1).
fn check_redirect_uri(uri: &str) -> Result<()> {
    if url::Url::checked(uri, true).is_ok() {
        return Ok(());
    }
    let is_own = uri.split_once(":/").is_some_and(|(scheme, rest)| {
        scheme.contains('.')
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b))
            && rest.bytes().all(|b| matches!(b, b'!'..=b'~') && !b"#<>\"\\^`{|}".contains(&b))
    });
    if is_own { Ok(()) } else { Err(WRONG_REDIRECT_URI) }
}

/// A scope token (RFC 6749 section 3.3).
pub(super) fn is_scope(scope: &str) -> bool {
    text::is_scope(scope, 256)
}

pub(super) const NOT_A_SCOPE: Error = argument(
    "A scope is visible ASCII without space, quote and backslash; give several scopes as several, not in one text.",
);

const NO_SERVER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "No authorization server is named; give its `issuer`, a `preset`, or its `token_endpoint`.",
);
const EMPTY_SECRET: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The client's secret is empty; leave it out for a public client.",
);
const NO_ISSUER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Metadata at an address of their own need the `issuer` that they must name.",
);
const WRONG_REDIRECT_URI: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A redirect URI is an https address, http on this machine, or a scheme of the program's own.",
);

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient")
            .field("client_id", &self.0.config.client_id)
            .field("issuer", &self.0.config.issuer)
            .finish_non_exhaustive()
    }
}
