//! HMAC with SHA-2 (RFC 2104; RFC 7518 section 3.2).
//!
//! Accepts full-length tags only: RFC 2104 section 5 allows truncation, JOSE does not. How long a
//! secret must be is the caller's rule; an empty one works here.

use super::{Hash, constant_time_eq};
use aws_lc_rs::hmac;

/// A secret whose two padded blocks are already hashed, so that a tag costs no key set-up.
pub(crate) struct Key(hmac::Key);

impl Key {
    /// Prepares `secret`, which may be dropped afterwards.
    pub(crate) fn new(hash: Hash, secret: &[u8]) -> Self {
        let algorithm = match hash {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        Self(hmac::Key::new(algorithm, secret))
    }

    /// Writes the tag of `msg` to the front of `out` and returns that part.
    pub(crate) fn sign<'a>(&self, msg: &[u8], out: &'a mut [u8; 64]) -> &'a [u8] {
        let tag = hmac::sign(&self.0, msg);
        let tag = tag.as_ref();
        let (head, _) = out.split_at_mut(tag.len().min(64));
        head.copy_from_slice(tag);
        head
    }

    /// Whether `tag` is the whole tag of `msg`; constant time in the tag's content.
    pub(crate) fn verify(&self, msg: &[u8], tag: &[u8]) -> bool {
        // What `hmac::verify` does, without its copy of the tag: 5 % of a token's cost.
        let mut expected = [0; 64];
        hmac::sign_to_buffer(&self.0, msg, &mut expected)
            .is_ok_and(|expected| constant_time_eq(expected, tag))
    }
}
