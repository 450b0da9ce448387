//! Sessions and old peppers: what ends on the day that one has leaked.

use super::sessions::{Inner, Sessions};
use crate::base::text::argument;
use crate::error::{ErrorKind, Result};
use crate::store::{SessionEnd, SessionFilter, SessionWrite, StoredSession};

/// How often a page is tried that others keep changing.
const TRIES: usize = 32;

impl Sessions {
    /// Ends every session whose refresh token was made under this pepper, and revokes its access tokens: for the
    /// day that an old pepper has leaked, because with it and a copy of the store such tokens can be made. How many
    /// sessions.
    ///
    /// Sessions that were refreshed since a newer pepper came stay, if that is more than a minute ago: until then the token
    /// before, which the old pepper makes, may be good within the grace. Rows of sessions that are over are sealed again,
    /// so that afterwards no session needs the pepper. Those whose rows were altered from outside, whatever pepper they
    /// name, or cannot be read, are ended as well: nobody knows which pepper was theirs. A row that is sealed under a
    /// pepper of the store that is not at hand here stays, as it cannot be told from a good one.
    /// [`crate::ApiKeys::wrap_peppers`] does the like for API keys.
    ///
    /// # Errors
    /// `InvalidArgument`: the pepper is the newest one, under which sessions would begin again; add another first.
    /// `WrongPepper`: it is not at hand. Those of
    /// [`crate::Store`]; what was ended by then stays ended, and a second call goes on.
    pub fn end_under_pepper(&self, pepper: u32) -> Result<u64> {
        let inner = &*self.inner;
        if pepper == inner.peppers.active() {
            return Err(argument(
                "Sessions begin under this pepper, the newest; add another one first.",
            ));
        }
        if !inner.peppers.contains(pepper) {
            return Err(ErrorKind::WrongPepper.into());
        }
        let ended = self.end_unreadable(None, SessionEnd::LogOut)?;
        let now = inner.now()?;
        let every = SessionFilter { limit: 1000, ..SessionFilter::default() };
        let checks = inner.store.pepper_checks()?;
        let elsewhere: Vec<u32> = checks.iter().map(|check| check.pepper).collect();
        let leaving = Leaving { pepper, now, elsewhere };
        let each = |write: &mut SessionWrite, session| self.leave_pepper(write, session, &leaving);
        Ok(ended + self.end_each(every, each)?)
    }

    /// Changes the sessions of a filter as `change` says, a page at a time; how many were ended.
    pub(super) fn end_each(
        &self,
        mut filter: SessionFilter,
        change: impl Fn(&mut SessionWrite, StoredSession),
    ) -> Result<u64> {
        let inner = &*self.inner;
        let (mut ended, mut overtaken) = (0, 0);
        loop {
            let page = inner.store.sessions(&filter)?;
            let mut write = SessionWrite::default();
            page.records.into_iter().for_each(|session| change(&mut write, session));
            if !(write.update.is_empty() && write.end.is_empty()) {
                match inner.store.write_sessions(&write) {
                    Ok(()) => inner.revocations.take_over(&write.revocations),
                    Err(error) if error.kind() == ErrorKind::StoreConflict && overtaken < TRIES => {
                        overtaken += 1;
                        continue; // the same page again
                    }
                    Err(error) => return Err(error),
                }
                ended += write.revocations.len() as u64;
            }
            match page.cursor {
                Some(cursor) => filter.cursor = Some(cursor),
                None => return Ok(ended),
            }
        }
    }

    /// Ends the session, if it needs the pepper or its row is not believed.
    fn leave_pepper(&self, write: &mut SessionWrite, session: StoredSession, leaving: &Leaving) {
        let (inner, now, pepper) = (&*self.inner, leaving.now, leaving.pepper);
        let (needs, ends) = (session.needs(pepper, now), session.is_proven_by(pepper, now));
        match inner.believed(session) {
            Ok(_) if !needs => {}
            Ok(mut session) if !ends => {
                session.version += 1;
                write.update.push(session.seal(&inner.peppers));
            }
            Err(row)
                if !needs
                    && (row.record.ended_at.is_some() || leaving.cannot_tell(inner, &row)) => {}
            session => Self::end_in(inner, write, session, SessionEnd::LogOut, now),
        }
    }
}

/// The pepper that sessions are to leave.
struct Leaving {
    pepper: u32,
    now: u64,
    /// The peppers that the store was used with.
    elsewhere: Vec<u32>,
}

impl Leaving {
    /// Whether the row is sealed under a pepper that others have and this process has not.
    fn cannot_tell(&self, inner: &Inner, row: &StoredSession) -> bool {
        !inner.peppers.contains(row.seal_pepper) && self.elsewhere.contains(&row.seal_pepper)
    }
}
