//! Where the tokens of other servers are kept between uses: the trait, and a store in memory.

use crate::base::process::brief;
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::sync::Mutex;

/// Keeps texts under names, for a [`TokenManager`](crate::oauth::TokenManager). What it keeps is
/// secret, unless the manager seals it. A name here is the program's own, a dash, and 24
/// hexadecimal digits that stand for the server, the client and, where the client asks for itself,
/// for what it asks: at most 145 bytes.
pub trait TokenStore: Send + Sync {
    /// What is kept under this name. Asked at every use of a token, so that what another process
    /// has done is noticed: if that is slow, keep a copy that is as fresh as you need it.
    ///
    /// # Errors
    /// The 6000s.
    fn load(&self, name: &str) -> Result<Option<Secret>>;

    /// Keeps it, instead of what was there; when it returns, a crash loses nothing.
    ///
    /// # Errors
    /// The 6000s; then what was there still is.
    fn save(&self, name: &str, text: &Secret) -> Result<()>;

    /// Forgets it.
    ///
    /// # Errors
    /// The 6000s.
    fn remove(&self, name: &str) -> Result<()>;

    /// Keeps other processes from refreshing the same tokens until what it returns is dropped.
    /// Threads of one process wait for each other without it.
    ///
    /// # Errors
    /// `StoreUnavailable`: someone else has held it for too long.
    fn lock(&self, name: &str) -> Result<Box<dyn Send>> {
        let _ = name;
        Ok(Box::new(()))
    }

    /// As [`Self::lock`], without waiting: `None` while another process holds it. For operations,
    /// whose loop has other things to do. Unless a store says otherwise, it waits.
    ///
    /// # Errors
    /// Those of [`Self::lock`].
    fn try_lock(&self, name: &str) -> Result<Option<Box<dyn Send>>> {
        self.lock(name).map(Some)
    }
}

/// Another process holds the lock of a name for too long.
pub(crate) const LOCK_HELD: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "Another process has been refreshing these tokens for 30 seconds; see what it waits for.",
);

/// Tokens in the memory of one process, which end with it.
#[derive(Default)]
pub struct MemoryTokenStore(Mutex<HashMap<String, Secret>>);

impl MemoryTokenStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl TokenStore for MemoryTokenStore {
    fn load(&self, name: &str) -> Result<Option<Secret>> {
        Ok(brief(&self.0).get(name).cloned())
    }

    fn save(&self, name: &str, text: &Secret) -> Result<()> {
        brief(&self.0).insert(name.to_owned(), text.clone());
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        brief(&self.0).remove(name);
        Ok(())
    }
}

impl std::fmt::Debug for MemoryTokenStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryTokenStore({} names)", brief(&self.0).len())
    }
}
