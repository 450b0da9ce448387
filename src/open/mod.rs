//! Layer 5: an open store: a URL, a pepper and a clock, and everything that is kept there over one
//! pool of connections: API keys, sessions, revocations and key rings. The short ways open one and
//! take a single thing out.

mod health;
mod url;

pub use url::StoreUrl;

use crate::apikey::{ApiKeyOptions, ApiKeys};
use crate::base::clock::{Clock, plausible};
use crate::base::follow::Follow;
use crate::base::process::brief;
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::Signer;
use crate::keyring::{KeyRing, KeyRingOptions};
use crate::pepper::{
    PepperSource, Peppers, make_pepper_file, pepper_beside, random_pepper, read_pepper_file,
};
use crate::revocations::{RevocationOptions, Revocations};
use crate::session::{SessionOptions, Sessions};
use crate::store::{
    CLOSED, Database, Follower, LimitsState, Mark, MemoryStore, PostgresUrl, RingFolder,
    SharedLimits, shared_limits,
};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

/// How a [`Store`] is opened: where its peppers are, and what holds for all that it hands out. What
/// the options of API keys, sessions, revocations and key rings say for themselves goes first.
#[derive(Clone, Default)]
#[must_use]
pub struct StoreOptions {
    pepper: PepperSource,
    follow: Follow,
    must_exist: bool,
    /// The URL, in which there may be a password.
    limits: Option<Secret>,
}

impl StoreOptions {
    /// The pepper in the file beside the store, the system's clock, a store that may be silent for
    /// 30 seconds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the peppers are: [`PepperSource`], or [`Peppers`] themselves, for example from
    /// [`read_peppers`](crate::pepper::read_peppers).
    pub fn pepper(mut self, source: impl Into<PepperSource>) -> Self {
        self.pepper = source.into();
        self
    }

    /// Takes the peppers from this file, which only its owner may read.
    pub fn pepper_file(self, path: impl Into<PathBuf>) -> Self {
        self.pepper(PepperSource::File(path.into()))
    }

    /// Takes the peppers from the environment variable of this name, written as in a file.
    pub fn pepper_env(self, name: impl Into<String>) -> Self {
        self.pepper(PepperSource::Env(name.into()))
    }

    /// Whether a store that is not there is made: unless so said. A process that only reads what
    /// another keeps says no, so that a wrong path is an error, and not an empty store which knows
    /// of nothing that was revoked.
    pub fn create(mut self, create: bool) -> Self {
        self.must_exist = !create;
        self
    }

    /// The source of the time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.follow.clock = Some(clock);
        self
    }

    /// Asks the store at every API key and token whether anything has changed, so that what another
    /// process has revoked is seen at once and not within 50 ms. Costs about a microsecond on
    /// SQLite.
    pub fn strict(mut self, strict: bool) -> Self {
        self.follow.strict = Some(strict);
        self
    }

    /// Where the rates of API keys and the limits of guards over this store are counted together
    /// with other machines: a Valkey or a Redis of version 7 or later, `redis://127.0.0.1:6379`,
    /// `rediss://user:password@host:6379` with TLS, `unix:/path/of/socket`; see
    /// [`RedisLimits::open`](crate::store::RedisLimits::open). Without it each machine, or each
    /// process where a store has no file, counts for itself.
    ///
    /// A decision that counts asks the server then, for 5 ms at most; while it does not answer,
    /// each process admits its part of each limit ([`LimitsState::sharers`]).
    pub fn limits(mut self, url: impl Into<String>) -> Self {
        self.limits = Some(Secret::new(url.into().into_bytes()));
        self
    }

    /// For how many seconds everything works from memory while the store is out of reach; 0 to
    /// 86400.
    pub fn max_stale(self, seconds: u64) -> Self {
        self.max_stale_ms(seconds.saturating_mul(1000))
    }

    /// [`Self::max_stale`] in milliseconds.
    pub fn max_stale_ms(mut self, milliseconds: u64) -> Self {
        self.follow.max_stale_ms = Some(milliseconds);
        self
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("pepper", &self.pepper)
            .field("strict", &self.follow.strict())
            .field("max_stale_ms", &self.follow.max_stale_ms())
            .field("create", &!self.must_exist)
            .field("limits", &self.limits.is_some())
            .finish_non_exhaustive()
    }
}

