//! Keys that another system issued, taken over without their owners noticing: from the keys
//! themselves or from the digests and slow hashes that the other system kept.
//!
//! What is stored is a MAC over the digest, so that nothing unkeyed stays, and how the key is
//! found: by a MAC of its whole digest, or of a public part that the row names. Salted hashes need
//! the latter.

use super::apikeys::ApiKeys;
use super::format;
use super::hash::{LookupKind, is_separator};
use super::import_formats::{ImportScheme, Schemes};
use super::spec::KeySpec;
use crate::base::pace::Dates;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::crypto::hash::{sha256, sha512};
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::Checked;
use crate::store::{Change, Loaded, Lookup, Proof, StoredKey, Write};
use std::borrow::Cow;
use std::collections::HashSet;

/// The longest key of another system, in bytes.
pub(super) const LONGEST: usize = 512;
/// The shortest: what is shorter can be guessed however it is stored.
const SHORTEST: usize = 8;
/// The parts of a key that may be what it is looked up by, at most.
const PARTS: usize = 6;
/// Rows in one transaction.
const BATCH: usize = 500;

/// One key of another system.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// Whose key it is, and what it may do.
    pub spec: KeySpec,
    /// The key itself for [`ImportScheme::Plaintext`], else what the other system kept of it.
    pub credential: Secret,
    /// The public part that the key begins with, up to a separator `. _ - : ~`, by which it is
    /// found; a digest may then be of the whole key or of what follows the separator (any of them:
    /// it is in no digest then). Required for salted hashes.
    pub lookup: Option<String>,
}

/// What became of an import.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ImportReport {
    /// How many keys were imported.
    pub imported: u64,
    /// The ids that the keys were given, in the order of the rows.
    pub ids: Vec<String>,
    /// The rows that were not, by their place (from 0), and why. If one of them is of the wrong
    /// form, nothing was imported; rows that are there already stop no others.
    pub rejected: Vec<(usize, Error)>,
}

impl ApiKeys {
    /// Imports keys. All rows are checked before the first is written.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`]; batches before that stay, and a second import reports
    /// them as `StoreConflict` in [`ImportReport::rejected`].
    pub fn import(&self, scheme: ImportScheme, rows: &[ImportRow]) -> Result<ImportReport> {
        self.import_with(scheme, rows, &mut |_| {})
    }

    /// As [`Self::import`], and calls `progress` with the number of rows that are done: after each
    /// transaction, and never with fewer than before. A row is done when it is stored or rejected.
    ///
    /// # Errors
    /// As [`Self::import`].
    pub fn import_with(
        &self,
        scheme: ImportScheme,
        rows: &[ImportRow],
        progress: &mut dyn FnMut(usize),
    ) -> Result<ImportReport> {
        self.inner.be_open()?;
        self.be_of_all_owners()?;
        let (mut report, dates) = (ImportReport::default(), self.inner.dates()?);
        let mut keys = Vec::with_capacity(rows.len());
        let (mut tags, mut ids) = (HashSet::new(), HashSet::new());
        for (at, row) in rows.iter().enumerate() {
            match self.imported(scheme, row, dates) {
                Ok(key) if key.lookup.is_some_and(|lookup| !tags.insert(lookup.tag)) => {
                    report.rejected.push((at, argument("Another row holds the same key.")));
                }
                Ok(key) if !ids.insert(key.record.id.clone()) => {
                    report.rejected.push((at, argument("Another row holds the same key.")));
                }
                Ok(key) => keys.push((at, key)),
                Err(error) => report.rejected.push((at, error)),
            }
        }
        if !report.rejected.is_empty() {
            progress(rows.len());
            return Ok(report);
        }
        let mut done = 0;
        for batch in keys.chunks(BATCH) {
            match self.insert(scheme, batch) {
                Ok(()) => report.note(batch),
                Err(error) if error.kind() == ErrorKind::StoreConflict => {
                    // Some of them are there already: one by one.
                    for one in batch.chunks(1) {
                        match self.insert(scheme, one) {
                            Ok(()) => report.note(one),
                            Err(error) if error.kind() == ErrorKind::StoreConflict => {
                                report.rejected.extend(one.iter().map(|(at, _)| (*at, THERE)));
                            }
                            Err(error) => return Err(error),
                        }
                    }
                }
                Err(error) => return Err(error),
            }
            done += batch.len();
            progress(done);
        }
        Ok(report)
    }

    fn insert(&self, scheme: ImportScheme, keys: &[(usize, StoredKey)]) -> Result<()> {
        let writes: Vec<Write> = keys
            .iter()
            .map(|(_, key)| Write {
                change: Change::Insert(Box::new(key.clone())),
                at: key.record.created_at,
                actor: (*self.actor).to_owned(),
                action: "import",
                detail: scheme.name().to_owned(),
            })
            .collect();
        self.inner.store.write_api_keys(&writes)?;
        for (_, key) in keys {
            self.take_over(Loaded::Key(Box::new(key.clone())));
        }
        Ok(())
    }

