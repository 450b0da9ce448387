//! `gk_api_key_options`: how keys are made and verified.

use super::boundary::{Outcome, release, share, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::sticky::{self, Sticky};
use crate::apikey::ApiKeyOptions;
use crate::store::Limits;
use libc::{c_char, c_void};

/// How API keys are made and verified: the prefix `gk`, the environment `live`, changes by other
/// processes seen within 50 ms, a store that may be silent for 30 seconds. Copied by
/// gk_api_keys_open and gk_store_api_keys.
pub struct gk_api_key_options(pub(super) Sticky<ApiKeyOptions>);

/// The usual options.
///
/// @return The options, to be freed with gk_api_key_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_key_options_new() -> Option<Box<gk_api_key_options>> {
    share(|| Some(gk_api_key_options(Sticky::new(ApiKeyOptions::new()))))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_key_options_free(options: Option<Box<gk_api_key_options>>) {
    release(options);
}

/// What new keys begin with.
///
/// A prefix of another form is refused by gk_api_keys_open.
///
/// @param options The options.
/// @param prefix A small letter, then at most 19 small letters, digits and underscores; copied.
/// @param prefix_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_options_prefix(
    options: Option<&mut gk_api_key_options>,
    prefix: *const c_char,
    prefix_len: usize,
) {
    set(options, |options| Ok(options.prefix(text(prefix, prefix_len, "prefix")?)));
}

/// The environment of new keys, and the only one that is accepted.
///
/// An environment of another form is refused by gk_api_keys_open.
///
/// @param options The options.
/// @param env 2 to 8 small letters; copied.
/// @param env_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_options_env(
    options: Option<&mut gk_api_key_options>,
    env: *const c_char,
    env_len: usize,
) {
    set(options, |options| Ok(options.env(text(env, env_len, "env")?)));
}

/// Whether to look for changes by other processes before every verification.
///
/// @param options The options.
/// @param strict False, the default, means within 50 ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_options_strict(
    options: Option<&mut gk_api_key_options>,
    strict: bool,
) {
    set(options, |options| Ok(options.strict(strict)));
}

/// For how long keys are served from memory while the store is out of reach.
///
/// More is refused by gk_api_keys_open.
///
/// @param options The options.
/// @param seconds At most 86400; 30 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_options_max_stale(
    options: Option<&mut gk_api_key_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.max_stale(seconds)));
}

/// Where the rates of keys are counted. Unless set, where gk_store_options_limits says, or else in
/// the file `<store>.limits` beside a SQLite store: the processes of one machine that count in one
/// place share each key's limit, over restarts; each machine has limits of its own then.
/// gk_api_keys_check_limits says whether that holds.
///
/// A folder that cannot be used is refused by gk_api_keys_open.
///
/// @param options The options.
/// @param folder A folder, which is made if it is not there, and must belong to the process's user;
/// copied. Each SQLite store has a file of its own in it. Or the URL of a server, as of
/// gk_store_options_limits. NULL with a length of 0: each process counts for itself, and a restart
/// forgets.
/// @param folder_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_options_limits(
    options: Option<&mut gk_api_key_options>,
    folder: *const c_char,
    folder_len: usize,
) {
    set(options, |options| {
        let folder = text(folder, folder_len, "folder")?;
        let limits = if folder.is_empty() { Limits::Off } else { folder.parse()? };
        Ok(options.limits(limits))
    });
}

/// Takes the time from a callback.
///
/// @param options The options.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_options_clock(
    options: Option<&mut gk_api_key_options>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(options, |options| Ok(options.clock(clock?)));
}

/// Replaces the options by what the change makes of them.
fn set(
    options: Option<&mut gk_api_key_options>,
    change: impl FnOnce(ApiKeyOptions) -> Outcome<ApiKeyOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), change);
}
