//! How it is with the store: from what this process has heard of it, which a thread of its own asks
//! once a second. What changes rarely - the server's version, and whether this role may change
//! anything - is asked when it is wanted, at most once in ten seconds.

use super::feed::NUMBER;
use super::transaction::{Access, Transaction};
use super::wire::Fault;
use super::{CLOSED, PostgresStore};
use crate::base::clock::{Clock as _, NANOS, SystemClock};
use crate::base::process::brief;
use crate::store::StoreHealth;
use std::sync::Mutex;

/// How old what changes rarely may be.
const OLD: u64 = 10 * NANOS;

/// What changes rarely, and when it was asked.
#[derive(Default)]
pub(super) struct Known(Mutex<Option<(About, u64)>>);

#[derive(Clone)]
struct About {
    version: String,
    writable: bool,
}

impl PostgresStore {
    pub(super) fn look(&self) -> StoreHealth {
        let mut health = StoreHealth::of("postgresql");
        if self.pool.is_closed() {
            return health.asked(Err::<(), _>(CLOSED), |_, ()| {});
        }
        let (stamp, heard_at) = self.ear.look();
        if let Some(stamp) = stamp {
            health = health.asked(stamp, |health, stamp| health.position = Some(stamp & NUMBER));
        }
        let now = SystemClock.monotonic();
        health.heard_ago_ms = heard_at.map(|at| now.saturating_sub(at) / 1_000_000);
        let known = self.about(health.reachable, now);
        health.writable = known.as_ref().map(|about| about.writable).filter(|_| health.reachable);
        health.version = known.map(|about| about.version);
        health
    }

    /// What is known, and asked again if it is old and no other thread reads.
    fn about(&self, reachable: bool, now: u64) -> Option<About> {
        let known = brief(&self.about.0).clone();
        let is_old = known.as_ref().is_none_or(|(_, at)| now.saturating_sub(*at) > OLD);
        if reachable
            && is_old
            && let Some(Ok(about)) = self.pool.try_read(Access::Read, about)
        {
            *brief(&self.about.0) = Some((about.clone(), now));
            return Some(about);
        }
        known.map(|(about, _)| about)
    }
}

fn about(transaction: &mut Transaction<'_>) -> Result<About, Fault> {
    let rows = transaction.query(
        "SELECT pg_catalog.current_setting('server_version') AS version, \
         pg_catalog.has_table_privilege(f.tableoid, 'UPDATE') AS writable FROM @feed AS f",
        &[],
    )?;
    let row = rows.first().ok_or(Fault::Garbled)?;
    Ok(About { version: row.get("version")?, writable: row.get("writable")? })
}
