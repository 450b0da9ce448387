//! What is good for one use: who remembers it is asked through this trait, as who remembers what
//! was revoked is through [`RevocationList`](super::RevocationList).

use crate::error::Result;

/// Remembers which log-ins have been finished, so that a callback that is replayed by the one who
/// kept its cookie is refused here and not only by the authorization server.
pub trait SeenOnce: Send + Sync {
    /// Whether this is the first time; from now on, until `expires_at` (seconds since the Unix
    /// epoch), it is not.
    ///
    /// # Errors
    /// Those of the store; the log-in is then refused.
    fn seen_once(&self, issuer: &str, id: &str, expires_at: u64) -> Result<bool>;
}
