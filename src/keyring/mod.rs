//! `KeyRing`: the keys of a signer over time. One is active and signs; the next one is published
//! already, so that verifiers know it before its first token; retired ones are good until their
//! last token has expired.
//!
//! A ring lies in a store, sealed under a pepper (AES-256-GCM), or in a folder that only its owner
//! may read. Signers and verifiers follow it without a restart, in other processes within 50 ms:
//! each use keeps the ring fresh (`be_fresh`).

mod callbacks;
mod feed;
mod options;
mod ring_key;
mod text;

pub use self::options::KeyRingOptions;
pub use self::ring_key::{RingKey, RingKeyState};

use self::callbacks::{Callbacks, NO_CALLBACK, NO_NEXT};
use self::text::{Kept, read, write};
use crate::base::clock::Clock;
use crate::base::follow::{Freshness, Looks};
use crate::base::pace::{Cutoff, Dates, Pace};
use crate::base::process::Own;
use crate::base::reach::beyond_memory;
use crate::base::text::argument;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key, KeySet, KeySource};
use crate::pepper::Peppers;
use crate::store::{CLOSED, Follower, KeyRingStore, StoredRing};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// How often a change is tried that others keep overtaking: of eight that never rest, each is first
/// in time.
const TRIES: usize = 256;
/// The most keys of a ring; a rotation a minute would need that many.
const MOST: usize = 64;
/// The largest leeway of any policy, in seconds.
const LEEWAY: u64 = crate::jwt::Policy::MAX_LEEWAY;

/// The keys of a signer over time: safe to share between threads, cheap to clone, usable after a
/// fork. A [`KeySource`] for signers and verifiers.
///
/// ```
/// use gatekey::{Claims, KeyRing, Peppers, Policy, Secret, Signer};
/// use gatekey::keyring::KeyRingOptions;
/// use gatekey::store::MemoryStore;
/// use gatekey::Verifier;
/// use std::sync::Arc;
///
/// let peppers = Peppers::new(&[(1, Secret::new(vec![7; 32]))])?; // from a file, in production
/// let ring = KeyRing::open(Arc::new(MemoryStore::new()), Some(peppers), KeyRingOptions::new())?;
/// let signer = Signer::following(Arc::new(ring.clone())).build()?;
/// let verifier = Verifier::following(Arc::new(ring.clone()), Policy::new())?;
///
/// let before = signer.sign(&Claims::new().subject("alice"))?;
/// ring.rotate()?;
/// let after = signer.sign(&Claims::new().subject("alice"))?;
/// let (before, after) = (verifier.verify(&before)?, verifier.verify(&after)?);
/// assert_ne!(before.key_id(), after.key_id());
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct KeyRing(Arc<Inner>);

struct Inner {
    store: Arc<dyn KeyRingStore>,
    peppers: Option<Peppers>,
    options: KeyRingOptions,
    callbacks: Callbacks,
    clock: Arc<dyn Clock>,
    fresh: Freshness,
    pace: Arc<Pace>,
    /// The date of the last look, in seconds since the Unix epoch.
    looked: AtomicU64,
    /// Grows with every change of `current`.
    generation: AtomicU64,
    current: ArcSwap<Current>,
    looks: Own<Looks<()>>,
}

/// The ring as it was last read.
#[derive(Clone)]
struct Current {
    /// What [`KeyRingStore::key_ring_version`] said before it was read.
    stamp: u64,
    version: u64,
    keys: Vec<Kept>,
    /// The longest life of a token, in seconds, that the ring was ever opened with. A retired key
    /// is kept for that long and 600 s more.
    token_ttl: u64,
    /// The latest time at which a key lapsed that was left out; the store may still have it.
    lapsed: u64,
}

impl Current {
    fn of(version: u64, (keys, token_ttl): (Vec<Kept>, u64)) -> Self {
        Self { stamp: 0, version, keys, token_ttl, lapsed: 0 }
    }

