//! What API keys are kept in: keys, what proves them, their audit, and the trait [`ApiKeyStore`].

use super::{Backend, Page};
use crate::error::Result;
use std::fmt;

/// An API key, without anything that would prove it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRecord {
    /// The public id: twelve letters and digits, part of the key's text.
    pub id: String,
    /// The prefix of the key's text, for example `gk`.
    pub prefix: String,
    /// The environment, for example `live`.
    pub env: String,
    /// The tenant; empty where there is one only.
    pub tenant: String,
    /// Whose key it is.
    pub owner: String,
    /// What the owner calls it.
    pub name: String,
    /// What it may do: scope tokens of RFC 6749 section 3.3, ascending, each once.
    pub scopes: Vec<String>,
    /// From where it may be used, as `address/length`; empty means from anywhere.
    pub cidrs: Vec<String>,
    /// Active, disabled or revoked.
    pub status: KeyStatus,
    /// When it was revoked, in seconds since the Unix epoch.
    pub revoked_at: Option<u64>,
    /// Why it was disabled or revoked.
    pub reason: String,
    /// When it becomes valid, in seconds since the Unix epoch.
    pub not_before: Option<u64>,
    /// When it stops being valid, in seconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// How often it may be used.
    pub rate: Option<Rate>,
    /// How much it may be used.
    pub credits: Option<Credits>,
    /// The program's own notes: one JSON object, at most 4 KiB; empty for none.
    pub meta: String,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: u64,
    /// Who made it.
    pub created_by: String,
    /// When its secret was last changed, in seconds since the Unix epoch.
    pub rotated_at: Option<u64>,
    /// Until when the secret before the last rotation is still accepted.
    pub overlap_until: Option<u64>,
    /// When it was last used, in seconds since the Unix epoch, as of the last flush.
    pub last_used_at: Option<u64>,
    /// How often it was used, as of the last flush.
    pub uses: u64,
    /// Grows by one with every change.
    pub version: u64,
    /// The row was damaged, altered from outside or put back: its key is denied, and nothing else
    /// here is to be believed. Never kept.
    pub altered: bool,
}

/// Whether a key may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum KeyStatus {
    /// It may.
    #[default]
    Active = 0,
    /// It may not, until it is enabled again.
    Disabled = 1,
    /// It may not, ever.
    Revoked = 2,
}

impl KeyStatus {
    /// The lower-case name: `active`, `disabled`, `revoked`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Disabled, Self::Revoked].into_iter().find(|s| s.name() == name)
    }
}

/// How often a key may be used: `burst` units at once, `burst` units in each `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Units; at least 1.
    pub burst: u32,
    /// Seconds; at least 1, at most 366 days.
    pub period: u32,
}

/// How much a key may be used in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Credits {
    /// What is left, without what running processes have taken out and not spent yet.
    pub remaining: u64,
    /// What a refill fills up to.
    pub limit: u64,
    /// What each refill adds; 0 for no refill.
    pub refill: u64,
    /// The seconds between refills; 0 for no refill.
    pub every: u32,
    /// When it was last refilled, in seconds since the Unix epoch.
    pub refilled_at: u64,
    /// The version of the key in which they were set: what was leased before is worth nothing.
    pub set_in: u64,
}

/// A key with what proves it. `Debug` shows the record only.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What is not secret.
    pub record: KeyRecord,
    /// What the presented secret is checked against.
    pub proof: Proof,
    /// The proof before the last rotation, while it is still accepted.
    pub previous: Option<Previous>,
    /// How an imported key, which has a text of another format, is found.
    pub lookup: Option<Lookup>,
    /// A MAC over the row, so that a row altered from outside denies its key.
    pub seal: [u8; 16],
    /// The pepper of the seal.
    pub seal_pepper: u32,
}

impl StoredKey {
    /// A key that is not sealed yet.
    #[must_use]
    pub const fn new(record: KeyRecord, proof: Proof) -> Self {
        Self { record, proof, previous: None, lookup: None, seal: [0; 16], seal_pepper: 0 }
    }

