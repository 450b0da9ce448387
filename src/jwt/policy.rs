//! What a verifier demands of a token beyond its signature (RFC 7519 section 7.2, RFC 8725 sections
//! 3.8 to 3.11). `check.rs` holds tokens against it.
//!
//! A policy fails closed: silence about the issuer or the audience means that a token which carries
//! one is refused, silence about the type means none or `JWT`, and whatever is expected is
//! required.

use super::registered::{Absent, MAX_REQUIRED, Subject};
use super::revoked::RevocationList;
use super::values::ClaimValues;
use crate::base::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::Alg;
use std::fmt;
use std::sync::Arc;

/// What a [`Verifier`](crate::Verifier) demands of a token. Built by value, checked as a whole when
/// the verifier is built.
///
/// | | not mentioned | `expect_…` | `ignore_…` |
/// |---|---|---|---|
/// | `iss`, `aud` | a token that has one is refused | required, must match | anything goes |
/// | `typ` | absent or `JWT` | required, must match | anything goes |
///
/// `exp` is required unless [`allow_missing_exp`](Self::allow_missing_exp); `nbf` is always
/// checked; an `iat` in the future is always refused.
///
/// ```
/// use gatekey::Policy;
/// let policy = Policy::new().expect_issuer("https://auth.example").expect_audience("api").leeway(5);
/// # let _ = policy;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Policy {
    pub(super) issuer: Rule,
    pub(super) audience: Rule,
    pub(super) typ: Rule,
    pub(super) subject: Option<WantedSubject>,
    pub(super) subject_may_be: Subject,
    pub(super) required: Vec<Arc<str>>,
    pub(super) claims: ClaimValues,
    pub(super) max_age: Option<u64>,
    pub(super) leeway: u64,
    pub(super) allow_missing_exp: bool,
    pub(super) algorithms: Option<Vec<Alg>>,
    pub(super) max_token_bytes: usize,
    pub(super) max_header_bytes: usize,
    pub(super) try_keys_without_kid: bool,
    pub(super) try_keys_of_a_kid: bool,
    pub(super) allow_missing_type: bool,
    pub(super) allow_padding: bool,
    pub(super) absent: Absent,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) revocations: Option<Arc<dyn RevocationList>>,
}

/// The one subject that is accepted: 7 is another one than "7".
#[derive(Clone, Debug)]
pub(super) enum WantedSubject {
    Text(Box<str>),
    Number(i64),
}

/// What is said about one claim: nothing, any of some values, or that it does not matter.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Shared with what a token is refused with.
    pub(super) expected: Vec<Arc<str>>,
    pub(super) ignored: bool,
}

impl Rule {
    pub(super) const SILENT: Self = Self { expected: Vec::new(), ignored: false };
    pub(super) const IGNORED: Self = Self { expected: Vec::new(), ignored: true };

    pub(super) const fn is_silent(&self) -> bool {
        self.expected.is_empty() && !self.ignored
    }

    pub(super) fn expect(&mut self, value: String) {
        self.expected.push(value.into());
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.ignored && !self.expected.is_empty() {
            return refuse(
                "The same claim is both expected and ignored (`issuer`, `audience` or `typ`); say one of the two.",
            );
        }
        if self.expected.iter().any(|value| value.is_empty()) {
            return refuse(
                "An expected `issuer`, `audience` or `typ` is empty; name a value, or leave it out.",
            );
        }
        Ok(())
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy {
    /// The longest leeway a policy may allow, in seconds.
    pub const MAX_LEEWAY: u64 = 600;

    /// A policy that says nothing: `exp` required, no issuer, no audience, no leeway, 16 KiB
    /// tokens.
    pub const fn new() -> Self {
        Self {
            issuer: Rule::SILENT,
            audience: Rule::SILENT,
            typ: Rule::SILENT,
            subject: None,
            subject_may_be: Subject::Text,
            required: Vec::new(),
            claims: ClaimValues::NONE,
            max_age: None,
            leeway: 0,
            allow_missing_exp: false,
            algorithms: None,
            max_token_bytes: 16 * 1024,
            max_header_bytes: 4 * 1024,
            try_keys_without_kid: false,
            try_keys_of_a_kid: false,
            allow_missing_type: false,
            allow_padding: false,
            absent: Absent { null: false, empty_audience: false },
            clock: None,
            revocations: None,
        }
    }

    /// Demands that `iss` is this, or one of the values of several calls (RFC 7519 section 4.1.1).
    pub fn expect_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer.expect(issuer.into());
        self
    }

    /// Accepts any `iss` and none.
    pub const fn ignore_issuer(mut self) -> Self {
        self.issuer.ignored = true;
        self
    }

    /// Demands that `aud` names this, or one of the values of several calls (RFC 7519 section
    /// 4.1.3).
    pub fn expect_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.expect(audience.into());
        self
    }

