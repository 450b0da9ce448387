//! Sessions and old peppers: what ends on the day that one has leaked.

use super::sessions::Sessions;
use crate::base::pace::Dates;
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{SessionEnd, SessionFilter, SessionWrite, StoredSession};
use std::cell::Cell;

/// How often a page is tried that others keep changing.
const TRIES: usize = 32;

impl Sessions {
    /// Ends every session whose refresh token was made under this pepper, and revokes its access
    /// tokens: for the day that an old pepper has leaked, because with it and a copy of the store
    /// such tokens can be made. How many sessions.
    ///
    /// Sessions that were refreshed since a newer pepper came stay, if that is more than a minute
    /// ago: until then the token before, which the old pepper makes, may be good within the grace.
    /// Rows of sessions that are over are sealed again, so that afterwards no session needs the
    /// pepper. Those whose rows were altered from outside, whatever pepper they and dates they
    /// name, or cannot be read, are ended as well: it is not known which pepper was theirs.
    /// [`crate::ApiKeys::wrap_peppers`] does the like for API keys.
    ///
    /// # Errors
    /// `InvalidArgument`: the pepper is the newest one, under which sessions would begin again; add
    /// another first. `WrongPepper`: it is not at hand; or rows are sealed under another one of the
    /// store's that is not, so that it cannot be known here whether they were altered: these stay,
    /// and all others are done. Those of [`crate::store::Backend`]; what was ended by then stays
    /// ended, and a second call continues.
    pub fn end_under_pepper(&self, pepper: u32) -> Result<u64> {
        self.check_open()?;
        let inner = &*self.inner;
        inner.store.stamp()?; // what was closed says so, whatever the pepper
        if pepper == inner.peppers.active() {
            return Err(argument(
                "Sessions begin under this pepper, the newest; add another one first.",
            ));
        }
        if !inner.peppers.contains(pepper) {
            return Err(Error::from(ErrorKind::WrongPepper).about_secret("pepper", pepper));
        }
        let ended = self.end_unreadable(None, SessionEnd::LogOut)?;
        let dates = inner.dates()?;
        let checks = inner.store.pepper_checks()?;
        let is_elsewhere = |pepper| {
            !inner.peppers.contains(pepper) && checks.iter().any(|check| check.pepper == pepper)
        };
        let undecided = Cell::new(None);
        let every = SessionFilter { limit: 1000, ..SessionFilter::default() };
        let ended = ended
            + self.end_each(every, |write, session| {
                if !session.needs(pepper, dates.surely) && is_elsewhere(session.seal_pepper) {
                    undecided.set(Some(session.seal_pepper));
                    return Ok(());
                }
                self.leave_pepper(write, session, pepper, dates)
            })?;
        match undecided.get() {
            Some(number) => Err(UNDECIDED.about_secret("pepper", number)),
            None => Ok(ended),
        }
    }

    /// Changes the sessions of a filter as `change` says, a page at a time; how many were ended.
    pub(super) fn end_each(
        &self,
        mut filter: SessionFilter,
        change: impl Fn(&mut SessionWrite, StoredSession) -> Result<()>,
    ) -> Result<u64> {
        let inner = &*self.inner;
        let (mut ended, mut overtaken) = (0, 0);
        loop {
            let page = inner.store.sessions(&filter)?;
            let mut write = SessionWrite::default();
            for session in page.records {
                change(&mut write, session)?;
            }
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
    fn leave_pepper(
        &self,
        write: &mut SessionWrite,
        session: StoredSession,
        pepper: u32,
        Dates { now, surely, .. }: Dates,
    ) -> Result<()> {
        let inner = &*self.inner;
        let (needs, ends) = (session.needs(pepper, surely), session.is_proven_by(pepper, surely));
        match inner.believed(session) {
            Err(row) => return self.end_altered(write, row, SessionEnd::LogOut, now),
            Ok(_) if !needs => {}
            Ok(mut session) if !ends => {
                session.version += 1;
                write.update.push(session.seal(&inner.peppers));
            }
            session => Self::end_in(inner, write, session, SessionEnd::LogOut, now),
        }
        Ok(())
    }

    /// Ends the session of a row that is not believed, whatever that says of peppers and dates: who
    /// has altered it may give back what was there. Not if that was done before, and is remembered.
    pub(super) fn end_altered(
        &self,
        write: &mut SessionWrite,
        row: Box<StoredSession>,
        end: SessionEnd,
        now: u64,
    ) -> Result<()> {
        if !self.inner.revocations.has_session(&row.record.family)? {
            Self::end_in(&self.inner, write, Err(row), end, now);
        }
        Ok(())
    }
}

const UNDECIDED: Error = Error::new(
    ErrorKind::WrongPepper,
    "Sessions are sealed under a pepper that was not given, and stay; all others are done. Give all peppers, and \
     call again.",
);
