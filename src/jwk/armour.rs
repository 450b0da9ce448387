//! The armour of PEM (RFC 7468): where its blocks are in a text, and what their base64 holds.
//!
//! Files of keys go through editors, environment variables, YAML and JSON. As RFC 7468 section 2
//! asks, text around the blocks and white space inside are ignored, wherever the lines break; and
//! so are the escapes that a JSON string or a shell leaves where line breaks were (`\n` as two
//! characters). Refused: a block without its end, two labels that differ, base64 that is not
//! canonical, and the header lines of RFC 1421.

use super::mistaken;
use super::pem::invalid;
use crate::base::secret::Secret;
use crate::error::{Error, Result};
use base64ct::{Base64, Encoding as _};
use memchr::memmem;
use zeroize::Zeroizing;

/// One block.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    /// What stands between the two lines of dashes.
    body: &'a [u8],
}

impl Block<'_> {
    /// What the base64 holds.
    pub(super) fn decode(&self) -> Result<Secret> {
        let base64 = without_breaks(self.body)
            .ok_or_else(|| mistaken::for_body(self.body).unwrap_or(MALFORMED))?;
        let mut out = Zeroizing::new(vec![0; base64.len() / 4 * 3]);
        let len = Base64::decode(&*base64, &mut out).map_err(|_| MALFORMED)?.len();
        out.truncate(len);
        Ok(Secret::new(std::mem::take(&mut *out)))
    }

    /// Whether header lines say that the block is encrypted in the way of RFC 1421, as OpenSSL once
    /// did.
    pub(super) fn is_encrypted_by_header(&self) -> bool {
        memmem::find(self.body, b"Proc-Type:").is_some()
            || memmem::find(self.body, b"DEK-Info:").is_some()
    }
}

/// The blocks of a text, at most [`MAX_BLOCKS`], and the texts before, between and after them.
pub(super) fn blocks(text: &[u8]) -> Result<(Vec<Block<'_>>, Vec<&[u8]>)> {
    let (mut blocks, mut around) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some((before, block, after)) = next_block(rest)? {
        if blocks.len() == MAX_BLOCKS {
            return Err(TOO_MANY);
        }
        blocks.push(block);
        around.push(before);
        rest = after;
    }
    around.push(rest);
    Ok((blocks, around))
}

/// Whether a block of PEM begins in the text.
pub(super) fn is_in(text: &[u8]) -> bool {
    memmem::find(text, BEGIN).is_some()
}

/// A block, with what stands before and after it.
type Found<'a> = (&'a [u8], Block<'a>, &'a [u8]);

/// The next block.
fn next_block(text: &[u8]) -> Result<Option<Found<'_>>> {
    let Some((before, text)) = split_at(text, BEGIN) else { return Ok(None) };
    let (label, text) = split_at(text, DASHES).ok_or(MALFORMED)?;
    let label = std::str::from_utf8(label).ok().filter(|label| is_label(label)).ok_or(MALFORMED)?;
    let (body, text) = split_at(text, END).ok_or(NO_END)?;
    if is_in(body) {
        return Err(NO_END);
    }
    let (end, after) = split_at(text, DASHES).ok_or(NO_END)?;
    if end != label.as_bytes() {
        return Err(OTHER_LABEL);
    }
    Ok(Some((before, Block { label, body }, after)))
}

/// What stands before the words, and what after them.
fn split_at<'a>(text: &'a [u8], words: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memmem::find(text, words)?;
    Some((text.get(..at)?, text.get(at + words.len()..)?))
}

fn is_label(label: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b' ' | b'.' | b'-' | b'_') || byte.is_ascii_alphanumeric();
    (1..=64).contains(&label.len()) && label.bytes().all(fits)
}

/// The base64 without white space, and without the escapes that stand for it; `None` if there is
/// anything else.
fn without_breaks(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut rest = body;
    while let [first, after @ ..] = rest {
        let (byte, after) = if *first == b'\\' { unescape(after)? } else { (*first, after) };
        match byte {
            _ if is_space(byte) => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => base64.push(byte),
            _ => return None,
        }
        rest = after;
    }
    Some(base64)
}

/// What an escape stands for, given what follows its first backslash. Texts that were escaped twice
/// have several.
fn unescape(after: &[u8]) -> Option<(u8, &[u8])> {
    let backslashes = after.iter().take_while(|&&byte| byte == b'\\').count();
    match after.get(backslashes..)? {
        [b'n' | b'r' | b't', rest @ ..] => Some((b' ', rest)),
        [b'u', b'0', b'0', high, low, rest @ ..] => {
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            let byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
            Some((byte, rest))
        }
        [byte, rest @ ..] if *byte == b'/' || is_space(*byte) => Some((*byte, rest)),
        _ => None,
    }
}

/// White space as RFC 7468 section 3 counts it.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0B | 0x0C | b'\r' | b' ')
}

/// More than a chain of certificates has.
const MAX_BLOCKS: usize = 32;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

pub(super) const MALFORMED: Error = invalid(
    "The PEM block holds something else than canonical base64 (RFC 7468); part of it was lost or changed, so \
     export the key again.",
);
const NO_END: Error = invalid(
    "The PEM block has no END line of its own; the text was cut off, so pass it whole or export the key again.",
);
const OTHER_LABEL: Error = invalid(
    "The BEGIN and END lines of the PEM block name different things; export the key again.",
);
const TOO_MANY: Error = invalid("The PEM text has more than 32 blocks; pass one key alone.");
