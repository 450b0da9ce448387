//! API keys in memory.

use super::{MemoryStore, State, page};
use crate::error::{ErrorKind, Result};
use crate::store::{
    ApiKeyStore, AuditFilter, AuditRecord, Change, Changes, KeyFilter, Lease, Loaded, Page,
    StoredKey, Usage, Write,
};
use std::collections::HashSet;
use std::ops::Bound;

impl State {
    /// Whether the change is possible. The tags of keys that the same batch has put in are `taken`.
    fn allows(&self, change: &Change, taken: &mut HashSet<[u8; 16]>) -> bool {
        let mut tag_is_free = |key: &StoredKey| {
            key.lookup.is_none_or(|lookup| {
                let holder = self.tags.get(&lookup.tag);
                holder.is_none_or(|id| *id == key.record.id) && taken.insert(lookup.tag)
            })
        };
        match change {
            Change::Insert(key) => !self.keys.contains_key(&key.record.id) && tag_is_free(key),
            Change::Update { key, .. } => {
                let own = self.keys.get(&key.record.id);
                let is_next = own.is_some_and(|own| own.record.version + 1 == key.record.version);
                is_next && tag_is_free(key)
            }
            Change::Delete { id, version } => {
                self.keys.get(id).is_some_and(|own| own.record.version == *version)
            }
        }
    }

    /// Puts a key in, and what it is found by.
    fn put(&mut self, key: StoredKey) {
        self.forget_tag(&key.record.id);
        if let Some(lookup) = key.lookup {
            self.tags.insert(lookup.tag, key.record.id.clone());
        }
        self.keys.insert(key.record.id.clone(), key);
    }

    fn forget_tag(&mut self, id: &str) {
        if let Some(lookup) = self.keys.get(id).and_then(|old| old.lookup) {
            self.tags.remove(&lookup.tag);
        }
    }

    fn apply(&mut self, write: &Write) {
        let id = match &write.change {
            Change::Insert(key) => {
                self.put((**key).clone());
                &key.record.id
            }
            Change::Update { key, set_credits } => {
                let mut new = (**key).clone();
                if let Some(old) = self.keys.get(&key.record.id) {
                    new.record.uses = old.record.uses;
                    new.record.last_used_at = old.record.last_used_at;
                    if !set_credits {
                        new.record.credits = old.record.credits;
                    }
                }
                self.put(new);
                &key.record.id
            }
            Change::Delete { id, .. } => {
                self.forget_tag(id);
                self.keys.remove(id);
                id
            }
        };
        self.audit.push(AuditRecord::new(
            self.audit.len() as u64 + 1,
            write.at,
            write.actor.clone(),
            write.action.to_owned(),
            id.clone(),
            write.detail.clone(),
        ));
    }
}

impl ApiKeyStore for MemoryStore {
    fn api_key_count(&self) -> Result<u64> {
        Ok(self.state()?.keys.len() as u64)
    }

    fn load_api_keys(&self, visit: &mut dyn FnMut(Loaded)) -> Result<u64> {
        let state = self.state()?;
        for key in state.keys.values() {
            visit(Loaded::Key(Box::new(key.clone())));
        }
        Ok(state.audit.len() as u64)
    }

    fn api_key_changes(&self, after: u64, limit: usize) -> Result<Changes> {
        let state = self.state()?;
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        let rows = state.audit.get(skipped..).unwrap_or_default();
        let rows = rows.get(..limit).unwrap_or(rows);
        let mut seen = HashSet::new();
        let keys = rows.iter().filter(|row| seen.insert(&row.key_id)).map(|row| {
            state.keys.get(&row.key_id).map_or_else(
                || Loaded::Removed(row.key_id.clone()),
                |key| Loaded::Key(Box::new(key.clone())),
            )
        });
        let seq = rows.last().map_or(after, |row| row.seq);
        let more = (seq as usize) < state.audit.len();
        Ok(Changes { seq, keys: keys.collect(), more, reload: false })
    }

    fn api_key(&self, id: &str) -> Result<Option<StoredKey>> {
        Ok(self.state()?.keys.get(id).cloned())
    }

    fn write_api_keys(&self, writes: &[Write]) -> Result<u64> {
        let mut state = self.state()?;
        let (mut touched, mut tags) = (HashSet::new(), HashSet::new());
        for write in writes {
            let id = match &write.change {
                Change::Insert(key) | Change::Update { key, .. } => &key.record.id,
                Change::Delete { id, .. } => id,
            };
            // A batch touches each key once, so that all can be checked before any is done.
            if !touched.insert(id) || !state.allows(&write.change, &mut tags) {
                return Err(ErrorKind::StoreConflict.into());
            }
        }
        writes.iter().for_each(|write| state.apply(write));
        Ok(state.audit.len() as u64)
    }

    fn api_keys(&self, filter: &KeyFilter) -> Result<Page<Loaded>> {
        let state = self.state()?;
        let after = filter.cursor.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let keys = state.keys.range::<str, _>((after, Bound::Unbounded));
        let wanted = keys.map(|(_, key)| key).filter(|key| {
            filter.owner.as_ref().is_none_or(|owner| key.record.owner == *owner)
                && filter.tenant.as_ref().is_none_or(|tenant| key.record.tenant == *tenant)
        });
        let page = page(wanted.cloned(), filter.limit, |key| key.record.id.clone());
        let records = page.records.into_iter().map(|key| Loaded::Key(Box::new(key))).collect();
        Ok(Page { records, cursor: page.cursor })
    }

    fn api_key_audit(&self, filter: &AuditFilter) -> Result<Page<AuditRecord>> {
        let state = self.state()?;
        let after: usize = filter.cursor.as_ref().map_or(0, |c| c.parse().unwrap_or(usize::MAX));
        let rows = state.audit.get(after..).unwrap_or_default(); // row n has the number n + 1
        let wanted =
            rows.iter().filter(|row| filter.key_id.as_ref().is_none_or(|id| row.key_id == *id));
        Ok(page(wanted.cloned(), filter.limit, |row| row.seq.to_string()))
    }

    fn lease_credits(
        &self,
        id: &str,
        set_in: u64,
        need: u64,
        want: u64,
        now: u64,
    ) -> Result<Lease> {
        let mut state = self.state()?;
        let credits = state.keys.get_mut(id).and_then(|key| key.record.credits.as_mut());
        let credits = credits.filter(|credits| credits.set_in == set_in);
        Ok(credits.ok_or(ErrorKind::StoreConflict)?.lease(need, want, now))
    }

    fn return_credits(&self, id: &str, set_in: u64, amount: u64) -> Result<()> {
        let mut state = self.state()?;
        let credits = state.keys.get_mut(id).and_then(|key| key.record.credits.as_mut());
        if let Some(credits) = credits.filter(|credits| credits.set_in == set_in) {
            credits.give_back(amount);
        }
        Ok(())
    }

    fn record_usage(&self, batch: &[Usage]) -> Result<()> {
        let mut state = self.state()?;
        for usage in batch {
            if let Some(key) = state.keys.get_mut(&usage.id) {
                let record = &mut key.record;
                record.uses = record.uses.saturating_add(usage.uses);
                record.last_used_at = record.last_used_at.max(Some(usage.last_used_at));
            }
        }
        Ok(())
    }
}
