//! `gk_login_options`: a log-in of a user, from its beginning to its end.

use super::boundary::{Outcome, chars, create, fill, given, release, share, text, words};
use super::buf::gk_buf;
use super::error::gk_error;
use super::oauth_client::gk_oauth_client;
use super::operation::{Ended, gk_operation};
use super::status::gk_status;
use super::sticky::{self, Sticky};
use super::token_grant::{gk_token_grant, granted};
use crate::ErrorKind;
use crate::oauth::LoginOptions;
use libc::c_char;

/// What one log-in asks for. The setters keep the first thing that was wrong, which
/// gk_oauth_client_begin reports.
pub struct gk_login_options(Sticky<LoginOptions>);

/// The configuration's scopes, and back to `/`.
///
/// @return The options, to be freed with gk_login_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_login_options_new() -> Option<Box<gk_login_options>> {
    share(|| Some(gk_login_options(Sticky::new(LoginOptions::new()))))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_login_options_free(options: Option<Box<gk_login_options>>) {
    release(options);
}

/// Takes over the members of options in JSON: they override what was set before, and later calls
/// override them.
///
/// What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
/// gk_error_claim names it.
///
/// @param options The options.
/// @param json One JSON object with any of `scopes`, `return_to`, `prompt`, `login_hint`,
/// `acr_values`, `max_age`, `resources` and `parameters`; borrowed for the call.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_login_options_json(
    options: Option<&mut gk_login_options>,
    json: *const c_char,
    json_len: usize,
) {
    set(options, |options| Ok(options.json(chars(json, json_len, "json")?)?));
}

/// The scopes to ask for, instead of the configuration's.
///
/// @param options The options.
/// @param scopes The scopes, separated by spaces; copied.
/// @param scopes_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_login_options_scopes(
    options: Option<&mut gk_login_options>,
    scopes: *const c_char,
    scopes_len: usize,
) {
    set(options, |options| Ok(options.scopes(&words(text(scopes, scopes_len, "scopes")?))));
}

/// The page of this site to go to afterwards.
///
/// @param options The options.
/// @param path A path of at most 2048 bytes; copied. What could lead elsewhere becomes `/`.
/// @param path_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_login_options_return_to(
    options: Option<&mut gk_login_options>,
    path: *const c_char,
    path_len: usize,
) {
    set(options, |options| Ok(options.return_to(text(path, path_len, "path")?)));
}

/// What the server asks the user for (OpenID Connect Core section 3.1.2.1).
///
/// @param options The options.
/// @param prompt `none`, `login`, `consent` or `select_account`; copied.
/// @param prompt_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_login_options_prompt(
    options: Option<&mut gk_login_options>,
    prompt: *const c_char,
    prompt_len: usize,
) {
    set(options, |options| Ok(options.prompt(text(prompt, prompt_len, "prompt")?)));
}

/// Who is probably going to sign in.
///
/// @param options The options.
/// @param hint For example an e-mail address; copied.
/// @param hint_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_login_options_login_hint(
    options: Option<&mut gk_login_options>,
    hint: *const c_char,
    hint_len: usize,
) {
    set(options, |options| Ok(options.login_hint(text(hint, hint_len, "hint")?)));
}

/// How strongly the user is to sign in.
///
/// @param options The options.
/// @param values The best first, separated by spaces; copied.
/// @param values_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_login_options_acr_values(
    options: Option<&mut gk_login_options>,
    values: *const c_char,
    values_len: usize,
) {
    set(options, |options| Ok(options.acr_values(text(values, values_len, "values")?)));
}

/// The user must have signed in within this many seconds; the ID token must prove it.
///
/// @param options The options.
/// @param seconds How many.
#[unsafe(no_mangle)]
pub extern "C" fn gk_login_options_max_age(options: Option<&mut gk_login_options>, seconds: u64) {
    set(options, |options| Ok(options.max_age(seconds)));
}

