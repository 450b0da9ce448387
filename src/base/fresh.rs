//! How old what is known of a store may be before someone looks again.

use super::clock::{Clock, NANOS};
use super::text::argument;
use crate::error::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicU64, Ordering};

/// How old what is known may be before someone looks, in nanoseconds. Half of what is promised, because
/// the look itself takes its time.
pub(crate) const LOOK_AFTER: u64 = 25_000_000;

/// What is not listened to any more.
const OVER: u64 = u64::MAX;

/// When a store was last heard of, in nanoseconds of one clock.
pub(crate) struct Freshness(AtomicU64);

impl Freshness {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The store has answered; `now` is from before it was asked. Not if it is over: a look that had begun before
    /// must not bring it back.
    pub(crate) fn heard(&self, now: u64) {
        let heard = |last| (last != OVER).then_some(now);
        let _ = self.0.fetch_update(Ordering::Release, Ordering::Relaxed, heard);
    }

    /// From now on everything is too old.
    pub(crate) fn stop(&self) {
        self.0.store(OVER, Ordering::Release);
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire) == OVER
    }

    /// Whether nobody needs to look yet.
    #[inline]
    pub(crate) fn is_recent(&self, now: u64) -> bool {
        age(self.0.load(Ordering::Acquire), now) <= LOOK_AFTER
    }

    /// Whether the store was heard of within so many nanoseconds. The clock is read after that: a thread that was
    /// held up since it last read it must not take what another one has heard meanwhile for the future.
    pub(crate) fn is_within(&self, clock: &dyn Clock, most: u64) -> bool {
        let heard = self.0.load(Ordering::Acquire);
        age(heard, clock.monotonic()) <= most
    }
}

/// Why nothing is answered any more once what is known is too old: what the store says of itself at each look, such as
/// that it was restored; else that it is silent.
#[cold]
pub(crate) fn too_old(looked: Result<()>, silent: Error) -> Error {
    looked.err().filter(|cause| cause.kind() != ErrorKind::StoreUnavailable).unwrap_or(silent)
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

/// `max_stale`, in milliseconds, in nanoseconds.
///
/// # Errors
/// `InvalidArgument`: it is longer than a day.
pub(crate) fn stale_nanos(milliseconds: u64) -> Result<u64> {
    const LONGEST: u64 = 86_400_000;
    if milliseconds > LONGEST {
        return Err(argument("A store may be silent for at most 86400 seconds."));
    }
    Ok(milliseconds * (NANOS / 1000))
}
