//! Other keys in the text around a key: a line of OpenSSH or a JWK beside PEM.
//!
//! A text stands for one key. What stands beside it in another form must be the same key: a program
//! that reads the text takes one of the two, and two programs may take different ones.

use super::material::Parts;
use super::{import, ssh};
use crate::base::json;
use crate::error::{Error, ErrorKind, Result};
use memchr::memmem;

/// Refuses a text around a key that holds another key, or one that cannot be read.
pub(super) fn check<'t>(around: impl IntoIterator<Item = &'t [u8]>, key: &Parts) -> Result<()> {
    for text in around {
        for other in ssh::lines_in(text).chain(jwks_in(text)) {
            if !other.is_ok_and(|other| other.is_same_key(key)) {
                return Err(ANOTHER);
            }
        }
    }
    Ok(())
}

/// The JWKs in a text: each from the brace before its `kty` to the one behind it.
fn jwks_in(text: &[u8]) -> impl Iterator<Item = Result<Parts>> {
    memmem::find_iter(text, br#""kty""#).map(|at| {
        let (before, after) = text.split_at(at);
        let start = before.iter().rposition(|byte| *byte == b'{').ok_or(ANOTHER)?;
        let end = after.iter().position(|byte| *byte == b'}').ok_or(ANOTHER)?;
        let value = json::parse(text.get(start..=at + end).unwrap_or_default())?;
        import::read(&value).map(|(parts, _)| parts)
    })
}

const ANOTHER: Error = Error::new(
    ErrorKind::KeyPairMismatch,
    "The text holds another key beside the one in PEM, as a line of SSH or a JWK; pass one key alone.",
);
