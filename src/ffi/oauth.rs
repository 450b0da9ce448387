//! `gk_oauth_client`: a registration at an authorization server. Each call makes an operation; results are JSON.

use super::boundary::{chars, create, fill, given, maybe, release, share, text};
use super::buf::gk_buf;
use super::error::gk_error;
use super::operation::{Ended, gk_operation};
use super::status::gk_status;
use crate::{
    ErrorKind, LoginOptions, OAuthClient, OAuthConfig, OAuthTokens, Secret, TokenExchange,
    TokenGrant,
};
use libc::c_char;

/// One registration at one authorization server. Shared by reference count, safe to use from several threads at once.
pub struct gk_oauth_client(pub(super) OAuthClient);

/// Makes a client.
///
/// @param config_json One JSON object, with the members of docs/oauth.md: `client_id`, and `issuer`, `preset` or endpoints.
/// @param config_json_len Its length in bytes.
/// @param client Receives the client, to be freed with gk_oauth_client_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if something is missing, contradicts itself or is not https;
/// gk_error_claim names the member where there is one.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_new(
    config_json: *const c_char,
    config_json_len: usize,
    client: *mut *mut gk_oauth_client,
    err: *mut gk_error,
) -> gk_status {
    create(client, err, || {
        let config = OAuthConfig::from_json(chars(config_json, config_json_len, "config_json")?)?;
        Ok(gk_oauth_client(OAuthClient::new(config)?))
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

/// Begins a log-in: send the browser to `url`, with every one of `set_cookies`.
/// The operation ends with `url` and `set_cookies`.
///
/// @param client The client.
/// @param options_json One JSON object with any of `scopes`, `return_to`, `prompt`, `login_hint`, `acr_values`, `max_age`, `resources` and `parameters`; NULL and 0 for none.
/// @param options_json_len Its length in bytes.
/// @param cookies The request's Cookie header; NULL and 0 for none.
/// @param cookies_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_begin(
    client: Option<&gk_oauth_client>,
    options_json: *const c_char,
    options_json_len: usize,
    cookies: *const c_char,
    cookies_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let options = match chars(options_json, options_json_len, "options_json")? {
            [] => LoginOptions::new(),
            json => LoginOptions::from_json(json)?,
        };
        let made = client.begin(&options, text(cookies, cookies_len, "cookies")?)?;
        Ok(gk_operation::new(made, Ended::Begun))
    })
}

/// Finishes a log-in. `state`, `iss` and errors are looked at before anything is asked of anybody.
/// The operation ends with `subject`, `claims`, `user`, `return_to`, `set_cookies` and `tokens`.
///
/// @param client The client.
/// @param callback The callback's address, its query, or the form that was posted.
/// @param callback_len Its length in bytes.
/// @param cookies The request's Cookie header.
/// @param cookies_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_STATE_MISMATCH, GK_STATUS_OAUTH_ISSUER_MISMATCH,
/// GK_STATUS_OAUTH_ACCESS_DENIED and others that the server names. Whatever it is, answer with the cookie of
/// gk_oauth_client_end_login.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_finish(
    client: Option<&gk_oauth_client>,
    callback: *const c_char,
    callback_len: usize,
    cookies: *const c_char,
    cookies_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let callback = text(callback, callback_len, "callback")?;
        let made = client.finish(callback, text(cookies, cookies_len, "cookies")?)?;
        Ok(gk_operation::new(made, Ended::Finished))
    })
}

/// Gives the Set-Cookie value that ends the log-in of a callback, whatever became of it.
///
/// @param client The client.
/// @param callback The callback.
/// @param callback_len Its length in bytes.
/// @param cookie Receives the value, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_STATE_MISMATCH if the callback names no log-in.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_end_login(
    client: Option<&gk_oauth_client>,
    callback: *const c_char,
    callback_len: usize,
    cookie: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(cookie, err, || {
        let callback = text(callback, callback_len, "callback")?;
        let ended = given(client, "client")?.0.end_login(callback);
        Ok(ended.ok_or(ErrorKind::OauthStateMismatch)?)
    })
}

/// Gets new tokens; keep them before they are used. A gk_token_manager does that once for all.
/// The operation ends with the tokens: `access_token`, `refresh_token`, `expires_at`, `scopes`, `id_token`, `claims`, `subject`, `issuer`.
///
/// @param client The client.
/// @param tokens_json Tokens as an operation has given them.
/// @param tokens_json_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_refresh(
    client: Option<&gk_oauth_client>,
    tokens_json: *const c_char,
    tokens_json_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let tokens =
            OAuthTokens::from_secret_json(chars(tokens_json, tokens_json_len, "tokens_json")?)?;
        let made = client.refresh(&tokens)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Gets a token for the client itself (RFC 6749 section 4.4).
/// The operation ends with the tokens: `access_token`, `refresh_token`, `expires_at`, `scopes`, `id_token`, `claims`, `subject`, `issuer`.
///
/// @param client The client.
/// @param grant_json One JSON object with any of `scopes`, `resources` and `parameters`; NULL and 0 for none.
/// @param grant_json_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_client_credentials(
    client: Option<&gk_oauth_client>,
    grant_json: *const c_char,
    grant_json_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.client_credentials(&grant(grant_json, grant_json_len)?)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Exchanges an assertion that someone whom the server trusts has signed (RFC 7523).
