//! How what is kept in a store is followed, by API keys, revocations and key rings alike: their
//! options ([`Follow`]), how old what they know may be ([`Freshness`]), and who looks at the store
//! again ([`Looks`]).
//!
//! The first use after 25 ms looks at the store. Other threads meanwhile use what is known. While
//! the store is out of reach, everything works from memory for `max_stale`, then is refused. With
//! `strict`, every use asks the store first. A fork copies neither a lock nor a look. Some stores
//! bring their followers up to date themselves ([`Looks::feed`]); then a look asks only whether
//! they still hear of the store.

use super::clock::{Clock, NANOS, SystemClock};
use super::pace::Pace;
use super::process::{self, lock, lock_if};
use super::reach::beyond_memory;
use super::text::argument;
use crate::error::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

/// How old what is known may be before the next use looks, in nanoseconds. Half of what is
/// promised, because the look itself takes its time.
pub(crate) const LOOK_AFTER: u64 = 25_000_000;

/// The longest `max_stale`, in milliseconds.
const LONGEST_STALE: u64 = 86_400_000;

const SILENT: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The store has been out of reach for longer than `max_stale` allows; see that it can be read.",
);

/// What was said of it; the rest is as usual.
#[derive(Clone, Default)]
pub(crate) struct Follow {
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) strict: Option<bool>,
    pub(crate) max_stale_ms: Option<u64>,
    /// What has been seen of the clock, which all that follow one store share: what is handed out
    /// while the clock is wrong knows how it was before.
    pub(crate) pace: Option<Arc<Pace>>,
}

impl Follow {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self { clock: None, strict: None, max_stale_ms: None, pace: None }
    }

    /// What this does not say is as `others` have it.
    pub(crate) fn or(self, others: &Self) -> Self {
        // Another clock has a pace of its own.
        let pace = if self.clock.is_some() { self.pace } else { others.pace.clone() };
        Self {
            pace,
            clock: self.clock.or_else(|| others.clock.clone()),
            strict: self.strict.or(others.strict),
            max_stale_ms: self.max_stale_ms.or(others.max_stale_ms),
        }
    }

    /// The source of the time: the system's, unless another was named.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock))
    }

    /// The pace of that clock. Of the system's there is one for the whole process.
    pub(crate) fn pace(&self) -> Arc<Pace> {
        static OF_THE_SYSTEM: LazyLock<Arc<Pace>> = LazyLock::new(|| Arc::new(Pace::new()));
        let is_system = self.clock.as_ref().is_none_or(|clock| clock.is_system());
        match &self.pace {
            Some(pace) => Arc::clone(pace),
            None if is_system => Arc::clone(&OF_THE_SYSTEM),
            None => Arc::new(Pace::new()),
        }
    }

    /// Whether every question asks the store first: not unless so said.
    pub(crate) fn strict(&self) -> bool {
        self.strict.unwrap_or(false)
    }

    /// For how many milliseconds the store may be silent: 30 seconds unless so said.
    pub(crate) fn max_stale_ms(&self) -> u64 {
        self.max_stale_ms.unwrap_or(30_000)
    }

    /// `max_stale` in nanoseconds.
    ///
    /// # Errors
    /// `InvalidArgument`: it is longer than a day.
    pub(crate) fn max_stale(&self) -> Result<u64> {
        let milliseconds = self.max_stale_ms();
        if milliseconds > LONGEST_STALE {
            return Err(argument("A store may be silent for at most 86400 seconds."));
        }
        Ok(milliseconds * (NANOS / 1000))
    }

    /// What follows a store like this and has not heard of it yet.
    ///
    /// # Errors
    /// Those of [`Self::max_stale`].
    pub(crate) fn freshness(&self) -> Result<Freshness> {
        let heard = AtomicU64::new(NEVER);
        let (strict, max_stale, clock) = (self.strict(), self.max_stale()?, self.clock());
        Ok(Freshness { heard, strict, max_stale, clock })
    }
}

/// What is not listened to any more.
const OVER: u64 = u64::MAX;
/// What has not been heard of yet.
const NEVER: u64 = u64::MAX - 1;

/// When a store was last heard of, in nanoseconds of the monotonic clock, and how long ago that may
/// be.
pub(crate) struct Freshness {
    heard: AtomicU64,
    strict: bool,
    /// Nanoseconds.
    max_stale: u64,
    clock: Arc<dyn Clock>,
}

impl Freshness {
    /// The store has answered; `now` is from before it was asked. Not if it is over: a look that
    /// had begun before must not bring it back.
    pub(crate) fn heard(&self, now: u64) {
        let heard = |last| (last != OVER).then_some(now);
        let _ = self.heard.fetch_update(Ordering::Release, Ordering::Relaxed, heard);
    }

    /// From now on everything is too old, for good.
    pub(crate) fn stop(&self) {
        self.heard.store(OVER, Ordering::Release);
    }

