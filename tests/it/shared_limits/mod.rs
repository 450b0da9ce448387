//! Limits that machines share, in a real Valkey and in Debian's Redis. A `RedisLimits` stands for a
//! process: it has a connection and a name of its own. Python's test_shared_limits.py has processes.

mod bounds;
mod counting;
mod faults;
mod relay;
mod server;

use gatekey::ErrorKind;
use gatekey::store::{Counted, Counter, Rate, RedisLimits, SharedLimits as _};
use relay::Relay;
pub(crate) use server::Server;
use std::time::{Duration, Instant};

/// So long that nothing drips while a test runs.
const YEAR: u32 = 366 * 86_400;

/// Waits until it is so, for a minute at most.
#[track_caller]
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Takes a unit; whether it was let, or that the server does not answer.
fn take(limits: &RedisLimits, counter: &Counter, rate: Rate) -> Option<bool> {
    match limits.take(counter, rate, 1, true) {
        Ok(Counted::Taken(_)) => Some(true),
        Ok(Counted::Wait(wait)) => {
            assert!(wait > 0);
            Some(false)
        }
        Err(_) => None,
    }
}

/// Connects, so that no test begins with a server that was slow to be found.
fn open(url: &str) -> RedisLimits {
    let limits = RedisLimits::open(url).unwrap();
    wait_for("the server", || limits.check().is_ok());
    limits
}

/// How often there was this trouble.
fn times(limits: &RedisLimits, trouble: &str) -> u64 {
    let troubles = limits.state().troubles;
    troubles.iter().find(|(name, _)| *name == trouble).map_or(0, |(_, count)| *count)
}

fn counter(name: &str) -> Counter {
    Counter::of(&[name.as_bytes()])
}
