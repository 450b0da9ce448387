//! How the mirror follows the store: a look at the change feed at most every 25 ms, made by
//! whichever verification comes first while the others continue, and everything again after a fork.

use super::apikeys::{ApiKeys, Inner};
use super::known::Known;
use super::mirror::Places;
use crate::base::clock::plausible;
use crate::base::follow::{Freshness, Last, Look, Looks};
use crate::base::pace::Dates;
use crate::base::process;
use crate::base::reach::{beyond_memory, is_in_memory};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{CLOSED, Fed, LATE, Loaded, stamp};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// The changes that are asked for at a time.
const BATCH: usize = 1000;

/// How far the mirror has followed.
pub(super) struct Feed {
    fresh: Freshness,
    /// The wall clock at the last look: seconds since the Unix epoch.
    wall: AtomicU64,
    /// How many keys are found by a look-up tag.
    foreign: AtomicUsize,
    /// What was seen of the keys.
    pub(super) known: Known,
    own: process::Own<Own>,
}

/// What belongs to this process: a lock that another thread held during a fork is never let go of
/// in the child, so that the child takes new ones.
#[derive(Default)]
pub(super) struct Own {
    pub(super) writer: Looks<Writer>,
    /// One lease of credits at a time.
    pub(super) leasing: Mutex<()>,
    /// One flush at a time.
    pub(super) flushing: Mutex<()>,
}

/// What the one writer of the mirror knows.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) places: Places,
    /// The last change that was followed.
    seq: u64,
    /// The store's stamp when it was followed to its end.
    stamp: Option<u64>,
    /// Whether the mirror is the one of this process.
    ready: bool,
    /// Peppers that the store was made with and that are not at hand, as of the last load.
    pub(super) missing: HashSet<u32>,
    /// Keys that need one of these, as of the last load.
    pub(super) without_pepper: usize,
}

/// What has happened since what is known was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// Nothing: what is older than what was seen is not believed.
    Followed,
    /// Another server has taken over, which may lack changes: what it says is believed, but that
    /// nothing that was seen revoked is valid.
    Elsewhere,
    /// An older state was put back, and someone has acknowledged that.
    Restored,
}

impl Feed {
    pub(super) fn new(fresh: Freshness) -> Self {
        Self {
            fresh,
            wall: AtomicU64::new(0),
            foreign: AtomicUsize::new(0),
            known: Known::default(),
            own: process::Own::new(),
        }
    }

    /// Whether any key is found by a look-up tag.
    #[inline]
    pub(super) fn has_foreign(&self) -> bool {
        self.foreign.load(Ordering::Relaxed) != 0
    }

    pub(super) fn count_foreign(&self) {
        self.foreign.store(self.known.foreign(), Ordering::Relaxed);
    }

    /// Every verification from now on looks, and finds that it is over.
    pub(super) fn stop(&self) {
        self.fresh.stop();
    }

    pub(super) fn looked_ago(&self) -> Option<u64> {
        self.fresh.heard_ago()
    }
}

impl Inner {
    /// The locks of this process.
    pub(super) fn own(&self) -> Arc<process::Held<Own>> {
        self.feed.own.get()
    }

    /// Whether this process is the one that last used the keys.
    pub(super) fn is_own(&self) -> bool {
        self.feed.own.is_made()
    }

