//! What this process has heard of the store: a thread of its own asks where it stands once a
//! second, and when it is notified, at most fifty times a second; it reads what is new and brings
//! up to date what works from memory, so that who verifies asks nothing but memory.
//!
//! A notification says only that it is worth asking: what it holds is ignored, and without any all
//! is seen a second later. The thread listens first, then asks, then waits. It listens on a
//! connection of its own (`feed_url`, where one is named), and asks on the one that reads, so that
//! a listening connection that has died in silence delays nothing; a silent server has three
//! seconds. It starts when it is first needed, also in a child of a fork, and ends with the store.

use super::connect::SILENT;
use super::fault;
use super::feed::{EPOCH_BITS, STANDBY, Standing};
use super::news::News;
use super::pool::Pool;
use super::transaction::{Access, Transaction};
use super::wire::{Fault, Wire};
use crate::base::clock::{Clock as _, NANOS, SystemClock};
use crate::base::process::{Own, OwnLock, brief};
use crate::base::ticker::Ticker;
use crate::error::{Error, Result};
use crate::store::{Fed, LATE};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::ThreadId;
use std::time::Duration;

/// How old what was heard may be.
const DEADLINE: u64 = 3 * NANOS;
/// How often it is asked without being notified.
const BEAT: u64 = NANOS;
/// Between two questions.
const PAUSE: u64 = 20 * NANOS / 1000;
/// How long a wait lasts at most, after which it is seen whether others are to be told.
const SLICE: Duration = Duration::from_millis(25);
/// The same soon after others were told.
const BRIEF: Duration = Duration::from_millis(4);
/// How late the thread may be that listens: later than that, this process was stopped.
const LAG: u64 = NANOS;
/// What it takes at most to read everything.
const RELOAD: u64 = 660 * NANOS;
/// After an attempt to connect that failed, and after one that took its time.
const RETRY: u64 = NANOS / 4;
const RETRY_SLOWLY: u64 = 5 * NANOS;

/// What was heard, in this process.
#[derive(Default)]
pub(super) struct Heard {
    /// The number that changes with the store.
    stamp: AtomicU64,
    /// When it was asked, in nanoseconds of the monotonic clock; 0 if it never has answered.
    at: AtomicU64,
    /// Whether the thread runs, so that what was heard is not only what was asked.
    goes_on: AtomicBool,
    /// When the thread will have done something again, if this process was not stopped; 0 before
    /// it has begun.
    due: AtomicU64,
    /// Why it was not heard the last time.
    failed: Mutex<Option<Error>>,
    /// Versions of key rings, as of a stamp.
    rings: Mutex<HashMap<String, (u64, u64)>>,
    /// What the thread hands out at this moment to what works from memory.
    news: Mutex<Option<(ThreadId, Arc<News>)>>,
    /// This process has changed something: the thread asks without being notified.
    wanted: AtomicBool,
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
        let (now, due) = (SystemClock.monotonic(), self.due.load(Ordering::Acquire));
        if due != 0 && now > due {
            return Some(Err(LATE));
        }
        // A clock that goes back makes it too old as well.
        if now.checked_sub(at).is_some_and(|age| age <= DEADLINE) {
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
        self.at.store(at, Ordering::Release);
        *brief(&self.failed) = None;
    }