    /// Everything is too old until the store is heard of again.
    pub(crate) fn forget(&self) {
        self.heard(NEVER);
    }

    /// How long ago the store was heard of, in nanoseconds; `None` if it never was.
    pub(crate) fn heard_ago(&self) -> Option<u64> {
        let heard = self.heard.load(Ordering::Acquire);
        (heard < NEVER).then(|| age(heard, self.clock.monotonic()))
    }

    /// As [`Self::heard`], for those who are fed, if the store is `in_touch`; false if that is not
    /// so, or if everything was taken back meanwhile.
    pub(crate) fn go_on(&self, now: u64, in_touch: impl FnOnce() -> bool) -> bool {
        let before = self.heard.load(Ordering::Acquire);
        if self.strict || before >= NEVER || !in_touch() {
            return false;
        }
        // Who has moved it meanwhile to another time has heard of the store as well.
        let on = |last: u64| (last < NEVER).then(|| last.max(now));
        self.heard.fetch_update(Ordering::AcqRel, Ordering::Acquire, on).is_ok()
    }

    /// Whether every question asks the store itself.
    pub(crate) const fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.heard.load(Ordering::Acquire) == OVER
    }

    /// Whether a question may be answered without a look.
    #[inline]
    pub(crate) fn is_recent(&self, now: u64) -> bool {
        age(self.heard.load(Ordering::Acquire), now) <= LOOK_AFTER && !self.strict
    }

    /// Whether who comes while another thread looks waits for that look: what is known is no
    /// answer.
    pub(crate) fn wants_look(&self) -> bool {
        self.strict || !self.is_good()
    }

    /// Whether a question may be answered after a look that has ended like this; see
    /// [`Looks::look`].
    ///
    /// # Errors
    /// `StoreUnavailable`: what is known is too old. What the store says of itself at each look,
    /// such as that it was restored, is reported instead, and at once where no later look can make
    /// up for it: what cannot be read may revoke anything, and a torn child can never ask again.
    pub(crate) fn after(&self, looked: Result<bool>) -> Result<()> {
        match looked {
            Ok(true) if !self.is_over() => Ok(()),
            Err(error)
                if self.strict || error.kind() == ErrorKind::StoreCorrupt || process::is_torn() =>
            {
                Err(error)
            }
            _ if self.is_good() => Ok(()),
            Err(cause) if cause.kind() != ErrorKind::StoreUnavailable => Err(cause),
            _ => Err(SILENT),
        }
    }

    /// Whether the store was heard of within `max_stale`. The clock is read after that: a thread
    /// that was held up since it last read it must not take what another one has heard meanwhile
    /// for the future.
    fn is_good(&self) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        age(heard, self.clock.monotonic()) <= self.max_stale
    }
}

/// How long ago the store was heard of. A clock that stepped back by more than what a race
/// between two threads explains makes it for ever.
#[inline]
const fn age(heard: u64, now: u64) -> u64 {
    if now >= heard {
        now - heard
    } else if heard - now < LOOK_AFTER {
        0
    } else {
        u64::MAX
    }
}

/// The looks of one process at a store, one at a time, and what only the thread that looks may
/// touch.
#[derive(Default)]
pub(crate) struct Looks<T> {
    /// How many have begun.
    begun: AtomicU64,
    last: Mutex<Last<T>>,
    /// Whether the store brings it up to date.
    fed: AtomicBool,
}

/// The last look that has ended.
pub(crate) struct Last<T> {
    number: u64,
    ended: Result<()>,
    known: T,
}

impl<T> Looks<T> {
    /// What only the thread that looks may touch; no other looks meanwhile.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Last<T>> {
        lock(&self.last)
    }

    /// Looks, unless another thread does. With `wait`, that one is waited for; those who have
    /// waited share one look that began after they came, however it ended. False: another thread is
    /// looking, and was not waited for.
    ///
    /// # Errors
    /// Those of the look. `StoreUnavailable`: this thread may use memory only.
    pub(crate) fn look(&self, wait: bool, look: impl FnOnce(&mut T) -> Result<()>) -> Result<bool> {
        beyond_memory()?;
        let begun = self.begun.load(Ordering::Acquire);
        let Some(mut last) = lock_if(&self.last, wait) else { return Ok(false) };
        if last.number <= begun {
            let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
            let ended = look(&mut last.known);
            (last.number, last.ended) = (number, ended);
        }
        last.ended.clone().map(|()| true)
    }

    /// Looks, in any case: what others have seen meanwhile is not enough.
    pub(crate) fn look_now(&self, look: impl FnOnce(&mut T) -> Result<()>) -> Result<()> {
        beyond_memory()?;
        let mut last = lock(&self.last);
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let ended = look(&mut last.known);
        (last.number, last.ended) = (number, ended);
        last.ended.clone()
    }

    /// As [`Self::look_now`], for a store that brings its followers up to date: from then on they
    /// are, if that went well. `anew`: until then nothing is known.
    pub(crate) fn feed(
        &self,
        fresh: &Freshness,
        anew: bool,
        look: impl FnOnce(&mut T) -> Result<()>,
    ) {
        if anew {
            // In this order: see `Freshness::go_on`.
            self.fed.store(false, Ordering::SeqCst);
            fresh.forget();
        }
        let is_fed = self.look_now(look).is_ok();
        self.fed.store(is_fed, Ordering::SeqCst);
    }

    /// Whether the store brings it up to date, so that those who use it need not look.
    pub(crate) fn is_fed(&self) -> bool {
        self.fed.load(Ordering::SeqCst)
    }
}

