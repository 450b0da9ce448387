//! `KeySource`: keys that change while a program runs.

use super::{Key, KeySet};
use crate::error::{Error, ErrorKind, Result};

/// Keys that change while a program runs: signers and verifiers follow them without a restart.
///
/// # Errors
/// Of every call: one of [`crate::ErrorKind::is_unavailable`] if the keys cannot be known. Then
/// nothing is signed or accepted.
pub trait KeySource: Send + Sync {
    /// A number that is another one whenever [`KeySource::keys`] or [`KeySource::signing_key`]
    /// would answer otherwise. Asked for each token: cheap, and without a lock.
    ///
    /// # Errors
    /// See [`KeySource`].
    fn generation(&self) -> Result<u64>;

    /// The keys whose signatures are good now.
    ///
    /// # Errors
    /// See [`KeySource`].
    fn keys(&self) -> Result<KeySet>;

    /// A token fits none of the keys of `generation`. Looks whether there are others by now, at a
    /// rate that no flood of tokens can raise; true if there are. Sources that always know their
    /// keys have nothing to look for.
    ///
    /// # Errors
    /// See [`KeySource`].
    fn look_again(&self, generation: u64) -> Result<bool> {
        let _ = generation;
        Ok(false)
    }

    /// The most seconds that a token may live, so that its key is still published when it expires;
    /// `None` where keys stay. Signers ask before they take a key, and again whenever the
    /// generation changes.
    ///
    /// # Errors
    /// See [`KeySource`].
    fn longest_ttl(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Whether the tokens are issued here, under clocks that agree, and not by another server: a
    /// resource server then forgives no difference of clocks unless `leeway` is set.
    fn is_own(&self) -> bool {
        false
    }

    /// The key to sign with now.
    ///
    /// # Errors
    /// See [`KeySource`]; `KeyUsage` if there is no such key.
    fn signing_key(&self) -> Result<Key>;
}

/// Keys that stay as they are.
impl KeySource for KeySet {
    fn generation(&self) -> Result<u64> {
        Ok(0)
    }

    fn keys(&self) -> Result<KeySet> {
        Ok(self.clone())
    }

    fn signing_key(&self) -> Result<Key> {
        let key = self.iter().find(|key| key.may_sign());
        key.cloned().ok_or_else(|| Error::new(ErrorKind::KeyUsage, "No key of the set may sign."))
    }
}
