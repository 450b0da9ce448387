//! Caches what is derived from the keys of a [`KeySource`]; rebuilt when the source's generation
//! changes.

use crate::base::process::enter;
use crate::base::reach::may_ask;
use crate::error::{Error, Result};
use crate::jwk::KeySource;
use arc_swap::{ArcSwap, Guard};
use std::sync::{Arc, OnceLock};

/// Something that was made of the keys as they were at one time.
pub(super) struct Following<T> {
    source: Arc<dyn KeySource>,
    current: ArcSwap<Made<T>>,
}

/// The thing, and the generation of the keys it was made of.
pub(super) struct Made<T> {
    generation: u64,
    pub(super) thing: T,
}

impl<T> Following<T> {
    /// Makes it of the keys as they are now.
    pub(super) fn new(
        source: Arc<dyn KeySource>,
        make: impl Fn(&dyn KeySource) -> Result<T>,
    ) -> Result<Self> {
        let made = Made::of(&*source, make)?;
        Ok(Self { source, current: ArcSwap::from_pointee(made) })
    }

    /// The thing, of the keys as they are now. Two threads may make it at the same time: each uses
    /// its own, and the slower one, whose keys may be older, does not put it in the place of the
    /// other's.
    pub(super) fn current(
        &self,
        make: impl Fn(&dyn KeySource) -> Result<T>,
    ) -> Result<Guard<Arc<Made<T>>>> {
        let generation = self.source.generation()?;
        let current = self.current.load();
        if current.generation == generation {
            return Ok(current);
        }
        let made = Arc::new(Made::of(&*self.source, make)?);
        self.current.compare_and_swap(&*current, Arc::clone(&made));
        Ok(Guard::from_inner(made))
    }

    /// Whether the source has other keys than those that this was made of, after another look.
    #[cold]
    pub(super) fn look_again(&self, made: &Made<T>) -> Result<bool> {
        self.source.look_again(made.generation)
    }

    /// Where the keys come from.
    pub(super) fn source(&self) -> Arc<dyn KeySource> {
        Arc::clone(&self.source)
    }

    /// The thing as it was last made.
    pub(super) fn latest(&self) -> Guard<Arc<Made<T>>> {
        self.current.load()
    }
}

/// The same for keys of an issuer that may be out of reach at first: nothing is made then, and it
/// is tried again with each use.
pub(super) struct Eventually<T> {
    source: Arc<dyn KeySource>,
    following: OnceLock<Following<T>>,
}

impl<T> Eventually<T> {
    /// Makes it of the keys as they are now, if their issuer can be asked.
    pub(super) fn new(
        source: Arc<dyn KeySource>,
        make: impl Fn(&dyn KeySource) -> Result<T>,
    ) -> Result<Self> {
        let following = match Following::new(Arc::clone(&source), make) {
            Err(error) if is_out_of_reach(&error) => OnceLock::new(),
            following => OnceLock::from(following?),
        };
        Ok(Self { source, following })
    }

    /// What follows the keys, made by now.
    #[inline]
    pub(super) fn get(&self, make: impl Fn(&dyn KeySource) -> Result<T>) -> Result<&Following<T>> {
        match self.following.get() {
            Some(following) => Ok(following),
            None => {
                let following = Following::new(Arc::clone(&self.source), make)?;
                let _inside = enter(); // a cell that a fork copies half made would never be ready
                Ok(self.following.get_or_init(|| following))
            }
        }
    }

    /// What follows the keys, if it is made.
    pub(super) fn made(&self) -> Option<&Following<T>> {
        self.following.get()
    }
}

/// Whether it is an issuer that cannot be asked now, or not by this thread, which is no reason not
/// to begin.
fn is_out_of_reach(error: &Error) -> bool {
    error.is_unavailable() && (matches!(error.kind().number() / 1000, 5 | 7) || !may_ask())
}

impl<T> Made<T> {
    fn of(source: &dyn KeySource, make: impl Fn(&dyn KeySource) -> Result<T>) -> Result<Self> {
        // The number first: keys that change in between are made again next time.
        let generation = source.generation()?;
        Ok(Self { generation, thing: make(source)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwk::{Key, KeySet};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Keys that change as often as the test wants.
    struct Changing(AtomicU64);

    impl KeySource for Changing {
        fn generation(&self) -> Result<u64> {
            Ok(self.0.load(Ordering::Relaxed))
        }

        fn keys(&self) -> Result<KeySet> {
            KeySet::from_jwks(br#"{"keys":[]}"#)
        }

        fn signing_key(&self) -> Result<Key> {
            Err(crate::ErrorKind::KeyUsage.into())
        }
    }

    #[test]
    fn a_slower_thread_does_not_bring_older_keys_back() {
        let source = Arc::new(Changing(AtomicU64::new(1)));
        let seen = |source: &dyn KeySource| source.generation();
        let following = Following::new(Arc::clone(&source) as Arc<dyn KeySource>, seen).unwrap();
        source.0.store(2, Ordering::Relaxed);
        // While this one is at work, the keys change, and another one has made it of the newer
        // ones.
        let slow = following.current(|keys| {
            let own = keys.generation()?;
            source.0.store(3, Ordering::Relaxed);
            assert_eq!(following.current(seen)?.thing, 3);
            Ok(own)
        });
        assert_eq!(slow.unwrap().thing, 2, "its own");
        assert_eq!(following.latest().thing, 3, "the newer one stays");
        assert_eq!(following.current(|_| unreachable!()).unwrap().thing, 3);
    }
}
