//! API keys and key rings.

use super::super::{PAGE, Rows};
use super::{BATCH, Run, TRIES, is_of_a_row};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{
    AuditFilter, Change, Credits, KeyRecord, KeyStatus, Loaded, StoredKey, Usage, Write,
};

/// A number that no feed has reached: the answer is where the feed stands.
const NEVER: u64 = (1 << 48) - 1;

/// What is done for one key.
enum Step {
    Nothing,
    /// Puts it there, in the place of this version.
    Put(Box<StoredKey>, Option<u64>),
    /// Ends the one that is there.
    Revoke,
    /// It was changed on both sides: what is there stays, disabled if it is disabled here.
    Differs(KeyStatus),
}

/// What becomes of a key that is in the store it is copied from.
fn merge(here: &StoredKey, there: Option<&StoredKey>) -> Step {
    let Some(there) = there else { return Step::Put(Box::new(here.clone()), None) };
    let (version, known) = (here.record.version, there.record.version);
    if there.record.status == KeyStatus::Revoked {
        Step::Nothing
    } else if version > known {
        let mut here = here.clone();
        here.record.credits = credits(here.record.credits, there.record.credits);
        Step::Put(Box::new(here), Some(known))
    } else if here.record.status == KeyStatus::Revoked {
        Step::Revoke
    } else if version == known && here.seal != there.seal {
        Step::Differs(here.record.status)
    } else {
        Step::Nothing
    }
}

/// What is left on both sides: credits that were set again begin again, others never grow.
fn credits(here: Option<Credits>, there: Option<Credits>) -> Option<Credits> {
    match (here, there) {
        (Some(here), Some(there)) if here.set_in == there.set_in => {
            Some(Credits { remaining: here.remaining.min(there.remaining), ..here })
        }
        (here, _) => here,
    }
}

fn id(loaded: &Loaded) -> &str {
    match loaded {
        Loaded::Key(key) => &key.record.id,
        Loaded::Corrupt(id) | Loaded::Removed(id) => id,
    }
}

