//! Headers that verified tokens have had, with the key each of them led to.
//!
//! Tokens of one signer share their header, so a verifier decides once and then compares bytes.
//! Only a token that passed every check is remembered, so a caller cannot fill the cache; it holds
//! eight headers, is never emptied and takes no lock. It knows nothing of claims or signatures.

use crate::base::process::enter;
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
        let _inside = enter(); // a cell that a fork copies half made would never be ready
        for slot in &self.0 {
            let seen = slot.get_or_init(|| Seen { header: header.into(), key: key.clone() });
            if *seen.header == *header {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwk::Alg;

    #[test]
    fn remembers_the_first_eight_headers_and_no_more() {
        let cache = HeaderCache::default();
        let keys: Vec<Key> = (0..10).map(|_| Key::generate(Alg::Hs256).unwrap()).collect();
        for (i, key) in keys.iter().enumerate() {
            let header = format!("header {i}");
            assert!(cache.get(header.as_bytes()).is_none());
            cache.remember(header.as_bytes(), key);
            cache.remember(header.as_bytes(), key);
        }
        for (i, key) in keys.iter().enumerate() {
            let found = cache.get(format!("header {i}").as_bytes()).map(Key::kid);
            assert_eq!(found, (i < 8).then_some(key.kid()), "header {i}");
        }
        assert!(cache.get(b"header").is_none());
        assert!(cache.get(b"").is_none());
    }

    #[test]
    fn the_first_key_of_a_header_stays() {
        let cache = HeaderCache::default();
        let [first, second] = [(); 2].map(|()| Key::generate(Alg::Hs256).unwrap());
        cache.remember(b"header", &first);
        cache.remember(b"header", &second);
        assert_eq!(cache.get(b"header").unwrap().kid(), first.kid());
    }
}
