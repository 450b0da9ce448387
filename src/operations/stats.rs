//! How much there is in a store.

use super::{PAGE, Rows, lasting};
use crate::base::clock::{Clock as _, SystemClock, plausible};
use crate::base::follow::Follow;
use crate::error::Result;
use crate::open::Store;
use crate::store::{KeyStatus, Loaded};

/// How much there is in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// `sqlite` or `postgresql`.
    pub kind: &'static str,
    /// The version of PostgreSQL, or of the SQLite library.
    pub version: Option<String>,
    /// API keys that may be used now.
    pub active: u64,
    /// API keys that are disabled.
    pub disabled: u64,
    /// API keys that are revoked.
    pub revoked: u64,
    /// API keys that have expired, and are neither disabled nor revoked.
    pub expired: u64,
    /// Sessions that can be refreshed.
    pub live_sessions: u64,
    /// Sessions that have ended or expired.
    pub over_sessions: u64,
    /// What is revoked: tokens, sessions, subjects, and so on.
    pub revocations: u64,
    /// Key rings.
    pub key_rings: u64,
    /// Rows of API keys and sessions that cannot be read.
    pub unreadable: u64,
    /// The number of the last change.
    pub changes: Option<u64>,
    /// The size of the tables with their indexes, in bytes.
    pub bytes: Option<u64>,
}

/// Counts what is in a store, which may be in use. Needs no pepper: whether a row is to be believed
/// is told by [`store_check`](super::store_check).
///
/// # Errors
/// `InvalidArgument`: it is in memory or a folder. Those of [`crate::store::Backend`].
pub fn store_stats(url: &str) -> Result<StoreStats> {
    let store = Store::without_peppers(&lasting(url)?, false, Follow::new())?;
    let database = store.database()?;
    let now = plausible(SystemClock.now())?;
    let health = database.health();
    let mut stats = StoreStats {
        kind: health.kind,
        version: health.version,
        changes: health.position,
        bytes: database.bytes()?,
        key_rings: database.key_ring_names()?.len() as u64,
        ..StoreStats::default()
    };
    Rows::of_keys(&database).each(|loaded| {
        let Loaded::Key(key) = loaded else {
            stats.unreadable += 1;
            return;
        };
        let has_expired = key.record.expires_at.is_some_and(|at| at <= now);
        *match key.record.status {
            KeyStatus::Active if has_expired => &mut stats.expired,
            KeyStatus::Active => &mut stats.active,
            KeyStatus::Disabled => &mut stats.disabled,
            KeyStatus::Revoked => &mut stats.revoked,
        } += 1;
    })?;
    Rows::of_sessions(&database).each(|session| {
        *match session.version {
            0 => &mut stats.unreadable,
            _ if session.record.is_live(now) => &mut stats.live_sessions,
            _ => &mut stats.over_sessions,
        } += 1;
    })?;
    let mut seq = 0;
    loop {
        let page = database.revocations(seq, PAGE)?;
        stats.revocations += page.entries.len() as u64;
        seq = page.seq;
        if !page.more {
            break;
        }
    }
    store.close()?;
    Ok(stats)
}
