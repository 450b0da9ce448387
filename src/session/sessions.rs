//! `Sessions`: the handle that a service holds, and how it is opened. What it does is in
//! [`super::life`].

use crate::base::clock::Clock;
use crate::base::follow::Follow;
use crate::base::pace::Pace;
use crate::base::random::SecureRandom;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::{OwnTokens, Signer};
use crate::pepper::Peppers;
use crate::revocations::{RevocationOptions, Revocations};
use crate::store::{SessionRecord, SessionStore, SharedLimits};
use std::fmt;
use std::sync::Arc;

/// How long sessions live, and how they are kept.
#[derive(Clone)]
#[must_use]
pub struct SessionOptions {
    refresh_ttl: u64,
    absolute_ttl: u64,
    grace_ms: u64,
    revocations: RevocationOptions,
    follow: Follow,
    random: Arc<dyn SecureRandom>,
    limits: Option<Arc<dyn SharedLimits>>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionOptions {
    /// The longest grace, in seconds.
    pub const MAX_GRACE: u64 = crate::store::StoredSession::LONGEST_GRACE;
    /// The longest life of a session: ten years, in seconds.
    pub const MAX_TTL: u64 = 10 * 366 * 86_400;

    /// Seven days without a refresh, ninety days in all, a grace of ten seconds.
    pub fn new() -> Self {
        Self {
            refresh_ttl: 7 * 86_400,
            absolute_ttl: 90 * 86_400,
            grace_ms: 10_000,
            revocations: RevocationOptions::new(),
            follow: Follow::new(),
            random: Arc::new(SystemRandom),
            limits: None,
        }
    }

    /// After how many seconds a session ends that is not refreshed.
    pub const fn refresh_ttl(mut self, seconds: u64) -> Self {
        self.refresh_ttl = seconds;
        self
    }

    /// After how many seconds a session ends however often it is refreshed; not less than
    /// `refresh_ttl`.
    pub const fn absolute_ttl(mut self, seconds: u64) -> Self {
        self.absolute_ttl = seconds;
        self
    }

    /// For how many seconds a refresh token that was used gives the same answer again, for clients
    /// that lost the first one and for tabs that ask at the same time; at most [`Self::MAX_GRACE`].
    /// 0 for none: then it is reuse at once.
    pub const fn grace(self, seconds: u64) -> Self {
        self.grace_ms(seconds.saturating_mul(1000))
    }

    /// [`Self::grace`] in milliseconds. With a clock in whole seconds it may last up to a second
    /// longer.
    pub const fn grace_ms(mut self, milliseconds: u64) -> Self {
        self.grace_ms = milliseconds;
        self
    }

    /// How [`Sessions::revocations`] are followed; their clock is that of the sessions.
    pub fn revocations(mut self, options: RevocationOptions) -> Self {
        self.revocations = options;
        self
    }

    /// The source of the time, for the dates of access tokens as well.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.follow.clock = Some(clock);
        self
    }

    /// What these do not say is as `others` have it.
    pub(crate) fn following(mut self, others: &Follow) -> Self {
        self.follow = self.follow.or(others);
        self.revocations = self.revocations.following(others);
        self
    }

    /// Where a guard of these sessions counts.
    pub(crate) fn sharing(mut self, limits: Option<&Arc<dyn SharedLimits>>) -> Self {
        self.limits = limits.cloned();
        self
    }

    /// The source of ids and of what goes into the tokens.
    pub fn random(mut self, random: Arc<dyn SecureRandom>) -> Self {
        self.random = random;
        self
    }

    /// What is wrong with the options alone, before a store is made.
    ///
    /// # Errors
    /// `InvalidArgument`: one of them is out of range. `InvalidConfiguration`: they do not go with
    /// the signer.
    pub(crate) fn check(&self, signer: Option<&Signer>) -> Result<()> {
        self.follow.max_stale()?;
        self.revocations.check()?;
        if !(1..=Self::MAX_TTL).contains(&self.refresh_ttl) || self.absolute_ttl > Self::MAX_TTL {
            return Err(argument(
                "A session lives for at least a second and at most ten years (`refresh_ttl`, `absolute_ttl`).",
            ));
        }
        if self.absolute_ttl < self.refresh_ttl {
            return Err(argument(
                "The absolute lifetime of a session (`absolute_ttl`) is shorter than the time between two refreshes (`refresh_ttl`).",
            ));
        }
        if self.grace_ms > Self::MAX_GRACE * 1000 {
            return Err(argument(
                "The `grace` is at most 60 seconds: for that long a copy of a refresh token works.",
            ));
        }
        let Some(signer) = signer else { return Ok(()) };
        match signer.ttl() {
            Some(ttl) if ttl <= self.refresh_ttl => Ok(()),
            _ => Err(Error::new(
                ErrorKind::InvalidConfiguration,
                "The signer's tokens must have a `ttl`, not longer than that of the refresh tokens (`refresh_ttl`).",
            )),
        }
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("refresh_ttl", &self.refresh_ttl)
            .field("absolute_ttl", &self.absolute_ttl)
            .field("grace_ms", &self.grace_ms)
            .field("revocations", &self.revocations)
            .finish_non_exhaustive()
    }
}

