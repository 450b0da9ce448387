//! Checks a token's type and claims against a policy: `exp == now` is expired, `nbf == now` is
//! valid. Refuses without allocating.

use super::policy::{Policy, Rule, WantedSubject};
use super::registered::{Registered, Scan, audiences};
use super::revoked::PresentedToken;
use crate::base::clock::{Clock as _, SystemClock, date_at, plausible, plausible_nanos};
use crate::base::json::Str;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::Key;
use crate::jws;
use std::cell::Cell;

impl Policy {
    /// Whether the header's `typ` is acceptable (RFC 8725 section 3.11).
    pub(super) fn check_type(&self, typ: Option<Str<'_>>) -> Result<()> {
        const LONGEST: usize = 256;
        if self.typ.ignored {
            return Ok(());
        }
        let Some(typ) = typ else {
            let fine = self.typ.expected.is_empty() || self.allow_missing_type;
            return if fine { Ok(()) } else { Err(NO_TYPE) };
        };
        let mut buffer = [0; LONGEST];
        let typ = typ.decode_in(&mut buffer).ok_or(WRONG_TYPE)?;
        if self.typ.expected.is_empty() {
            return match jws::same_media_type(typ, "JWT") {
                _ if self.allow_missing_type => Err(WRONG_TYPE),
                true => Ok(()),
                false => Err(UNMENTIONED_TYPE),
            };
        }
        let expected = self.typ.expected.iter().any(|expected| jws::same_media_type(typ, expected));
        if expected { Ok(()) } else { Err(WRONG_TYPE) }
    }

    /// Checks claims whose signature is good by `key`; `issuer` and `audience` are the rules that
    /// hold for the issuer at hand.
    pub(super) fn check_claims(
        &self,
        claims: &Scan<'_>,
        issuer: &Rule,
        audience: &Rule,
        key: &Key,
    ) -> Result<()> {
        let clock = self.clock.as_ref();
        let Some(list) = &self.revocations else {
            let now = clock.map_or_else(|| SystemClock.now(), |clock| clock.now());
            return self.check_each(claims, issuer, audience, plausible(now)?);
        };
        let (now_nanos, monotonic) = match clock {
            Some(clock) => (clock.now_nanos(), None),
            None => {
                let monotonic = SystemClock.monotonic();
                (date_at(monotonic), Some(monotonic))
            }
        };
        let now = plausible_nanos(now_nanos)?;
        let (leeway, notes) = (self.leeway, Cell::default());
        let (key, teller) = (Some(key), None);
        let token = PresentedToken { claims, key, teller, now_nanos, monotonic, leeway, notes };
        list.prepare(&token);
        self.check_each(claims, issuer, audience, now)?;
        list.check(&token)
    }

    fn check_each(
        &self,
        claims: &Scan<'_>,
        issuer: &Rule,
        audience: &Rule,
        now: u64,
    ) -> Result<()> {
        let Scan { registered, text, .. } = claims;
        self.check_dates(registered, now)?;
        let named = registered.issuer.and_then(|place| place.value(text).as_json_str());
        issuer.check(named.into_iter(), &ISSUER)?;
        if let Some(expected) = &self.subject {
            let subject = registered.subject.map(|place| place.value(text));
            let subject = subject.ok_or_else(|| NO_SUBJECT.about_claim("sub"))?;
            let is_it = match expected {
                WantedSubject::Text(expected) => {
                    subject.as_json_str().is_some_and(|subject| subject == **expected)
                }
                WantedSubject::Number(expected) => subject.as_i64() == Some(*expected),
            };
            if !is_it {
                return Err(WRONG_SUBJECT.about_claim("sub"));
            }
        }
        let named = registered.audience.map(|place| place.value(text));
        audience.check(named.into_iter().flat_map(audiences), &AUDIENCE)?;
        match self.required.get(claims.found.trailing_ones() as usize) {
            Some(missing) => Err(NO_REQUIRED_CLAIM.about_named_claim(missing)),
            None => self.claims.check(&claims.object),
        }
    }

