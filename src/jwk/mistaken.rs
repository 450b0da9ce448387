//! What was given, where a key was asked for and no key can be read: another format, another
//! door, or no key at all. Every error says what the text is and what turns it into a key.
//!
//! Only told after reading has failed; nothing here makes a key.

use super::armour;
use super::der::{self, Container};
use super::ssh;
use crate::base::json::{self, Kind, Value};
use crate::base::presented::{Form, recognize};
use crate::error::{Error, ErrorKind};
use ::der::{Reader as _, SliceReader, Tag};
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

/// JSON that is no JWK Set.
pub(crate) fn for_set(value: &Value<'_>) -> Error {
    let has = |name: &str| value.member(name).is_some();
    let has_pem = |(_, member): (_, Value<'_>)| {
        member.as_str().is_some_and(|text| armour::is_in(text.as_bytes()))
    };
    match value.kind() {
        Kind::Array if value.elements().any(|element| is_jwk(&element)) => LIST_OF_KEYS,
        Kind::Object if has("keys") => match value.given("keys") {
            None => KEYS_NULL,
            Some(_) => NOT_A_SET,
        },
        Kind::Object if has("kty") => JWK_AND_NO_SET,
        Kind::Object if has("jwks_uri") => METADATA,
        Kind::Object if has("error") => AN_ERROR,
        Kind::Object if value.members().any(has_pem) => CERTIFICATES,
        _ => NOT_A_SET,
    }
}

/// JSON that is no object, where a JWK was asked for.
pub(super) fn for_no_object(value: &Value<'_>) -> Error {
    if value.elements().any(|element| is_jwk(&element)) { LIST_OF_KEYS } else { NO_OBJECT }
}

fn is_jwk(value: &Value<'_>) -> bool {
    value.kind() == Kind::Object && value.member("kty").is_some()
}

/// A secret that is surely the place of one, as a path, a URL or a placeholder: a random one looks
/// so with a chance below 2^-25.
pub(super) fn for_secret(secret: &[u8]) -> Option<Error> {
    const FOLDERS: [&[u8]; 15] = [
        b"/app/",
        b"/data/",
        b"/dev/",
        b"/etc/",
        b"/home/",
        b"/mnt/",
        b"/opt/",
        b"/private/",
        b"/proc/",
        b"/root/",
        b"/run/",
        b"/secrets/",
        b"/srv/",
        b"/usr/",
        b"/var/",
    ];
    let text = secret.trim_ascii();
    let all = |fits: fn(&u8) -> bool| text.iter().all(fits);
    let starts = |words: &[&[u8]]| words.iter().any(|word| text.starts_with(word));
    let in_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~ ".contains(byte);
    let in_windows = |byte: &u8| byte.is_ascii_alphanumeric() || b"\\:/._-~ ".contains(byte);
    let is_path = match text {
        [b'/', ..] => {
            all(in_path) && (starts(&FOLDERS) || text.iter().any(|byte| b"._-".contains(byte)))
        }
        [b'.' | b'~', ..] => all(in_path) && starts(&[b"./", b"../", b"~/"]),
        [b'A'..=b'Z' | b'a'..=b'z', b':', b'\\' | b'/', ..] => all(in_windows),
        _ => false,
    };
    if is_path || starts(&[b"file:/"]) {
        return Some(PATH);
    }
    let (scheme, _) = text.split_at(memmem::find(text, b"://")?);
    let is_scheme = scheme.len() > 1
        && scheme.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (is_scheme && all(u8::is_ascii_graphic)).then_some(SECRET_URL)
}

/// A document in the shape of a certificate, but malformed.
pub(super) fn for_certificate(der: &[u8]) -> Option<Error> {
    let mut tags = Vec::new();
    let mut outer = SliceReader::new(der).ok()?;
    let read = outer.sequence(|outer| {
        outer.sequence(|fields| {
            while !fields.is_finished() {
                tags.push(Tag::peek(fields)?);
                fields.tlv_bytes()?;
            }
            Ok::<_, ::der::Error>(())
        })?;
        while !outer.is_finished() {
            outer.tlv_bytes()?;
        }
        Ok::<_, ::der::Error>(())
    });
    read.ok()?;
    match tags.as_slice() {
        // CertificationRequestInfo (RFC 2986 section 4.1), TBSCertList (RFC 5280 section 5.1).
        [Tag::Integer, Tag::Sequence, Tag::Sequence, Tag::ContextSpecific { .. }] => Some(REQUEST),
        [Tag::Integer, Tag::Sequence, Tag::Sequence, Tag::UtcTime | Tag::GeneralizedTime, ..]
        | [Tag::Sequence, Tag::Sequence, Tag::UtcTime | Tag::GeneralizedTime, ..] => Some(REVOKED),
        _ => None,
    }
}

