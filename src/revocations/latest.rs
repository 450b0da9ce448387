//! The latest time that was ever seen, so that what was refused as expired stays so when the clock
//! steps back; and whether a wall clock has run away from the one that measures how long things
//! take.

use crate::base::clock::{Clock as _, NANOS, SystemClock};
use crate::base::pace::{AHEAD, Doubt};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds that a reading may be behind another thread's.
const RACE: u64 = 2;

/// The latest time, in seconds since the Unix epoch.
pub(super) struct Latest {
    time: AtomicU64,
    /// When that was, in nanoseconds of a clock that cannot be set.
    at: AtomicU64,
    /// Whether the clock is too far ahead.
    doubt: Doubt,
    /// Tokens from before this time were issued before the clock stepped back; 0 while it has not.
    stepped: AtomicU64,
}

impl Latest {
    pub(super) const fn new() -> Self {
        Self {
            time: AtomicU64::new(0),
            at: AtomicU64::new(0),
            doubt: Doubt::new(),
            stepped: AtomicU64::new(0),
        }
    }

    /// The latest time.
    #[inline]
    pub(super) fn get(&self) -> u64 {
        self.time.load(Ordering::Relaxed)
    }

    /// Notes the time.
    #[inline]
    pub(super) fn note(&self, now: u64) {
        let latest = self.get();
        if now == latest {
            return;
        }
        if now > latest {
            self.advance(latest, now, SystemClock.monotonic());
        } else if latest - now > RACE {
            self.step_back(now, SystemClock.monotonic());
        }
    }

    /// Whether a token had expired before the clock stepped back: it is from before that, and `end`
    /// has passed.
    #[inline]
    pub(super) fn has_passed(&self, issued_at: i64, end: i64) -> bool {
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        end <= signed(self.get()) && issued_at < signed(self.stepped.load(Ordering::Relaxed))
    }

    #[cold]
    fn advance(&self, latest: u64, now: u64, clock: u64) {
        let elapsed = clock.saturating_sub(self.at.load(Ordering::Relaxed)) / NANOS;
        let is_near = now - latest <= elapsed.saturating_add(AHEAD);
        if latest != 0 && !is_near && !self.doubt.has_patience(clock) {
            return;
        }
        self.doubt.end();
        self.stepped.store(0, Ordering::Relaxed);
        self.at.store(clock, Ordering::Relaxed);
        self.time.fetch_max(now, Ordering::Relaxed);
    }

    #[cold]
    fn step_back(&self, now: u64, clock: u64) {
        self.doubt.end();
        if self.stepped.load(Ordering::Relaxed) != 0 {
            return;
        }
        // Where this clock stood when the latest time was read: what it has dated since then is
        // later.
        let elapsed = clock.saturating_sub(self.at.load(Ordering::Relaxed)) / NANOS;
        self.stepped.store(now.saturating_sub(elapsed).max(1), Ordering::Relaxed);
    }
}

/// Two clocks at one look, the wall clock and one that cannot be set: whether the first has run
/// away by the next.
#[derive(Clone, Copy, Default)]
pub(super) struct Clocks {
    wall: u64,
    clock: u64,
    /// Not before this time is anything forgotten, in seconds of the wall clock.
    due: u64,
}

impl Clocks {
    /// Whether it is time to forget what has expired, every this many seconds. Not within that time
    /// after the first look, or after the wall clock was set far ahead or back.
    pub(super) fn is_due(&mut self, wall: u64, clock: u64, every: u64) -> bool {
        let went = wall.saturating_sub(self.wall);
        let took = clock.saturating_sub(self.clock) / NANOS;
        let is_first = self.wall == 0;
        let ran_away = wall.saturating_add(RACE) < self.wall || went > took.saturating_add(AHEAD);
        (self.wall, self.clock) = (wall, clock);
        if is_first || ran_away || self.due > wall.saturating_add(every) {
            self.due = wall.saturating_add(every);
        }
        let is_due = wall >= self.due;
        if is_due {
            self.due = wall.saturating_add(every);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pace::PATIENCE;

    const T: u64 = 1_800_000_000;

    #[test]
    fn one_look_by_a_clock_that_ran_away_forgets_nothing() {
        let mut look = Clocks::default();
        let at = |seconds: u64| seconds * NANOS;
        assert!(
            !look.is_due(T, at(1), 600),
            "the first: it is not known whether the clock is right"
        );
        assert!(!look.is_due(T + 599, at(600), 600));
        assert!(look.is_due(T + 600, at(601), 600));
        assert!(!look.is_due(T + 40 * 86_400, at(602), 600), "forty days in a second");
        assert!(!look.is_due(T + 602, at(603), 600), "and back");
        assert!(!look.is_due(T + 1201, at(1202), 600));
        assert!(
            look.is_due(T + 1202, at(1203), 600),
            "ten minutes after the clock was right again"
        );
        assert!(look.is_due(T + 90_000, at(90_001), 600), "a day without a look is a day");
        assert!(!look.is_due(T + 200_000, at(90_002), 600), "set for good");
        assert!(look.is_due(T + 200_600, at(90_602), 600), "and so for ten minutes");
    }

    #[test]
    fn the_latest_time_is_one_that_can_have_come() {
        let latest = Latest::new();
        let clock = SystemClock.monotonic();
        latest.advance(0, T, clock);
        latest.advance(T, T + 900, clock);
        assert_eq!(latest.get(), T + 900, "not far ahead");
        for seconds in [0, 1, PATIENCE] {
            latest.advance(T + 900, T + 40 * 86_400, clock + seconds * NANOS);
            assert_eq!(latest.get(), T + 900, "far ahead for {seconds} seconds");
        }
        latest.advance(T + 900, T + 40 * 86_400, clock + (PATIENCE + 1) * NANOS);
        assert_eq!(latest.get(), T + 40 * 86_400, "and it stays there");
        let day = clock + 2 * 86_400 * NANOS;
        latest.advance(latest.get(), T + 41 * 86_400, day);
        assert_eq!(latest.get(), T + 41 * 86_400, "a day of which nothing was seen");
    }

    #[test]
    fn what_is_issued_after_a_step_back_is_not_too_old() {
        let latest = Latest::new();
        let clock = SystemClock.monotonic();
        let signed = |seconds: u64| i64::try_from(seconds).unwrap();
        latest.advance(0, T + 1000, clock);
        assert!(!latest.has_passed(signed(T), signed(T + 900)), "the clock itself says so");
        latest.step_back(T + 500, clock + 10 * NANOS);
        assert!(latest.has_passed(signed(T + 489), signed(T + 1000)), "from before the step");
        assert!(!latest.has_passed(signed(T + 489), signed(T + 1001)), "had not expired");
        assert!(!latest.has_passed(signed(T + 490), signed(T + 900)), "from after the step");
    }
}
