//! `openssh-key-v1`, as OpenSSH's PROTOCOL.key describes it: the public key, and the private one,
//! which may be under a passphrase (`bcrypt_pbkdf` and AES).
//!
//! Both halves must be of one key, the two check numbers equal, and the padding as it is described.

use super::wire::Wire;
use super::{Kind, MALFORMED, point, public, unsupported};
use crate::base::secret::Secret;
use crate::crypto::passphrase::{Aes, Kdf, Mode};
use crate::crypto::rsa_numbers;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::der::{private::scalar, write};
use crate::jwk::material::Parts;
use crate::jwk::passphrase::{self, WRONG};
use crate::jwk::stated::Stated;
use crate::jwk::thumbprint;

/// What a byte counts to.
const MAX_PADDING: usize = 255;

const MAGIC: &[u8] = b"openssh-key-v1\0";

/// Reads the one key of a file.
pub(in crate::jwk) fn read(file: &[u8], passphrase: Option<&Secret>) -> Result<(Parts, Stated)> {
    let mut wire = Wire::new(file.strip_prefix(MAGIC).ok_or(MALFORMED)?);
    let cipher = wire.string().ok_or(MALFORMED)?;
    let kdf = wire.string().ok_or(MALFORMED)?;
    let options = wire.string().ok_or(MALFORMED)?;
    if wire.u32().ok_or(MALFORMED)? != 1 {
        return Err(SEVERAL);
    }
    let (outer, _) = public(wire.string().ok_or(MALFORMED)?)?;
    let sealed = wire.string().ok_or(MALFORMED)?;
    let tag = wire.rest();
    let parts = match (cipher, kdf) {
        (b"none", b"none") if tag.is_empty() && options.is_empty() => {
            section(sealed, 8).ok_or(MALFORMED)??
        }
        (b"none", _) | (_, b"none") => return Err(MALFORMED),
        (cipher, b"bcrypt") => {
            let cipher = aes(cipher)?;
            let opened = open(cipher, options, sealed, tag, passphrase)?;
            // The check numbers differ under a wrong passphrase, and so does everything behind
            // them.
            section(opened.expose(), 16).ok_or(WRONG)??
        }
        _ => return Err(OTHER_KDF),
    };
    if thumbprint::of(&parts) != thumbprint::of(&outer) {
        return Err(MISMATCH);
    }
    Ok((parts, Stated::default()))
}

/// The ciphers that ssh-keygen offers and that are AES.
fn aes(name: &[u8]) -> Result<Aes> {
    let (mode, key_len) = match name {
        b"aes128-ctr" => (Mode::Ctr, 16),
        b"aes192-ctr" => (Mode::Ctr, 24),
        b"aes256-ctr" => (Mode::Ctr, 32),
        b"aes128-cbc" => (Mode::Cbc, 16),
        b"aes192-cbc" => (Mode::Cbc, 24),
        b"aes256-cbc" => (Mode::Cbc, 32),
        b"aes128-gcm@openssh.com" => (Mode::Gcm, 16),
        b"aes256-gcm@openssh.com" => (Mode::Gcm, 32),
        _ => return Err(OTHER_CIPHER),
    };
    Ok(Aes { mode, key_len })
}

fn open(
    cipher: Aes,
    options: &[u8],
    sealed: &[u8],
    tag: &[u8],
    passphrase: Option<&Secret>,
) -> Result<Secret> {
    let mut options = Wire::new(options);
    let salt = options.string().ok_or(MALFORMED)?;
    let rounds = options.u32().ok_or(MALFORMED)?;
    options.finish().ok_or(MALFORMED)?;
    if (tag.len() == 16) != (cipher.mode == Mode::Gcm) || !matches!(tag.len(), 0 | 16) {
        return Err(MALFORMED);
    }
    let kdf = Kdf::Bcrypt { rounds, salt };
    kdf.check()?;
    let passphrase = passphrase::needed(passphrase)?;
    let made = kdf.derive(passphrase.expose(), cipher.key_len + cipher.iv_len())?;
    let (key, iv) = made.expose().split_at(cipher.key_len);
    let opened = match tag {
        [] => cipher.open(key, iv, sealed),
        tag => cipher.open(key, iv, &[sealed, tag].concat()),
    };
    opened.ok_or(WRONG)
}

/// The private section; `None` if its check numbers differ or it is no whole number of blocks.
fn section(bytes: &[u8], block: usize) -> Option<Result<Parts>> {
    let mut wire = Wire::new(bytes);
    let (one, other) = (wire.u32()?, wire.u32()?);
    if one != other || !bytes.len().is_multiple_of(block) {
        return None;
    }
    Some(key(&mut wire).and_then(|parts| {
        // 1, 2, 3 ...: as many as a block needs, and a whole block more where others than OpenSSH
        // write.
        let padding = wire.rest();
        let counts = padding.iter().zip(1..=u8::MAX).all(|(byte, count)| *byte == count);
        if counts && padding.len() <= MAX_PADDING { Ok(parts) } else { Err(MALFORMED) }
    }))
}

/// The private key, and the comment behind it.
fn key(wire: &mut Wire<'_>) -> Result<Parts> {
    let parts = match Kind::of(wire.string().ok_or(MALFORMED)?)? {
        Kind::Rsa => {
            let mut number = || wire.number().ok_or(MALFORMED);
            let (n, e, d) = (number()?, number()?, number()?);
            let (qi, p, q) = (number()?, number()?, number()?);
            let [dp, dq, _] = rsa_numbers::exponents(d, p, q)?;
            let numbers = [d, p, q, dp.expose(), dq.expose(), qi];
            let private = Some(write::rsa_private_key(n, e, numbers)?);
            Parts::Rsa { n: n.to_vec(), e: e.to_vec(), private }
        }
        Kind::Ec(curve) => {
            let point = point(curve, wire)?;
            let private = Some(scalar(curve, wire.number().ok_or(MALFORMED)?)?);
            Parts::Ec { curve, point, private }
        }
        Kind::Ed25519 => {
            let public = wire.string().ok_or(MALFORMED)?.to_vec();
            let both = wire.string().ok_or(MALFORMED)?;
            let (seed, again) = both.split_at_checked(32).ok_or(MALFORMED)?;
            if again != public {
                return Err(MISMATCH);
            }
            Parts::Ed25519 { public, seed: Some(Secret::new(seed.to_vec())) }
        }
    };
    wire.string().ok_or(MALFORMED)?;
    Ok(parts)
}

const SEVERAL: Error = Error::new(
    ErrorKind::InvalidKey,
    "The OpenSSH file does not hold one key alone; pass one key.",
);
const MISMATCH: Error = Error::new(
    ErrorKind::KeyPairMismatch,
    "The private part of the SSH key does not belong to its public part; export the key again.",
);
const OTHER_KDF: Error = unsupported(
    "The SSH key is encrypted with another key derivation than bcrypt; write it again with `ssh-keygen -p`.",
);
const OTHER_CIPHER: Error = unsupported(
    "The SSH key is encrypted with another cipher than AES; write it again with `ssh-keygen -p -Z aes256-ctr -f FILE`.",
);