/// An open store: everything that is kept there, over one pool of connections, one pepper setting
/// and one clock. Safe to share between threads, cheap to clone, usable after a fork.
///
/// What it hands out holds the pool as well, so that the handle itself may be dropped.
/// [`Self::close`] ends all of it.
///
/// ```
/// use gatekey::{Alg, Key, Signer};
/// use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
/// use gatekey::session::{SessionOptions, SessionSpec};
/// use gatekey::{ErrorKind, Store};
///
/// let store = Store::open("memory:")?;
/// let keys = store.api_keys(ApiKeyOptions::new())?;
/// let signer = Signer::builder(&Key::generate(Alg::Es256)?).build()?;
/// let sessions = store.sessions(Some(&signer), SessionOptions::new())?;
///
/// let issued = keys.create(&KeySpec::new("acme"))?;
/// assert!(keys.verify(issued.secret.expose(), &Check::new()).is_ok());
/// assert!(sessions.start("alice", &SessionSpec::default()).is_ok());
///
/// store.close()?;
/// let refused = keys.verify(issued.secret.expose(), &Check::new()).unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// Without the room of another variant: what a value has never filled may hold what the stack held
/// before, a pepper.
struct Inner {
    url: String,
    /// Empty in memory and on a server.
    path: PathBuf,
    in_memory: bool,
    kept: Kept,
    /// Those beside a store that was there before are read when something needs them first: who
    /// only asks what is revoked needs none.
    peppers: OnceLock<Peppers>,
    made_pepper_file: bool,
    follow: Follow,
    limits: Option<Arc<dyn SharedLimits>>,
    closed: AtomicBool,
    last_heard: health::LastHeard,
    handed_out: Mutex<Vec<Weak<dyn Follower>>>,
}

/// What everything is kept in.
enum Kept {
    Database(Arc<dyn Database>),
    /// Key rings, and nothing else.
    Folder(Arc<RingFolder>),
}

impl Store {
    /// Opens a store by its URL ([`StoreUrl`]), or a folder, which holds key rings only, with the
    /// pepper in the file beside it (`<path>.pepper`), which is made with a store that is not there
    /// yet; in memory, a random one.
    ///
    /// The mark that tells a restored backup from the store lies beside it as well: [`Mark`].
    /// Nothing else in the process may open the file with a SQLite of its own, not even to read
    /// (docs/processes.md).
    ///
    /// # Errors
    /// `InvalidArgument`: it is no URL of a store. `Unsupported`: this build has no such store.
    /// `StoreRestored`: the store is older than its mark. Those of [`crate::store::Backend`].
    pub fn open(url: &str) -> Result<Self> {
        Self::open_with(url, StoreOptions::new())
    }

    /// As [`Self::open`], with options.
    ///
    /// # Errors
    /// As [`Self::open`]. `InvalidConfiguration`: others may read the pepper file, the environment
    /// variable is not set or holds no peppers, or the clock is out of range. `InvalidArgument`:
    /// `max_stale` is out of range. `WrongPepper`: the pepper file that was named is not there, or
    /// the store was made under other peppers. Then nothing was made.
    pub fn open_with(url: &str, options: StoreOptions) -> Result<Self> {
        let url: StoreUrl = url.parse()?;
        let mut follow = options.follow;
        follow.max_stale()?;
        let pace = follow.pace();
        pace.read(&*follow.clock())?;
        follow.pace = Some(pace);
        let limits = options.limits.as_ref().map(|url| shared_limits(url.expose_str()));
        let limits = limits.transpose()?;
        let given = options.pepper.elsewhere()?;
        if given.is_none() && matches!(url, StoreUrl::Postgres(_)) {
            return Err(NO_PEPPER);
        }
        let mut store = Self::without_peppers(&url, !options.must_exist, follow)?;
        if let Some(inner) = Arc::get_mut(&mut store.0) {
            inner.limits = limits;
        }
        store.find_peppers(given)
    }

