//! OpenSSH's keys: public ones as a line or as RFC 4716, and private ones in the format
//! `openssh-key-v1`.
//!
//! Read are the types that JWT has algorithms for: `ssh-rsa`, `ecdsa-sha2-nistp256`, `-nistp384`,
//! `-nistp521` and `ssh-ed25519` (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4).
//! Refused by name: DSA, keys that a security key holds, certificates of SSH, and texts with
//! several keys.

mod private;
mod wire;

pub(super) use private::read as read_private;

use super::material::Parts;
use super::stated::Stated;
use crate::crypto::Curve;
use crate::error::{Error, ErrorKind, Result};
use base64ct::{Base64, Encoding as _};
use memchr::memmem;
use wire::Wire;

/// Reads a text of public keys, which must be one; `None` if it is no text of SSH.
pub(super) fn read_public(text: &[u8]) -> Option<Result<(Parts, Stated)>> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    if let Some(at) = memmem::find(text, BEGIN) {
        let (before, text) = text.split_at(at);
        return Some(rfc4716(before, text.get(BEGIN.len()..).unwrap_or_default()));
    }
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let mut keys = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let first = keys.next()?;
    let kind = first.split(u8::is_ascii_whitespace).next().filter(|kind| is_kind(kind))?;
    if let Some(next) = keys.next() {
        let is_key = next.split(u8::is_ascii_whitespace).any(is_kind);
        return Some(Err(if is_key || next.starts_with(b"{") { SEVERAL } else { WRAPPED }));
    }
    Some(line(kind, first.get(kind.len()..).unwrap_or_default()))
}

/// `ssh-ed25519 AAAA... comment`
fn line(kind: &[u8], rest: &[u8]) -> Result<(Parts, Stated)> {
    let base64 = rest.trim_ascii_start().split(u8::is_ascii_whitespace).next();
    let base64 = base64.unwrap_or_default();
    if base64.contains(&b'\\') {
        return Err(ESCAPED);
    }
    let blob = decode(base64)?;
    if Wire::new(&blob).string() != Some(kind) {
        return Err(MALFORMED);
    }
    public(&blob)
}

/// Public keys in the lines of a text that holds something else, too.
pub(super) fn lines_in(text: &[u8]) -> impl Iterator<Item = Result<Parts>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-@.".contains(byte);
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    memmem::find_iter(text, b" AAAA").filter_map(move |at| {
        let (before, rest) = text.split_at(at);
        let start = before.iter().rposition(|byte| !is_name(byte)).map_or(0, |at| at + 1);
        let kind = before.get(start..).filter(|kind| is_kind(kind))?;
        let rest = rest.get(1..).unwrap_or_default();
        let end = rest.iter().position(|byte| !is_base64(byte)).unwrap_or(rest.len());
        Some(line(kind, rest.get(..end).unwrap_or_default()).map(|(parts, _)| parts))
    })
}

/// The names of the types that are read.
pub(super) fn names() -> impl Iterator<Item = &'static [u8]> {
    KINDS.iter().map(|(name, _)| *name)
}

/// Header lines, then base64 (RFC 4716 section 3); `before` stands before the text.
fn rfc4716(before: &[u8], text: &[u8]) -> Result<(Parts, Stated)> {
    let end = memmem::find(text, END).ok_or(MALFORMED)?;
    let (text, rest) = (text.get(..end).unwrap_or_default(), text.get(end + END.len()..));
    let rest = rest.unwrap_or_default();
    if memmem::find(rest, BEGIN).is_some() {
        return Err(SEVERAL);
    }
    let mut base64 = Vec::with_capacity(text.len());
    let mut in_header = false;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii) {
        if in_header || line.contains(&b':') {
            in_header = line.ends_with(b"\\");
        } else {
            base64.extend_from_slice(line);
        }
    }
    let (parts, stated) = public(&decode(&base64)?)?;
    super::beside::check([before, rest], &parts)?;
    Ok((parts, stated))
}

fn decode(base64: &[u8]) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(base64).map_err(|_| MALFORMED)?;
    Base64::decode_vec(text).map_err(|_| MALFORMED)
}

