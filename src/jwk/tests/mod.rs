//! Tests of the keys: every format read and written, every refusal, key sets, RFC vectors.

mod encrypted;
mod formats;
mod members;
mod mistaken;
mod odd;
mod refusals;
mod rfc;
mod secrets;
mod sets;
mod ssh;
mod strength;
mod texts;
mod use_of_keys;

use super::{Alg, Key};
use crate::error::{ErrorKind, Result};

/// An entry of `keys.txt` or `rfc.txt`.
fn fixture(name: &str) -> &'static str {
    [include_str!("keys.txt"), include_str!("rfc.txt")]
        .iter()
        .flat_map(|file| file.split("\n== ").skip(1))
        .filter_map(|entry| entry.split_once('\n'))
        .find_map(|(entry, text)| (entry == name).then(|| text.trim_end()))
        .unwrap_or_else(|| panic!("no fixture {name}"))
}

/// The DER inside a PEM fixture.
fn der(name: &str) -> Vec<u8> {
    pem_rfc7468::decode_vec(fixture(name).as_bytes()).unwrap().1
}

/// A PEM block of any content under any label.
fn pem(label: &str, der: &[u8]) -> String {
    pem_rfc7468::encode_string(label, pem_rfc7468::LineEnding::LF, der).unwrap()
}

fn load(name: &str, alg: Option<Alg>) -> Result<Key> {
    Key::from_pem(fixture(name).as_bytes(), alg)
}

fn jwk(text: &str) -> Result<Key> {
    Key::from_jwk(text.as_bytes(), None)
}

#[track_caller]
fn refused<T>(result: Result<T>, kind: ErrorKind) {
    let error = result.err().expect("must be refused");
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(!error.message().is_empty());
    assert!(error.message().len() <= crate::error::Error::MAX_MESSAGE);
}

/// Whether the two are the halves of one pair, or the same secret.
#[track_caller]
fn assert_works_with(signer: &Key, verifier: &Key) {
    signer
        .sign_with(b"message", |signature| {
            assert_eq!(signature.len(), signer.signature_len());
            assert_eq!(signature.len(), verifier.signature_len());
            verifier.verify_signature(b"message", signature).unwrap();
            assert_eq!(
                verifier.verify_signature(b"massage", signature).unwrap_err().kind(),
                ErrorKind::InvalidSignature
            );
        })
        .unwrap();
}
