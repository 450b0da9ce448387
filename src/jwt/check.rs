//! Checks a token's type and claims against a policy: `exp == now` is expired, `nbf == now` is
//! valid. Refuses without allocating.

use super::policy::{Policy, Rule, WantedSubject};
use super::registered::{Registered, Scan, audiences};
use super::revoked::PresentedToken;
use crate::base::clock::{
    Clock as _, MILLISECONDS, SystemClock, date_at, plausible, plausible_nanos,
};
use crate::base::json::Str;
use crate::error::{Error, ErrorKind, Remedy, Result};
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
        let expected = &self.typ.expected;
        let Some(typ) = typ else {
            let fine = expected.is_empty() || self.allow_missing_type;
            return if fine { Ok(()) } else { Err(NO_TYPE.expecting("typ", NOTHING, expected)) };
        };
        let refuse = |refusal: Error| Err(refusal.expecting("typ", Some(typ.chars()), expected));
        let mut buffer = [0; LONGEST];
        let Some(name) = typ.decode_in(&mut buffer) else { return refuse(WRONG_TYPE) };
        if expected.is_empty() {
            return match jws::same_media_type(name, "JWT") {
                _ if self.allow_missing_type => refuse(WRONG_TYPE),
                true => Ok(()),
                false => refuse(UNMENTIONED_TYPE.remedied(Remedy::SayType)),
            };
        }
        let is_it = expected.iter().any(|expected| jws::same_media_type(name, expected));
        if is_it { Ok(()) } else { refuse(WRONG_TYPE) }
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
        let refuse = |refusal: Error, claim, at: i64| {
            Err(refusal.dated(claim, at.saturating_sub(now), ("leeway", self.leeway)))
        };
        match claims.expires_at {
            Some(at) if at.saturating_add(leeway) <= now => return refuse(EXPIRED, "exp", at),
            None if !self.allow_missing_exp => return Err(NO_EXPIRY.about_claim("exp")),
            _ => {}
        }
        let is_early = |at: &i64| at.saturating_sub(leeway) > now;
        if let Some(at) = claims.not_before.filter(is_early) {
            let milliseconds = IN_MILLISECONDS.with_kind(ErrorKind::NotYetValid);
            return refuse(if at < MILLISECONDS { NOT_YET } else { milliseconds }, "nbf", at);
        }
        if let Some(at) = claims.issued_at.filter(is_early) {
            return refuse(
                if at < MILLISECONDS { FROM_THE_FUTURE } else { IN_MILLISECONDS },
                "iat",
                at,
            );
        }
        if let Some(max_age) = self.max_age {
            let at = claims.issued_at.ok_or_else(|| NO_ISSUE_DATE.about_claim("iat"))?;
            if at.saturating_add(leeway) < now.saturating_sub(signed(max_age)) {
                return Err(TOO_OLD.dated("iat", at.saturating_sub(now), ("max_age", max_age)));
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
        let Refusals { claim, missing, unmentioned, but_for_a_slash, wrong } = refusals;
        let expected = |value: Str<'_>| self.expected.iter().any(|expected| value == **expected);
        let (refusal, first) = match values.next() {
            None if self.expected.is_empty() => return Ok(()),
            None => (missing, None),
            Some(first) if self.expected.is_empty() => (unmentioned, Some(first)),
            Some(first) if expected(first) || values.any(expected) => return Ok(()),
            Some(first) if self.differs_by_a_slash(first) => (but_for_a_slash, Some(first)),
            Some(first) => (wrong, Some(first)),
        };
        Err(refusal.clone().expecting(claim, first.map(|first| first.chars()), &self.expected))
    }

    /// Whether the value is an expected one but for slashes at the end.
    #[cold]
    pub(super) fn differs_by_a_slash(&self, value: Str<'_>) -> bool {
        let mut buffer = [0; 1024];
        let value = value.decode_in(&mut buffer);
        value.is_some_and(|value| {
            self.expected.iter().any(|one| is_same_but_for_a_slash(value, one))
        })
    }
}

