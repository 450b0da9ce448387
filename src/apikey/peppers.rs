//! Peppers over time: what is left of old ones, and wrapping every row at once when one has leaked.

use super::apikeys::{ApiKeys, Inner};
use super::flush::is_of_the_row;
use crate::base::pace::Dates;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Change, Loaded, Previous, Proof, SessionFilter, StoredKey, Write};
use std::collections::BTreeMap;

/// The most peppers one MAC lies under.
const DEEPEST: usize = 8;
/// Rows in one transaction.
const BATCH: usize = 500;

/// How much of the store still needs a pepper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PepperUse {
    /// The pepper's number.
    pub pepper: u32,
    /// Whether new keys are made under it.
    pub active: bool,
    /// The keys that cannot be verified without it.
    pub keys: u64,
    /// The sessions that cannot be refreshed or read without it; [`crate::Sessions::end_under_pepper`] leaves none.
    pub sessions: u64,
    /// The key rings that are sealed under it; [`crate::KeyRing::rotate`] seals one under the active pepper.
    pub key_rings: u64,
    /// When it was first used, in seconds since the Unix epoch; 0 if never.
    pub since: u64,
}

impl ApiKeys {
    /// What is left under each pepper, in ascending order of their numbers. A pepper that is not
    /// active and has no keys, sessions and key rings left may be thrown away, unless key rings in folders are sealed under
    /// it, which the store does not know of. The secret of before a rotation counts until its
    /// overlap ends.
    ///
    /// # Errors
    /// Those of [`crate::Backend`].
    pub fn pepper_report(&self) -> Result<Vec<PepperUse>> {
        let store = &self.inner.store;
        let mut uses: BTreeMap<u32, PepperUse> = BTreeMap::new();
        let active = self.inner.peppers.active();
        let now = self.inner.dates()?.surely;
        let fresh = |pepper| PepperUse {
            pepper,
            active: pepper == active,
            keys: 0,
            sessions: 0,
            key_rings: 0,
            since: 0,
        };
        for check in store.pepper_checks()? {
            uses.entry(check.pepper).or_insert_with(|| fresh(check.pepper)).since = check.since;
        }
        for pepper in self.inner.peppers.ids() {
            uses.entry(pepper).or_insert_with(|| fresh(pepper));
        }
        store.load_api_keys(&mut |loaded| {
            let Loaded::Key(key) = loaded else { return };
            let mut needed: Vec<_> = needed_peppers(&key, now).collect();
            needed.sort_unstable();
            needed.dedup();
            for pepper in needed {
                uses.entry(pepper).or_insert_with(|| fresh(pepper)).keys += 1;
            }
        })?;
        self.count_sessions(&mut uses, now)?;
        for name in store.key_ring_names()? {
            if let Some(ring) = store.key_ring(&name)?.filter(|ring| ring.pepper != 0) {
                uses.entry(ring.pepper).or_insert_with(|| fresh(ring.pepper)).key_rings += 1;
            }
        }
        Ok(uses.into_values().collect())
    }