/// The body of a block of PEM that is no base64: what else stands in it.
pub(super) fn for_body(body: &[u8]) -> Option<Error> {
    const SIGNS: [(&[&[u8]], Error); 5] = [
        (
            &[
                b"%0A", b"%0a", b"%0D", b"%0d", b"%2B", b"%2b", b"%2F", b"%2f", b"%3D", b"%3d",
                b"%20",
            ],
            BODY_URL,
        ),
        (&[b"&#", b"&nbsp;", b"<br", b"<BR", b"<p", b"</"], BODY_HTML),
        (&[b"\"", b"'"], BODY_QUOTES),
        (&[b"$", b"{{"], BODY_PLACEHOLDER),
        (&[b"-", b"_"], BODY_URL_SAFE),
    ];
    if !body.is_ascii() {
        return Some(BODY_UNSEEN);
    }
    let has = |signs: &[&[u8]]| signs.iter().any(|sign| memmem::find(body, sign).is_some());
    let is_header = memmem::find(body, b":").is_some();
    SIGNS.iter().find(|(signs, _)| !is_header && has(signs)).map(|(_, error)| error.clone())
}

/// A block of PEM that is not a key.
pub(super) fn label(label: &str) -> Error {
    match label {
        "DSA PRIVATE KEY" | "DSA PUBLIC KEY" => der::DSA,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => REQUEST,
        "X509 CRL" => REVOKED,
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
        Door::Pem | Door::Der if matches!(text, [b'{', ..] if !text.starts_with(b"{{")) => {
            return Some(object(text));
        }
        Door::Pem | Door::Der if text.first() == Some(&b'[') => {
            return json::parse(text).ok().map(|value| for_no_object(&value));
        }
        _ => {}
    }
    word(text).or_else(|| ssh_in(text)).or_else(|| encoded(text)).or_else(|| quoted(text, door))
}

/// A key of OpenSSH that is not alone in its line, or that has lost its type.
fn ssh_in(text: &[u8]) -> Option<Error> {
    const BLOBS: [&[u8]; 4] = [b"AAAAB3NzaC1", b"AAAAC3NzaC1", b"AAAAE2VjZHNh", b"AAAAG"];
    if BLOBS.iter().any(|blob| text.starts_with(blob)) {
        return Some(SSH_BLOB);
    }
    let names_one =
        ssh::names().any(|name| memmem::find(text, &[name, b" AAAA"].concat()).is_some());
    names_one.then_some(SSH_IN_LINE)
}

/// A key between quotation marks.
fn quoted(text: &[u8], door: Door) -> Option<Error> {
    let [first @ (b'"' | b'\'' | b'`'), inner @ .., last] = text else { return None };
    let starts = |words: &[&[u8]]| words.iter().any(|word| inner.starts_with(word));
    let is_key = starts(&[b"{", b"\\", b"["]) || name(inner, door).is_some();
    (first == last && is_key).then_some(QUOTED)
}

/// Containers in binary form, and texts of 16 bits a character.
fn binary(bytes: &[u8], door: Door) -> Option<Error> {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return Some(UTF_16),
        [0x1F, 0x8B, ..] => return Some(GZIP),
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
        Kind::Object if is_jwk(&value) => JWK,
        Kind::Object if value.member("keys").is_some() => JWK_SET,
        _ => invalid("This is JSON, but neither a key (JWK) nor a text with PEM in it."),
    }
}

/// Texts that are recognized by how they begin.
const BEGINNINGS: [(&[&str], Error); 6] = [
    (
        &["http://", "https://"],
        invalid(
            "This is a URL; a key is given by its content. Download it, or follow a server's keys with a remote key set.",
        ),
    ),
    (&["file:"], PATH),
    (
        &["data:"],
        invalid(
            "This is a data: URL; pass what follows its comma, decoded from base64 where it says so.",
        ),
    ),
    (
        &[
            "arn:",
            "vault:",
            "s3://",
            "gs://",
            "ssm:",
            "secretsmanager:",
            "awskms:",
            "gcpkms:",
            "azurekms:",
            "op://",
        ],
        invalid(
            "This is the name of a secret in a store; a key is given by its content, so fetch it there and pass what it \
             holds.",
        ),
    ),
    (
        &["${", "$(", "{{", "<%", "%("],
        invalid(
            "This is a placeholder into which no key was put; see that the variable is set where the text is filled in.",
        ),
    ),
    (
        &["PuTTY-User-Key-File"],
        unsupported(
            "This is a key of PuTTY; convert it with `puttygen FILE -O private-openssh-new -o NEW`.",
        ),
    ),
];