    /// A key that is retired by a date at which it was still seen to sign was retired by a clock
    /// that is behind: its tokens are good for as long from the time `latest` on. `known` was
    /// looked at last at the date `looked`.
    fn keep_long_enough(&mut self, known: &Self, looked: u64, latest: u64) {
        for shown in self.keys.iter_mut().map(|kept| &mut kept.shown) {
            let (Some(until), Some(retired_at)) = (shown.until, shown.retired_at) else { continue };
            let before = known.keys.iter().find(|before| before.shown.kid == shown.kid);
            let Some(before) = before.map(|before| before.shown.until) else { continue };
            let is_behind = retired_at < looked;
            let from_now = latest.saturating_add(until.saturating_sub(retired_at));
            shown.until = Some(until.max(before.unwrap_or(if is_behind { from_now } else { 0 })));
        }
    }

    /// Leaves out keys whose last token has expired.
    fn forget(&mut self, now: u64) {
        self.keys.retain(|kept| {
            let lapsed = kept.has_lapsed(now);
            if lapsed {
                self.lapsed = self.lapsed.max(kept.shown.until.unwrap_or(0));
            }
            !lapsed
        });
    }

    /// Whether the ring makes no keys of its own.
    fn is_elsewhere(&self) -> bool {
        self.in_state(RingKeyState::Active).is_some_and(|kept| kept.shown.by_callback)
    }

    fn in_state(&self, state: RingKeyState) -> Option<&Kept> {
        self.keys.iter().find(|kept| kept.shown.state == state)
    }

    fn has_lapsed(&self, now: u64) -> bool {
        self.keys.iter().any(|kept| kept.has_lapsed(now))
    }
}

impl KeyRing {
    /// Opens a ring, and makes it, with an active and a next key, if it is not there. A longer
    /// [`KeyRingOptions::token_ttl`] than the ring knows is written into it, unless its store
    /// cannot be written to: then signers of tokens that live that long are refused.
    ///
    /// # Errors
    /// `InvalidArgument`: an option is out of range, or the store wants the ring sealed and there
    /// are no peppers. `WrongPepper`: it was sealed under a pepper of another number.
    /// `StoreCorrupt`: it was altered from outside, or the pepper of this number has another value.
    /// Those of [`KeyRingStore`].
    pub fn open(
        store: Arc<dyn KeyRingStore>,
        peppers: Option<Peppers>,
        options: KeyRingOptions,
    ) -> Result<Self> {
        options.check()?;
        if peppers.is_none() && store.wants_seal() {
            return Err(argument("A ring in a store is sealed under a pepper; give the peppers."));
        }
        let inner = Inner {
            store,
            peppers,
            fresh: options.follow.freshness()?,
            clock: options.follow.clock(),
            pace: options.follow.pace(),
            callbacks: Callbacks::of(&options.keys),
            options,
            looked: AtomicU64::new(0),
            generation: AtomicU64::new(1),
            current: ArcSwap::from_pointee(Current::of(0, (Vec::new(), 0))),
            looks: Own::new(),
        };
        inner.make_if_missing()?;
        inner.look_now()?;
        inner.promise(inner.options.token_ttl.unwrap_or(0))?;
        let inner = Arc::new(inner);
        let fed: Weak<Inner> = Arc::downgrade(&inner);
        inner.store.keep_ring_fed(fed);
        Ok(Self(inner))
    }

    /// What is called when the store closes.
    pub(crate) fn follower(&self) -> Weak<dyn Follower> {
        let inner: Weak<Inner> = Arc::downgrade(&self.0);
        inner
    }

    /// Refuses what has been closed, by itself or with its store, before anything else is asked.
    ///
    /// # Errors
    /// `InvalidArgument`: it has been closed.
    pub fn check_open(&self) -> Result<()> {
        if self.0.fresh.is_over() { Err(CLOSED) } else { Ok(()) }
    }

