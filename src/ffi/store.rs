//! `gk_store`: an open store, which hands out everything that is kept there.

use super::access::maybe;
use super::apikey::gk_api_keys;
use super::apikey_options::gk_api_key_options;
use super::boundary::{create, fill, given, guard, look, release, share, tell, text};
use super::buf::gk_buf;
use super::error::gk_error;
use super::keyring::gk_key_ring;
use super::keyring_options::gk_key_ring_options;
use super::revocations::gk_revocations;
use super::revocations_options::gk_revocation_options;
use super::session::gk_sessions;
use super::session_options::gk_session_options;
use super::signer::gk_signer;
use super::status::gk_status;
use super::store_options::gk_store_options;
use crate::open::StoreOptions;
use crate::{Store, ToJson as _};
use libc::c_char;

/// A store: API keys, sessions, revocations and key rings. It owns one pool of connections, the
/// peppers and the clock, and shares them with what it hands out. Freeing the handle leaves the
/// handed-out objects usable; gk_store_close ends them all. Shared by reference count, safe to use
/// from several threads at once, and usable after a fork.
pub struct gk_store(Store);

/// Opens a store, and makes it if it is not there.
///
/// @param url memory:, sqlite:///relative/path, sqlite:////absolute/path, or a path, which is a
/// SQLite file as well; folder:/path is a folder that only its owner may read, which is made if it
/// is not there and holds key rings only. A path is taken as it stands, nothing is percent-decoded.
/// `?mark=FILE` at the end says where the mark is that tells a restored backup from the store,
/// `?mark=none` that it has no mark (docs/backups.md). Nothing else in the process may open the
/// file with a SQLite of its own, not even to read (docs/processes.md).
/// @param url_len Its length in bytes.
/// @param options How; NULL for the usual options. Without a pepper, the file `<path>.pepper` is
/// used, and made with the store: back it up, because without it everything in the store is lost.
/// In a folder, key rings are sealed only if a pepper is given.
/// @param store Receives the store, to be freed with gk_store_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the URL is malformed;
/// GK_STATUS_INVALID_CONFIGURATION if others may read the pepper file or the folder, or the
/// environment variable holds no peppers; GK_STATUS_WRONG_PEPPER; GK_STATUS_UNSUPPORTED if this
/// build has no such store; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_open(
    url: *const c_char,
    url_len: usize,
    options: Option<&gk_store_options>,
    store: *mut *mut gk_store,
    err: *mut gk_error,
) -> gk_status {
    create(store, err, || {
        let url = text(url, url_len, "url")?;
        let options = match options {
            Some(options) => options.0.built()?.options()?,
            None => StoreOptions::new(),
        };
        Ok(gk_store(Store::open_with(url, options)?))
    })
}

/// The API keys in a store.
///
/// @param store The store.
/// @param options How; NULL for the usual options. What they do not say is as the store's options
/// have it.
/// @param keys Receives the keys, to be freed with gk_api_keys_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_WRONG_PEPPER; GK_STATUS_INVALID_CONFIGURATION if others may read
/// the pepper file; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_api_keys(
    store: Option<&gk_store>,
    options: Option<&gk_api_key_options>,
    keys: *mut *mut gk_api_keys,
    err: *mut gk_error,
) -> gk_status {
    create(keys, err, || {
        let options = options.map(|options| options.0.built().cloned()).transpose()?;
        let inner = given(store, "store")?.0.api_keys(options.unwrap_or_default())?;
        Ok(gk_api_keys { inner })
    })
}

/// The sessions in a store.
///
/// @param store The store.
/// @param signer What signs the access tokens, which is shared; its tokens have a time to live, not
/// longer than that of refresh tokens. NULL to look at sessions and to end them, and nothing else.
/// @param options How; NULL for the usual options. What they do not say is as the store's options
/// have it.
/// @param sessions Receives the sessions, to be freed with gk_sessions_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if the signer's tokens live too long or
/// for ever, or others may read the pepper file; GK_STATUS_WRONG_PEPPER; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_sessions(
    store: Option<&gk_store>,
    signer: Option<&gk_signer>,
    options: Option<&gk_session_options>,
    sessions: *mut *mut gk_sessions,
    err: *mut gk_error,
) -> gk_status {
    create(sessions, err, || {
        let options = options.map(|options| options.0.built()).transpose()?;
        let options = options.map(|options| options.options()).unwrap_or_default();
        let signer = signer.map(|signer| &signer.0);
        Ok(gk_sessions { inner: given(store, "store")?.0.sessions(signer, options)? })
    })
}

