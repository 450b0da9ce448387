//! Changes to keys. Each is one durable transaction with its audit row, made again if someone else
//! changed the key in between, and in force in this process when the call returns.

use super::apikeys::{ApiKeys, Inner};
use super::flush::is_of_the_row;
use super::format::{self, KeyId};
use super::spec::{IssuedKey, KeySpec, KeyUpdate};
use crate::base::pace::Dates;
use crate::base::presented::{self, Form};
use crate::base::secret::Secret;
use crate::base::text::{argument, for_people};
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::Checked;
use crate::store::{
    AuditFilter, AuditRecord, Change, KeyFilter, KeyRecord, KeyStatus, Loaded, Page, Previous,
    Proof, StoredKey, Write,
};
use std::sync::atomic::Ordering;

const UNKNOWN: Error = Error::new(ErrorKind::ApiKeyNotFound, "There is no API key with this id.");

/// What the caller of a change has mistaken, and no caller of the service.
const REVOKED: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The API key is revoked, for good: it is not changed any more. Make another one with `create`.",
);

/// The id of a key that is named by it; a whole key, which is given by mistake, is not shown.
fn named(id: &str) -> Result<KeyId> {
    const WHOLE: &str = "This is a whole API key, which is not shown; a key is named by its id: the 12 letters and digits before \
         the last `_` of its text.";
    const TOKEN: &str = "This is a token (JWT), which is not shown; an API key is named by its id: 12 letters and digits.";
    match presented::whole(id) {
        Some(Form::ApiKey) => Err(argument(WHOLE)),
        Some(_) => Err(argument(TOKEN)),
        None => KeyId::from_text(id).ok_or(UNKNOWN),
    }
}

/// How often a change is tried that others keep overtaking.
const TRIES: usize = 16;

/// The longest overlap of a rotation: 90 days, in seconds.
const LONGEST_OVERLAP: u64 = 90 * 86_400;

