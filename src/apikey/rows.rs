//! Rows of the store as far as they are believed: sealed under one of our peppers, and not older than what
//! this process has seen of the key. Whatever changes a key begins with [`Inner::row`].

use super::format::KeyId;
use super::keys::Inner;
use super::mirror::Hot;
use crate::base::process::lock;
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::Checked;
use crate::store::{KeyRecord, Loaded, StoredKey};

const OLDER: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The row of this API key is older than one that was seen before: someone has put it back. Restore the \
     store from a backup.",
);

/// The last change of a key that this process has seen.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    version: u64,
    created_at: u64,
}

impl Seen {
    pub(super) const fn new(version: u64, created_at: u64) -> Self {
        Self { version, created_at }
    }

    /// Whether the record is of before. A key that was deleted and imported again is a later one, whatever its
    /// version.
    pub(super) const fn is_after(self, record: &KeyRecord) -> bool {
        record.version < self.version && record.created_at <= self.created_at
    }
}

impl Inner {
    /// The key's row, to be changed; none if there is no such key. One that is not believed is denied from now on.
    ///
    /// # Errors
    /// `StoreCorrupt`: it was altered from outside, or put back. `WrongPepper`: its seal's pepper is not here.
    /// Those of [`crate::Store`].
    pub(super) fn row(&self, id: &str) -> Result<Option<Checked<StoredKey>>> {
        let seen = self.seen(id);
        let Some(row) = self.store.get(id)? else { return Ok(None) };
        if let Err(error) = self.believe(&row, seen) {
            let own = self.own();
            if let Ok(mut writer) = self.writer(&own) {
                self.follow(&mut writer, Loaded::Key(Box::new(row)), false);
            }
            return Err(error);
        }
        Checked::read(&self.peppers, row).map(Some)
    }

    /// The key's record, to be looked at; none if there is no such key.
    ///
    /// # Errors
    /// Those of [`crate::Store`].
    pub(super) fn shown(&self, id: &str) -> Result<Option<KeyRecord>> {
        let seen = self.seen(id);
        let Some(row) = self.store.get(id)? else { return Ok(None) };
        let altered = self.believe(&row, seen).is_err();
        Ok(Some(KeyRecord { altered, ..row.record }))
    }

    /// The record of a key that was found with others.
    pub(super) fn shown_of(&self, found: Loaded) -> Option<KeyRecord> {
        match found {
            Loaded::Key(row) => {
                let is_older =
                    self.seen(&row.record.id).is_some_and(|seen| seen.is_after(&row.record));
                if is_older {
                    // Or it has changed since it was read: then it is read again.
                    match self.shown(&row.record.id) {
                        Ok(Some(record)) => return Some(record),
                        Ok(None) => return None,
                        Err(_) => {}
                    }
                }
                let altered = is_older || self.peppers.check_row(&*row).is_err();
                Some(KeyRecord { altered, ..row.record })
            }
            Loaded::Corrupt(id) => Some(KeyRecord { id, altered: true, ..KeyRecord::default() }),
            Loaded::Removed(_) => None,
        }
    }

    fn believe(&self, row: &StoredKey, seen: Option<Seen>) -> Result<()> {
        self.peppers.check_row(row)?;
        if seen.is_some_and(|seen| seen.is_after(&row.record)) { Err(OLDER) } else { Ok(()) }
    }

    /// What is known of the key. To be asked before the store is, which then knows no less.
    fn seen(&self, id: &str) -> Option<Seen> {
        let own = self.own();
        let key = lock(&own.writer).found_by(id);
        let key = key.or_else(|| KeyId::from_text(id).map(KeyId::to_u128))?;
        let (_, slot) = self.mirror.find(key)?;
        let profile = slot.whole_profile().filter(|profile| profile.id() == id)?;
        let (hot, _) = slot.read()?;
        (!hot.has(Hot::DAMAGED)).then(|| profile.seen())
    }
}