    fn count_sessions(&self, uses: &mut BTreeMap<u32, PepperUse>, now: u64) -> Result<()> {
        let mut filter = SessionFilter { limit: 1000, ..SessionFilter::default() };
        loop {
            let page = self.inner.store.sessions(&filter)?;
            for session in &page.records {
                for one in uses.values_mut() {
                    one.sessions += u64::from(session.needs(one.pepper, now));
                }
            }
            match page.cursor {
                Some(cursor) => filter.cursor = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    /// Puts every MAC that is not under the active pepper under that as well, now: for the day an old
    /// pepper has leaked. Without the active one, what leaked is then worth nothing; the old ones
    /// stay needed, though not secret, until each key has been used once, and for the secrets of before a rotation
    /// until their overlap ends; those whose overlap is over are dropped. How many keys.
    ///
    /// # Errors
    /// `InvalidConfiguration`: a key lies under eight peppers already. Those of [`crate::Backend`];
    /// what was wrapped before stays wrapped, and a second call goes on. `StoreCorrupt`: rows were altered from
    /// outside; all others are wrapped.
    pub fn wrap_peppers(&self) -> Result<u64> {
        let inner = &self.inner;
        // The secret of before a rotation is dropped for good where its overlap is over.
        let Dates { now: at, surely, .. } = inner.dates()?;
        let mut old = Vec::new();
        let mut is_damaged = false;
        inner.store.load_api_keys(&mut |loaded| {
            is_damaged |= matches!(loaded, Loaded::Corrupt(_));
            if let Loaded::Key(key) = loaded
                && inner.must_wrap(&key, surely)
            {
                old.push(key.record.id);
            }
        })?;
        let (mut wrapped, mut altered) = (0, is_damaged.then(|| ErrorKind::StoreCorrupt.into()));
        for batch in old.chunks(BATCH) {
            let mut writes = Vec::with_capacity(batch.len());
            for id in batch {
                let mut key = match inner.row(id) {
                    Ok(Some(key)) => key,
                    Ok(None) => continue,
                    Err(error) if is_of_the_row(&error) => {
                        altered = Some(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                self.wrap(&mut key.proof)?;
                key.previous = key.previous.take().filter(|previous| !is_over(previous, surely));
                if let Some(previous) = &mut key.previous {
                    self.wrap(&mut previous.proof)?;
                }
                key.record.version += 1;
                let key = Box::new(key.seal(&inner.peppers));
                writes.push(Write {
                    change: Change::Update { key, set_credits: false },
                    at,
                    actor: (*self.actor).to_owned(),
                    action: "pepper.wrap",
                    detail: format!("pepper {}", inner.peppers.active()),
                });
            }
            inner.store.write_api_keys(&writes)?;
            wrapped += writes.len() as u64;
            for write in writes {
                if let Change::Update { key, .. } = write.change {
                    self.take_over(Loaded::Key(key));
                }
            }
        }
        altered.map_or(Ok(wrapped), Err)
    }

    fn wrap(&self, proof: &mut Proof) -> Result<()> {
        let peppers = &self.inner.peppers;
        if proof.peppers.last() == Some(&peppers.active()) {
            return Ok(());
        }
        if proof.peppers.len() == DEEPEST {
            return Err(Error::new(
                ErrorKind::InvalidConfiguration,
                "A key lies under eight peppers already; rotate or purge keys that are never used.",
            ));
        }
        proof.mac = peppers.mac(peppers.active(), &proof.mac).ok_or(ErrorKind::Internal)?;
        proof.peppers.push(peppers.active());
        Ok(())
    }
}

impl Inner {
    /// Whether something of the key is not under the active pepper, or is of no use any more.
    fn must_wrap(&self, key: &StoredKey, now: u64) -> bool {
        let active = self.peppers.active();
        let is_under = |proof: &Proof| proof.peppers.last() == Some(&active);
        let is_wrapped = |previous: &Previous| is_under(&previous.proof) && !is_over(previous, now);
        !(is_under(&key.proof)
            && key.seal_pepper == active
            && key.previous.as_ref().is_none_or(is_wrapped))
    }
}

/// Whether the overlap of a rotation has ended.
const fn is_over(previous: &Previous, now: u64) -> bool {
    previous.until <= now
}

/// Every pepper without which the key cannot be verified from the time `now` on.
pub(super) fn needed_peppers(key: &StoredKey, now: u64) -> impl Iterator<Item = u32> {
    let previous = key.previous.iter().filter(move |previous| !is_over(previous, now));
    let previous = previous.flat_map(|previous| &previous.proof.peppers);
    let lookup = key.lookup.iter().map(|lookup| &lookup.pepper);
    key.proof.peppers.iter().chain(previous).chain(lookup).chain([&key.seal_pepper]).copied()
}
