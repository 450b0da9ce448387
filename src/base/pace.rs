//! A wall clock, compared with the monotonic one: a date that time alone cannot have brought
//! deletes nothing, and a date from before the latest one keeps nothing for too short a time.

use super::clock::{Clock, NANOS, plausible};
use crate::error::Result;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds that a clock may be ahead of where time alone has brought it, to be believed at once.
pub(crate) const AHEAD: u64 = 3600;
/// Seconds for which a clock that is further ahead must run on, to be right after all.
pub(crate) const PATIENCE: u64 = 600;

/// Since when a wall clock has been too far ahead, in nanoseconds of the monotonic clock; 0 while
/// it is not.
pub(crate) struct Doubt(AtomicU64);

impl Doubt {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether the clock has been so far ahead for long enough to be right.
    pub(crate) fn has_patience(&self, steady: u64) -> bool {
        let steady = steady.max(1);
        match self.0.compare_exchange(0, steady, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => false,
            Err(since) => steady.saturating_sub(since) > PATIENCE * NANOS,
        }
    }
}

/// What the clock says, and what is believed of it; in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dates {
    /// As the clock says.
    pub(crate) now: u64,
    /// What had ended by this date is over. Not after `now`; before it, if the clock ran ahead.
    pub(crate) surely: u64,
    /// What exists now was not made after this date. Not before `now`; after it, if the clock went
    /// back.
    pub(crate) latest: u64,
    /// Whether the clock went back, by more than the two clocks' seconds may differ, and not so
    /// long ago that it is believed where it is now.
    pub(crate) is_behind: bool,
}

impl Dates {
    /// Whether the clock is further ahead than time alone can have brought it.
    pub(crate) const fn ran_ahead(&self) -> bool {
        self.surely < self.now
    }

    /// Whether `date` has come by the clock or, if that went back, by what is known of it.
    pub(crate) const fn may_be_after(&self, date: u64) -> bool {
        date <= self.now || self.is_behind && date <= self.latest
    }
}

/// What of that which is there now was made before a moment. A date that is still to come is that
/// of a wrong clock, and what bears it was made before now.
#[derive(Clone, Copy)]
pub(crate) struct Cutoff {
    /// In seconds since the Unix epoch, as `now` is.
    pub(crate) at: u64,
    pub(crate) now: u64,
}

impl Cutoff {
    pub(crate) const fn is_before(self, made_at: u64) -> bool {
        made_at < self.at || made_at > self.now
    }
}

/// By how much a wall clock is ahead of the monotonic one, in seconds.
pub(crate) struct Pace {
    /// As it was at first, or when the clock was believed after a doubt.
    believed: AtomicU64,
    /// The most that was ever believed.
    most: AtomicU64,
    /// The latest date that was ever believed.
    newest: AtomicU64,
    doubt: Doubt,
    behind: Doubt,
}

/// Seconds by which two clocks that are each cut to seconds may seem to step.
const JITTER: u64 = 2;

/// No clock was read yet.
const UNREAD: u64 = u64::MAX;

impl Pace {
    pub(crate) const fn new() -> Self {
        let (believed, most) = (AtomicU64::new(UNREAD), AtomicU64::new(UNREAD));
        let newest = AtomicU64::new(0);
        Self { believed, most, newest, doubt: Doubt::new(), behind: Doubt::new() }
    }

    /// Reads the clock, and notes what it says.
    ///
    /// # Errors
    /// `InvalidConfiguration`: the clock cannot be right.
    pub(crate) fn read(&self, clock: &dyn Clock) -> Result<Dates> {
        Ok(self.note(plausible(clock.now())?, clock.monotonic()))
    }

    /// Notes the date, and the monotonic clock in nanoseconds.
    pub(crate) fn note(&self, now: u64, steady: u64) -> Dates {
        let steady_seconds = steady / NANOS;
        let ahead = now.wrapping_sub(steady_seconds);
        let known = self.believed.load(Ordering::Relaxed);
        let by = apart(ahead, known);
        let limit = i64::try_from(AHEAD).unwrap_or(i64::MAX);
        let ran_ahead = known != UNREAD && by > limit && !self.doubt.has_patience(steady);
        if ran_ahead {
            let surely = known.wrapping_add(steady_seconds).min(now);
            return Dates { now, surely, latest: now, is_behind: false };
        }
        self.doubt.end();
        // Small steps ahead do not add up to a large one, and a step back is not taken for the
        // pace.
        if known == UNREAD || by > limit {
            self.believed.store(ahead, Ordering::Relaxed);
        }
        let most = self.most.load(Ordering::Relaxed);
        if most == UNREAD || apart(ahead, most) > 0 {
            self.most.store(ahead, Ordering::Relaxed);
        }
        let newest = self.newest.fetch_max(now, Ordering::Relaxed).max(now);
        let latest = self.most.load(Ordering::Relaxed).wrapping_add(steady_seconds);
        let latest = latest.max(newest);
        Dates { now, surely: now, latest, is_behind: self.went_back(now, latest, ahead, steady) }
    }

