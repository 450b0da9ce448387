//! Slow hashes that other systems keep keys in: Argon2 (RFC 9106), bcrypt, PBKDF2-HMAC-SHA256 (RFC
//! 8018). Verified, never made. Costs beyond the bounds below are refused at import, because anyone
//! who verifies pays for them.

use crate::error::{Error, ErrorKind, Result};
use aws_lc_rs::pbkdf2;
use std::num::NonZeroU32;

/// The most memory of Argon2, in KiB.
const MAX_MEMORY: u32 = 256 * 1024;
/// The most passes of Argon2, and the most lanes.
const MAX_PASSES: u32 = 16;
/// The most iterations of PBKDF2.
const MAX_ITERATIONS: u32 = 10_000_000;
/// The highest cost of bcrypt: 2^16 rounds.
const MAX_COST: u32 = 16;
/// What bcrypt reads; the rest would be ignored, so that any continuation would pass.
const BCRYPT_READS: usize = 72;

const COST: Error =
    Error::new(ErrorKind::InvalidArgument, "The slow hash has a cost that is out of bounds.");

/// A slow hash with its cost, to be computed over a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow<'a> {
    Argon2 { variant: &'a str, memory: u32, passes: u32, lanes: u32, salt: &'a [u8], len: usize },
    Bcrypt { cost: u32, salt: [u8; 16] },
    Pbkdf2Sha256 { iterations: u32, salt: &'a [u8], len: usize },
}

impl Slow<'_> {
    /// Refuses what would cost too much or prove too little.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub(crate) fn check(&self) -> Result<()> {
        let fits = match *self {
            Slow::Argon2 { memory, passes, lanes, salt, len, .. } => {
                self.argon2().is_some()
                    && memory <= MAX_MEMORY
                    && passes <= MAX_PASSES
                    && lanes <= MAX_PASSES
                    && salt.len() <= 64
                    && (16..=64).contains(&len)
            }
            Slow::Bcrypt { cost, .. } => (4..=MAX_COST).contains(&cost),
            Slow::Pbkdf2Sha256 { iterations, salt, len } => {
                (1..=MAX_ITERATIONS).contains(&iterations)
                    && (1..=128).contains(&salt.len())
                    && (16..=64).contains(&len)
            }
        };
        if fits { Ok(()) } else { Err(COST) }
    }

    /// The hash of the text; `None` for a text that the algorithm does not read whole.
    pub(crate) fn hash(&self, text: &[u8]) -> Option<Vec<u8>> {
        match *self {
            Slow::Argon2 { salt, len, .. } => {
                let mut out = vec![0; len];
                self.argon2()?.hash_password_into(text, salt, &mut out).ok()?;
                Some(out)
            }
            Slow::Bcrypt { cost, salt } => {
                if text.len() > BCRYPT_READS || text.contains(&0) {
                    return None;
                }
                let mut ended = text.to_vec();
                ended.push(0);
                ended.truncate(BCRYPT_READS);
                let hash = bcrypt::bcrypt(cost, salt, &ended);
                zeroize::Zeroize::zeroize(&mut ended);
                // The last of its 24 bytes is never written down.
                hash.get(..23).map(<[u8]>::to_vec)
            }
            Slow::Pbkdf2Sha256 { iterations, salt, len } => {
                // HMAC pads its key with zeros, and takes the digest of a long key for the key (RFC
                // 2104 section 2): a text is not to pass for another one.
                if text.contains(&0) || std::str::from_utf8(text).is_err() {
                    return None;
                }
                let mut out = vec![0; len];
                let iterations = NonZeroU32::new(iterations)?;
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, text, &mut out);
                Some(out)
            }
        }
    }

    fn argon2(&self) -> Option<argon2::Argon2<'static>> {
        let Slow::Argon2 { variant, memory, passes, lanes, len, .. } = *self else { return None };
        let variant = argon2::Algorithm::new(variant).ok()?;
        let params = argon2::Params::new(memory, passes, lanes, Some(len)).ok()?;
        Some(argon2::Argon2::new(variant, argon2::Version::V0x13, params))
    }
}
