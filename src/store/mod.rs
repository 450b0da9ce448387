//! Layer 3: what API keys, sessions and key rings are kept in: plain records, and the trait [`Store`], which
//! is [`SessionStore`] and [`RingStore`] as well: one store, one file, one backup.
//!
//! A store never sees a secret, only MACs; it knows no rule of verification either. The trait is
//! synchronous, object-safe and names no runtime, so that SQLite, PostgreSQL and a test's own store
//! fit behind it. Writes are all-or-nothing and carry their audit rows; the audit is also the change
//! feed: what has a sequence number beyond the last one seen is new.

mod apikey;
mod file_lock;
mod folder;
mod keyring;
mod limits;
mod memory;
mod private_file;
mod real_path;

mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
mod token_folder;
mod tokens;

pub(crate) use file_lock::FileLock;
pub use folder::RingFolder;
pub use limits::Limits;
pub(crate) use limits::{Entry, LimitPlace, LimitTable};
pub use memory::MemoryStore;
pub use private_file::write_private_file;
pub(crate) use private_file::{read_private_file, replace_private_file};
pub(crate) use real_path::real_path;
pub use apikey::{
    AuditFilter, AuditRecord, Credits, KeyFilter, KeyRecord, KeyStatus, Lookup, Page, PepperCheck,
    Previous, Proof, Rate, StoredKey, Usage,
};
pub use keyring::{RingStore, StoredRing};
pub use session::{
    Revocation, RevocationChanges, RevocationKind, SessionEnd, SessionEvent, SessionEventFilter,
    SessionFilter, SessionRecord, SessionStore, SessionWrite, StoredSession,
};

pub use token_folder::TokenFolder;
pub use tokens::{MemoryTokenStore, TokenStore};

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::{Copied, Progress, back_up, restore};

use crate::error::Result;
use std::path::PathBuf;

/// Where the high-water mark of a file is kept: what tells an older copy of it, such as a backup, from the
/// file itself. Every process that opens the file must name the same place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// Beside the store, as `<store>.mark`.
    #[default]
    Beside,
    /// In this file: on another disk than the store, say, so that both are not restored together.
    At(PathBuf),
    /// Nowhere: a restored backup revives what was revoked since, in silence.
    None,
}

/// Where everything is kept; these calls are about API keys. Every call is durable when it returns, usage
/// excepted.
///
/// # Errors
/// Of every call: `StoreUnavailable`, `StoreCorrupt`, `StoreReadOnly`, `StoreFull`; then nothing has
/// changed.
pub trait Store: SessionStore + RingStore {
    /// About how many keys there are, so that [`Store::load`] finds room for them; 0 if that is not
    /// known.
    ///
    /// # Errors
    /// See [`Store`].
    fn count(&self) -> Result<u64> {
        Ok(0)
    }

    /// The file that this store is, if it is one: its rate limits are counted beside it (see [`Limits`]).
    fn file(&self) -> Option<PathBuf> {
        None
    }

    /// A number that is another one after an older state of the store was put back and someone has acknowledged that:
    /// only then are keys believed that are older than what was seen of them. 0 if the store does not tell.
    ///
    /// # Errors
    /// See [`Store`]; `StoreRestored`: nobody has acknowledged it yet.
    fn history(&self) -> Result<u64> {
        Ok(0)
    }

    /// Hands every key to `visit` and returns the sequence number of the last change in it.
    ///
    /// # Errors
    /// See [`Store`]; a damaged row is no error but a [`Loaded::Corrupt`].
    fn load(&self, visit: &mut dyn FnMut(Loaded)) -> Result<u64>;

    /// A number that is another one whenever anything in the store may have changed since: cheap; each
    /// follower keeps the one it saw last, and takes it before it reads.
    ///
    /// # Errors
    /// See [`Store`].
    fn stamp(&self) -> Result<u64>;

    /// What has changed after the sequence number `after`, each key once, as it is now.
    ///
    /// # Errors
    /// See [`Store`].
    fn changes(&self, after: u64, limit: usize) -> Result<Changes>;

    /// One key.
    ///
    /// # Errors
    /// See [`Store`]; `StoreCorrupt` if its row is damaged.
    fn get(&self, id: &str) -> Result<Option<StoredKey>>;