    /// Makes the next key the active one, retires the one that was, and makes a new next one. Wait
    /// with a second rotation until all that cache [`Self::to_jwks`] have fetched the new next key.
    ///
    /// The retired one stays good for [`Self::token_ttl`] and 600 s more, whichever process opened
    /// the ring with that.
    ///
    /// # Errors
    /// `InvalidConfiguration`: there are 64 keys whose tokens are still good, or the active key
    /// signs by a callback and no next one was [added](Self::add). `MixedKeySet`: new keys are
    /// symmetric and old ones are not, or the other way. Those of [`KeyRingStore`]; then nothing
    /// has changed.
    pub fn rotate(&self) -> Result<RingKey> {
        self.0.change(&|ring, now| {
            // The clock may be behind, also behind the ring: what signs is not older than its keys.
            let last = ring.keys.iter().flat_map(Kept::signs_from).max().unwrap_or(0).max(now);
            let until = last.saturating_add(ring.token_ttl).saturating_add(LEEWAY);
            for kept in &mut ring.keys {
                match kept.shown.state {
                    RingKeyState::Active => kept.retire(now, until),
                    RingKeyState::Next => kept.activate(now),
                    RingKeyState::Retired => {}
                }
            }
            Ok(())
        })?;
        self.active()
    }

    /// Takes a key out of the ring at once: for the day that it has leaked. Its tokens are refused
    /// by all that follows the ring; where only the published keys are known, revoke the key as
    /// well. If it is the active one, the next one takes its place.
    ///
    /// # Errors
    /// `RingKeyNotFound`: the ring has no key of this name. `InvalidConfiguration`: it is the
    /// active one, signs by a callback, and there is no next one. Those of [`KeyRingStore`]; then
    /// nothing has changed.
    pub fn remove(&self, kid: &str) -> Result<()> {
        self.0.change(&|Current { keys, .. }, now| {
            let at = keys.iter().position(|kept| kept.shown.kid == kid).ok_or(NO_SUCH_KEY)?;
            let removed = keys.remove(at);
            if removed.shown.state == RingKeyState::Active
                && let Some(next) =
                    keys.iter_mut().find(|kept| kept.shown.state == RingKeyState::Next)
            {
                next.activate(now);
            }
            Ok(())
        })
    }

    /// Makes new keys in the place of those that were made before the time `at`; whether there were
    /// any. Their tokens are refused from now on.
    pub(crate) fn replace_before(&self, cutoff: Cutoff) -> Result<bool> {
        let alg = self.active()?.alg;
        if self.keys()?.iter().all(|key| !cutoff.is_before(key.created_at)) {
            return Ok(false);
        }
        self.0.change_as(alg, &|ring, _| {
            ring.keys.retain(|kept| !cutoff.is_before(kept.shown.created_at));
            Ok(())
        })?;
        Ok(true)
    }

    /// The keys of the ring: the next one, the active one, and the retired ones, the latest first.
    ///
    /// # Errors
    /// `StoreUnavailable`: the ring cannot be read.
    pub fn keys(&self) -> Result<Vec<RingKey>> {
        self.0.be_fresh()?;
        Ok(self.0.current.load().keys.iter().map(|kept| kept.shown.clone()).collect())
    }

    /// The key that signs.
    ///
    /// # Errors
    /// `StoreUnavailable`: the ring cannot be read.
    pub fn active(&self) -> Result<RingKey> {
        self.0.be_fresh()?;
        let current = self.0.current.load();
        let active = current.in_state(RingKeyState::Active).ok_or(NO_ACTIVE_KEY)?;
        Ok(active.shown.clone())
    }

    /// The longest life of a token, in seconds, that the ring was ever opened with
    /// ([`KeyRingOptions::token_ttl`]), by any process. A retired key stays good for that long and
    /// 600 s more.
    ///
    /// # Errors
    /// `StoreUnavailable`: the ring cannot be read.
    pub fn token_ttl(&self) -> Result<u64> {
        self.0.be_fresh()?;
        Ok(self.0.current.load().token_ttl)
    }

    /// The public keys as a JWK Set, to be published: the next one too.
    ///
    /// # Errors
    /// `KeyUsage`: the keys are symmetric. `StoreUnavailable`: the ring cannot be read.
    pub fn to_jwks(&self) -> Result<String> {
        KeySource::keys(self)?.to_jwks()
    }