/// What a log-in says apart from its subject. All of it may be left out.
#[derive(Clone, Debug, Default)]
pub struct SessionSpec {
    /// What each access token says as well: not `sub`, `sid`, `iss`, `aud`, `exp`, `iat` or `jti`.
    pub claims: crate::jwt::Claims,
    /// What the subject logs in with, for people, such as the request's `User-Agent`, whatever that
    /// is: of it the first [`Self::MAX_CLIENT`] bytes are kept, with a space for each control
    /// character.
    pub client: String,
    /// The program's own notes: one JSON object of at most 4096 bytes; empty for none.
    pub meta: String,
}

impl SessionSpec {
    /// How much of [`Self::client`] is kept, in bytes.
    pub const MAX_CLIENT: usize = 255;
}

/// What a client is given at a log-in and at each refresh.
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionTokens {
    /// The access token, a JWT with `sub`, `sid` and the claims of the session.
    pub access_token: Secret,
    /// The refresh token, to be used once, instead of the previous one.
    pub refresh_token: Secret,
    /// For how many seconds the access token is good (RFC 6749 section 5.1).
    pub expires_in: u64,
    /// When the session ends unless it is refreshed before, in seconds since the Unix epoch.
    pub expires_at: u64,
    /// The session as it is now.
    pub session: SessionRecord,
}

impl SessionTokens {
    /// The id of the session: `sid` of its access tokens.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.session.family
    }
}

/// Names the session, never the tokens.
impl fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokens").field("family", &self.family()).finish_non_exhaustive()
    }
}

/// The sessions of a service: short access tokens, refresh tokens that rotate. Safe to share
/// between threads, cheap to clone, usable after a fork.
///
/// ```
/// use gatekey::{Alg, ErrorKind, Key, Peppers, Secret};
/// use gatekey::session::{SessionOptions, SessionSpec};
/// use gatekey::store::MemoryStore;
/// use gatekey::{Sessions, Signer};
/// use std::sync::Arc;
///
/// let signer = Signer::builder(&Key::generate(Alg::Es256)?).build()?;
/// let peppers = Peppers::new(&[(1, Secret::new(vec![7; 32]))])?; // from a file, in production
/// let store = Arc::new(MemoryStore::new());
/// let sessions = Sessions::open(store, peppers, Some(&signer), SessionOptions::new())?;
///
/// let first = sessions.start("alice", &SessionSpec::default())?;
/// let second = sessions.refresh(first.refresh_token.expose(), None)?;
/// assert_eq!(second.family(), first.family());
/// sessions.end(second.refresh_token.expose())?;
/// let refused = sessions.refresh(second.refresh_token.expose(), None).unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::SessionEnded);
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Sessions {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) peppers: Peppers,
    pub(super) signer: Option<Signer>,
    pub(super) refresh_ttl: u64,
    pub(super) absolute_ttl: u64,
    pub(super) grace_ms: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pace: Arc<Pace>,
    pub(super) random: Arc<dyn SecureRandom>,
    pub(super) revocations: Revocations,
    /// For the guard.
    pub(super) limits: Option<Arc<dyn SharedLimits>>,
}

impl Sessions {
    /// Opens the sessions in a store. Without a signer they can be looked at and ended, not started
    /// or refreshed.
    ///
    /// # Errors
    /// `InvalidArgument`: an option is out of range, or the absolute lifetime shorter than the time
    /// between two refreshes. `InvalidConfiguration`: the signer's tokens have no time to live, or
    /// a longer one than refresh tokens. `WrongPepper`: the store was made with other peppers.
    /// Those of [`SessionStore`].
    pub fn open(
        store: Arc<dyn SessionStore>,
        peppers: Peppers,
        signer: Option<&Signer>,
        options: SessionOptions,
    ) -> Result<Self> {
        options.check(signer)?;
        let (clock, pace) = (options.follow.clock(), options.follow.pace());
        peppers.check_against(&*store, pace.read(&*clock)?.now)?;
        let access_ttl = signer.and_then(Signer::ttl).unwrap_or(1);
        let revocations = options
            .revocations
            .at_least(access_ttl)
            .clock_at(Arc::clone(&clock), Arc::clone(&pace));
        let inner = Inner {
            revocations: Revocations::open(Arc::clone(&store) as _, revocations)?,
            store,
            peppers,
            signer: signer.cloned(),
            refresh_ttl: options.refresh_ttl,
            absolute_ttl: options.absolute_ttl,
            grace_ms: options.grace_ms,
            clock,
            pace,
            random: options.random,
            limits: options.limits,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What a guard of these sessions counts in together with other machines, if it does.
    pub(crate) fn shared_limits(&self) -> Option<Arc<dyn SharedLimits>> {
        self.inner.limits.clone()
    }

    /// Refuses what has been closed, by itself or with its store, before anything else is asked.
    ///
    /// # Errors
    /// `InvalidArgument`: it has been closed.
    pub fn check_open(&self) -> Result<()> {
        self.inner.revocations.check_open()
    }

    /// What the sessions' own access tokens are verified by, and the clock that dates them; `None`
    /// without a signer.
    pub(crate) fn own_tokens(&self) -> Result<Option<(OwnTokens, Arc<dyn Clock>)>> {
        let tokens = self.inner.signer.as_ref().map(Signer::own_tokens).transpose()?;
        Ok(tokens.map(|tokens| (tokens, Arc::clone(&self.inner.clock))))
    }

    /// What is revoked, to be given to verifiers: a session that has ended has its access tokens
    /// there.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.inner.revocations
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("revocations", self.revocations()).finish_non_exhaustive()
    }
}
