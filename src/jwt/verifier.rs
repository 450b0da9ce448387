//! `Verifier`: keys and a policy, checked once, then asked any number of times from any thread.

use super::check::is_same_but_for_a_slash;
use super::following::Eventually;
use super::policy::{Policy, Rule};
use super::registered::{self, Absent, Found, Marks, Scan};
use super::strange;
use super::trust::{Authentic, Trust};
use super::verified::Verified;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::jwk::{Alg, Key, KeySet, KeySource};
use crate::jws::{Compact, with_decoded};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Turns tokens into [`Verified`] claims. Immutable, cheap to clone, safe to share.
///
/// Refusing a token allocates nothing, unless it has objects of more than sixteen members;
/// accepting one allocates once, for its claims.
///
/// ```
/// use gatekey::{Alg, Claims, Key, Policy, Signer, Verifier};
/// let key = Key::generate(Alg::Es256)?;
/// let signer = Signer::builder(&key).issuer("https://auth.example").audience("api").build()?;
/// let token = signer.sign(&Claims::new().subject("alice"))?;
///
/// let policy = Policy::new().expect_issuer("https://auth.example").expect_audience("api");
/// let verifier = Verifier::with_key(&key.public()?, policy)?;
/// assert_eq!(verifier.verify(&token)?.subject().as_deref(), Some("alice"));
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    policy: Policy,
    trust: Trusted,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one of these to a verifier, behind its Arc"
)]
enum Trusted {
    /// One set of keys for every token.
    All(Held),
    /// Each issuer's keys for its own tokens.
    ByIssuer(HashMap<Box<str>, IssuerTrust>),
}

struct IssuerTrust {
    trust: Held,
    audience: Option<Rule>,
    /// Which of the issuer's keys may be used, whichever they are by then.
    algorithms: Option<Vec<Alg>>,
}

/// The keys that there are, or those that a source has.
#[expect(clippy::large_enum_variant, reason = "it is made once and never moves afterwards")]
enum Held {
    Fixed(Trust),
    Following(Eventually<Trust>),
}

/// One issuer of [`Verifier::for_issuers`]: its name and its keys, which verify no other issuer's
/// tokens.
#[derive(Clone)]
#[must_use]
pub struct IssuerRule {
    issuer: String,
    keys: RuleKeys,
    audience: Rule,
    algorithms: Option<Vec<Alg>>,
}

#[derive(Clone)]
enum RuleKeys {
    Set(KeySet),
    Source(Arc<dyn KeySource>),
}

impl IssuerRule {
    /// Tokens whose `iss` is `issuer` are verified with the keys of a source as they are at each
    /// token.
    pub fn following(issuer: impl Into<String>, source: Arc<dyn KeySource>) -> Self {
        Self::of(issuer.into(), RuleKeys::Source(source))
    }

    const fn of(issuer: String, keys: RuleKeys) -> Self {
        Self { issuer, keys, audience: Rule::SILENT, algorithms: None }
    }

    /// Tokens whose `iss` is `issuer` are verified with `keys`.
    pub fn new(issuer: impl Into<String>, keys: &KeySet) -> Self {
        Self::of(issuer.into(), RuleKeys::Set(keys.clone()))
    }

    /// Demands this audience of the issuer's tokens, or one of several calls; without it the
    /// policy's rule holds.
    pub fn expect_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.expect(audience.into());
        self
    }

    /// Accepts any `aud` of the issuer's tokens and none, whatever the policy's rule.
    pub const fn ignore_audience(mut self) -> Self {
        self.audience.ignored = true;
        self
    }

    /// Uses only the issuer's keys of these algorithms; without it the policy's list holds.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Alg>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }
}

impl Verifier {
    /// A verifier that trusts the keys of a set. A token's `kid` must name one of them; a token
    /// without `kid` needs exactly one key of its algorithm (see [`Policy::try_keys_without_kid`]).
    ///
    /// # Errors
    /// `InvalidConfiguration`: there is no key that may verify, none has an allowed algorithm, or
    /// the policy contradicts itself.
    pub fn new(keys: &KeySet, policy: Policy) -> Result<Self> {
        policy.validate()?;
        let trust = Trust::in_set(keys, &policy, policy.algorithms.as_deref())?;
        Ok(Self::of(policy, Trusted::All(Held::Fixed(trust))))
    }

    /// A verifier that trusts one key. A token's `kid` must be the key's where the key was given
    /// one by name; a key known only by its thumbprint takes any.
    ///
    /// # Errors
    /// `InvalidConfiguration`: the key may not verify, its algorithm is not allowed, or the policy
    /// contradicts itself.
    pub fn with_key(key: &Key, policy: Policy) -> Result<Self> {
        policy.validate()?;
        let trust = Trust::in_key(key, &policy, policy.algorithms.as_deref())?;
        Ok(Self::of(policy, Trusted::All(Held::Fixed(trust))))
    }

