//! Peppers over time: what is left of old ones, and wrapping every row at once when one has leaked.

use super::apikeys::{ApiKeys, Inner};
use super::flush::is_of_the_row;
use crate::base::pace::Dates;
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::{Peppers, Row};
use crate::store::{
    Change, Loaded, PepperCheck, Previous, Proof, SessionFilter, StoredKey, StoredRing,
    StoredSession, Write,
};
use std::collections::BTreeMap;

/// The most peppers one MAC lies under.
const DEEPEST: usize = 8;
/// Rows in one transaction.
const BATCH: usize = 500;

/// How much of the store still needs a pepper.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PepperUse {
    /// The pepper's number.
    pub pepper: u32,
    /// Whether new keys are made under it.
    pub active: bool,
    /// The keys that cannot be verified without it.
    pub keys: u64,
    /// The sessions that cannot be refreshed or read without it;
    /// [`crate::Sessions::end_under_pepper`] leaves none.
    pub sessions: u64,
    /// The key rings that are sealed under it; [`crate::KeyRing::rotate`] seals one under the
    /// active pepper.
    pub key_rings: u64,
    /// When it was first used, in seconds since the Unix epoch; 0 if never.
    pub since: u64,
    /// Of the number 0, which is no pepper's and is there if anything is damaged: the ids of the
    /// API keys, then those of the sessions, then the names of the key rings whose rows were
    /// altered from outside or cannot be read, so that it is not known which pepper they need. They
    /// are denied; `keys`, `sessions` and `key_rings` say how many of each.
    pub damaged: Vec<String>,
}

impl ApiKeys {
    /// What is left under each pepper, in ascending order of their numbers. A pepper that is not
    /// active and has no keys, sessions and key rings left may be thrown away, unless rows are
    /// damaged ([`PepperUse::damaged`]) that you mean to bring back, or key rings in folders are
    /// sealed under it, which the store does not know of. The secret of before a rotation counts
    /// until its overlap ends.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`].
    pub fn pepper_report(&self) -> Result<Vec<PepperUse>> {
        self.inner.be_open()?;
        self.be_of_all_owners()?;
        let store = &self.inner.store;
        let now = self.inner.dates()?.surely;
        let checks = store.pepper_checks()?;
        let mut report = Report::new(&self.inner.peppers, &checks);
        store.load_api_keys(&mut |loaded| report.count_key(loaded, now))?;
        self.count_sessions(&mut report, now)?;
        for name in store.key_ring_names()? {
            report.count_ring(store.key_ring(&name), name)?;
        }
        Ok(report.end())
    }

