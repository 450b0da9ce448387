//! ML-DSA and HMAC: round trips, lengths and refusals.

use super::{MESSAGE, accepts_only, hex, kind};
use crate::crypto::{Hash, MAX_SIGNATURE_LEN, MlDsa, hmac, mldsa};
use crate::error::ErrorKind;

#[test]
fn ml_dsa_round_trip() {
    for set in [MlDsa::L44, MlDsa::L65, MlDsa::L87] {
        let seed = mldsa::generate(set).expect("seed");
        assert_eq!(seed.expose().len(), 32);
        assert_ne!(seed.expose(), mldsa::generate(set).expect("seed").expose());
        let private = mldsa::PrivateKey::from_seed(set, seed.expose()).expect("key");
        assert_eq!(private.public().len(), set.public_len());
        let public = mldsa::PublicKey::new(set, &private.public()).expect("key");
        let mut out = [0xa5; MAX_SIGNATURE_LEN + 8];
        let len = private.sign(MESSAGE, &mut out).expect("signature");
        assert_eq!(len, set.signature_len());
        assert!(out[len..].iter().all(|byte| *byte == 0xa5), "wrote past the signature");
        accepts_only(&out[..len], |msg, sig| public.verify(msg, sig));
        assert_eq!(kind(private.sign(MESSAGE, &mut out[..len - 1])), ErrorKind::Internal);
    }
}

#[test]
fn ml_dsa_lengths_and_sets() {
    let sets = [MlDsa::L44, MlDsa::L65, MlDsa::L87];
    for set in sets {
        for len in [0, 31, 33, 64, 2560, 4032, 4896] {
            let seed = vec![1; len];
            assert_eq!(kind(mldsa::PrivateKey::from_seed(set, &seed)), ErrorKind::InvalidKey);
        }
        let public = mldsa::PrivateKey::from_seed(set, &[1; 32]).expect("key").public();
        let longer = [&public[..], &[0]].concat();
        for bad in [&[][..], &public[1..], &longer] {
            assert_eq!(kind(mldsa::PublicKey::new(set, bad)), ErrorKind::InvalidKey);
        }
        for other in sets.into_iter().filter(|other| *other != set) {
            assert_eq!(kind(mldsa::PublicKey::new(other, &public)), ErrorKind::InvalidKey);
        }
    }
}

#[test]
fn hmac_round_trip() {
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        for len in [1, 32, 63, 64, 65, 127, 128, 129, 500] {
            let secret: Vec<u8> = (0..len).map(|i| (i * 7 % 251) as u8 + 1).collect();
            let key = hmac::Key::new(hash, &secret);
            let mut out = [0xa5; 64];
            let tag = key.sign(MESSAGE, &mut out).to_vec();
            assert_eq!(tag.len(), hash.len());
            assert!(out[tag.len()..].iter().all(|byte| *byte == 0xa5), "wrote past the tag");
            accepts_only(&tag, |msg, tag| key.verify(msg, tag));
            assert!(!hmac::Key::new(hash, &secret[1..]).verify(MESSAGE, &tag));
            let mut other = secret;
            other[len - 1] ^= 1;
            assert!(!hmac::Key::new(hash, &other).verify(MESSAGE, &tag));
        }
    }
}

#[test]
fn hmac_keys_are_not_used_up() {
    let key = hmac::Key::new(Hash::Sha256, &[3; 32]);
    let mut first = [0; 64];
    let tag = key.sign(MESSAGE, &mut first).to_vec();
    for _ in 0..3 {
        assert!(key.verify(MESSAGE, &tag) && !key.verify(b"other", &tag));
        assert_eq!(key.sign(MESSAGE, &mut first), tag);
    }
}

#[test]
fn hmac_of_rfc_4231() {
    // RFC 4231 section 4.3.
    let mut out = [0; 64];
    let key = hmac::Key::new(Hash::Sha256, b"Jefe");
    let tag = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_eq!(key.sign(b"what do ya want for nothing?", &mut out), tag);
}
