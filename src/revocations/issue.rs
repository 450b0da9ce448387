//! When a token was issued, compared with what was revoked: by the number of the feed, which our
//! own access tokens say in the claim [`ISSUE_CLAIM`], or else by the clock.

use super::Revocations;
use super::check::signed;
use super::table::Entry;
use crate::base::b62;
use crate::error::Result;
use crate::jwt::PresentedToken;

/// The private claim of an access token that says how far the feed of revocations was when it was
/// issued: `<feed>.<number>`, where the feed is six letters and digits.
pub(crate) const ISSUE_CLAIM: &str = "gkn";

/// The digits of a feed in base 62.
const FEED: usize = 6;

fn name_of(feed: u64) -> [u8; FEED] {
    b62::write(u128::from(feed % 62_u64.pow(6)))
}

impl Revocations {
    /// What a token that is issued now says of the feed; `None` if the feed cannot be told from
    /// others.
    pub(crate) fn issue(&self) -> Result<Option<String>> {
        self.refresh()?;
        let place = self.0.feed.place();
        Ok(place.map(|(feed, number)| {
            let name: String = name_of(feed).into_iter().map(char::from).collect();
            format!("{name}.{number}")
        }))
    }
}

/// When a token was issued.
pub(super) struct Issue {
    /// `iat`, in seconds since the Unix epoch.
    seconds: i64,
    leeway: i64,
    /// The number of the feed, if the token says one of this feed.
    number: Option<u64>,
}

impl Issue {
    pub(super) fn of(token: &PresentedToken<'_>, place: Option<(u64, u64)>) -> Self {
        let number = place.and_then(|(feed, _)| {
            let claim = token.claim(ISSUE_CLAIM)?.as_str()?;
            let (name, number) = claim.split_once('.')?;
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            (name.as_bytes() == name_of(feed) && is_number).then(|| number.parse().ok())?
        });
        let seconds = token.issued_at().unwrap_or(i64::MIN);
        Self { seconds, leeway: signed(token.leeway()), number }
    }

    /// Whether the token was issued after this was revoked; `None` if only the clock can tell.
    pub(super) fn is_after(&self, entry: Entry) -> Option<bool> {
        let known = (1..Entry::MOST).contains(&entry.other);
        self.number.filter(|_| known).map(|number| number >= entry.other)
    }

    /// Whether the clock says that it was issued before. One that is dated ahead of its time, by as
    /// much as is let pass, was.
    pub(super) fn is_dated_before(&self, entry: Entry) -> bool {
        self.seconds < signed(entry.time).saturating_add(self.leeway)
    }
}
