//! `gk_oauth_client`: a registration at an authorization server. Each call makes an operation. The
//! calls that sign users in and out are in `login` and `logout`, those that get tokens without a
//! browser in `token_grant`.

use super::boundary::{create, given, release, share, text};
use super::error::gk_error;
use super::oauth_config::gk_oauth_config;
use super::oauth_tokens::gk_oauth_tokens;
use super::operation::{Ended, gk_operation};
use super::status::gk_status;
use super::token_grant::{gk_token_grant, granted};
use crate::{OAuthClient, Secret};
use libc::c_char;

/// One registration at one authorization server. Shared by reference count, safe to use from
/// several threads at once.
pub struct gk_oauth_client(pub(super) OAuthClient);

/// Makes a client.
///
/// @param config The configuration, which is copied.
/// @param client Receives the client, to be freed with gk_oauth_client_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if something is
/// missing, contradicts itself or is not https; gk_error_claim names the member where there is one.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_new(
    config: Option<&gk_oauth_config>,
    client: *mut *mut gk_oauth_client,
    err: *mut gk_error,
) -> gk_status {
    create(client, err, || {
        Ok(gk_oauth_client(OAuthClient::new(given(config, "config")?.built()?)?))
    })
}

/// Shares a client.
///
/// @param client The client; NULL is fine.
/// @return Another handle to the same client, to be freed with gk_oauth_client_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_client_clone(
    client: Option<&gk_oauth_client>,
) -> Option<Box<gk_oauth_client>> {
    share(|| Some(gk_oauth_client(client?.0.clone())))
}

/// Frees a handle to a client.
///
/// @param client The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_client_free(client: Option<Box<gk_oauth_client>>) {
    release(client);
}

/// Gets new tokens; keep them before they are used. A gk_token_manager does that once for all. The
/// operation ends with tokens: gk_operation_tokens, or as JSON `access_token`, `refresh_token`,
/// `expires_at`, `scopes`, `id_token`, `claims`, `subject` and `issuer`.
///
/// @param client The client.
/// @param tokens The tokens with the refresh token; copied.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_refresh(
    client: Option<&gk_oauth_client>,
    tokens: Option<&gk_oauth_tokens>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.refresh(&given(tokens, "tokens")?.0)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// As gk_oauth_client_refresh, with more to say.
///
/// @param client The client.
/// @param tokens The tokens with the refresh token; copied.
/// @param grant Scopes to ask for instead of all that were granted (RFC 6749 section 6), resources
/// instead of those of the tokens, parameters of the server's own; copied. NULL for nothing.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_refresh_with(
    client: Option<&gk_oauth_client>,
    tokens: Option<&gk_oauth_tokens>,
    grant: Option<&gk_token_grant>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.refresh_with(&given(tokens, "tokens")?.0, &granted(grant)?)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Asks what the server says about itself (RFC 8414 section 2). The operation ends with one JSON
/// object, for gk_json_parse, with the endpoints of the configuration in their places. Nothing of
/// it has been checked but the issuer.
///
/// @param client The client.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there is no client.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_metadata(
    client: Option<&gk_oauth_client>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        Ok(gk_operation::new(given(client, "client")?.0.metadata(), Ended::Json))
    })
}

/// Asks who the user is. If an ID token has said so before, it must be the same.
/// The operation ends with `issuer`, `subject`, `verified_email` and `claims`.
///
/// @param client The client.
/// @param tokens The tokens of the log-in; copied.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_userinfo(
    client: Option<&gk_oauth_client>,
    tokens: Option<&gk_oauth_tokens>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.userinfo(&given(tokens, "tokens")?.0);
        Ok(gk_operation::new(made, Ended::User))
    })
}

/// As gk_oauth_client_userinfo, by an access token alone. It is not known whom it should be about:
/// look at the subject.
///
/// @param client The client.
/// @param access_token The token.
/// @param access_token_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if something is missing.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_userinfo_by_token(
    client: Option<&gk_oauth_client>,
    access_token: *const c_char,
    access_token_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let token = secret(text(access_token, access_token_len, "access_token")?);
        Ok(gk_operation::new(client.userinfo_by_token(&token), Ended::User))
    })
}

/// Asks whether a token is good (RFC 7662).
/// The operation ends with `active`, `scopes`, `subject`, `client_id`, `expires_at` and `claims`.
///
/// @param client The client.
/// @param token The token.
/// @param token_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_introspect(
    client: Option<&gk_oauth_client>,
    token: *const c_char,
    token_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.introspect(&secret(text(token, token_len, "token")?));
        Ok(gk_operation::new(made, Ended::Told))
    })
}

/// As gk_oauth_client_introspect, with more to say.
///
/// @param client The client.
/// @param token The token.
/// @param token_len Its length in bytes.
/// @param grant `token_type_hint`, or parameters of the server's own; copied. NULL for nothing.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_introspect_with(
    client: Option<&gk_oauth_client>,
    token: *const c_char,
    token_len: usize,
    grant: Option<&gk_token_grant>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let token = secret(text(token, token_len, "token")?);
        Ok(gk_operation::new(client.introspect_with(&token, &granted(grant)?)?, Ended::Told))
    })
}

/// Ends a token at the server (RFC 7009).
/// The operation ends with nothing: an empty text.
///
/// @param client The client.
/// @param token The token.
/// @param token_len Its length in bytes.
/// @param is_refresh_token Which kind it is.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_revoke(
    client: Option<&gk_oauth_client>,
    token: *const c_char,
    token_len: usize,
    is_refresh_token: bool,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.revoke(&secret(text(token, token_len, "token")?), is_refresh_token);
        Ok(gk_operation::new(made, |()| Ended::Nothing))
    })
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}
