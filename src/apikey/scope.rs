//! Scopes: tokens of RFC 6749 section 3.3, compared byte by byte. There are no wildcards; what a
//! service wants to mean by `orders:*` it grants.

use crate::base::text::{argument, is_scope};
use crate::error::Result;

/// The scopes of a key, ascending, each once.
///
/// # Errors
/// `InvalidArgument`: there are more than 64, or one is not a token of 1 to 128 bytes.
pub(crate) fn check_scopes(scopes: &[String]) -> Result<Vec<String>> {
    if scopes.len() > 64 {
        return Err(argument("A key has at most 64 scopes.").about_claim("scopes"));
    }
    if !scopes.iter().all(|scope| is_scope(scope, 128)) {
        return Err(argument(
            "A scope is 1 to 128 visible ASCII characters without space, quote and backslash; give several scopes as several, not \
             in one text.",
        )
        .about_claim("scopes"));
    }
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}