/// The public key that SSH sends over the wire, and nothing after it.
fn public(blob: &[u8]) -> Result<(Parts, Stated)> {
    let mut wire = Wire::new(blob);
    let kind = Kind::of(wire.string().ok_or(MALFORMED)?)?;
    let parts = match kind {
        Kind::Rsa => {
            let e = wire.number().ok_or(MALFORMED)?.to_vec();
            Parts::Rsa { e, n: wire.number().ok_or(MALFORMED)?.to_vec(), private: None }
        }
        Kind::Ec(curve) => Parts::Ec { curve, point: point(curve, &mut wire)?, private: None },
        Kind::Ed25519 => {
            Parts::Ed25519 { public: wire.string().ok_or(MALFORMED)?.to_vec(), seed: None }
        }
    };
    wire.finish().ok_or(MALFORMED)?;
    Ok((parts, Stated::default()))
}

/// The curve's name, which must be that of the type, and the point.
fn point(curve: Curve, wire: &mut Wire<'_>) -> Result<Vec<u8>> {
    let name = wire.string().ok_or(MALFORMED)?;
    let is_its_name = |kind: &[u8]| kind.strip_prefix(b"ecdsa-sha2-") == Some(name);
    if KINDS.iter().any(|(kind, of)| *of == Kind::Ec(curve) && is_its_name(kind)) {
        return super::der::public::point(curve, wire.string().ok_or(MALFORMED)?);
    }
    Err(MALFORMED)
}

/// The types that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ec(Curve),
    Ed25519,
}

const KINDS: [(&[u8], Kind); 5] = [
    (b"ssh-rsa", Kind::Rsa),
    (b"ecdsa-sha2-nistp256", Kind::Ec(Curve::P256)),
    (b"ecdsa-sha2-nistp384", Kind::Ec(Curve::P384)),
    (b"ecdsa-sha2-nistp521", Kind::Ec(Curve::P521)),
    (b"ssh-ed25519", Kind::Ed25519),
];

impl Kind {
    fn of(name: &[u8]) -> Result<Self> {
        let known = KINDS.iter().find(|(kind, _)| *kind == name);
        known.map(|(_, kind)| *kind).ok_or_else(|| match name {
            b"ssh-dss" => super::der::DSA,
            _ if name.starts_with(b"sk-") => HARDWARE,
            _ if memmem::find(name, b"-cert-v").is_some() => CERTIFICATE,
            _ => UNKNOWN,
        })
    }
}

/// Whether a word is the name of a type of SSH's, whether it is read or not.
fn is_kind(word: &[u8]) -> bool {
    const STARTS: [&[u8]; 5] = [b"ssh-rsa", b"ssh-dss", b"ssh-ed", b"ecdsa-sha2-", b"sk-"];
    STARTS.iter().any(|start| word.starts_with(start))
}

const BEGIN: &[u8] = b"---- BEGIN SSH2 PUBLIC KEY ----";
const END: &[u8] = b"---- END SSH2 PUBLIC KEY ----";

const MALFORMED: Error = Error::new(
    ErrorKind::InvalidKey,
    "The SSH key is malformed or was cut off; write it again, with `ssh-keygen -y -f FILE` for a public one.",
);
const SEVERAL: Error =
    Error::new(ErrorKind::InvalidKey, "The text has several SSH keys; pass one key alone.");
const WRAPPED: Error = Error::new(
    ErrorKind::InvalidKey,
    "The SSH key continues in another line; it must be in one line, so join its lines or copy it again.",
);
const ESCAPED: Error = Error::new(
    ErrorKind::InvalidKey,
    "The SSH key has backslashes in it, such as a written-out \\n at its end; pass the line without them.",
);
const HARDWARE: Error = unsupported(
    "The SSH key is of a security key (FIDO), which signs nothing but SSH's own messages; make an Ed25519 key.",
);
const CERTIFICATE: Error = unsupported(
    "This is a certificate of SSH; pass the public key that it is for, the .pub file without -cert.",
);
const UNKNOWN: Error = unsupported(
    "The type of the SSH key is not ssh-rsa, ecdsa-sha2-nistp256, -384, -521 or ssh-ed25519.",
);

const fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::UnsupportedKey, message)
}
