//! What was given, where a key was asked for and there is none to read: another format, another
//! door, or no key at all. Every error says what the text is and what turns it into a key.
//!
//! Only told after reading has failed; nothing here makes a key.

use super::armour;
use super::der::{self, Container};
use crate::base::json::{self, Kind};
use crate::error::{Error, ErrorKind};
use memchr::memmem;

/// Where the key was given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Pem,
    Der,
    Jwk,
}

/// A text without a block of PEM.
pub(super) fn for_pem(text: &[u8]) -> Error {
    name(text, Door::Pem).unwrap_or(NO_BLOCK)
}

/// Bytes that are no key in DER.
pub(super) fn for_der(bytes: &[u8]) -> Option<Error> {
    name(bytes, Door::Der)
}

/// A text that is no JSON.
pub(super) fn for_jwk(text: &[u8]) -> Option<Error> {
    name(text, Door::Jwk)
}

/// A block of PEM that is not a key.
pub(super) fn label(label: &str) -> Error {
    match label {
        "DSA PRIVATE KEY" | "DSA PUBLIC KEY" => der::DSA,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => unsupported(
            "This is a request for a certificate; take the key with `openssl req -in FILE -noout -pubkey`.",
        ),
        "TRUSTED CERTIFICATE" => unsupported(
            "This is OpenSSL's TRUSTED CERTIFICATE; convert it with `openssl x509 -in FILE -out NEW`.",
        ),
        "PKCS7" | "CMS" => PKCS7,
        "EC PARAMETERS" | "DH PARAMETERS" | "DSA PARAMETERS" => unsupported(
            "These are the parameters of a key without the key; pass the block that holds the key.",
        ),
        "SSH2 ENCRYPTED PRIVATE KEY" => unsupported(
            "This is a private key of ssh.com; convert it with `ssh-keygen -i -f FILE`, and the result to PKCS#8.",
        ),
        _ if label.starts_with("PGP ") => unsupported(
            "This is an OpenPGP key, which no JWT is signed with; make a key with `openssl genpkey`.",
        ),
        _ => unsupported(
            "The PEM label is not of a supported key or certificate; convert the key to PKCS#8 or SPKI with \
             `openssl pkey`.",
        ),
    }
}

fn name(bytes: &[u8], door: Door) -> Option<Error> {
    let text = bytes.strip_prefix(BOM).unwrap_or(bytes).trim_ascii();
    if text.is_empty() {
        return Some(invalid("Nothing was given as the key."));
    }
    if let Some(error) = binary(bytes, door) {
        return Some(error);
    }
    match door {
        Door::Jwk if bytes.starts_with(BOM) => return Some(JSON_WITH_BOM),
        Door::Der | Door::Jwk if armour::is_in(text) => return Some(PEM),
        Door::Pem | Door::Der if text.first() == Some(&b'{') => return Some(object(text)),
        _ => {}
    }
    word(text).or_else(|| encoded(text))
}

/// Containers in binary form, and texts of 16 bits a character.
fn binary(bytes: &[u8], door: Door) -> Option<Error> {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return Some(UTF_16),
        [0xFE, 0xED, 0xFE, 0xED, ..] | [0xCE, 0xCE, 0xCE, 0xCE, ..] => return Some(JKS),
        [0x30, ..] => {}
        _ => return is_utf_16(bytes).then_some(UTF_16),
    }
    match der::recognize(bytes) {
        Some(Container::Pkcs12) => Some(PKCS12),
        Some(Container::Pkcs7) => Some(PKCS7),
        Some(_) if door != Door::Der => Some(DER),
        _ => None,
    }
}

/// Text of ASCII with a zero beside each character.
fn is_utf_16(bytes: &[u8]) -> bool {
    let (first, second) = (bytes.iter().step_by(2), bytes.iter().skip(1).step_by(2));
    let graphic = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    bytes.len() >= 8
        && (first.clone().all(|byte| *byte == 0) && second.clone().all(graphic)
            || second.clone().all(|byte| *byte == 0) && first.clone().all(graphic))
}

/// JSON where there should be PEM or DER.
fn object(text: &[u8]) -> Error {
    let Ok(value) = json::parse(text) else { return NO_BLOCK };
    match value.kind() {
        Kind::Object if value.member("kty").is_some() => JWK,
        Kind::Object if value.member("keys").is_some() => JWK_SET,
        _ => invalid("This is JSON, but neither a key (JWK) nor a text with PEM in it."),
    }
}

