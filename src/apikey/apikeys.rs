//! `ApiKeys`: the handle that a service holds, and how it is opened.

use super::feed::Feed;
use super::flush::{Flusher, Upgrades};
use super::format::{check_env, check_prefix, has_form};
use super::limits::Counts;
use super::mirror::Mirror;
use super::owned::Owner;
use crate::base::clock::Clock;
use crate::base::follow::Follow;
use crate::base::pace::Pace;
use crate::base::random::SecureRandom;
use crate::base::text;
use crate::crypto::random::SystemRandom;
use crate::error::Result;
use crate::error::named::check_path;
use crate::pepper::Peppers;
use crate::store::{Database, Follower, Limits, SharedLimits};
use std::sync::{Arc, Weak};
use zeroize::Zeroizing;

/// How keys are made and verified.
#[derive(Clone)]
#[must_use]
pub struct ApiKeyOptions {
    pub(super) prefix: String,
    pub(super) env: String,
    pub(super) follow: Follow,
    pub(super) limits: Option<Limits>,
    pub(super) random: Arc<dyn SecureRandom>,
}

impl Default for ApiKeyOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ApiKeyOptions {
    /// Keys that begin with `gk_live_`, a store that may be silent for 30 seconds, the system's
    /// clock.
    pub fn new() -> Self {
        Self {
            prefix: "gk".to_owned(),
            env: "live".to_owned(),
            follow: Follow::new(),
            limits: None,
            random: Arc::new(SystemRandom),
        }
    }

    /// What new keys begin with: a small letter, then at most 19 small letters, digits and `_`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The environment of new keys and the only one that is accepted: 2 to 8 small letters.
    pub fn env(mut self, env: impl Into<String>) -> Self {
        self.env = env.into();
        self
    }

    /// Asks the store before every verification whether anything has changed, so that a revocation
    /// by another process is seen at once and not within 50 ms. Costs about a microsecond on
    /// SQLite.
    pub fn strict(mut self, strict: bool) -> Self {
        self.follow.strict = Some(strict);
        self
    }

    /// For how many seconds keys are served from memory while the store is out of reach; 0
    /// to 86400.
    pub fn max_stale(self, seconds: u64) -> Self {
        self.max_stale_ms(seconds.saturating_mul(1000))
    }

    /// [`Self::max_stale`] in milliseconds.
    pub fn max_stale_ms(mut self, milliseconds: u64) -> Self {
        self.follow.max_stale_ms = Some(milliseconds);
        self
    }

    /// Where the rates of keys are counted. Unless set, where the store says
    /// ([`StoreOptions::limits`](crate::open::StoreOptions::limits)), or else beside it, so that
    /// the processes of one machine share each key's limit, over restarts; each machine has limits
    /// of its own then.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Counts in what machines share, unless [`Self::limits`] says otherwise.
    pub(crate) fn sharing(mut self, limits: Option<&Arc<dyn SharedLimits>>) -> Self {
        self.limits = self.limits.or_else(|| limits.cloned().map(Limits::Shared));
        self
    }

    /// The source of the time. Processes that share [`Self::limits`] must agree about it: one whose
    /// clock is ahead takes what others have used for drained.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.follow.clock = Some(clock);
        self
    }

    /// The source of ids and secrets.
    pub fn random(mut self, random: Arc<dyn SecureRandom>) -> Self {
        self.random = random;
        self
    }

    /// What is wrong with the options alone, before a store is made.
    ///
    /// # Errors
    /// `InvalidArgument`: the prefix, the environment or `max_stale` is not acceptable.
    pub(crate) fn check(&self) -> Result<()> {
        check_prefix(&self.prefix)?;
        check_env(&self.env)?;
        if let Some(Limits::Folder(folder)) = &self.limits {
            check_path(folder, "limits")?;
        }
        self.follow.max_stale().map(drop)
    }

    /// What these do not say is as `others` have it.
    pub(crate) fn following(mut self, others: &Follow) -> Self {
        self.follow = self.follow.or(others);
        self
    }
}

/// The API keys of a service: safe to share between threads, cheap to clone, usable after a fork.
#[derive(Clone)]
pub struct ApiKeys {
    pub(super) inner: Arc<Inner>,
    /// Who makes the changes, for the audit.
    pub(super) actor: Arc<str>,
    /// Whose keys alone are seen and changed.
    pub(super) owner: Option<Owner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn Database>,
    pub(super) peppers: Peppers,
    pub(super) prefix: String,
    pub(super) env: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pace: Arc<Pace>,
    pub(super) random: Arc<dyn SecureRandom>,
    pub(super) mirror: Mirror,
    pub(super) feed: Feed,
    pub(super) flusher: Flusher,
    pub(super) upgrades: Upgrades,
    pub(super) counts: Counts,
    /// How many slow hashes were computed.
    #[cfg(test)]
    pub(super) computed: std::sync::atomic::AtomicUsize,
}

