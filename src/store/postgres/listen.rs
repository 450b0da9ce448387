//! What this process has heard of the store: a thread of its own asks where it stands once a
//! second, and when it is notified, at most fifty times a second; so that who verifies asks memory.
//!
//! A notification says only that it is worth asking: what it holds is ignored, and without any all
//! is seen a second later. The thread listens first, then asks, then waits, on a connection of its
//! own (`feed_url`, where one is named), and gives a silent server three seconds. It starts when it
//! is first needed, also in a child of a fork, and ends with the store.

use super::connect::SILENT;
use super::fault;
use super::feed::EPOCH_BITS;
use super::pool::Pool;
use super::transaction::{Access, Transaction};
use super::wire::{Fault, Wire};
use crate::base::clock::{Clock as _, NANOS, SystemClock};
use crate::base::process::{Own, OwnLock, brief};
use crate::base::ticker::Ticker;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// How old what was heard may be.
const DEADLINE: u64 = 3 * NANOS;
/// How often it is asked without being notified.
const BEAT: u64 = NANOS;
/// Between two questions, in milliseconds.
const PAUSE: u64 = 20;
/// How long a wait lasts at most, after which it is seen whether others are to be told.
const SLICE: Duration = Duration::from_millis(25);
/// After an attempt to connect that failed.
const RETRY: u64 = NANOS / 4;

/// What was heard, in this process.
#[derive(Default)]
pub(super) struct Heard {
    /// The number that changes with the store.
    stamp: AtomicU64,
    /// When it was asked, in nanoseconds of the monotonic clock; 0 if it never has answered.
    at: AtomicU64,
    /// Whether the thread runs, so that what was heard is not only what was asked.
    goes_on: AtomicBool,
    /// Why it was not heard the last time.
    failed: Mutex<Option<Error>>,
    /// Versions of key rings, as of a stamp.
    rings: Mutex<HashMap<String, (u64, u64)>>,
}

impl Heard {
    /// What was heard last, while the thread runs.
    fn known(&self) -> Option<Result<u64>> {
        self.stamp().filter(|_| self.goes_on.load(Ordering::Acquire))
    }

    /// What was heard last, unless that is too old; none if nothing was heard yet.
    fn stamp(&self) -> Option<Result<u64>> {
        let at = self.at.load(Ordering::Acquire);
        if at == 0 {
            return None;
        }
        // A clock that goes back makes it too old as well.
        if SystemClock.monotonic().checked_sub(at).is_some_and(|age| age <= DEADLINE) {
            return Some(Ok(self.stamp.load(Ordering::Acquire)));
        }
        Some(Err(brief(&self.failed).clone().unwrap_or(SILENT)))
    }

    /// When the store was heard of last, in nanoseconds of the monotonic clock.
    fn heard_at(&self) -> Option<u64> {
        Some(self.at.load(Ordering::Acquire)).filter(|at| *at > 0)
    }

    /// It stood there at this time.
    fn heard(&self, stamp: u64, at: u64) {
        self.changed(stamp);
        self.at.fetch_max(at, Ordering::AcqRel);
        *brief(&self.failed) = None;
    }

    /// It has come so far, of which this process knows by itself.
    fn changed(&self, stamp: u64) {
        self.stamp.fetch_max(stamp, Ordering::AcqRel);
    }
}

/// The memory of a process, and its thread.
pub(super) struct Ear {
    pool: Arc<Pool>,
    heard: Own<Arc<Heard>>,
    thread: OwnLock<Option<Ticker>>,
}

