//! HMAC secrets that are really keys of another kind, in any disguise.
//!
//! A program that loads a public key as an HMAC secret lets all sign that have that public key: the
//! confusion behind CVE-2015-9235 and its successors, which all slipped past narrower filters. So a
//! secret is searched, not matched: for PEM armour, SSH key names, JWK members, XML key values and
//! the object identifiers of key algorithms anywhere in it, with every escape undone (JSON, C,
//! shells, URLs, HTML) and everything that is not printable ASCII taken out (byte order marks,
//! white space, zero-width characters, the zeros of UTF-16), and then the same again in whatever
//! base64, base64url or hexadecimal inside decodes to, as one run or in pieces.
//!
//! Nothing is matched by its grammar, so a text that one parser reads and another does not hides
//! nothing. Not looked into: base32, base85, quoted-printable, lists of decimal numbers, and
//! compressed or encrypted data.
//!
//! A random secret of up to 128 bytes is found guilty with a chance below 2^-30, whatever its
//! encoding.

mod escapes;

use super::der;
use crate::error::{Error, ErrorKind, Result};
use ::der::{Decode as _, Reader as _, SliceReader};
use memchr::memmem;
use zeroize::Zeroizing;

/// Refuses a secret that looks like a key.
pub(super) fn refuse_keys(secret: &[u8]) -> Result<()> {
    if looks_like_key(secret, 0) {
        return Err(Error::new(
            ErrorKind::SecretLooksLikeKey,
            "The HMAC secret is a key in PEM, DER, JWK or of SSH: load it as that (from_pem, from_der, from_jwk), or use random bytes.",
        ));
    }
    Ok(())
}

/// How many encodings are taken off. Two are a realistic accident; the others cost nothing.
const MAX_DEPTH: usize = 5;

/// How many layers of escapes are undone, at each depth.
const MAX_ESCAPES: usize = 4;

fn looks_like_key(bytes: &[u8], depth: usize) -> bool {
    #[cfg(test)]
    LOOKS.set(LOOKS.get() + 1);
    if is_key_der(bytes) {
        return true;
    }
    let mut text = ascii(bytes);
    for _ in 0..MAX_ESCAPES {
        let Some(plain) = escapes::undone(&text) else { break };
        text = plain;
        // Escapes may stand for bytes that no text has.
        if !text.iter().all(is_in_texts) && is_key_der(&text) {
            return true;
        }
    }
    text.retain(u8::is_ascii_graphic);
    if names_a_key(&text) {
        return true;
    }
    let inside = |decoded: Zeroizing<Vec<u8>>| looks_like_key(&decoded, depth + 1);
    depth < MAX_DEPTH && (in_hex(&text, inside) || in_base64(&text, inside))
}

#[cfg(test)]
thread_local! {
    /// How many texts were searched, on this thread.
    pub(super) static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// No key is shorter in an encoding.
const SHORTEST: usize = 24;

/// What is left of a text without what can hide or break up words, but for white space, which may
/// end an escape.
fn ascii(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len()));
    text.extend(bytes.iter().copied().filter(is_in_texts));
    text
}

fn is_in_texts(byte: &u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

/// Hexadecimal digits, whatever signs stand between them, each byte with `0x` before it or not.
fn in_hex(text: &[u8], inside: impl Fn(Zeroizing<Vec<u8>>) -> bool) -> bool {
    let mut rest = text;
    let mut digits = Zeroizing::new(Vec::new());
    while !rest.is_empty() {
        digits.clear();
        digits.reserve_exact(rest.len());
        let whole = rest.len() == text.len();
        rest = hex_run(rest, &mut digits);
        let is_all = whole && rest.is_empty() && digits.len().is_multiple_of(2);
        if digits.len() >= SHORTEST
            && (inside(decode_hex(&digits))
                || !is_all && inside(decode_hex(digits.get(1..).unwrap_or_default())))
        {
            return true;
        }
    }
    false
}

/// Takes the digits up to the next letter that is no digit; what follows that is left.
fn hex_run<'t>(mut text: &'t [u8], digits: &mut Vec<u8>) -> &'t [u8] {
    loop {
        text = match text {
            [b'0', b'x' | b'X', rest @ ..] => {
                // A byte below 16 may have one digit.
                if let [only, after, ..] = rest
                    && only.is_ascii_hexdigit()
                    && !after.is_ascii_alphanumeric()
                {
                    digits.push(b'0');
                }
                rest
            }
            [digit, rest @ ..] if digit.is_ascii_hexdigit() => {
                digits.push(*digit);
                rest
            }
            [letter, rest @ ..] if letter.is_ascii_alphanumeric() => return rest,
            [_, rest @ ..] => rest,
            [] => return text,
        };
    }
}

