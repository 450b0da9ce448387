//! How long ago a refresh token was used, where the clocks are not to be trusted: a clock alone ends no session for good.

use crate::base::pace::Dates;
use crate::store::StoredSession;

/// For how many milliseconds a refresh token that was used gives the same answer again.
pub(super) struct Grace(pub(super) u64);

/// Since the refresh token before the one that is good now was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// No longer than the grace.
    Within,
    /// Longer, by every date that may be right.
    Over,
    /// The dates do not fit together.
    Unknown,
}

impl Grace {
    /// What the row says of when it was refreshed, besides the seconds: nothing exact, if the clock cannot be right,
    /// or that which has dated the row before.
    pub(super) fn moment(&self, session: &StoredSession, dates: &Dates, now_ms: u64) -> u16 {
        let went_back = dates.is_behind && (dates.latest - dates.now).saturating_mul(1000) > self.0;
        let ran_ahead = dates.surely < dates.now;
        let is_before = now_ms.saturating_add(self.0.max(1000)) < seen_ms(session);
        if went_back || ran_ahead || is_before { StoredSession::NO_MOMENT } else { millis(now_ms) }
    }

    /// How long ago the row was refreshed: by the clock, and by what is believed of it.
    pub(super) fn of(&self, session: &StoredSession, dates: &Dates, now_ms: u64) -> Since {
        if self.0 == 0 {
            return Since::Over;
        }
        let seen = seen_ms(session);
        let fraction = now_ms % 1000;
        let possible = [dates.now, dates.surely].map(|date| date * 1000 + fraction);
        if possible.iter().any(|date| date.abs_diff(seen) <= self.0) {
            return Since::Within;
        }
        let is_unsure = session.last_seen_ms == StoredSession::NO_MOMENT;
        if is_unsure || possible.iter().any(|date| *date < seen) {
            Since::Unknown
        } else {
            Since::Over
        }
    }
}

/// When the row was refreshed, in milliseconds since the Unix epoch.
fn seen_ms(session: &StoredSession) -> u64 {
    session.record.last_seen_at.saturating_mul(1000).saturating_add(session.last_seen_ms.into())
}

/// The part of a time that is not whole seconds.
pub(super) fn millis(now_ms: u64) -> u16 {
    u16::try_from(now_ms % 1000).unwrap_or(0)
}