impl Ear {
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        Self { pool: Arc::clone(pool), heard: Own::new(), thread: OwnLock::new() }
    }

    fn own(&self) -> Arc<Heard> {
        Arc::clone(&**self.heard.get())
    }

    /// The stamp, from memory once the thread has heard something.
    pub(super) fn stamp(&self) -> Result<u64> {
        let heard = self.own();
        if let Some(known) = heard.known() {
            return known;
        }
        let stamp = self.ask()?;
        self.start(&heard);
        Ok(stamp)
    }

    /// As [`Self::stamp`], without waiting for a thread that reads: none while one does, before
    /// anything was heard. And when the store was heard of last, in nanoseconds of the monotonic
    /// clock.
    pub(super) fn look(&self) -> (Option<Result<u64>>, Option<u64>) {
        let heard = self.own();
        let stamp = heard.known().or_else(|| {
            let at = SystemClock.monotonic();
            let asked = self.pool.try_read(|transaction| ask(&self.pool, transaction))?;
            if let Ok(stamp) = asked {
                heard.heard(stamp, at);
                self.start(&heard);
            }
            Some(asked)
        });
        (stamp, heard.heard_at())
    }

    /// The stamp, asked of the server.
    pub(super) fn ask(&self) -> Result<u64> {
        let at = SystemClock.monotonic();
        let stamp = self.pool.read(Access::Read, |transaction| ask(&self.pool, transaction))?;
        self.own().heard(stamp, at);
        Ok(stamp)
    }

    /// The version of a key ring, from memory if nothing has changed since it was read.
    pub(super) fn ring(&self, name: &str, read: impl FnOnce() -> Result<u64>) -> Result<u64> {
        let heard = self.own();
        // From before it is read: what changes meanwhile is read again.
        let Ok(stamp) = self.stamp() else { return read() };
        if let Some((known, version)) = brief(&heard.rings).get(name)
            && *known == stamp
        {
            return Ok(*version);
        }
        let version = read()?;
        brief(&heard.rings).insert(name.to_owned(), (stamp, version));
        Ok(version)
    }

    /// This process has made the change of this number: it knows, and tells others.
    pub(super) fn changed(&self, number: u64) {
        self.own().changed(number | self.pool.seen.epoch() << EPOCH_BITS);
        self.pool.tell();
    }

    fn start(&self, heard: &Arc<Heard>) {
        self.thread.locked(|thread| {
            if thread.is_none() && !self.pool.is_closed() {
                let mut listener = Listener {
                    pool: Arc::downgrade(&self.pool),
                    heard: Arc::clone(heard),
                    wire: None,
                    asked: 0,
                    failed: None,
                };
                *thread = Ticker::start(PAUSE, move || listener.tick());
            }
            heard.goes_on.store(thread.is_some(), Ordering::Release);
        });
    }

    /// Ends the thread and waits for it.
    pub(super) fn stop(&self) {
        if let Some(thread) = self.thread.locked(Option::take) {
            thread.stop();
        }
    }
}

fn ask(pool: &Pool, transaction: &mut Transaction<'_>) -> Result<u64, Fault> {
    let (standing, epoch) = pool.seen.follow(transaction)?;
    Ok(standing.number | epoch << EPOCH_BITS)
}

/// What the thread has.
struct Listener {
    pool: Weak<Pool>,
    heard: Arc<Heard>,
    wire: Option<Wire>,
    /// When it was asked last.
    asked: u64,
    /// When connecting failed last.
    failed: Option<u64>,
}

impl Listener {
    /// Whether to go on.
    fn tick(&mut self) -> bool {
        let Some(pool) = self.pool.upgrade().filter(|pool| !pool.is_closed()) else {
            if let Some(wire) = self.wire.take() {
                wire.end();
            }
            return false;
        };
        pool.tell_what_is_due();
        if let Err(error) = self.listen(&pool) {
            self.wire = None;
            self.failed = Some(SystemClock.monotonic());
            *brief(&self.heard.failed) = Some(fault(error));
        }
        true
    }

    fn listen(&mut self, pool: &Pool) -> Result<(), Fault> {
        let now = SystemClock.monotonic();
        let wire = match &mut self.wire {
            Some(wire) => wire,
            None => {
                if self.failed.is_some_and(|failed| now.saturating_sub(failed) < RETRY) {
                    return Ok(());
                }
                let mut wire = pool.connect_to_listen()?;
                wire.be_patient(Duration::from_nanos(DEADLINE));
                wire.queue(&format!("LISTEN \"{}\"", pool.channel()), &[])?;
                wire.settle()?;
                self.failed = None;
                self.asked = 0;
                self.wire.insert(wire)
            }
        };
        let since = now.saturating_sub(self.asked);
        if since < BEAT {
            wire.wait(SLICE.min(Duration::from_nanos(BEAT - since)))?;
        }
        let now = SystemClock.monotonic();
        if !wire.take_notified() && now.saturating_sub(self.asked) < BEAT {
            return Ok(());
        }
        let mut transaction = pool.begin(wire, Access::Listen);
        let stamp = ask(pool, &mut transaction);
        wire.roll_back();
        self.heard.heard(stamp?, now);
        self.asked = now;
        Ok(())
    }
}