    /// Looks now at what other processes have changed.
    ///
    /// # Errors
    /// Those of [`KeyRingStore`].
    pub fn refresh(&self) -> Result<()> {
        self.0.look_now()
    }
}

impl KeySource for KeyRing {
    fn generation(&self) -> Result<u64> {
        self.0.be_fresh()?;
        Ok(self.0.generation.load(Ordering::Acquire))
    }

    fn keys(&self) -> Result<KeySet> {
        self.0.be_fresh()?;
        KeySet::new(self.0.current.load().keys.iter().map(|kept| kept.verifying.clone()))
    }

    /// What the handle was opened for, but no more than the ring knows of. Into a ring that knows
    /// of less, as one from a backup does, it is written again.
    fn longest_ttl(&self) -> Result<Option<u64>> {
        let own = self.0.options.token_ttl;
        self.0.promise(own.unwrap_or(KeyRingOptions::USUAL_TOKEN_TTL))?;
        let known = self.0.current.load().token_ttl;
        Ok(Some(own.map_or(known, |own| own.min(known))))
    }

    fn is_own(&self) -> bool {
        true
    }

    fn signing_key(&self) -> Result<Key> {
        self.0.be_fresh()?;
        let current = self.0.current.load();
        let key = &current.in_state(RingKeyState::Active).ok_or(NO_ACTIVE_KEY)?.key;
        if key.may_sign() { Ok(key.clone()) } else { Err(NO_CALLBACK) }
    }
}

