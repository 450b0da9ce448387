//! `KeySource`: keys that change while a program runs.

use super::{Key, KeySet};
use crate::error::Result;

/// Keys that change while a program runs: signers and verifiers follow them without a restart.
///
/// # Errors
/// Of every call: one of [`crate::ErrorKind::is_unavailable`] if the keys cannot be known. Then nothing is
/// signed or accepted.
pub trait KeySource: Send + Sync {
    /// A number that is another one whenever [`KeySource::keys`] or [`KeySource::signing_key`] would answer
    /// otherwise. Asked for each token: cheap, and without a lock.
    ///
    /// # Errors
    /// See [`KeySource`].
    fn generation(&self) -> Result<u64>;

    /// The keys whose signatures are good now.
    ///
    /// # Errors
    /// See [`KeySource`].
    fn keys(&self) -> Result<KeySet>;

    /// The key to sign with now.
    ///
    /// # Errors
    /// See [`KeySource`]; `KeyUsage` if there is none.
    fn signing_key(&self) -> Result<Key>;
}