/// Whether two different names are the same without the slashes at their ends.
pub(super) fn is_same_but_for_a_slash(one: &str, other: &str) -> bool {
    one != other && one.trim_end_matches('/') == other.trim_end_matches('/')
}

const NOTHING: Option<std::str::Chars<'_>> = None;

/// The ways in which a claim can fail a rule.
struct Refusals {
    claim: &'static str,
    missing: Error,
    unmentioned: Error,
    but_for_a_slash: Error,
    wrong: Error,
}

static ISSUER: Refusals = Refusals {
    claim: "iss",
    missing: Error::new(
        ErrorKind::MissingClaim,
        "The token has no `iss` claim, and one is demanded (`issuer`).",
    ),
    unmentioned: Error::new(
        ErrorKind::InvalidIssuer,
        "The token has an `iss` claim, and no issuer is expected.",
    )
    .remedied(Remedy::SayIssuer),
    but_for_a_slash: Error::new(
        ErrorKind::InvalidIssuer,
        "The token's issuer differs from the expected one by a slash at the end: write it as the token does.",
    ),
    wrong: Error::new(ErrorKind::InvalidIssuer, "The token's issuer is not an expected one."),
};
static AUDIENCE: Refusals = Refusals {
    claim: "aud",
    missing: Error::new(
        ErrorKind::MissingClaim,
        "The token has no `aud` claim, and one is demanded (`audience`).",
    ),
    unmentioned: Error::new(
        ErrorKind::InvalidAudience,
        "The token has an `aud` claim, and no audience is expected.",
    )
    .remedied(Remedy::SayAudience),
    but_for_a_slash: Error::new(
        ErrorKind::InvalidAudience,
        "The token's audience differs from the expected one by a slash at the end: write it as the token does.",
    ),
    wrong: Error::new(ErrorKind::InvalidAudience, "The token is meant for another audience."),
};

const EXPIRED: Error =
    Error::new(ErrorKind::Expired, "The token has expired.").remedied(Remedy::GetNewToken);
const NO_EXPIRY: Error = Error::new(ErrorKind::MissingClaim, "The token has no `exp` claim.")
    .remedied(Remedy::AllowMissingExp);
const NOT_YET: Error = Error::new(
    ErrorKind::NotYetValid,
    "The token is not valid yet: its issuer's clock is ahead of this one, or it is for later.",
)
.remedied(Remedy::AllowLeeway);
const FROM_THE_FUTURE: Error = Error::new(
    ErrorKind::IssuedInFuture,
    "The token was issued in the future: its issuer's clock is ahead of this one.",
)
.remedied(Remedy::AllowLeeway);
const IN_MILLISECONDS: Error = Error::new(
    ErrorKind::IssuedInFuture,
    "The date is in milliseconds: have the issuer write whole seconds since 1970 (NumericDate, RFC 7519 section 2).",
);
const NO_ISSUE_DATE: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `iat` claim, which gives its age (`max_age`).",
);
const TOO_OLD: Error = Error::new(ErrorKind::TooOld, "The token was issued too long ago.");
const NO_SUBJECT: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `sub` claim, and one is demanded (`subject`).",
);
const WRONG_SUBJECT: Error =
    Error::new(ErrorKind::InvalidSubject, "The token's `sub` is not the one expected (`subject`).");
const NO_REQUIRED_CLAIM: Error =
    Error::new(ErrorKind::MissingClaim, "The token lacks a claim that is demanded (`required`).");
const NO_TYPE: Error =
    Error::new(ErrorKind::InvalidType, "The token has no `typ`, and one is demanded.");
const UNMENTIONED_TYPE: Error =
    Error::new(ErrorKind::InvalidType, "The token's type is not JWT, and no other is expected.");
const WRONG_TYPE: Error =
    Error::new(ErrorKind::InvalidType, "The token's type is not an expected one.");
