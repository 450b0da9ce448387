//! What is written down later, in batches: when keys were last used, and proofs that are made again
//! under the active pepper. What is lost of it in a crash is made up for by the next use.

use super::apikeys::{ApiKeys, Inner};
use super::hash::{Candidate, Proved, prove_anew};
use super::verify::Grant;
use crate::base::clock::NANOS;
use crate::base::process::{Own, lock};
use crate::base::ticker::Ticker;
use crate::crypto::constant_time_eq;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Change, Follower, Lookup, Proof, Usage, Write};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Seconds between two flushes.
const EVERY: u64 = 10;
/// Rows in one call of the store.
const BATCH: usize = 1000;
/// Proofs that wait at most; those beyond are made again at a later use.
const WAITING: usize = 10_000;

/// The thread that flushes; started by the first verification of each process.
pub(super) struct Flusher {
    flushed: AtomicU64,
    ticker: Own<Mutex<Option<Ticker>>>,
    pub(super) closed: AtomicBool,
}

impl Flusher {
    pub(super) fn new() -> Self {
        Self { flushed: AtomicU64::new(0), ticker: Own::new(), closed: AtomicBool::new(false) }
    }
}

/// Proofs under the active pepper that wait for being written.
///
/// A child has none: those that it copies are its parent's to write down.
pub(super) struct Upgrades(Own<Mutex<HashMap<String, Upgrade>>>);

struct Upgrade {
    proof: Proof,
    lookup: Option<Lookup>,
    /// The MAC of the proof that the text was proved by, the only one that this may replace.
    replaces: [u8; 32],
}

impl Upgrades {
    pub(super) const fn new() -> Self {
        Self(Own::new())
    }

    /// Notes that the key's proof can be made again, now that its text is at hand. Not if that was
    /// proved by the proof of before the last rotation, which ends with its overlap.
    #[cold]
    pub(super) fn note(&self, inner: &Inner, grant: &Grant, candidate: Candidate<'_>) {
        let Proved::Current(part) = grant.proved() else { return };
        let id = grant.key_id();
        let waiting = self.0.get();
        let Ok(mut waiting) = waiting.try_lock() else { return };
        if waiting.len() >= WAITING || waiting.contains_key(id) {
            return;
        }
        let Some((proof, lookup)) = prove_anew(&inner.peppers, candidate, part) else { return };
        let upgrade = Upgrade { proof, lookup, replaces: grant.mac() };
        waiting.insert(id.to_owned(), upgrade);
    }

    fn take(&self) -> HashMap<String, Upgrade> {
        std::mem::take(&mut *lock(&self.0.get()))
    }
}

impl Flusher {
    /// Whether this process has begun to write down what is counted.
    pub(super) fn is_running(&self) -> bool {
        self.ticker.is_made()
    }
}

impl Inner {
    pub(super) fn start_flusher(self: &Arc<Self>) {
        if self.flusher.ticker.is_made() || self.flusher.closed.load(Ordering::Relaxed) {
            return;
        }
        let place = self.flusher.ticker.get();
        let mut place = lock(&place);
        if place.is_none() {
            self.flusher.flushed.store(self.clock.monotonic(), Ordering::Relaxed);
            let weak = Arc::downgrade(self);
            let tick = move || Weak::upgrade(&weak).is_some_and(|inner| inner.tick());
            // Without a thread, everything is written down by `flush` and `close`.
            *place = Ticker::start(1000, tick);
        }
    }

    /// Whether to continue.
    fn tick(&self) -> bool {
        if self.flusher.closed.load(Ordering::Relaxed) {
            return false;
        }
        self.counts.look(&*self.store);
        let now = self.clock.monotonic();
        if now.abs_diff(self.flusher.flushed.load(Ordering::Relaxed)) >= EVERY * NANOS {
            self.flusher.flushed.store(now, Ordering::Relaxed);
            // What cannot be written now is kept and tried again.
            let _ = self.flush();
        }
        true
    }

    pub(super) fn flush(&self) -> Result<()> {
        let own = self.own();
        drop(self.writer(&own)?);
        let _one = lock(&own.flushing);
        self.flush_uses()?;
        self.flush_upgrades()
    }

    fn flush_uses(&self) -> Result<()> {
        let mut usage = Vec::new();
        self.mirror.drain_used(&mut |slot| {
            let uses = slot.uses.swap(0, Ordering::AcqRel);
            let last_used_at = slot.last_used.load(Ordering::Relaxed);
            if let Some(id) = slot.whole_profile().map(|profile| profile.id().to_owned())
                && uses > 0
            {
                usage.push(Usage { id, last_used_at, uses });
            }
        });
        for (done, batch) in usage.chunks(BATCH).enumerate() {
            if let Err(error) = self.store.record_usage(batch) {
                self.put_back(usage.get(done * BATCH..).unwrap_or_default());
                return Err(error);
            }
        }
        Ok(())
    }