/// Base64 in one run, and in the lines or pieces that a text breaks it into.
fn in_base64(text: &[u8], inside: impl Fn(Zeroizing<Vec<u8>>) -> bool) -> bool {
    let at_any_offset =
        |run: &[u8]| (0..4).any(|skip| inside(decode_base64(run.get(skip..).unwrap_or_default())));
    let runs = || text.split(|&byte| base64_digit(byte).is_none());
    if runs().filter(|run| run.len() >= SHORTEST).any(at_any_offset) {
        return true;
    }
    if runs().filter(|run| run.len() >= SHORTEST_LINE).nth(1).is_none() {
        return false;
    }
    let mut joined = Zeroizing::new(Vec::with_capacity(text.len()));
    runs().filter(|run| run.len() >= SHORTEST_LINE).for_each(|run| joined.extend_from_slice(run));
    let last = runs().rfind(|run| !run.is_empty());
    joined.extend_from_slice(last.filter(|run| run.len() < SHORTEST_LINE).unwrap_or_default());
    at_any_offset(&joined)
}

/// No encoder breaks base64 into shorter lines, but for the last one.
const SHORTEST_LINE: usize = 16;

fn names_a_key(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 17] = [
        b"----BEGIN",
        b"----END",
        b"ssh-rsa",
        b"ssh-dss",
        b"ssh-ed25519",
        b"ssh-ed448",
        b"ecdsa-sha2-",
        b"sk-ssh-",
        b"sk-ecdsa-",
        b"openssh-key-v1",
        b"PuTTY-User-Key-File",
        b"RSAKeyValue",
        b"<Modulus>",
        br#""kty":"#,
        b"'kty':",
        br#""keys":"#,
        b"'keys':",
    ];
    NAMES.iter().any(|name| memmem::find(text, name).is_some())
}

/// DER that names a key's algorithm anywhere, or that is a key without such a name.
fn is_key_der(bytes: &[u8]) -> bool {
    const IDENTIFIERS: [&[u8]; 6] = [
        b"\x2a\x86\x48\x86\xf7\x0d\x01", // PKCS: rsaEncryption, id-RSASSA-PSS, PBES2
        b"\x06\x07\x2a\x86\x48\xce\x3d", // ANSI X9.62: id-ecPublicKey
        b"\x06\x08\x2a\x86\x48\xce\x3d", // ANSI X9.62: P-256
        b"\x06\x05\x2b\x81\x04\x00",     // SECG: the other curves
        b"\x30\x05\x06\x03\x2b\x65",     // Ed25519, Ed448, X25519, X448
        b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03", // NIST: ML-DSA, SLH-DSA
    ];
    if IDENTIFIERS.iter().any(|identifier| memmem::find(bytes, identifier).is_some()) {
        return true;
    }
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == 0x30).map(|(at, _)| at);
    starts.filter_map(|at| bytes.get(at..)).any(is_nameless_key)
}

/// PKCS#1 and SEC1 without parameters: the two forms that name no algorithm.
fn is_nameless_key(bytes: &[u8]) -> bool {
    let Ok(document) = SliceReader::new(bytes).and_then(|mut reader| reader.tlv_bytes()) else {
        return false;
    };
    match der::recognize(document) {
        Some(der::Container::Pkcs1Public) => pkcs1::RsaPublicKeyRef::from_der(document)
            .is_ok_and(|key| key.modulus.as_bytes().len() >= SHORTEST_MODULUS),
        Some(der::Container::Pkcs1Private) => pkcs1::RsaPrivateKeyRef::from_der(document).is_ok(),
        Some(der::Container::Sec1) => sec1::EcPrivateKey::from_der(document).is_ok(),
        _ => false,
    }
}

/// 512 bits; what is shorter was never a key, and might be chance.
const SHORTEST_MODULUS: usize = 64;

fn decode_hex(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let pair = |pair: &[u8]| pair.iter().filter_map(nibble).fold(0, |byte, n| byte << 4 | n);
    Zeroizing::new(text.chunks_exact(2).map(pair).collect())
}

/// Decodes either alphabet, forgiving a wrong length and trailing bits.
fn decode_base64(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut bits, mut count) = (0u32, 0);
    for digit in text.iter().filter_map(|&byte| base64_digit(byte)) {
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xFF) as u8);
        }
    }
    out
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