    /// A store that was opened for what needs no pepper.
    pub(crate) fn without_peppers(url: &StoreUrl, create: bool, follow: Follow) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            kept: open(url, create)?,
            url: url.to_string(),
            path: url.path().unwrap_or_else(|| Path::new("")).to_owned(),
            in_memory: *url == StoreUrl::Memory,
            peppers: OnceLock::new(),
            made_pepper_file: false,
            follow,
            limits: None,
            closed: AtomicBool::new(false),
            last_heard: health::LastHeard::default(),
            handed_out: Mutex::default(),
        })))
    }

    /// Takes the peppers that were given, and makes those of a new store.
    fn find_peppers(mut self, given: Option<Peppers>) -> Result<Self> {
        let Some(inner) = Arc::get_mut(&mut self.0) else { return Ok(self) };
        let in_memory = inner.in_memory;
        let peppers = match (given, &inner.kept) {
            (Some(given), Kept::Database(database)) => {
                given.check_known(&**database)?;
                Some(given)
            }
            (given, Kept::Folder(_)) => given,
            (None, Kept::Database(_)) if in_memory => Some(random_pepper()?),
            (None, Kept::Database(database)) => {
                let is_new = database.api_key_count()? == 0 && database.pepper_checks()?.is_empty();
                inner.made_pepper_file = is_new && make_pepper_file(&pepper_beside(&inner.path))?;
                None
            }
        };
        if let Some(peppers) = peppers {
            inner.peppers = OnceLock::from(peppers);
        }
        Ok(self)
    }

    fn peppers(&self) -> Result<Peppers> {
        let inner = &*self.0;
        if let Some(peppers) = inner.peppers.get() {
            return Ok(peppers.clone());
        }
        if inner.path.as_os_str().is_empty() {
            return Err(NO_PEPPER);
        }
        let peppers = read_pepper_file(&pepper_beside(&inner.path))?;
        Ok(inner.peppers.get_or_init(|| peppers).clone())
    }

    /// The pepper file that was made with the store just now: it should be backed up.
    #[must_use]
    pub fn new_pepper_file(&self) -> Option<PathBuf> {
        self.0.made_pepper_file.then(|| pepper_beside(&self.0.path))
    }

    /// What names the store.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The API keys.
    ///
    /// # Errors
    /// Those of [`ApiKeys::open`] and of [`read_pepper_file`]. `InvalidArgument`: the store has
    /// been closed.
    pub fn api_keys(&self, options: ApiKeyOptions) -> Result<ApiKeys> {
        let options = options.following(&self.0.follow).sharing(self.0.limits.as_ref());
        self.hand_out(ApiKeys::follower, || {
            ApiKeys::open(self.database()?, self.peppers()?, options)
        })
    }

    /// The sessions. Without a signer they can be looked at and ended, not started or refreshed.
    ///
    /// # Errors
    /// Those of [`Sessions::open`] and of [`read_pepper_file`]. `InvalidArgument`: the store has
    /// been closed.
    pub fn sessions(&self, signer: Option<&Signer>, options: SessionOptions) -> Result<Sessions> {
        let options = options.following(&self.0.follow).sharing(self.0.limits.as_ref());
        self.hand_out(
            |sessions: &Sessions| sessions.revocations().follower(),
            || Sessions::open(self.database()?, self.peppers()?, signer, options),
        )
    }

    /// What is revoked. Needs no pepper.
    ///
    /// # Errors
    /// Those of [`Revocations::open`]. `InvalidArgument`: the store has been closed.
    pub fn revocations(&self, options: RevocationOptions) -> Result<Revocations> {
        let options = options.following(&self.0.follow);
        self.hand_out(Revocations::follower, || Revocations::open(self.database()?, options))
    }

    /// The key ring of this name, which is made if it is not there; `default` is the usual one, and
    /// an empty name means that of the options. It is sealed under the pepper; in a folder, which
    /// is for its owner alone, only if a pepper was given.
    ///
    /// # Errors
    /// Those of [`KeyRing::open`] and of [`read_pepper_file`]. `InvalidArgument`: the store has
    /// been closed.
    pub fn key_ring(&self, name: &str, options: KeyRingOptions) -> Result<KeyRing> {
        let options = if name.is_empty() { options } else { options.name(name) };
        let options = options.following(&self.0.follow);
        self.hand_out(KeyRing::follower, || match &self.0.kept {
            Kept::Folder(folder) => {
                KeyRing::open(Arc::clone(folder) as _, self.0.peppers.get().cloned(), options)
            }
            Kept::Database(database) => {
                let peppers = self.peppers()?;
                peppers.check_against(&**database, plausible(self.0.follow.clock().now())?)?;
                KeyRing::open(Arc::clone(database) as _, Some(peppers), options)
            }
        })
    }

    /// What this process knows of the server in [`StoreOptions::limits`]; `None` without one. Asks
    /// nothing; [`ApiKeys::check_limits`] asks it.
    #[must_use]
    pub fn limits_state(&self) -> Option<LimitsState> {
        self.0.limits.as_ref().map(|limits| limits.state())
    }

    /// Refuses what has been closed, by itself or with its store, before anything else is asked.
    ///
    /// # Errors
    /// `InvalidArgument`: it has been closed.
    pub fn check_open(&self) -> Result<()> {
        if self.0.closed.load(Ordering::SeqCst) { Err(CLOSED) } else { Ok(()) }
    }

    /// Writes down what is pending, lets go of files and connections, and ends everything that was
    /// handed out: it refuses every call from now on (`InvalidArgument`) and changes nothing. A
    /// second call does nothing.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`]; it is closed nevertheless.
    pub fn close(&self) -> Result<()> {
        let handed_out = {
            let mut handed_out = brief(&self.0.handed_out);
            self.0.closed.store(true, Ordering::SeqCst);
            std::mem::take(&mut *handed_out)
        };
        let followers = handed_out.iter().filter_map(Weak::upgrade);
        let written = followers.map(|follower| follower.end()).fold(Ok(()), Result::and);
        let closed = match &self.0.kept {
            Kept::Database(database) => database.close(),
            Kept::Folder(_) => Ok(()), // has nothing open
        };
        written.and(closed)
    }

    pub(crate) fn database(&self) -> Result<Arc<dyn Database>> {
        match &self.0.kept {
            Kept::Database(database) => Ok(Arc::clone(database)),
            Kept::Folder(_) => Err(RINGS_ONLY),
        }
    }

    /// Opens a thing, and remembers whom to tell when the store closes.
    fn hand_out<T>(
        &self,
        follower: impl Fn(&T) -> Weak<dyn Follower>,
        open: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.check_open()?;
        let thing = open()?;
        let mut handed_out = brief(&self.0.handed_out);
        // Closed meanwhile, by another thread, which has not seen this one and may still be writing
        // what is pending.
        if self.0.closed.load(Ordering::SeqCst) {
            drop(handed_out);
            return follower(&thing).upgrade().map_or(Ok(()), |this| this.end()).and(Err(CLOSED));
        }
        handed_out.retain(|known| known.strong_count() > 0);
        handed_out.push(follower(&thing));
        drop(handed_out);
        Ok(thing)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.0.url)
    }
}

