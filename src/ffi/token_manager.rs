//! `gk_token_manager`: the tokens of other servers, kept and refreshed once for all.

use super::boundary::{
    Fault, Outcome, create, fill, given, guard, release, share, slice, text, writable,
};
use super::buf::gk_buf;
use super::error::gk_error;
use super::http::gk_http;
use super::oauth_client::gk_oauth_client;
use super::oauth_tokens::gk_oauth_tokens;
use super::operation::{Ended, gk_operation};
use super::status::gk_status;
use super::sticky::{self, Sticky};
use super::token_grant::{gk_token_grant, granted};
use crate::oauth::{OAuthTokens, TokenGrant, TokenManager};
use crate::store::{MemoryTokenStore, TokenFolder, TokenStore};
use crate::{Peppers, Secret};
use libc::c_char;
use std::sync::Arc;

/// Where tokens are kept, and what a name gets under which there is no token. The setters keep the
/// first thing that was wrong, which gk_token_manager_new reports.
#[derive(Default)]
pub struct gk_token_manager_options(Sticky<Kept>);

#[derive(Default)]
struct Kept {
    folder: Option<String>,
    grant: Option<TokenGrant>,
    refreshing: TokenGrant,
    peppers: Vec<(u32, Secret)>,
    seal: Option<Peppers>,
}

/// Tokens in memory; a name without tokens gets none.
///
/// @return The options, to be freed with gk_token_manager_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_manager_options_new() -> Option<Box<gk_token_manager_options>> {
    share(|| Some(gk_token_manager_options(Sticky::default())))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_manager_options_free(options: Option<Box<gk_token_manager_options>>) {
    release(options);
}

/// Keeps the tokens in a folder, which processes may share, and managers of other servers and
/// clients: each has its own tokens.
///
/// @param options The options.
/// @param path Its path; copied. The folder (mode 0700, files 0600) is made if it is not there.
/// @param path_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_manager_options_folder(
    options: Option<&mut gk_token_manager_options>,
    path: *const c_char,
    path_len: usize,
) {
    set(options, |options| {
        options.folder = Some(text(path, path_len, "path")?.to_owned());
        Ok(())
    });
}

/// A name under which there is no token gets one for the client itself (RFC 6749 section 4.4). A
/// manager that asks for something else gets another token.
///
/// @param options The options.
/// @param grant What is asked for; copied. NULL for nothing in particular.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_manager_options_client_credentials(
    options: Option<&mut gk_token_manager_options>,
    grant: Option<&gk_token_grant>,
) {
    set(options, |options| {
        options.grant = Some(granted(grant)?);
        Ok(())
    });
}

/// What each refresh says apart from the refresh token, as gk_oauth_client_refresh_with takes it:
/// parameters of the server's own, scopes instead of all that were granted, resources instead of
/// those of the tokens. The first refresh reports what is not acceptable in it.
///
/// @param options The options.
/// @param grant What is said; copied. NULL for nothing in particular.
#[unsafe(no_mangle)]
pub extern "C" fn gk_token_manager_options_refresh_with(
    options: Option<&mut gk_token_manager_options>,
    grant: Option<&gk_token_grant>,
) {
    set(options, |options| {
        options.refreshing = granted(grant)?;
        Ok(())
    });
}

/// Adds a pepper that what is kept is sealed with (AES-256-GCM); several calls go from the oldest
/// to the active one. Tokens that were put and do not fit them are GK_STATUS_WRONG_PEPPER, about
/// `seal`; what the client can ask for itself it asks for again.
///
/// @param options The options.
/// @param number Its number, from 1.
/// @param pepper At least 16 bytes; copied.
/// @param pepper_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_token_manager_options_pepper(
    options: Option<&mut gk_token_manager_options>,
    number: u32,
    pepper: *const u8,
    pepper_len: usize,
) {
    set(options, |options| {
        let pepper = slice(pepper, pepper_len, "pepper")?;
        options.peppers.push((number, Secret::new(pepper.to_vec())));
        let peppers = Peppers::new(&options.peppers);
        options.seal = Some(peppers.map_err(|error| Fault::Member("pepper", Box::new(error)))?);
        Ok(())
    });
}