/// An API that the access token is for (RFC 8707); several calls, several APIs.
///
/// @param options The options.
/// @param resource Its address; copied.
/// @param resource_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_login_options_resource(
    options: Option<&mut gk_login_options>,
    resource: *const c_char,
    resource_len: usize,
) {
    set(options, |options| Ok(options.resource(text(resource, resource_len, "resource")?)));
}

/// A parameter of the server's own, instead of the preset's of that name; none of those that
/// protect the log-in.
///
/// @param options The options.
/// @param name Its name; copied.
/// @param name_len Its length in bytes.
/// @param value Its value; copied.
/// @param value_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_login_options_parameter(
    options: Option<&mut gk_login_options>,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
) {
    set(options, |options| {
        let name = text(name, name_len, "name")?;
        Ok(options.parameter(name, text(value, value_len, "value")?))
    });
}

/// What came back with the browser, as it came: none of it is trusted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_login_callback {
    /// The callback's address, its query, or the form that was posted.
    pub query: *const c_char,
    /// Its length in bytes.
    pub query_len: usize,
    /// The request's Cookie header; NULL and 0 for none.
    pub cookies: *const c_char,
    /// Its length in bytes.
    pub cookies_len: usize,
}

/// Begins a log-in: send the browser to `url`, with every one of `set_cookies`.
/// The operation ends with `url` and `set_cookies`.
///
/// @param client The client.
/// @param options What it asks for; copied. NULL for the usual.
/// @param cookies The request's Cookie header; NULL and 0 for none.
/// @param cookies_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_begin(
    client: Option<&gk_oauth_client>,
    options: Option<&gk_login_options>,
    cookies: *const c_char,
    cookies_len: usize,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let usual = LoginOptions::new();
        let options = options.map_or(Ok(&usual), |options| options.0.built())?;
        let made = client.begin(options, text(cookies, cookies_len, "cookies")?)?;
        Ok(gk_operation::new(made, Ended::Begun))
    })
}

/// Finishes a log-in. `state`, `iss` and errors are looked at before anything is asked of another
/// server. The operation ends with `issuer`, `subject`, `verified_email`, `claims`, `user`,
/// `return_to`, `set_cookies` and `tokens`, which gk_operation_tokens gives.
///
/// @param client The client.
/// @param callback What came back with the browser; borrowed for the call.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_STATE_MISMATCH, GK_STATUS_OAUTH_ISSUER_MISMATCH,
/// GK_STATUS_OAUTH_ACCESS_DENIED and others that the server names. Whatever it is, answer with the
/// cookie of gk_oauth_client_end_login.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_finish(
    client: Option<&gk_oauth_client>,
    callback: Option<&gk_login_callback>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let callback = given(callback, "callback")?;
        let query = text(callback.query, callback.query_len, "query")?;
        let cookies = text(callback.cookies, callback.cookies_len, "cookies")?;
        Ok(gk_operation::new(client.finish(query, cookies)?, Ended::Finished))
    })
}

/// As gk_oauth_client_finish, with more to say in the request for the tokens.
///
/// @param client The client.
/// @param callback What came back with the browser; borrowed for the call.
/// @param grant Resources out of those that gk_oauth_client_begin asked for, scopes, parameters of
/// the server's own; copied. NULL for nothing.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_oauth_client_finish; GK_STATUS_INVALID_ARGUMENT if something is not acceptable;
/// gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_finish_with(
    client: Option<&gk_oauth_client>,
    callback: Option<&gk_login_callback>,
    grant: Option<&gk_token_grant>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let callback = given(callback, "callback")?;
        let query = text(callback.query, callback.query_len, "query")?;
        let cookies = text(callback.cookies, callback.cookies_len, "cookies")?;
        let made = client.finish_with(query, cookies, &granted(grant)?)?;
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

/// Replaces what was set by what the change makes of it.
fn set(
    options: Option<&mut gk_login_options>,
    change: impl FnOnce(LoginOptions) -> Outcome<LoginOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), change);
}
