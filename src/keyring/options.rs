//! How a key ring is kept and followed.

use crate::base::clock::Clock;
use crate::base::follow::Follow;
use crate::base::text::argument;
use crate::error::Result;
use crate::jwk::{Alg, Key};
use crate::store::StoredRing;
use std::fmt;
use std::sync::Arc;

/// How a ring is kept and followed.
#[derive(Clone)]
#[must_use]
pub struct KeyRingOptions {
    pub(super) name: String,
    pub(super) alg: Alg,
    pub(super) token_ttl: Option<u64>,
    pub(super) keys: Vec<Key>,
    pub(super) follow: Follow,
}

impl Default for KeyRingOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyRingOptions {
    /// The longest life of a token: a year, in seconds.
    pub const MAX_TOKEN_TTL: u64 = 366 * 86_400;

    /// The longest life of a token, in seconds, that a new ring is for unless told: 15 minutes.
    pub const USUAL_TOKEN_TTL: u64 = 900;

    /// A ring named `default` of ES256 keys, for tokens that live as long as the ring has been
    /// opened for; a new one is for [`Self::USUAL_TOKEN_TTL`].
    pub fn new() -> Self {
        Self {
            name: "default".to_owned(),
            alg: Alg::Es256,
            token_ttl: None,
            keys: Vec::new(),
            follow: Follow::new(),
        }
    }

    /// The ring's name in its store or folder: 1 to 64 small letters, digits and hyphens.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The algorithm of new keys; those that are there keep theirs.
    pub const fn alg(mut self, alg: Alg) -> Self {
        self.alg = alg;
        self
    }

    /// A key that was not made here, such as one with a callback
    /// ([`Key::with_callback`](crate::Key::with_callback)), which may be called for several. A ring
    /// that is not there is made with the first as its active key and the second, if there is one,
    /// as its next. For a ring that is there, they are the callbacks that this process has; a new
    /// key is [added](super::KeyRing::add).
    pub fn key(mut self, key: &Key) -> Self {
        self.keys.push(key.clone());
        self
    }

    /// For how many seconds tokens live, at most, that this handle's signers sign; at most
    /// [`Self::MAX_TOKEN_TTL`].
    ///
    /// The ring remembers the longest that it was ever opened with. For that long, and for the
    /// largest leeway of a policy (600 s), a retired key is still good, whichever process rotates.
    /// Unless set, it is what the ring remembers.
    pub const fn token_ttl(mut self, seconds: u64) -> Self {
        self.token_ttl = Some(seconds);
        self
    }

    /// For how many seconds the keys are used while their store is out of reach; 0 to 86400.
    pub const fn max_stale(self, seconds: u64) -> Self {
        self.max_stale_ms(seconds.saturating_mul(1000))
    }

    /// [`Self::max_stale`] in milliseconds.
    pub const fn max_stale_ms(mut self, milliseconds: u64) -> Self {
        self.follow.max_stale_ms = Some(milliseconds);
        self
    }

    /// The source of the time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.follow.clock = Some(clock);
        self
    }

    /// What these do not say is as `others` have it.
    pub(crate) fn following(mut self, others: &Follow) -> Self {
        self.follow = self.follow.or(others);
        self
    }

    /// Whether tokens can live for this many seconds.
    pub(super) fn is_token_ttl(seconds: u64) -> bool {
        (1..=Self::MAX_TOKEN_TTL).contains(&seconds)
    }

    /// What is wrong with the options alone, before a store is made.
    ///
    /// # Errors
    /// `InvalidArgument`: one of them is out of range.
    pub(crate) fn check(&self) -> Result<()> {
        self.follow.max_stale()?;
        if !StoredRing::is_name(&self.name) {
            return Err(argument(
                "The `name` of a ring is 1 to 64 small letters, digits and hyphens.",
            ));
        }
        if self.token_ttl.is_some_and(|seconds| !Self::is_token_ttl(seconds)) {
            return Err(argument("Tokens live for at least a second and at most a year."));
        }
        if self.keys.iter().any(|key| !key.may_sign()) {
            return Err(super::callbacks::MAY_NOT_SIGN);
        }
        Ok(())
    }
}

impl fmt::Debug for KeyRingOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRingOptions")
            .field("name", &self.name)
            .field("alg", &self.alg)
            .field("token_ttl", &self.token_ttl)
            .field("max_stale_ms", &self.follow.max_stale_ms())
            .finish_non_exhaustive()
    }
}