/// The tokens of other servers under names of the program's own: one refresh for all threads and,
/// in a folder, for all processes. Shared by reference count, safe to use from several threads at
/// once, and usable after a fork.
pub struct gk_token_manager(TokenManager);

/// Makes a manager.
///
/// @param client Whose tokens they are; shared.
/// @param http What carries the requests; shared. NULL for an event loop, which drives
/// gk_token_manager_renewal and gk_token_manager_replacement: then no call of the manager waits or
/// asks a server. What would have to is GK_STATUS_INVALID_ARGUMENT if other tokens are needed, and
/// GK_STATUS_STORE_UNAVAILABLE while an operation of the same name, or another process, renews
/// them.
/// @param options Where tokens are kept; copied. NULL for memory.
/// @param manager Receives the manager, to be freed with gk_token_manager_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if others may read
/// the folder; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_new(
    client: Option<&gk_oauth_client>,
    http: Option<&gk_http>,
    options: Option<&gk_token_manager_options>,
    manager: *mut *mut gk_token_manager,
    err: *mut gk_error,
) -> gk_status {
    create(manager, err, || {
        let client = given(client, "client")?.0.clone();
        let memory = Kept::default();
        let kept = options.map_or(Ok(&memory), |options| options.0.built())?;
        let store: Arc<dyn TokenStore> = match &kept.folder {
            None => Arc::new(MemoryTokenStore::new()),
            Some(folder) => Arc::new(TokenFolder::open(folder)?),
        };
        let own = match http {
            Some(http) => TokenManager::new(client, store, Arc::clone(&http.0)),
            None => TokenManager::driven(client, store),
        };
        let mut own = own.refresh_with(kept.refreshing.clone());
        if let Some(grant) = &kept.grant {
            own = own.client_credentials(grant.clone());
        }
        if let Some(seal) = &kept.seal {
            own = own.sealed(seal.clone());
        }
        Ok(gk_token_manager(own))
    })
}

/// Shares a manager.
///
/// @param manager The manager; NULL is fine.
/// @return Another handle to the same manager, to be freed with gk_token_manager_free; NULL for
/// NULL.
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
/// @param tokens The tokens; copied.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT, about `issuer`, if the tokens are of another
/// server than the client's; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_put(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    tokens: Option<&gk_oauth_tokens>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let manager = given(manager, "manager")?;
        let name = text(name, name_len, "name")?;
        Ok(manager.0.put(name, &given(tokens, "tokens")?.0)?)
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

/// Gives the access token of a name, refreshed if need be; one thread and process refreshes, the
/// others wait. With a folder, what another process has put or removed is noticed at each call.
///
/// @param manager The manager.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param min_ttl Seconds that it must be good for at least; half of its life where that is less.
/// @param access_token Receives it, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is no token, so that a log-in is needed;
/// GK_STATUS_OAUTH_INVALID_GRANT if it has ended for good; the 5000s, 6000s and 7000s.
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

/// An access token that an API has refused with 401.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_refused_token {
    /// The name that it is kept under.
    pub name: *const c_char,
    /// Its length in bytes.
    pub name_len: usize,
    /// The access token.
    pub access_token: *const c_char,
    /// Its length in bytes.
    pub access_token_len: usize,
}

impl gk_refused_token {
    /// The name, and the access token.
    unsafe fn texts(&self) -> Outcome<(&str, &str)> {
        let name = text(self.name, self.name_len, "name")?;
        Ok((name, text(self.access_token, self.access_token_len, "access_token")?))
    }
}

/// Gives another access token than the one that was refused, unless there is one by now. If an API
/// refuses new ones as well, the next is asked for after a second, then after two, at most once a
/// minute; until then the refused one is given once more, and it is of no use to send it.
///
/// @param manager The manager.
/// @param refused Which one, and whose; borrowed for the call.
/// @param access_token Receives it, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is no token, so that a log-in is needed;
/// GK_STATUS_OAUTH_INVALID_GRANT if it has ended for good; the 5000s, 6000s and 7000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_replace(
    manager: Option<&gk_token_manager>,
    refused: Option<&gk_refused_token>,
    access_token: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(access_token, err, || {
        let manager = &given(manager, "manager")?.0;
        let (name, token) = given(refused, "refused")?.texts()?;
        Ok(manager.replace(name, &Secret::from(token.to_owned()))?.access_token.clone())
    })
}

