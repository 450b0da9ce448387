//! `FormerTokens`: the access tokens of what a service had before, taken until a date. They are
//! signed with a key of the service's own, say by a claim that they are access tokens, and name
//! their user by a claim of their own.
//!
//! Refused: all of them from the date on; a user who is no text and no whole number; a user for
//! whom the program has not said, in this very request, that it is active: such tokens outlive
//! what became of their user.

use super::builder::ResourceServerBuilder;
use super::claims::{Told, text_or_number};
use super::issuers::Issuer;
use super::rule::DoorRule;
use crate::base::clock::{Clock, plausible};
use crate::base::text::is_plain;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::KeySource;
use crate::jwt::{Claims, RevocationList, Verified, check_introspected};
use std::fmt;
use std::sync::Arc;

/// The longest name of a user, in bytes: as long as a subject.
const LONGEST: usize = 255;

/// The access tokens of what a service had before, such as a library that signs with one secret.
/// They are taken until a date, of users whom the program has looked up in that very request
/// ([`Request::user`](crate::guard::Request::user)).
#[derive(Clone)]
#[must_use]
pub struct FormerTokens {
    keys: Arc<dyn KeySource>,
    user_claim: String,
    until: u64,
    rule: DoorRule,
    /// Whether a claim is demanded that tells access tokens from others.
    is_told_apart: bool,
    pub(super) issuer: Option<String>,
}

impl FormerTokens {
    /// Tokens that these keys have signed, of the user that this claim names. `until` is the date
    /// from which on none of them is taken, in seconds since the Unix epoch.
    pub fn new(keys: Arc<dyn KeySource>, user_claim: impl Into<String>, until: u64) -> Self {
        let rule = DoorRule::new().token_type("JWT").allow_missing_type().leeway(0);
        let user_claim = user_claim.into();
        Self { keys, user_claim, until, rule, is_told_apart: false, issuer: None }
    }

    /// A claim that tells access tokens from refresh tokens and others, and its value as JSON text:
    /// at least one is needed, because one key has signed them all.
    pub fn claim(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.rule = self.rule.claim(name, json);
        self.is_told_apart = true;
        self
    }

    /// Their `iss`; without, they have none.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Their `aud`; several calls, one of several. Without, they have none.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.rule = self.rule.audience(audience);
        self
    }

    /// How many seconds clocks may be off; 0 unless set, 600 at most.
    pub fn leeway(mut self, seconds: u64) -> Self {
        self.rule = self.rule.leeway(seconds);
        self
    }
}

impl fmt::Debug for FormerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormerTokens")
            .field("user_claim", &self.user_claim)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// A user whom the program knows to be active, and what it is granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User<'a> {
    pub(crate) subject: &'a str,
    pub(crate) scopes: &'a [&'a str],
}

/// Whose former token a request brings, by a token that is good in all else: whether that user is
/// active is for the program to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormerUser {
    /// The user, as text.
    pub subject: String,
    /// The token's claims: the text of one JSON object.
    pub claims_json: String,
}

/// What is special about the issuer of former tokens.
pub(super) struct Former {
    user_claim: String,
    until: u64,
    clock: Arc<dyn Clock>,
    /// That of the service's own sessions: who is logged out everywhere there is so here.
    revocations: Option<Arc<dyn RevocationList>>,
}

impl ResourceServerBuilder {
    /// The issuer of former tokens, which has no other issuer's name.
    pub(super) fn issuer_of_former(&self, given: &FormerTokens) -> Result<Issuer> {
        if !given.is_told_apart {
            return Err(NOT_TOLD_APART.about_claim("claim"));
        }
        if !is_plain(&given.user_claim, LONGEST) || given.user_claim.is_empty() {
            return Err(NO_USER_CLAIM.about_claim("user_claim"));
        }
        let mut rule = given.rule.clone();
        let audiences = std::mem::take(&mut rule.audiences);
        // A rule that is whole names audiences; these tokens may have none.
        rule = rule.audience("none").checked()?;
        rule.audiences = audiences;
        rule.tenant_claim.clone_from(&self.door.tenant_claim);
        let leeway = rule.leeway.unwrap_or(0);
        let mut policy =
            rule.policy(given.issuer.as_deref(), leeway).clock(Arc::clone(&self.clock));
        policy = policy.require_claim(&given.user_claim);
        if let Some(list) = &self.revocations {
            policy = policy.revocations(Arc::clone(list));
        }
        let name = given.issuer.as_deref().unwrap_or_default().into();
        let former = Former {
            user_claim: given.user_claim.clone(),
            until: given.until,
            clock: Arc::clone(&self.clock),
            revocations: self.sessions.as_ref().map(|own| Arc::clone(&own.revocations)),
        };
        Ok(Issuer::new(name, Arc::clone(&given.keys), policy, rule, leeway)?.of_former(former))
    }
}

impl Former {
    /// The user of a token whose signature and claims are good.
    ///
    /// # Errors
    /// `TokenInactive`: the date has come; `InvalidClaim`: the user is no text and no whole number;
    /// `RevokedToken`: it is logged out everywhere, or the token is revoked.
    pub(super) fn user_of(&self, claims: &Told<'_>, token: &Verified) -> Result<String> {
        if plausible(self.clock.now())? >= self.until {
            return Err(OVER);
        }
        let user = claims.claims.member(&self.user_claim).and_then(|value| text_or_number(&value));
        let user = user.filter(|user| is_plain(user, LONGEST) && !user.is_empty());
        let user = user.ok_or_else(|| NO_USER.about_claim("user_claim"))?;
        if let Some(list) = &self.revocations {
            let mut about = Claims::new().subject(&user);
            for (name, date) in [("iat", token.issued_at()), ("exp", token.expires_at())] {
                about =
                    date.map_or_else(|| about.clone(), |date| about.clone().claim_i64(name, date));
            }
            check_introspected(&**list, &about.to_json(), None, &*self.clock, 0)?;
        }
        Ok(user)
    }
}

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const NOT_TOLD_APART: Error = refusal(
    "Former tokens need a claim that tells access tokens from refresh tokens, which the same key has signed.",
);
const NO_USER_CLAIM: Error =
    refusal("The claim that names the user of former tokens has 1 to 255 bytes.");
const OVER: Error = Error::new(
    ErrorKind::TokenInactive,
    "The token is of what the service had before, and the date is over until which such tokens are taken (`until`).",
);
const NO_USER: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The token is of what the service had before, and its user is no text of 1 to 255 bytes and no whole number.",
);
pub(super) const NOT_ACTIVE: Error = Error::new(
    ErrorKind::TokenInactive,
    "The token is of what the service had before, and the program does not know its user as active.",
);
