//! What is made of the keys of a [`KeySource`], made anew when they have changed.

use crate::error::Result;
use crate::jwk::KeySource;
use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;

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

    /// The thing, of the keys as they are now. Two threads may make it at the same time; both are right.
    pub(super) fn current(
        &self,
        make: impl Fn(&dyn KeySource) -> Result<T>,
    ) -> Result<Guard<Arc<Made<T>>>> {
        let generation = self.source.generation()?;
        let current = self.current.load();
        if current.generation == generation {
            return Ok(current);
        }
        self.current.store(Arc::new(Made::of(&*self.source, make)?));
        Ok(self.current.load())
    }

    /// Whether the source has other keys than those that this was made of, after another look.
    #[cold]
    pub(super) fn look_again(&self, made: &Made<T>) -> Result<bool> {
        self.source.look_again(made.generation)
    }

    /// The thing as it was last made.
    pub(super) fn latest(&self) -> Guard<Arc<Made<T>>> {
        self.current.load()
    }
}

impl<T> Made<T> {
    fn of(source: &dyn KeySource, make: impl Fn(&dyn KeySource) -> Result<T>) -> Result<Self> {
        // The number first: keys that change in between are made anew next time.
        let generation = source.generation()?;
        Ok(Self { generation, thing: make(source)? })
    }
}
