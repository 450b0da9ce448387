//! How it is with a store that is open.

use super::{Kept, Store};
use crate::base::process::brief;
use crate::base::reach::beyond_memory;
use crate::error::Result;
use crate::store::StoreHealth;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

/// When a store last answered whether it is well, in nanoseconds of the monotonic clock; 0 if it
/// never has.
#[derive(Default)]
pub(super) struct LastHeard(AtomicU64);

const MILLI: u64 = 1_000_000;

impl Store {
    /// How it is with the store: for an end point such as `/healthz`. That it is out of reach is no
    /// error, but what the answer says.
    ///
    /// Waits for no other thread, and for a server as long as for a connection to it
    /// (`connect_timeout`, 3 s for each host); while the store is followed, not at all.
    ///
    /// # Errors
    /// `InvalidArgument`: the store has been closed.
    pub fn health(&self) -> Result<StoreHealth> {
        self.check_open()?;
        beyond_memory()?;
        let inner = &*self.0;
        let mut health = match &inner.kept {
            Kept::Database(database) => database.health(),
            Kept::Folder(folder) => folder.health(),
        };
        let followers: Vec<_> = brief(&inner.handed_out).iter().filter_map(Weak::upgrade).collect();
        let looked = followers.iter().filter_map(|follower| follower.looked_ago());
        let looked: Vec<u64> = looked.map(|nanos| nanos / MILLI).collect();
        health.looked_ago_ms = looked.iter().copied().max();
        let (last, now) = (&inner.last_heard.0, inner.follow.clock().monotonic());
        if health.reachable {
            last.store(now.max(1), Ordering::Release);
        } else if health.heard_ago_ms.is_none() {
            let last = Some(last.load(Ordering::Acquire)).filter(|last| *last > 0);
            let last = last.map(|last| now.saturating_sub(last) / MILLI);
            health.heard_ago_ms = looked.iter().copied().chain(last).min();
        }
        Ok(health)
    }
}
