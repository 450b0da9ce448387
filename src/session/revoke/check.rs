//! A token against what has been revoked. Takes no lock; allocates only where a claim is written with
//! escapes.

use super::feed::Feed;
use super::{Inner, LEEWAY, Revocations};
use crate::base::clock::NANOS;
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::{PresentedToken, RevocationList};
use crate::store::RevocationKind::{All, Key, Session, Subject, Tenant, Token};

const REVOKED: Error = Error::new(ErrorKind::RevokedToken, "The token has been revoked.");

impl RevocationList for Revocations {
    fn prepare(&self, token: &PresentedToken<'_>) {
        let feed = &self.0.feed;
        feed.seen(token.now_nanos() / NANOS);
        // Once for both: the names as numbers, which is most of what a check costs.
        token.leave_notes([feed.token_as_number(token), feed.session_as_number(token)]);
    }

    fn check(&self, token: &PresentedToken<'_>) -> Result<()> {
        let inner = &*self.0;
        // One reading of the system's clock is enough for both.
        let now = match token.monotonic().filter(|_| inner.is_system) {
            Some(now) => now,
            None => inner.clock.monotonic(),
        };
        inner.be_fresh(now, token.now_nanos() / NANOS)?;
        inner.check_dates(token)?;
        inner.check_names(token)?;
        inner.check_before(token)
    }
}

impl Feed {
    /// Which token it is, if any were revoked and it can be told.
    #[inline]
    fn token_as_number(&self, token: &PresentedToken<'_>) -> Option<u64> {
        if !self.has(Token) {
            return None;
        }
        let token_id = token.token_id()?;
        Some(self.fetch(Token, &token.issuer().unwrap_or_default(), &token_id))
    }

    /// Which session it is of, if any were revoked and it can be told.
    #[inline]
    fn session_as_number(&self, token: &PresentedToken<'_>) -> Option<u64> {
        if !self.has(Session) {
            return None;
        }
        Some(self.fetch(Session, "", &token.session_id().ok()??))
    }
}

impl Inner {
    /// Whether everything that might have been revoked about the token is still remembered.
    fn check_dates(&self, token: &PresentedToken<'_>) -> Result<()> {
        let issued_at = token.issued_at().ok_or_else(|| NO_ISSUE_DATE.about_claim("iat"))?;
        let expires_at = token.expires_at().ok_or_else(|| NO_EXPIRY.about_claim("exp"))?;
        if expires_at.saturating_sub(issued_at) > signed(self.max_token_ttl) {
            return Err(LIVES_TOO_LONG.about_claim("exp"));
        }
        let now = token.now_nanos() / NANOS;
        let latest = signed(self.feed.seen(now));
        let has_expired = expires_at.saturating_add(signed(token.leeway())) <= latest
            || expires_at.saturating_add(signed(LEEWAY)) <= signed(self.feed.horizon());
        if has_expired { Err(EXPIRED.about_claim("exp")) } else { Ok(()) }
    }

    fn check_names(&self, token: &PresentedToken<'_>) -> Result<()> {
        let feed = &self.feed;
        let [of_token, of_session] = token.notes();
        // What was not there a moment ago may have come with the last look.
        let of_token = of_token.or_else(|| feed.token_as_number(token));
        refuse_if(of_token.is_some_and(|hash| feed.is_named(hash)))?;
        if feed.has(Session) {
            token.session_id()?;
            let of_session = of_session.or_else(|| feed.session_as_number(token));
            refuse_if(of_session.is_some_and(|hash| feed.is_named(hash)))?;
        }
        if feed.has(Key) {
            refuse_if(feed.is_named(feed.fetch(Key, "", token.key_id())))?;
        }
        Ok(())
    }

    fn check_before(&self, token: &PresentedToken<'_>) -> Result<()> {
        let feed = &self.feed;
        let issued_at = token.issued_at().unwrap_or(i64::MIN);
        let is_before = |time: Option<u64>| time.is_some_and(|time| issued_at < signed(time));
        if feed.has(Subject)
            && let Some(subject) = token.subject()
        {
            refuse_if(is_before(feed.before(Subject, &subject)))?;
        }
        if feed.has(Tenant)
            && let Some(tenant) = token.claim(&self.tenant_claim)
        {
            // Numbers are tenants, too.
            let tenant = tenant.as_str().unwrap_or_else(|| tenant.raw().into());
            refuse_if(is_before(feed.before(Tenant, &tenant)))?;
        }
        if feed.has(All) {
            refuse_if(is_before(feed.before(All, "")))?;
        }
        Ok(())
    }
}

#[inline]
fn refuse_if(is_revoked: bool) -> Result<()> {
    if is_revoked { Err(REVOKED) } else { Ok(()) }
}

#[inline]
fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

const NO_ISSUE_DATE: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `iat` claim, without which nobody knows whether it was revoked.",
);
const NO_EXPIRY: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `exp` claim, without which nobody knows whether it was revoked.",
);
const LIVES_TOO_LONG: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The token lives longer than revocations are remembered; raise max_token_ttl if that is meant.",
);
const EXPIRED: Error =
    Error::new(ErrorKind::Expired, "The token had expired before the clock stepped back.");
