//! What key rings are kept in: one blob each, replaced as a whole.

use super::Fed;
use crate::error::{ErrorKind, Result};
use std::fmt;
use std::sync::Weak;

/// A key ring as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRing {
    /// Its name in the store.
    pub name: String,
    /// Grows by one with every change; the first is 1.
    pub version: u64,
    /// The pepper that the text is sealed under; 0 for a text that lies open.
    pub pepper: u32,
    /// The text, sealed or open.
    pub text: Vec<u8>,
}

impl StoredRing {
    /// Whether a ring can have this name: 1 to 64 small letters, digits and hyphens.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        (1..=64).contains(&name.len()) && name.bytes().all(is_letter)
    }
}

/// Says nothing of the keys.
impl fmt::Debug for StoredRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredRing({}, version {})", self.name, self.version)
    }
}

/// Where key rings are kept. Every call is durable when it returns.
///
/// # Errors
/// Of every call: `StoreUnavailable`, `StoreCorrupt`, `StoreReadOnly`, `StoreFull`; then nothing
/// has changed.
pub trait KeyRingStore: Send + Sync {
    /// The ring of this name.
    ///
    /// # Errors
    /// See [`KeyRingStore`].
    fn key_ring(&self, name: &str) -> Result<Option<StoredRing>>;

    /// The version of the ring of this name, 0 if it is not there: cheap. For each time that
    /// another file was put in the place of the one that was open, 2^48 is added, so that an
    /// accepted older ring is distinguished from an overtaken answer.
    ///
    /// # Errors
    /// See [`KeyRingStore`].
    fn key_ring_version(&self, name: &str) -> Result<u64>;

    /// As [`Self::key_ring_version`], asked of the store at this very moment.
    ///
    /// # Errors
    /// See [`KeyRingStore`].
    fn key_ring_version_now(&self, name: &str) -> Result<u64> {
        self.key_ring_version(name)
    }

    /// As [`Backend::keep_fed`](super::Backend::keep_fed).
    fn keep_ring_fed(&self, fed: Weak<dyn Fed>) {
        let _ = fed;
    }

    /// Of a store that keeps rings fed: whether it still hears of changes.
    ///
    /// # Errors
    /// `StoreUnavailable`: it has not for a few seconds.
    fn hears(&self) -> Result<()> {
        Ok(())
    }

    /// Puts the ring in the place of the version before it.
    ///
    /// # Errors
    /// See [`KeyRingStore`]. `StoreConflict`: its version is not one above that of the ring that is
    /// there.
    fn put_key_ring(&self, ring: &StoredRing) -> Result<()>;

    /// Puts a ring, as another store has it, in the place of the version `over`, or where there is
    /// none (0).
    ///
    /// # Errors
    /// See [`KeyRingStore`]. `StoreConflict`: there is another version, or one. `Unsupported`: this
    /// store takes none in.
    fn take_key_ring(&self, ring: &StoredRing, over: u64) -> Result<()> {
        let _ = (ring, over);
        Err(ErrorKind::Unsupported.into())
    }

    /// The names of the rings, in order: what [`crate::ApiKeys::pepper_report`] counts and an
    /// acknowledged restore gives new keys. None unless the store can tell.
    ///
    /// # Errors
    /// See [`KeyRingStore`].
    fn key_ring_names(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Whether others can read what is written there, so that a ring must be sealed.
    fn wants_seal(&self) -> bool {
        true
    }
}
