//! How what is in memory follows the store: a look at most every 25 ms, made by whichever verification comes
//! first while the others go on. Nothing that was followed is taken back but what has expired.

use super::table::Table;
use super::{Inner, LEEWAY};
use crate::base::fresh::Freshness;
use crate::base::process::{self, Own, lock};
use crate::base::reach::beyond_memory;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Revocation, RevocationKind};
use foldhash::quality::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};

/// The entries that are asked for at a time.
const BATCH: usize = 10_000;
/// Seconds between two purges.
const PURGE_EVERY: u64 = 600;

const SILENT: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The store of revocations has been silent for longer than max_stale allows; see that it can be read.",
);

/// What is known, and how far it has followed.
pub(super) struct Feed {
    hasher: RandomState,
    /// Tokens, sessions, keys: until when they are meant.
    names: Table,
    /// Subjects, tenants, all: which tokens of theirs, by the time of issue.
    befores: Table,
    /// Which kinds there are any of: bit `n` for the kind of number `n`.
    kinds: AtomicU32,
    heard: Freshness,
    /// The last change that was followed.
    seq: AtomicU64,
    /// The latest time that was seen, in seconds since the Unix epoch.
    latest: AtomicU64,
    /// The latest `until` that was forgotten.
    horizon: AtomicU64,
    purged: AtomicU64,
    /// The writer's lock of this process, and the store's stamp when it was followed to its end.
    writer: Own<Mutex<Option<u64>>>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            names: Table::new(),
            befores: Table::new(),
            kinds: AtomicU32::new(0),
            heard: Freshness::new(),
            seq: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            horizon: AtomicU64::new(0),
            purged: AtomicU64::new(0),
            writer: Own::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len() + self.befores.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.names.bytes() + self.befores.bytes()
    }

    /// Notes the time; the latest that was ever noted.
    #[inline]
    pub(super) fn seen(&self, now: u64) -> u64 {
        let latest = self.latest.load(Ordering::Relaxed);
        if latest >= now {
            return latest;
        }
        self.latest.fetch_max(now, Ordering::Relaxed).max(now)
    }

    pub(super) fn latest(&self) -> u64 {
        self.latest.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn horizon(&self) -> u64 {
        self.horizon.load(Ordering::Relaxed)
    }

    /// Whether anything of this kind was ever revoked.
    #[inline]
    pub(super) fn has(&self, kind: RevocationKind) -> bool {
        self.kinds.load(Ordering::Acquire) & 1 << kind as u32 != 0
    }

    /// A name as a number; has the memory fetched that [`Self::is_named`] will read.
    #[inline]
    pub(super) fn fetch(&self, kind: RevocationKind, issuer: &str, value: &str) -> u64 {
        let hash = self.hash(kind, issuer, value);
        self.names.fetch(hash);
        hash
    }

    /// Whether exactly this is revoked.
    #[inline]
    pub(super) fn is_named(&self, hash: u64) -> bool {
        self.names.get(hash).is_some()
    }

    /// The time before which tokens must not have been issued.
    #[inline]
    pub(super) fn before(&self, kind: RevocationKind, value: &str) -> Option<u64> {
        self.befores.get(self.hash(kind, "", value))
    }

    #[inline]
    fn hash(&self, kind: RevocationKind, issuer: &str, value: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        // The length keeps two pairs of texts apart that are the same when joined.
        hasher.write_u64((issuer.len() as u64) << 8 | u64::from(kind as u8));
        hasher.write(issuer.as_bytes());
        hasher.write(value.as_bytes());
        hasher.finish()
    }

    /// Takes entries over.
    pub(super) fn follow(&self, entries: &[Revocation]) {
        let writer = self.writer.get();
        let _one = lock(&writer);
        self.follow_locked(entries);
    }

    fn follow_locked(&self, entries: &[Revocation]) {
        let mut kinds = 0;
        for entry in entries {
            let hash = self.hash(entry.kind, &entry.issuer, &entry.value);
            match entry.kind {
                RevocationKind::Token | RevocationKind::Session | RevocationKind::Key => {
                    self.names.put(hash, entry.until);
                }
                RevocationKind::Subject | RevocationKind::Tenant | RevocationKind::All => {
                    self.befores.put(hash, entry.before);
                }
            }
            kinds |= 1 << entry.kind as u32;
        }
        self.kinds.fetch_or(kinds, Ordering::Release);
    }
}