    /// A verifier that trusts the keys of a source as they are at each token, as [`Self::new`]
    /// those of a set. If the issuer that publishes them is out of reach, it is still made, and
    /// asks with the first token.
    ///
    /// # Errors
    /// As [`Self::new`], for the keys as they are now; those of the source, unless it is an issuer.
    pub fn following(source: Arc<dyn KeySource>, policy: Policy) -> Result<Self> {
        policy.validate()?;
        let following = Eventually::new(source, |source| {
            Trust::in_set(&source.keys()?, &policy, policy.algorithms.as_deref())
        })?;
        Ok(Self::of(policy, Trusted::All(Held::Following(following))))
    }

    /// A verifier for several issuers. The token's `iss` selects the rule and is thereby checked; a
    /// key never verifies another issuer's token (RFC 8725 section 3.8).
    ///
    /// # Errors
    /// `InvalidConfiguration`: no rule, two rules for one issuer, a rule without a usable key, or a
    /// policy that contradicts itself or speaks about the issuer. Those of a source, as
    /// [`Self::following`].
    pub fn for_issuers(
        rules: impl IntoIterator<Item = IssuerRule>,
        policy: Policy,
    ) -> Result<Self> {
        policy.validate()?;
        if !policy.issuer.is_silent() {
            return Err(ISSUER_TWICE);
        }
        let mut by_issuer = HashMap::new();
        for rule in rules {
            rule.audience.validate()?;
            if rule.issuer.is_empty() || rule.algorithms.as_ref().is_some_and(Vec::is_empty) {
                return Err(EMPTY_RULE);
            }
            let algorithms = rule.algorithms.or_else(|| policy.algorithms.clone());
            let allowed = algorithms.as_deref();
            let trust = match rule.keys {
                RuleKeys::Set(keys) => Held::Fixed(Trust::in_set(&keys, &policy, allowed)?),
                RuleKeys::Source(source) => Held::Following(Eventually::new(source, |source| {
                    Trust::in_set(&source.keys()?, &policy, allowed)
                })?),
            };
            let audience = (!rule.audience.is_silent()).then_some(rule.audience);
            if by_issuer
                .insert(rule.issuer.into_boxed_str(), IssuerTrust { trust, audience, algorithms })
                .is_some()
            {
                return Err(ISSUER_TWICE);
            }
        }
        if by_issuer.is_empty() {
            return Err(NO_ISSUERS);
        }
        Ok(Self::of(policy, Trusted::ByIssuer(by_issuer)))
    }

    fn of(policy: Policy, trust: Trusted) -> Self {
        Self(Arc::new(Inner { policy, trust }))
    }

    /// Verifies a JWS compact serialization: size, structure, header, key, signature, claims, in
    /// this order; the first failure is the answer.
    ///
    /// # Errors
    /// A kind from the 1000s block ([`crate::ErrorKind::is_rejected`]). A bad signature is
    /// `InvalidSignature`, whatever the claims say. With revocations, or keys that change, also
    /// `StoreUnavailable`: whether the token is good cannot be known.
    ///
    /// # Security
    /// Nothing about the claims of a token with a bad signature can be learned from the error.
    /// Where no key has the token's `kid`, its `iss` is looked at: another issuer's token is
    /// `InvalidIssuer` instead of `KeyNotFound`. With [`Self::for_issuers`] the claims are read
    /// before the signature is checked, because `iss` selects the keys: claims that are not JSON
    /// and an issuer that no rule knows are then reported as that.
    pub fn verify(&self, token: impl AsRef<[u8]>) -> Result<Verified> {
        self.verify_marking(token.as_ref(), &mut ())
    }

    /// As [`Self::verify`]; of the claims, each is told to `marks`, before anything is known of
    /// them.
    #[inline]
    pub(crate) fn verify_marking<M: Marks>(&self, token: &[u8], marks: &mut M) -> Result<Verified> {
        self.0
            .verify(token, marks)
            .map_err(|error| strange::told(token, error, self.0.policy.allow_padding))
    }

    /// Verifies a token by the verifier that its claims choose, in one look at them, and tells each
    /// claim to `marks`. Nothing is known of the claims when they choose: of those, only what tells
    /// whose token it is may be asked, and the chosen one checks it again.
    ///
    /// # Errors
    /// As [`Self::verify`], and those of `choose`.
    pub(crate) fn verify_choosing<'v, M: Marks>(
        token: &[u8],
        parts: &Compact<'_>,
        marks: &mut M,
        choose: impl FnOnce(&Found<'_>) -> Result<&'v Self>,
    ) -> Result<Verified> {
        with_claims(token, parts, marks, |found, marks| {
            choose(&found)?.0.verify_found(token, parts, found, marks)
        })
    }

