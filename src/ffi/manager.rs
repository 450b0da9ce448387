//! `gk_token_manager`: the tokens of other servers, kept and refreshed once for everybody.

use super::boundary::{chars, create, fill, given, guard, release, share, slice, text};
use super::buf::gk_buf;
use super::error::gk_error;
use super::http::gk_http;
use super::oauth::gk_oauth_client;
use super::status::gk_status;
use crate::{
    MemoryTokenStore, OAuthTokens, Peppers, Secret, TokenFolder, TokenGrant, TokenManager,
    TokenStore,
};
use libc::c_char;
use std::sync::Arc;

/// The tokens of other servers under names of the program's own: one refresh for all threads and, in a folder, for all
/// processes. Shared by reference count, safe to use from several threads at once and to go on with after a fork.
pub struct gk_token_manager(TokenManager);

/// Makes a manager.
///
/// @param client Whose tokens they are; shared.
/// @param http What carries the requests; shared.
/// @param folder Where they are kept (mode 0700, files 0600), made if it is not there; NULL and 0 for memory.
/// @param folder_len Its length in bytes.
/// @param grant_json What a name gets under which there is no token: a grant for the client itself, as for gk_oauth_client_client_credentials; NULL and 0 for nothing.
/// @param grant_json_len Its length in bytes.
/// @param seal At least 16 bytes that the files are sealed with (AES-256-GCM); NULL and 0 to leave them open.
/// @param seal_len How many bytes.
/// @param manager Receives the manager, to be freed with gk_token_manager_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if others may read the folder; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_new(
    client: Option<&gk_oauth_client>,
    http: Option<&gk_http>,
    folder: *const c_char,
    folder_len: usize,
    grant_json: *const c_char,
    grant_json_len: usize,
    seal: *const u8,
    seal_len: usize,
    manager: *mut *mut gk_token_manager,
    err: *mut gk_error,
) -> gk_status {
    create(manager, err, || {
        let client = given(client, "client")?.0.clone();
        let transport = Arc::clone(&given(http, "http")?.0);
        let store: Arc<dyn TokenStore> = match text(folder, folder_len, "folder")? {
            "" => Arc::new(MemoryTokenStore::new()),
            folder => Arc::new(TokenFolder::open(folder)?),
        };
        let mut own = TokenManager::new(client, store, transport);
        let grant = chars(grant_json, grant_json_len, "grant_json")?;
        if !grant.is_empty() {
            own = own.client_credentials(TokenGrant::from_json(grant)?);
        }
        let seal = slice(seal, seal_len, "seal")?;
        if !seal.is_empty() {
            own = own.sealed(Peppers::new(&[(1, Secret::new(seal.to_vec()))])?);
        }
        Ok(gk_token_manager(own))
    })
}

/// Shares a manager.
///
/// @param manager The manager; NULL is fine.
/// @return Another handle to the same manager, to be freed with gk_token_manager_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_manager_clone(
    manager: Option<&gk_token_manager>,
) -> Option<Box<gk_token_manager>> {
    share(|| Some(gk_token_manager(manager?.0.clone())))
}

/// Frees a handle to a manager.
///
/// @param manager The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_manager_free(manager: Option<Box<gk_token_manager>>) {
    release(manager);
}

/// Keeps tokens, for example of a log-in that was just finished.
///
/// @param manager The manager.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param tokens_json Tokens as an operation has given them.
/// @param tokens_json_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_STORE_CORRUPT if these are no tokens; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_put(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    tokens_json: *const c_char,
    tokens_json_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let manager = given(manager, "manager")?;
        let name = text(name, name_len, "name")?;
        let tokens =
            OAuthTokens::from_secret_json(chars(tokens_json, tokens_json_len, "tokens_json")?)?;
        Ok(manager.0.put(name, &tokens)?)
    })
}

/// Forgets the tokens of a name; revoke them first.
///
/// @param manager The manager.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_remove(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(manager, "manager")?.0.remove(text(name, name_len, "name")?)?))
}

/// Gives the access token of a name, refreshed if need be; one thread and process refreshes, the others wait.
///
/// @param manager The manager.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param min_ttl Seconds that it must be good for at least.
/// @param access_token Receives it, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is none, so that a log-in is needed;
/// GK_STATUS_OAUTH_INVALID_GRANT if there is none any more; the 5000s, 6000s and 7000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_access_token(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    min_ttl: u64,
    access_token: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(access_token, err, || {
        let token =
            given(manager, "manager")?.0.access_token(text(name, name_len, "name")?, min_ttl)?;
        Ok(token)
    })
}

/// An API has refused this access token with 401: another one, unless there is one by now.
///
/// @param manager The manager.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param refused The token that was refused.
/// @param refused_len Its length in bytes.
/// @param access_token Receives it, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is none, so that a log-in is needed;
/// GK_STATUS_OAUTH_INVALID_GRANT if there is none any more; the 5000s, 6000s and 7000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_replace(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    refused: *const c_char,
    refused_len: usize,
    access_token: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(access_token, err, || {
        let refused = Secret::from(text(refused, refused_len, "refused")?.to_owned());
        let tokens =
            given(manager, "manager")?.0.replace(text(name, name_len, "name")?, &refused)?;
        Ok(tokens.access_token.clone())
    })
}

/// Gives all that came with the access token, as gk_oauth_client_refresh does.
///
/// @param manager The manager.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param min_ttl Seconds that the access token must be good for at least.
/// @param tokens_json Receives the tokens, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is none, so that a log-in is needed;
/// GK_STATUS_OAUTH_INVALID_GRANT if there is none any more; the 5000s, 6000s and 7000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_tokens(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    min_ttl: u64,
    tokens_json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(tokens_json, err, || {
        let tokens = given(manager, "manager")?.0.tokens(text(name, name_len, "name")?, min_ttl)?;
        Ok(tokens.to_secret_json())
    })
}
