//! Everywhere but here: all sessions of a subject are ended, and one is kept.

use super::admin::LEEWAY;
use super::life::{NOT_FOUND, TRIES};
use super::sessions::Sessions;
use super::token;
use crate::base::text::plain_some;
use crate::error::{ErrorKind, Result};
use crate::pepper::Checked;
use crate::store::{SessionEnd, SessionFilter, SessionWrite, StoredSession};

/// How many sessions are ended in one write.
const AT_ONCE: usize = 500;

impl Sessions {
    /// Ends all sessions of a subject but the one with this id, and revokes their access tokens;
    /// how many sessions. The one that is kept is the subject's, and is not touched; sessions that
    /// are started meanwhile are not ended. For "log out my other devices".
    ///
    /// # Errors
    /// `InvalidArgument`: the subject has not 1 to 255 bytes. `SessionNotFound`: the session to
    /// keep is not there, or is of another subject; `SessionEnded`: it was ended: then none is.
    /// `StoreCorrupt`: its row was altered from outside. Those of [`crate::store::Backend`]; what
    /// was ended by then stays ended, and a second call continues.
    pub fn end_others(&self, subject: &str, family: &str) -> Result<u64> {
        self.check_open()?;
        let inner = &*self.inner;
        let subject = plain_some(subject, 255, "A subject has 1 to 255 bytes.")?;
        let kept = token::is_family(family).then(|| inner.store.session(family)).transpose()?;
        let kept = kept.flatten().filter(|kept| kept.record.subject == subject).ok_or(NOT_FOUND)?;
        if Checked::read(&inner.peppers, kept)?.record.ended_at.is_some() {
            return Err(ErrorKind::SessionEnded.into());
        }
        let others = self.others(&subject, family)?;
        let mut ended = self.end_unreadable(Some(&subject), SessionEnd::LogOutEverywhere)?;
        for some in others.chunks(AT_ONCE) {
            ended += self.end_these(some)?;
        }
        Ok(ended)
    }

    /// The ids of the sessions that there are now, whose access tokens may be accepted somewhere.
    fn others(&self, subject: &str, kept: &str) -> Result<Vec<String>> {
        let mut filter = SessionFilter {
            subject: Some(subject.to_owned()),
            live_at: Some(self.inner.dates()?.surely.saturating_sub(LEEWAY)),
            limit: 1000,
            ..SessionFilter::default()
        };
        let mut found = Vec::new();
        loop {
            let page = self.inner.store.sessions(&filter)?;
            let families = page.records.into_iter().map(|session| session.record.family);
            found.extend(families.filter(|family| family != kept));
            filter.cursor = page.cursor;
            if filter.cursor.is_none() {
                return Ok(found);
            }
        }
    }

    /// Ends these at once, those that are not ended yet.
    fn end_these(&self, families: &[String]) -> Result<u64> {
        let inner = &*self.inner;
        for _ in 0..TRIES {
            let now = inner.now()?;
            let mut write = SessionWrite::default();
            for family in families {
                let session: StoredSession = match inner.store.session(family) {
                    Ok(Some(session)) => session,
                    Ok(None) => continue,
                    // Its row cannot be read: it was ended as such.
                    Err(error) if error.kind() == ErrorKind::StoreCorrupt => continue,
                    Err(error) => return Err(error),
                };
                if session.record.ended_at.is_none() {
                    let session = inner.believed(session);
                    Self::end_in(inner, &mut write, session, SessionEnd::LogOutEverywhere, now);
                }
            }
            match inner.store.write_sessions(&write) {
                Ok(()) => {
                    inner.revocations.take_over(&write.revocations);
                    return Ok(write.revocations.len() as u64);
                }
                // One of them was refreshed or ended meanwhile.
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::StoreConflict.into())
    }
}
