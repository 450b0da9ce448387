//! `gk_oauth_tokens`: what a token endpoint has given (RFC 6749 section 5.1).

use super::boundary::{chars, create, fill, given, lend, look, release, share, tell, text};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::status::gk_status;
use crate::Secret;
use crate::oauth::OAuthTokens;
use libc::c_char;

/// What a token endpoint has given. Immutable, safe to use from several threads at once; wiped when
/// it is freed.
pub struct gk_oauth_tokens(pub(super) OAuthTokens);

/// Reads tokens that were kept, or those that are known from elsewhere.
///
/// @param json What gk_oauth_tokens_to_json has given, or as much of it as is known: `issuer`, and
/// `refresh_token` or `access_token`; borrowed for the call.
/// @param json_len Its length in bytes.
/// @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_STORE_CORRUPT if these are no tokens.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_tokens_from_json(
    json: *const c_char,
    json_len: usize,
    tokens: *mut *mut gk_oauth_tokens,
    err: *mut gk_error,
) -> gk_status {
    create(tokens, err, || {
        Ok(gk_oauth_tokens(OAuthTokens::from_secret_json(chars(json, json_len, "json")?)?))
    })
}

/// Writes tokens down, to be kept in a safe place: who reads them is the user.
///
/// @param tokens The tokens.
/// @param json Receives the text, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_tokens_to_json(
    tokens: Option<&gk_oauth_tokens>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(tokens, "tokens")?.0.to_secret_json()))
}

/// Makes tokens of a refresh token that was got in another way, for example by another library: no
/// access token yet, so that the first use refreshes. gk_oauth_tokens_from_json says more of them.
///
/// @param issuer Who gave it: the issuer of the client that will use it; copied.
/// @param issuer_len Its length in bytes.
/// @param refresh_token The refresh token; copied, and wiped in the end.
/// @param refresh_token_len Its length in bytes.
/// @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if one of them is empty or cannot be sent;
/// gk_error_claim names it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_tokens_from_refresh_token(
    issuer: *const c_char,
    issuer_len: usize,
    refresh_token: *const c_char,
    refresh_token_len: usize,
    tokens: *mut *mut gk_oauth_tokens,
    err: *mut gk_error,
) -> gk_status {
    create(tokens, err, || {
        let issuer = text(issuer, issuer_len, "issuer")?;
        let token = text(refresh_token, refresh_token_len, "refresh_token")?;
        let token = Secret::from(token.to_owned());
        Ok(gk_oauth_tokens(OAuthTokens::from_refresh_token(issuer, token)?))
    })
}

/// Copies tokens.
///
/// @param tokens The tokens; NULL is fine.
/// @return Others that are the same, to be freed with gk_oauth_tokens_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_clone(
    tokens: Option<&gk_oauth_tokens>,
) -> Option<Box<gk_oauth_tokens>> {
    share(|| Some(gk_oauth_tokens(tokens?.0.clone())))
}

/// Wipes and frees tokens.
///
/// @param tokens The tokens, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_free(tokens: Option<Box<gk_oauth_tokens>>) {
    release(tokens);
}

/// Gives who gave the tokens: the issuer, or the token endpoint of a server without one.
///
/// @param tokens The tokens; NULL is fine.
/// @return The address, valid as long as `tokens`; {NULL, 0} if it is absent.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_issuer(tokens: Option<&gk_oauth_tokens>) -> gk_str {
    look(gk_str::NONE, || Some(lend(&tokens?.0.issuer)))
}

/// Gives what is sent to the API, as `Authorization: Bearer`.
///
/// @param tokens The tokens; NULL is fine.
/// @return The token, valid as long as `tokens`; {NULL, 0} if it is absent.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_access_token(tokens: Option<&gk_oauth_tokens>) -> gk_str {
    look(gk_str::NONE, || Some(lend(tokens?.0.access_token.expose_str())))
}

/// Gives what gets the next access token.
///
/// @param tokens The tokens; NULL is fine.
/// @return The token, valid as long as `tokens`; {NULL, 0} if it is absent.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_refresh_token(tokens: Option<&gk_oauth_tokens>) -> gk_str {
    look(gk_str::NONE, || tokens?.0.refresh_token.as_ref().map(Secret::expose_str).map(lend))
}

