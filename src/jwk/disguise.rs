//! HMAC secrets that are really keys of another kind, in any disguise.
//!
//! Anyone who loads a public key as an HMAC secret lets everybody sign who has that public key: the
//! confusion behind CVE-2015-9235 and its successors, which all slipped past narrower filters. So a
//! secret is searched, not matched: for PEM armour, SSH key names, JWK members, XML key values and
//! the object identifiers of key algorithms anywhere in it, with everything that is not printable
//! ASCII taken out first (byte order marks, white space, zero-width characters, the zeros of
//! UTF-16), and then the same again in whatever base64, base64url, hexadecimal or JSON strings
//! inside decode to.
//!
//! A random secret of up to 128 bytes is found guilty with a chance below 2^-30, whatever its
//! encoding.

use super::der;
use crate::base::json::{self, Value};
use crate::error::{Error, ErrorKind, Result};
use ::der::{Decode as _, Reader as _, SliceReader};
use memchr::memmem;
use zeroize::Zeroizing;

/// Refuses a secret that looks like a key.
pub(super) fn refuse_keys(secret: &[u8]) -> Result<()> {
    if looks_like_key(secret, 0) {
        return Err(Error::new(
            ErrorKind::SecretLooksLikeKey,
            "The HMAC secret is a PEM, DER, SSH or JWK key; load it as what it is, or use random bytes.",
        ));
    }
    Ok(())
}

/// How many encodings are taken off. Two are a realistic accident; the third costs nothing.
const MAX_DEPTH: usize = 3;

fn looks_like_key(bytes: &[u8], depth: usize) -> bool {
    let graphic = graphic(bytes);
    let text = without_escapes(&graphic);
    if is_key_der(bytes) || names_a_key(&text) {
        return true;
    }
    if depth == MAX_DEPTH {
        return false;
    }
    let inside = |decoded: Zeroizing<Vec<u8>>| looks_like_key(&decoded, depth + 1);
    if is_key_json(&graphic, depth) {
        return true;
    }
    let mut hex = Zeroizing::new(text.clone());
    hex.retain(|&byte| byte != b':');
    if hex.len() >= SHORTEST && hex.iter().all(u8::is_ascii_hexdigit) && inside(decode_hex(&hex)) {
        return true;
    }
    let runs = text.split(|&byte| base64_digit(byte).is_none());
    runs.filter(|run| run.len() >= SHORTEST)
        .any(|run| (0..4).any(|skip| inside(decode_base64(run.get(skip..).unwrap_or_default()))))
}

/// No key is shorter in an encoding.
const SHORTEST: usize = 24;

/// What is left of a text without everything that can hide or break up words.
fn graphic(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len()));
    text.extend(bytes.iter().copied().filter(u8::is_ascii_graphic));
    text
}

/// The text without backslashes, and without the line breaks that they escape.
fn without_escapes(graphic: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(graphic.len()));
    let mut rest = graphic.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            text.push(byte);
        } else if matches!(rest.peek(), Some(b'n' | b'r' | b't')) {
            rest.next();
        }
    }
    text
}

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

/// JSON with the members of a JWK or JWK Set under escapes, or with a key in one of its strings.
fn is_key_json(text: &[u8], depth: usize) -> bool {
    let opens = |byte: &u8| matches!(byte, b'{' | b'[' | b'"');
    let closes = |byte: &u8| matches!(byte, b'}' | b']' | b'"');
    let (Some(start), Some(end)) = (text.iter().position(opens), text.iter().rposition(closes))
    else {
        return false;
    };
    let text = text.get(start..=end).unwrap_or_default();
    json::parse(text).is_ok_and(|value| holds_key(&value, depth))
}

fn holds_key(value: &Value<'_>, depth: usize) -> bool {
    value
        .members()
        .any(|(name, member)| name == *"kty" || name == *"keys" || holds_key(&member, depth))
        || value.elements().any(|element| holds_key(&element, depth))
        || value.as_json_str().is_some_and(|text| {
            text.has_escapes() && looks_like_key(text.decode().as_bytes(), depth + 1)
        })
}

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
