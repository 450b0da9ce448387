//! Sessions looked at: by their subjects, who want to know where they are logged in, and by
//! operators.

use super::life::NOT_FOUND;
use super::sessions::Sessions;
use super::token;
use crate::base::text::argument;
use crate::error::Result;
use crate::store::{
    Page, SessionEvent, SessionEventFilter, SessionFilter, SessionRecord, StoredSession,
};
use std::sync::Arc;

/// The most sessions of one subject that are listed.
const MOST: usize = 10_000;

/// For how many seconds after its expiry an access token may still be accepted somewhere.
pub(super) const LEEWAY: u64 = crate::jwt::Policy::MAX_LEEWAY;

impl Sessions {
    /// The live sessions of a subject, the last one used first: its devices. At most 10 000. Those
    /// whose rows were altered from outside or cannot be read too, as [`SessionRecord::altered`]
    /// says; [`Self::end_by_id`] ends them.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`].
    pub fn list(&self, subject: &str) -> Result<Vec<SessionRecord>> {
        self.check_open()?;
        let now = self.inner.now()?;
        let mut filter = SessionFilter {
            subject: Some(subject.to_owned()),
            live_at: Some(now),
            limit: 1000,
            ..SessionFilter::default()
        };
        let mut found: Vec<SessionRecord> = Vec::new();
        loop {
            let page = self.find(&filter)?;
            found.extend(page.records);
            filter.cursor = page.cursor;
            if filter.cursor.is_none() || found.len() >= MOST {
                break;
            }
        }
        found.sort_by_key(|record| std::cmp::Reverse(record.last_seen_at));
        Ok(found)
    }

    /// Sessions in ascending order of their ids, ended ones too if the filter does not say
    /// otherwise. Of a row that was altered from outside or cannot be read,
    /// [`SessionRecord::altered`] says so; of the latter only the id is known, and the subject if
    /// that can be read.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`].
    pub fn find(&self, filter: &SessionFilter) -> Result<Page<SessionRecord>> {
        self.check_open()?;
        // An id that was altered from outside ends a page as well.
        let is_there = |cursor: &str| !matches!(self.inner.store.session(cursor), Ok(None));
        let is_one = |cursor: &str| token::is_family(cursor) || is_there(cursor);
        if filter.cursor.as_deref().is_some_and(|cursor| !is_one(cursor)) {
            return Err(argument(
                "The `cursor` did not come with a page of sessions; leave it out for the first page.",
            ));
        }
        let page = self.inner.store.sessions(filter)?;
        let records = page.records.into_iter().map(|session| self.shown(session)).collect();
        Ok(Page { records, cursor: page.cursor })
    }

    /// The session with this id, live or not. Of a row that was altered from outside,
    /// [`SessionRecord::altered`] says so.
    ///
    /// # Errors
    /// `SessionNotFound`; `StoreCorrupt`: its row cannot be read. Those of
    /// [`crate::store::Backend`].
    pub fn get(&self, family: &str) -> Result<SessionRecord> {
        self.check_open()?;
        let known = token::is_family(family).then_some(family).ok_or(NOT_FOUND)?;
        Ok(self.shown(self.inner.store.session(known)?.ok_or(NOT_FOUND)?))
    }

    fn shown(&self, session: StoredSession) -> SessionRecord {
        let altered = self.inner.peppers.check_row(&session).is_err();
        SessionRecord { altered, ..session.record }
    }

    /// What happened to sessions, in the order in which it did: started, ended, ended for reuse.
    ///
    /// # Errors
    /// `InvalidArgument`: the cursor did not come from here. Those of [`crate::store::Backend`].
    pub fn events(&self, filter: &SessionEventFilter) -> Result<Page<SessionEvent>> {
        self.check_open()?;
        if filter.cursor.as_ref().is_some_and(|cursor| cursor.parse::<u64>().is_err()) {
            return Err(argument(
                "The `cursor` did not come with a page of events; leave it out for the first page.",
            ));
        }
        self.inner.store.session_events(filter)
    }

    /// Deletes sessions that have expired, or were ended, before the date `before` (seconds since
    /// the Unix epoch), and events from before it. How many sessions. Their refresh tokens are
    /// refused as unknown from then on. If the clock has run ahead of [`crate::Clock::monotonic`]
    /// by more than an hour, sessions that have expired by that date alone stay as well, and
    /// events, until it has gone on like that for ten minutes.
    ///
    /// # Errors
    /// `InvalidArgument`: the date is in the future. Those of [`crate::store::Backend`].
    pub fn purge(&self, before: u64) -> Result<u64> {
        self.check_open()?;
        let dates = self.inner.dates()?;
        if before > dates.now {
            return Err(argument(
                "Only sessions that ended in the past can be purged: `before` is in the future.",
            ));
        }
        self.inner.store.purge_sessions(before, before.min(dates.surely))
    }

    /// Closes the store unless someone else holds it, such as a verifier with these revocations.
    /// Dropping the last handle does the same, without telling what went wrong.
    ///
    /// # Errors
    /// Those of [`crate::store::Backend`].
    pub fn close(self) -> Result<()> {
        let store = Arc::clone(&self.inner.store);
        drop(self);
        if Arc::strong_count(&store) > 1 { Ok(()) } else { store.close() }
    }

    /// The sessions of a subject whose access tokens may be accepted somewhere: some of them.
    pub(super) fn with_live_tokens(&self, subject: &str, now: u64) -> Result<Vec<StoredSession>> {
        let filter = SessionFilter {
            subject: Some(subject.to_owned()),
            live_at: Some(now.saturating_sub(LEEWAY)),
            limit: 1000,
            ..SessionFilter::default()
        };
        Ok(self.inner.store.sessions(&filter)?.records)
    }
}