const NO_PEPPER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A store in PostgreSQL has no pepper file beside it: name the same pepper on every machine, by a file, an \
     environment variable or its bytes.",
);
const RINGS_ONLY: Error = Error::new(
    ErrorKind::InvalidArgument,
    "A folder holds key rings only; API keys, sessions and revocations are kept in sqlite:///path or memory:.",
);

/// That there is something where the store is to be; a server is asked by the store.
pub(crate) fn check_there(url: &StoreUrl) -> Result<()> {
    match url.path() {
        Some(path) if !path.exists() => {
            Err(NOT_THERE.about_named_claim(&path.to_string_lossy().as_ref().into()))
        }
        _ => Ok(()),
    }
}

const NOT_THERE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "There is no store at this path, and none was to be made (`create`); look at the path.",
);

/// Opens what a URL names, and makes it if it is not there and may be made.
fn open(url: &StoreUrl, create: bool) -> Result<Kept> {
    if !create {
        check_there(url)?;
    }
    match url {
        StoreUrl::Memory => Ok(Kept::Database(Arc::new(MemoryStore::new()))),
        StoreUrl::Folder { path, mark } => {
            Ok(Kept::Folder(Arc::new(RingFolder::open_with(path, mark)?)))
        }
        StoreUrl::Sqlite { path, .. } if path.is_dir() => Err(Error::new(
            ErrorKind::InvalidArgument,
            "The path of a SQLite store is that of a file, and there is a folder; key rings in a folder are named \
             folder:/path.",
        )),
        StoreUrl::Sqlite { path, mark } => sqlite(path, mark).map(Kept::Database),
        StoreUrl::Postgres(url) => postgres(url, create).map(Kept::Database),
    }
}

