//! Time enters only here: whole seconds since the Unix epoch (NumericDate, RFC 7519 section 2), and
//! nanoseconds that never go back, for limits and staleness.

use super::process::enter;
use crate::error::{Error, ErrorKind, Result};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    fn now(&self) -> u64;

    /// Nanoseconds since 1970-01-01T00:00:00Z, as exactly as the clock knows them.
    fn now_nanos(&self) -> u64 {
        self.now().saturating_mul(NANOS)
    }

    /// Nanoseconds since some moment in the past. A clock that has nothing better counts from the
    /// Unix epoch.
    fn monotonic(&self) -> u64 {
        self.now().saturating_mul(NANOS)
    }
}

/// Nanoseconds in a second.
pub(crate) const NANOS: u64 = 1_000_000_000;

/// The latest time that a clock is believed: the year 10000, well within 2^53 seconds.
const LATEST: u64 = 253_402_300_800;

/// The time, unless no clock that is right can say so: milliseconds for seconds, a callback that failed.
///
/// # Errors
/// `InvalidConfiguration`.
#[inline]
pub(crate) fn plausible(seconds: u64) -> Result<u64> {
    if seconds <= LATEST { Ok(seconds) } else { Err(BROKEN_CLOCK) }
}

/// The seconds of a time in nanoseconds, which end in the year 2554: whatever is later is no time.
///
/// # Errors
/// `InvalidConfiguration`.
#[inline]
pub(crate) fn plausible_nanos(nanos: u64) -> Result<u64> {
    if nanos == u64::MAX { Err(BROKEN_CLOCK) } else { Ok(nanos / NANOS) }
}

const BROKEN_CLOCK: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The clock is out of range: before 1970 or after the year 9999. It must give whole seconds since 1970.",
);

/// The operating system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// A clock set before 1970 reads as the far future, so that every token is expired rather
    /// than every token fresh.
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |d| d.as_secs())
    }

    fn now_nanos(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(u64::MAX, |now| {
            now.as_secs().saturating_mul(NANOS).saturating_add(u64::from(now.subsec_nanos()))
        })
    }

    fn monotonic(&self) -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        let start = START.get().unwrap_or_else(|| {
            let _inside = enter();
            START.get_or_init(Instant::now)
        });
        let elapsed = start.elapsed();
        elapsed.as_secs().saturating_mul(NANOS).saturating_add(u64::from(elapsed.subsec_nanos()))
    }
}

/// A clock that stands still until it is told to move. For tests and replays.
#[derive(Debug)]
pub struct FixedClock(AtomicU64); // whole seconds

impl FixedClock {
    /// A clock that reads `now` seconds since the Unix epoch.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Self(AtomicU64::new(now))
    }

    /// Sets the time.
    pub fn set(&self, now: u64) {
        self.0.store(now, Ordering::Release);
    }

    /// Moves the time forward.
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::AcqRel);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
