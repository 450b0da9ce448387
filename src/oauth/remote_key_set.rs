//! `RemoteKeySet`: the keys that an issuer publishes (RFC 7517 section 5), fetched when they are first needed and
//! kept fresh, without a thread of its own and without letting a stranger's tokens cause a flood of requests.
//!
//! One caller fetches while the others go on with the keys that are known. Symmetric keys are refused, because
//! nobody publishes a secret; so are more than 100 keys and 512 KiB.

use super::answer::{self, MALFORMED, REDIRECT};
use super::config::OAuthConfig;
use super::metadata;
use crate::base::clock::{Clock, NANOS, SystemClock};
use crate::base::json::{self, Kind, ObjectWriter, Value, fields};
use crate::base::process::OwnLock;
use crate::base::reach::beyond_memory;
use crate::base::text::argument;
use crate::crypto::hash::sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key, KeySet, KeySource};
use crate::transport::{HttpRequest, HttpResponse, Io, Operation, Purpose, Transport};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest key set, in bytes.
const LARGEST: usize = 512 * 1024;

/// How an issuer's keys are fetched and for how long they are believed.
#[derive(Clone)]
#[must_use]
pub struct RemoteKeySetOptions {
    url: Option<String>,
    issuer: Option<String>,
    ttl: u64,
    min_ttl: u64,
    max_ttl: u64,
    cooldown: u64,
    max_stale: u64,
    rsa_alg: Alg,
    allow_loopback_http: bool,
    deadline_ms: u64,
    clock: Arc<dyn Clock>,
}

impl Default for RemoteKeySetOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RemoteKeySetOptions {
    /// An hour unless the issuer says otherwise, from a minute to a day; a look for new keys every 30 seconds at
    /// the most; a day without hearing of the issuer.
    pub fn new() -> Self {
        Self {
            url: None,
            issuer: None,
            ttl: 3600,
            min_ttl: 60,
            max_ttl: 86_400,
            cooldown: 30,
            max_stale: 86_400,
            rsa_alg: Alg::Rs256,
            allow_loopback_http: false,
            deadline_ms: 10_000,
            clock: Arc::new(SystemClock),
        }
    }