/// Who looks, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A use of what is known.
    Use,
    /// Someone who wants to know how the store stands now.
    Now,
    /// The store itself, which stands there.
    Fed(u64),
}

impl<T: Default> Default for Last<T> {
    fn default() -> Self {
        Self { number: 0, ended: Ok(()), known: T::default() }
    }
}

impl<T> std::ops::Deref for Last<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.known
    }
}

impl<T> std::ops::DerefMut for Last<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::process::Own;

    const CORRUPT: Error = Error::new(ErrorKind::StoreCorrupt, "x");
    const RESTORED: Error = Error::new(ErrorKind::StoreRestored, "x");
    const AWAY: Error = Error::new(ErrorKind::StoreUnavailable, "x");

    fn freshness(strict: bool, max_stale_ms: u64) -> Freshness {
        let follow =
            Follow { strict: Some(strict), max_stale_ms: Some(max_stale_ms), ..Follow::new() };
        follow.freshness().unwrap()
    }

    #[test]
    fn what_is_known_is_good_for_a_while() {
        let known = freshness(false, 60_000);
        let now = known.clock.monotonic();
        assert!(!known.is_recent(now) && known.wants_look(), "nothing is known yet");
        assert_eq!(known.after(Ok(false)), Err(SILENT));
        assert_eq!(known.after(Err(RESTORED)), Err(RESTORED));
        known.heard(now);
        assert!(known.is_recent(now + LOOK_AFTER) && !known.is_recent(now + LOOK_AFTER + 1));
        assert!(!known.wants_look());
        for looked in [Ok(true), Ok(false), Err(AWAY), Err(RESTORED)] {
            assert_eq!(known.after(looked), Ok(()));
        }
        assert_eq!(known.after(Err(CORRUPT)), Err(CORRUPT));
        known.forget();
        assert!(known.wants_look() && !known.is_over());
        assert_eq!(known.after(Err(AWAY)), Err(SILENT));
        known.heard(now);
        assert_eq!(known.after(Err(AWAY)), Ok(()));
        known.stop();
        known.heard(now);
        known.forget();
        assert!(known.is_over() && !known.is_recent(now));
        assert_eq!(known.after(Ok(true)), Err(SILENT));
    }

    #[test]
    fn a_strict_answer_needs_the_store() {
        let known = freshness(true, 60_000);
        let now = known.clock.monotonic();
        known.heard(now);
        assert!(!known.is_recent(now) && known.wants_look());
        assert_eq!((known.after(Ok(true)), known.after(Err(AWAY))), (Ok(()), Err(AWAY)));
    }

    /// However long the look took.
    #[test]
    fn a_store_that_has_just_answered_is_not_silent() {
        let known = freshness(false, 0);
        known.heard(known.clock.monotonic() - LOOK_AFTER);
        assert_eq!((known.after(Ok(true)), known.after(Ok(false))), (Ok(()), Err(SILENT)));
    }

    #[test]
    fn a_store_may_be_silent_for_a_day() {
        let stale = |ms| Follow { max_stale_ms: Some(ms), ..Follow::new() }.max_stale();
        assert_eq!(stale(LONGEST_STALE).unwrap(), 86_400 * NANOS);
        assert_eq!(stale(LONGEST_STALE + 1).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn those_who_wait_share_one_look_however_it_ends() {
        const THREADS: u64 = 32;
        let (own, arrived) = (Own::<Looks<u64>>::new(), AtomicU64::new(0));
        let looks = own.get();
        for error in [None, Some(AWAY)] {
            let before = looks.lock().known;
            arrived.store(0, Ordering::Relaxed);
            std::thread::scope(|scope| {
                let held = looks.lock();
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        arrived.fetch_add(1, Ordering::Relaxed);
                        let looked = looks.look(true, |many| {
                            *many += 1;
                            error.clone().map_or(Ok(()), Err)
                        });
                        assert_eq!(looked.err(), error);
                    });
                }
                while arrived.load(Ordering::Relaxed) < THREADS {
                    std::thread::yield_now();
                }
                std::thread::sleep(std::time::Duration::from_millis(50)); // until they wait
                assert_eq!(looks.look(false, |_| unreachable!()), Ok(false));
                drop(held);
            });
            // One, and one more for each that was late.
            assert!(looks.lock().known - before < THREADS / 4);
        }
    }
}
