//! Sessions, revocations and key rings in memory.

use super::{MemoryStore, page};
use crate::error::{ErrorKind, Result};
use crate::store::{
    Page, Revocation, RevocationChanges, RevocationKind, RingStore, SessionEvent,
    SessionEventFilter, SessionFilter, SessionStore, SessionWrite, StoredRing, StoredSession,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Bound;

/// What is kept of sessions.
pub(super) struct Sessions {
    by_family: BTreeMap<String, StoredSession>,
    events: Vec<SessionEvent>,
    /// How many events there ever were.
    event_seq: u64,
    revocations: BTreeMap<u64, Revocation>,
    /// Where the revocation of something stands in `revocations`.
    places: HashMap<(RevocationKind, String, String), u64>,
    pub(super) revocation_seq: u64,
    /// What tells this feed from others; not 0.
    feed: u64,
    horizon: u64,
    tokens: HashMap<(String, String), u64>,
    tokens_horizon: u64,
    rings: BTreeMap<String, StoredRing>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            by_family: BTreeMap::new(),
            events: Vec::new(),
            event_seq: 0,
            revocations: BTreeMap::new(),
            places: HashMap::new(),
            revocation_seq: 0,
            // Under random keys, which are others for each.
            feed: RandomState::new().hash_one(0) | 1,
            horizon: 0,
            tokens: HashMap::new(),
            tokens_horizon: 0,
            rings: BTreeMap::new(),
        }
    }
}

impl Sessions {
    fn allows(&self, write: &SessionWrite) -> bool {
        let mut touched = HashSet::new();
        let version = |new: &StoredSession| {
            self.by_family.get(&new.record.family).map(|session| session.version)
        };
        write.insert.iter().all(|new| {
            new.version == 1 && version(new).is_none() && touched.insert(&new.record.family)
        }) && write.update.iter().all(|new| {
            version(new).is_some_and(|version| version + 1 == new.version)
                && touched.insert(&new.record.family)
        })
    }

    fn revoke(&mut self, new: &Revocation) {
        let mut new = new.clone();
        let key = (new.kind, new.issuer.clone(), new.value.clone());
        self.revocation_seq += 1;
        if let Some(old) =
            self.places.insert(key, self.revocation_seq).and_then(|at| self.revocations.remove(&at))
        {
            new.before = new.before.max(old.before);
            new.until = new.until.max(old.until);
        }
        self.revocations.insert(self.revocation_seq, new);
    }
}

impl SessionStore for MemoryStore {
    fn session(&self, family: &str) -> Result<Option<StoredSession>> {
        Ok(self.state()?.sessions.by_family.get(family).cloned())
    }

    fn sessions(&self, filter: &SessionFilter) -> Result<Page<StoredSession>> {
        let state = self.state()?;
        let after = filter.cursor.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let all = state.sessions.by_family.range::<str, _>((after, Bound::Unbounded));
        let wanted = all.map(|(_, session)| session).filter(|session| {
            filter.subject.as_ref().is_none_or(|subject| session.record.subject == *subject)
                && filter.live_at.is_none_or(|now| session.record.is_live(now))
        });
        Ok(page(wanted.cloned(), filter.limit, |session| session.record.family.clone()))
    }

