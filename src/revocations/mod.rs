//! `Revocations`: tokens, sessions, subjects and keys that are not good any more, although
//! signatures and dates are. Kept in a store, read from memory, seen by other processes within 50
//! ms.
//!
//! An entry is kept until the last token that it means has expired, by the largest leeway there is;
//! so a token must say when it was issued and when it expires, and may not live longer than
//! [`RevocationOptions::max_token_ttl`]. Refused as well: every token while the store has been
//! silent for longer than `max_stale`, a token that was too old before the clock stepped back, one
//! from before a time of which revocations were forgotten, and one that could not be revoked,
//! because a name in it is malformed.

mod check;
mod feed;
mod issue;
mod latest;
mod table;

pub(crate) use self::issue::ISSUE_CLAIM;

use self::feed::Feed;
use crate::base::clock::{Clock, plausible};
use crate::base::follow::Follow;
use crate::base::pace::{Dates, Pace};
use crate::base::presented::{self, Form};
use crate::base::text::{argument, plain, plain_some};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{CLOSED, Follower, Revocation, RevocationKind, RevocationStore};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The largest leeway of any policy, in seconds: [`crate::Policy::MAX_LEEWAY`].
const LEEWAY: u64 = crate::jwt::Policy::MAX_LEEWAY;

/// How revocations are kept and followed.
#[derive(Clone)]
#[must_use]
pub struct RevocationOptions {
    follow: Follow,
    max_token_ttl: u64,
    tenant_claim: String,
    create: bool,
}

impl Default for RevocationOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationOptions {
    /// The longest `max_token_ttl`: ten years, in seconds.
    pub const MAX_TOKEN_TTL: u64 = 10 * 366 * 86_400;

    /// Tokens that live for at most 30 days, a store that may be silent for 30 seconds, the claim
    /// `tenant`, the system's clock.
    pub fn new() -> Self {
        Self {
            follow: Follow::new(),
            max_token_ttl: 30 * 86_400,
            tenant_claim: "tenant".to_owned(),
            create: true,
        }
    }

    /// Whether a store that is not there is made: unless said otherwise, and by
    /// [`open_revocations`](crate::open::open_revocations) alone. A process that only reads what
    /// another keeps says no, so that a wrong path is an error, and not an empty store which knows
    /// of nothing that was revoked.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    pub(crate) const fn creates(&self) -> bool {
        self.create
    }

    /// Asks the store at every token whether anything has changed, so that what another process has
    /// revoked is seen at once and not within 50 ms. Costs about a microsecond on SQLite.
    pub fn strict(mut self, strict: bool) -> Self {
        self.follow.strict = Some(strict);
        self
    }

    /// For how many seconds tokens are accepted while the store is out of reach; 0 to 86400.
    pub fn max_stale(self, seconds: u64) -> Self {
        self.max_stale_ms(seconds.saturating_mul(1000))
    }

    /// [`Self::max_stale`] in milliseconds.
    pub fn max_stale_ms(mut self, milliseconds: u64) -> Self {
        self.follow.max_stale_ms = Some(milliseconds);
        self
    }

    /// How many seconds lie between `iat` and `exp` of a token at the most; others are refused,
    /// because what is revoked is not remembered for longer. 1 to [`Self::MAX_TOKEN_TTL`].
    pub fn max_token_ttl(mut self, seconds: u64) -> Self {
        self.max_token_ttl = seconds;
        self
    }

    /// The claim that names a token's tenant.
    pub fn tenant_claim(mut self, name: impl Into<String>) -> Self {
        self.tenant_claim = name.into();
        self
    }

    /// The source of the time at which something is revoked.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.follow.clock = Some(clock);
        self
    }

    /// What is wrong with the options alone, before a store is made.
    ///
    /// # Errors
    /// `InvalidArgument`: one of them is out of range.
    pub(crate) fn check(&self) -> Result<()> {
        self.follow.max_stale()?;
        if !(1..=Self::MAX_TOKEN_TTL).contains(&self.max_token_ttl) {
            return Err(argument(
                "Tokens live for at least a second and at most ten years (`max_token_ttl`).",
            ));
        }
        const CLAIM: &str = "The name of the tenant's claim has 1 to 255 bytes.";
        plain_some(&self.tenant_claim, 255, CLAIM).map(drop)
    }

    /// This clock, and what has been seen of it.
    pub(crate) fn clock_at(mut self, clock: Arc<dyn Clock>, pace: Arc<Pace>) -> Self {
        (self.follow.clock, self.follow.pace) = (Some(clock), Some(pace));
        self
    }

    /// What these do not say is as `others` have it.
    pub(crate) fn following(mut self, others: &Follow) -> Self {
        self.follow = self.follow.or(others);
        self
    }

    /// The same, for tokens that may live for at least this long.
    pub(crate) fn at_least(mut self, ttl: u64) -> Self {
        self.max_token_ttl = self.max_token_ttl.max(ttl);
        self
    }
}

