//! RSA signatures: PKCS#1 v1.5 and PSS (RFC 8017 section 8; RFC 7518 sections 3.3 and 3.5).
//!
//! PSS uses MGF1 with the message's hash and a salt of exactly the hash's length. Refuses moduli
//! under 2048 bits (1024 with the caller's explicit word, to verify only), over 8192 bits or even;
//! exponents that are even, under 3 or over 33 bits; private keys of more than two primes, without
//! CRT parameters, or whose parts contradict each other.

use super::{Hash, buffer_too_short, library_failed};
use crate::base::process::enter;
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaEncoding, RsaKeyPair, RsaParameters, RsaPublicKeyComponents,
};
use der::Decode;

pub(super) const MAX_MODULUS_LEN: usize = 1024;

/// How the message becomes the number that is raised to the key's exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Pkcs1(Hash),
    Pss(Hash),
}

impl Scheme {
    fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Pkcs1(Hash::Sha256) => &signature::RSA_PKCS1_SHA256,
            Self::Pkcs1(Hash::Sha384) => &signature::RSA_PKCS1_SHA384,
            Self::Pkcs1(Hash::Sha512) => &signature::RSA_PKCS1_SHA512,
            Self::Pss(Hash::Sha256) => &signature::RSA_PSS_SHA256,
            Self::Pss(Hash::Sha384) => &signature::RSA_PSS_SHA384,
            Self::Pss(Hash::Sha512) => &signature::RSA_PSS_SHA512,
        }
    }

    fn parameters(self) -> &'static RsaParameters {
        match self {
            Self::Pkcs1(Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Pkcs1(Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Pkcs1(Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Pss(Hash::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Pss(Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Pss(Hash::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
        }
    }

    /// The library verifies with short keys under these two schemes alone.
    fn weak_parameters(self) -> Result<&'static RsaParameters> {
        match self {
            Self::Pkcs1(Hash::Sha256) => {
                Ok(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY)
            }
            Self::Pkcs1(Hash::Sha512) => {
                Ok(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY)
            }
            Self::Pkcs1(Hash::Sha384) | Self::Pss(_) => Err(Error::new(
                ErrorKind::UnsupportedKey,
                "RSA keys under 2048 bits work with RS256 and RS512 only; use a key of 2048 bits.",
            )),
        }
    }
}

/// A public key bound to one scheme.
pub(crate) struct PublicKey {
    key: ParsedPublicKey,
    modulus_len: usize,
}

impl PublicKey {
    /// Checks and prepares a key from its big-endian modulus and exponent.
    ///
    /// # Errors
    /// `WeakKey` for short moduli and for exponent 1, `UnsupportedKey` for sizes out of range,
    /// `InvalidKey` for numbers that are no RSA key at all.
    pub(crate) fn new(scheme: Scheme, n: &[u8], e: &[u8], allow_1024: bool) -> Result<Self> {
        let _inside = enter();
        let n = without_leading_zeros(n);
        let e = without_leading_zeros(e);
        let bits = check_numbers(n, e)?;
        let parameters = match bits {
            2048.. => scheme.parameters(),
            1024.. if allow_1024 => scheme.weak_parameters()?,
            _ => return Err(too_short()),
        };
        let key = RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .map_err(|_| invalid_numbers())?;
        let this = Self { key, modulus_len: n.len() };
        // The first verification prepares the modulus for Montgomery arithmetic under a lock. Done
        // here, no request pays for it and no two threads meet at that lock. (Zero is a number that
        // is below every modulus, which the library demands first.)
        let probe = [0; MAX_MODULUS_LEN];
        this.verify(b"", probe.get(..this.modulus_len).unwrap_or_default());
        Ok(this)
    }

    /// Whether `sig` is a signature of `msg`.
    pub(crate) fn verify(&self, msg: &[u8], sig: &[u8]) -> bool {
        let _inside = enter();
        sig.len() == self.modulus_len && self.key.verify_sig(msg, sig).is_ok()
    }

    /// The length in bytes of the modulus and of every signature.
    pub(crate) const fn modulus_len(&self) -> usize {
        self.modulus_len
    }
}

/// A private key bound to one scheme.
pub(crate) struct PrivateKey {
    pair: RsaKeyPair,
    encoding: &'static dyn RsaEncoding,
}

impl PrivateKey {
    /// Checks and prepares a key from its `RSAPrivateKey` DER (RFC 8017 appendix A.1.2).
    ///
    /// # Errors
    /// `InvalidKey` for other DER and for impossible numbers, `WeakKey` and `UnsupportedKey` as for
    /// [`PublicKey::new`], `KeyPairMismatch` when the parts contradict each other.
    pub(crate) fn from_pkcs1(scheme: Scheme, der: &[u8]) -> Result<Self> {
        let _inside = enter();
        let numbers = pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| {
            Error::new(
                ErrorKind::InvalidKey,
                "The RSA private key is not an RSAPrivateKey in DER; export it as PKCS#8.",
            )
        })?;
        if numbers.other_prime_infos.is_some() {
            return Err(Error::new(
                ErrorKind::UnsupportedKey,
                "RSA keys of more than two primes are not supported; generate a key of two primes.",
            ));
        }
        let n = numbers.modulus.as_bytes();
        if check_numbers(n, numbers.public_exponent.as_bytes())? < 2048 {
            return Err(too_short());
        }
        // The library checks n = pq, d, dp, dq and qinv against each other.
        let pair = RsaKeyPair::from_der(der).map_err(|_| contradicting_parts())?;
        let this = Self { pair, encoding: scheme.encoding() };
        // The first signature prepares blinding and both primes; it also fails, since the library
        // checks its result against the public exponent, when p or q is not prime.
        this.sign(b"", &mut [0; MAX_MODULUS_LEN]).map_err(|_| contradicting_parts())?;
        Ok(this)
    }

    /// Writes the signature of `msg` to the front of `out` and returns its length.
    pub(crate) fn sign(&self, msg: &[u8], out: &mut [u8]) -> Result<usize> {
        let _inside = enter();
        let len = self.modulus_len();
        let out = out.get_mut(..len).ok_or_else(buffer_too_short)?;
        self.pair
            .sign(self.encoding, &SystemRandom::new(), msg, out)
            .map_err(|_| library_failed())?;
        Ok(len)
    }

    /// The length in bytes of the modulus and of every signature.
    pub(crate) fn modulus_len(&self) -> usize {
        self.pair.public_modulus_len()
    }
}

/// Generates a key of two primes with exponent 65537; returns its PKCS#1 `RSAPrivateKey` DER.
///
/// # Errors
/// `WeakKey` under 2048 bits, `UnsupportedKey` unless `bits` is 2048, 3072, 4096 or 8192.
pub(crate) fn generate(bits: usize) -> Result<Secret> {
    let _inside = enter();
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        0..2048 => return Err(too_short()),
        _ => {
            return Err(Error::new(
                ErrorKind::UnsupportedKey,
                "RSA keys are generated with 2048, 3072, 4096 or 8192 bits; choose one of these.",
            ));
        }
    };
    let pair = RsaKeyPair::generate(size).map_err(|_| library_failed())?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| library_failed())?;
    let info = pkcs8::PrivateKeyInfoRef::from_der(pkcs8.as_ref()).map_err(|_| library_failed())?;
    Ok(Secret::new(info.private_key.as_bytes().to_vec()))
}

