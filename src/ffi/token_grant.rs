//! `gk_token_grant`, `gk_token_exchange`: tokens without a browser, and what they are asked for.

use super::boundary::{Outcome, chars, create, given, release, share, text, words};
use super::error::gk_error;
use super::oauth_client::gk_oauth_client;
use super::operation::{Ended, gk_operation};
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::Secret;
use crate::oauth::{TokenExchange, TokenGrant};
use libc::c_char;

/// What a token is asked for: scopes, the APIs that it is for, parameters of the server's own. The
/// setters keep the first thing that was wrong, which the call that uses it reports.
pub struct gk_token_grant(Sticky<TokenGrant>);

/// A token that is exchanged for another (RFC 8693 section 2.1). The setters keep the first thing
/// that was wrong, which gk_oauth_client_token_exchange reports.
pub struct gk_token_exchange(Sticky<TokenExchange>);

/// No scope in particular.
///
/// @return The grant, to be freed with gk_token_grant_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_grant_new() -> Option<Box<gk_token_grant>> {
    share(|| Some(gk_token_grant(Sticky::new(TokenGrant::new()))))
}

/// Frees a grant.
///
/// @param grant The grant, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_grant_free(grant: Option<Box<gk_token_grant>>) {
    release(grant);
}

/// Takes over the members of a grant in JSON: scopes override those that were set
/// before, resources and parameters come behind them.
///
/// What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
/// gk_error_claim names it.
///
/// @param grant The grant.
/// @param json One JSON object with any of `scopes`, `resources` and `parameters`; borrowed for the
/// call.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_grant_json(
    grant: Option<&mut gk_token_grant>,
    json: *const c_char,
    json_len: usize,
) {
    set(grant, |grant| Ok(grant.json(chars(json, json_len, "json")?)?));
}

/// The scopes to ask for.
///
/// @param grant The grant.
/// @param scopes The scopes, separated by spaces; copied.
/// @param scopes_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_grant_scopes(
    grant: Option<&mut gk_token_grant>,
    scopes: *const c_char,
    scopes_len: usize,
) {
    set(grant, |grant| Ok(grant.scopes(&words(text(scopes, scopes_len, "scopes")?))));
}

/// An API that the token is for (RFC 8707); several calls, several APIs.
///
/// @param grant The grant.
/// @param resource Its address; copied.
/// @param resource_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_grant_resource(
    grant: Option<&mut gk_token_grant>,
    resource: *const c_char,
    resource_len: usize,
) {
    set(grant, |grant| Ok(grant.resource(text(resource, resource_len, "resource")?)));
}

/// A parameter of the server's own, for example `audience` of Auth0.
///
/// @param grant The grant.
/// @param name Its name; copied.
/// @param name_len Its length in bytes.
/// @param value Its value; copied.
/// @param value_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_grant_parameter(
    grant: Option<&mut gk_token_grant>,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
) {
    set(grant, |grant| {
        let name = text(name, name_len, "name")?;
        Ok(grant.parameter(name, text(value, value_len, "value")?))
    });
}

/// Gives the grant; NULL asks for nothing in particular.
pub(super) fn granted(grant: Option<&gk_token_grant>) -> Outcome<TokenGrant> {
    Ok(grant.map(|grant| grant.0.built()).transpose()?.cloned().unwrap_or_default())
}

/// An exchange of nothing yet.
///
/// @return The exchange, to be freed with gk_token_exchange_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_exchange_new() -> Option<Box<gk_token_exchange>> {
    share(|| {
        Some(gk_token_exchange(Sticky::new(TokenExchange::new(
            secret(""),
            TokenExchange::ACCESS_TOKEN,
        ))))
    })
}

/// Frees an exchange.
///
/// @param exchange The exchange, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_exchange_free(exchange: Option<Box<gk_token_exchange>>) {
    release(exchange);
}

/// Takes over the members of an exchange in JSON: they override what was set before, and later
/// calls override them.
///
/// What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
/// gk_error_claim names it.
///
/// @param exchange The exchange.
/// @param json One JSON object with any of `subject_token`, `subject_token_type`, `actor_token`,
/// `actor_token_type`, `requested_token_type`, `audience`, `scopes`, `resources` and `parameters`;
/// borrowed for the call.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_exchange_json(
    exchange: Option<&mut gk_token_exchange>,
    json: *const c_char,
    json_len: usize,
) {
    set_exchange(exchange, |exchange| Ok(exchange.json(chars(json, json_len, "json")?)?));
}

/// On behalf of whom the new token is: it must be set.
///
/// @param exchange The exchange.
/// @param token The token; copied, and wiped in the end.
/// @param token_len Its length in bytes.
/// @param token_type Its type, for example `urn:ietf:params:oauth:token-type:jwt`; copied. NULL and
/// 0 for an access token.
/// @param token_type_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_exchange_subject(
    exchange: Option<&mut gk_token_exchange>,
    token: *const c_char,
    token_len: usize,
    token_type: *const c_char,
    token_type_len: usize,
) {
    set_exchange(exchange, |exchange| {
        let subject = secret(text(token, token_len, "token")?);
        Ok(exchange.subject(subject, kind(token_type, token_type_len)?))
    });
}

/// Who acts for them.
///
/// @param exchange The exchange.
/// @param token The token; copied, and wiped in the end.
/// @param token_len Its length in bytes.
/// @param token_type Its type, for example `urn:ietf:params:oauth:token-type:jwt`; copied. NULL and
/// 0 for an access token.
/// @param token_type_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_exchange_actor(
    exchange: Option<&mut gk_token_exchange>,
    token: *const c_char,
    token_len: usize,
    token_type: *const c_char,
    token_type_len: usize,
) {
    set_exchange(exchange, |exchange| {
        let actor = secret(text(token, token_len, "token")?);
        Ok(exchange.actor(actor, kind(token_type, token_type_len)?))
    });
}