    /// Accepts any `aud` and none.
    pub const fn ignore_audience(mut self) -> Self {
        self.audience.ignored = true;
        self
    }

    /// Demands that the header's `typ` is this media type, or one of the values of several calls;
    /// letter case and a leading `application/` do not matter (RFC 8725 section 3.11).
    pub fn expect_type(mut self, typ: impl Into<String>) -> Self {
        self.typ.expect(typ.into());
        self
    }

    /// Accepts any `typ` and none.
    pub const fn ignore_type(mut self) -> Self {
        self.typ.ignored = true;
        self
    }

    /// Accepts a token without `typ` beside those of the expected types; without any expected type,
    /// no other.
    pub(crate) const fn allow_missing_type(mut self) -> Self {
        self.allow_missing_type = true;
        self
    }

    /// Takes a claim that is `null` for one that is not there, in tokens that an authorization
    /// server hands to its client.
    pub(crate) const fn null_is_absent(mut self) -> Self {
        self.absent.null = true;
        self
    }

    /// Takes an `aud` that is an empty list for one that is not there, as some servers write it.
    pub(crate) const fn empty_audience_is_absent(mut self) -> Self {
        self.absent.empty_audience = true;
        self
    }

    /// Demands that `sub` is this (RFC 7519 section 4.1.2).
    pub fn expect_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(WantedSubject::Text(subject.into().into_boxed_str()));
        self
    }

    /// Demands that `sub` is this number, which its text is not; allows numbers as
    /// [`Self::allow_numeric_subject`] does.
    pub fn expect_numeric_subject(mut self, subject: i64) -> Self {
        self.subject = Some(WantedSubject::Number(subject));
        self.allow_numeric_subject()
    }

    /// Accepts a `sub` that is a whole number of at most 64 bits, which RFC 7519 section 4.1.2 does
    /// not allow.
    ///
    /// # Security
    /// 7 and "7" are two subjects. Such a token has no
    /// [`Verified::subject`](super::Verified::subject), and is revoked by its number:
    /// [`RevokeScope::NumericSubject`](crate::revocations::RevokeScope::NumericSubject).
    pub const fn allow_numeric_subject(mut self) -> Self {
        self.subject_may_be = Subject::TextOrNumber;
        self
    }

    /// Demands that the claim of this name has this value, given as JSON text:
    /// `expect_claim("token_type", "\"access\"")`. Texts are compared without their escapes,
    /// numbers by their value, objects in any order. Several calls of one name: any of the values.
    /// At most 32 calls; `iss`, `sub`, `aud`, `exp`, `nbf` and `iat` have rules of their own.
    ///
    /// # Errors
    /// `InvalidArgument`: the value is not acceptable JSON (see [`crate::json`]).
    pub fn expect_claim(mut self, name: impl Into<String>, json: &str) -> Result<Self> {
        self.claims.demand(&name.into(), json)?;
        Ok(self)
    }

    /// Accepts a token whose parts are padded with `=`, which RFC 7515 section 2 does not allow:
    /// AWS load balancers (`x-amzn-oidc-data`) sign such. With padding and without, it is one
    /// token.
    pub const fn allow_padding(mut self) -> Self {
        self.allow_padding = true;
        self
    }

    /// Demands that a claim of this name is there; at most 32 names.
    pub fn require_claim(mut self, name: impl Into<String>) -> Self {
        self.required.push(name.into().into());
        self
    }

    /// Refuses a token whose `iat` is more than this many seconds ago; `iat` is then required.
    pub const fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// Forgives clocks that disagree by up to this many seconds, at most [`Self::MAX_LEEWAY`].
    pub const fn leeway(mut self, seconds: u64) -> Self {
        self.leeway = seconds;
        self
    }

    /// Accepts a token without `exp`. One that has it is still checked.
    pub const fn allow_missing_exp(mut self) -> Self {
        self.allow_missing_exp = true;
        self
    }

    /// Uses only keys of these algorithms (RFC 8725 section 3.1). Without this call the algorithms
    /// are those of the keys, which are bound to one each.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Alg>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// The longest token that is looked at, in bytes; 16 KiB unless set, at most 1 MiB.
    pub const fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// The longest header that is looked at, in bytes once decoded; 4 KiB unless set.
    pub const fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// Reads the time from this clock instead of the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Refuses tokens that are on this list, and every token while the list cannot be read.
    pub fn revocations(mut self, list: Arc<dyn RevocationList>) -> Self {
        self.revocations = Some(list);
        self
    }

    /// Tries up to four keys on a token without `kid`, where several have its algorithm.
    pub const fn try_keys_without_kid(mut self) -> Self {
        self.try_keys_without_kid = true;
        self
    }

    /// Tries up to four keys on a token whose `kid` several have, where all of them are keys of the
    /// one server that is asked and may take the place of each other (RFC 7517 section 4.5).
    pub(crate) const fn try_keys_of_a_kid(mut self) -> Self {
        self.try_keys_of_a_kid = true;
        self
    }

    /// Refuses a policy that contradicts itself.
    pub(super) fn validate(&self) -> Result<()> {
        self.revocations.as_ref().map_or(Ok(()), |list| list.check_open())?;
        for rule in [&self.issuer, &self.audience, &self.typ] {
            rule.validate()?;
        }
        if self.leeway > Self::MAX_LEEWAY {
            return refuse("The `leeway` is more than 600 seconds; set the clocks right instead.");
        }
        if self.max_age == Some(0) {
            return refuse(
                "A `max_age` of 0 seconds refuses every token; give some, or leave it out.",
            );
        }
        if matches!(&self.subject, Some(WantedSubject::Text(subject)) if subject.is_empty()) {
            return refuse("The expected `subject` is empty; name a value, or leave it out.");
        }
        if self.algorithms.as_ref().is_some_and(Vec::is_empty) {
            return refuse(
                "The list of `algorithms` is empty; name at least one, or leave it out.",
            );
        }
        if self.required.len() > MAX_REQUIRED {
            return refuse("More than 32 claims are `required` by name; demand fewer.");
        }
        if self.required.iter().any(|name| name.is_empty()) {
            return refuse("A claim that is `required` has no name; name it, or leave it out.");
        }
        if self.required.iter().any(|name| name.contains(char::is_whitespace)) {
            return refuse(
                "A claim that is `required` has a space in its name; give several names as several, not in one text.",
            );
        }
        self.claims.validate()?;
        if self.allow_missing_exp && self.required.iter().any(|name| **name == *"exp") {
            return refuse(
                "`exp` is `required` and may be missing (`allow_missing_exp`); say one of the two.",
            );
        }
        if [self.max_token_bytes, self.max_header_bytes]
            .iter()
            .any(|bytes| !(1..=MAX_TOKEN_BYTES).contains(bytes))
        {
            return refuse(
                "`max_token_bytes` and `max_header_bytes` are from 1 byte to 1 MiB (1048576).",
            );
        }
        Ok(())
    }
}

const MAX_TOKEN_BYTES: usize = 1024 * 1024;

const fn refuse(message: &'static str) -> Result<()> {
    Err(Error::new(ErrorKind::InvalidConfiguration, message))
}

/// Everything but the clock, which has nothing to show.
impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("typ", &self.typ)
            .field("subject", &self.subject)
            .field("subject_may_be", &self.subject_may_be)
            .field("required", &self.required)
            .field("claims", &self.claims)
            .field("max_age", &self.max_age)
            .field("leeway", &self.leeway)
            .field("allow_missing_exp", &self.allow_missing_exp)
            .field("algorithms", &self.algorithms)
            .field("max_token_bytes", &self.max_token_bytes)
            .field("max_header_bytes", &self.max_header_bytes)
            .field("try_keys_without_kid", &self.try_keys_without_kid)
            .field("try_keys_of_a_kid", &self.try_keys_of_a_kid)
            .field("allow_missing_type", &self.allow_missing_type)
            .field("allow_padding", &self.allow_padding)
            .field("absent", &self.absent)
            .field("revocations", &self.revocations.is_some())
            .finish_non_exhaustive()
    }
}
