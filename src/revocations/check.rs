//! A token against what has been revoked. Takes no lock; allocates only where a claim is written
//! with escapes.

use super::feed::Feed;
use super::issue::Issue;
use super::table::Entry;
use super::{Inner, NUMERIC, Revocations};
use crate::base::clock::NANOS;
use crate::base::json;
use crate::base::text::is_plain;
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::{PresentedToken, RevocationList, SeenOnce};
use crate::store::RevocationKind::{
    self, All, AllSoFar, Key, Session, Subject, SubjectSoFar, Tenant, TenantSoFar, Token,
};

const REVOKED: Error = Error::new(ErrorKind::RevokedToken, "The token has been revoked.");

impl RevocationList for Revocations {
    fn check_open(&self) -> Result<()> {
        Self::check_open(self)
    }

    fn prepare(&self, token: &PresentedToken<'_>) {
        let feed = &self.0.feed;
        feed.latest.note(token.now_nanos() / NANOS);
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
        if let Some(claim) = token.unnamable_claim() {
            return Err(UNNAMABLE.about_claim(claim));
        }
        inner.check_names(token)?;
        inner.check_before(token)
    }
}

/// Log-ins that have been finished are remembered like tokens that are good for one use.
impl SeenOnce for Revocations {
    fn seen_once(&self, issuer: &str, id: &str, expires_at: u64) -> Result<bool> {
        Self::seen_once(self, issuer, id, expires_at)
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

    /// What was revoked of this name: before a time, and what there was so far.
    #[inline]
    fn befores(&self, kinds: [RevocationKind; 2], name: &str) -> [Option<Entry>; 2] {
        self.befores_of(kinds, "", name)
    }

    /// The same; of a subject that is a number the issuer is [`NUMERIC`].
    #[inline]
    fn befores_of(
        &self,
        [dated, so_far]: [RevocationKind; 2],
        issuer: &str,
        name: &str,
    ) -> [Option<Entry>; 2] {
        let entry = |kind| if self.has(kind) { self.before(kind, issuer, name) } else { None };
        [entry(dated), entry(so_far)]
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
        let leeway = signed(token.leeway());
        if self.feed.latest.has_passed(issued_at, expires_at.saturating_add(leeway)) {
            return Err(EXPIRED.about_claim("exp"));
        }
        // What is dated ahead of its time, by as much as is let pass, is not younger for it.
        let horizon = self.feed.horizon();
        if horizon > 0 && issued_at < signed(horizon).saturating_add(leeway) {
            return Err(FORGOTTEN.about_claim("iat"));
        }
        Ok(())
    }

    fn check_names(&self, token: &PresentedToken<'_>) -> Result<()> {
        let feed = &self.feed;
        let [of_token, of_session] = token.notes();
        // What was not there a moment ago may have come with the last look.
        let of_token = of_token.or_else(|| feed.token_as_number(token));
        refuse_if(of_token.is_some_and(|hash| feed.is_named(hash)))?;
        if feed.has_of_any_issuer()
            && let Some(token_id) = token.token_id()
        {
            refuse_if(feed.is_named(feed.fetch(Token, "", &token_id)))?;
        }
        if feed.has(Session) {
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
        if feed.has(Subject) || feed.has(SubjectSoFar) {
            let subject = token.subject();
            let found = subject.map(|name| feed.befores([Subject, SubjectSoFar], &name));
            refuse_if(found.is_some_and(|found| self.means(found, token)))?;
            if let Some(number) = token.numeric_subject() {
                let found = feed.befores_of([Subject, SubjectSoFar], NUMERIC, &number.to_string());
                refuse_if(self.means(found, token))?;
            }
        }
        if (feed.has(Tenant) || feed.has(TenantSoFar))
            && let Some(tenant) = token.claim(&self.tenant_claim)
        {
            // Numbers are tenants, too, in the one form in which they can be named: 7.0 and 70e-1
            // are no 7.
            let name = match tenant.kind() {
                json::Kind::Number if is_whole(tenant.raw()) => tenant.raw().into(),
                _ => tenant.as_str().filter(|name| is_plain(name, 1024)).ok_or(NO_TENANT)?,
            };
            refuse_if(self.means(feed.befores([Tenant, TenantSoFar], &name), token))?;
        }
        if feed.has(All) || feed.has(AllSoFar) {
            refuse_if(self.means(feed.befores([All, AllSoFar], ""), token))?;
        }
        Ok(())
    }

    /// Whether the token is one of those that were revoked by the time of their issue.
    #[inline]
    fn means(&self, found: [Option<Entry>; 2], token: &PresentedToken<'_>) -> bool {
        found != [None; 2] && self.means_one(found, token)
    }

    #[cold]
    fn means_one(&self, [dated, so_far]: [Option<Entry>; 2], token: &PresentedToken<'_>) -> bool {
        let issue = Issue::of(token, self.feed.place());
        dated.is_some_and(|entry| {
            !issue.is_after(entry).unwrap_or(false) && issue.is_dated_before(entry)
        }) || so_far.is_some_and(|entry| {
            issue.is_after(entry).map_or_else(|| issue.is_dated_before(entry), |after| !after)
        })
    }
}

/// Whether a JSON number is a whole one that is written in the usual way, of at most 1024 digits.
fn is_whole(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|digit| digit.is_ascii_digit()) && number != "-0" && number.len() <= 1024
}

#[inline]
fn refuse_if(is_revoked: bool) -> Result<()> {
    if is_revoked { Err(REVOKED) } else { Ok(()) }
}

#[inline]
pub(super) fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

const NO_ISSUE_DATE: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `iat` claim, without which it is not known whether it was revoked.",
);
const NO_EXPIRY: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `exp` claim, without which it is not known whether it was revoked.",
);
const LIVES_TOO_LONG: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The token lives longer than revocations are remembered; raise max_token_ttl if that is meant.",
);
const UNNAMABLE: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The claim is not a string of 1 to 1024 bytes without control characters, so nothing could be revoked by it.",
);
const NO_TENANT: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The tenant is not a whole number in digits alone, or a string of 1 to 1024 bytes, so it is not known whether the token was revoked.",
);
const EXPIRED: Error =
    Error::new(ErrorKind::Expired, "The token had expired before the clock stepped back.");
const FORGOTTEN: Error = Error::new(
    ErrorKind::Expired,
    "The token is from before a time of which revocations have been forgotten; log in again.",
);