impl fmt::Debug for RevocationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationOptions")
            .field("strict", &self.follow.strict())
            .field("max_stale_ms", &self.follow.max_stale_ms())
            .field("max_token_ttl", &self.max_token_ttl)
            .finish_non_exhaustive()
    }
}

/// Whose tokens [`Revocations::revoke_before`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevokeScope<'a> {
    /// Those of all subjects.
    All,
    /// Those of this subject (`sub`), from any issuer.
    Subject(&'a str),
    /// Those whose `sub` is this number, from any issuer: 7 is another subject than "7".
    NumericSubject(i64),
    /// Those of this tenant.
    Tenant(&'a str),
}

/// What stands for the issuer in the entries of subjects that are numbers: it keeps them apart from
/// texts.
const NUMERIC: &str = "number";

/// What has been revoked: safe to share between threads, cheap to clone, usable after a fork. A
/// [`crate::jwt::RevocationList`] for verifiers.
///
/// ```
/// use gatekey::{Alg, Claims, ErrorKind, Key, Policy, Revocations};
/// use gatekey::revocations::RevocationOptions;
/// use gatekey::store::MemoryStore;
/// use gatekey::{Signer, Verifier};
/// use std::sync::{Arc, Weak};
///
/// let revocations = Revocations::open(Arc::new(MemoryStore::new()), RevocationOptions::new())?;
/// let key = Key::generate(Alg::Hs256)?;
/// let token = Signer::builder(&key).build()?.sign(&Claims::new().subject("alice"))?;
/// let verifier =
///     Verifier::with_key(&key, Policy::new().revocations(Arc::new(revocations.clone())))?;
/// assert!(verifier.verify(&token).is_ok());
///
/// revocations.revoke_subject("alice")?;
/// assert_eq!(verifier.verify(&token).unwrap_err().kind(), ErrorKind::RevokedToken);
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    store: Arc<dyn RevocationStore>,
    /// Seconds.
    max_token_ttl: u64,
    tenant_claim: String,
    clock: Arc<dyn Clock>,
    /// Whether that is the operating system's.
    is_system: bool,
    pace: Arc<Pace>,
    feed: Feed,
    /// When [`Revocations::seen_once`] was asked last, in seconds since the Unix epoch.
    used_at: AtomicU64,
}

impl Revocations {
    /// Opens what has been revoked and reads all of it.
    ///
    /// # Errors
    /// `InvalidArgument`: an option is out of range. Those of [`RevocationStore`].
    pub fn open(store: Arc<dyn RevocationStore>, options: RevocationOptions) -> Result<Self> {
        options.check()?;
        let fresh = options.follow.freshness()?;
        let tenant_claim = options.tenant_claim;
        let clock = options.follow.clock();
        let inner = Inner {
            store,
            max_token_ttl: options.max_token_ttl,
            tenant_claim,
            is_system: clock.is_system(),
            clock,
            pace: options.follow.pace(),
            feed: Feed::new(fresh),
            used_at: AtomicU64::new(0),
        };
        inner.sync(inner.clock.monotonic(), inner.now()?, true)?;
        let inner = Arc::new(inner);
        let fed: Weak<Inner> = Arc::downgrade(&inner);
        inner.store.keep_fed(fed);
        Ok(Self(inner))
    }

    /// Refuses what has been closed, by itself or with its store, before anything else is asked.
    ///
    /// # Errors
    /// `InvalidArgument`: it has been closed.
    pub fn check_open(&self) -> Result<()> {
        if self.0.feed.is_over() { Err(CLOSED) } else { Ok(()) }
    }