    /// Takes over the members of options in JSON: any of `url`, `issuer`, `ttl`, `min_ttl`, `max_ttl`, `cooldown`,
    /// `max_stale` (seconds), `rsa_alg`, `allow_loopback_http` and `deadline_ms`. They override what was set before,
    /// and later calls override them.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is no JSON object of at most 64 KiB, or a member is not known or has a wrong type;
    /// the error's claim names it.
    pub fn json(mut self, text: &[u8]) -> Result<Self> {
        fields::read(text, fields::MOST, |field| {
            match field.name() {
                "url" => self.url = Some(field.text()?),
                "issuer" => self.issuer = Some(field.text()?),
                "ttl" => self.ttl = field.number()?,
                "min_ttl" => self.min_ttl = field.number()?,
                "max_ttl" => self.max_ttl = field.number()?,
                "cooldown" => self.cooldown = field.number()?,
                "max_stale" => self.max_stale = field.number()?,
                "deadline_ms" => self.deadline_ms = field.number()?,
                "rsa_alg" => self.rsa_alg = field.named(Alg::from_name)?,
                "allow_loopback_http" => self.allow_loopback_http = field.flag()?,
                _ => return Err(field.unknown()),
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// Where the keys are, for [`RemoteKeySet::open`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Whose keys they are, for [`RemoteKeySet::open`]: the issuer's metadata say where they are.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// For how many seconds keys are fresh if the issuer's `Cache-Control` does not say.
    pub const fn ttl(mut self, seconds: u64) -> Self {
        self.ttl = seconds;
        self
    }

    /// The least and the most of what `Cache-Control: max-age` may say, in seconds.
    pub const fn ttl_between(mut self, least: u64, most: u64) -> Self {
        (self.min_ttl, self.max_ttl) = (least, most);
        self
    }

    /// A token of an unknown key makes the keys be fetched again, once in so many seconds; so does a failure.
    pub const fn cooldown(mut self, seconds: u64) -> Self {
        self.cooldown = seconds;
        self
    }

    /// For how many seconds after their last fetch keys are used although the issuer is out of reach.
    pub const fn max_stale(mut self, seconds: u64) -> Self {
        self.max_stale = seconds;
        self
    }

    /// The algorithm of RSA keys that name none; RS256 unless set.
    pub const fn rsa_alg(mut self, alg: Alg) -> Self {
        self.rsa_alg = alg;
        self
    }

    /// Allows plain `http` to this very machine, for tests.
    pub const fn allow_loopback_http(mut self, allow: bool) -> Self {
        self.allow_loopback_http = allow;
        self
    }

    /// How many milliseconds each request may take in all; 10,000 unless set.
    pub const fn deadline_ms(mut self, milliseconds: u64) -> Self {
        self.deadline_ms = milliseconds;
        self
    }

    /// The source of the time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn check(&self) -> Result<()> {
        let a_year = 366 * 86_400;
        let too_long = [
            ("max_ttl", self.max_ttl > a_year, FRESH),
            ("min_ttl", self.min_ttl == 0 || self.min_ttl > self.max_ttl, FRESH),
            ("max_stale", self.max_stale > a_year, KEPT),
            ("cooldown", self.cooldown > 86_400, KEPT),
        ];
        match too_long.into_iter().find(|(_, wrong, _)| *wrong) {
            Some((member, _, error)) => Err(error.about_claim(member)),
            None => Ok(()),
        }
    }

    pub(super) fn of(config: &OAuthConfig) -> Self {
        let rsa = config.id_token_algs.iter().find(|alg| alg.name().starts_with(['R', 'P']));
        Self::new()
            .rsa_alg(rsa.copied().unwrap_or(Alg::Rs256))
            .allow_loopback_http(config.allow_loopback_http)
            .deadline_ms(config.deadline_ms)
            .clock(Arc::clone(&config.clock))
    }
}

impl fmt::Debug for RemoteKeySetOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeySetOptions")
            .field("ttl", &self.ttl)
            .field("cooldown", &self.cooldown)
            .field("max_stale", &self.max_stale)
            .finish_non_exhaustive()
    }
}

/// The keys that an issuer publishes: safe to share between threads, cheap to clone, usable after a fork. A
/// [`KeySource`] for [`Verifier::following`](crate::Verifier::following).
#[derive(Clone)]
pub struct RemoteKeySet(Arc<Inner>);

struct Inner {
    /// Where the keys are, or whose they are.
    place: Place,
    options: RemoteKeySetOptions,
    /// What carries the requests of [`KeySource`]; without one it never blocks, and the owner fetches.
    transport: Option<Arc<dyn Transport>>,
    current: ArcSwap<Current>,
    /// How many requests have begun.
    turns: AtomicU64,
    /// When a fetch was last begun, and when one was last begun for a token's sake; nanoseconds, 0 for never.
    tried: AtomicU64,
    looked: AtomicU64,
    /// One fetch at a time.
    flight: OwnLock<()>,
}

enum Place {
    Url(String),
    Issuer(Box<OAuthConfig>),
}

struct Current {
    generation: u64,
    keys: Option<KeySet>,
    digest: [u8; 32],
    /// When the request began, and which one it was.
    fetched: u64,
    turn: u64,
    fresh_until: u64,
}

impl RemoteKeySet {
    /// The keys at this address.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is not an `https` address. `InvalidArgument`: an option is out of range.
    pub fn new(url: impl Into<String>, options: RemoteKeySetOptions) -> Result<Self> {
        Self::open(options.url(url))
    }

    /// The keys of this issuer, whose metadata say where they are (RFC 8414, OpenID Connect Discovery).
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_issuer(issuer: impl Into<String>, options: RemoteKeySetOptions) -> Result<Self> {
        Self::open(options.issuer(issuer))
    }

