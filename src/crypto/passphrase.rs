//! Private keys under a passphrase: what makes a key of it (PBKDF2, RFC 8018; scrypt, RFC 7914;
//! OpenSSH's `bcrypt_pbkdf`), and the AES modes that such files use (SP 800-38A, SP 800-38D). Read,
//! never made.
//!
//! What a file asks for is bounded before anything is computed: about ten seconds of work, and 256
//! MiB.

use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, PaddedBlockDecryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// The most iterations of PBKDF2.
const MAX_ITERATIONS: u64 = 10_000_000;
/// The most of scrypt's `N * r`: 256 MiB, since each takes 128 bytes.
const MAX_SCRYPT_MEMORY: u64 = 1 << 21;
/// The most of scrypt's `N * r * p`.
const MAX_SCRYPT_WORK: u64 = 1 << 22;
/// The most of scrypt's `r * p`.
const MAX_SCRYPT_BLOCKS: u64 = 1 << 10;
/// The most rounds of `bcrypt_pbkdf`.
const MAX_ROUNDS: u32 = 1000;

/// The function that PBKDF2 repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prf {
    HmacSha1,
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// What makes a key of a passphrase, with its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kdf<'a> {
    Pbkdf2 { prf: Prf, iterations: u64, salt: &'a [u8] },
    Scrypt { n: u64, r: u64, p: u64, salt: &'a [u8] },
    Bcrypt { rounds: u32, salt: &'a [u8] },
}

impl Kdf<'_> {
    /// Refuses what would cost too much.
    ///
    /// # Errors
    /// `UnsupportedKey`, with the cost; `InvalidKey` for numbers that the function does not take.
    pub(crate) fn check(&self) -> Result<()> {
        match *self {
            Kdf::Pbkdf2 { iterations, .. } => match iterations {
                0 => Err(IMPOSSIBLE),
                1..=MAX_ITERATIONS => Ok(()),
                _ => Err(PBKDF2_COST.seeing("iterations", Some(&iterations.to_string()))),
            },
            Kdf::Scrypt { n, r, p, .. } => {
                if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
                    return Err(IMPOSSIBLE);
                }
                // RFC 7914 section 2: N is below 2^(128 * r / 8).
                if u64::from(n.ilog2()) >= r.saturating_mul(16) {
                    return Err(IMPOSSIBLE);
                }
                let memory = n.saturating_mul(r);
                if memory > MAX_SCRYPT_MEMORY
                    || memory.saturating_mul(p) > MAX_SCRYPT_WORK
                    || r.saturating_mul(p) > MAX_SCRYPT_BLOCKS
                {
                    return Err(SCRYPT_COST.seeing("N,r,p", Some(&format!("{n},{r},{p}"))));
                }
                Ok(())
            }
            Kdf::Bcrypt { rounds: 0, .. } => Err(IMPOSSIBLE),
            Kdf::Bcrypt { salt: [], .. } => Err(IMPOSSIBLE),
            Kdf::Bcrypt { rounds, .. } if rounds > MAX_ROUNDS => {
                Err(BCRYPT_COST.seeing("rounds", Some(&rounds.to_string())))
            }
            Kdf::Bcrypt { .. } => Ok(()),
        }
    }

    /// A key of this many bytes. Slow; call [`Self::check`] first.
    ///
    /// # Errors
    /// `Internal`.
    pub(crate) fn derive(&self, passphrase: &[u8], len: usize) -> Result<Secret> {
        let mut key = Zeroizing::new(vec![0; len]);
        let made = match *self {
            Kdf::Pbkdf2 { prf, iterations, salt } => {
                let iterations = u32::try_from(iterations).ok().and_then(NonZeroU32::new);
                iterations.map(|iterations| {
                    pbkdf2::derive(prf.algorithm(), iterations, salt, passphrase, &mut key);
                })
            }
            Kdf::Scrypt { n, r, p, salt } => scrypt_params(n, r, p)
                .and_then(|params| scrypt::scrypt(passphrase, salt, &params, &mut key).ok()),
            Kdf::Bcrypt { rounds, salt } => {
                bcrypt_pbkdf::bcrypt_pbkdf(passphrase, salt, rounds, &mut key).ok()
            }
        };
        made.ok_or_else(super::library_failed)?;
        Ok(Secret::new(std::mem::take(&mut *key)))
    }
}