    /// Revokes one token, by its issuer and its `jti`; it is remembered until `expires_at`, its
    /// `exp`. An empty issuer means any, and none: every token with this `jti` is refused, whatever
    /// its `iss`.
    ///
    /// # Errors
    /// `InvalidArgument`: the issuer has more than 1024 bytes, or the `jti` not 1 to 1024; or
    /// `expires_at` has passed by more than the largest leeway (600 s), or is after the year 9999,
    /// as milliseconds are. Then nothing is revoked. Those of [`RevocationStore`].
    pub fn revoke_token(&self, issuer: &str, token_id: &str, expires_at: u64) -> Result<()> {
        self.check_open()?;
        let until = expires_at.saturating_add(LEEWAY);
        let mut entry = self.0.entry(RevocationKind::Token, issuer, token_id, 0, until)?;
        if plausible(expires_at).is_err() {
            return Err(NO_EXPIRY_DATE);
        }
        if until <= self.0.dates()?.surely {
            return Err(HAS_EXPIRED);
        }
        entry.before = self.0.believed(entry.at).saturating_add(1).min(expires_at);
        self.0.revoke(entry)
    }

    /// Revokes the tokens of one session, by their `sid`. If it is one of [`crate::Sessions`] on
    /// the same store, its next refresh is refused and ends it.
    ///
    /// # Errors
    /// `InvalidArgument`: the id has not 1 to 1024 bytes. Those of [`RevocationStore`].
    pub fn revoke_session(&self, session_id: &str) -> Result<()> {
        self.check_open()?;
        let now = self.0.now()?;
        let before = self.0.believed(now).saturating_add(1);
        let until = self.0.until(now, self.0.kept_for());
        let entry = self.0.entry(RevocationKind::Session, "", session_id, before, until)?;
        self.0.revoke(entry)
    }

    /// Revokes the tokens that a subject has now, from any issuer; a later log-in gives good ones.
    ///
    /// Access tokens of [`crate::Sessions`] on the same store say which revocations came before
    /// them, in the claim `gkn`, so that a log-in after this call is good at once, whatever the
    /// clocks say. Other tokens go by `iat`: refused are those that say this second or an earlier
    /// one or, because an issuer's clock may be ahead, any up to the verifier's leeway later.
    ///
    /// Its sessions continue, and their next refresh gives good tokens;
    /// [`crate::Sessions::end_all`] ends them as well.
    ///
    /// # Errors
    /// `InvalidArgument`: the subject has not 1 to 1024 bytes. Those of [`RevocationStore`].
    pub fn revoke_subject(&self, subject: &str) -> Result<()> {
        let now = self.0.now()?;
        self.revoke_before(now.saturating_add(1), RevokeScope::Subject(subject))
    }

    /// The same for a subject that is a number
    /// ([`Policy::allow_numeric_subject`](crate::Policy::allow_numeric_subject)): 7 is another one
    /// than "7".
    ///
    /// # Errors
    /// Those of [`RevocationStore`].
    pub fn revoke_numeric_subject(&self, subject: i64) -> Result<()> {
        let now = self.0.now()?;
        self.revoke_before(now.saturating_add(1), RevokeScope::NumericSubject(subject))
    }

    /// Revokes the tokens of one key, for ever: by the `kid` of the key that verifies them.
    ///
    /// # Errors
    /// `InvalidArgument`: the name has not 1 to 1024 bytes. Those of [`RevocationStore`].
    pub fn revoke_key(&self, key_id: &str) -> Result<()> {
        self.check_open()?;
        let entry = self.0.entry(RevocationKind::Key, "", key_id, 0, u64::MAX)?;
        self.0.revoke(entry)
    }

    /// Revokes the tokens that were issued (`iat`) before the time `at`, in seconds since the Unix
    /// epoch, or up to the verifier's leeway later, because an issuer's clock may be ahead. One
    /// second from now means all that there is, as for [`Self::revoke_subject`]. Access tokens of
    /// [`crate::Sessions`] on the same store that were issued after this call are good whatever
    /// they are dated.
    ///
    /// # Errors
    /// `InvalidArgument`: the time is in the future by more than a second, or the subject or tenant
    /// has not 1 to 1024 bytes. Those of [`RevocationStore`].
    pub fn revoke_before(&self, at: u64, scope: RevokeScope<'_>) -> Result<()> {
        self.check_open()?;
        let now = self.0.now()?;
        let believed = self.0.believed(now);
        if at > believed.saturating_add(1) {
            return Err(argument("Only tokens that were issued in the past can be revoked so."));
        }
        let subjects = [RevocationKind::Subject, RevocationKind::SubjectSoFar];
        let number;
        let (kinds, issuer, value) = match scope {
            RevokeScope::All => ([RevocationKind::All, RevocationKind::AllSoFar], "", ""),
            RevokeScope::Subject(subject) => (subjects, "", subject),
            RevokeScope::NumericSubject(subject) => {
                number = subject.to_string();
                (subjects, NUMERIC, number.as_str())
            }
            RevokeScope::Tenant(tenant) => {
                ([RevocationKind::Tenant, RevocationKind::TenantSoFar], "", tenant)
            }
        };
        let [dated, so_far] = kinds;
        let kept_for = self.0.kept_for();
        let (kind, before, until) = if at == now.saturating_add(1) || at > believed {
            let before = believed.saturating_add(1);
            (so_far, before, self.0.until(before, kept_for))
        } else {
            (dated, at, at.saturating_add(kept_for))
        };
        self.0.revoke(self.0.entry(kind, issuer, value, before, until)?)
    }

