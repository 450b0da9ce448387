//! Keys of a ring that lie in a KMS or an HSM: the ring has their public halves, and each process
//! brings the callbacks that sign.

use super::text::Kept;
use super::{Current, Inner, KeyRing, RingKey, RingKeyState};
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::Key;
use arc_swap::ArcSwap;
use std::sync::atomic::Ordering;

/// The callbacks that this process has, as keys.
pub(super) struct Callbacks(ArcSwap<Vec<Key>>);

impl Callbacks {
    pub(super) fn of(keys: &[Key]) -> Self {
        let keys = keys.iter().filter(|key| key.signs_by_callback()).cloned().collect();
        Self(ArcSwap::from_pointee(keys))
    }

    fn take(&self, key: &Key) {
        let thumbprint = key.thumbprint();
        self.0.rcu(|known| {
            let others = known.iter().filter(|known| known.thumbprint() != thumbprint);
            others.chain([key]).cloned().collect::<Vec<_>>()
        });
    }

    /// Lets the keys of a ring sign whose callbacks are here.
    pub(super) fn join(&self, keys: &mut [Kept]) {
        let here = self.0.load();
        for kept in keys.iter_mut().filter(|kept| kept.shown.by_callback) {
            let thumbprint = kept.verifying.thumbprint();
            let key = here.iter().find(|key| key.thumbprint() == thumbprint);
            if let Some(Ok(named)) = key.map(|key| key.with_kid(&kept.shown.kid)) {
                kept.key = named;
            }
        }
    }
}

impl KeyRing {
    /// Makes a key that was not made here the next one: a key of a KMS or HSM
    /// ([`Key::with_callback`]), or one that the ring takes over. [`Self::rotate`] makes it the
    /// active one. A next key that has never signed is dropped for it.
    ///
    /// Of a key with a callback, the ring keeps the public half, and each process that signs must
    /// have the callback: by this call, which changes nothing if the ring has the key already, or
    /// by [`KeyRingOptions::key`](super::KeyRingOptions::key). While such a key is active, the ring
    /// makes no keys of its own.
    ///
    /// # Errors
    /// `KeyUsage`: the key may not sign. `InvalidArgument`: another key of the ring has its `kid`.
    /// `MixedKeySet`: it is symmetric and the others are not, or the other way. Those of
    /// [`KeyRingStore`](crate::store::KeyRingStore); then nothing has changed.
    pub fn add(&self, key: &Key) -> Result<RingKey> {
        if !key.may_sign() {
            return Err(MAY_NOT_SIGN);
        }
        if key.signs_by_callback() {
            self.0.callbacks.take(key);
        }
        let thumbprint = key.thumbprint();
        let is_it = |kept: &Kept| kept.key.thumbprint() == thumbprint;
        let known = self.0.load()?.keys.iter().any(is_it);
        if known {
            self.0.read_again()?;
        } else {
            self.0.change(&|ring, now| {
                if ring.keys.iter().any(is_it) {
                    return Ok(()); // another process has just added it
                }
                ring.keys.retain(|kept| kept.shown.state != RingKeyState::Next);
                if ring.keys.iter().any(|kept| kept.shown.kid == key.kid()) {
                    return Err(argument(SAME_KID));
                }
                ring.keys.push(Kept::next(key.clone(), now)?);
                Ok(())
            })?;
        }
        let current = self.0.current.load();
        current.keys.iter().find(|kept| is_it(kept)).map(|kept| kept.shown.clone()).ok_or(NOT_KEPT)
    }
}

impl Inner {
    /// Shows the ring as it is, with the callbacks that there are now.
    fn read_again(&self) -> Result<()> {
        self.look_now()?;
        self.current.rcu(|known| {
            let mut joined = Current::clone(known);
            self.callbacks.join(&mut joined.keys);
            joined
        });
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

pub(super) const MAY_NOT_SIGN: Error = Error::new(
    ErrorKind::KeyUsage,
    "The key may not sign: it is public, or its `key_ops` says otherwise. Add a private key, or one with a callback.",
);
const SAME_KID: &str =
    "Another key of the ring has this `kid`; give the new one another name, or none.";
const NOT_KEPT: Error = Error::new(
    ErrorKind::StoreConflict,
    "Another process has taken the key out of the ring again; look at `keys` of the ring.",
);
pub(super) const NO_NEXT: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The ring signs by a key with a callback, and makes no keys of its own: `add` the next one first.",
);
pub(super) const NO_CALLBACK: Error = Error::new(
    ErrorKind::KeyUsage,
    "The ring's active key signs by a callback that this process does not have; `add` the key here as well.",
);