impl Inner {
    fn show(&self, mut new: Current, dates: Dates) {
        self.keep_long_enough(&mut new, dates.latest);
        new.forget(dates.now);
        let new = Arc::new(new);
        // Anyone who was overtaken while reading does not bring an older version back.
        self.current.rcu(|known| {
            if known.stamp > new.stamp { Arc::clone(known) } else { Arc::clone(&new) }
        });
        // Last: anyone who sees the number sees these keys.
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    fn keep_long_enough(&self, new: &mut Current, latest: u64) {
        new.keep_long_enough(&self.current.load(), self.looked.load(Ordering::Relaxed), latest);
    }

    fn load(&self) -> Result<Current> {
        let ring = self.store.key_ring(&self.options.name)?.ok_or(GONE)?;
        Ok(Current::of(ring.version, self.open_ring(&ring)?))
    }

    fn open_ring(&self, ring: &StoredRing) -> Result<(Vec<Kept>, u64)> {
        let text = text::open(ring, self.peppers.as_ref())?;
        let (mut keys, token_ttl) = read(&text)?;
        self.callbacks.join(&mut keys);
        Ok((keys, token_ttl))
    }

    fn make_if_missing(&self) -> Result<()> {
        if self.store.key_ring_version(&self.options.name)? != 0 {
            return Ok(());
        }
        let now = self.pace.read(&*self.clock)?.now;
        let mut first = match self.options.keys.as_slice() {
            [] => {
                vec![Kept::generate(self.options.alg, now)?, Kept::generate(self.options.alg, now)?]
            }
            given => {
                let given = given.iter().take(2).rev();
                given.map(|key| Kept::next(key.clone(), now)).collect::<Result<_>>()?
            }
        };
        if let Some(active) = first.last_mut() {
            active.activate(now);
        }
        let token_ttl = self.options.token_ttl.unwrap_or(KeyRingOptions::USUAL_TOKEN_TTL);
        match self.put(1, &first, token_ttl) {
            // Someone else has just made it.
            Err(error) if error.kind() == ErrorKind::StoreConflict => Ok(()),
            other => other,
        }
    }

    fn put(&self, version: u64, keys: &[Kept], token_ttl: u64) -> Result<()> {
        // A ring is all symmetric or all asymmetric, as any set.
        KeySet::new(keys.iter().map(|kept| kept.verifying.clone()))?;
        let text = write(keys, token_ttl)?;
        let name = &self.options.name;
        let ring = text::seal(name, version, &text, self.peppers.as_ref(), &SystemRandom)?;
        self.store.put_key_ring(&ring)
    }

    /// Writes into the ring that tokens live for this many seconds, if it knows of less: the
    /// process that rotates it keeps keys for that long. A process that cannot write goes by what
    /// the ring knows.
    fn promise(&self, token_ttl: u64) -> Result<()> {
        if self.current.load().token_ttl >= token_ttl {
            return Ok(());
        }
        let told = self.until_put(|| {
            let ring = self.load()?;
            if ring.token_ttl >= token_ttl {
                return Ok(());
            }
            self.put(ring.version + 1, &ring.keys, token_ttl)
        });
        match told {
            Err(error) if error.kind() == ErrorKind::StoreReadOnly => Ok(()),
            told => told,
        }
    }

    /// Reads the ring, changes it and puts it back, again if someone else was faster.
    fn change(&self, change: &dyn Fn(&mut Current, u64) -> Result<()>) -> Result<()> {
        self.change_as(self.options.alg, change)
    }

    /// As [`Self::change`]; new keys are of this algorithm.
    fn change_as(&self, alg: Alg, change: &dyn Fn(&mut Current, u64) -> Result<()>) -> Result<()> {
        // Made once, however often the change is tried: some kinds of keys take a second.
        let mut spare: Vec<Kept> = Vec::new();
        self.until_put(|| {
            let mut loaded = self.load()?;
            let Dates { surely, latest: now, .. } = self.pace.read(&*self.clock)?;
            self.keep_long_enough(&mut loaded, now);
            // For good, so not by a clock that has run ahead.
            loaded.keys.retain(|kept| !kept.has_lapsed(surely));
            loaded.token_ttl = loaded.token_ttl.max(self.options.token_ttl.unwrap_or(0));
            let is_elsewhere = loaded.is_elsewhere();
            change(&mut loaded, now)?;
            let is_elsewhere = is_elsewhere || loaded.is_elsewhere();
            let Current { version, mut keys, token_ttl, .. } = loaded;
            // There is always a next one, and an active one; but of keys that lie elsewhere.
            let mut unused = spare.iter();
            let mut new = Vec::new();
            for state in [RingKeyState::Active, RingKeyState::Next] {
                if !keys.iter().any(|kept| kept.shown.state == state) {
                    match state {
                        RingKeyState::Active if is_elsewhere => return Err(NO_NEXT),
                        _ if is_elsewhere => continue,
                        _ => {}
                    }
                    let mut made = match unused.next() {
                        Some(made) => made.clone(),
                        None => Kept::generate(alg, now)?,
                    };
                    new.push(made.clone());
                    if state == RingKeyState::Active {
                        made.activate(now);
                    }
                    keys.push(made);
                }
            }
            keys.sort_by_key(|kept| {
                (kept.shown.state as u8, std::cmp::Reverse(kept.shown.retired_at))
            });
            if keys.len() > MOST {
                return Err(TOO_MANY);
            }
            if new.len() > spare.len() {
                spare = new;
            }
            self.put(version + 1, &keys, token_ttl)
        })
    }

    /// Tries until no other writer is faster, and looks at what is there then.
    fn until_put(&self, mut put: impl FnMut() -> Result<()>) -> Result<()> {
        beyond_memory()?;
        if self.fresh.is_over() {
            return Err(CLOSED);
        }
        for _ in 0..TRIES {
            match put() {
                Ok(()) => return self.look_now(),
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::StoreConflict.into())
    }
}

const GONE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The key ring is not in its store any more; restore it from a backup.",
);
const NO_ACTIVE_KEY: Error = Error::new(ErrorKind::KeyUsage, "The key ring has no active key.");
const NO_SUCH_KEY: Error =
    Error::new(ErrorKind::RingKeyNotFound, "The key ring has no key of this name.");
const TOO_MANY: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The ring has 64 keys whose tokens are still good; rotate less often.",
);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.0.current.load();
        let keys: Vec<_> = current.keys.iter().map(|kept| &kept.shown).collect();
        f.debug_tuple("KeyRing").field(&keys).finish()
    }
}