    /// Whether a token that is good for one use has not been used yet; from now on it has, in every
    /// process that shares the store. One that has expired is good for none.
    ///
    /// # Errors
    /// `InvalidArgument`: the issuer has more than 1024 bytes, or the `jti` not 1 to 1024, or
    /// `expires_at` is after the year 9999, as milliseconds are. Those of [`RevocationStore`]. Then
    /// it is not known whether it was used, and must not be accepted.
    pub fn seen_once(&self, issuer: &str, token_id: &str, expires_at: u64) -> Result<bool> {
        self.check_open()?;
        let inner = &self.0;
        let until = expires_at.saturating_add(LEEWAY);
        let entry = inner.entry(RevocationKind::Token, issuer, token_id, 0, until)?;
        plausible(expires_at).map_err(|_| NO_EXPIRY)?;
        if expires_at <= entry.at {
            return Ok(false);
        }
        // What two calls in a row find to have passed is forgotten: not by one wrong reading of the
        // clock, nor by one that ran ahead.
        let surely = inner.dates()?.surely;
        let before = inner.used_at.swap(surely, Ordering::Relaxed);
        inner.store.remember_token(issuer, token_id, until, before.min(surely))
    }

    /// What is called when the store closes.
    pub(crate) fn follower(&self) -> Weak<dyn Follower> {
        let inner: Weak<Inner> = Arc::downgrade(&self.0);
        inner
    }

    /// How many entries there are in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.feed.len()
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many revocations this process knows that its store lacked when it was last read as a
    /// whole, and lacks still: it was put back, or the server that took over never had them. They
    /// hold here, and other processes may not know them: revoke again.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.0.feed.lost()
    }

    /// The bytes that the entries take in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.0.feed.bytes()
    }

    /// Looks now at what other processes have revoked, however recent the last look.
    ///
    /// # Errors
    /// Those of [`RevocationStore`].
    pub fn refresh(&self) -> Result<()> {
        self.check_open()?;
        self.0.sync_now()
    }

    /// Forgets what has become needless, in the store and in memory; otherwise that happens every
    /// ten minutes. How many entries of the store. If the clock has run ahead of
    /// [`Clock::monotonic`] by more than an hour, what is over by that date alone is kept, until it
    /// has gone on like that for ten minutes.
    ///
    /// # Errors
    /// Those of [`RevocationStore`].
    pub fn purge(&self) -> Result<u64> {
        self.check_open()?;
        self.0.purge(self.0.dates()?.surely)
    }

    /// Takes over what the store has just been given.
    pub(crate) fn take_over(&self, entries: &[Revocation]) {
        self.0.take_over(entries);
    }

    /// Whether the session is known to have ended, or its tokens are revoked, whatever its row
    /// says.
    pub(crate) fn has_session(&self, session_id: &str) -> Result<bool> {
        self.refresh()?;
        let feed = &self.0.feed;
        let kind = RevocationKind::Session;
        Ok(feed.has(kind) && feed.is_named(feed.fetch(kind, "", session_id)))
    }

    /// An entry that revokes the tokens of a session whose tokens live this many seconds. The last
    /// of them were made at `last`, if that is known, which is later than now if this clock is
    /// behind.
    pub(crate) fn of_session(&self, session_id: &str, ttl: u64, now: u64, last: u64) -> Revocation {
        let kept_for = ttl.saturating_add(LEEWAY);
        Revocation {
            kind: RevocationKind::Session,
            issuer: String::new(),
            value: session_id.to_owned(),
            before: self.0.believed(now).max(last).saturating_add(1),
            until: self.0.until(now.max(last), kept_for),
            at: now,
        }
    }

    /// An entry that revokes the tokens that a subject has now.
    pub(crate) fn of_subject_so_far(&self, subject: &str, now: u64) -> Revocation {
        let before = self.0.believed(now).saturating_add(1);
        Revocation {
            kind: RevocationKind::SubjectSoFar,
            issuer: String::new(),
            value: subject.to_owned(),
            before,
            until: self.0.until(before, self.0.kept_for()),
            at: now,
        }
    }
}