    /// The writer's lock, with the mirror made this process's own.
    pub(super) fn writer<'own>(&self, own: &'own Own) -> Result<MutexGuard<'own, Last<Writer>>> {
        let mut writer = own.writer.lock();
        self.make_ready(&mut writer)?;
        Ok(writer)
    }

    fn make_ready(&self, writer: &mut Writer) -> Result<()> {
        if writer.ready {
            return Ok(());
        }
        // What the process before the fork leased and counted is for that process to spend and to
        // write down.
        for slot in self.mirror.slots() {
            slot.lease.store(0, Ordering::Relaxed);
            slot.uses.store(0, Ordering::Relaxed);
        }
        writer.places = self.mirror.places();
        self.load(writer)?;
        writer.ready = true;
        Ok(())
    }

    /// Reads every key.
    pub(super) fn reload(&self) -> Result<()> {
        let own = self.own();
        let mut writer = own.writer.lock();
        if writer.ready {
            self.load(&mut writer)?
        } else {
            self.make_ready(&mut writer)?
        }
        if writer.without_pepper > 0 {
            let error = Error::new(
                ErrorKind::WrongPepper,
                "The store has keys under a pepper that was not given; give all of them, oldest first.",
            );
            let first = writer.missing.iter().min().copied().unwrap_or_default();
            return Err(error.about_secret("pepper", first));
        }
        Ok(())
    }

    fn load(&self, writer: &mut Writer) -> Result<()> {
        let now = self.clock.monotonic();
        let keys = usize::try_from(self.store.api_key_count()?).unwrap_or(usize::MAX);
        self.mirror.reserve(&mut writer.places, keys);
        let known = self.store.pepper_checks()?.into_iter().map(|check| check.pepper);
        writer.missing = known.filter(|pepper| !self.peppers.contains(*pepper)).collect();
        writer.without_pepper = 0;
        let is_first = self.mirror.slots().next().is_none();
        let history = self.store.history()?;
        // What was seen is checked against each row, unless the store was restored and someone has
        // acknowledged it.
        let server = self.store.server();
        let since = match (self.feed.known.is_other(history), self.feed.known.is_elsewhere(server))
        {
            (true, _) => Since::Restored,
            (_, true) => Since::Elsewhere,
            _ => Since::Followed,
        };
        if since == Since::Restored {
            self.feed.known.forget_gone();
        }
        let mut seen = HashSet::new();
        let mut full = false;
        writer.seq = self.store.load_api_keys(&mut |loaded| {
            let key = self.follow(writer, loaded, since);
            full |= key.is_none();
            if !is_first && let Some(key) = key {
                seen.insert(key);
            }
        })?;
        if full {
            return Err(Error::new(ErrorKind::StoreFull, "There are too many keys for memory."));
        }
        if !is_first {
            self.retain(&mut writer.places, &seen);
        }
        self.feed.known.follow(history, server);
        self.heard(now);
        Ok(())
    }

    fn heard(&self, now: u64) {
        self.feed.wall.store(self.clock.now(), Ordering::Relaxed);
        self.feed.fresh.heard(now);
    }

    /// The time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// `InvalidConfiguration`: the clock cannot be right.
    pub(super) fn now(&self) -> Result<u64> {
        Ok(self.dates()?.now)
    }

    /// As [`Self::now`], and what is believed of it: what is deleted or forgotten goes by that.
    pub(super) fn dates(&self) -> Result<Dates> {
        self.pace.read(&*self.clock)
    }

    /// As [`Self::now`]: of the system's clock as of the last look, at most 25 ms ago; of any
    /// other, which need not run as time passes, now.
    #[inline]
    pub(super) fn wall(&self) -> Result<u64> {
        plausible(if self.counts.is_system() {
            self.feed.wall.load(Ordering::Relaxed)
        } else {
            self.clock.now()
        })
    }

    /// Refuses if what the mirror knows is too old; looks at the feed if it is time to.
    #[inline]
    pub(super) fn be_fresh(self: &Arc<Self>, now: u64) -> Result<()> {
        if self.feed.fresh.is_recent(now) {
            return Ok(());
        }
        self.look(now)
    }

    /// Refuses keys that were closed, although others may still use the store.
    pub(super) fn be_open(&self) -> Result<()> {
        if self.flusher.closed.load(Ordering::Acquire) { Err(CLOSED) } else { Ok(()) }
    }

    #[cold]
    fn look(self: &Arc<Self>, now: u64) -> Result<()> {
        self.be_open()?;
        self.feed.wall.store(self.clock.now(), Ordering::Relaxed);
        self.now()?; // rather than that the store was silent
        let (own, fresh) = (self.own(), &self.feed.fresh);
        let mut is_late = false;
        let hears = || {
            let heard = self.store.stamp();
            is_late = heard == Err(LATE);
            heard.is_ok()
        };
        // Brought up to date by the store: memory is enough.
        if own.writer.is_fed() && self.flusher.is_running() && fresh.go_on(now, hears) {
            if !is_in_memory() {
                self.counts.notice(&*self.store);
            }
            return Ok(());
        }
        beyond_memory()?;
        self.counts.notice(&*self.store);
        self.start_flusher();
        fresh.after(self.sync(now, is_late || fresh.wants_look()))
    }

    /// Whether the store brings the mirror up to date, and still hears of changes.
    pub(super) fn is_in_touch(&self, now: u64) -> bool {
        let own = self.own();
        own.writer.is_fed() && self.feed.fresh.go_on(now, || self.store.stamp().is_ok())
    }

    /// Follows the feed to its end. Unless `wait`, not while another thread does: then it is false.
    pub(super) fn sync(&self, now: u64, wait: bool) -> Result<bool> {
        self.now()?; // what follows may reckon with the time
        let own = self.own();
        own.writer.look(wait, |writer| {
            if own.writer.is_fed() && !self.feed.fresh.is_strict() {
                match self.store.stamp() {
                    Err(error) if error == LATE => {}
                    heard => return heard.map(|_| self.heard(now)),
                }
            }
            self.follow_feed(writer, now, Look::Use)
        })
    }

    /// Follows the feed to where the store stands at this moment.
    pub(super) fn sync_now(&self) -> Result<()> {
        self.now()?; // what follows may reckon with the time
        let now = self.clock.monotonic();
        self.own().writer.look_now(|writer| self.follow_feed(writer, now, Look::Now))
    }

    fn follow_feed(&self, writer: &mut Writer, now: u64, look: Look) -> Result<()> {
        self.make_ready(writer)?;
        let stamp = match look {
            Look::Fed(stamp) => stamp,
            Look::Use if !self.feed.fresh.is_strict() => stamp(&*self.store)?,
            Look::Use | Look::Now => self.store.stamp_now()?,
        };
        if writer.stamp != Some(stamp) {
            // Its numbers may have caught up with what was followed.
            let history = self.store.history()?;
            let known = &self.feed.known;
            if known.is_other(history) || known.is_elsewhere(self.store.server()) {
                self.load(writer)?;
            }
            loop {
                let changes = self.store.api_key_changes(writer.seq, BATCH)?;
                if changes.reload {
                    self.load(writer)?;
                    break;
                }
                for loaded in changes.keys {
                    self.follow(writer, loaded, Since::Followed);
                }
                writer.seq = changes.seq;
                if !changes.more {
                    break;
                }
            }
            writer.stamp = Some(stamp);
        }
        self.heard(now);
        Ok(())
    }
}

