//! `RemoteKeySet`: the keys that an issuer publishes (RFC 7517 section 5), fetched when they are
//! first needed and kept fresh, without a thread of its own and without letting a caller's tokens
//! cause a flood of requests.
//!
//! One caller fetches while the others use the keys that are known. What has failed is tried again
//! after a second, then after twice as long each time; until then its reason is reported. Symmetric
//! keys are refused, because a secret is never published; so are more than 100 keys and 512 KiB.

mod options;
mod read;

pub use options::RemoteKeySetOptions;

use super::answer::{self, REDIRECT};
use super::config::OAuthConfig;
use super::metadata;
use crate::base::backoff::BackOff;
use crate::base::clock::NANOS;
use crate::base::process::brief;
use crate::base::reach::may_ask;
use crate::crypto::hash::sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Key, KeySet, KeySource, Skipped};
use crate::transport::{
    Came, Flight, HttpRequest, HttpResponse, Io, Operation, Purpose, Told, Transport,
    ask_elsewhere, told,
};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The largest key set, in bytes.
const LARGEST: usize = 512 * 1024;
/// How long the token of an unknown key waits for another caller's fetch, in milliseconds from its
/// beginning.
const LONGEST_LOOK: u64 = 1000;

/// The keys that an issuer publishes: safe to share between threads, cheap to clone, usable after a
/// fork. A [`KeySource`] for [`Verifier::following`](crate::Verifier::following).
#[derive(Clone)]
pub struct RemoteKeySet(Arc<Inner>);

struct Inner {
    /// Where the keys are, or whose they are.
    place: Place,
    options: RemoteKeySetOptions,
    /// What carries the requests of [`KeySource`]; without one it never blocks, and the owner
    /// fetches.
    transport: Option<Arc<dyn Transport>>,
    current: ArcSwap<Current>,
    /// How many requests have begun, and when the last one did.
    turns: AtomicU64,
    begun: AtomicU64,
    /// When a fetch was last begun for a token's sake; nanoseconds, 0 for never.
    looked: AtomicU64,
    /// One fetch at a time, and what was wrong with the last one.
    flight: Flight,
    trouble: Mutex<BackOff>,
}

/// What the caller of an attempt has waited for.
enum Fetched {
    WhenOld,
    /// A look for the key of its token.
    ForAToken,
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
    /// `InvalidConfiguration`: it is not an `https` address. `InvalidArgument`: an option is out of
    /// range.
    pub fn new(url: impl Into<String>, options: RemoteKeySetOptions) -> Result<Self> {
        Self::open(options.url(url))
    }

    /// The keys of this issuer, whose metadata say where they are (RFC 8414, OpenID Connect
    /// Discovery).
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_issuer(issuer: impl Into<String>, options: RemoteKeySetOptions) -> Result<Self> {
        Self::open(options.issuer(issuer))
    }