impl ApiKeys {
    /// Opens the keys in a store: checks the peppers against it and reads every key.
    ///
    /// # Errors
    /// `InvalidArgument`: an option is out of range. `WrongPepper`: the store was made with other
    /// peppers. `InvalidConfiguration`: the clock is out of range. Those of
    /// [`Backend`](crate::store::Backend); those of [`Self::check_limits`] if [`Limits`] name a
    /// folder.
    pub fn open(
        store: Arc<dyn Database>,
        peppers: Peppers,
        options: ApiKeyOptions,
    ) -> Result<Self> {
        options.check()?;
        let fresh = options.follow.freshness()?;
        let clock = options.follow.clock();
        let limits = options.limits.unwrap_or_default();
        let counts = Counts::new(&limits, &*store, &*clock)?;
        let keys = Self {
            inner: Arc::new(Inner {
                store,
                peppers,
                prefix: options.prefix,
                env: options.env,
                clock,
                pace: options.follow.pace(),
                random: options.random,
                mirror: Mirror::new(),
                feed: Feed::new(fresh),
                flusher: Flusher::new(),
                upgrades: Upgrades::new(),
                counts,
                #[cfg(test)]
                computed: std::sync::atomic::AtomicUsize::new(0),
            }),
            actor: Arc::from(""),
            owner: None,
        };
        let inner = &keys.inner;
        let checked = inner.now().and_then(|now| inner.peppers.check_against(&*inner.store, now));
        let opened = checked.and_then(|()| inner.reload()).and_then(|()| match limits {
            Limits::Folder(_) => inner.counts.open(&*inner.store),
            _ => Ok(()),
        });
        if let Err(error) = opened {
            keys.inner.give_up();
            return Err(error);
        }
        let inner: Weak<Inner> = Arc::downgrade(inner);
        keys.inner.store.keep_fed(inner);
        Ok(keys)
    }

    /// The same keys, with changes noted in the audit as made by `actor`: at most 255 bytes.
    ///
    /// # Errors
    /// `InvalidArgument`: the name is too long or holds control characters.
    pub fn acting_as(&self, actor: &str) -> Result<Self> {
        let actor = text::plain(actor, 255, "The name of an actor has at most 255 bytes.")?;
        Ok(Self { inner: Arc::clone(&self.inner), actor: actor.into(), owner: self.owner.clone() })
    }

    /// What their rates are counted in together with other machines, if they are.
    pub(crate) fn shared_limits(&self) -> Option<Arc<dyn SharedLimits>> {
        self.inner.counts.shared()
    }

    /// Refuses what has been closed, by itself or with its store, before anything else is asked.
    ///
    /// # Errors
    /// `InvalidArgument`: it has been closed.
    pub fn check_open(&self) -> Result<()> {
        self.inner.be_open()
    }

    /// Whether the rates of all keys are shared by the processes of this machine, or with
    /// [`Limits::Shared`] by all that count there, which is asked now: what holds, or why not. For
    /// a program that wants to know at its start; where they are not shared, each process counts
    /// for itself, and no key is without its limit.
    ///
    /// # Errors
    /// `InvalidConfiguration`: limits are off, the store has no place for them, or their file is
    /// another user's. `StoreReadOnly`, `StoreFull`, `StoreUnavailable`: the file cannot be opened
    /// or made, or is full. `StoreCorrupt`: it is of a newer version. `Unsupported`: this machine
    /// cannot share it.
    pub fn check_limits(&self) -> Result<()> {
        self.inner.be_open()?;
        self.inner.counts.check_now(&*self.inner.store)
    }

    /// What is called when the store closes.
    pub(crate) fn follower(&self) -> Weak<dyn Follower> {
        let inner: Weak<Inner> = Arc::downgrade(&self.inner);
        inner
    }

    /// Whether a text that is no key looks as if it was meant to be one: it has a key's form but
    /// for the checksum, or what new keys begin with, in letters of any case, in quotes, behind a
    /// name (`key=`) or escaped. No other server should be asked about it.
    pub(crate) fn has_form_of_own(&self, text: &str) -> bool {
        let (prefix, env) = (&self.inner.prefix, &self.inner.env);
        let head = format!("{prefix}_").to_ascii_lowercase();
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let plain = Zeroizing::new(lower.replace("%5f", "_"));
        // By chance it stands somewhere in a token of the server's, but not where a word begins.
        let begins = |(at, _): (usize, &str)| {
            let before = plain.as_bytes().get(at.wrapping_sub(1));
            before.is_none_or(|b| !b.is_ascii_alphanumeric() && !b"-._~+/".contains(b))
        };
        plain.match_indices(&*head).any(begins)
            || plain.contains(&format!("{head}{env}_").to_ascii_lowercase())
            || has_form(text.as_bytes())
    }

    /// The prefix of new keys.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.inner.prefix
    }

    /// The environment of the keys.
    #[must_use]
    pub fn env(&self) -> &str {
        &self.inner.env
    }
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKeys({}_{})", self.inner.prefix, self.inner.env)
    }
}