    fn went_back(&self, now: u64, latest: u64, ahead: u64, steady: u64) -> bool {
        if now.saturating_add(JITTER) >= latest {
            self.behind.end();
            return false;
        }
        let is_right = self.behind.has_patience(steady);
        if is_right {
            // The step that corrects it, should it have been wrong after all, is one ahead of this.
            self.believed.store(ahead, Ordering::Relaxed);
        }
        !is_right
    }
}

/// By how many seconds `one` is more than `other`.
const fn apart(one: u64, other: u64) -> i64 {
    one.wrapping_sub(other).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_800_000_000;
    const DAY: u64 = 86_400;

    fn at(pace: &Pace, now: u64, seconds: u64) -> (u64, u64) {
        let dates = pace.note(now, seconds * NANOS);
        assert_eq!(dates.now, now);
        (dates.surely, dates.latest)
    }

    #[test]
    fn a_clock_that_ran_ahead_is_sure_of_nothing_new() {
        let pace = Pace::new();
        assert_eq!(at(&pace, T, 5), (T, T), "the first");
        assert_eq!(at(&pace, T + 3600, 5), (T + 3600, T + 3600), "an hour");
        assert_eq!(at(&pace, T + 7200, 5), (T, T + 7200), "small steps do not add up");
        for ahead in [3601, 40 * DAY, 400 * 366 * DAY] {
            let pace = Pace::new();
            at(&pace, T, 5);
            for seconds in [0, 1, PATIENCE] {
                let now = T + ahead + seconds;
                assert_eq!(at(&pace, now, 5 + seconds), (T + seconds, now), "{ahead} {seconds}");
            }
            let now = T + ahead + PATIENCE + 1;
            assert_eq!(at(&pace, now, 6 + PATIENCE), (now, now), "{ahead}: it was right");
            assert_eq!(at(&pace, now + 1, 7 + PATIENCE).0, now + 1, "{ahead}: and stays so");
        }
    }

    #[test]
    fn a_moment_that_was_right_in_between_begins_the_doubt_again() {
        let pace = Pace::new();
        at(&pace, T, 5);
        assert_eq!(at(&pace, T + DAY, 6).0, T + 1);
        assert_eq!(at(&pace, T + 300, 305).0, T + 300);
        assert_eq!(at(&pace, T + 2 * DAY, 700).0, T + 695);
    }

    #[test]
    fn a_clock_that_went_back_is_not_the_latest() {
        let pace = Pace::new();
        at(&pace, T, 5);
        assert_eq!(at(&pace, T - DAY, 5), (T - DAY, T));
        assert_eq!(at(&pace, T - DAY + 60, 65), (T - DAY + 60, T + 60), "time goes on");
        assert_eq!(at(&pace, 1, 65), (1, T + 60));
        assert_eq!(at(&pace, T + 60, 65), (T + 60, T + 60), "right again");
        assert_eq!(at(&pace, T + DAY, 65).0, T + 60, "which is not far ahead of what it was");
    }

    #[test]
    fn a_clock_that_went_back_is_behind_until_it_has_gone_on_for_long_enough() {
        let pace = Pace::new();
        let behind = |now, seconds| pace.note(now, seconds * NANOS).is_behind;
        assert!(!behind(T, 5) && !behind(T - JITTER, 5), "seconds are cut");
        for (now, seconds) in [(T - 3, 5), (T - 7200, 5), (T - 7200 + PATIENCE, 5 + PATIENCE)] {
            assert!(behind(now, seconds), "{now}");
        }
        assert!(!behind(T - 7200 + PATIENCE + 1, 6 + PATIENCE), "it was right");
        let dates = pace.note(T + PATIENCE + 2, (7 + PATIENCE) * NANOS);
        assert_eq!(
            dates.surely,
            T + PATIENCE + 2 - 7200,
            "or it was not: two hours are a step ahead"
        );
        assert!(!dates.is_behind);
        assert!(!behind(T + PATIENCE + 3, 8 + PATIENCE), "and what is right ends the doubt");
    }

    #[test]
    fn a_clock_that_keeps_pace_is_believed() {
        let pace = Pace::new();
        for seconds in [0, 1, 60, DAY, 400 * DAY] {
            assert_eq!(at(&pace, T + seconds, seconds), (T + seconds, T + seconds));
        }
        let (pace, clock) = (Pace::new(), crate::base::clock::FixedClock::new(T));
        for seconds in [0, 40 * DAY, 366 * DAY] {
            clock.set(T + seconds);
            assert_eq!(pace.read(&clock).unwrap().surely, T + seconds, "ages by itself");
        }
        clock.set(u64::MAX);
        pace.read(&clock).unwrap_err();
    }
}
