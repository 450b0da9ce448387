//! What must end when a store is put back from a backup: nobody knows who has logged out since.

use super::admin::LEEWAY;
use super::revoke::RevokeScope;
use super::sessions::Sessions;
use crate::error::{ErrorKind, Result};
use crate::store::{SessionEnd, SessionFilter, SessionWrite};

/// How often a page is tried that others keep changing.
const TRIES: usize = 32;

impl Sessions {
    /// Ends all sessions that were started before the time `at`, and revokes all access tokens that were issued
    /// before it; how many sessions.
    pub(crate) fn end_before(&self, at: u64) -> Result<u64> {
        let inner = &*self.inner;
        inner.revocations.revoke_before(at, RevokeScope::All)?;
        let now = inner.now()?;
        let mut filter = SessionFilter {
            live_at: Some(now.saturating_sub(LEEWAY)),
            limit: 1000,
            ..SessionFilter::default()
        };
        let (mut ended, mut overtaken) =
            (self.end_unreadable(None, SessionEnd::LogOutEverywhere)?, 0);
        loop {
            let page = inner.store.sessions(&filter)?;
            let mut write = SessionWrite::default();
            for session in page.records {
                let session = inner.believed(session);
                if session.as_ref().map_or(true, |session| session.record.created_at < at) {
                    let everywhere = SessionEnd::LogOutEverywhere;
                    Self::end_in(inner, &mut write, session, everywhere, now);
                }
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
}