impl Inner {
    /// Refuses if what is known is too old; looks at the feed if it is time to. `now` is of the monotonic clock,
    /// `seconds` the date by the clock of who asks.
    #[inline]
    pub(super) fn be_fresh(&self, now: u64, seconds: u64) -> Result<()> {
        if self.feed.heard.is_recent(now) && !self.strict {
            return Ok(());
        }
        self.look(now, seconds)
    }

    #[cold]
    fn look(&self, now: u64, seconds: u64) -> Result<()> {
        beyond_memory()?;
        let looked = self.sync(now, seconds, self.strict);
        // A strict answer needs the store; any other is good for a while, unless this process can never ask again.
        if self.strict || looked.is_err() && process::is_torn() {
            return looked;
        }
        if self.feed.heard.is_within(&*self.clock, self.max_stale) { Ok(()) } else { Err(SILENT) }
    }

    /// Follows the feed to its end. Unless `wait`, not while somebody else does.
    pub(super) fn sync(&self, now: u64, seconds: u64, wait: bool) -> Result<()> {
        beyond_memory()?;
        let writer = self.feed.writer.get();
        let mut followed = match writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) if !wait => return Ok(()),
            Err(TryLockError::WouldBlock) => lock(&writer),
        };
        let feed = &self.feed;
        let stamp = self.store.stamp()?;
        if *followed != Some(stamp) {
            // Before the entries: what is forgotten in between is behind the next horizon.
            feed.horizon.fetch_max(self.store.revocation_horizon()?, Ordering::Relaxed);
            self.follow_feed()?;
            *followed = Some(stamp);
        }
        feed.heard.heard(now);
        let seconds = feed.seen(seconds);
        let purged = feed.purged.load(Ordering::Relaxed);
        if seconds.saturating_sub(purged) >= PURGE_EVERY {
            feed.purged.store(seconds, Ordering::Relaxed);
            // Somebody who may write will do it.
            let _ = self.purge_locked(seconds);
        }
        Ok(())
    }

    fn follow_feed(&self) -> Result<()> {
        let feed = &self.feed;
        let mut begun_anew = false;
        loop {
            let changes = self.store.revocations(feed.seq.load(Ordering::Relaxed), BATCH)?;
            if changes.reload {
                if std::mem::replace(&mut begun_anew, true) {
                    return Err(ErrorKind::StoreCorrupt.into());
                }
                feed.seq.store(changes.seq, Ordering::Relaxed);
                continue;
            }
            if changes.more {
                feed.names.reserve(changes.entries.len());
            }
            feed.follow_locked(&changes.entries);
            feed.seq.store(changes.seq, Ordering::Relaxed);
            if !changes.more {
                return Ok(());
            }
        }
    }

    pub(super) fn purge(&self, now: u64) -> Result<u64> {
        let writer = self.feed.writer.get();
        let _one = lock(&writer);
        self.purge_locked(self.feed.seen(now))
    }

    fn purge_locked(&self, now: u64) -> Result<u64> {
        let feed = &self.feed;
        let kept_for = self.max_token_ttl.saturating_add(LEEWAY);
        // The horizon comes first: what is forgotten must be behind it already.
        feed.horizon
            .fetch_max(feed.names.latest_of(&|until| until <= now).unwrap_or(0), Ordering::Relaxed);
        feed.names.retain(&|until| until > now);
        let before = |until: u64| until.saturating_add(kept_for) > now;
        let horizon = feed.befores.latest_of(&|time| !before(time));
        feed.horizon.fetch_max(horizon.map_or(0, |at| at + kept_for), Ordering::Relaxed);
        feed.befores.retain(&before);
        self.store.purge_revocations(now)
    }
}