    fn unreadable_sessions(&self, _subject: Option<&str>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn write_sessions(&self, write: &SessionWrite) -> Result<()> {
        let mut state = self.state()?;
        let sessions = &mut state.sessions;
        if !sessions.allows(write) {
            return Err(ErrorKind::StoreConflict.into());
        }
        for session in write.insert.iter().chain(&write.update) {
            sessions.by_family.insert(session.record.family.clone(), session.clone());
        }
        for new in &write.end {
            if let Some(session) = sessions.by_family.get_mut(&new.record.family) {
                session.clone_from(new);
            }
        }
        for event in &write.events {
            sessions.event_seq += 1;
            sessions.events.push(SessionEvent { seq: sessions.event_seq, ..event.clone() });
        }
        write.revocations.iter().for_each(|new| sessions.revoke(new));
        Ok(())
    }

    fn session_events(&self, filter: &SessionEventFilter) -> Result<Page<SessionEvent>> {
        let state = self.state()?;
        let after: u64 = filter.cursor.as_ref().map_or(0, |c| c.parse().unwrap_or(u64::MAX));
        let wanted = state.sessions.events.iter().filter(|event| {
            event.seq > after
                && filter.subject.as_ref().is_none_or(|subject| event.subject == *subject)
                && filter.family.as_ref().is_none_or(|family| event.family == *family)
        });
        Ok(page(wanted.cloned(), filter.limit, |event| event.seq.to_string()))
    }

    fn purge_sessions(&self, before: u64) -> Result<u64> {
        let mut state = self.state()?;
        let sessions = &mut state.sessions;
        let count = sessions.by_family.len();
        sessions.by_family.retain(|_, session| {
            let ended = session.record.ended_at.unwrap_or(session.record.expires_at);
            ended.min(session.record.expires_at) >= before
        });
        sessions.events.retain(|event| event.at >= before);
        Ok((count - sessions.by_family.len()) as u64)
    }

    fn revocations(&self, after: u64, limit: usize) -> Result<RevocationChanges> {
        let state = self.state()?;
        let sessions = &state.sessions;
        if after > sessions.revocation_seq {
            return Ok(RevocationChanges { reload: true, ..RevocationChanges::default() });
        }
        let rest = sessions.revocations.range((Bound::Excluded(after), Bound::Unbounded));
        let rows: Vec<_> = rest.take(limit).collect();
        let seq = rows.last().map_or(sessions.revocation_seq, |(seq, _)| **seq);
        let more = sessions.revocations.range((Bound::Excluded(seq), Bound::Unbounded)).next();
        let (numbers, entries) = rows.into_iter().map(|(seq, entry)| (*seq, entry.clone())).unzip();
        let (number, feed) = (sessions.revocation_seq, sessions.feed);
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
        let sessions = &mut state.sessions;
        let count = sessions.revocations.len();
        let mut horizon = sessions.horizon.max(issued_before.min(now));
        let places = &mut sessions.places;
        sessions.revocations.retain(|_, entry| {
            let stays = entry.until > now;
            if !stays {
                horizon = horizon.max(entry.issued_before().min(now));
                places.remove(&(entry.kind, entry.issuer.clone(), entry.value.clone()));
            }
            stays
        });
        sessions.horizon = horizon;
        Ok((count - sessions.revocations.len()) as u64)
    }

    fn revocation_horizon(&self) -> Result<u64> {
        Ok(self.state()?.sessions.horizon)
    }

    fn remember_token(&self, issuer: &str, token_id: &str, until: u64, now: u64) -> Result<bool> {
        let mut state = self.state()?;
        let Sessions { tokens, tokens_horizon, .. } = &mut state.sessions;
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

impl RingStore for MemoryStore {
    fn ring(&self, name: &str) -> Result<Option<StoredRing>> {
        Ok(self.state()?.sessions.rings.get(name).cloned())
    }

    fn ring_version(&self, name: &str) -> Result<u64> {
        Ok(self.state()?.sessions.rings.get(name).map_or(0, |ring| ring.version))
    }

    fn ring_names(&self) -> Result<Vec<String>> {
        Ok(self.state()?.sessions.rings.keys().cloned().collect())
    }

    fn put_ring(&self, ring: &StoredRing) -> Result<()> {
        let mut state = self.state()?;
        let rings = &mut state.sessions.rings;
        if rings.get(&ring.name).map_or(0, |old| old.version) + 1 != ring.version {
            return Err(ErrorKind::StoreConflict.into());
        }
        rings.insert(ring.name.clone(), ring.clone());
        Ok(())
    }
}