impl Fed for Inner {
    fn be_fed(&self, stamp: u64, anew: bool) {
        // Who has not used it in this process reads everything at the first use.
        if self.be_open().is_err() || !self.is_own() {
            return;
        }
        let own = self.own();
        own.writer.feed(&self.feed.fresh, anew, |writer| {
            self.now()?;
            self.follow_feed(writer, self.clock.monotonic(), Look::Fed(stamp))
        });
    }
}

impl ApiKeys {
    /// Looks now at what other processes have changed, however recent the last look.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`].
    pub fn refresh(&self) -> Result<()> {
        self.inner.be_open()?;
        self.inner.sync_now()
    }

    /// The ids of keys that this process has seen revoked and whose row in the store is not: it was
    /// put back, or the server that took over never had the revocation. They stay refused here, and
    /// other processes may accept them: revoke them again. At most 65,536, in their order.
    #[must_use]
    pub fn lost_revocations(&self) -> Vec<String> {
        self.inner.feed.known.lost()
    }

    /// Takes over a change of our own that the store has accepted.
    pub(super) fn take_over(&self, loaded: Loaded) {
        let own = self.inner.own();
        if let Ok(mut writer) = self.inner.writer(&own) {
            self.inner.follow(&mut writer, loaded, Since::Followed);
        }
    }
}

/// What an imported key is found by; never what one of ours is found by, whose top bits are 0.
pub(super) const fn foreign_key(tag: [u8; 16]) -> u128 {
    u128::from_be_bytes(tag) | 1 << 127
}

/// A MAC as words.
#[inline]
pub(super) fn words(mac: &[u8; 32]) -> [u64; 4] {
    std::array::from_fn(|i| {
        let chunk = mac.get(i * 8..).and_then(|rest| rest.first_chunk::<8>());
        chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
    })
}

/// The MAC that the words are of.
pub(super) fn bytes(words: &[u64; 4]) -> [u8; 32] {
    let mut mac = [0; 32];
    let places = mac.chunks_exact_mut(8);
    places.zip(words).for_each(|(place, word)| place.copy_from_slice(&word.to_le_bytes()));
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Peppers;
    use crate::apikey::ApiKeyOptions;
    use crate::base::{clock::NANOS, follow::LOOK_AFTER};
    use crate::store::MemoryStore;
    use std::time::Duration;

    fn keys() -> ApiKeys {
        let peppers = Peppers::new(&[(1, crate::Secret::new(vec![7; 32]))]).unwrap();
        ApiKeys::open(Arc::new(MemoryStore::new()), peppers, ApiKeyOptions::new()).unwrap()
    }

    #[test]
    fn a_thread_that_was_held_up_believes_what_others_have_heard() {
        let keys = keys();
        let inner = &keys.inner;
        let then = inner.clock.monotonic();
        std::thread::sleep(Duration::from_nanos(3 * LOOK_AFTER));
        let own = inner.own();
        let _looking = own.writer.lock(); // and another one is about to hear more
        inner.heard(inner.clock.monotonic());
        inner.be_fresh(then).unwrap();
    }

    /// After a pause all of them come at once; one looks.
    #[test]
    fn who_knows_nothing_recent_waits_for_the_one_who_looks() {
        let keys = keys();
        let inner = &keys.inner;
        let (own, now) = (inner.own(), inner.clock.monotonic());
        inner.heard(now + 1000 * NANOS); // of a clock that has stepped back since
        let waits = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let looking = own.writer.lock();
            for _ in 0..4 {
                scope.spawn(|| {
                    waits.fetch_add(1, Ordering::Release);
                    inner.be_fresh(inner.clock.monotonic()).unwrap();
                });
            }
            while waits.load(Ordering::Acquire) < 4 {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(20));
            drop(looking);
        });
    }
}
