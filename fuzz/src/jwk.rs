//! JWK and JWK sets from a stranger: refused, or keys of which everything holds that must hold.

use crate::accepted_key::check;
use gatekey::{Alg, ErrorKind, Key, KeySet};

/// Reads the data as a JWK and as a JWK set.
pub fn run(data: &[u8]) -> bool {
    let key = match Key::from_jwk(data, None) {
        Err(error) if error.kind() == ErrorKind::AlgorithmRequired => {
            Key::from_jwk(data, Some(Alg::Rs256)).or_else(|_| Key::from_jwk(data, Some(Alg::Hs256)))
        }
        other => other,
    };
    let key = key
        .map(|key| check(&key))
        .map_err(|error| assert!(error.kind() != ErrorKind::Internal, "{error:?}"));
    let set = KeySet::from_jwks(data);
    if let Ok(set) = &set {
        assert_eq!(set.len(), set.iter().count());
        assert!(set.len() + set.skipped().len() <= 100);
        for key in set.iter() {
            // Whatever the set holds, a selection is one fitting key or a typed refusal.
            if let Ok(found) = set.select(Some(key.kid()), key.alg()) {
                assert_eq!((found.kid(), found.may_verify()), (key.kid(), true));
            }
        }
        if let Ok(json) = set.to_jwks() {
            assert_eq!(
                KeySet::from_jwks(json.as_bytes()).map(|back| back.len()).ok(),
                Some(set.len())
            );
        }
    }
    key.is_ok() || set.is_ok_and(|set| !set.is_empty())
}
