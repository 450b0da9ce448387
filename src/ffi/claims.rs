//! `gk_claims`: what a token is to say, built member by member, so that no C program has to write
//! JSON.

use super::boundary::{Outcome, chars, create, fill, given, release, share, text};
use super::buf::gk_buf;
use super::error::gk_error;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::Claims;
use libc::c_char;

/// Claims to sign (RFC 7519 section 4). A member that is set twice keeps the later value.
pub struct gk_claims(pub(super) Sticky<Claims>);

/// No claims yet.
///
/// @return The claims, to be freed with gk_claims_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_claims_new() -> Option<Box<gk_claims>> {
    share(|| Some(gk_claims(Sticky::new(Claims::new()))))
}

/// Takes the claims of a JSON object; values keep their exact text.
///
/// @param json One JSON object; copied.
/// @param json_len Its length in bytes.
/// @param claims Receives the claims, to be freed with gk_claims_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the text is not acceptable JSON, or a
/// registered claim has the wrong type.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_claims_from_json(
    json: *const c_char,
    json_len: usize,
    claims: *mut *mut gk_claims,
    err: *mut gk_error,
) -> gk_status {
    create(claims, err, || {
        Ok(gk_claims(Sticky::new(Claims::from_json(chars(json, json_len, "json")?)?)))
    })
}

/// Copies claims.
///
/// @param claims The claims; NULL is fine.
/// @return A copy, to be freed with gk_claims_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_claims_clone(claims: Option<&gk_claims>) -> Option<Box<gk_claims>> {
    share(|| Some(gk_claims(claims?.0.clone())))
}

/// Frees claims.
///
/// @param claims The claims, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_claims_free(claims: Option<Box<gk_claims>>) {
    release(claims);
}

/// Sets `iss`: who issues the token (RFC 7519 section 4.1.1).
///
/// @param claims The claims.
/// @param issuer The issuer, UTF-8; copied.
/// @param issuer_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_issuer(
    claims: Option<&mut gk_claims>,
    issuer: *const c_char,
    issuer_len: usize,
) {
    set(claims, |claims| Ok(claims.issuer(text(issuer, issuer_len, "issuer")?)));
}

/// Sets `sub`: whom the token is about (RFC 7519 section 4.1.2).
///
/// @param claims The claims.
/// @param subject The subject, UTF-8; copied.
/// @param subject_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_subject(
    claims: Option<&mut gk_claims>,
    subject: *const c_char,
    subject_len: usize,
) {
    set(claims, |claims| Ok(claims.subject(text(subject, subject_len, "subject")?)));
}

/// Adds to `aud`: for whom the token is; several calls make a list (RFC 7519 section 4.1.3).
///
/// @param claims The claims.
/// @param audience The audience, UTF-8; copied.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_audience(
    claims: Option<&mut gk_claims>,
    audience: *const c_char,
    audience_len: usize,
) {
    set(claims, |claims| Ok(claims.audience(text(audience, audience_len, "audience")?)));
}

/// Sets `jti`: the token's own identifier (RFC 7519 section 4.1.7). A signer makes a random one
/// otherwise.
///
/// @param claims The claims.
/// @param id The identifier, UTF-8; copied.
/// @param id_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_token_id(
    claims: Option<&mut gk_claims>,
    id: *const c_char,
    id_len: usize,
) {
    set(claims, |claims| Ok(claims.token_id(text(id, id_len, "id")?)));
}

/// Sets `exp`: when the token expires (RFC 7519 section 4.1.4).
///
/// @param claims The claims.
/// @param seconds Seconds since 1970-01-01T00:00:00Z.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_expires_at(claims: Option<&mut gk_claims>, seconds: i64) {
    set(claims, |claims| Ok(claims.expires_at(seconds)));
}

/// Sets `nbf`: from when on it is valid (RFC 7519 section 4.1.5).
///
/// @param claims The claims.
/// @param seconds Seconds since 1970-01-01T00:00:00Z.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_not_before(claims: Option<&mut gk_claims>, seconds: i64) {
    set(claims, |claims| Ok(claims.not_before(seconds)));
}

/// Sets `iat`: when it was issued (RFC 7519 section 4.1.6).
///
/// @param claims The claims.
/// @param seconds Seconds since 1970-01-01T00:00:00Z.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_issued_at(claims: Option<&mut gk_claims>, seconds: i64) {
    set(claims, |claims| Ok(claims.issued_at(seconds)));
}

/// Sets a string claim of any name.
///
/// @param claims The claims.
/// @param name The claim's name, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param value The value, UTF-8; copied.
/// @param value_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_claim_str(
    claims: Option<&mut gk_claims>,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
) {
    set(claims, |claims| {
        Ok(claims.claim_str(text(name, name_len, "name")?, text(value, value_len, "value")?))
    });
}

/// Sets an integer claim of any name.
///
/// @param claims The claims.
/// @param name The claim's name, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param value The value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_claim_i64(
    claims: Option<&mut gk_claims>,
    name: *const c_char,
    name_len: usize,
    value: i64,
) {
    set(claims, |claims| Ok(claims.claim_i64(text(name, name_len, "name")?, value)));
}

/// Sets a boolean claim of any name.
///
/// @param claims The claims.
/// @param name The claim's name, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param value The value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_claim_bool(
    claims: Option<&mut gk_claims>,
    name: *const c_char,
    name_len: usize,
    value: bool,
) {
    set(claims, |claims| Ok(claims.claim_bool(text(name, name_len, "name")?, value)));
}

/// Sets a claim of any name and kind.
///
/// GK_STATUS_INVALID_ARGUMENT if the text is not acceptable JSON.
///
/// @param claims The claims.
/// @param name The claim's name, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param json The value as JSON text, kept exactly; copied.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_claims_claim_json(
    claims: Option<&mut gk_claims>,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
) {
    set(claims, |claims| {
        Ok(claims.claim_json(text(name, name_len, "name")?, text(json, json_len, "json")?)?)
    });
}

/// The claims as one JSON object.
///
/// @param claims The claims.
/// @param json Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_claims_to_json(
    claims: Option<&gk_claims>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(claims, "claims")?.0.built()?.to_json()))
}

/// Replaces what was set by what the change makes of it.
fn set(claims: Option<&mut gk_claims>, change: impl FnOnce(Claims) -> Outcome<Claims>) {
    sticky::set(claims.map(|claims| &mut claims.0), change);
}