fn scrypt_params(n: u64, r: u64, p: u64) -> Option<scrypt::Params> {
    let log_n = u8::try_from(n.ilog2()).ok()?;
    let (r, p) = (u32::try_from(r).ok()?, u32::try_from(p).ok()?);
    scrypt::Params::new(log_n, r, p, scrypt::Params::RECOMMENDED_LEN).ok()
}

impl Prf {
    fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Self::HmacSha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::HmacSha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::HmacSha384 => pbkdf2::PBKDF2_HMAC_SHA384,
            Self::HmacSha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// How AES is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Whole blocks, which the text fills by itself.
    Cbc,
    /// With the padding of PKCS#7.
    CbcPadded,
    Ctr,
    /// With the tag of 16 bytes at the end.
    Gcm,
}

/// AES in a mode, with keys of 16, 24 or 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aes {
    pub(crate) mode: Mode,
    pub(crate) key_len: usize,
}

impl Aes {
    pub(crate) const fn iv_len(self) -> usize {
        match self.mode {
            Mode::Gcm => 12,
            Mode::Cbc | Mode::CbcPadded | Mode::Ctr => 16,
        }
    }

    /// The text; `None` where the tag or the padding is wrong, or a length.
    pub(crate) fn open(self, key: &[u8], iv: &[u8], sealed: &[u8]) -> Option<Secret> {
        let mut text = Zeroizing::new(sealed.to_vec());
        let len = match self.mode {
            Mode::Gcm => self.open_gcm(key, iv, &mut text)?,
            mode => {
                let algorithm = match self.key_len {
                    16 => &AES_128,
                    24 => &AES_192,
                    _ => &AES_256,
                };
                let key = UnboundCipherKey::new(algorithm, key).ok()?;
                let iv: &[u8; 16] = iv.try_into().ok()?;
                let context = DecryptionContext::Iv128(FixedLength::from(iv));
                let text = &mut **text;
                let opened = match mode {
                    Mode::Ctr => DecryptingKey::ctr(key).ok()?.decrypt(text, context),
                    Mode::Cbc => DecryptingKey::cbc(key).ok()?.decrypt(text, context),
                    _ => PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?.decrypt(text, context),
                };
                opened.ok()?.len()
            }
        };
        text.truncate(len);
        Some(Secret::new(std::mem::take(&mut *text)))
    }