/// Gives all that came with the access token, refreshed if need be.
///
/// @param manager The manager.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param min_ttl Seconds that the access token must be good for at least; half of its life where
/// that is less.
/// @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is no token, so that a log-in is needed;
/// GK_STATUS_OAUTH_INVALID_GRANT if it has ended for good; the 5000s, 6000s and 7000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_tokens(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    min_ttl: u64,
    tokens: *mut *mut gk_oauth_tokens,
    err: *mut gk_error,
) -> gk_status {
    create(tokens, err, || {
        let tokens = given(manager, "manager")?.0.tokens(text(name, name_len, "name")?, min_ttl)?;
        Ok(gk_oauth_tokens(OAuthTokens::clone(&tokens)))
    })
}

/// Gives what is known under a name without asking a server, if it is as good as
/// gk_token_manager_tokens says. With a folder, a small file is read.
///
/// @param manager The manager.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param min_ttl Seconds that the access token must be good for at least; half of its life where
/// that is less.
/// @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if none are known
/// that are good: then drive a gk_token_manager_renewal.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK, also if none are known; GK_STATUS_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_known(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    min_ttl: u64,
    tokens: *mut *mut gk_oauth_tokens,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let place = writable(tokens)?;
        place.write(std::ptr::null_mut());
        let known = given(manager, "manager")?.0.known(text(name, name_len, "name")?, min_ttl);
        if let Some(known) = known {
            place.write(Box::into_raw(Box::new(gk_oauth_tokens(OAuthTokens::clone(&known)))));
        }
        Ok(())
    })
}

/// gk_token_manager_tokens as an operation, for event loops; it ends with tokens
/// (gk_operation_tokens). It is over at its first step if what is known is good. Otherwise one
/// operation of a name asks, and what others want of that name waits for it: GK_STEP_WAIT. If that
/// one fails, they fail with its reason until it is worth another try; if it is freed, or not
/// driven any more, another takes over. It holds the folder's lock while a request is out; its
/// steps read and write small files there.
///
/// @param manager The manager, which may be freed before the operation.
/// @param name A name of the program's own: 1 to 120 bytes.
/// @param name_len Its length in bytes.
/// @param min_ttl Seconds that the access token must be good for at least; half of its life where
/// that is less.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails. It ends as gk_token_manager_tokens does.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_renewal(
    manager: Option<&gk_token_manager>,
    name: *const c_char,
    name_len: usize,
    min_ttl: u64,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let manager = &given(manager, "manager")?.0;
        let renewal = manager.renewal(text(name, name_len, "name")?, min_ttl)?;
        Ok(gk_operation::new(renewal, |tokens| Ended::Tokens(OAuthTokens::clone(&tokens))))
    })
}

/// gk_token_manager_replace as an operation, as gk_token_manager_renewal.
///
/// @param manager The manager, which may be freed before the operation.
/// @param refused Which one, and whose; copied.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails. It ends as gk_token_manager_replace does, with all that came with the access token.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_token_manager_replacement(
    manager: Option<&gk_token_manager>,
    refused: Option<&gk_refused_token>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let manager = &given(manager, "manager")?.0;
        let (name, token) = given(refused, "refused")?.texts()?;
        let replacement = manager.replacement(name, &Secret::from(token.to_owned()))?;
        Ok(gk_operation::new(replacement, |tokens| Ended::Tokens(OAuthTokens::clone(&tokens))))
    })
}

/// Changes what was set.
fn set(
    options: Option<&mut gk_token_manager_options>,
    change: impl FnOnce(&mut Kept) -> Outcome<()>,
) {
    sticky::set_in(options.map(|options| &mut options.0), change);
}