    fn count_sessions(&self, report: &mut Report<'_>, now: u64) -> Result<()> {
        let mut filter = SessionFilter { limit: 1000, ..SessionFilter::default() };
        loop {
            let page = self.inner.store.sessions(&filter)?;
            page.records.into_iter().for_each(|session| report.count_session(session, now));
            match page.cursor {
                Some(cursor) => filter.cursor = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    /// Puts every MAC that is not under the active pepper under that as well, now: for the day an
    /// old pepper has leaked. Without the active one, what leaked is then worth nothing; the old
    /// ones stay needed, though not secret, until each key has been used once, and for the secrets
    /// of before a rotation until their overlap ends; those whose overlap is over are dropped. How
    /// many keys.
    ///
    /// # Errors
    /// `InvalidConfiguration`: a key lies under eight peppers already. Those of
    /// [`crate::store::Backend`]; what was wrapped before stays wrapped, and a second call
    /// continues. `StoreCorrupt`: rows were altered from outside; all others are wrapped.
    /// [`Error::api_key_id`] names the first of them, [`Self::pepper_report`] all.
    pub fn wrap_peppers(&self) -> Result<u64> {
        self.inner.be_open()?;
        self.be_of_all_owners()?;
        let inner = &self.inner;
        // The secret of before a rotation is dropped for good where its overlap is over.
        let Dates { now: at, surely, .. } = inner.dates()?;
        let mut old = Vec::new();
        let mut damaged: Option<Error> = None;
        inner.store.load_api_keys(&mut |loaded| match loaded {
            Loaded::Corrupt(id) => note_damaged(&mut damaged, DAMAGED, &id),
            Loaded::Key(key) if inner.must_wrap(&key, surely) => old.push(key.record.id),
            _ => {}
        })?;
        let mut wrapped = 0;
        for batch in old.chunks(BATCH) {
            let mut writes = Vec::with_capacity(batch.len());
            for id in batch {
                let mut key = match inner.row(id) {
                    Ok(Some(key)) => key,
                    Ok(None) => continue,
                    Err(error) if is_of_the_row(&error) => {
                        note_damaged(&mut damaged, error, id);
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
        damaged.map_or(Ok(wrapped), Err)
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

/// The report while it is made.
struct Report<'a> {
    peppers: &'a Peppers,
    /// The numbers of the peppers that the store was made with.
    known: Vec<u32>,
    uses: BTreeMap<u32, PepperUse>,
    /// Keys, sessions, key rings.
    damaged: [Vec<String>; 3],
}

impl<'a> Report<'a> {
    fn new(peppers: &'a Peppers, checks: &[PepperCheck]) -> Self {
        let known = checks.iter().map(|check| check.pepper).collect();
        let mut report =
            Self { peppers, known, uses: BTreeMap::new(), damaged: Default::default() };
        for check in checks {
            report.of(check.pepper).since = check.since;
        }
        for pepper in peppers.ids() {
            report.of(pepper);
        }
        report
    }

    fn of(&mut self, pepper: u32) -> &mut PepperUse {
        let active = pepper == self.peppers.active();
        self.uses.entry(pepper).or_insert_with(|| PepperUse {
            pepper,
            active,
            keys: 0,
            sessions: 0,
            key_rings: 0,
            since: 0,
            damaged: Vec::new(),
        })
    }

    /// Whether there is such a pepper, here or elsewhere.
    fn is_known(&self, pepper: u32) -> bool {
        self.peppers.contains(pepper) || self.known.contains(&pepper)
    }

    /// Not if its seal cannot be checked here, because that pepper is elsewhere.
    fn is_damaged(&self, row: &impl Row) -> bool {
        let (pepper, _) = row.seal();
        !self.is_known(pepper)
            || self.peppers.contains(pepper) && self.peppers.check_row(row).is_err()
    }

    fn count_key(&mut self, loaded: Loaded, now: u64) {
        let [damaged, ..] = &mut self.damaged;
        match loaded {
            Loaded::Removed(_) => {}
            Loaded::Corrupt(id) => damaged.push(id),
            Loaded::Key(key) if self.is_damaged(&*key) => {
                let [damaged, ..] = &mut self.damaged;
                damaged.push(key.record.id);
            }
            Loaded::Key(key) => {
                let mut needed: Vec<_> = needed_peppers(&key, now).collect();
                needed.sort_unstable();
                needed.dedup();
                needed.into_iter().for_each(|pepper| self.of(pepper).keys += 1);
            }
        }
    }

    fn count_session(&mut self, session: StoredSession, now: u64) {
        if self.is_damaged(&session) {
            // One that was ended for that is over.
            if session.record.ended_at.is_none() {
                let [_, damaged, _] = &mut self.damaged;
                damaged.push(session.record.family);
            }
            return;
        }
        for one in self.uses.values_mut() {
            one.sessions += u64::from(session.needs(one.pepper, now));
        }
    }

    fn count_ring(&mut self, ring: Result<Option<StoredRing>>, name: String) -> Result<()> {
        let is_damaged = match ring {
            Ok(None) => return Ok(()),
            Ok(Some(ring)) if ring.pepper == 0 => return Ok(()),
            Ok(Some(ring)) if StoredRing::is_name(&name) && self.is_known(ring.pepper) => {
                self.of(ring.pepper).key_rings += 1;
                false
            }
            Ok(Some(_)) => true,
            Err(error) if is_of_the_row(&error) => true,
            Err(error) => return Err(error),
        };
        let [.., damaged] = &mut self.damaged;
        damaged.extend(is_damaged.then_some(name));
        Ok(())
    }

    fn end(mut self) -> Vec<PepperUse> {
        let damaged = std::mem::take(&mut self.damaged);
        if damaged.iter().any(|some| !some.is_empty()) {
            let unknown = self.of(0);
            [unknown.keys, unknown.sessions, unknown.key_rings] =
                damaged.each_ref().map(|some| some.len() as u64);
            unknown.damaged = damaged.into_iter().flatten().collect();
        }
        self.uses.into_values().collect()
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

/// Notes the first row that is damaged, by its id.
fn note_damaged(first: &mut Option<Error>, error: Error, id: &str) {
    first.get_or_insert_with(|| error.about_api_key(id));
}

const DAMAGED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The row of an API key cannot be read; all others are done. Restore the store from a backup, or delete the row. The \
     pepper report names all such rows.",
);

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