    /// The keys that the options name, either by their address or by their issuer.
    ///
    /// # Errors
    /// As [`Self::new`]; `InvalidConfiguration` too if the options name neither or both. The error's claim names the
    /// member.
    pub fn open(options: RemoteKeySetOptions) -> Result<Self> {
        let loopback = options.allow_loopback_http;
        let place = match (&options.url, &options.issuer) {
            (Some(url), None) => {
                metadata::check_endpoint(url, loopback).map_err(|error| {
                    error.with_kind(ErrorKind::InvalidConfiguration).about_claim("url")
                })?;
                Place::Url(url.clone())
            }
            (None, Some(issuer)) => {
                metadata::well_known(issuer, loopback)
                    .map_err(|error| error.about_claim("issuer"))?;
                let config = OAuthConfig::new("keys").issuer(issuer).allow_loopback_http(loopback);
                Place::Issuer(Box::new(config.deadline_ms(options.deadline_ms)))
            }
            _ => return Err(URL_OR_ISSUER.about_claim("url")),
        };
        Self::at(place, options)
    }

    /// Reads where the keys are: one JSON object with `url` or `issuer`, and any of `ttl`, `min_ttl`, `max_ttl`,
    /// `cooldown`, `max_stale` (seconds), `rsa_alg`, `allow_loopback_http` and `deadline_ms`.
    ///
    /// # Errors
    /// As [`Self::new`]; `InvalidConfiguration` too if it is not that.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        Self::open(RemoteKeySetOptions::new().json(text)?)
    }

    fn at(place: Place, options: RemoteKeySetOptions) -> Result<Self> {
        options.check()?;
        Ok(Self(Arc::new(Inner {
            place,
            options,
            transport: None,
            current: ArcSwap::from_pointee(Current {
                generation: 0,
                keys: None,
                digest: [0; 32],
                fetched: 0,
                turn: 0,
                fresh_until: 0,
            }),
            turns: AtomicU64::new(0),
            tried: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            flight: OwnLock::new(),
        })))
    }

    /// The same keys, fetched over this transport when a verifier needs them; a new set, with no keys yet. Without
    /// it nothing blocks: whoever drives [`Self::refresh`] keeps them fresh.
    #[must_use]
    pub fn over(&self, transport: Arc<dyn Transport>) -> Self {
        let place = match &self.0.place {
            Place::Url(url) => Place::Url(url.clone()),
            Place::Issuer(config) => Place::Issuer(config.clone()),
        };
        Self(Arc::new(Inner {
            place,
            options: self.0.options.clone(),
            transport: Some(transport),
            turns: AtomicU64::new(self.0.current.load().turn),
            current: ArcSwap::new(self.0.current.load_full()),
            tried: AtomicU64::new(self.0.tried.load(Ordering::Relaxed)),
            looked: AtomicU64::new(0),
            flight: OwnLock::new(),
        }))
    }

    /// Fetches the keys now.
    pub fn refresh(&self) -> Operation<()> {
        let keys = self.clone();
        Operation::new(|io| async move { keys.fetch(&io).await })
    }

    /// Whether it is time to fetch the keys: there are none, or they are not fresh any more.
    #[must_use]
    pub fn wants_refresh(&self) -> bool {
        self.0.now() >= self.0.current.load().fresh_until
    }

    pub(super) async fn fetch(&self, io: &Io) -> Result<()> {
        let inner = &*self.0;
        let begun = inner.now();
        inner.tried.store(begun, Ordering::Release);
        let turn = inner.turns.fetch_add(1, Ordering::AcqRel) + 1;
        let url = match &inner.place {
            Place::Url(url) => url.clone(),
            Place::Issuer(config) => metadata::jwks_uri(io, config).await?,
        };
        let mut request = HttpRequest::new("GET", url, Purpose::Keys)
            .header("accept", "application/jwk-set+json, application/json".to_owned());
        request.max_body = LARGEST;
        request.deadline_ms = inner.options.deadline_ms;
        let response = io.ask(request).await?;
        inner.take(&response, begun, turn)
    }

    /// Whether a token may be held against these keys without asking anybody.
    pub(super) fn is_usable(&self) -> bool {
        self.0.usable(self.0.now()).is_ok()
    }

    /// Whether a token of an unknown key may cause a fetch now; it then has.
    pub(super) fn may_look(&self) -> bool {
        self.0.may_look(self.0.now())
    }

    pub(super) fn is_of(&self, url: &str) -> bool {
        matches!(&self.0.place, Place::Url(own) if own == url)
    }
}

impl Inner {
    /// Never 0, which is for what has never been.
    fn now(&self) -> u64 {
        self.options.clock.monotonic().saturating_add(1)
    }