    /// What the claims of a token choose, of which nothing is known.
    pub(crate) fn choose<T>(
        token: &[u8],
        parts: &Compact<'_>,
        choose: impl FnOnce(&Found<'_>) -> Result<T>,
    ) -> Result<T> {
        with_claims(token, parts, &mut (), |found, ()| choose(&found))
    }

    /// Whether every key is symmetric, so that a verification takes about a microsecond.
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        match &self.0.trust {
            Trusted::All(held) => held.is_symmetric(),
            Trusted::ByIssuer(rules) => rules.values().all(|rule| rule.trust.is_symmetric()),
        }
    }
}

/// How the claims are read that choose a verifier.
const CHOOSING: Absent = Absent { null: false, empty_audience: true };

/// Reads the claims of a token of which nothing is known.
#[inline]
fn with_claims<M: Marks, T>(
    token: &[u8],
    parts: &Compact<'_>,
    marks: &mut M,
    then: impl FnOnce(Found<'_>, &mut M) -> Result<T>,
) -> Result<T> {
    let done = with_decoded(parts.payload, |payload| {
        then(registered::find_given(payload, &[], CHOOSING, marks)?, marks)
    });
    done.map_err(|error| strange::told(token, error, true))
}

impl Inner {
    /// As [`Self::verify`], of a token whose claims were found already.
    fn verify_found<M: Marks>(
        &self,
        token: &[u8],
        parts: &Compact<'_>,
        found: Found<'_>,
        marks: &mut M,
    ) -> Result<Verified> {
        let policy = &self.policy;
        let Trusted::All(held) = &self.trust else { return self.verify(token, marks) };
        if policy.absent != CHOOSING || token.len() > policy.max_token_bytes {
            return self.verify(token, marks);
        }
        held.verify(policy, policy.algorithms.as_deref(), |trust| {
            let authentic = trust.authenticate(parts, policy)?;
            let claims = found.requiring(&policy.required).check(policy.subject_may_be)?;
            policy.check_claims(&claims, &policy.issuer, &policy.audience, authentic.key)?;
            accept(trust, parts, authentic, &claims)
        })
    }

    #[inline]
    fn verify<M: Marks>(&self, token: &[u8], marks: &mut M) -> Result<Verified> {
        if token.len() > self.policy.max_token_bytes {
            return Err(TOO_LARGE.sized(
                "max_token_bytes",
                token.len(),
                ("at most", self.policy.max_token_bytes),
            ));
        }
        let policy = &self.policy;
        let mut token = Compact::split(token)?;
        if policy.allow_padding {
            token = token.unpadded()?;
        }
        match &self.trust {
            Trusted::All(held) => held.verify(policy, policy.algorithms.as_deref(), |trust| {
                verify_with(trust, policy, &token, marks)
                    .map_err(|error| foreign(&error, policy, &token).unwrap_or(error))
            }),
            Trusted::ByIssuer(rules) => with_decoded(token.payload, |payload| {
                let absent = Absent::default();
                let claims = registered::find_given(payload, &policy.required, absent, marks)?;
                let rule = rule_for(rules, &claims)?;
                rule.trust.verify(policy, rule.algorithms.as_deref(), |trust| {
                    verify_by(rule, trust, policy, &token, claims)
                })
            }),
        }
    }
}

impl Held {
    /// Verifies with the keys as they are now. If it was the key that failed, and the source has
    /// others after another look, verifies with them: keys may have been replaced, under new names
    /// or the old ones.
    #[inline]
    fn verify(
        &self,
        policy: &Policy,
        allowed: Option<&[Alg]>,
        mut verify: impl FnMut(&Trust) -> Result<Verified>,
    ) -> Result<Verified> {
        let make = |source: &dyn KeySource| Trust::in_set(&source.keys()?, policy, allowed);
        let following = match self {
            Self::Fixed(trust) => return verify(trust),
            Self::Following(following) => following.get(make)?,
        };
        let trust = following.current(make)?;
        let verified = verify(&trust.thing);
        match &verified {
            Err(error) if is_about_the_key(error) && following.look_again(&trust)? => {
                verify(&following.current(make)?.thing)
            }
            _ => verified,
        }
    }

    /// Whether every key is symmetric, as far as the keys are known.
    fn is_symmetric(&self) -> bool {
        match self {
            Self::Fixed(trust) => trust.is_symmetric(),
            Self::Following(following) => {
                following.made().is_some_and(|following| following.latest().thing.is_symmetric())
            }
        }
    }
}

fn is_about_the_key(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::KeyNotFound | ErrorKind::InvalidSignature | ErrorKind::UnusableKey
    )
}