/// The type of token that is wanted.
///
/// @param exchange The exchange.
/// @param token_type The type; copied.
/// @param token_type_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_exchange_requested_type(
    exchange: Option<&mut gk_token_exchange>,
    token_type: *const c_char,
    token_type_len: usize,
) {
    set_exchange(exchange, |exchange| {
        Ok(exchange.requested_type(text(token_type, token_type_len, "token_type")?))
    });
}

/// For whom the new token is.
///
/// @param exchange The exchange.
/// @param audience The audience; copied.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_exchange_audience(
    exchange: Option<&mut gk_token_exchange>,
    audience: *const c_char,
    audience_len: usize,
) {
    set_exchange(exchange, |exchange| {
        Ok(exchange.audience(text(audience, audience_len, "audience")?))
    });
}

/// Scopes, resources and further parameters.
///
/// @param exchange The exchange.
/// @param grant The grant, which is copied.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_exchange_grant(
    exchange: Option<&mut gk_token_exchange>,
    grant: Option<&gk_token_grant>,
) {
    set_exchange(
        exchange,
        |exchange| Ok(exchange.grant(given(grant, "grant")?.0.built()?.clone())),
    );
}

/// Gets a token for the client itself (RFC 6749 section 4.4). The operation ends with tokens:
/// gk_operation_tokens, or as JSON `access_token`, `refresh_token`, `expires_at`, `scopes`,
/// `id_token`, `claims`, `subject` and `issuer`.
///
/// @param client The client.
/// @param grant What is asked for; copied. NULL for nothing in particular.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_client_credentials(
    client: Option<&gk_oauth_client>,
    grant: Option<&gk_token_grant>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.client_credentials(&granted(grant)?)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Exchanges an assertion: a JWT of an issuer that the server trusts (RFC 7523). The operation ends
/// with tokens: gk_operation_tokens, or as JSON `access_token`, `refresh_token`, `expires_at`,
/// `scopes`, `id_token`, `claims`, `subject` and `issuer`.
///
/// @param client The client.
/// @param assertion The assertion.
/// @param assertion_len Its length in bytes.
/// @param grant What is asked for; copied. NULL for nothing in particular.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_jwt_bearer(
    client: Option<&gk_oauth_client>,
    assertion: *const c_char,
    assertion_len: usize,
    grant: Option<&gk_token_grant>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let assertion = secret(text(assertion, assertion_len, "assertion")?);
        let made = client.jwt_bearer(assertion, &granted(grant)?)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Exchanges one token for another (RFC 8693). The operation ends with tokens: gk_operation_tokens,
/// or as JSON `access_token`, `refresh_token`, `expires_at`, `scopes`, `id_token`, `claims`,
/// `subject` and `issuer`.
///
/// @param client The client.
/// @param exchange The exchange; copied.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_token_exchange(
    client: Option<&gk_oauth_client>,
    exchange: Option<&gk_token_exchange>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let exchange = given(exchange, "exchange")?.0.built()?;
        Ok(gk_operation::new(client.token_exchange(exchange)?, Ended::Tokens))
    })
}

/// Begins the flow for a device (RFC 8628): show the codes, then gk_oauth_client_poll. The
/// operation ends with `user_code`, `verification_uri`, `verification_uri_complete`, `expires_at`
/// and `interval`.
///
/// @param client The client.
/// @param grant What is asked for; copied. NULL for nothing in particular.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_device_codes(
    client: Option<&gk_oauth_client>,
    grant: Option<&gk_token_grant>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        Ok(gk_operation::new(client.device_codes(&granted(grant)?)?, Ended::Codes))
    })
}

/// Asks until the user has said yes or no, as often as the server wants it. The operation ends with
/// tokens: gk_operation_tokens, or as JSON `access_token`, `refresh_token`, `expires_at`, `scopes`,
/// `id_token`, `claims`, `subject` and `issuer`.
///
/// @param client The client.
/// @param codes The operation of gk_oauth_client_device_codes, which has ended; it may be freed
/// afterwards.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
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

/// As gk_oauth_client_poll, with more to say in each question.
///
/// @param client The client.
/// @param codes The operation of gk_oauth_client_device_codes, which has ended; it may be freed
/// afterwards.
/// @param grant Resources and parameters of the server's own; copied. NULL for nothing.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it has not ended with codes, or something is
/// not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_poll_with(
    client: Option<&gk_oauth_client>,
    codes: Option<&gk_operation>,
    grant: Option<&gk_token_grant>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let made = client.poll_with(given(codes, "codes")?.codes()?, &granted(grant)?)?;
        Ok(gk_operation::new(made, Ended::Tokens))
    })
}

/// Replaces what was set by what the change makes of it.
fn set(grant: Option<&mut gk_token_grant>, change: impl FnOnce(TokenGrant) -> Outcome<TokenGrant>) {
    sticky::set(grant.map(|grant| &mut grant.0), change);
}

fn set_exchange(
    exchange: Option<&mut gk_token_exchange>,
    change: impl FnOnce(TokenExchange) -> Outcome<TokenExchange>,
) {
    sticky::set(exchange.map(|exchange| &mut exchange.0), change);
}

/// The type of a token; an access token if nothing is said.
unsafe fn kind<'a>(token_type: *const c_char, token_type_len: usize) -> Outcome<&'a str> {
    Ok(match text(token_type, token_type_len, "token_type")? {
        "" => TokenExchange::ACCESS_TOKEN,
        named => named,
    })
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}