/// The operation ends with the tokens: `access_token`, `refresh_token`, `expires_at`, `scopes`, `id_token`, `claims`, `subject`, `issuer`.
///
/// @param client The client.
/// @param assertion The assertion.
/// @param assertion_len Its length in bytes.
/// @param grant_json One JSON object with any of `scopes`, `resources` and `parameters`; NULL and 0 for none.
/// @param grant_json_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_jwt_bearer(
    client: Option<&gk_oauth_client>,
    assertion: *const c_char,
    assertion_len: usize,
    grant_json: *const c_char,
    grant_json_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let assertion = secret(text(assertion, assertion_len, "assertion")?);
        let made = client.jwt_bearer(assertion, &grant(grant_json, grant_json_len)?)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Exchanges one token for another (RFC 8693).
/// The operation ends with the tokens: `access_token`, `refresh_token`, `expires_at`, `scopes`, `id_token`, `claims`, `subject`, `issuer`.
///
/// @param client The client.
/// @param exchange_json One JSON object with `subject_token`, `subject_token_type` and any of `actor_token`, `actor_token_type`, `requested_token_type`, `audience`, `scopes`, `resources` and `parameters`.
/// @param exchange_json_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_token_exchange(
    client: Option<&gk_oauth_client>,
    exchange_json: *const c_char,
    exchange_json_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let json = chars(exchange_json, exchange_json_len, "exchange_json")?;
        let made = client.token_exchange(&TokenExchange::from_json(json)?)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Begins the flow for a device (RFC 8628): show the codes, then gk_oauth_client_poll.
/// The operation ends with `user_code`, `verification_uri`, `verification_uri_complete`, `expires_at` and `interval`.
///
/// @param client The client.
/// @param grant_json One JSON object with any of `scopes`, `resources` and `parameters`; NULL and 0 for none.
/// @param grant_json_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_device_codes(
    client: Option<&gk_oauth_client>,
    grant_json: *const c_char,
    grant_json_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.device_codes(&grant(grant_json, grant_json_len)?)?;
        Ok(gk_operation::new(made, Ended::Codes))
    })
}

/// Asks until the user has said yes or no, as often as the server wants it.
/// The operation ends with the tokens: `access_token`, `refresh_token`, `expires_at`, `scopes`, `id_token`, `claims`, `subject`, `issuer`.
///
/// @param client The client.
/// @param codes The operation of gk_oauth_client_device_codes, which has ended; it may be freed afterwards.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it has not ended with codes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_poll(
    client: Option<&gk_oauth_client>,
    codes: Option<&gk_operation>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.poll(given(codes, "codes")?.codes()?);
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Asks who the user is. If an ID token has said so before, it must be the same.
/// The operation ends with `subject`, `verified_email` and `claims`.
///
/// @param client The client.
/// @param tokens_json Tokens as an operation has given them.
/// @param tokens_json_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_userinfo(
    client: Option<&gk_oauth_client>,
    tokens_json: *const c_char,
    tokens_json_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let tokens =
            OAuthTokens::from_secret_json(chars(tokens_json, tokens_json_len, "tokens_json")?)?;
        let made = client.userinfo(&tokens);
        Ok(gk_operation::new(made, Ended::User))
    })
}

/// Asks whether a token is good (RFC 7662).
/// The operation ends with `active`, `scopes`, `subject`, `client_id`, `expires_at` and `claims`.
///
/// @param client The client.
/// @param token The token.
/// @param token_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
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

/// Ends a token at the server (RFC 7009).
/// The operation ends with nothing: an empty text.
///
/// @param client The client.
/// @param token The token.
/// @param token_len Its length in bytes.
/// @param is_refresh_token Which kind it is.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
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

/// Says where to send the browser so that the user is signed out at the server too.
/// The operation ends with the address itself, not as JSON.
///
/// @param client The client.
/// @param id_token The ID token; NULL and 0 for none.
/// @param id_token_len Its length in bytes.
/// @param redirect_uri Where to come back to; NULL and 0 for nowhere.
/// @param redirect_uri_len Its length in bytes.
/// @param state What to come back with; NULL and 0 for nothing.
/// @param state_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_logout_url(
    client: Option<&gk_oauth_client>,
    id_token: *const c_char,
    id_token_len: usize,
    redirect_uri: *const c_char,
    redirect_uri_len: usize,
    state: *const c_char,
    state_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let id_token = maybe(id_token, id_token_len, "id_token")?.map(Secret::from);
        let uri = maybe(redirect_uri, redirect_uri_len, "redirect_uri")?;
        let state = maybe(state, state_len, "state")?;
        let made = client.logout_url(id_token.as_ref(), uri.as_deref(), state.as_deref())?;
        Ok(gk_operation::new(made, Ended::Text))
    })
}

/// Verifies the `logout_token` that the server posts when a session ends (Back-Channel Logout 1.0).
/// The operation ends with `subject`, `session_id`, `token_id` and `expires_at`.
///
/// @param client The client.
/// @param logout_token The token.
/// @param logout_token_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something is not acceptable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_logout_notice(
    client: Option<&gk_oauth_client>,
    logout_token: *const c_char,
    logout_token_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.logout_notice(text(logout_token, logout_token_len, "logout_token")?);
        Ok(gk_operation::new(made, Ended::Notice))
    })
}

/// A grant, or the one that asks for nothing in particular.
unsafe fn grant(json: *const c_char, len: usize) -> super::boundary::Outcome<TokenGrant> {
    Ok(match chars(json, len, "grant_json")? {
        [] => TokenGrant::new(),
        json => TokenGrant::from_json(json)?,
    })
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}
