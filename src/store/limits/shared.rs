//! What several machines count in together: the trait [`SharedLimits`], and what a process does
//! while it cannot be asked.

use super::super::Rate;
use crate::crypto::hash::sha256;
use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// Limits that machines share. While they cannot be asked, each process counts for itself, with its
/// part of each rate: see [`Self::sharers`].
///
/// # Errors
/// Of every call: `StoreUnavailable`; then nothing was counted, as far as is known.
pub trait SharedLimits: Send + Sync + fmt::Debug {
    /// Takes `cost` units from what is counted under the name; unless `really`, only tells whether
    /// that would do. A cost above the burst is never asked for.
    ///
    /// # Errors
    /// See [`SharedLimits`].
    fn take(&self, counter: &Counter, rate: Rate, cost: u32, really: bool) -> Result<Counted>;

    /// Gives back one unit of a request that was refused after all.
    ///
    /// # Errors
    /// See [`SharedLimits`].
    fn give_back(&self, counter: &Counter, rate: Rate) -> Result<()>;

    /// How many processes count here, as last seen; at least 1.
    fn sharers(&self) -> u32;

    /// Asks the server now.
    ///
    /// # Errors
    /// See [`SharedLimits`]; `InvalidConfiguration`: it refuses this program.
    fn check(&self) -> Result<()>;

    /// What this process knows of the server. Asks nothing.
    fn state(&self) -> LimitsState;
}

/// What a process knows of the server of its limits: what it has counted since its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LimitsState {
    /// Where it is; without a password.
    pub server: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// How many processes count there, as last seen; at least 1.
    pub sharers: u32,
    /// How many questions there were.
    pub asked: u64,
    /// How many of them this process has decided alone, with its part of the rate.
    pub alone: u64,
    /// Names of what went wrong, and how often each did: `unreachable`, `silent`, `lost`,
    /// `garbled`, `tls`, `login`, `rights`, `replica`, `not_ready`, `busy`, `cluster`,
    /// `out_of_memory`, `refused`.
    pub troubles: Vec<(&'static str, u64)>,
    /// What went wrong last, and what is to be done; also if all is well again.
    pub last: Option<Error>,
}

/// Limits in the server at this address: see [`RedisLimits`](crate::store::RedisLimits), which the
/// feature `redis` has.
///
/// # Errors
/// Those of `RedisLimits::open`. `Unsupported`: this build has no shared limits.
#[cfg(feature = "redis")]
pub(crate) fn shared_limits(url: &str) -> Result<Arc<dyn SharedLimits>> {
    Ok(Arc::new(super::super::RedisLimits::open(url)?))
}

#[cfg(not(feature = "redis"))]
pub(crate) fn shared_limits(_: &str) -> Result<Arc<dyn SharedLimits>> {
    Err(Error::new(
        crate::error::ErrorKind::Unsupported,
        "This build of gatekey has no limits that machines share.",
    ))
}

/// The answer of [`SharedLimits::take`], in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Taken. In so long all that was used will have drained away.
    Taken(u64),
    /// Refused. So long it is to be waited.
    Wait(u64),
}

/// What something is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Counter([u8; 16]);

impl Counter {
    /// That of these parts: two lists of parts that differ anywhere have two counters.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut text = Vec::with_capacity(64);
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        Self(sha256(&text).first_chunk().copied().unwrap_or_default())
    }

    /// Its bytes: of a hash, so that nothing in them is a caller's.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The part of a rate that one of several processes has, so that all of them together admit no more
/// than the rate.
pub(crate) fn share(rate: Rate, sharers: u32) -> Rate {
    let sharers = sharers.max(1);
    match rate.burst / sharers {
        // Less than one unit each: one in so many periods.
        0 => {
            let periods = sharers.div_ceil(rate.burst.max(1));
            Rate { burst: 1, period: rate.period.saturating_mul(periods).min(366 * 86_400) }
        }
        burst => Rate { burst, ..rate },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_never_more_than_the_whole() {
        for burst in [1, 2, 3, 7, 10, 100, 1_000_003] {
            for sharers in [0, 1, 2, 3, 8, 1000] {
                let part = share(Rate { burst, period: 60 }, sharers);
                assert!(part.burst >= 1);
                let (all, each) = (u64::from(burst), u64::from(part.burst));
                let times = u64::from(part.period / 60);
                assert!(each * u64::from(sharers.max(1)) <= all * times, "{burst} of {sharers}");
            }
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: &[&str]| {
            let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            Counter::of(&parts)
        };
        assert_ne!(of(&["a:b", "c"]), of(&["a", "b:c"]));
        assert_ne!(of(&["ab", ""]), of(&["a", "b"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
    }
}
