//! Time enters only here: whole seconds since the Unix epoch (NumericDate, RFC 7519 section 2), and
//! nanoseconds that never go back and also pass while the machine is suspended, for how old
//! something is.

use super::follow::LOOK_AFTER;
use super::steady;
use crate::error::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A source of the current time: of dates. How old something is that was read from a store or
/// fetched from a server (`max_stale`, the 50 ms within which changes of other processes are seen,
/// how long keys and answers are fresh) is measured by [`Clock::monotonic`], which is the system's
/// unless a clock overrides it: so that a clock of whole seconds, or one that stands still, makes
/// nothing older than it is.
pub trait Clock: Send + Sync {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    fn now(&self) -> u64;

    /// Nanoseconds since 1970-01-01T00:00:00Z, as exactly as the clock knows them.
    fn now_nanos(&self) -> u64 {
        self.now().saturating_mul(NANOS)
    }

    /// Nanoseconds since some moment in the past, for how old something is. They never go back. The
    /// system's, with the time that the machine was suspended; to be overridden only where tests
    /// must make time pass, and to be as exact as milliseconds where changes of other processes are
    /// to be seen within 50 ms.
    fn monotonic(&self) -> u64 {
        steady::nanos()
    }

    /// Whether it is the operating system's, whose date and [`Clock::monotonic`] run alike but for
    /// the steps of the former, so that one reading may stand for both.
    fn is_system(&self) -> bool {
        false
    }
}

/// Nanoseconds in a second.
pub(crate) const NANOS: u64 = 1_000_000_000;

/// The latest time that a clock is believed: the year 10000, well within 2^53 seconds.
const LATEST: u64 = 253_402_300_800;

/// The time, unless no clock that is right can say so: milliseconds for seconds, a callback that
/// failed.
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

/// From here on a date is taken for one in milliseconds: of the year 2001 as such, and of the year
/// 33658 in seconds.
pub(crate) const MILLISECONDS: i64 = 1_000_000_000_000;

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

    #[inline]
    fn monotonic(&self) -> u64 {
        steady::nanos()
    }

    #[inline]
    fn is_system(&self) -> bool {
        true
    }
}

/// The system's date, in nanoseconds since the Unix epoch, when its [`Clock::monotonic`] reads
/// `steady`: the two are compared every 25 ms at most, which is how late a step of the former is
/// noticed.
#[inline]
pub(crate) fn date_at(steady: u64) -> u64 {
    let compared = COMPARED.load(Ordering::Acquire);
    if steady.abs_diff(compared) <= LOOK_AFTER {
        return steady.wrapping_add(AHEAD.load(Ordering::Relaxed));
    }
    compare()
}

/// When the two clocks were compared; and what the date was ahead by, in nanoseconds.
static COMPARED: AtomicU64 = AtomicU64::new(u64::MAX);
static AHEAD: AtomicU64 = AtomicU64::new(0);

#[cold]
fn compare() -> u64 {
    let mut tightest = (u64::MAX, u64::MAX, 0);
    for _ in 0..4 {
        let (before, date, after) = (steady::nanos(), SystemClock.now_nanos(), steady::nanos());
        if date == u64::MAX {
            return date; // no plausible date, and must not be reckoned with
        }
        // What passes between the two readings makes the date seem early, which forgives nothing.
        let took = after.saturating_sub(before);
        tightest = tightest.min((took, date, after));
        if took < 10_000 {
            break;
        }
    }
    let (_, date, steady) = tightest;
    AHEAD.store(date.wrapping_sub(steady), Ordering::Relaxed);
    COMPARED.store(steady, Ordering::Release);
    date
}

/// A clock that stands still until it is moved, and what is kept with it: it ages by this clock,
/// too. For tests and replays.
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

    fn monotonic(&self) -> u64 {
        self.now_nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_one_reading_is_the_systems() {
        for _ in 0..1000 {
            let (before, steady) = (SystemClock.now_nanos(), SystemClock.monotonic());
            let (date, after) = (date_at(steady), SystemClock.now_nanos());
            // A busy machine may lie between two readings, and the system may adjust its clock.
            let slack = NANOS;
            assert!(date + slack >= before && date <= after + slack, "{before} {date} {after}");
        }
        assert!(date_at(0).abs_diff(SystemClock.now_nanos()) < 60 * NANOS);
    }

    #[test]
    fn a_clock_of_dates_alone_ages_what_is_kept_by_the_systems_time() {
        struct Still;
        impl Clock for Still {
            fn now(&self) -> u64 {
                1_000_000_000
            }
        }
        let before = SystemClock.monotonic();
        let (now, after) = (Still.monotonic(), SystemClock.monotonic());
        assert!(before <= now && now <= after && !Still.is_system());
        let fixed = FixedClock::new(5);
        assert!(fixed.monotonic() == 5 * NANOS && !fixed.is_system() && SystemClock.is_system());
    }
}