impl Run<'_> {
    /// Where the feed stood before the first was read.
    pub(super) fn all_keys(&mut self) -> Result<u64> {
        let seq = self.from.api_key_changes(NEVER, 1)?.seq;
        let (mut here, mut there) = (Rows::of_keys(&self.from), Rows::of_keys(&self.to));
        let (mut mine, mut other) = (here.next()?, there.next()?);
        let mut batch = Vec::new();
        loop {
            let order = match (&mine, &other) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(mine), Some(other)) => id(mine).cmp(id(other)),
            };
            if order.is_gt() {
                if let Some(Loaded::Key(key)) = &other {
                    self.only_there(&key.record)?;
                }
                other = there.next()?;
                continue;
            }
            let known = if order.is_eq() { other.take() } else { None };
            if let Some(loaded) = mine.take() {
                self.one_key(&mut batch, loaded, known)?;
            }
            if batch.len() >= BATCH {
                self.put_keys(&mut batch)?;
            }
            mine = here.next()?;
            if order.is_eq() {
                other = there.next()?;
            }
            self.step(1)?;
        }
        self.put_keys(&mut batch)?;
        Ok(seq)
    }

    /// What has changed since; whether there is more.
    pub(super) fn more_keys(&mut self, seq: &mut u64) -> Result<bool> {
        let changes = self.from.api_key_changes(*seq, PAGE)?;
        if changes.reload {
            return Err(EXCHANGED);
        }
        let more = changes.more;
        *seq = changes.seq;
        let mut batch = Vec::new();
        for loaded in changes.keys {
            let known = self.to.api_key(id(&loaded)).map(|key| key.map(Box::new));
            match (loaded, known) {
                (loaded, Ok(known)) => {
                    self.one_key(&mut batch, loaded, known.map(Loaded::Key))?;
                }
                (loaded, Err(error)) if is_of_a_row(&error) => {
                    let id = id(&loaded).to_owned();
                    self.one_key(&mut batch, loaded, Some(Loaded::Corrupt(id)))?;
                }
                (_, Err(error)) => return Err(error),
            }
        }
        self.put_keys(&mut batch)?;
        Ok(more)
    }

    fn one_key(
        &mut self,
        batch: &mut Vec<(StoredKey, Option<KeyRecord>)>,
        here: Loaded,
        there: Option<Loaded>,
    ) -> Result<()> {
        let here = match here {
            Loaded::Key(key) => key,
            Loaded::Corrupt(id) => {
                self.problem(format!("The API key {id} cannot be read, and was not copied."));
                return Ok(());
            }
            Loaded::Removed(_) => {
                let Some(Loaded::Key(there)) = there else { return Ok(()) };
                return self.removed(&there.record);
            }
        };
        let there = match there {
            None => None,
            Some(Loaded::Key(there)) => Some(there),
            Some(_) => {
                let id = &here.record.id;
                self.problem(format!(
                    "The row of the API key {id} cannot be read in the other store, where it is refused; it stays so."
                ));
                return Ok(());
            }
        };
        self.count_uses(&here.record, there.as_deref().map(|there| &there.record), false)?;
        match merge(&here, there.as_deref()) {
            Step::Nothing => {}
            Step::Put(key, _) => batch.push((*key, there.map(|there| there.record))),
            Step::Revoke => self.revoke(&here.record.id, &here.record.reason)?,
            Step::Differs(status) => self.differs(&here.record.id, status)?,
        }
        Ok(())
    }

    /// Writes them, all at once; if others have changed one meanwhile, one by one.
    fn put_keys(&mut self, batch: &mut Vec<(StoredKey, Option<KeyRecord>)>) -> Result<()> {
        let batch = std::mem::take(batch);
        let writes: Vec<Write> = batch
            .iter()
            .flat_map(|(key, there)| self.writes(key, there.as_ref().map(|there| there.version)))
            .collect();
        if writes.is_empty() {
            return Ok(());
        }
        match self.to.write_api_keys(&writes) {
            Ok(_) => {
                self.report.api_keys += batch.len() as u64;
                for (key, there) in &batch {
                    self.count_uses(&key.record, there.as_ref(), true)?;
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::StoreConflict => {
                batch.iter().try_for_each(|(key, _)| self.put_one_key(key))
            }
            Err(error) => Err(error),
        }
    }

    fn put_one_key(&mut self, key: &StoredKey) -> Result<()> {
        let id = key.record.id.as_str();
        for _ in 0..TRIES {
            // Here as well it may have changed since.
            let Some(here) = self.from.api_key(id)? else { return Ok(()) };
            let there = self.to.api_key(id)?;
            match merge(&here, there.as_ref()) {
                Step::Nothing => return Ok(()),
                Step::Revoke => return self.revoke(id, &here.record.reason),
                Step::Differs(status) => return self.differs(id, status),
                Step::Put(key, over) => match self.to.write_api_keys(&self.writes(&key, over)) {
                    Ok(_) => {
                        self.report.api_keys += 1;
                        let there = there.as_ref().map(|there| &there.record);
                        return self.count_uses(&key.record, there, true);
                    }
                    Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                    Err(error) => return Err(error),
                },
            }
        }
        self.problem(format!(
            "The API key {id} could not be put there: its look-up tag belongs to another key, or others keep changing it."
        ));
        Ok(())
    }

    /// The changes that put a key there, in the place of this version.
    fn writes(&self, key: &StoredKey, over: Option<u64>) -> Vec<Write> {
        let write = |change| Write {
            change,
            at: self.now,
            actor: "copy".to_owned(),
            action: "copy",
            detail: String::new(),
        };
        let id = key.record.id.clone();
        let removed = over.map(|version| write(Change::Delete { id, version }));
        removed.into_iter().chain([write(Change::Insert(Box::new(key.clone())))]).collect()
    }

    /// The larger of both counts; one that was `put` there has none yet.
    fn count_uses(&self, here: &KeyRecord, there: Option<&KeyRecord>, put: bool) -> Result<()> {
        let (known, last) = there.map_or((0, None), |there| (there.uses, there.last_used_at));
        let uses = here.uses.max(known);
        let Some(last_used_at) = here.last_used_at.max(last) else { return Ok(()) };
        let missing = if put { uses } else { uses - known };
        if missing == 0 || !put && there.is_none() {
            return Ok(());
        }
        self.to.record_usage(&[Usage { id: here.id.clone(), last_used_at, uses: missing }])
    }

    /// A key that only the other store has: made there, or removed here since it was copied.
    fn only_there(&mut self, there: &KeyRecord) -> Result<()> {
        if there.status == KeyStatus::Revoked {
            return Ok(());
        }
        let filter =
            AuditFilter { key_id: Some(there.id.clone()), limit: 1, ..AuditFilter::default() };
        let was_here = !self.from.api_key_audit(&filter)?.records.is_empty();
        if was_here && self.from.api_key(&there.id)?.is_none() {
            self.removed(there)?;
        }
        Ok(())
    }

    /// Only what has been revoked or has expired is ever removed.
    fn removed(&mut self, there: &KeyRecord) -> Result<()> {
        if there.status == KeyStatus::Revoked {
            return Ok(());
        }
        self.revoke(&there.id, "removed from the store that it was copied from")
    }

    fn revoke(&mut self, id: &str, reason: &str) -> Result<()> {
        match self.target_keys()?.revoke(id, reason) {
            Ok(_) => {
                self.report.ended += 1;
                Ok(())
            }
            Err(error) => self.not_ended("API key", id, error),
        }
    }

    fn differs(&mut self, id: &str, status: KeyStatus) -> Result<()> {
        self.problem(format!(
            "The API key {id} was changed in both stores; what the other says stays. Look at it in both."
        ));
        if status != KeyStatus::Disabled {
            return Ok(());
        }
        match self.target_keys()?.disable(id, "disabled in the store that it was copied from") {
            Ok(_) => Ok(()),
            Err(error) => self.not_ended("API key", id, error),
        }
    }

    pub(super) fn not_ended(&mut self, what: &str, id: &str, error: Error) -> Result<()> {
        if !is_of_a_row(&error) {
            return Err(error);
        }
        self.problem(format!(
            "The {what} {id} has ended here, and could not be ended there: {error}"
        ));
        Ok(())
    }

    /// Key rings, which are few.
    pub(super) fn all_rings(&mut self) -> Result<()> {
        for name in self.from.key_ring_names()? {
            for _ in 0..TRIES {
                let here = match self.from.key_ring(&name) {
                    Ok(Some(here)) => here,
                    Ok(None) => break,
                    Err(error) if is_of_a_row(&error) => {
                        self.problem(format!(
                            "The key ring `{name}` cannot be read, and was not copied."
                        ));
                        break;
                    }
                    Err(error) => return Err(error),
                };
                let there = self.to.key_ring(&name)?;
                let over = there.as_ref().map_or(0, |there| there.version);
                if let Some(there) = there.filter(|there| there.version >= here.version) {
                    if there.version == here.version && there != here {
                        self.problem(format!(
                            "The key ring `{name}` was changed in both stores; what the other says stays."
                        ));
                    }
                    break;
                }
                match self.to.take_key_ring(&here, over) {
                    Ok(()) => {
                        self.report.key_rings += 1;
                        break;
                    }
                    Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

pub(super) const EXCHANGED: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The store was exchanged for another while it was copied; copy it again.",
);
