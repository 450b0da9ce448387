//! `Revocations`: tokens, sessions, subjects and keys that are not good any more, although signatures and
//! dates are. Kept in a store, read from memory, seen by other processes within 50 ms.
//!
//! An entry is kept until the last token that it means has expired, by the largest leeway there is; so a
//! token must say when it was issued and when it expires, and may not live longer than
//! [`RevocationOptions::max_token_ttl`]. Refused as well: every token while the store has been silent for
//! longer than `max_stale`, and a token that was too old before the clock stepped back.

mod check;
mod feed;
mod table;

use self::feed::Feed;
use crate::base::clock::{Clock, SystemClock};
use crate::base::fresh::stale_nanos;
use crate::base::text::{argument, plain, plain_some};
use crate::error::Result;
use crate::store::{Revocation, RevocationKind, Store};
use std::fmt;
use std::sync::Arc;

/// The largest leeway of any policy, in seconds: [`crate::Policy::MAX_LEEWAY`].
const LEEWAY: u64 = crate::jwt::Policy::MAX_LEEWAY;

/// How revocations are kept and followed.
#[derive(Clone)]
#[must_use]
pub struct RevocationOptions {
    strict: bool,
    max_stale: u64,
    max_token_ttl: u64,
    tenant_claim: String,
    clock: Arc<dyn Clock>,
}

impl Default for RevocationOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationOptions {
    /// The longest `max_token_ttl`: ten years, in seconds.
    pub const MAX_TOKEN_TTL: u64 = 10 * 366 * 86_400;

    /// Tokens that live for at most 30 days, a store that may be silent for 30 seconds, the claim `tenant`,
    /// the system's clock.
    pub fn new() -> Self {
        Self {
            strict: false,
            max_stale: 30,
            max_token_ttl: 30 * 86_400,
            tenant_claim: "tenant".to_owned(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Asks the store at every token whether anything has changed, so that what another process has revoked
    /// is seen at once and not within 50 ms. Costs about a microsecond on SQLite.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// For how many seconds tokens are accepted while the store is out of reach; 0 to 86400.
    pub fn max_stale(mut self, seconds: u64) -> Self {
        self.max_stale = seconds;
        self
    }

    /// How many seconds lie between `iat` and `exp` of a token at the most; others are refused, because
    /// what is revoked is not remembered for longer. 1 to [`Self::MAX_TOKEN_TTL`].
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
        self.clock = clock;
        self
    }

    /// The same, for tokens that may live for at least so long.
    pub(super) fn at_least(mut self, ttl: u64) -> Self {
        self.max_token_ttl = self.max_token_ttl.max(ttl);
        self
    }
}

impl fmt::Debug for RevocationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationOptions")
            .field("strict", &self.strict)
            .field("max_stale", &self.max_stale)
            .field("max_token_ttl", &self.max_token_ttl)
            .finish_non_exhaustive()
    }
}

/// Whose tokens [`Revocations::revoke_before`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevokeScope<'a> {
    /// Everybody's.
    All,
    /// Those of this subject (`sub`), whoever has issued them.
    Subject(&'a str),
    /// Those of this tenant.
    Tenant(&'a str),
}

/// What has been revoked: safe to share between threads, cheap to clone, usable after a fork. A
/// [`crate::RevocationList`] for verifiers.
///
/// ```
/// use gatekey::{Alg, Claims, ErrorKind, Key, MemoryStore, Policy, RevocationOptions, Revocations};
/// use gatekey::{Signer, Verifier};
/// use std::sync::Arc;
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
    store: Arc<dyn Store>,
    strict: bool,
    /// Nanoseconds.
    max_stale: u64,
    /// Seconds.
    max_token_ttl: u64,
    tenant_claim: String,
    clock: Arc<dyn Clock>,
    /// Whether that is the operating system's.
    is_system: bool,
    feed: Feed,
}

