//! Sessions in memory.

use super::{MemoryStore, page};
use crate::error::{ErrorKind, Result};
use crate::store::{
    Page, SessionEvent, SessionEventFilter, SessionFilter, SessionStore, SessionWrite,
    StoredSession,
};
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

/// What is kept of sessions.
#[derive(Default)]
pub(super) struct Sessions {
    by_family: BTreeMap<String, StoredSession>,
    events: Vec<SessionEvent>,
    /// How many events there ever were.
    event_seq: u64,
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
        write.revocations.iter().for_each(|new| state.revocations.revoke(new));
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

    fn purge_sessions(&self, ended: u64, expired: u64) -> Result<u64> {
        let mut state = self.state()?;
        let sessions = &mut state.sessions;
        let count = sessions.by_family.len();
        sessions.by_family.retain(|_, session| {
            let record = &session.record;
            record.ended_at.is_none_or(|at| at >= ended) && record.expires_at >= expired
        });
        sessions.events.retain(|event| event.at >= expired);
        Ok((count - sessions.by_family.len()) as u64)
    }
}