    fn put_back(&self, usage: &[Usage]) {
        let mut left: HashMap<&str, &Usage> =
            usage.iter().map(|usage| (usage.id.as_str(), usage)).collect();
        self.mirror.for_each_place(&mut |place, slot| {
            let usage = slot.whole_profile().and_then(|profile| left.remove(profile.id()));
            if let Some(usage) = usage {
                self.mirror.used(place, slot, usage.last_used_at);
                slot.uses.fetch_add(usage.uses - 1, Ordering::Relaxed);
            }
        });
    }

    fn flush_upgrades(&self) -> Result<()> {
        let at = self.now()?;
        let mut writes = Vec::new();
        for (id, upgrade) in self.upgrades.take() {
            let mut key = match self.row(&id) {
                Ok(Some(key)) => key,
                Ok(None) => continue,
                // Altered from outside: its key is denied, and the others are not.
                Err(error) if is_of_the_row(&error) => continue,
                Err(error) => return Err(error),
            };
            if !constant_time_eq(&key.proof.mac, &upgrade.replaces) {
                continue; // rotated or made again by someone else; the next use notes it again
            }
            let from = key.proof.peppers.last().copied().unwrap_or(0);
            key.proof = upgrade.proof;
            if key.lookup.is_some() {
                key.lookup = upgrade.lookup;
            }
            key.record.version += 1;
            let key = Box::new(key.seal(&self.peppers));
            writes.push(Write {
                change: Change::Update { key, set_credits: false },
                at,
                actor: String::new(),
                action: "pepper.upgrade",
                detail: format!("pepper {from} to {}", self.peppers.active()),
            });
        }
        for batch in writes.chunks(BATCH) {
            match self.store.write_api_keys(batch) {
                Ok(_) => {}
                // One of them was changed in between; the next use makes all of them again.
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives back what was leased and not spent.
    fn return_leases(&self) -> Result<()> {
        for slot in self.mirror.slots() {
            if slot.lease.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let Some(profile) = slot.whole_profile() else { continue };
            if let Some(credits) = profile.credits() {
                let amount = slot.lease.swap(0, Ordering::AcqRel);
                let (id, set_in) = (profile.id(), credits.set_in);
                if let Err(error) = self.store.return_credits(id, set_in, amount) {
                    slot.lease.fetch_add(amount, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// There is nothing to write down of keys that could not be opened.
    pub(super) fn give_up(&self) {
        self.flusher.closed.store(true, Ordering::Release);
    }

    fn close(&self) -> Result<()> {
        if self.flusher.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let ticker = lock(&self.flusher.ticker.get()).take();
        ticker.into_iter().for_each(Ticker::stop);
        // A process that may only read counts no uses, and has nothing to make up for.
        let flushed = self.flush().or_else(|error| match error.kind() {
            ErrorKind::StoreReadOnly => Ok(()),
            _ => Err(error),
        });
        let returned = self.return_leases();
        let written = flushed.and(returned);
        self.feed.stop();
        // Someone else may still hold the store; then it closes with its last handle.
        if Arc::strong_count(&self.store) > 1 {
            return written;
        }
        let closed = self.store.close();
        written.and(closed)
    }
}

/// Whether it says that a row is not to be believed, and nothing of the store.
pub(super) fn is_of_the_row(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StoreCorrupt | ErrorKind::WrongPepper)
}

impl ApiKeys {
    /// Writes down now when keys were last used and which proofs were made again; otherwise that
    /// happens every 10 seconds.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`]; what was not written is kept and tried again.
    pub fn flush(&self) -> Result<()> {
        self.inner.be_open()?;
        self.inner.now()?;
        self.inner.flush()?;
        self.inner.sync(self.inner.clock.monotonic(), true).map(drop)
    }

    /// [`Self::flush`], gives back the credits that were leased and not spent, and closes the store
    /// unless someone else holds it. Dropping the last handle does the same, without telling what
    /// went wrong. Where the store may only be read, uses are not counted, and closing it is no
    /// error.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`].
    pub fn close(&self) -> Result<()> {
        self.inner.close()
    }
}

/// The store closes.
impl Follower for Inner {
    fn end(&self) -> Result<()> {
        if self.is_own() {
            return self.close();
        }
        // A child that never used the keys after its fork owes the store nothing.
        self.give_up();
        self.feed.stop();
        Ok(())
    }

    fn looked_ago(&self) -> Option<u64> {
        self.feed.looked_ago()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A child that never used the keys after its fork owes the store nothing.
        if self.is_own() && !self.flusher.closed.load(Ordering::Relaxed) {
            let _ = self.close();
        }
    }
}
