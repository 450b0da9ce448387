//! Layer 3: what API keys, sessions, revocations and key rings are kept in: plain records, and a
//! trait for each use. A [`Database`] has all of them: one store, one file, one backup.
//!
//! A store never sees a secret, only MACs; it knows no rule of verification either. The traits are
//! synchronous, object-safe and name no runtime, so that SQLite, PostgreSQL and a test's own store
//! fit behind them. Writes are all-or-nothing and carry their audit rows; the audit is also the
//! change feed: what has a sequence number beyond the last one seen is new.

mod apikey;
mod file_lock;
mod folder;
mod health;
mod keyring;
mod limits;
mod mark_place;
mod memory;
mod page;
#[cfg(feature = "postgres")]
mod postgres;
mod postgres_url;
mod private_file;
mod real_path;
#[cfg(feature = "redis")]
mod redis;
mod revocation;
mod server_facts;
mod session;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod socket;
#[cfg(feature = "sqlite")]
mod sqlite;
mod token_folder;
mod tokens;

pub use apikey::{
    ApiKeyStore, AuditFilter, AuditRecord, Change, Changes, Credits, KeyFilter, KeyRecord,
    KeyStatus, Lease, Loaded, Lookup, Previous, Proof, Rate, StoredKey, Usage, Write,
};
pub(crate) use file_lock::FileLock;
pub use folder::RingFolder;
pub use health::StoreHealth;
pub use keyring::{KeyRingStore, StoredRing};
pub use limits::{Counted, Counter, Limits, LimitsState, SharedLimits};
pub(crate) use limits::{Entry, LimitPlace, LimitTable, share, shared_limits};
pub use memory::MemoryStore;
pub use page::Page;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use postgres_url::PostgresUrl;
pub use private_file::write_private_file;
pub(crate) use private_file::{read_private_file, replace_private_file};
pub(crate) use real_path::real_path;
pub use revocation::{Revocation, RevocationChanges, RevocationKind, RevocationStore, SeenToken};
pub use server_facts::ServerFacts;
pub use session::{
    SessionEnd, SessionEvent, SessionEventFilter, SessionFilter, SessionRecord, SessionStore,
    SessionWrite, StoredSession,
};
pub use token_folder::TokenFolder;
pub(crate) use tokens::LOCK_HELD;
pub use tokens::{MemoryTokenStore, TokenStore};

#[cfg(feature = "redis")]
pub use redis::RedisLimits;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::{Copied, Progress, SCHEMA, back_up, examine, restore, sqlite_version};

use crate::error::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::Weak;

/// What everything that was closed answers from then on, in memory as well: no store is out of
/// reach, the program uses what it has closed.
pub(crate) const CLOSED: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The store, or what was kept in it, has been closed; open it again.",
);

/// What [`Backend::stamp`] answers where the thread that hears of changes has not run for so long
/// that the process may have been stopped: what it knows is old, and the store itself is to be
/// asked.
pub(crate) const LATE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The store was not listened to for a moment; it is asked at the next use.",
);

/// Where the high-water mark of a file is kept: what tells an older copy of it, such as a backup,
/// from the file itself. Every process that opens the file must name the same place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// Beside the store, as `<store>.mark`.
    #[default]
    Beside,
    /// In this file: on another disk than the store, say, so that both are not restored together. A
    /// file that is there and not empty is a mark already; nothing else is written over.
    At(PathBuf),
    /// Nowhere: a restored backup revives what was revoked since, in silence.
    None,
}

/// What every store says about itself, whatever it keeps.
///
/// # Errors
/// Of every call: `StoreUnavailable`, `StoreCorrupt`, `StoreReadOnly`, `StoreFull`; then nothing
/// has changed.
pub trait Backend: Send + Sync {
    /// The file that this store is, if it is one: its rate limits are counted beside it (see
    /// [`Limits`]).
    fn file(&self) -> Option<PathBuf> {
        None
    }

    /// A number that is another one after an older state of the store was put back and someone has
    /// acknowledged that: only then are keys believed that are older than what was seen of them. 0
    /// if the store does not tell.
    ///
    /// # Errors
    /// See [`Backend`]; `StoreRestored`: it has not been acknowledged yet.
    fn history(&self) -> Result<u64> {
        Ok(0)
    }

