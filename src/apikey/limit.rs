//! The rate limit: GCRA (ITU-T I.371), one number a key. The number is the time at which all that
//! was used will have drained away; a request may move it at most one period ahead of now.

use crate::base::clock::NANOS;
use crate::base::text::argument;
use crate::error::Result;
use crate::store::Rate;
use std::fmt;

/// The arrival time after `cost` more units at `now`, both in nanoseconds; or how many nanoseconds
/// to wait for them, `u64::MAX` if they are more than the rate ever allows at once.
///
/// A time further ahead of `now` than a whole burst cannot have come about but by a clock that
/// stepped back, and counts as a whole burst ahead.
#[inline]
pub(crate) fn gcra(tat: u64, now: u64, rate: Rate, cost: u32) -> Result<u64, u64> {
    if cost > rate.burst {
        return Err(u64::MAX);
    }
    let (unit, burst) = unit_and_burst(rate);
    let debt = tat.saturating_sub(now).min(burst) + unit * u64::from(cost);
    match debt.saturating_sub(burst) {
        0 => Ok(now.saturating_add(debt)),
        wait => Err(wait),
    }
}

/// What is left of a rate, for `RateLimit` and `RateLimit-Policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLeft {
    /// The rate.
    pub rate: Rate,
    /// How many units are left at once.
    pub remaining: u32,
    /// In how many milliseconds all of them are there again.
    pub reset_ms: u64,
}

/// What is left of a rate when all that was used will have drained at `tat`; both times in
/// nanoseconds.
pub(crate) fn rate_left(rate: Rate, tat: u64, now: u64) -> RateLeft {
    let (unit, burst) = unit_and_burst(rate);
    let debt = tat.saturating_sub(now).min(burst);
    let remaining = u32::try_from((burst - debt) / unit).unwrap_or(u32::MAX);
    RateLeft { rate, remaining, reset_ms: debt.div_ceil(NANOS / 1000) }
}

/// The nanoseconds in which one unit drains.
#[inline]
pub(crate) fn unit_of(rate: Rate) -> u64 {
    unit_and_burst(rate).0
}

/// The arrival time as it counts: see [`gcra`].
#[inline]
pub(crate) fn settled(tat: u64, now: u64, rate: Rate) -> u64 {
    tat.min(now.saturating_add(unit_and_burst(rate).1))
}

/// The arrival time under a new rate: the units used stay used, so that a raised rate frees a
/// waiting key at once and a lowered one forgives nothing.
pub(crate) fn rescale(tat: u64, now: u64, old: Option<Rate>, new: Option<Rate>) -> u64 {
    let (Some(old), Some(new)) = (old, new) else { return 0 };
    let ((old_unit, old_burst), (new_unit, new_burst)) = (unit_and_burst(old), unit_and_burst(new));
    let debt = u128::from(tat.saturating_sub(now).min(old_burst));
    let debt = (debt * u128::from(new_unit)).div_ceil(u128::from(old_unit));
    now.saturating_add(u64::try_from(debt).unwrap_or(u64::MAX).min(new_burst))
}

/// The nanoseconds of one unit, rounded up so that the rate is never exceeded, and those of a
/// burst.
#[inline]
pub(crate) fn unit_and_burst(rate: Rate) -> (u64, u64) {
    let period = u64::from(rate.period) * NANOS; // below 2^62
    let unit = period.div_ceil(u64::from(rate.burst.max(1))).max(1);
    (unit, unit * u64::from(rate.burst))
}

/// Reads a rate: `100/60s`, `10/s`, `5/min`, `1000/h`, `10000/d`.
///
/// # Errors
/// `InvalidArgument`: it is malformed, or less than 1 in 1 s, or its period is over 366 days.
pub fn parse_rate(text: &str) -> Result<Rate> {
    read_rate(text).ok_or_else(|| {
        argument(
            "A `rate` is written as 100/60s: units, then seconds (s, min, h, d; at most 366 d).",
        )
    })
}

fn read_rate(text: &str) -> Option<Rate> {
    let (burst, period) = text.split_once('/')?;
    let digits = period.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = period.split_at_checked(digits)?;
    let unit: u32 = match unit {
        "s" => 1,
        "min" | "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let count = if count.is_empty() { 1 } else { number(count)? };
    let rate = Rate { burst: number(burst)?, period: count.checked_mul(unit)? };
    (rate.burst > 0 && rate.period > 0 && rate.period <= 366 * 86_400).then_some(rate)
}

/// Digits alone: no sign, no space.
fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}s", self.burst, self.period)
    }
}
