//! What this process has seen of each key, by the key's id: however the key is found, whether its
//! row can be read now, and after it is gone. So an old row that is put back is distinguished from
//! the newest one. It outlives a fork and a reload, and is given up only for a store whose restore
//! was acknowledged.
//!
//! Of a key that is found by its id, the mirror has what was seen. The rest is here, and bounded:
//! nothing is noted of a row whose seal is not good, and of keys that are gone, as many as there
//! have been keys at one time, and [`SPARE`] more. So deleting every key from the database drives
//! out nothing that was gone before, up to that number.

use super::apikeys::Inner;
use super::format::KeyId;
use super::hot::Hot;
use super::mirror::{Places, Slot};
use crate::base::process::brief;
use crate::store::{KeyRecord, KeyStatus};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Mutex;

/// How many keys that are gone are remembered, apart from as many as there are keys.
pub(super) const SPARE: usize = 65_536;

/// The last change of a key that this process has seen. A key that was deleted and imported again
/// is a later one, whatever its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) created_at: u64,
    pub(super) version: u64,
    /// Which is for good: a row of this key that is not revoked lacks it.
    pub(super) revoked: bool,
}

impl Seen {
    /// Nothing was seen.
    pub(super) const NOTHING: Self = Self { created_at: 0, version: 0, revoked: false };

    pub(super) fn of(record: &KeyRecord) -> Self {
        let revoked = record.status == KeyStatus::Revoked;
        Self { created_at: record.created_at, version: record.version, revoked }
    }

    /// What is in the mirror.
    pub(super) fn of_slot(slot: &Slot) -> Option<Self> {
        let (hot, _) = slot.read()?;
        Some(Self { revoked: hot.has(Hot::REVOKED), ..slot.whole_profile()?.seen() })
    }

    /// Both were seen.
    pub(super) fn and(self, other: Self) -> Self {
        let last = self.max(other);
        let is_revoked = |seen: Self| seen.revoked && seen.created_at == last.created_at;
        Self { revoked: is_revoked(self) || is_revoked(other), ..last }
    }

    /// Whether the record is of before.
    pub(super) fn is_after(self, record: &KeyRecord) -> bool {
        (record.created_at, record.version) < (self.created_at, self.version)
    }

    /// Whether the record lacks the revocation that was seen.
    pub(super) fn is_lost_in(self, record: &KeyRecord) -> bool {
        self.revoked && self.created_at == record.created_at && record.status != KeyStatus::Revoked
    }

    /// What holds of it on another server, which may not have had all of the changes.
    pub(super) fn elsewhere(self) -> Self {
        if self.revoked { Self { version: 0, ..self } } else { Self::NOTHING }
    }
}

/// What is not in the mirror.
#[derive(Default)]
pub(super) struct Known(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// Imported keys, by their ids.
    foreign: HashMap<u128, Foreign>,
    /// Keys that are gone, or were once.
    gone: HashMap<u128, Seen>,
    /// Their ids, those that were gone first in front.
    order: VecDeque<u128>,
    /// The store's history, as of the last load; 0 as long as it has none.
    history: u64,
    /// The server that keeps the store, as of the last load; 0 as long as there is only one.
    server: u64,
    /// Keys that were seen revoked, and whose row is not.
    lost: BTreeSet<String>,
}

/// By what an imported key is found, and what was seen of it.
#[derive(Clone, Copy)]
struct Foreign {
    key: u128,
    seen: Seen,
}

impl Known {
    /// How many keys are found by a look-up tag.
    pub(super) fn foreign(&self) -> usize {
        brief(&self.0).foreign.len()
    }

    /// Whether the store's history is another one than at the last load, because a restore was
    /// acknowledged.
    pub(super) fn is_other(&self, history: u64) -> bool {
        let known = brief(&self.0).history;
        history != 0 && known != 0 && history != known
    }

    /// Whether another server keeps the store than at the last load.
    pub(super) fn is_elsewhere(&self, server: u64) -> bool {
        let known = brief(&self.0).server;
        known != 0 && server != known
    }

    /// The mirror has been loaded.
    pub(super) fn follow(&self, history: u64, server: u64) {
        let mut table = brief(&self.0);
        if history != 0 {
            table.history = history;
        }
        table.server = server;
    }

    /// Notes whether the key's row lacks a revocation that was seen.
    pub(super) fn is_lost(&self, id: KeyId, is_lost: bool) {
        let mut table = brief(&self.0);
        if !is_lost {
            table.lost.remove(id.as_str());
        } else if table.lost.len() < SPARE {
            table.lost.insert(id.as_str().to_owned());
        }
    }

    /// The ids of the keys that were seen revoked, and whose row is not.
    pub(super) fn lost(&self) -> Vec<String> {
        brief(&self.0).lost.iter().cloned().collect()
    }

