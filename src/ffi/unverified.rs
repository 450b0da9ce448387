//! `gk_unverified`: a look at a token that was not verified, for logs, tools and tests.

use super::boundary::{chars, create, lend, look, release};
use super::buf::gk_str;
use super::error::gk_error;
use super::status::gk_status;
use crate::jwt::{Unverified, danger_decode_unverified};
use libc::c_char;

/// The header and the claims of a token that was NOT verified: anyone may have written them.
pub struct gk_unverified(Unverified);

/// DANGER: decodes a token without verifying anything but its form. The result proves nothing;
/// never authenticate, authorize or pick a key by it.
///
/// @param token A JWS compact serialization, at most 1 MiB; borrowed for the call.
/// @param token_len Its length in bytes.
/// @param unverified Receives header and claims, to be freed with gk_unverified_free; NULL if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MALFORMED_TOKEN; GK_STATUS_TOKEN_TOO_LARGE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_danger_decode_unverified(
    token: *const c_char,
    token_len: usize,
    unverified: *mut *mut gk_unverified,
    err: *mut gk_error,
) -> gk_status {
    create(unverified, err, || {
        Ok(gk_unverified(danger_decode_unverified(chars(token, token_len, "token")?)?))
    })
}

/// The header as anyone may have written it: the text of one JSON object.
///
/// @param unverified The token's parts.
/// @return Text lent by the handle; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_unverified_header_json(unverified: Option<&gk_unverified>) -> gk_str {
    look(gk_str::NONE, || Some(lend(unverified?.0.header_json())))
}

/// The claims as anyone may have written them: the text of one JSON object.
///
/// @param unverified The token's parts.
/// @return Text lent by the handle; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_unverified_claims_json(unverified: Option<&gk_unverified>) -> gk_str {
    look(gk_str::NONE, || Some(lend(unverified?.0.claims_json())))
}

/// Frees a token's parts, and all text they have lent.
///
/// @param unverified The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_unverified_free(unverified: Option<Box<gk_unverified>>) {
    release(unverified);
}
