//! How long ago a refresh token was used, where the clocks are not to be trusted: a clock alone
//! ends no session for good.

use crate::base::pace::Dates;
use crate::store::StoredSession;

/// For how many milliseconds a refresh token that was used gives the same answer again.
pub(super) struct Grace(pub(super) u64);

/// Since the refresh token before the one that is good now was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// No longer than the grace, by this date in seconds since the Unix epoch.
    Within(u64),
    /// Longer, by every date that may be right.
    Over,
    /// The dates do not fit together.
    Unknown,
}

impl Grace {
    /// What the row says of when it was refreshed, apart from the seconds: nothing exact, if the
    /// clock cannot be right, or that which has dated the row before.
    pub(super) fn moment(&self, session: &StoredSession, dates: &Dates, now_ms: u64) -> u16 {
        let went_back = dates.is_behind && (dates.latest - dates.now).saturating_mul(1000) > self.0;
        if dates.ran_ahead() {
            StoredSession::DATED_AHEAD
        } else if went_back || self.is_before(session, now_ms) {
            StoredSession::NO_MOMENT
        } else {
            millis(now_ms)
        }
    }

    /// Whether the row was dated later than now, by more than clocks that agree may differ.
    pub(super) fn is_before(&self, session: &StoredSession, now_ms: u64) -> bool {
        now_ms.saturating_add(self.0.max(1000)) < seen_ms(session)
    }

    /// How long ago the row was refreshed: by the clock and, if that ran ahead, by what is believed
    /// of it, which is known to a second or two.
    pub(super) fn of(&self, session: &StoredSession, dates: &Dates, now_ms: u64) -> Since {
        if self.0 == 0 {
            return Since::Over;
        }
        let (seen, moment) = (seen_ms(session), session.last_seen_ms);
        let by = |date: u64| date * 1000 + now_ms % 1000;
        // The date of a clock that ran ahead comes true one day.
        let may_be_within = moment != StoredSession::DATED_AHEAD || dates.ran_ahead();
        let within = [dates.now, dates.surely]
            .into_iter()
            .find(|date| may_be_within && by(*date).abs_diff(seen) <= self.0);
        if let Some(date) = within {
            return Since::Within(date);
        }
        let is_close = dates.ran_ahead() && by(dates.surely).abs_diff(seen) <= self.0 + 2000;
        if is_close || moment >= StoredSession::NO_MOMENT || by(dates.surely) < seen {
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
