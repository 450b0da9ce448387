//! Revocations, and tokens that were used once, in memory.

use super::MemoryStore;
use crate::error::Result;
use crate::store::{Revocation, RevocationChanges, RevocationKind, RevocationStore};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Bound;

/// What is kept of revocations.
pub(super) struct Revocations {
    entries: BTreeMap<u64, Revocation>,
    /// Where the revocation of something stands in `entries`.
    places: HashMap<(RevocationKind, String, String), u64>,
    pub(super) seq: u64,
    /// What tells this feed from others; not 0.
    feed: u64,
    horizon: u64,
    tokens: HashMap<(String, String), u64>,
    tokens_horizon: u64,
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            places: HashMap::new(),
            seq: 0,
            // Under random keys, which are others for each.
            feed: RandomState::new().hash_one(0) | 1,
            horizon: 0,
            tokens: HashMap::new(),
            tokens_horizon: 0,
        }
    }
}

impl Revocations {
    pub(super) fn revoke(&mut self, new: &Revocation) {
        let mut new = new.clone();
        let key = (new.kind, new.issuer.clone(), new.value.clone());
        self.seq += 1;
        if let Some(old) = self.places.insert(key, self.seq).and_then(|at| self.entries.remove(&at))
        {
            new.before = new.before.max(old.before);
            new.until = new.until.max(old.until);
        }
        self.entries.insert(self.seq, new);
    }
}

impl RevocationStore for MemoryStore {
    fn write_revocations(&self, revocations: &[Revocation]) -> Result<()> {
        let mut state = self.state()?;
        revocations.iter().for_each(|new| state.revocations.revoke(new));
        Ok(())
    }

    fn revocations(&self, after: u64, limit: usize) -> Result<RevocationChanges> {
        let state = self.state()?;
        let kept = &state.revocations;
        if after > kept.seq {
            return Ok(RevocationChanges { reload: true, ..RevocationChanges::default() });
        }
        let rest = kept.entries.range((Bound::Excluded(after), Bound::Unbounded));
        let rows: Vec<_> = rest.take(limit).collect();
        let seq = rows.last().map_or(kept.seq, |(seq, _)| **seq);
        let more = kept.entries.range((Bound::Excluded(seq), Bound::Unbounded)).next();
        let (numbers, entries) = rows.into_iter().map(|(seq, entry)| (*seq, entry.clone())).unzip();
        let (number, feed) = (kept.seq, kept.feed);
        Ok(RevocationChanges {
            seq,
            entries,
            more: more.is_some(),
            numbers,
            number,
            feed,
            reload: false,
        })
    }

    fn purge_revocations(&self, now: u64, issued_before: u64) -> Result<u64> {
        let mut state = self.state()?;
        let kept = &mut state.revocations;
        let count = kept.entries.len();
        let mut horizon = kept.horizon.max(issued_before.min(now));
        let places = &mut kept.places;
        kept.entries.retain(|_, entry| {
            let stays = entry.until > now;
            if !stays {
                horizon = horizon.max(entry.issued_before().min(now));
                places.remove(&(entry.kind, entry.issuer.clone(), entry.value.clone()));
            }
            stays
        });
        kept.horizon = horizon;
        Ok((count - kept.entries.len()) as u64)
    }

    fn revocation_horizon(&self) -> Result<u64> {
        Ok(self.state()?.revocations.horizon)
    }

    fn remember_token(&self, issuer: &str, token_id: &str, until: u64, now: u64) -> Result<bool> {
        let mut state = self.state()?;
        let Revocations { tokens, tokens_horizon, .. } = &mut state.revocations;
        // Whenever there might be twice as many as are needed: every call pays for a few.
        if tokens.len().is_power_of_two() {
            tokens.retain(|_, until| {
                if *until <= now {
                    *tokens_horizon = (*tokens_horizon).max(*until);
                }
                *until > now
            });
        }
        // What is not after the horizon may have been remembered, and forgotten since.
        let key = (issuer.to_owned(), token_id.to_owned());
        Ok(until > *tokens_horizon && tokens.insert(key, until).is_none())
    }
}