#[cfg(feature = "postgres")]
fn postgres(url: &PostgresUrl, create: bool) -> Result<Arc<dyn Database>> {
    use crate::store::PostgresStore;
    Ok(Arc::new(if create { PostgresStore::open(url)? } else { PostgresStore::open_there(url)? }))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &PostgresUrl, _: bool) -> Result<Arc<dyn Database>> {
    Err(Error::new(ErrorKind::Unsupported, "This build of gatekey has no store in PostgreSQL."))
}

#[cfg(feature = "sqlite")]
fn sqlite(path: &Path, mark: &Mark) -> Result<Arc<dyn Database>> {
    Ok(Arc::new(crate::store::SqliteStore::open_with(path, mark)?))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_: &Path, _: &Mark) -> Result<Arc<dyn Database>> {
    Err(Error::new(ErrorKind::Unsupported, "This build of gatekey has no SQLite store."))
}

/// API keys that were opened, and what a person should know of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The keys.
    pub keys: ApiKeys,
    /// The pepper file that was made just now: it should be backed up.
    pub new_pepper_file: Option<PathBuf>,
}

/// Sessions that were opened, and what a person should know of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedSessions {
    /// The sessions.
    pub sessions: Sessions,
    /// The pepper file that was made just now: it should be backed up.
    pub new_pepper_file: Option<PathBuf>,
}

/// A key ring that was opened, and what a person should know of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedKeyRing {
    /// The ring.
    pub ring: KeyRing,
    /// The pepper file that was made just now: it should be backed up.
    pub new_pepper_file: Option<PathBuf>,
}

/// The short way to API keys: [`Store::open_with`] and [`Store::api_keys`].
///
/// # Errors
/// Those of the two.
pub fn open_api_keys(url: &str, pepper: &PepperSource, options: ApiKeyOptions) -> Result<Opened> {
    options.check()?; // before a file is made
    let store = Store::open_with(url, StoreOptions::new().pepper(pepper.clone()))?;
    let keys = store.api_keys(options)?;
    Ok(Opened { keys, new_pepper_file: store.new_pepper_file() })
}

/// The short way to sessions: [`Store::open_with`] and [`Store::sessions`].
///
/// # Errors
/// Those of the two.
pub fn open_sessions(
    url: &str,
    pepper: &PepperSource,
    signer: Option<&Signer>,
    options: SessionOptions,
) -> Result<OpenedSessions> {
    options.check(signer)?; // before a file is made
    let store = Store::open_with(url, StoreOptions::new().pepper(pepper.clone()))?;
    let sessions = store.sessions(signer, options)?;
    Ok(OpenedSessions { sessions, new_pepper_file: store.new_pepper_file() })
}

/// The short way to what is revoked; needs no peppers, and makes none.
///
/// # Errors
/// Those of [`Store::open`] and [`Store::revocations`].
pub fn open_revocations(url: &str, options: RevocationOptions) -> Result<Revocations> {
    options.check()?; // before a file is made
    let url: StoreUrl = url.parse()?;
    Store::without_peppers(&url, options.creates(), Follow::new())?.revocations(options)
}

/// The short way to a key ring: [`Store::open_with`] and [`Store::key_ring`].
///
/// # Errors
/// Those of the two.
pub fn open_key_ring(
    url: &str,
    pepper: &PepperSource,
    options: KeyRingOptions,
) -> Result<OpenedKeyRing> {
    options.check()?; // before a file is made
    let store = Store::open_with(url, StoreOptions::new().pepper(pepper.clone()))?;
    let ring = store.key_ring("", options)?;
    Ok(OpenedKeyRing { ring, new_pepper_file: store.new_pepper_file() })
}