impl Revocations {
    /// Opens what has been revoked and reads all of it.
    ///
    /// # Errors
    /// `InvalidArgument`: an option is out of range. Those of [`Store`].
    pub fn open(store: Arc<dyn Store>, options: RevocationOptions) -> Result<Self> {
        let max_stale = stale_nanos(options.max_stale)?;
        if !(1..=RevocationOptions::MAX_TOKEN_TTL).contains(&options.max_token_ttl) {
            return Err(argument("Tokens live for at least a second and at most ten years."));
        }
        const CLAIM: &str = "The name of the tenant's claim has 1 to 255 bytes.";
        let tenant_claim = plain_some(&options.tenant_claim, 255, CLAIM)?;
        let inner = Inner {
            store,
            strict: options.strict,
            max_stale,
            max_token_ttl: options.max_token_ttl,
            tenant_claim,
            is_system: options.clock.is_system(),
            clock: options.clock,
            feed: Feed::new(),
        };
        inner.sync(inner.clock.monotonic(), inner.clock.now(), true)?;
        Ok(Self(Arc::new(inner)))
    }

    /// Revokes one token, by its issuer (empty for a token without `iss`) and its `jti`; it is remembered
    /// until `expires_at`, its `exp`. A token that has expired already is not worth it.
    ///
    /// # Errors
    /// `InvalidArgument`: the issuer has more than 1024 bytes, or the `jti` not 1 to 1024. Those of
    /// [`Store`].
    pub fn revoke_token(&self, issuer: &str, token_id: &str, expires_at: u64) -> Result<()> {
        let until = expires_at.saturating_add(LEEWAY);
        let entry = self.0.entry(RevocationKind::Token, issuer, token_id, 0, until)?;
        if until <= entry.at {
            return Ok(());
        }
        self.0.revoke(entry)
    }

    /// Revokes the tokens of one session, by their `sid`.
    ///
    /// # Errors
    /// `InvalidArgument`: the id has not 1 to 1024 bytes. Those of [`Store`].
    pub fn revoke_session(&self, session_id: &str) -> Result<()> {
        let entry = self.0.entry(RevocationKind::Session, "", session_id, 0, self.0.until())?;
        self.0.revoke(entry)
    }

    /// Revokes the tokens that a subject has now, whoever has issued them; a later log-in, from the next
    /// second on, gives good ones.
    ///
    /// # Errors
    /// `InvalidArgument`: the subject has not 1 to 1024 bytes. Those of [`Store`].
    pub fn revoke_subject(&self, subject: &str) -> Result<()> {
        let now = self.0.clock.now();
        self.revoke_before(now.saturating_add(1), RevokeScope::Subject(subject))
    }

    /// Revokes the tokens of one key, for ever: by the `kid` of the key that verifies them.
    ///
    /// # Errors
    /// `InvalidArgument`: the name has not 1 to 1024 bytes. Those of [`Store`].
    pub fn revoke_key(&self, key_id: &str) -> Result<()> {
        let entry = self.0.entry(RevocationKind::Key, "", key_id, 0, u64::MAX)?;
        self.0.revoke(entry)
    }

    /// Revokes the tokens that were issued (`iat`) before the time `at`, in seconds since the Unix epoch.
    ///
    /// # Errors
    /// `InvalidArgument`: the time is in the future by more than a second, or the subject or tenant has
    /// not 1 to 1024 bytes. Those of [`Store`].
    pub fn revoke_before(&self, at: u64, scope: RevokeScope<'_>) -> Result<()> {
        if at > self.0.clock.now().saturating_add(1) {
            return Err(argument("Only tokens that were issued in the past can be revoked so."));
        }
        let (kind, value) = match scope {
            RevokeScope::All => (RevocationKind::All, ""),
            RevokeScope::Subject(subject) => (RevocationKind::Subject, subject),
            RevokeScope::Tenant(tenant) => (RevocationKind::Tenant, tenant),
        };
        let until = at.saturating_add(self.0.kept_for());
        self.0.revoke(self.0.entry(kind, "", value, at, until)?)
    }