    fn check_dates(&self, claims: &Registered, now: u64) -> Result<()> {
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        let (now, leeway) = (signed(now), signed(self.leeway));
        match claims.expires_at {
            Some(at) if at.saturating_add(leeway) <= now => return Err(EXPIRED.about_claim("exp")),
            None if !self.allow_missing_exp => return Err(NO_EXPIRY.about_claim("exp")),
            _ => {}
        }
        if claims.not_before.is_some_and(|at| at.saturating_sub(leeway) > now) {
            return Err(NOT_YET.about_claim("nbf"));
        }
        if claims.issued_at.is_some_and(|at| at.saturating_sub(leeway) > now) {
            return Err(FROM_THE_FUTURE.about_claim("iat"));
        }
        if let Some(max_age) = self.max_age {
            let at = claims.issued_at.ok_or_else(|| NO_ISSUE_DATE.about_claim("iat"))?;
            if at.saturating_add(leeway) < now.saturating_sub(signed(max_age)) {
                return Err(TOO_OLD.about_claim("iat"));
            }
        }
        Ok(())
    }
}

impl Rule {
    fn check<'a>(
        &self,
        mut values: impl Iterator<Item = Str<'a>>,
        refusals: &Refusals,
    ) -> Result<()> {
        if self.ignored {
            return Ok(());
        }
        let expected = |value: Str<'_>| self.expected.iter().any(|expected| value == **expected);
        let refusal = match values.next() {
            None if self.expected.is_empty() => return Ok(()),
            None => &refusals.missing,
            Some(_) if self.expected.is_empty() => &refusals.unmentioned,
            Some(first) if expected(first) || values.any(expected) => return Ok(()),
            Some(_) => &refusals.wrong,
        };
        Err(refusal.clone().about_claim(refusals.claim))
    }
}

/// The ways in which a claim can fail a rule.
struct Refusals {
    claim: &'static str,
    missing: Error,
    unmentioned: Error,
    wrong: Error,
}

static ISSUER: Refusals = Refusals {
    claim: "iss",
    missing: Error::new(
        ErrorKind::MissingClaim,
        "The token has no `iss` claim, and the policy expects one.",
    ),
    unmentioned: Error::new(
        ErrorKind::InvalidIssuer,
        "The token has an `iss` claim the policy says nothing about: expect an issuer, or ignore it.",
    ),
    wrong: Error::new(ErrorKind::InvalidIssuer, "The token's issuer is not an expected one."),
};
static AUDIENCE: Refusals = Refusals {
    claim: "aud",
    missing: Error::new(
        ErrorKind::MissingClaim,
        "The token has no `aud` claim, and the policy expects one.",
    ),
    unmentioned: Error::new(
        ErrorKind::InvalidAudience,
        "The token has an `aud` claim the policy says nothing about: expect an audience, or ignore it.",
    ),
    wrong: Error::new(ErrorKind::InvalidAudience, "The token is meant for another audience."),
};

const EXPIRED: Error = Error::new(ErrorKind::Expired, "The token has expired.");
const NO_EXPIRY: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `exp` claim; allow that in the policy if it is meant to live for ever.",
);
const NOT_YET: Error = Error::new(
    ErrorKind::NotYetValid,
    "The token is not valid yet (`nbf`): its issuer's clock is ahead of this one; set the clocks right, or allow a \
     `leeway`.",
);
const FROM_THE_FUTURE: Error = Error::new(
    ErrorKind::IssuedInFuture,
    "The token was issued in the future (`iat`): its issuer's clock is ahead of this one; set the clocks right, or \
     allow a `leeway`.",
);
const NO_ISSUE_DATE: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `iat` claim, and the policy limits its age.",
);
const TOO_OLD: Error = Error::new(ErrorKind::TooOld, "The token was issued too long ago (`iat`).");
const NO_SUBJECT: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `sub` claim, and the policy expects one.",
);
const WRONG_SUBJECT: Error =
    Error::new(ErrorKind::InvalidSubject, "The token's subject is not the expected one.");
const NO_REQUIRED_CLAIM: Error =
    Error::new(ErrorKind::MissingClaim, "The token lacks a claim that the policy requires.");
const NO_TYPE: Error =
    Error::new(ErrorKind::InvalidType, "The token has no `typ`, and the policy expects one.");
const UNMENTIONED_TYPE: Error = Error::new(
    ErrorKind::InvalidType,
    "The token's `typ` is not `JWT`, and the policy says nothing about it: expect the type, or ignore it.",
);
const WRONG_TYPE: Error =
    Error::new(ErrorKind::InvalidType, "The token's `typ` is not an expected one.");
