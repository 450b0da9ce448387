//! SHA-2 (FIPS 180-4), for thumbprints (RFC 7638) and the digests of imported API keys.

use aws_lc_rs::digest;

/// The SHA-256 digest of `data`.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// The SHA-384 digest of `data`.
pub(crate) fn sha384(data: &[u8]) -> [u8; 48] {
    let mut out = [0; 48];
    out.copy_from_slice(digest::digest(&digest::SHA384, data).as_ref());
    out
}

/// The SHA-512 digest of `data`.
pub(crate) fn sha512(data: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(digest::digest(&digest::SHA512, data).as_ref());
    out
}
