//! Round trips, boundaries and refusals of every primitive; `wycheproof` holds the published cases.

mod curves;
mod lattice_and_mac;
mod rsa;
mod wycheproof;
mod wycheproof_rsa;

use super::{ecdsa, eddsa, hmac, mldsa, rsa as rsa_keys};
use crate::error::ErrorKind;

pub(super) const MESSAGE: &[u8] = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9";

/// The kind of error of a construction that must fail.
pub(super) fn kind<T>(result: crate::Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("the key was accepted"),
        Err(error) => {
            assert!(!error.message().is_empty() && error.message().len() <= 200);
            error.kind()
        }
    }
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits");
    let value = |digit: u8| u8::try_from((digit as char).to_digit(16).expect("hex")).expect("< 16");
    digits.chunks(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect()
}

/// `verify` must accept `sig` and refuse each neighbour of it: every other length, every flipped
/// byte and any other message.
pub(super) fn accepts_only(sig: &[u8], verify: impl Fn(&[u8], &[u8]) -> bool) {
    assert!(verify(MESSAGE, sig));
    assert!(!verify(b"", sig) && !verify(&MESSAGE[1..], sig));
    for len in [0, 1, sig.len() / 2, sig.len() - 1] {
        assert!(!verify(MESSAGE, &sig[..len]), "accepted {len} bytes");
        assert!(!verify(MESSAGE, &sig[sig.len() - len..]), "accepted the last {len} bytes");
    }
    for padding in [1, sig.len()] {
        let mut longer = sig.to_vec();
        longer.resize(sig.len() + padding, 0);
        assert!(!verify(MESSAGE, &longer), "accepted {padding} bytes more");
        longer.rotate_right(padding);
        assert!(!verify(MESSAGE, &longer), "accepted {padding} leading zeros more");
    }
    let step = sig.len().div_ceil(64);
    for i in (0..sig.len()).step_by(step).chain([sig.len() - 1]) {
        let mut flipped = sig.to_vec();
        flipped[i] ^= 1;
        assert!(!verify(MESSAGE, &flipped), "accepted byte {i} flipped");
    }
    assert!(!verify(MESSAGE, &vec![0; sig.len()]) && !verify(MESSAGE, &vec![0xff; sig.len()]));
}

#[test]
fn keys_are_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<hmac::Key>();
    shared::<rsa_keys::PublicKey>();
    shared::<rsa_keys::PrivateKey>();
    shared::<ecdsa::PublicKey>();
    shared::<ecdsa::PrivateKey>();
    shared::<eddsa::PublicKey>();
    shared::<eddsa::PrivateKey>();
    shared::<mldsa::PublicKey>();
    shared::<mldsa::PrivateKey>();
}

#[test]
fn sha256_of_abc() {
    // FIPS 180-4, example of section B.1 of its predecessor.
    let digest = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(super::hash::sha256(b"abc").to_vec(), digest);
}

#[test]
fn comparison() {
    assert!(super::constant_time_eq(b"", b""));
    assert!(super::constant_time_eq(b"secret", b"secret"));
    assert!(!super::constant_time_eq(b"secret", b"secreT"));
    assert!(!super::constant_time_eq(b"secret", b"secret "));
}
