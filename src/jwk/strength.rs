//! What is too weak to load beyond what `crypto` refuses itself (RFC 7518 section 3.2, RFC 8725
//! sections 3.2 and 3.5).
//!
//! Refused: RSA moduli with the ROCA fingerprint (CVE-2017-15361); HMAC secrets that are empty,
//! shorter than the hash, or one byte repeated. The sizes of RSA numbers are the business of
//! `crypto::rsa`, and whether a secret is really a key in disguise that of `disguise`.

use crate::crypto::Hash;
use crate::error::{Error, ErrorKind, Remedy, Result};

/// Refuses moduli whose factors can be computed from the structure of CVE-2017-15361.
pub(super) fn refuse_roca(n: &[u8]) -> Result<()> {
    if is_roca(n) {
        return Err(weak(
            "The RSA modulus has the ROCA fingerprint (CVE-2017-15361); make a new key.",
        ));
    }
    Ok(())
}

/// Checks the length and the plainest absence of entropy of an HMAC secret.
///
/// With `allow_weak` every secret that is not empty passes.
pub(super) fn check_secret(secret: &[u8], hash: Hash, allow_weak: bool) -> Result<()> {
    let Some((first, rest)) = secret.split_first() else {
        return Err(weak("The HMAC secret is empty; an attacker can sign with it."));
    };
    if allow_weak {
        return Ok(());
    }
    if secret.len() < hash.len() {
        let short =
            weak("The HMAC secret is shorter than the algorithm's hash (RFC 7518 section 3.2).");
        return Err(short
            .sized("secret", secret.len(), ("at least", hash.len()))
            .remedied(Remedy::Generate));
    }
    if rest.iter().all(|byte| byte == first) {
        let repeated = weak("The HMAC secret is one byte repeated, which an attacker can guess.");
        return Err(repeated.remedied(Remedy::Generate));
    }
    Ok(())
}

/// Whether the modulus has the structure of CVE-2017-15361 ("The Return of Coppersmith's Attack",
/// Nemec, Sys, Svenda, Klinec, Matyas, 2017).
///
/// The flawed generator makes primes `k * M + (65537^a mod M)`, where M is the product of the first
/// primes (39 of them for the shortest keys, more for longer ones). So a product of two such primes
/// is a power of 65537 modulo every small prime. A random modulus passes all of these subgroup
/// tests with a chance of about 2^-28.
pub(super) fn is_roca(n: &[u8]) -> bool {
    const GENERATOR: u32 = 65537;
    ROCA_PRIMES.iter().all(|&prime| {
        let prime = u32::from(prime);
        let target = n.iter().fold(0, |rest, &byte| (rest << 8 | u32::from(byte)) % prime);
        let mut power = 1;
        loop {
            if power == target {
                return true;
            }
            power = power * (GENERATOR % prime) % prime;
            if power == 1 {
                return false;
            }
        }
    })
}

/// The odd primes among the first 39.
const ROCA_PRIMES: [u8; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

const fn weak(message: &'static str) -> Error {
    Error::new(ErrorKind::WeakKey, message)
}