    /// The keys, unless they are too old or not there.
    fn usable(&self, now: u64) -> Result<Arc<Current>> {
        let current = self.current.load_full();
        let oldest = current.fetched.saturating_add(self.options.max_stale.saturating_mul(NANOS));
        if current.keys.is_some() && (now < current.fresh_until || now <= oldest) {
            Ok(current)
        } else {
            Err(SILENT)
        }
    }

    /// Takes an answer over, unless what is held was asked for later: one that was held up brings no old keys back.
    fn take(&self, response: &HttpResponse, begun: u64, turn: u64) -> Result<()> {
        match response.status {
            200 => {}
            300..=399 => return Err(REDIRECT),
            429 | 500..=599 => return Err(answer::busy(response)),
            _ => return Err(MALFORMED),
        }
        let text = response.body.expose();
        let digest = sha256(text);
        let is_same = |held: &Current| held.keys.is_some() && held.digest == digest;
        let held = self.current.load_full();
        let keys = if is_same(&held) { held.keys.clone() } else { Some(self.read(text)?) };
        let ttl = response.header("cache-control").map_or(self.options.ttl, max_age);
        let ttl = ttl.clamp(self.options.min_ttl, self.options.max_ttl);
        let fresh_until = begun.saturating_add(ttl.saturating_mul(NANOS));
        self.current.rcu(|held| {
            if held.turn > turn {
                return Arc::clone(held);
            }
            let generation = held.generation + u64::from(!is_same(held));
            let keys = keys.clone();
            Arc::new(Current { generation, keys, digest, fetched: begun, turn, fresh_until })
        });
        Ok(())
    }

    fn read(&self, text: &[u8]) -> Result<KeySet> {
        let given = without_nulls(text).ok_or(NOT_KEYS)?;
        let set = KeySet::from_jwks_with(given.as_bytes(), Some(self.options.rsa_alg))
            .map_err(|_| NOT_KEYS)?;
        // Whatever else may be wrong with it.
        let members = json::parse(text)?.member("keys");
        let is_symmetric = |key: Value<'_>| {
            key.member("kty").and_then(|kind| kind.as_str()).as_deref() == Some("oct")
        };
        if set.is_empty() || members.iter().flat_map(Value::elements).any(is_symmetric) {
            return Err(NOT_KEYS);
        }
        let public = |key: &Key| if key.is_private() { key.public() } else { Ok(key.clone()) };
        KeySet::new(set.iter().map(public).collect::<Result<Vec<_>>>()?)
    }

    fn cools(&self, last: u64, now: u64) -> bool {
        last != 0 && now < last.saturating_add(self.options.cooldown.saturating_mul(NANOS))
    }

    fn may_look(&self, now: u64) -> bool {
        let looked = self.looked.load(Ordering::Acquire);
        !self.cools(looked, now)
            && self
                .looked
                .compare_exchange(looked, now, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }
}

impl RemoteKeySet {
    /// Fetches if nobody does and it is worth a try. Whoever has keys to go on with does not wait for another.
    #[cold]
    fn revalidate(&self, transport: &dyn Transport) -> Result<Arc<Current>> {
        beyond_memory()?;
        let inner = &*self.0;
        match inner.usable(inner.now()) {
            Ok(stale) => {
                let fetched = inner.flight.try_locked(|()| self.fetch_if_stale(transport));
                // Whoever is at it, or whatever went wrong: these keys are good for a while.
                Ok(fetched.and_then(Result::ok).unwrap_or(stale))
            }
            Err(_) => inner.flight.locked(|()| self.fetch_if_stale(transport)),
        }
    }

    fn fetch_if_stale(&self, transport: &dyn Transport) -> Result<Arc<Current>> {
        let inner = &*self.0;
        let now = inner.now();
        let current = inner.current.load_full();
        if now < current.fresh_until {
            return Ok(current);
        }
        if inner.cools(inner.tried.load(Ordering::Acquire), now) {
            return Err(SILENT);
        }
        self.refresh().run(transport).map_err(unavailable)?;
        inner.usable(inner.now())
    }

    fn current(&self) -> Result<Arc<Current>> {
        let now = self.0.now();
        match &self.0.transport {
            Some(transport) if now >= self.0.current.load().fresh_until => {
                self.revalidate(&**transport)
            }
            _ => self.0.usable(now),
        }
    }
}