/// The rules for the two public numbers, given without leading zeros; returns the modulus's bits.
pub(super) fn check_numbers(n: &[u8], e: &[u8]) -> Result<usize> {
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    if !is_odd(n) || !is_odd(e) {
        return Err(invalid_numbers());
    }
    if matches!(e, [1]) {
        return Err(Error::new(
            ErrorKind::WeakKey,
            "The RSA exponent 1 makes every signature forgeable; generate a new key.",
        ));
    }
    // Longer exponents only make verification slow, which a hostile key set could exploit.
    if bit_len(e) > 33 {
        return Err(Error::new(
            ErrorKind::UnsupportedKey,
            "RSA exponents over 33 bits are not supported; generate a key with exponent 65537.",
        ));
    }
    let bits = bit_len(n);
    if bits > 8 * MAX_MODULUS_LEN {
        return Err(Error::new(
            ErrorKind::UnsupportedKey,
            "RSA keys over 8192 bits are not supported; use a shorter key.",
        ));
    }
    Ok(bits)
}

pub(super) fn without_leading_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

/// The bits of a number without leading zero bytes.
fn bit_len(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    8 * number.len() - unused
}

#[cold]
pub(super) const fn too_short() -> Error {
    Error::new(ErrorKind::WeakKey, "RSA keys under 2048 bits are refused; generate a longer key.")
}

#[cold]
const fn invalid_numbers() -> Error {
    Error::new(
        ErrorKind::InvalidKey,
        "The RSA modulus and exponent must be odd numbers; export the key again.",
    )
}

#[cold]
pub(super) const fn contradicting_parts() -> Error {
    Error::new(
        ErrorKind::KeyPairMismatch,
        "The parts of the RSA private key contradict each other; export the key again.",
    )
}