    /// What stands for a row that cannot be read: a version no key has, and nothing that proves it.
    pub(crate) fn unknown() -> Self {
        let proof = Proof { scheme: 0, params: String::new(), peppers: Vec::new(), mac: [0; 32] };
        Self::new(KeyRecord::default(), proof)
    }
}

/// What a secret is checked against: a MAC under one pepper after the other, over something that
/// `scheme` derives from the presented text.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    /// How the presented text is digested before the MACs; numbers are never reused.
    pub scheme: u16,
    /// What the scheme needs as well: cost and salt of a slow hash; else empty.
    pub params: String,
    /// The peppers, innermost first; at least one, at most eight.
    pub peppers: Vec<u32>,
    /// The outermost MAC.
    pub mac: [u8; 32],
}

/// A proof that is accepted until a deadline.
#[derive(Clone, PartialEq, Eq)]
pub struct Previous {
    /// The proof.
    pub proof: Proof,
    /// The first second at which it is not accepted any more, since the Unix epoch.
    pub until: u64,
}

/// The MAC of what an imported key is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// The pepper of the MAC.
    pub pepper: u32,
    /// The MAC, cut to 128 bits; unique in the store.
    pub tag: [u8; 16],
}

/// What a key was used since the last flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The key's id.
    pub id: String,
    /// The last use, in seconds since the Unix epoch.
    pub last_used_at: u64,
    /// How many uses.
    pub uses: u64,
}

/// A row of the audit, which only ever grows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// Its number: one more than that of the row before.
    pub seq: u64,
    /// When, in seconds since the Unix epoch.
    pub at: u64,
    /// Who asked for it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The key's id.
    pub key_id: String,
    /// More about it.
    pub detail: String,
}

impl AuditRecord {
    /// A row, for stores that read one.
    #[must_use]
    pub const fn new(
        seq: u64,
        at: u64,
        actor: String,
        action: String,
        key_id: String,
        detail: String,
    ) -> Self {
        Self { seq, at, actor, action, key_id, detail }
    }
}

/// Which keys are wanted.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Only keys of this owner.
    pub owner: Option<String>,
    /// Only keys of this tenant.
    pub tenant: Option<String>,
    /// Only keys with ids above this one: [`Page::cursor`] of the page before.
    pub cursor: Option<String>,
    /// At most this many; 0 means 100, and more than 1000 are never handed out.
    pub limit: usize,
}

/// Which audit rows are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only rows about this key.
    pub key_id: Option<String>,
    /// Only rows after this one: [`Page::cursor`] of the page before.
    pub cursor: Option<String>,
    /// At most this many; 0 means 100, and more than 1000 are never handed out.
    pub limit: usize,
}

impl Credits {
    /// With no more left than the limit: what is left is the one thing of a key that no seal
    /// covers.
    #[must_use]
    pub(super) fn bounded(self) -> Self {
        Self { remaining: self.remaining.min(self.limit), ..self }
    }

    /// Adds what has been refilled until `now`, and tells when the next refill is due. Whole
    /// intervals count; a clock that goes back refills nothing.
    pub fn refill(&mut self, now: u64) -> Option<u64> {
        *self = self.bounded();
        let every = u64::from(self.every);
        if self.refill == 0 || every == 0 {
            return None;
        }
        let times = now.saturating_sub(self.refilled_at) / every;
        let added = times.saturating_mul(self.refill);
        self.remaining = self.remaining.saturating_add(added).min(self.limit);
        self.refilled_at += times * every;
        self.refilled_at.checked_add(every)
    }

    /// Takes up to `want`, none if there are fewer than `need`, after refilling.
    pub(super) fn lease(&mut self, need: u64, want: u64, now: u64) -> Lease {
        let refill_at = self.refill(now);
        let granted = if need > self.remaining { 0 } else { want.max(need).min(self.remaining) };
        self.remaining -= granted;
        Lease { granted, remaining: self.remaining, refill_at }
    }