    /// Whether a token that is good for one use has not been used yet; from now on it has, in every
    /// process that shares the store. One that has expired is good for none.
    ///
    /// # Errors
    /// `InvalidArgument`: the issuer has more than 1024 bytes, or the `jti` not 1 to 1024. Those of
    /// [`Store`]: then it is not known whether it was used, and must not be accepted.
    pub fn seen_once(&self, issuer: &str, token_id: &str, expires_at: u64) -> Result<bool> {
        let inner = &self.0;
        let until = expires_at.saturating_add(LEEWAY);
        let entry = inner.entry(RevocationKind::Token, issuer, token_id, 0, until)?;
        // The latest time that was ever seen, so that a clock that steps back replays nothing.
        let now = inner.feed.latest().max(entry.at);
        if expires_at <= now {
            return Ok(false);
        }
        inner.store.remember_token(issuer, token_id, until, now)
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

    /// The bytes that the entries take in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.0.feed.bytes()
    }

    /// Looks now at what other processes have revoked, however recent the last look.
    ///
    /// # Errors
    /// Those of [`Store`].
    pub fn refresh(&self) -> Result<()> {
        self.0.sync(self.0.clock.monotonic(), self.0.clock.now(), true)
    }

    /// Forgets what has become needless, in the store and in memory; otherwise that happens every ten
    /// minutes. How many entries of the store.
    ///
    /// # Errors
    /// Those of [`Store`].
    pub fn purge(&self) -> Result<u64> {
        self.0.purge(self.0.clock.now())
    }

    /// Takes over what the store has just been given.
    pub(super) fn take_over(&self, entries: &[Revocation]) {
        self.0.feed.follow(entries);
    }

    /// An entry that revokes the tokens of a session whose tokens live so many seconds.
    pub(super) fn of_session(session_id: &str, ttl: u64, now: u64) -> Revocation {
        Revocation {
            kind: RevocationKind::Session,
            issuer: String::new(),
            value: session_id.to_owned(),
            before: 0,
            until: now.saturating_add(ttl).saturating_add(LEEWAY),
            at: now,
        }
    }

    /// An entry that revokes the tokens that a subject was issued before this time.
    pub(super) fn of_subject(&self, subject: &str, before: u64) -> Revocation {
        Revocation {
            kind: RevocationKind::Subject,
            issuer: String::new(),
            value: subject.to_owned(),
            before,
            until: before.saturating_add(self.0.kept_for()),
            at: before,
        }
    }
}

impl Inner {
    /// For how long the tokens that exist now may be accepted, in seconds.
    fn kept_for(&self) -> u64 {
        self.max_token_ttl.saturating_add(LEEWAY)
    }

    /// When the last of them will have expired.
    fn until(&self) -> u64 {
        self.clock.now().saturating_add(self.kept_for())
    }

    fn entry(
        &self,
        kind: RevocationKind,
        issuer: &str,
        value: &str,
        before: u64,
        until: u64,
    ) -> Result<Revocation> {
        const ISSUER: &str = "An issuer has at most 1024 bytes.";
        const VALUE: &str = "What is revoked is named by 1 to 1024 bytes.";
        let value = match kind {
            RevocationKind::All => String::new(),
            _ => plain_some(value, 1024, VALUE)?,
        };
        let issuer = plain(issuer, 1024, ISSUER)?;
        Ok(Revocation { kind, issuer, value, before, until, at: self.clock.now() })
    }

    /// Durable, and in force in this process, when it returns.
    fn revoke(&self, entry: Revocation) -> Result<()> {
        let entries = [entry];
        let write = crate::store::SessionWrite {
            revocations: entries.to_vec(),
            ..crate::store::SessionWrite::default()
        };
        self.store.write_sessions(&write)?;
        self.feed.follow(&entries);
        Ok(())
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revocations({} entries)", self.len())
    }
}