    /// The row as it will be stored.
    fn imported(&self, scheme: ImportScheme, row: &ImportRow, dates: Dates) -> Result<StoredKey> {
        let (inner, credential) = (&self.inner, row.credential.expose());
        let mut record = row.spec.check(dates)?;
        record.prefix.clone_from(&inner.prefix);
        record.env.clone_from(&inner.env);
        record.created_by = (*self.actor).to_owned();
        record.version = 1;
        if scheme == ImportScheme::Plaintext {
            if let Some(own) = format::parse(credential) {
                return self.own_format(record, &own, &row.credential);
            }
            if credential.len() < SHORTEST || credential.len() > LONGEST {
                return Err(argument("A key to import has 8 to 512 bytes."));
            }
        }
        let digest = super::import_formats::import(scheme, credential)?;
        let pepper = inner.peppers.active();
        let (kind, text): (_, &[u8]) = match (&row.lookup, digest.scheme) {
            (Some(lookup), _) => {
                check_lookup(lookup)?;
                (LookupKind::Named, lookup.as_bytes())
            }
            (None, Schemes::SHA256) => (LookupKind::Sha256, &*digest.raw),
            (None, Schemes::SHA512) => (LookupKind::Sha512, &*digest.raw),
            (None, _) => {
                return Err(argument(
                    "A salted hash cannot be looked up; give `lookup`, the public part of the key.",
                ));
            }
        };
        let tag = inner.peppers.lookup_tag(pepper, kind, text).ok_or(ErrorKind::Internal)?;
        let mac = inner.peppers.mac_foreign(pepper, digest.scheme, &digest.raw);
        let mac = mac.ok_or(ErrorKind::Internal)?;
        let proof =
            Proof { scheme: digest.scheme, params: digest.params, peppers: vec![pepper], mac };
        let (id, _) = format::generate(&*inner.random, &inner.prefix, &inner.env)?;
        id.as_str().clone_into(&mut record.id);
        let mut key = Checked::new(StoredKey::new(record, proof));
        key.lookup = Some(Lookup { pepper, tag });
        Ok(key.seal(&inner.peppers))
    }

    /// A key that another gatekey issued keeps its id and is one of ours.
    fn own_format(
        &self,
        mut record: crate::store::KeyRecord,
        own: &format::Presented<'_>,
        text: &Secret,
    ) -> Result<StoredKey> {
        if own.env != self.inner.env {
            return Err(argument("The key is of another environment."));
        }
        own.id.as_str().clone_into(&mut record.id);
        own.prefix.clone_into(&mut record.prefix);
        // Later than what was purged under this id, also by a clock that was put back.
        let before = self.inner.seen_of(&record.id).created_at;
        record.created_at = record.created_at.max(before.saturating_add(1));
        let key = Checked::new(StoredKey::new(record, self.inner.proof(own.id, text)?));
        Ok(key.seal(&self.inner.peppers))
    }
}

const THERE: Error = Error::new(ErrorKind::StoreConflict, "This key has been imported before.");

impl ImportReport {
    fn note(&mut self, keys: &[(usize, StoredKey)]) {
        self.imported += keys.len() as u64;
        self.ids.extend(keys.iter().map(|(_, key)| key.record.id.clone()));
    }
}

fn check_lookup(lookup: &str) -> Result<()> {
    let fits = (1..=128).contains(&lookup.len())
        && lookup.bytes().all(|byte| byte.is_ascii_graphic())
        && lookup.bytes().filter(|byte| is_separator(*byte)).count() < PARTS;
    if fits {
        Ok(())
    } else {
        Err(argument(
            "A look-up has 1 to 128 visible ASCII characters, at most 5 of them . _ - : ~",
        ))
    }
}

/// Everything by which a presented text may be found: a digest of all of it, or what it begins with
/// up to a separator; with what follows that.
pub(super) fn lookups(
    presented: &[u8],
) -> impl Iterator<Item = (LookupKind, Cow<'_, [u8]>, Option<&[u8]>)> {
    let whole = [
        (LookupKind::Sha256, Cow::Owned(sha256(presented).to_vec()), None),
        (LookupKind::Sha512, Cow::Owned(sha512(presented).to_vec()), None),
    ];
    let ends = presented.iter().enumerate().filter(|(_, byte)| is_separator(**byte));
    let parts = ends.take(PARTS).filter(|(end, _)| *end > 0).map(|(end, _)| {
        let (before, rest) = presented.split_at_checked(end).unwrap_or_default();
        (LookupKind::Named, Cow::Borrowed(before), rest.get(1..))
    });
    whole.into_iter().chain(parts)
}
