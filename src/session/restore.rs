//! What must end when a store is put back from a backup: it is not known who has logged out since.

use super::sessions::Sessions;
use crate::base::pace::Cutoff;
use crate::error::Result;
use crate::revocations::RevokeScope;
use crate::store::{SessionEnd, SessionFilter, SessionWrite};

impl Sessions {
    /// Ends all sessions that were started before that time, those that have expired as well,
    /// because a clock alone may say so; and revokes all access tokens that were issued before it.
    /// How many sessions.
    pub(crate) fn end_before(&self, cutoff: Cutoff) -> Result<u64> {
        let inner = &*self.inner;
        inner.revocations.revoke_before(cutoff.at, RevokeScope::All)?;
        let now = inner.now()?;
        let filter = SessionFilter { limit: 1000, ..SessionFilter::default() };
        let everywhere = SessionEnd::LogOutEverywhere;
        let ended = self.end_unreadable(None, everywhere)?;
        let each = |write: &mut SessionWrite, session| match inner.believed(session) {
            // Whatever its dates say.
            Err(row) => self.end_altered(write, row, everywhere, now),
            Ok(session) => {
                if session.record.ended_at.is_none() && cutoff.is_before(session.record.created_at)
                {
                    Self::end_in(inner, write, Ok(session), everywhere, now);
                }
                Ok(())
            }
        };
        Ok(ended + self.end_each(filter, each)?)
    }
}
