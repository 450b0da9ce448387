//! `gk_logout_options`: the end of a session at the authorization server, asked for and told.

use super::boundary::{Outcome, create, given, release, share, text};
use super::error::gk_error;
use super::oauth_client::gk_oauth_client;
use super::operation::{Ended, gk_operation};
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::Secret;
use libc::c_char;

/// Whom to sign out, and where to go then. The setters keep the first thing that was wrong, which
/// gk_oauth_client_logout_url reports.
#[derive(Default)]
pub struct gk_logout_options(Sticky<Leaving>);

#[derive(Default)]
struct Leaving {
    id_token: Option<Secret>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// Who it is, the server finds out; it stays there.
///
/// @return The options, to be freed with gk_logout_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_logout_options_new() -> Option<Box<gk_logout_options>> {
    share(|| Some(gk_logout_options(Sticky::default())))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_logout_options_free(options: Option<Box<gk_logout_options>>) {
    release(options);
}

/// Whom to sign out (`id_token_hint`).
///
/// @param options The options.
/// @param id_token The ID token of the log-in; copied, and wiped in the end.
/// @param id_token_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_logout_options_id_token(
    options: Option<&mut gk_logout_options>,
    id_token: *const c_char,
    id_token_len: usize,
) {
    set(options, |options| {
        options.id_token = Some(Secret::from(text(id_token, id_token_len, "id_token")?.to_owned()));
        Ok(())
    });
}

/// Where to come back to.
///
/// @param options The options.
/// @param uri An address that is registered at the server; copied.
/// @param uri_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_logout_options_post_logout_redirect_uri(
    options: Option<&mut gk_logout_options>,
    uri: *const c_char,
    uri_len: usize,
) {
    set(options, |options| {
        options.post_logout_redirect_uri = Some(text(uri, uri_len, "uri")?.to_owned());
        Ok(())
    });
}

/// What to come back with.
///
/// @param options The options.
/// @param state What to come back with; copied.
/// @param state_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_logout_options_state(
    options: Option<&mut gk_logout_options>,
    state: *const c_char,
    state_len: usize,
) {
    set(options, |options| {
        options.state = Some(text(state, state_len, "state")?.to_owned());
        Ok(())
    });
}

/// Says where to send the browser so that the user is signed out at the server too (RP-Initiated
/// Logout 1.0 section 2). The operation ends with the address itself: gk_operation_result gives it
/// as it is, gk_operation_json as a text.
///
/// @param client The client.
/// @param options Whom to sign out, and where to go then; copied. NULL if nothing of it is known.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable; gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_oauth_client_logout_url(
    client: Option<&gk_oauth_client>,
    options: Option<&gk_logout_options>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let client = &given(client, "client")?.0;
        let unknown = Leaving::default();
        let leaving = options.map_or(Ok(&unknown), |options| options.0.built())?;
        let made = client.logout_url(
            leaving.id_token.as_ref(),
            leaving.post_logout_redirect_uri.as_deref(),
            leaving.state.as_deref(),
        )?;
        Ok(gk_operation::new(made, Ended::Text))
    })
}

/// Verifies the `logout_token` that the server posts when a session ends (Back-Channel Logout 1.0).
/// It is of the type `logout+jwt`, `JWT` or none, names a subject, a session or both, and is at
/// most two minutes old; see that its `token_id` has not been seen. The operation ends with
/// `subject`, `session_id`, `token_id` and `expires_at`.
///
/// @param client The client.
/// @param logout_token The token.
/// @param logout_token_len Its length in bytes.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
/// is not acceptable.
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

/// Changes what was set.
fn set(options: Option<&mut gk_logout_options>, change: impl FnOnce(&mut Leaving) -> Outcome<()>) {
    sticky::set_in(options.map(|options| &mut options.0), change);
}
