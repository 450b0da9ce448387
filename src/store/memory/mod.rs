//! API keys, sessions, revocations and key rings in memory: for tests, and for services whose keys
//! come from elsewhere at each start. Gone when the process ends.

mod apikey;
mod keyring;
mod revocation;
mod session;

use self::revocation::Revocations;
use self::session::Sessions;
use super::page::page_size;
use super::{AuditRecord, Backend, CLOSED, Page, PepperCheck, StoreHealth, StoredKey, StoredRing};
use crate::base::process::{Brief, brief};
use crate::error::Result;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

/// A store in memory.
#[derive(Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Default)]
struct State {
    keys: BTreeMap<String, StoredKey>,
    /// Whose look-up tag it is.
    tags: HashMap<[u8; 16], String>,
    audit: Vec<AuditRecord>,
    peppers: BTreeMap<u32, ([u8; 16], u64)>,
    sessions: Sessions,
    revocations: Revocations,
    rings: BTreeMap<String, StoredRing>,
    closed: bool,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> Result<Brief<'_, State>> {
        let state = brief(&self.0);
        if state.closed { Err(CLOSED) } else { Ok(state) }
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl Backend for MemoryStore {
    fn stamp(&self) -> Result<u64> {
        let state = self.state()?;
        Ok(state.audit.len() as u64 + state.revocations.seq)
    }

    fn health(&self) -> StoreHealth {
        StoreHealth::of("memory").asked(self.stamp(), |health, stamp| {
            health.position = Some(stamp);
            health.writable = Some(true);
        })
    }

    fn pepper_checks(&self) -> Result<Vec<PepperCheck>> {
        let state = self.state()?;
        let checks = state.peppers.iter();
        Ok(checks.map(|(&pepper, &(check, since))| PepperCheck { pepper, check, since }).collect())
    }

    fn add_pepper_check(&self, check: &PepperCheck) -> Result<()> {
        self.state()?.peppers.entry(check.pepper).or_insert((check.check, check.since));
        Ok(())
    }

    /// What is in the store is gone.
    fn close(&self) -> Result<()> {
        let mut state = brief(&self.0);
        *state = State { closed: true, ..State::default() };
        Ok(())
    }
}

/// The first records, and where to continue.
fn page<T>(records: impl Iterator<Item = T>, limit: usize, cursor: fn(&T) -> String) -> Page<T> {
    let limit = page_size(limit);
    let mut records: Vec<T> = records.take(limit + 1).collect();
    let more = records.len() > limit;
    records.truncate(limit);
    Page { cursor: if more { records.last().map(cursor) } else { None }, records }
}
