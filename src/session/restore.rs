//! What must end when a store is put back from a backup: nobody knows who has logged out since.

use super::admin::LEEWAY;
use super::sessions::Sessions;
use crate::base::pace::Dates;
use crate::error::Result;
use crate::revocations::RevokeScope;
use crate::store::{SessionEnd, SessionFilter, SessionWrite};

impl Sessions {
    /// Ends all sessions that were started before the time `at`, and revokes all access tokens that were issued
    /// before it; how many sessions.
    pub(crate) fn end_before(&self, at: u64) -> Result<u64> {
        let inner = &*self.inner;
        inner.revocations.revoke_before(at, RevokeScope::All)?;
        let Dates { now, surely, .. } = inner.dates()?;
        let live_at = surely.saturating_sub(LEEWAY);
        let filter = SessionFilter { limit: 1000, ..SessionFilter::default() };
        let everywhere = SessionEnd::LogOutEverywhere;
        let ended = self.end_unreadable(None, everywhere)?;
        let each = |write: &mut SessionWrite, session| match inner.believed(session) {
            // Whatever its dates say.
            Err(row) => self.end_altered(write, row, everywhere, now),
            Ok(session) => {
                if session.record.is_live(live_at) && session.record.created_at < at {
                    Self::end_in(inner, write, Ok(session), everywhere, now);
                }
                Ok(())
            }
        };
        Ok(ended + self.end_each(filter, each)?)
    }
}