    fn open_gcm(self, key: &[u8], iv: &[u8], text: &mut [u8]) -> Option<usize> {
        let algorithm = match self.key_len {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            _ => &AES_256_GCM,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
        Some(key.open_in_place(nonce, Aad::empty(), text).ok()?.len())
    }
}

const PBKDF2_COST: Error = too_costly(
    "The encrypted key asks for more than 10,000,000 iterations of PBKDF2; encrypt it again with fewer, for example \
     with `openssl pkcs8 -topk8 -iter 600000`.",
);
const SCRYPT_COST: Error = too_costly(
    "The encrypted key asks scrypt for more than 256 MiB (128 * N * r), or for N * r * p over 2^22; encrypt it again \
     with less, such as N = 2^17, r = 8, p = 1.",
);
const BCRYPT_COST: Error = too_costly(
    "The encrypted key asks for more than 1000 rounds of bcrypt; encrypt it again with fewer: `ssh-keygen -p -a 100 \
     -f FILE`.",
);
const IMPOSSIBLE: Error = Error::new(
    ErrorKind::InvalidKey,
    "The encrypted key names a cost or a salt that its key derivation does not take; export the key again.",
);

const fn too_costly(message: &'static str) -> Error {
    Error::new(ErrorKind::UnsupportedKey, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// RFC 6070 (SHA-1), RFC 7914 sections 11 (SHA-256) and 12.
    #[test]
    fn published_values_of_derivations() {
        let (salt, passphrase) = (&b"salt"[..], &b"password"[..]);
        let sha1 = Kdf::Pbkdf2 { prf: Prf::HmacSha1, iterations: 4096, salt };
        let key = sha1.derive(passphrase, 20).unwrap();
        assert_eq!(key.expose(), hex("4b007901b765489abead49d926f721d065a429c1"));
        let sha256 = Kdf::Pbkdf2 { prf: Prf::HmacSha256, iterations: 1, salt };
        let key = sha256.derive(b"passwd", 16).unwrap();
        assert_eq!(key.expose(), hex("55ac046e56e3089fec1691c22544b605"));
        let scrypt = Kdf::Scrypt { n: 1024, r: 8, p: 16, salt: b"NaCl" };
        scrypt.check().unwrap();
        let key = scrypt.derive(passphrase, 16).unwrap();
        assert_eq!(key.expose(), hex("fdbabe1c9d3472007856e7190d01e9fe"));
    }

    #[test]
    fn costs_are_refused_before_they_are_paid() {
        let pbkdf2 = |iterations| Kdf::Pbkdf2 { prf: Prf::HmacSha1, iterations, salt: b"salt" };
        let scrypt = |n, r, p| Kdf::Scrypt { n, r, p, salt: b"salt" };
        let bcrypt = |rounds| Kdf::Bcrypt { rounds, salt: b"salt" };
        for fits in [
            pbkdf2(1),
            pbkdf2(10_000_000),
            scrypt(2, 1, 1),
            scrypt(1 << 17, 8, 1),
            scrypt(1 << 18, 8, 2),
            scrypt(1 << 15, 1, 1),
            scrypt(1 << 20, 2, 2),
            bcrypt(1),
            bcrypt(1000),
        ] {
            fits.check().unwrap();
        }
        for (costly, shown) in [
            (pbkdf2(10_000_001), "10000001"),
            (pbkdf2(u64::MAX), "18446744073709551615"),
            (scrypt(1 << 19, 8, 1), "524288,8,1"),
            (scrypt(1 << 18, 8, 3), "262144,8,3"),
            (scrypt(2, 1 << 11, 1), "2,2048,1"),
            (scrypt(2, 1, 1 << 11), "2,1,2048"),
            (scrypt(1 << 63, u64::MAX, u64::MAX), ","),
            (bcrypt(1001), "1001"),
            (bcrypt(u32::MAX), "4294967295"),
        ] {
            let error = costly.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsupportedKey);
            assert!(error.to_string().contains(shown), "{error}");
        }
        for impossible in [
            pbkdf2(0),
            scrypt(0, 8, 1),
            scrypt(1, 8, 1),
            scrypt(1000, 8, 1),
            scrypt(1024, 0, 1),
            scrypt(1024, 8, 0),
            scrypt(1 << 16, 1, 1),
            scrypt(1 << 21, 1, 2),
            scrypt(1 << 63, 3, 1),
            bcrypt(0),
            Kdf::Bcrypt { rounds: 16, salt: b"" },
        ] {
            assert_eq!(impossible.check().unwrap_err().kind(), ErrorKind::InvalidKey);
        }
        // What passes the check is what the function takes.
        for (log_n, r, p) in
            (1..=21).flat_map(|n| [(n, 1, 1), (n, 2, 1), (n, 8, 128), (n, 1024, 1)])
        {
            if scrypt(1 << log_n, r, p).check().is_ok() {
                assert!(scrypt_params(1 << log_n, r, p).is_some(), "2^{log_n}, {r}, {p}");
            }
        }
    }

    /// SP 800-38A sections F.2.1 and F.5.1, and test case 4 of "The Galois/Counter Mode of
    /// Operation" without additional data.
    #[test]
    fn published_values_of_modes() {
        let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
        let text = hex("6bc1bee22e409f96e93d7e117393172a");
        let cbc = Aes { mode: Mode::Cbc, key_len: 16 };
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let sealed = hex("7649abac8119b246cee98e9b12e9197d");
        assert_eq!(cbc.open(&key, &iv, &sealed).unwrap().expose(), text);
        let ctr = Aes { mode: Mode::Ctr, key_len: 16 };
        let iv = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let sealed = hex("874d6191b620e3261bef6864990db6ce");
        assert_eq!(ctr.open(&key, &iv, &sealed).unwrap().expose(), text);
        for mode in [Mode::Cbc, Mode::CbcPadded, Mode::Gcm] {
            let aes = Aes { mode, key_len: 16 };
            assert!(aes.open(&key, &iv[..aes.iv_len()], &sealed[..15]).is_none());
            assert!(aes.open(&key, &iv[..8], &sealed).is_none());
            assert!(aes.open(&key[..8], &iv[..aes.iv_len()], &sealed).is_none());
        }
        let gcm = Aes { mode: Mode::Gcm, key_len: 16 };
        let (zero, mut sealed) = ([0; 16], hex("0388dace60b6a392f328c2b971b2fe78"));
        sealed.extend(hex("ab6e47d42cec13bdf53a67b21257bddf"));
        assert_eq!(gcm.open(&zero, &[0; 12], &sealed).unwrap().expose(), [0; 16]);
        sealed[3] ^= 1;
        assert!(gcm.open(&zero, &[0; 12], &sealed).is_none());
    }
}