/// Texts that are told by how they begin, or that are the place of a key.
fn word(text: &[u8]) -> Option<Error> {
    let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word.as_bytes()));
    let is_line = text.len() <= 4096 && !text.iter().any(|byte| byte.is_ascii_control());
    if starts(&["http://", "https://"]) {
        return Some(invalid(
            "This is a URL; a key is given by its content. Download it, or follow a server's keys with a remote key set.",
        ));
    }
    if starts(&["file:"]) || is_line && is_path(text) {
        return Some(invalid(
            "This looks like the path of a file; a key is given by its content, so read the file and pass what is in it.",
        ));
    }
    if starts(&["PuTTY-User-Key-File"]) {
        return Some(unsupported(
            "This is a key of PuTTY; convert it with `puttygen FILE -O private-openssh-new -o NEW`.",
        ));
    }
    if memmem::find(text, b"RSAKeyValue").is_some() {
        return Some(unsupported(
            "This is an RSA key in the XML of .NET; export it as PEM, with ExportPkcs8PrivateKeyPem or \
             ExportSubjectPublicKeyInfoPem.",
        ));
    }
    if starts(&["<"]) {
        return Some(invalid(
            "This is HTML or XML and not a key; was it an error page that was saved?",
        ));
    }
    if starts(&["eyJ"]) && text.iter().filter(|&&byte| byte == b'.').count() == 2 {
        return Some(invalid("This is a token and not a key; pass the key of its issuer."));
    }
    None
}

/// Whether one line of text is the path of a file, rather than base64 with slashes in it.
fn is_path(text: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 15] = [
        b".pem", b".key", b".der", b".crt", b".cer", b".json", b".jwk", b".jwks", b".p8", b".pk8",
        b".p12", b".pfx", b".jks", b".pub", b".txt",
    ];
    let name = text.to_ascii_lowercase();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    ENDINGS.iter().any(|ending| name.ends_with(ending))
        || name.starts_with(b"./")
        || name.starts_with(b"../")
        || name.starts_with(b"~/")
        || matches!(name.as_slice(), [b'a'..=b'z', b':', b'\\' | b'/', ..])
        || name.starts_with(b"/") && (name.len() < 64 || !name.iter().all(is_base64))
}

/// A key in base64 or hexadecimal digits without anything around it.
fn encoded(text: &[u8]) -> Option<Error> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digits = zeroize::Zeroizing::new(digits);
    if digits.len() < 16 {
        return None;
    }
    if digits.iter().all(u8::is_ascii_hexdigit) && digits.starts_with(b"30") {
        return Some(invalid(
            "This is a key in hexadecimal digits; decode them and pass the bytes to from_der.",
        ));
    }
    let decoded = decode_base64(&digits)?;
    Some(if armour::is_in(&decoded) {
        invalid(
            "This is a PEM text in base64; decode it first, as `base64 -d` does, and pass the PEM to from_pem.",
        )
    } else if decoded.trim_ascii().first() == Some(&b'{')
        && json::parse(decoded.trim_ascii()).is_ok()
    {
        invalid(
            "This is JSON in base64; decode it first, as `base64 -d` does, and pass a JWK to from_jwk.",
        )
    } else {
        match der::recognize(&decoded) {
            Some(Container::Pkcs12) => PKCS12,
            Some(Container::Pkcs7) => PKCS7,
            Some(_) => BARE_BASE64,
            None if decoded.starts_with(&[0xFE, 0xED, 0xFE, 0xED]) => JKS,
            None => return None,
        }
    })
}

/// Standard or URL-safe base64, whatever its padding.
fn decode_base64(digits: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let mut url: Vec<u8> = digits.to_vec();
    while url.last() == Some(&b'=') {
        url.pop();
    }
    for byte in &mut url {
        match byte {
            b'+' => *byte = b'-',
            b'/' => *byte = b'_',
            _ => {}
        }
    }
    let url = zeroize::Zeroizing::new(url);
    crate::base::b64::decode(&url).ok().map(zeroize::Zeroizing::new)
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

const NO_BLOCK: Error = invalid(
    "There is no PEM block (-----BEGIN ...) in the text; load DER with from_der, and a JWK with from_jwk.",
);
const PEM: Error = invalid("This is PEM; load it with from_pem.");
const DER: Error = invalid("This is DER, which is binary; load it with from_der.");
const JWK: Error = invalid("This is a JWK; load it with from_jwk.");
pub(super) const JWK_SET: Error =
    invalid("This is a JWK Set; load it as a key set, with from_jwks.");
const JSON_WITH_BOM: Error = invalid(
    "The JSON begins with a byte order mark (RFC 8259 section 8.1); save it as UTF-8 without one.",
);
const UTF_16: Error = invalid(
    "The text is in UTF-16; save it as UTF-8, or convert it with `iconv -f UTF-16 -t UTF-8 FILE`.",
);
const BARE_BASE64: Error = invalid(
    "This is the base64 of a key without its BEGIN and END lines; decode it, as `base64 -d` does, and pass the bytes \
     to from_der.",
);
const PKCS12: Error = unsupported(
    "This is PKCS#12 (.p12, .pfx); take the key out with `openssl pkcs12 -in FILE -nodes -nocerts -out key.pem`.",
);
const PKCS7: Error = unsupported(
    "This is PKCS#7 (.p7b), a bundle of certificates; take them out with `openssl pkcs7 -in FILE -print_certs`, and \
     add -inform DER if it is binary.",
);
const JKS: Error = unsupported(
    "This is a Java key store; run `keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 -deststoretype \
     PKCS12`, then `openssl pkcs12 -in NEW.p12 -nodes`.",
);

const fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidKey, message)
}

const fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::UnsupportedKey, message)
}