    /// As [`Self::heard`], by another than the thread. Once that has begun, it alone says when:
    /// what others have asked brings no follower up to date.
    fn answered(&self, stamp: u64, at: u64) {
        self.changed(stamp);
        let _ = self.at.compare_exchange(0, at, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The thread is about to do something that takes this long at most. If it is late, it remains
    /// so until it has asked: what it knows is from before.
    fn expect(&self, nanos: u64) {
        let due = self.due.load(Ordering::Acquire);
        if due == 0 || SystemClock.monotonic() <= due {
            self.expect_anew(nanos);
        }
    }

    /// As [`Self::expect`], of a thread that has just asked.
    fn expect_anew(&self, nanos: u64) {
        self.due.store(SystemClock.monotonic().saturating_add(nanos + LAG), Ordering::Release);
    }

    /// It has come so far, of which this process knows by itself.
    fn changed(&self, stamp: u64) {
        self.stamp.fetch_max(stamp, Ordering::AcqRel);
    }
}

/// The stamp, as the server says.
fn asked(pool: &Pool, transaction: &mut Transaction<'_>) -> Result<u64, Fault> {
    let (standing, epoch) = pool.seen.follow(transaction)?;
    Ok(standing.number | epoch << EPOCH_BITS)
}

/// The memory of a process, and its thread.
pub(super) struct Ear {
    pool: Arc<Pool>,
    heard: Own<Arc<Heard>>,
    thread: OwnLock<Option<Ticker>>,
    /// What works from memory, in every process that a fork makes of this one.
    fed: Arc<Mutex<Vec<Weak<dyn Fed>>>>,
}

impl Ear {
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        let (pool, fed) = (Arc::clone(pool), Arc::default());
        Self { pool, heard: Own::new(), thread: OwnLock::new(), fed }
    }

    /// Brings this up to date from now on.
    pub(super) fn keep_fed(&self, fed: Weak<dyn Fed>) {
        brief(&self.fed).push(fed);
        // Who uses it looks by itself where the thread has not begun to.
        let _ = self.stamp();
    }

    /// What is new, on the thread that brings up to date what works from memory: to others it may
    /// be old.
    pub(super) fn news(&self) -> Option<Arc<News>> {
        let heard = self.own();
        let news = brief(&heard.news);
        let own = news.as_ref().filter(|(id, _)| *id == std::thread::current().id());
        own.map(|(_, news)| Arc::clone(news))
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
        let known = heard.known().filter(|known| *known != Err(LATE));
        let stamp = known.or_else(|| {
            let at = SystemClock.monotonic();
            let read = |transaction: &mut Transaction<'_>| asked(&self.pool, transaction);
            let answer = self.pool.try_read(Access::Read, read)?;
            if let Ok(stamp) = answer {
                heard.answered(stamp, at);
                self.start(&heard);
            }
            Some(answer)
        });
        (stamp, heard.heard_at())
    }

    /// The stamp, asked of the server.
    pub(super) fn ask(&self) -> Result<u64> {
        let at = SystemClock.monotonic();
        let read = |transaction: &mut Transaction<'_>| asked(&self.pool, transaction);
        let stamp = self.pool.read(Access::Read, read)?;
        self.own().answered(stamp, at);
        Ok(stamp)
    }

    /// The version of a key ring, from memory if nothing has changed since it was read.
    pub(super) fn ring(&self, name: &str, read: impl FnOnce() -> Result<u64>) -> Result<u64> {
        let heard = self.own();
        // From before it is read: what changes meanwhile is read again.
        let Ok(stamp) = self.stamp() else { return read() };
        if let Some((known, version)) = brief(&heard.rings).get(name)
            && *known >= stamp
        {
            return Ok(*version);
        }
        let version = read()?;
        brief(&heard.rings).insert(name.to_owned(), (stamp, version));
        Ok(version)
    }

    /// This process has made the change of this number.
    pub(super) fn changed(&self, number: u64) {
        let heard = self.own();
        heard.changed(number | self.pool.seen.epoch() << EPOCH_BITS);
        heard.wanted.store(true, Ordering::Release);
    }

    fn start(&self, heard: &Arc<Heard>) {
        self.thread.locked(|thread| {
            if thread.is_none() && !self.pool.is_closed() {
                let mut listener = Listener {
                    pool: Arc::downgrade(&self.pool),
                    heard: Arc::clone(heard),
                    fed: Arc::clone(&self.fed),
                    wire: None,
                    asked: 0,
                    failed: None,
                    pause: RETRY,
                    last: None,
                    epoch: self.pool.seen.epoch(),
                };
                *thread = Ticker::start(0, move || listener.tick());
                if thread.is_none() {
                    heard.due.store(1, Ordering::Release); // each use asks the server
                }
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

/// What the thread has.
struct Listener {
    pool: Weak<Pool>,
    heard: Arc<Heard>,
    fed: Arc<Mutex<Vec<Weak<dyn Fed>>>>,
    wire: Option<Wire>,
    /// When it was asked last.
    asked: u64,
    /// When connecting failed last.
    failed: Option<u64>,
    /// How long after that it is tried again.
    pause: u64,
    /// Where the store stood when what works from memory was last brought up to date.
    last: Option<Standing>,
    /// Which feed that was among those that this process has followed.
    epoch: u64,
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
        self.heard.expect(NANOS / 10);
        pool.tell_what_is_due();
        if let Err(error) = self.listen(&pool) {
            // Not at once again.
            self.asked = SystemClock.monotonic().saturating_sub(BEAT - RETRY);
            *brief(&self.heard.failed) = Some(fault(error));
        }
        true
    }

    fn listen(&mut self, pool: &Pool) -> Result<(), Fault> {
        let is_wanted = self.heard.wanted.load(Ordering::Acquire);
        let since = SystemClock.monotonic().saturating_sub(self.asked);
        if let Err(error) = self.connect(pool).and_then(|()| self.wait(pool, since, is_wanted)) {
            self.wire = None;
            self.failed = Some(SystemClock.monotonic());
            // Without notifications, it is asked once a second all the same.
            if matches!(&error, Fault::Ours(why) | Fault::Elsewhere(why) if *why == STANDBY) {
                return Err(error);
            }
        }
        let since = SystemClock.monotonic().saturating_sub(self.asked);
        let is_told = is_wanted || self.wire.as_ref().is_some_and(Wire::is_notified);
        if since >= BEAT || since >= PAUSE && is_told {
            // However it ends: the store has been asked.
            let asked = self.ask(pool);
            self.heard.expect_anew(NANOS / 10);
            return asked;
        }
        Ok(())
    }

    /// Connects to where notifications come from, if it is time to.
    fn connect(&mut self, pool: &Pool) -> Result<(), Fault> {
        let now = SystemClock.monotonic();
        let is_early = self.failed.is_some_and(|failed| now.saturating_sub(failed) < self.pause);
        if self.wire.is_some() || is_early {
            return Ok(());
        }
        // Longer after an attempt that itself took long: nothing is asked meanwhile.
        self.pause = RETRY_SLOWLY;
        self.heard.expect(pool.connecting() + DEADLINE);
        let mut wire = pool.connect_to_listen()?;
        wire.be_patient(Duration::from_nanos(DEADLINE));
        wire.queue(&format!("LISTEN \"{}\"", pool.channel()), &[])?;
        let listening = wire.settle();
        self.pause = RETRY;
        listening?;
        (self.wire, self.failed, self.asked) = (Some(wire), None, 0);
        Ok(())
    }

    /// Waits for a notification, as long as may be.
    fn wait(&mut self, pool: &Pool, since: u64, is_wanted: bool) -> Result<(), Fault> {
        let most = if pool.has_just_told() { BRIEF } else { SLICE };
        let Some(wire) = &mut self.wire else {
            std::thread::sleep(most);
            return Ok(());
        };
        if since < PAUSE {
            // What comes meanwhile is read: the server keeps it for all until then.
            return wire.rest(Duration::from_nanos(PAUSE - since));
        }
        if since < BEAT && !is_wanted {
            wire.wait(most.min(Duration::from_nanos(BEAT - since)))?;
        }
        // Whether this connection lives is asked by itself: nothing else waits for that.
        wire.ping(Duration::from_nanos(BEAT), Duration::from_nanos(DEADLINE))
    }

    /// Asks where the store stands, and brings up to date what works from memory.
    fn ask(&mut self, pool: &Pool) -> Result<(), Fault> {
        let now = SystemClock.monotonic();
        self.heard.wanted.store(false, Ordering::Release);
        if let Some(wire) = &mut self.wire {
            wire.take_notified();
        }
        self.heard.expect(2 * DEADLINE);
        let answer = pool.try_read(Access::Listen, |transaction| self.read(pool, transaction));
        // Another thread reads everything, say.
        let Some(answer) = answer else { return self.ask_there(pool, now) };
        let (standing, epoch, news) = answer?;
        self.tell(now, standing, epoch, news);
        Ok(())
    }

    /// As [`Self::ask`], by the connection on which notifications come.
    fn ask_there(&mut self, pool: &Pool, now: u64) -> Result<(), Fault> {
        let Some(mut wire) = self.wire.take() else { return Ok(()) };
        let mut transaction = pool.begin(&mut wire, Access::Listen);
        let answer = self.read(pool, &mut transaction);
        wire.roll_back();
        let (standing, epoch, news) = answer?;
        self.wire = Some(wire);
        self.tell(now, standing, epoch, news);
        Ok(())
    }

    /// Brings up to date what works from memory.
    fn tell(&mut self, now: u64, standing: Standing, epoch: u64, news: Option<News>) {
        self.asked = now;
        let stamp = standing.number | epoch << EPOCH_BITS;
        let anew = std::mem::replace(&mut self.epoch, epoch) != epoch;
        if anew {
            // Nothing in memory holds: who reads it all instead of this thread believes it then.
            self.heard.heard(stamp, now);
        }
        if let Some(news) = &news {
            let mut rings = brief(&self.heard.rings);
            rings.extend(news.rings.iter().map(|(name, v)| (name.clone(), (stamp, *v))));
        }
        *brief(&self.heard.news) = news.map(|news| (std::thread::current().id(), Arc::new(news)));
        let followers = {
            let mut all = brief(&self.fed);
            all.retain(|one| one.strong_count() > 0);
            all.clone()
        };
        self.heard.expect(if anew { RELOAD } else { DEADLINE });
        for follower in followers.iter().filter_map(Weak::upgrade) {
            follower.be_fed(stamp, anew);
        }
        *brief(&self.heard.news) = None;
        self.last = Some(standing);
        // Only now: until then it is not known here.
        self.heard.heard(stamp, now);
    }

    fn read(
        &self,
        pool: &Pool,
        transaction: &mut Transaction<'_>,
    ) -> Result<(Standing, u64, Option<News>), Fault> {
        let (standing, epoch) = pool.seen.follow(transaction)?;
        let before = self
            .last
            .as_ref()
            .filter(|before| self.epoch == epoch && before.number < standing.number);
        let Some(before) = before else { return Ok((standing, epoch, None)) };
        let rings = brief(&self.heard.rings).keys().cloned().collect();
        match News::read(transaction, epoch, before, &standing, rings) {
            Ok(news) => Ok((standing, epoch, news)),
            // Those who follow find out by themselves what cannot be read.
            Err(error) if error.ends() => Err(error),
            Err(_) => Ok((standing, epoch, None)),
        }
    }
}