    /// The keys that the options name, either by their address or by their issuer.
    ///
    /// # Errors
    /// As [`Self::new`]; `InvalidConfiguration` too if the options name neither or both, or say
    /// where the metadata of no issuer are. The error's claim names the member.
    pub fn open(options: RemoteKeySetOptions) -> Result<Self> {
        let loopback = options.allow_loopback_http;
        let check = |url: &str, member: &'static str| {
            metadata::check_endpoint(url, loopback).map_err(|error| {
                error.with_kind(ErrorKind::InvalidConfiguration).about_claim(member)
            })
        };
        let place = match (&options.url, &options.issuer) {
            (_, None) if options.metadata_url.is_some() => {
                return Err(NO_ISSUER.about_claim("metadata_url"));
            }
            (Some(url), None) => {
                check(url, "url")?;
                Place::Url(url.clone())
            }
            (None, Some(issuer)) => {
                metadata::well_known(issuer, loopback)
                    .map_err(|error| error.about_claim("issuer"))?;
                let mut config = OAuthConfig::new("keys").issuer(issuer);
                if let Some(url) = &options.metadata_url {
                    check(url, "metadata_url")?;
                    config = config.metadata_url(url);
                }
                let config = config.allow_loopback_http(loopback).deadline_ms(options.deadline_ms);
                Place::Issuer(Box::new(config))
            }
            _ => return Err(URL_OR_ISSUER.about_claim("url")),
        };
        Self::at(place, options)
    }

    /// Reads where the keys are: one JSON object with `url` or `issuer`, and any of `metadata_url`,
    /// `ttl`, `min_ttl`, `max_ttl`, `cooldown`, `max_stale` (seconds), `rsa_alg`,
    /// `allow_loopback_http` and `deadline_ms`.
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
            begun: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            flight: Flight::default(),
            trouble: Mutex::default(),
        })))
    }

    /// The same keys, fetched over this transport when a verifier needs them; a new set, with no
    /// keys yet. Without it nothing blocks: anyone who drives [`Self::refresh`] keeps them fresh.
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
            begun: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            flight: Flight::default(),
            trouble: Mutex::new(brief(&self.0.trouble).clone()),
        }))
    }

    /// Fetches the keys now. While another fetch is under way, what comes of that is waited for
    /// instead.
    pub fn refresh(&self) -> Operation<()> {
        let keys = self.clone();
        Operation::new(|io| async move { keys.fetch_or_wait(&io).await })
    }

    /// Whether it is time to fetch the keys: there are no keys yet, or they are not fresh any more.
    #[must_use]
    pub fn wants_refresh(&self) -> bool {
        self.0.now() >= self.0.current.load().fresh_until
    }

    /// The members of the issuer's key set that are not used, with the reasons: of the keys that
    /// are held, without asking for others. Empty before the first fetch.
    #[must_use]
    pub fn skipped(&self) -> Vec<Skipped> {
        let current = self.0.current.load();
        current.keys.as_ref().map(|keys| keys.skipped().to_vec()).unwrap_or_default()
    }

    async fn fetch_or_wait(&self, io: &Io) -> Result<()> {
        let inner = &*self.0;
        let before = inner.current.load().turn;
        let is_waiting = inner.flight.is_busy();
        let known = || (inner.current.load().turn > before).then_some(Ok(()));
        let fetch = || async {
            // If the one that was waited for has failed, its reason is that of all.
            let failed = brief(&inner.trouble).pause(inner.now()).filter(|_| is_waiting);
            match failed {
                Some(error) => Err(error),
                None => self.fetch(io).await,
            }
        };
        inner.flight.once(io, inner.patience(), known, || None, fetch).await
    }

    async fn fetch(&self, io: &Io) -> Result<()> {
        let inner = &*self.0;
        let fetched = self.ask(io).await;
        let mut trouble = brief(&inner.trouble);
        match fetched {
            Ok(()) => {
                trouble.over();
                Ok(())
            }
            Err(error) => {
                let now = inner.now();
                trouble.failed(&error, now, inner.options.cooldown);
                Err(trouble.pause(now).unwrap_or(error))
            }
        }
    }

    async fn ask(&self, io: &Io) -> Result<()> {
        let inner = &*self.0;
        let begun = inner.now();
        inner.begun.store(begun, Ordering::Release);
        let turn = inner.turns.fetch_add(1, Ordering::AcqRel) + 1;
        let url = match &inner.place {
            Place::Url(url) => url.clone(),
            // Of keys that is the configuration's fault alone: there is no answer to a log-in to
            // refuse.
            Place::Issuer(config) => {
                metadata::jwks_uri(io, config).await.map_err(|error| match error.kind() {
                    ErrorKind::OauthIssuerMismatch => {
                        error.with_kind(ErrorKind::InvalidConfiguration)
                    }
                    _ => error,
                })?
            }
        };
        let mut request = HttpRequest::new("GET", url, Purpose::Keys)
            .header("accept", "application/jwk-set+json, application/json".to_owned());
        request.max_body = LARGEST;
        request.deadline_ms = inner.options.deadline_ms;
        let response = io.ask(request).await?;
        inner.take(&response, begun, turn)
    }

    /// Keys that may be used now, fetched if need be: by one for all who want them.
    pub(super) async fn fresh(&self, io: &Io) -> Result<()> {
        let inner = &*self.0;
        let held = || inner.held(inner.now()).map(|_| ());
        let fetch = || async { self.fetch(io).await.or_else(|error| held().ok_or(error)) };
        let known = || inner.at_once().map(|known| known.map(|_| ()));
        inner.flight.once(io, inner.patience(), known, held, fetch).await
    }

    /// Looks for the key of a token that these do not verify. Whether there are others than those
    /// of this generation by now; if another caller is at it, that is waited for, for this many
    /// milliseconds.
    pub(super) async fn look(&self, io: &Io, generation: u64, longest: u64) -> Result<bool> {
        let inner = &*self.0;
        // Another caller who is at it may bring the very key.
        let known = || {
            inner
                .looked_up(generation)
                .filter(|known| matches!(known, Ok(true)) || !inner.flight.is_busy())
        };
        match inner.flight.wait(io, longest, known).await {
            Came::Known(known) => known,
            Came::Late => Ok(false),
            Came::Turn(turn) => {
                if let Some(known) = inner.looked_up(generation) {
                    return known;
                }
                let looked = inner.looked.swap(inner.now(), Ordering::AcqRel);
                let fetched = self.fetch(io).await;
                drop(turn);
                if let Err(error) = fetched {
                    // One that took long is not repeated soon for a caller's sake.
                    if error.kind() != ErrorKind::DeadlineExceeded {
                        inner.looked.store(looked, Ordering::Release);
                    }
                    return Err(error);
                }
                Ok(inner.current.load().generation != generation)
            }
        }
    }

    /// Waits for the caller that is at it, as long as they may take.
    pub(super) async fn look_patiently(&self, io: &Io, generation: u64) -> Result<bool> {
        self.look(io, generation, self.0.patience()).await
    }

    /// Which keys there are, as [`KeySource::generation`] counts them, without a request.
    pub(super) fn held_generation(&self) -> u64 {
        self.0.current.load().generation
    }

    /// What the questions are about that [`attempt`](crate::transport::attempt) hands out for want
    /// of these keys.
    #[must_use]
    pub fn about(&self) -> String {
        format!("keys {:p}", Arc::as_ptr(&self.0))
    }

    /// Where they are published: the address of the set, or the issuer whose metadata lead to it.
    #[must_use]
    pub fn place(&self) -> &str {
        match &self.0.place {
            Place::Url(url) => url,
            Place::Issuer(config) => config.issuer.as_deref().unwrap_or_default(),
        }
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
    fn held(&self, now: u64) -> Option<Arc<Current>> {
        let current = self.current.load_full();
        let oldest = current.fetched.saturating_add(self.options.max_stale.saturating_mul(NANOS));
        let is_good = current.keys.is_some() && (now < current.fresh_until || now <= oldest);
        is_good.then_some(current)
    }

    /// The same, with the reason why there are no keys.
    fn usable(&self, now: u64) -> Result<Arc<Current>> {
        self.held(now).ok_or_else(|| brief(&self.trouble).last(now).unwrap_or(SILENT))
    }

    /// What may be answered without asking: fresh keys, or what there is until it is tried again.
    fn at_once(&self) -> Option<Result<Arc<Current>>> {
        let now = self.now();
        let current = self.current.load_full();
        if now < current.fresh_until {
            return Some(Ok(current));
        }
        let pause = brief(&self.trouble).pause(now)?;
        Some(self.held(now).ok_or(pause))
    }

    /// What a look for other keys than those of a generation ends with, unless it is time for one.
    fn looked_up(&self, generation: u64) -> Option<Result<bool>> {
        if self.current.load().generation != generation {
            return Some(Ok(true));
        }
        let now = self.now();
        if let Some(pause) = brief(&self.trouble).pause(now) {
            return Some(Err(pause));
        }
        let last = self.looked.load(Ordering::Acquire);
        let cooldown = self.options.cooldown.saturating_mul(NANOS);
        (last != 0 && now < last.saturating_add(cooldown)).then_some(Ok(false))
    }

    /// How long another caller's fetch may take, in milliseconds: some requests for metadata, and
    /// one for the keys.
    const fn patience(&self) -> u64 {
        self.options.deadline_ms.saturating_mul(5)
    }

    /// Takes an answer over, unless what is held was asked for later: one that was held up brings
    /// no old keys back.
    fn take(&self, response: &HttpResponse, begun: u64, turn: u64) -> Result<()> {
        match response.status {
            200 => {}
            300..=399 => return Err(REDIRECT),
            408 | 429 | 500..=599 => return Err(answer::busy(&*self.options.clock, response)),
            _ => return Err(read::NOT_THERE),
        }
        let text = response.body.expose();
        let digest = sha256(text);
        let is_same = |held: &Current| held.keys.is_some() && held.digest == digest;
        let held = self.current.load_full();
        let keys = if is_same(&held) {
            held.keys.clone()
        } else {
            Some(read::keys(response, self.options.rsa_alg)?)
        };
        let ttl = response.header("cache-control").map_or(self.options.ttl, read::max_age);
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
}

impl RemoteKeySet {
    /// The keys to verify with, fetched if need be where that may wait.
    #[cold]
    fn revalidate(&self, transport: Option<&dyn Transport>) -> Result<Arc<Current>> {
        let inner = &*self.0;
        if let Some(known) = inner.at_once() {
            return known;
        }
        if let Some(stale) = inner.held(inner.now()).filter(|_| inner.flight.is_busy()) {
            return Ok(stale);
        }
        let keys = self.clone();
        let fetch = Operation::new(|io| async move { keys.fresh(&io).await });
        // For a caller that may not ask, the next try says what has gone wrong.
        let Some(transport) = transport.filter(|_| may_ask()) else {
            if told::<Fetched>(&self.about()).is_none() {
                ask_elsewhere(|| (self.about(), self.telling(fetch, Fetched::WhenOld)))?;
            }
            return inner.usable(inner.now());
        };
        fetch.run(transport)?;
        inner.usable(inner.now())
    }

    /// An operation for callers that try again when it is over, whatever it ends with.
    fn telling<T: Send + 'static>(
        &self,
        operation: Operation<T>,
        what: Fetched,
    ) -> Operation<Told> {
        let about = self.about();
        operation.whatever_comes().map(|()| Told::new(about, what))
    }

    fn current(&self) -> Result<Arc<Current>> {
        let now = self.0.now();
        let transport = self.0.transport.as_deref();
        let may_fetch = transport.is_some() || !may_ask();
        let current = if may_fetch && now >= self.0.current.load().fresh_until {
            self.revalidate(transport)
        } else {
            self.0.usable(now)
        };
        current.map_err(unavailable)
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
        if inner.transport.is_none() && may_ask() {
            return Ok(false);
        }
        let longest = if inner.flight.is_busy() {
            let begun = inner.begun.load(Ordering::Acquire);
            LONGEST_LOOK.saturating_sub(inner.now().saturating_sub(begun) / (NANOS / 1000))
        } else {
            LONGEST_LOOK
        };
        let known = inner.looked_up(generation);
        if let Some(known) = known.filter(|_| longest == 0 || !inner.flight.is_busy()) {
            return Ok(known.unwrap_or(false));
        }
        let keys = self.clone();
        let look = Operation::new(|io| async move { keys.look(&io, generation, longest).await });
        // The issuer may be out of reach; the token is then refused as one of an unknown key.
        match inner.transport.as_deref().filter(|_| may_ask()) {
            Some(transport) => Ok(look.run(transport).unwrap_or(false)),
            None => {
                let is_done = told::<Fetched>(&self.about())
                    .is_some_and(|fetched| matches!(*fetched, Fetched::ForAToken));
                if !is_done {
                    ask_elsewhere(|| (self.about(), self.telling(look, Fetched::ForAToken)))?;
                }
                Ok(false)
            }
        }
    }

    fn signing_key(&self) -> Result<Key> {
        Err(Error::new(ErrorKind::KeyUsage, "The keys of another issuer sign nothing here."))
    }
}

/// What a fetch failed with, as something that is out of reach, unless the configuration is wrong.
#[cold]
fn unavailable(error: Error) -> Error {
    if error.is_unavailable() || error.kind() == ErrorKind::InvalidConfiguration {
        return error;
    }
    error.with_kind(ErrorKind::OauthServerFailed).retry_after_ms(1000)
}

const URL_OR_ISSUER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Remote keys need either `url` or `issuer`, and not both.",
);
const NO_ISSUER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The metadata at `metadata_url` must name an issuer: set `issuer`, and no `url`.",
);
const SILENT: Error = Error::new(
    ErrorKind::OauthServerFailed,
    "The issuer's keys are not known, or have not been seen for too long; see that it can be reached.",
);

/// Where the keys are from and how many there are.
impl fmt::Debug for RemoteKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        let keys = self.0.current.load().keys.as_ref().map_or(0, KeySet::len);
        write!(f, "RemoteKeySet({place}, {keys} keys)")
    }
}