/// What the token of another issuer, by its own word, is refused with, that has no key here. Of its
/// word nothing follows but what is reported: it is refused in either case.
#[cold]
fn foreign(error: &Error, policy: &Policy, token: &Compact<'_>) -> Option<Error> {
    let rule = &policy.issuer;
    if error.kind() != ErrorKind::KeyNotFound || rule.ignored || rule.expected.is_empty() {
        return None;
    }
    let refusal = with_decoded(token.payload, |payload| {
        let claims = registered::find(payload, &[])?;
        let named = claims.issuer()?;
        let named = named.filter(|named| rule.expected.iter().all(|one| *named != **one));
        Ok(named.map(|named| unknown_issuer(rule.differs_by_a_slash(named))))
    });
    refusal.ok().flatten()
}

/// An issuer that was not proved: it is not shown.
fn unknown_issuer(differs_by_a_slash: bool) -> Error {
    let refusal = if differs_by_a_slash { ALMOST_ISSUER } else { UNKNOWN_ISSUER };
    refusal.remedied(Remedy::NameIssuerKeys).about_claim("iss")
}

/// Verifies a token of an issuer that has a rule of its own.
fn verify_by(
    rule: &IssuerTrust,
    trust: &Trust,
    policy: &Policy,
    token: &Compact<'_>,
    claims: Found<'_>,
) -> Result<Verified> {
    let authentic = trust.authenticate(token, policy)?;
    let claims = claims.check(policy.subject_may_be)?;
    let audience = rule.audience.as_ref().unwrap_or(&policy.audience);
    policy.check_claims(&claims, &Rule::IGNORED, audience, authentic.key)?;
    accept(trust, token, authentic, &claims)
}

fn verify_with<M: Marks>(
    trust: &Trust,
    policy: &Policy,
    token: &Compact<'_>,
    marks: &mut M,
) -> Result<Verified> {
    let authentic = trust.authenticate(token, policy)?;
    with_decoded(token.payload, |payload| {
        let claims = registered::find_given(payload, &policy.required, policy.absent, marks)?;
        let claims = claims.check(policy.subject_may_be)?;
        policy.check_claims(&claims, &policy.issuer, &policy.audience, authentic.key)?;
        accept(trust, token, authentic, &claims)
    })
}

fn accept(
    trust: &Trust,
    token: &Compact<'_>,
    authentic: Authentic<'_>,
    claims: &Scan<'_>,
) -> Result<Verified> {
    authentic.typ?;
    if authentic.is_new {
        trust.accepted(token, authentic.key);
    }
    Ok(Verified::new(claims, token.header, authentic.key))
}

fn rule_for<'r>(
    rules: &'r HashMap<Box<str>, IssuerTrust>,
    claims: &Found<'_>,
) -> Result<&'r IssuerTrust> {
    const LONGEST: usize = 1024;
    let mut buffer = [0; LONGEST];
    let issuer = claims.issuer()?.ok_or_else(|| NO_ISSUER.about_claim("iss"))?;
    let issuer = issuer.decode_in(&mut buffer);
    issuer.and_then(|issuer| rules.get(issuer)).ok_or_else(|| {
        let is_almost =
            |known: &str| issuer.is_some_and(|issuer| is_same_but_for_a_slash(issuer, known));
        unknown_issuer(rules.keys().any(|known| is_almost(known)))
    })
}

const TOO_LARGE: Error =
    Error::new(ErrorKind::TokenTooLarge, "The token is longer than is allowed.");
const NO_ISSUER: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `iss` claim, by which its keys are chosen among several issuers'; have the issuer set it.",
);
const UNKNOWN_ISSUER: Error = Error::new(
    ErrorKind::InvalidIssuer,
    "The token's issuer is not among those that are known here.",
);
const ALMOST_ISSUER: Error = Error::new(
    ErrorKind::InvalidIssuer,
    "The token's issuer differs from a known one by a slash at the end: write it as the token does.",
);
const ISSUER_TWICE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "An issuer is named twice, or both with its keys and as `issuer`; name each once, with its keys.",
);
const EMPTY_RULE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "An issuer has an empty name or an empty list of `algorithms`; name it, and one at least.",
);
const NO_ISSUERS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "There is no issuer to trust; name one at least, with its keys.",
);

impl fmt::Debug for IssuerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("IssuerRule");
        shown.field("issuer", &self.issuer);
        if let RuleKeys::Set(keys) = &self.keys {
            shown.field("keys", keys);
        }
        shown.field("audience", &self.audience).field("algorithms", &self.algorithms).finish()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}
