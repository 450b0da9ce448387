//! `Skipped`: a member of a JWK Set that is not used, and why.
//!
//! A set remembers what it skipped: for a token that names such a key the error is that reason and
//! not that there is no such key, and a name that a skipped key shares with a usable one says
//! nothing about which of them was meant.

use super::mistaken;
use crate::base::json::{Kind, Value};
use crate::error::{Error, ErrorKind};
use zeroize::Zeroizing;

/// A member of a JWK Set that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    kid: Option<Box<str>>,
    reason: Error,
}

impl Skipped {
    pub(super) fn new(kid: Option<Box<str>>, reason: Error) -> Self {
        Self { kid, reason }
    }

    /// Its `kid`, where it has one that is a string of 1 to 256 bytes.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What reading this member alone fails with.
    #[must_use]
    pub const fn reason(&self) -> &Error {
        &self.reason
    }
}

/// The name of a key that cannot be used, and what a token is refused with that names it: made
/// beforehand, so that refusing allocates nothing.
#[derive(Clone)]
pub(super) struct Unusable {
    pub(super) kid: Box<str>,
    pub(super) refusal: Error,
    /// Whether a usable key of the same name cannot be told from this one.
    pub(super) is_rival: bool,
}

impl Unusable {
    pub(super) fn new(kid: &str, reason: &Error, is_rival: bool) -> Self {
        Self { kid: kid.into(), refusal: UNUSABLE.about_key(kid, reason), is_rival }
    }
}

/// What tells one member of a JWK Set from another: its name, and the members that make the key.
pub(super) struct Identity {
    pub(super) kid: Option<Box<str>>,
    numbers: [Option<Zeroizing<Vec<u8>>>; NUMBERS.len()],
    is_for_encryption: bool,
}

/// The members that make a key (RFC 7638 section 3.2, RFC 8037 section 2, RFC 9964 section 6).
const NUMBERS: [&str; 8] = ["kty", "crv", "e", "n", "x", "y", "k", "pub"];

impl Identity {
    pub(super) fn of(member: &Value<'_>) -> Self {
        let text = |name: &str| match member.kind() {
            Kind::Object => member.member(name).and_then(|value| value.as_str()),
            _ => None,
        };
        let kid = text("kid").filter(|kid| (1..=super::stated::MAX_KID).contains(&kid.len()));
        Self {
            kid: kid.map(|kid| kid.into_owned().into_boxed_str()),
            numbers: NUMBERS.map(|name| text(name).map(|text| plainly(name, &text))),
            is_for_encryption: text("use").is_some_and(|purpose| purpose == "enc"),
        }
    }

    /// Whether a token that names the usable key `other`, which goes by this `kid`, may as well
    /// mean this skipped one.
    pub(super) fn is_rival_of(&self, kid: &str, other: &Self) -> bool {
        !self.is_for_encryption && self.kid.as_deref() == Some(kid) && self.numbers != other.numbers
    }
}

/// A member that makes a key, the same for every spelling of the same key: other names for its
/// type, either alphabet of base64, padding, and zero octets before a number.
fn plainly(name: &str, text: &str) -> Zeroizing<Vec<u8>> {
    let plain = match (name, text) {
        ("kty", _) => text.strip_suffix("-HSM").unwrap_or(text),
        ("crv", "P-256K") => "secp256k1",
        ("crv", _) => text,
        _ => {
            if let Some(mut octets) = mistaken::decode_base64(text.as_bytes()) {
                let zeros = octets.iter().take_while(|octet| **octet == 0).count();
                octets.drain(..zeros);
                return octets;
            }
            text
        }
    };
    Zeroizing::new(plain.as_bytes().to_vec())
}

const UNUSABLE: Error = Error::new(
    ErrorKind::UnusableKey,
    "The key that the token names is in the set, but cannot be used.",
);