impl ApiKeys {
    /// Makes a key. Its text is in the answer and nowhere else.
    ///
    /// # Errors
    /// `InvalidArgument`: something of `spec` is not acceptable. `InvalidConfiguration`: the clock
    /// is out of range, as for every call that needs the time. Those of [`crate::store::Backend`].
    pub fn create(&self, spec: &KeySpec) -> Result<IssuedKey> {
        self.inner.be_open()?;
        let inner = &self.inner;
        let mut record = spec.check_new(inner.dates()?)?;
        self.check_owned(&record)?;
        record.prefix.clone_from(&inner.prefix);
        record.env.clone_from(&inner.env);
        record.created_by = (*self.actor).to_owned();
        record.version = 1;
        let mut taken = None;
        for _ in 0..TRIES {
            let (id, secret) = format::generate(&*inner.random, &inner.prefix, &inner.env)?;
            id.as_str().clone_into(&mut record.id);
            let proof = inner.proof(id, &secret)?;
            let key = Checked::new(StoredKey::new(record.clone(), proof));
            let key = Box::new(key.seal(&inner.peppers));
            match self.write(Change::Insert(key.clone()), "create", String::new()) {
                Ok(()) => {
                    self.take_over(Loaded::Key(key));
                    return Ok(IssuedKey { secret, record });
                }
                // Someone has this id: one chance in 2^71 for each key there is.
                Err(error) if error.kind() == ErrorKind::StoreConflict => taken = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(taken.unwrap_or_else(|| ErrorKind::StoreConflict.into()))
    }

    /// Gives the key a new secret under the same id. The old one is accepted for `overlap` more
    /// seconds, at most 90 days; 0 ends it now. An imported key gets a text of gatekey's own
    /// format.
    ///
    /// A key has two secrets at the most: a second rotation within an overlap ends the first secret
    /// at once.
    ///
    /// # Errors
    /// `ApiKeyNotFound`. `InvalidArgument`: the key is revoked, and stays so; the overlap is too
    /// long, or of an imported key, whose old text cannot be found beside the new one. Those of
    /// [`crate::store::Backend`].
    pub fn rotate(&self, id: &str, overlap: u64) -> Result<IssuedKey> {
        if overlap > LONGEST_OVERLAP {
            return Err(argument("The `overlap` is at most 90 days, given in seconds."));
        }
        let inner = &self.inner;
        let mut secret = None;
        let key = self.change(id, "rotate", &mut |key, Dates { now, surely, .. }| {
            if key.record.status == KeyStatus::Revoked {
                return Err(REVOKED);
            }
            if key.lookup.is_some() && overlap > 0 {
                return Err(argument(
                    "An imported key is rotated without an overlap: give 0 (`overlap`).",
                ));
            }
            let own = named(id)?;
            key.record.prefix.clone_from(&inner.prefix);
            let new = format::reissue(&*inner.random, &inner.prefix, &key.record.env, own)?;
            let old = std::mem::replace(&mut key.proof, inner.proof(own, &new)?);
            // By a clock that ran ahead, the old secret would be good for too long.
            let until = surely.saturating_add(overlap);
            key.previous = (overlap > 0).then_some(Previous { proof: old, until });
            key.lookup = None;
            key.record.overlap_until = (overlap > 0).then_some(until);
            key.record.rotated_at = Some(now);
            secret = Some(new);
            Ok(format!("overlap {overlap} s"))
        })?;
        let secret = secret.unwrap_or_else(|| Secret::new(Vec::new()));
        Ok(IssuedKey { secret, record: key.record })
    }

    /// Revokes the key for good. A key that is revoked already stays as it is. Of the reason, which
    /// is for people, the first 500 bytes are kept, with a space for each control character.
    ///
    /// # Errors
    /// `ApiKeyNotFound`. Those of [`crate::store::Backend`].
    pub fn revoke(&self, id: &str, reason: &str) -> Result<KeyRecord> {
        self.set_status(id, KeyStatus::Revoked, "revoke", reason)
    }

    /// Refuses the key until it is enabled again.
    ///
    /// # Errors
    /// As [`Self::revoke`]; `InvalidArgument`: the key is revoked, and stays so.
    pub fn disable(&self, id: &str, reason: &str) -> Result<KeyRecord> {
        self.set_status(id, KeyStatus::Disabled, "disable", reason)
    }

    /// Accepts a disabled key again.
    ///
    /// # Errors
    /// `ApiKeyNotFound`. `InvalidArgument`: the key is revoked, and stays so. Those of
    /// [`crate::store::Backend`].
    pub fn enable(&self, id: &str) -> Result<KeyRecord> {
        self.set_status(id, KeyStatus::Active, "enable", "")
    }

    fn set_status(
        &self,
        id: &str,
        status: KeyStatus,
        action: &'static str,
        reason: &str,
    ) -> Result<KeyRecord> {
        // A key that is to be refused is, whatever the words.
        let reason = for_people(reason, 500);
        let changed = self.change(id, action, &mut |key, Dates { now, .. }| {
            let record = &mut key.record;
            match (record.status, status) {
                (old, new) if old == new => return Err(UNCHANGED),
                (KeyStatus::Revoked, _) => return Err(REVOKED),
                // An old secret in its overlap stays known, so that it gets the same answer.
                (_, KeyStatus::Revoked) => record.revoked_at = Some(now),
                _ => {}
            }
            record.status = status;
            record.reason.clone_from(&reason);
            Ok(reason.clone())
        });
        match changed {
            Ok(key) => Ok(key.record),
            Err(error) if error == UNCHANGED => self.get(id),
            Err(error) => Err(error),
        }
    }

    /// Changes what `update` names.
    ///
    /// # Errors
    /// `ApiKeyNotFound`. `InvalidArgument`: the key is revoked, something is not acceptable, or
    /// nothing is to change. Those of [`crate::store::Backend`].
    pub fn update(&self, id: &str, update: &KeyUpdate) -> Result<KeyRecord> {
        let key = self.change_with(id, "update", update.credits.is_some(), &mut |key, dates| {
            if key.record.status == KeyStatus::Revoked {
                return Err(REVOKED);
            }
            update.apply(&mut key.record, dates)
        })?;
        Ok(key.record)
    }

    /// The key as the store has it, with what this process has leased of its credits. Of a row that
    /// was altered from outside, [`KeyRecord::altered`] says so.
    ///
    /// # Errors
    /// `ApiKeyNotFound`; `StoreCorrupt`: its row cannot be read. Those of
    /// [`crate::store::Backend`].
    pub fn get(&self, id: &str) -> Result<KeyRecord> {
        self.inner.be_open()?;
        let id = named(id)?;
        let mut record = self.inner.shown(id.as_str())?.ok_or(UNKNOWN)?;
        if !self.is_owned(&record) {
            return Err(UNKNOWN);
        }
        if let (Some(credits), Some((_, slot))) =
            (&mut record.credits, self.inner.mirror.find(id.to_u128()))
        {
            credits.remaining += slot.lease.load(Ordering::Relaxed);
        }
        Ok(record)
    }

    /// Keys in ascending order of their ids; those whose rows were altered or damaged too, as
    /// [`KeyRecord::altered`] says.
    ///
    /// # Errors
    /// `InvalidArgument`: the cursor did not come from here. Those of [`crate::store::Backend`].
    pub fn list(&self, filter: &KeyFilter) -> Result<Page<KeyRecord>> {
        self.inner.be_open()?;
        // An id that was altered from outside ends a page as well.
        let is_there = |cursor: &str| !matches!(self.inner.shown(cursor), Ok(None));
        let is_one = |cursor: &str| KeyId::from_text(cursor).is_some() || is_there(cursor);
        if filter.cursor.as_deref().is_some_and(|cursor| !is_one(cursor)) {
            return Err(argument(
                "The `cursor` did not come with a page of keys; leave it out for the first page.",
            ));
        }
        let page = match self.owned(filter) {
            Some(owned) => self.inner.store.api_keys(&owned)?,
            None => self.inner.store.api_keys(filter)?,
        };
        let shown = page.records.into_iter().filter_map(|found| self.inner.shown_of(found));
        let owned = shown.filter(|record| self.is_owned(record));
        Ok(Page { records: owned.collect(), cursor: page.cursor })
    }

    /// What was done, in the order in which it was done.
    ///
    /// # Errors
    /// `InvalidArgument`: the cursor did not come from here. Those of [`crate::store::Backend`].
    pub fn audit(&self, filter: &AuditFilter) -> Result<Page<AuditRecord>> {
        self.inner.be_open()?;
        self.be_of_all_owners()?;
        if filter.cursor.as_ref().is_some_and(|cursor| cursor.parse::<u64>().is_err()) {
            return Err(argument(
                "The `cursor` did not come with a page of the audit; leave it out for the first page.",
            ));
        }
        self.inner.store.api_key_audit(filter)
    }

    /// Deletes keys that have expired, or were revoked, before the date `before` (seconds since the
    /// Unix epoch); their audit rows stay, and so do keys whose rows were altered. How many. If the
    /// clock has run ahead of [`crate::Clock::monotonic`] by more than an hour, keys that have
    /// expired by that date alone stay as well, until it has gone on like that for ten minutes.
    ///
    /// # Errors
    /// `InvalidArgument`: the date is in the future. Those of [`crate::store::Backend`].
    pub fn purge(&self, before: u64) -> Result<u64> {
        self.inner.be_open()?;
        self.be_of_all_owners()?;
        let dates = self.inner.dates()?;
        if before > dates.now {
            return Err(argument(
                "Only keys that ended in the past can be purged: `before` is in the future.",
            ));
        }
        let is_before = |date: Option<u64>, end| date.is_some_and(|date| date < end);
        let (mut filter, mut purged) = (KeyFilter { limit: 1000, ..KeyFilter::default() }, 0);
        loop {
            let page = self.list(&filter)?;
            for record in page.records {
                let is_over = is_before(record.revoked_at, before)
                    || is_before(record.expires_at, before.min(dates.surely));
                // The dates of a row that was altered are not its own.
                if record.altered || !is_over {
                    continue;
                }
                let delete = Change::Delete { id: record.id.clone(), version: record.version };
                match self.write(delete, "purge", String::new()) {
                    Ok(()) => purged += 1,
                    // Changed a moment ago: then it may be wanted.
                    Err(error) if error.kind() == ErrorKind::StoreConflict => continue,
                    Err(error) => return Err(error),
                }
                self.take_over(Loaded::Removed(record.id));
            }
            match page.cursor {
                Some(cursor) => filter.cursor = Some(cursor),
                None => return Ok(purged),
            }
        }
    }

    /// Refuses the keys that were made before that time until they are enabled again; how many. One
    /// whose row is damaged is refused anyway.
    #[cfg(feature = "sqlite")]
    pub(crate) fn disable_before(
        &self,
        cutoff: crate::base::pace::Cutoff,
        reason: &str,
    ) -> Result<u64> {
        let (mut filter, mut disabled) = (KeyFilter { limit: 1000, ..KeyFilter::default() }, 0);
        loop {
            let page = self.list(&filter)?;
            for record in page.records {
                if cutoff.is_before(record.created_at) && record.status == KeyStatus::Active {
                    match self.disable(&record.id, reason) {
                        Ok(_) => disabled += 1,
                        Err(error) if is_of_the_row(&error) || error == UNKNOWN => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            match page.cursor {
                Some(cursor) => filter.cursor = Some(cursor),
                None => return Ok(disabled),
            }
        }
    }

    fn change(&self, id: &str, action: &'static str, change: Changer<'_>) -> Result<StoredKey> {
        self.change_with(id, action, false, change)
    }

    /// Reads the key, changes it and writes it back, again if someone else was faster.
    fn change_with(
        &self,
        id: &str,
        action: &'static str,
        set_credits: bool,
        change: Changer<'_>,
    ) -> Result<StoredKey> {
        self.inner.be_open()?;
        let inner = &self.inner;
        let id = named(id)?;
        let mut overtaken = None;
        for _ in 0..TRIES {
            let found = match action {
                "revoke" => inner.row_to_revoke(id.as_str()),
                _ => inner.row(id.as_str()),
            };
            let mut key = match found {
                Ok(Some(key)) if self.is_owned(&key.record) => key,
                // Of a damaged row it is not known whose it is.
                Err(error) if self.owner.is_none() || !is_of_the_row(&error) => return Err(error),
                _ => return Err(UNKNOWN),
            };
            let detail = change(&mut key, inner.dates()?)?;
            self.check_owned(&key.record)?;
            let version = key.record.version + 1;
            key.record.version = version;
            if set_credits && let Some(credits) = &mut key.record.credits {
                credits.set_in = version;
            }
            let key = key.seal(&inner.peppers);
            let update = Change::Update { key: Box::new(key.clone()), set_credits };
            match self.write(update, action, detail) {
                Ok(()) => {
                    self.take_over(Loaded::Key(Box::new(key.clone())));
                    return Ok(key);
                }
                Err(error) if error.kind() == ErrorKind::StoreConflict => overtaken = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(overtaken.unwrap_or_else(|| ErrorKind::StoreConflict.into()))
    }

    pub(super) fn write(&self, change: Change, action: &'static str, detail: String) -> Result<()> {
        let at = self.inner.now()?;
        let actor = (*self.actor).to_owned();
        self.inner.store.write_api_keys(&[Write { change, at, actor, action, detail }]).map(drop)
    }
}

/// Changes a key at a time; more about it for the audit.
type Changer<'a> = &'a mut dyn FnMut(&mut StoredKey, Dates) -> Result<String>;

/// There is nothing to do. Never leaves this file.
const UNCHANGED: Error = Error::new(ErrorKind::StoreConflict, "The key is as it is wanted.");

impl Inner {
    /// The proof of a key of our format, under the active pepper.
    pub(super) fn proof(&self, id: KeyId, text: &Secret) -> Result<Proof> {
        let parsed = format::parse(text.expose()).ok_or(ErrorKind::Internal)?;
        let pepper = self.peppers.active();
        let mac = self.peppers.mac_native(pepper, &id, parsed.secret).ok_or(ErrorKind::Internal)?;
        let scheme = super::import_formats::Schemes::NATIVE;
        Ok(Proof { scheme, params: String::new(), peppers: vec![pepper], mac })
    }
}