/// Gives who signed in, as a token (OpenID Connect Core section 2), which was verified.
///
/// @param tokens The tokens; NULL is fine.
/// @return The token, valid as long as `tokens`; {NULL, 0} if it is absent.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_id_token(tokens: Option<&gk_oauth_tokens>) -> gk_str {
    look(gk_str::NONE, || tokens?.0.id_token.as_ref().map(Secret::expose_str).map(lend))
}

/// Gives the ID token's claims, for gk_json_parse.
///
/// @param tokens The tokens; NULL is fine.
/// @return One JSON object, valid as long as `tokens`; {NULL, 0} if it is absent.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_claims_json(tokens: Option<&gk_oauth_tokens>) -> gk_str {
    look(gk_str::NONE, || tokens?.0.claims_json.as_deref().map(lend))
}

/// Gives the ID token's `sub`.
///
/// @param tokens The tokens; NULL is fine.
/// @return The subject, valid as long as `tokens`; {NULL, 0} if it is absent.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_subject(tokens: Option<&gk_oauth_tokens>) -> gk_str {
    look(gk_str::NONE, || tokens?.0.subject.as_deref().map(lend))
}

/// Gives the ID token's `email`, where the provider says that it is the user's and proven.
///
/// @param tokens The tokens; NULL is fine.
/// @return The address, valid as long as `tokens`; {NULL, 0} if it is absent.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_verified_email(tokens: Option<&gk_oauth_tokens>) -> gk_str {
    look(gk_str::NONE, || tokens?.0.verified_email.as_deref().map(lend))
}

/// Says how many APIs the access token was asked for (RFC 8707).
///
/// @param tokens The tokens; NULL is fine.
/// @return How many; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_resources_len(tokens: Option<&gk_oauth_tokens>) -> usize {
    look(0, || Some(tokens?.0.resources.len()))
}

/// Gives an API that the access token was asked for.
///
/// @param tokens The tokens; NULL is fine.
/// @param index From 0.
/// @return Its address, valid as long as `tokens`; {NULL, 0} if there are fewer.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_resource_at(
    tokens: Option<&gk_oauth_tokens>,
    index: usize,
) -> gk_str {
    look(gk_str::NONE, || tokens?.0.resources.get(index).map(|resource| lend(resource)))
}

/// Gives what kind of token an exchange has given (RFC 8693 section 2.2.1).
///
/// @param tokens The tokens; NULL is fine.
/// @return The type, valid as long as `tokens`; {NULL, 0} if it is absent.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_issued_token_type(tokens: Option<&gk_oauth_tokens>) -> gk_str {
    look(gk_str::NONE, || tokens?.0.issued_token_type.as_deref().map(lend))
}

/// Gives when the access token expires.
///
/// @param tokens The tokens; NULL is fine.
/// @param seconds Receives seconds since 1970-01-01T00:00:00Z; untouched if it is not known. NULL
/// is fine.
/// @return True if the server said so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_tokens_expires_at(
    tokens: Option<&gk_oauth_tokens>,
    seconds: *mut u64,
) -> bool {
    look(false, || {
        let end = tokens?.0.expires_at?;
        // SAFETY: as this function's own contract.
        unsafe { tell(seconds, end) };
        Some(true)
    })
}

/// Says how many scopes were granted.
///
/// @param tokens The tokens; NULL is fine.
/// @return How many; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_scopes_len(tokens: Option<&gk_oauth_tokens>) -> usize {
    look(0, || Some(tokens?.0.scopes.len()))
}

/// Gives a scope that was granted.
///
/// @param tokens The tokens; NULL is fine.
/// @param index From 0.
/// @return The scope, valid as long as `tokens`; {NULL, 0} if there are fewer.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_tokens_scope_at(
    tokens: Option<&gk_oauth_tokens>,
    index: usize,
) -> gk_str {
    look(gk_str::NONE, || tokens?.0.scopes.get(index).map(|scope| lend(scope)))
}
