//! Rows of the store as far as they are believed: sealed under one of our peppers, and not older
//! than what this process has seen of the key. Whatever changes a key begins with [`Inner::row`].

use super::apikeys::Inner;
use super::feed::Since;
use super::format::KeyId;
use super::known::Seen;
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::Checked;
use crate::store::{KeyRecord, Loaded, StoredKey};

const LOST: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "This API key was seen revoked, and its row in the store is not: it was put back, or the server that took over never had \
     the revocation. Revoke it again.",
);
const OLDER: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The row of this API key is older than one that was seen before: it was put back. Restore the \
     store from a backup.",
);

impl Inner {
    /// The key's row, to be changed; none if there is no such key. One that is not believed is
    /// denied from now on.
    ///
    /// # Errors
    /// `StoreCorrupt`: it was altered from outside, or put back. `WrongPepper`: its seal's pepper
    /// is not here. Those of [`crate::store::Backend`].
    pub(super) fn row(&self, id: &str) -> Result<Option<Checked<StoredKey>>> {
        self.row_that(id, false)
    }

    /// As [`Self::row`], to revoke the key: also where a revocation that was seen is lost.
    pub(super) fn row_to_revoke(&self, id: &str) -> Result<Option<Checked<StoredKey>>> {
        self.row_that(id, true)
    }

    fn row_that(&self, id: &str, may_be_lost: bool) -> Result<Option<Checked<StoredKey>>> {
        let seen = self.seen_of(id);
        let Some(row) = self.store.api_key(id)? else { return Ok(None) };
        if let Err(error) = self.believe(&row, seen)
            && !(may_be_lost && error == LOST)
        {
            let own = self.own();
            if let Ok(mut writer) = self.writer(&own) {
                self.follow(&mut writer, Loaded::Key(Box::new(row)), Since::Followed);
            }
            return Err(error);
        }
        Checked::read(&self.peppers, row).map(Some)
    }

    /// The key's record, to be looked at; none if there is no such key.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`].
    pub(super) fn shown(&self, id: &str) -> Result<Option<KeyRecord>> {
        let seen = self.seen_of(id);
        let Some(row) = self.store.api_key(id)? else { return Ok(None) };
        let altered = self.believe(&row, seen).is_err();
        Ok(Some(KeyRecord { altered, ..row.record }))
    }

    /// The record of a key that was found with others.
    pub(super) fn shown_of(&self, found: Loaded) -> Option<KeyRecord> {
        match found {
            Loaded::Key(row) => {
                let seen = self.seen_of(&row.record.id);
                let is_older = seen.is_after(&row.record) || seen.is_lost_in(&row.record);
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

    fn believe(&self, row: &StoredKey, seen: Seen) -> Result<()> {
        self.peppers.check_row(row)?;
        match (seen.is_lost_in(&row.record), seen.is_after(&row.record)) {
            (true, _) => Err(LOST),
            (_, true) => Err(OLDER),
            _ => Ok(()),
        }
    }

    /// What is known of the key. To be asked before the store is, which then knows no less.
    pub(super) fn seen_of(&self, id: &str) -> Seen {
        let own = self.own();
        let _following = own.writer.lock();
        KeyId::from_text(id).map_or(Seen::NOTHING, |id| self.known_as(id).1)
    }
}