const NO_EXPIRY_DATE: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The token's expiry is after the year 9999; give its `exp`: whole seconds since 1970, not milliseconds. Nothing was \
     revoked.",
);
const NO_EXPIRY: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The token's expiry is after the year 9999; give its `exp`: whole seconds since 1970, not milliseconds.",
);
const HAS_EXPIRED: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The token has expired, so that nothing was revoked. The expiry is its `exp`, in seconds since 1970; without one, \
     revoke its session, subject or key.",
);

impl Inner {
    /// For how long the tokens that exist now may be accepted, in seconds.
    fn kept_for(&self) -> u64 {
        self.max_token_ttl.saturating_add(LEEWAY)
    }

    /// The time, if this clock may be behind: no earlier than the latest one that was seen.
    fn believed(&self, now: u64) -> u64 {
        now.max(self.feed.latest.get())
    }

    /// Until when an entry is kept for this many seconds. What others have revoked is dated by
    /// their clocks, which may be ahead: it keeps an entry for longer, and means no more tokens.
    fn until(&self, now: u64, kept_for: u64) -> u64 {
        self.believed(now).max(self.feed.newest()).saturating_add(kept_for)
    }

    /// The time in seconds, if the clock can be right.
    fn now(&self) -> Result<u64> {
        Ok(self.dates()?.now)
    }

    /// As [`Self::now`], and what is believed of it: what is forgotten goes by that.
    fn dates(&self) -> Result<Dates> {
        self.pace.read(&*self.clock)
    }

    fn entry(
        &self,
        kind: RevocationKind,
        issuer: &str,
        value: &str,
        before: u64,
        until: u64,
    ) -> Result<Revocation> {
        /// What is given where a part of it, or its name, is wanted.
        const TOKEN: &str = "This is a whole token, and is not shown: what is revoked is named by its `jti`, `sid`, `sub` or \
             `kid`: read that from the token. Nothing was revoked.";
        const API_KEY: &str = "This is a whole API key, and is not shown: revoke it by its id among the API keys. Nothing was \
             revoked.";
        const ISSUER: &str = "An issuer has at most 1024 bytes.";
        const VALUE: &str = "What is revoked is named by 1 to 1024 bytes.";
        if let Some(form) = [issuer, value].iter().find_map(|text| presented::whole(text)) {
            return Err(argument(if form == Form::ApiKey { API_KEY } else { TOKEN }));
        }
        let value = match kind {
            RevocationKind::All | RevocationKind::AllSoFar => String::new(),
            _ => plain_some(value, 1024, VALUE)?,
        };
        let issuer = plain(issuer, 1024, ISSUER)?;
        Ok(Revocation { kind, issuer, value, before, until, at: self.now()? })
    }

    /// Durable, and in force in this process, when it returns.
    fn revoke(&self, entry: Revocation) -> Result<()> {
        let entries = [entry];
        self.store.write_revocations(&entries)?;
        self.take_over(&entries);
        Ok(())
    }

    /// Takes over what the store has just been given, and which numbers it has given.
    fn take_over(&self, entries: &[Revocation]) {
        if entries.is_empty() {
            return;
        }
        // Not guessed: the store may be bringing them up to date at this moment, and a number that
        // was guessed then would be too high.
        if self.sync_now().is_err() {
            self.feed.follow(entries);
            // Without the numbers a token that was revoked might look later than that: no token is
            // accepted before they are known.
            self.feed.forget();
        }
    }
}

/// The store closes: no token is let in any more.
impl Follower for Inner {
    fn end(&self) -> Result<()> {
        self.feed.stop();
        Ok(())
    }

    fn looked_ago(&self) -> Option<u64> {
        self.feed.looked_ago()
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revocations({} entries)", self.len())
    }
}
