//! The text of a key: `<prefix>_<env>_<id12>_<secret30><crc6>`, base62, read from the right because
//! a prefix may hold underscores.
//!
//! The checksum is CRC-32/ISO-HDLC of everything before it. It tells typos, cut lines and a
//! scanner's false hits from keys without a look at the store; against someone who computes it, the
//! index in memory helps. At most 128 bytes are read, nothing is allocated.

use crate::base::b62::{self, CRC, checksum, read_checksum};
use crate::base::random::SecureRandom;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::error::Result;
use zeroize::Zeroize;

/// The public part of a key: twelve letters and digits, 71 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KeyId([u8; ID]);

const ID: usize = 12;
const SECRET: usize = 30;
/// `_<id12>_<secret30><crc6>`.
const TAIL: usize = 1 + ID + 1 + SECRET + CRC;
/// The longest text that is looked at.
const LONGEST: usize = 128;

impl KeyId {
    /// The id in this text.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let id: [u8; ID] = text.as_bytes().try_into().ok()?;
        id.iter().all(u8::is_ascii_alphanumeric).then_some(Self(id))
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as bytes.
    #[inline]
    pub(crate) const fn as_bytes(&self) -> &[u8; ID] {
        &self.0
    }

    /// The id as a number below 2^96.
    #[inline]
    pub(crate) fn to_u128(self) -> u128 {
        let Self([a, b, c, d, e, f, g, h, i, j, k, l]) = self;
        u128::from_be_bytes([0, 0, 0, 0, a, b, c, d, e, f, g, h, i, j, k, l])
    }
}

/// A text that has the form of a key and the right checksum.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) env: &'a str,
    pub(crate) id: KeyId,
    /// Thirty letters and digits, 178 bits.
    pub(crate) secret: &'a [u8],
}

/// Where the id of a key's text would be, unchecked: a hint of what will be looked up.
#[inline]
pub(crate) fn peek_id(text: &[u8]) -> Option<KeyId> {
    let tail = text.get(text.len().checked_sub(TAIL)? + 1..)?;
    tail.first_chunk().copied().map(KeyId)
}

/// The parts of a key's text, if it is one.
#[inline]
pub(crate) fn parse(text: &[u8]) -> Option<Presented<'_>> {
    let Parts { head, id, secret, crc } = parts(text)?;
    let body = text.get(..text.len() - CRC)?;
    // The checksum before the alphabet: a typo costs one pass.
    if checksum(body) != read_checksum(crc)? || !all_base62(id) || !all_base62(secret) {
        return None;
    }
    let head = std::str::from_utf8(head).ok()?;
    let (prefix, env) = head.rsplit_once('_')?;
    let fits = is_prefix(prefix.as_bytes()) && is_env(env.as_bytes());
    fits.then_some(Presented { prefix, env, id: KeyId(*id), secret })
}

struct Parts<'a> {
    head: &'a [u8],
    id: &'a [u8; ID],
    secret: &'a [u8; SECRET],
    crc: &'a [u8],
}

/// The parts of a key's text, by their lengths and what is between them alone.
#[inline]
fn parts(text: &[u8]) -> Option<Parts<'_>> {
    if text.len() > LONGEST {
        return None;
    }
    let (head, tail) = text.split_at_checked(text.len().checked_sub(TAIL)?)?;
    let (b'_', tail) = tail.split_first()? else { return None };
    let (id, tail) = tail.split_first_chunk::<ID>()?;
    let (b'_', tail) = tail.split_first()? else { return None };
    let (secret, crc) = tail.split_first_chunk::<SECRET>()?;
    Some(Parts { head, id, secret, crc })
}

/// Whether the text has the form of a key, with a good checksum or not.
pub(crate) fn has_form(text: &[u8]) -> bool {
    let is_form = |Parts { head, id, secret, crc }: Parts<'_>| {
        let (prefix, env) = std::str::from_utf8(head).ok()?.rsplit_once('_')?;
        let letters = all_base62(id) && all_base62(secret) && all_base62(crc);
        Some(letters && is_prefix(prefix.as_bytes()) && is_env(env.as_bytes()))
    };
    parts(text).and_then(is_form).unwrap_or(false)
}

/// A new key: its id and its text.
pub(crate) fn generate(
    random: &dyn SecureRandom,
    prefix: &str,
    env: &str,
) -> Result<(KeyId, Secret)> {
    let id = KeyId(b62::random(random)?);
    Ok((id, reissue(random, prefix, env, id)?))
}

/// A new text for the id.
pub(crate) fn reissue(
    random: &dyn SecureRandom,
    prefix: &str,
    env: &str,
    id: KeyId,
) -> Result<Secret> {
    let mut secret = b62::random::<SECRET>(random)?;
    // All of it at once: a text that grows would leave copies behind.
    let mut text = Vec::with_capacity(prefix.len() + 1 + env.len() + TAIL);
    for part in [prefix.as_bytes(), b"_", env.as_bytes(), b"_", &id.0, b"_", &secret] {
        text.extend_from_slice(part);
    }
    secret.zeroize();
    text.extend_from_slice(&b62::write::<CRC>(checksum(&text).into()));
    Ok(Secret::new(text))
}

/// Refuses what is not a prefix: `[a-z][a-z0-9_]{0,19}`.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    if is_prefix(prefix.as_bytes()) {
        return Ok(());
    }
    Err(argument(
        "A prefix is a small letter, then at most 19 small letters, digits and underscores.",
    ))
}

/// Refuses what is not an environment: `[a-z]{2,8}`.
pub(crate) fn check_env(env: &str) -> Result<()> {
    if is_env(env.as_bytes()) {
        return Ok(());
    }
    Err(argument("An environment is 2 to 8 small letters, such as live or test."))
}

#[inline]
fn is_prefix(prefix: &[u8]) -> bool {
    let rest = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    prefix.len() <= 20
        && prefix.split_first().is_some_and(|(a, b)| a.is_ascii_lowercase() && b.iter().all(rest))
}

#[inline]
fn is_env(env: &[u8]) -> bool {
    (2..=8).contains(&env.len()) && env.iter().all(u8::is_ascii_lowercase)
}

/// Without a branch on the bytes, which are secret.
#[inline]
fn all_base62(text: &[u8]) -> bool {
    text.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric())
}