    /// Gives back, up to the limit.
    pub(super) fn give_back(&mut self, amount: u64) {
        self.remaining = self.remaining.saturating_add(amount).min(self.limit);
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}

/// Where API keys are kept. Every call is durable when it returns, usage excepted.
///
/// # Errors
/// As of [`Backend`].
pub trait ApiKeyStore: Backend {
    /// About how many keys there are, so that [`Self::load_api_keys`] finds room for them; 0 if
    /// that is not known.
    ///
    /// # Errors
    /// See [`Backend`].
    fn api_key_count(&self) -> Result<u64> {
        Ok(0)
    }

    /// Hands every key to `visit` and returns the sequence number of the last change in it.
    ///
    /// # Errors
    /// See [`Backend`]; a damaged row is no error but a [`Loaded::Corrupt`].
    fn load_api_keys(&self, visit: &mut dyn FnMut(Loaded)) -> Result<u64>;

    /// What has changed after the sequence number `after`, each key once, as it is now.
    ///
    /// # Errors
    /// See [`Backend`].
    fn api_key_changes(&self, after: u64, limit: usize) -> Result<Changes>;

    /// One key.
    ///
    /// # Errors
    /// See [`Backend`]; `StoreCorrupt` if its row is damaged.
    fn api_key(&self, id: &str) -> Result<Option<StoredKey>>;

    /// Does all of `writes`, with their audit rows, or none; returns the last sequence number.
    ///
    /// # Errors
    /// See [`Backend`]. `StoreConflict`: a key to insert exists or its look-up tag is taken, or a
    /// key to update or delete is gone or has another version.
    fn write_api_keys(&self, writes: &[Write]) -> Result<u64>;

    /// Keys in ascending order of their ids, those after `filter.cursor` first.
    ///
    /// # Errors
    /// See [`Backend`]; a damaged row is no error but a [`Loaded::Corrupt`].
    fn api_keys(&self, filter: &KeyFilter) -> Result<Page<Loaded>>;

    /// Audit rows in ascending order of their sequence numbers, those after `filter.cursor` first.
    ///
    /// # Errors
    /// See [`Backend`].
    fn api_key_audit(&self, filter: &AuditFilter) -> Result<Page<AuditRecord>>;

    /// Takes up to `want` credits from the key, none if there are fewer than `need`, after
    /// refilling it for the time `now` (seconds since the Unix epoch). What is taken is gone from
    /// the store, so that a crash loses and never grants.
    ///
    /// # Errors
    /// See [`Backend`]. `StoreConflict`: there is no such key, it has no credits to count, or
    /// others than those that were set in the version `set_in` of the key.
    fn lease_credits(&self, id: &str, set_in: u64, need: u64, want: u64, now: u64)
    -> Result<Lease>;

    /// Gives back credits that were leased and not spent; at most up to the key's limit, and none
    /// if the key's were set again since the version `set_in`.
    ///
    /// # Errors
    /// See [`Backend`]; a key that is gone is no error.
    fn return_credits(&self, id: &str, set_in: u64, amount: u64) -> Result<()>;

    /// Adds to the counters; `last_used_at` never goes back. The one call that may be lost in a
    /// crash.
    ///
    /// # Errors
    /// See [`Backend`].
    fn record_usage(&self, batch: &[Usage]) -> Result<()>;
}

/// A key as [`ApiKeyStore::load_api_keys`] and [`ApiKeyStore::api_key_changes`] find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The key as it is now.
    Key(Box<StoredKey>),
    /// The row with this id cannot be read; its key must be denied.
    Corrupt(String),
    /// The key with this id is gone.
    Removed(String),
}

/// The answer of [`ApiKeyStore::api_key_changes`].
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The sequence number to continue from.
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

/// The answer of [`ApiKeyStore::lease_credits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// How many were taken: at most as many as were wanted, 0 if fewer than needed are left.
    pub granted: u64,
    /// How many are left in the store.
    pub remaining: u64,
    /// When the next refill is due, in seconds since the Unix epoch.
    pub refill_at: Option<u64>,
}
