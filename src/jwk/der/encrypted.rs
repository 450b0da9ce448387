//! Encrypted private keys: PKCS#8 `EncryptedPrivateKeyInfo` (RFC 5958 section 3) under PBES2 (RFC
//! 8018 section 6.2) with PBKDF2 or scrypt (RFC 7914 section 7) and AES in CBC or GCM (RFC 5084).
//!
//! Refused by name: PBES1 and the schemes of PKCS#12, which derive keys in ways that are broken,
//! and every cipher but AES. Nothing is computed before the cost that the file asks for was found
//! bounded.

use super::{Container, MALFORMED, private, recognize, unsupported};
use crate::base::secret::Secret;
use crate::crypto::passphrase::{Aes, Kdf, Mode, Prf};
use crate::error::{Error, Result};
use crate::jwk::material::Parts;
use crate::jwk::passphrase::{self, WRONG};
use crate::jwk::stated::Stated;
use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Reader as _, SliceReader, Tag};
use spki::AlgorithmIdentifierRef;

/// Reads the key inside.
pub(super) fn pkcs8(der: &[u8], passphrase: Option<&Secret>) -> Result<(Parts, Stated)> {
    let sealed = parse(der)?;
    sealed.kdf.check()?;
    let passphrase = passphrase::needed(passphrase)?;
    let key = sealed.kdf.derive(passphrase.expose(), sealed.cipher.key_len)?;
    let document = sealed.cipher.open(key.expose(), sealed.iv, sealed.data).ok_or(WRONG)?;
    // One wrong passphrase in 256 leaves a padding that looks right.
    if recognize(document.expose()) != Some(Container::Pkcs8) {
        return Err(WRONG);
    }
    private::pkcs8(document.expose())
}

/// What is said about the encryption, and what is encrypted.
struct Sealed<'a> {
    kdf: Kdf<'a>,
    cipher: Aes,
    iv: &'a [u8],
    data: &'a [u8],
}

fn parse(der: &[u8]) -> Result<Sealed<'_>> {
    let mut outer = SliceReader::new(der).map_err(|_| MALFORMED)?;
    let (scheme, data) = outer
        .sequence(|fields| {
            let scheme = AlgorithmIdentifierRef::decode(fields)?;
            Ok::<_, der::Error>((scheme, <&OctetStringRef>::decode(fields)?.as_bytes()))
        })
        .and_then(|parsed| outer.finish().map(|()| parsed))
        .map_err(|_| MALFORMED)?;
    if scheme.oid != PBES2 {
        return Err(OTHER_SCHEME);
    }
    let mut fields = parameters(scheme)?;
    let kdf = next(&mut fields)?;
    let cipher = next(&mut fields)?;
    finish(fields)?;
    let (cipher, iv) = read_cipher(cipher)?;
    let (kdf, len) = read_kdf(kdf)?;
    if len.is_some_and(|len| usize::try_from(len) != Ok(cipher.key_len)) {
        return Err(MALFORMED);
    }
    Ok(Sealed { kdf, cipher, iv, data })
}

/// A key derivation, and the length of the key where it is said.
fn read_kdf(kdf: AlgorithmIdentifierRef<'_>) -> Result<(Kdf<'_>, Option<u64>)> {
    if kdf.oid != PBKDF2 && kdf.oid != SCRYPT {
        return Err(OTHER_KDF);
    }
    let mut fields = parameters(kdf)?;
    let salt = next::<&OctetStringRef>(&mut fields)?.as_bytes();
    if kdf.oid == SCRYPT {
        let (n, r, p) = (next(&mut fields)?, next(&mut fields)?, next(&mut fields)?);
        let len = optional(&mut fields, Tag::Integer)?;
        finish(fields)?;
        return Ok((Kdf::Scrypt { n, r, p, salt }, len));
    }
    let iterations = next(&mut fields)?;
    let len = optional(&mut fields, Tag::Integer)?;
    let prf = match optional::<AlgorithmIdentifierRef<'_>>(&mut fields, Tag::Sequence)? {
        None => Prf::HmacSha1,
        Some(prf) => match prf.oid {
            HMAC_SHA1 => Prf::HmacSha1,
            HMAC_SHA256 => Prf::HmacSha256,
            HMAC_SHA384 => Prf::HmacSha384,
            HMAC_SHA512 => Prf::HmacSha512,
            _ => return Err(OTHER_KDF),
        },
    };
    finish(fields)?;
    Ok((Kdf::Pbkdf2 { prf, iterations, salt }, len))
}