/// What is revoked in a store. Needs no pepper.
///
/// @param store The store.
/// @param options How; NULL for the usual options. What they do not say is as the store's options
/// have it.
/// @param revocations Receives the revocations, to be freed with gk_revocations_free; NULL if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_revocations(
    store: Option<&gk_store>,
    options: Option<&gk_revocation_options>,
    revocations: *mut *mut gk_revocations,
    err: *mut gk_error,
) -> gk_status {
    create(revocations, err, || {
        let options = options.map(|options| options.0.built().cloned()).transpose()?;
        Ok(gk_revocations(given(store, "store")?.0.revocations(options.unwrap_or_default())?))
    })
}

/// A key ring in a store, which is made, with an active and a next key, if it is not there.
///
/// @param store The store.
/// @param name The ring's name, 1 to 64 small letters, digits and hyphens; NULL and 0 for that of
/// the options.
/// @param name_len Its length in bytes.
/// @param options How; NULL for the usual options. What they do not say is as the store's options
/// have it.
/// @param ring Receives the ring, to be freed with gk_key_ring_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_WRONG_PEPPER; GK_STATUS_INVALID_CONFIGURATION if others may read
/// the pepper file; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_key_ring(
    store: Option<&gk_store>,
    name: *const c_char,
    name_len: usize,
    options: Option<&gk_key_ring_options>,
    ring: *mut *mut gk_key_ring,
    err: *mut gk_error,
) -> gk_status {
    create(ring, err, || {
        let options = options.map(|options| options.0.built().cloned()).transpose()?;
        let name = text(name, name_len, "name")?;
        let inner = given(store, "store")?.0.key_ring(name, options.unwrap_or_default())?;
        Ok(gk_key_ring { inner })
    })
}

/// Whether gk_store_open made a pepper file, which should be backed up.
///
/// @param store The store.
/// @return True if it did; false for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_store_made_pepper_file(store: Option<&gk_store>) -> bool {
    look(false, || Some(store?.0.new_pepper_file().is_some()))
}

/// How it is with a store: for an end point such as /healthz. That it is out of reach is no error,
/// but what the answer says. Waits for no other thread; for a server as long as for a connection to
/// it, and while the store is followed not at all; for a program that holds a SQLite file 5 s.
///
/// @param store The store.
/// @param reachable Receives whether it answers, and is accepted as it is; may be NULL.
/// @param health Receives a JSON object with `kind` (`memory`, `sqlite`, `folder`, `postgresql`),
/// `reachable`, `heard_ago_ms` and `looked_ago_ms` (how many milliseconds ago this process last
/// heard of the store, and what was handed out last looked for changes), `position` (the number of
/// the last change), `version` (of the server, or of SQLite), `writable` and `error` (why it is not
/// reachable, such as `store_unavailable`); what is not known is null. Nothing of it is secret. To
/// be freed with gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the store has been closed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_health(
    store: Option<&gk_store>,
    reachable: *mut bool,
    health: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(health, err, || {
        tell(reachable, false);
        let found = given(store, "store")?.0.health()?;
        tell(reachable, found.reachable);
        Ok(found.to_json())
    })
}

/// Shares a store.
///
/// @param store The store; NULL is fine.
/// @return Another handle to the same store, to be freed with gk_store_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_store_clone(store: Option<&gk_store>) -> Option<Box<gk_store>> {
    share(|| Some(gk_store(store?.0.clone())))
}

/// Writes down what is pending, lets go of files and connections, and ends everything that was
/// handed out: each call of it fails with GK_STATUS_INVALID_ARGUMENT from now on and changes
/// nothing. A second call does nothing.
///
/// @param store The store.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s, and it is closed nevertheless.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_close(store: Option<&gk_store>, err: *mut gk_error) -> gk_status {
    guard(err, || Ok(given(store, "store")?.0.close()?))
}

/// Gives what this process knows of the server in gk_store_options_limits, as JSON: `server`,
/// `connected`, `sharers` (how many processes count there, as last seen), `asked`, `alone` (how
/// many of the questions this process has decided alone), `troubles` (how often there was which)
/// and `last` (a sentence, or null). Asks nothing; gk_api_keys_check_limits asks the server.
///
/// @param store The store.
/// @param json Receives it, to be freed with gk_buf_free; {NULL, 0} if there is no such server, or
/// the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_limits_state(
    store: Option<&gk_store>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    maybe(json, err, || Ok(given(store, "store")?.0.limits_state().map(|state| state.to_json())))
}

/// Frees a handle to a store; what it handed out is not affected.
///
/// @param store The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_store_free(store: Option<Box<gk_store>>) {
    release(store);
}