impl KeySource for RemoteKeySet {
    fn generation(&self) -> Result<u64> {
        let current = self.0.current.load();
        if self.0.now() < current.fresh_until {
            return Ok(current.generation);
        }
        drop(current);
        Ok(self.current()?.generation)
    }

    fn keys(&self) -> Result<KeySet> {
        self.current()?.keys.clone().ok_or(SILENT)
    }

    fn look_again(&self, generation: u64) -> Result<bool> {
        let inner = &*self.0;
        let Some(transport) = &inner.transport else { return Ok(false) };
        beyond_memory()?;
        inner.flight.locked(|()| {
            // Someone may have fetched the very key in the meantime.
            let is_known = inner.current.load().generation != generation;
            if !is_known && inner.may_look(inner.now()) {
                // The issuer may be out of reach; the token is then refused as one of an unknown key.
                let _ = self.refresh().run(&**transport);
            }
        });
        Ok(inner.current.load().generation != generation)
    }

    fn signing_key(&self) -> Result<Key> {
        Err(Error::new(ErrorKind::KeyUsage, "The keys of another issuer sign nothing here."))
    }
}

/// A key set without the members of its keys that are `null`: some servers write out what a key does not have.
fn without_nulls(text: &[u8]) -> Option<String> {
    let keys = json::parse(text).ok()?.member("keys").filter(|keys| keys.kind() == Kind::Array)?;
    let keys: Vec<Value<'_>> = keys.elements().collect();
    let given = |key: &Value<'_>| {
        if key.kind() != Kind::Object {
            return key.raw().to_owned();
        }
        let mut out = ObjectWriter::new();
        for (name, value) in key.members().filter(|(_, value)| value.kind() != Kind::Null) {
            out.raw(&name.decode(), value.raw());
        }
        out.end()
    };
    let mut out = ObjectWriter::new();
    out.raw("keys", &json::array(&keys, given));
    Some(out.end())
}

/// What a fetch failed with, as something that is out of reach.
#[cold]
fn unavailable(error: Error) -> Error {
    if error.is_unavailable() { error } else { error.with_kind(ErrorKind::OauthServerFailed) }
}

/// The seconds of `max-age` (RFC 9111 section 5.2.2.1); 0 if nothing may be kept or it is not understood.
fn max_age(header: &str) -> u64 {
    let mut age = 0;
    for directive in header.split(',').map(str::trim) {
        match directive.split_once('=') {
            _ if ["no-store", "no-cache"].iter().any(|no| directive.eq_ignore_ascii_case(no)) => {
                return 0;
            }
            Some((name, seconds)) if name.trim().eq_ignore_ascii_case("max-age") => {
                age = seconds.trim().trim_matches('"').parse().unwrap_or(0);
            }
            _ => {}
        }
    }
    age
}

const FRESH: Error = argument("Keys are fresh for at least a second and at most a year.");
const KEPT: Error = argument("Keys are kept for at most a year, and looked for at least daily.");
const URL_OR_ISSUER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Remote keys need either `url` or `issuer`, and not both.",
);
const NOT_KEYS: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The issuer's key set is not 1 to 100 usable public keys; symmetric ones are refused.",
);
const SILENT: Error = Error::new(
    ErrorKind::OauthServerFailed,
    "The issuer's keys are not known, or have not been seen for too long; see that it can be reached.",
);

/// Where the keys are from and how many there are.
impl fmt::Debug for RemoteKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.0.place {
            Place::Url(url) => url,
            Place::Issuer(config) => config.issuer.as_deref().unwrap_or_default(),
        };
        let keys = self.0.current.load().keys.as_ref().map_or(0, KeySet::len);
        write!(f, "RemoteKeySet({place}, {keys} keys)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control() {
        for (header, age) in [
            ("max-age=300", 300),
            ("public, Max-Age = 60", 60),
            ("max-age=\"5\"", 5),
            ("no-store, max-age=300", 0),
            ("max-age=300, no-cache", 0),
            ("max-age=-1", 0),
            ("max-age=99999999999999999999", 0),
            ("private", 0),
            ("", 0),
        ] {
            assert_eq!(max_age(header), age, "{header}");
        }
    }
}
