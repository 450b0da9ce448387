//! SHA-256 (FIPS 180-4), for thumbprints (RFC 7638) and other names of public things.

use aws_lc_rs::digest;

/// The SHA-256 digest of `data`.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}
