//! Headers that verified tokens have had, with the key each of them led to.
//!
//! Tokens of one signer share their header, so a verifier decides once and then compares bytes. Only
//! a token that passed every check is remembered, so a stranger cannot fill the cache; it holds eight
//! headers, is never emptied and takes no lock. It knows nothing of claims or signatures.

use crate::jwk::Key;
use std::sync::OnceLock;

#[derive(Default)]
pub(super) struct HeaderCache([OnceLock<Seen>; 8]);

struct Seen {
    header: Box<[u8]>,
    key: Key,
}

impl HeaderCache {
    /// The key that this encoded header led to.
    pub(super) fn get(&self, header: &[u8]) -> Option<&Key> {
        self.0
            .iter()
            .map_while(OnceLock::get)
            .find(|seen| *seen.header == *header)
            .map(|seen| &seen.key)
    }

    /// Remembers the header of a token that has just been accepted, while there is room.
    #[cold]
    pub(super) fn remember(&self, header: &[u8], key: &Key) {
        for slot in &self.0 {
            let seen = slot.get_or_init(|| Seen { header: header.into(), key: key.clone() });
            if *seen.header == *header {
                return;
            }
        }
    }
}