/// Texts that are recognized by how they begin, or that are the place of a key.
fn word(text: &[u8]) -> Option<Error> {
    let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word.as_bytes()));
    let is_line = text.len() <= 4096 && !text.iter().any(|byte| byte.is_ascii_control());
    if let Some((_, error)) = BEGINNINGS.iter().find(|(words, _)| starts(words)) {
        return Some(error.clone());
    }
    if is_line && is_path(text) {
        return Some(PATH);
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
    if recognize(text) == Some(Form::ApiKey) {
        return Some(invalid(
            "This is an API key and not a key for tokens; pass the key that they are signed with.",
        ));
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
    let hex = digits.strip_prefix(b"0x").unwrap_or(&digits);
    if hex.starts_with(b"30") && hex.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b':') {
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
pub(super) fn decode_base64(digits: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
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
const GZIP: Error = invalid(
    "This is compressed (gzip); decompress it first, as `gunzip` does, and pass what it holds.",
);
const PATH: Error = invalid(
    "This looks like the path of a file; a key is given by its content, so read the file and pass what is in it.",
);
const SECRET_URL: Error = invalid(
    "This is a URL and no secret; a secret is given by its content, so fetch it there and pass what it holds.",
);
const QUOTED: Error =
    invalid("The key stands between quotation marks; pass what is between them, without escapes.");
const SSH_BLOB: Error = invalid(
    "This is the base64 of an SSH key without its type; write that and a space before it, such as `ssh-ed25519` for \
     AAAAC3NzaC1lZDI1.",
);
const SSH_IN_LINE: Error = invalid(
    "There is something before the SSH key in its line (quotation marks, options, a host); pass the line from the type \
     of the key on.",
);
const REQUEST: Error = unsupported(
    "This is a request for a certificate; take the key with `openssl req -in FILE -noout -pubkey`, and add -inform DER \
     if it is binary.",
);
const REVOKED: Error = unsupported(
    "This is a list of revoked certificates (CRL), which holds no key; pass the certificate or the key itself.",
);
const NO_OBJECT: Error = invalid("A JWK must be a JSON object (RFC 7517 section 4).");
const LIST_OF_KEYS: Error = invalid(
    "This is an array of JWKs; load each with from_jwk, or all as a JWK Set, {\"keys\": [...]}, with from_jwks.",
);
const JWK_AND_NO_SET: Error = invalid(
    "This is one key (JWK) and no JWK Set: it is loaded with from_jwk, and stands in a set as {\"keys\": [...]}.",
);
const METADATA: Error = invalid(
    "This is the metadata of an issuer (OpenID Connect discovery, RFC 8414) and no JWK Set; its keys are at the address \
     in its `jwks_uri`.",
);
const AN_ERROR: Error = invalid(
    "This is a server's error (`error`) and no JWK Set; see that the address is that of the keys and needs no login.",
);
const CERTIFICATES: Error = invalid(
    "These are certificates by their names, as Google has them beside its JWK Sets; take the address of the JWK Set, \
     such as /oauth2/v3/certs for /oauth2/v1/certs.",
);
const KEYS_NULL: Error = invalid(
    "The `keys` of the JWK Set is null; it must be an array, which may be empty (RFC 7517 section 5).",
);
const NOT_A_SET: Error =
    invalid("A JWK Set must be a JSON object with an array `keys` (RFC 7517 section 5).");
const BODY_URL: Error = invalid(
    "The PEM block has escapes of URLs in it (such as %0A); decode them, and pass the text.",
);
const BODY_HTML: Error = invalid(
    "The PEM block has HTML in it (such as &#10; or <br>); pass the text that the page shows.",
);
const BODY_QUOTES: Error = invalid(
    "The PEM block has quotation marks between its lines, as source code has; pass the text without them.",
);
const BODY_PLACEHOLDER: Error = invalid(
    "The PEM block has a placeholder in it ($ or {{) into which nothing was put; see that the variable is set.",
);
const BODY_URL_SAFE: Error =
    invalid("The PEM block is in base64url; PEM needs base64, so write + for - and / for _ in it.");
const BODY_UNSEEN: Error = invalid(
    "The PEM block has characters that are not ASCII, such as no-break or zero-width spaces, which are invisible; remove \
     them, or export the key again.",
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