    /// Forgets the keys that are gone: the store was restored.
    pub(super) fn forget_gone(&self) {
        let mut table = brief(&self.0);
        table.gone = HashMap::new();
        table.lost = BTreeSet::new();
        table.order = VecDeque::new();
    }

    /// Notes by what a key is found from now on.
    fn is_found_by(&self, id: u128, key: u128, seen: Seen) {
        let mut table = brief(&self.0);
        if key == id {
            table.foreign.remove(&id);
        } else {
            table.foreign.insert(id, Foreign { key, seen });
        }
    }

    /// Notes that a key is gone; `most` are remembered.
    pub(super) fn is_gone(&self, id: u128, seen: Seen, most: usize) {
        brief(&self.0).is_gone(id, seen, most);
    }

    /// Notes that all imported keys are gone but those that are found by one of `keys`.
    pub(super) fn retain(&self, keys: &HashSet<u128>, most: usize) {
        let mut table = brief(&self.0);
        let lost = table.foreign.iter().filter(|(_, foreign)| !keys.contains(&foreign.key));
        let lost: Vec<_> = lost.map(|(id, foreign)| (*id, foreign.seen)).collect();
        lost.into_iter().for_each(|(id, seen)| table.is_gone(id, seen, most));
    }
}

impl Table {
    fn is_gone(&mut self, id: u128, seen: Seen, most: usize) {
        self.foreign.remove(&id);
        if seen == Seen::NOTHING {
            return;
        }
        match self.gone.insert(id, seen) {
            Some(before) => drop(self.gone.insert(id, seen.and(before))),
            None => self.order.push_back(id),
        }
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.gone.remove(&oldest);
            }
        }
    }
}

impl Inner {
    /// By what the key is found, if it is, and what was seen of it.
    pub(super) fn known_as(&self, id: KeyId) -> (Option<u128>, Seen) {
        let id = id.to_u128();
        let (foreign, gone) = {
            let table = brief(&self.feed.known.0);
            (table.foreign.get(&id).copied(), table.gone.get(&id).copied())
        };
        let gone = gone.unwrap_or(Seen::NOTHING);
        let own = || Seen::of_slot(self.mirror.find(id)?.1);
        match foreign {
            Some(foreign) => (Some(foreign.key), foreign.seen.and(gone)),
            None => match own() {
                Some(seen) => (Some(id), seen.and(gone)),
                None => (None, gone),
            },
        }
    }

    /// Notes by what the key is found, and what was seen of it.
    pub(super) fn note(&self, id: KeyId, key: u128, was_foreign: bool, seen: Seen) {
        if was_foreign || key != id.to_u128() {
            self.feed.known.is_found_by(id.to_u128(), key, seen);
            self.feed.count_foreign();
        }
    }

    /// The key is not in the store any more. By what it was found.
    pub(super) fn forget(&self, places: &mut Places, id: KeyId) -> Option<u128> {
        let (key, seen) = self.known_as(id);
        self.feed.known.is_gone(id.to_u128(), seen, SPARE + places.most());
        self.feed.count_foreign();
        self.feed.known.is_lost(id, false);
        let key = key?;
        self.remove_own(places, id, key);
        Some(key)
    }

    /// Takes a key out of the mirror, unless another one is found by the same now.
    pub(super) fn remove_own(&self, places: &mut Places, id: KeyId, key: u128) {
        if self.is_of(id, key) {
            self.mirror.remove(places, key);
        }
    }

    /// Whether what is found by `key` is this key.
    pub(super) fn is_of(&self, id: KeyId, key: u128) -> bool {
        let found = self.mirror.find(key).and_then(|(_, slot)| slot.whole_profile());
        found.is_some_and(|profile| profile.id() == id.as_str())
    }

    /// Forgets every key that is not found by one of `keys`.
    pub(super) fn retain(&self, places: &mut Places, keys: &HashSet<u128>) {
        let most = SPARE + places.most();
        for slot in self.mirror.slots() {
            let Some((hot, _)) = slot.read() else { continue };
            if hot.key == 0 || keys.contains(&hot.key) {
                continue;
            }
            let (Some(profile), Some(seen)) = (slot.whole_profile(), Seen::of_slot(slot)) else {
                continue;
            };
            if let Some(id) = KeyId::from_text(profile.id()) {
                self.feed.known.is_gone(id.to_u128(), seen, most);
                self.feed.known.is_lost(id, false);
            }
        }
        self.feed.known.retain(keys, most);
        self.feed.count_foreign();
        self.mirror.retain(places, &mut |key| keys.contains(&key));
    }
}

#[cfg(test)]
mod tests;