    /// Does all of `writes`, with their audit rows, or none; returns the last sequence number.
    ///
    /// # Errors
    /// See [`Store`]. `StoreConflict`: a key to insert exists or its look-up tag is taken, or a key
    /// to update or delete is gone or has another version.
    fn write(&self, writes: &[Write]) -> Result<u64>;

    /// Keys in ascending order of their ids, those after `filter.cursor` first.
    ///
    /// # Errors
    /// See [`Store`]; a damaged row is no error but a [`Loaded::Corrupt`].
    fn list(&self, filter: &KeyFilter) -> Result<Page<Loaded>>;

    /// Audit rows in ascending order of their sequence numbers, those after `filter.cursor` first.
    ///
    /// # Errors
    /// See [`Store`].
    fn audit(&self, filter: &AuditFilter) -> Result<Page<AuditRecord>>;

    /// Takes up to `want` credits from the key, none if there are fewer than `need`, after refilling it
    /// for the time `now` (seconds since the Unix epoch). What is taken is gone from the store, so that a crash loses and never grants.
    ///
    /// # Errors
    /// See [`Store`]. `StoreConflict`: there is no such key, it has no credits to count, or others than those that
    /// were set in the version `set_in` of the key.
    fn lease_credits(&self, id: &str, set_in: u64, need: u64, want: u64, now: u64)
    -> Result<Lease>;

    /// Gives back credits that were leased and not spent; at most up to the key's limit, and none if the key's were
    /// set again since the version `set_in`.
    ///
    /// # Errors
    /// See [`Store`]; a key that is gone is no error.
    fn return_credits(&self, id: &str, set_in: u64, amount: u64) -> Result<()>;

    /// Adds to the counters; `last_used_at` never goes back. The one call that may be lost in a crash.
    ///
    /// # Errors
    /// See [`Store`].
    fn record_usage(&self, batch: &[Usage]) -> Result<()>;

    /// The fingerprints of all peppers that rows were made with, in ascending order.
    ///
    /// # Errors
    /// See [`Store`].
    fn pepper_checks(&self) -> Result<Vec<PepperCheck>>;

    /// Remembers the fingerprint of a pepper; one that is known already stays as it is.
    ///
    /// # Errors
    /// See [`Store`].
    fn add_pepper_check(&self, check: &PepperCheck) -> Result<()>;

    /// Writes down what is pending and lets go of files and connections. A second call does nothing.
    ///
    /// # Errors
    /// See [`Store`].
    fn close(&self) -> Result<()>;
}

/// A key as [`Store::load`] and [`Store::changes`] find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The key as it is now.
    Key(Box<StoredKey>),
    /// The row with this id cannot be read; its key must be denied.
    Corrupt(String),
    /// The key with this id is gone.
    Removed(String),
}

/// The answer of [`Store::changes`].
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The sequence number to go on from.
    pub seq: u64,
    /// The keys that have changed.
    pub keys: Vec<Loaded>,
    /// Whether more is waiting after `seq`.
    pub more: bool,
    /// Whether the feed does not reach back to `after`, so that everything must be loaded again.
    pub reload: bool,
}

/// One change and its row in the audit.
#[derive(Clone, Debug)]
pub struct Write {
    /// What is changed.
    pub change: Change,
    /// When, in seconds since the Unix epoch.
    pub at: u64,
    /// Who asked for it, as the program tells; may be empty.
    pub actor: String,
    /// What was done, for example `create`, `revoke`, `pepper.upgrade`.
    pub action: &'static str,
    /// More about it, without any secret; may be empty.
    pub detail: String,
}

/// What a [`Write`] changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new key; its version is 1.
    Insert(Box<StoredKey>),
    /// The key as it is to be; its version is one more than the row must have now. `uses` and
    /// `last_used_at` are left alone, and so are credits unless `set_credits`.
    Update {
        /// The whole key.
        key: Box<StoredKey>,
        /// Whether the credits are set as well.
        set_credits: bool,
    },
    /// The key with this id is deleted if it still has this version.
    Delete {
        /// The key's id.
        id: String,
        /// The version that the row must have.
        version: u64,
    },
}

/// The answer of [`Store::lease_credits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// How many were taken: at most as many as were wanted, 0 if fewer than needed are left.
    pub granted: u64,
    /// How many are left in the store.
    pub remaining: u64,
    /// When the next refill is due, in seconds since the Unix epoch.
    pub refill_at: Option<u64>,
}