    /// A number that is another one after another server has taken over from the one that was
    /// followed, as of the last answer of [`Backend::history`]: what the new one says is believed,
    /// also where it is older, but that nothing that was seen revoked is valid again. 0 if there is
    /// only one.
    fn server(&self) -> u64 {
        0
    }

    /// A number that is another one whenever anything in the store may have changed since: cheap;
    /// each follower keeps the one it saw last, and takes it before it reads.
    ///
    /// # Errors
    /// See [`Backend`].
    fn stamp(&self) -> Result<u64>;

    /// As [`Backend::stamp`], asked of the store at this very moment: for those who are strict,
    /// where the other may answer from what was heard a moment ago.
    ///
    /// # Errors
    /// See [`Backend`].
    fn stamp_now(&self) -> Result<u64> {
        self.stamp()
    }

    /// How it is with the store, at this moment or a moment ago. Waits for no other thread, and for
    /// a server as long as for a connection to it.
    fn health(&self) -> StoreHealth {
        StoreHealth::of("other").asked(self.stamp_now(), |_, _| {})
    }

    /// Keeps what is in memory up to date, if the store can: it has this called on a thread of its
    /// own about once a second and when it hears of a change, so that those who verify ask memory
    /// only. Others are not called, and look when they are used.
    fn keep_fed(&self, fed: Weak<dyn Fed>) {
        let _ = fed;
    }

    /// The fingerprints of all peppers that rows were made with, in ascending order.
    ///
    /// # Errors
    /// See [`Backend`].
    fn pepper_checks(&self) -> Result<Vec<PepperCheck>>;

    /// Remembers the fingerprint of a pepper; one that is known already stays as it is.
    ///
    /// # Errors
    /// See [`Backend`].
    fn add_pepper_check(&self, check: &PepperCheck) -> Result<()>;

    /// The size of what is kept, in bytes; none if that cannot be told.
    ///
    /// # Errors
    /// See [`Backend`].
    fn bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Holds the change feed against itself, from the first change that is kept to the last: where
    /// each change says which was before it.
    ///
    /// # Errors
    /// See [`Backend`]. `StoreCorrupt`: a change is missing, or was altered from outside.
    fn check_feed(&self) -> Result<()> {
        Ok(())
    }

    /// Writes down what is pending and lets go of files and connections. A second call does
    /// nothing; any other call is refused from then on (`InvalidArgument`).
    ///
    /// # Errors
    /// See [`Backend`].
    fn close(&self) -> Result<()>;
}

/// What follows a store and works from memory: called when the store closes, so that it stops.
pub(crate) trait Follower: Send + Sync {
    /// Writes down what is pending, and refuses everything from now on.
    fn end(&self) -> Result<()>;

    /// How many nanoseconds ago it last looked at the store; `None` if it never has.
    fn looked_ago(&self) -> Option<u64>;
}

/// The stamp as it was heard, or as the store says where none was listened to.
pub(crate) fn stamp<T: Backend + ?Sized>(store: &T) -> Result<u64> {
    match store.stamp() {
        Err(error) if error == LATE => store.stamp_now(),
        heard => heard,
    }
}

/// What works from memory and is brought up to date by its store: see [`Backend::keep_fed`].
pub trait Fed: Send + Sync {
    /// The store has come to `stamp`: reads what is new since. `anew`: it is another store than
    /// before, or an older state of it, so that nothing in memory holds until all was read.
    ///
    /// Whoever uses it from now on believes that the store stands there for as long as
    /// [`Backend::stamp`] gives an answer. What cannot be read is tried again, and reported, by
    /// those who use it.
    fn be_fed(&self, stamp: u64, anew: bool);
}

/// A store of everything: one file, one backup. Whatever keeps all four kinds is one.
pub trait Database: ApiKeyStore + SessionStore + RevocationStore + KeyRingStore {}

impl<T: ApiKeyStore + SessionStore + RevocationStore + KeyRingStore + ?Sized> Database for T {}

/// What tells whether a pepper is the one that rows were made with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PepperCheck {
    /// The pepper's number.
    pub pepper: u32,
    /// A MAC under it, of a fixed text, cut to 128 bits; zeros for one that cannot be read.
    pub check: [u8; 16],
    /// When it was first used, in seconds since the Unix epoch.
    pub since: u64,
}