/// A cipher and its initialization vector.
fn read_cipher(cipher: AlgorithmIdentifierRef<'_>) -> Result<(Aes, &[u8])> {
    let (mode, key_len) = match cipher.oid {
        AES_128_CBC => (Mode::CbcPadded, 16),
        AES_192_CBC => (Mode::CbcPadded, 24),
        AES_256_CBC => (Mode::CbcPadded, 32),
        AES_128_GCM => (Mode::Gcm, 16),
        AES_192_GCM => (Mode::Gcm, 24),
        AES_256_GCM => (Mode::Gcm, 32),
        _ => return Err(OTHER_CIPHER),
    };
    let cipher_of_key = Aes { mode, key_len };
    let iv = if mode == Mode::Gcm {
        // GCMParameters ::= SEQUENCE { nonce OCTET STRING, icvLen INTEGER DEFAULT 12 }
        let mut fields = parameters(cipher)?;
        let nonce = next::<&OctetStringRef>(&mut fields)?.as_bytes();
        let tag_len = optional::<u8>(&mut fields, Tag::Integer)?;
        finish(fields)?;
        if tag_len != Some(16) {
            return Err(OTHER_CIPHER);
        }
        nonce
    } else {
        let iv = cipher.parameters.ok_or(MALFORMED)?;
        iv.decode_as::<&OctetStringRef>().map_err(|_| MALFORMED)?.as_bytes()
    };
    if iv.len() == cipher_of_key.iv_len() { Ok((cipher_of_key, iv)) } else { Err(MALFORMED) }
}

/// The fields of the SEQUENCE that an algorithm has for its parameters.
fn parameters(of: AlgorithmIdentifierRef<'_>) -> Result<SliceReader<'_>> {
    let parameters = of.parameters.ok_or(MALFORMED)?;
    if der::Tagged::tag(&parameters) != Tag::Sequence {
        return Err(MALFORMED);
    }
    SliceReader::new(parameters.value()).map_err(|_| MALFORMED)
}

fn next<'a, T: der::Decode<'a, Error = der::Error>>(fields: &mut SliceReader<'a>) -> Result<T> {
    T::decode(fields).map_err(|_| MALFORMED)
}

fn optional<'a, T: der::Decode<'a, Error = der::Error>>(
    fields: &mut SliceReader<'a>,
    tag: Tag,
) -> Result<Option<T>> {
    if fields.is_finished() || !Tag::peek(fields).is_ok_and(|found| found == tag) {
        return Ok(None);
    }
    next(fields).map(Some)
}

fn finish(fields: SliceReader<'_>) -> Result<()> {
    fields.finish().map_err(|_| MALFORMED)
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const PBES2: ObjectIdentifier = oid("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = oid("1.2.840.113549.1.5.12");
const SCRYPT: ObjectIdentifier = oid("1.3.6.1.4.1.11591.4.11");
const HMAC_SHA1: ObjectIdentifier = oid("1.2.840.113549.2.7");
const HMAC_SHA256: ObjectIdentifier = oid("1.2.840.113549.2.9");
const HMAC_SHA384: ObjectIdentifier = oid("1.2.840.113549.2.10");
const HMAC_SHA512: ObjectIdentifier = oid("1.2.840.113549.2.11");
const AES_128_CBC: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.22");
const AES_256_CBC: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.42");
const AES_128_GCM: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.6");
const AES_192_GCM: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.26");
const AES_256_GCM: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.46");

const OTHER_SCHEME: Error = unsupported(
    "The private key is encrypted in an old way (PBES1 or PKCS#12's), which is weak; encrypt it again with `openssl \
     pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW`.",
);
const OTHER_KDF: Error = unsupported(
    "The private key is encrypted with another key derivation than PBKDF2 (SHA-1, SHA-256, SHA-384, SHA-512) and \
     scrypt; encrypt it again with `openssl pkcs8 -topk8`.",
);
const OTHER_CIPHER: Error = unsupported(
    "The private key is encrypted with another cipher than AES (CBC, GCM); encrypt it again with `openssl pkcs8 \
     -topk8 -v2 aes-256-cbc -in FILE -out NEW`.",
);
