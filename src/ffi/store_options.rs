//! `gk_store_options`: where the peppers of a store come from, and what holds for all that it hands
//! out.

use super::boundary::{Outcome, release, share, slice, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::sticky::{self, Sticky};
use crate::open::StoreOptions;
use crate::pepper::PepperSource;
use crate::{Peppers, Secret};
use libc::{c_char, c_void};

/// Where the peppers of a store come from, and what holds for all that it hands out unless options
/// of that say otherwise: the pepper in the file beside the store, the system's clock, a store that
/// may be silent for 30 seconds. Copied by gk_store_open.
pub struct gk_store_options(pub(super) Sticky<StoreChoice>);

/// Peppers that were given one by one, which come first, or where else they are; and the rest.
#[derive(Default)]
pub(super) struct StoreChoice {
    options: StoreOptions,
    peppers: Vec<(u32, Secret)>,
}

impl StoreChoice {
    /// All that was set.
    pub(super) fn options(&self) -> Outcome<StoreOptions> {
        let options = self.options.clone();
        if self.peppers.is_empty() {
            return Ok(options);
        }
        Ok(options.pepper(PepperSource::Given(Peppers::new(&self.peppers)?)))
    }
}

/// The usual options.
///
/// @return The options, to be freed with gk_store_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_store_options_new() -> Option<Box<gk_store_options>> {
    share(|| Some(gk_store_options(Sticky::default())))
}

/// Frees options, and wipes the peppers in them.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_store_options_free(options: Option<Box<gk_store_options>>) {
    release(options);
}

/// Adds a pepper; several calls go from the oldest to the active one. Losing it is losing all that
/// is in the store.
///
/// gk_store_open reports what is wrong with peppers.
///
/// @param options The options.
/// @param number Its number, from 1.
/// @param pepper At least 16 bytes; copied.
/// @param pepper_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_store_options_pepper(
    options: Option<&mut gk_store_options>,
    number: u32,
    pepper: *const u8,
    pepper_len: usize,
) {
    sticky::set_in(options.map(|options| &mut options.0), |all| {
        let pepper = slice(pepper, pepper_len, "pepper")?;
        all.peppers.push((number, Secret::new(pepper.to_vec())));
        Ok(())
    });
}

/// Takes the peppers from a file that only its owner may read: a line each, the number, a space and
/// 32 bytes in hexadecimal.
///
/// gk_store_open reports what is wrong with the file.
///
/// @param options The options.
/// @param path The file's path; copied.
/// @param path_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_store_options_pepper_file(
    options: Option<&mut gk_store_options>,
    path: *const c_char,
    path_len: usize,
) {
    set(options, |options| Ok(options.pepper_file(text(path, path_len, "path")?)));
}

/// Takes the peppers from an environment variable, written as in a file.
///
/// gk_store_open reports what is wrong with the variable, with its name and without what it holds.
///
/// @param options The options.
/// @param name The variable's name, not what it holds; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_store_options_pepper_env(
    options: Option<&mut gk_store_options>,
    name: *const c_char,
    name_len: usize,
) {
    set(options, |options| Ok(options.pepper_env(text(name, name_len, "name")?)));
}

/// Whether a store that is not there is made.
///
/// A process that only reads what another keeps says false, so that a wrong path is an error, and
/// not an empty store which knows of nothing that was revoked.
///
/// @param options The options.
/// @param create True, the default: it is. False: gk_store_open reports
/// GK_STATUS_STORE_UNAVAILABLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_store_options_create(
    options: Option<&mut gk_store_options>,
    create: bool,
) {
    set(options, |options| Ok(options.create(create)));
}

/// Takes the time from a callback.
///
/// @param options The options.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_store_options_clock(
    options: Option<&mut gk_store_options>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(options, |options| Ok(options.clock(clock?)));
}

/// Whether to look for what other processes have changed at every API key and token.
///
/// @param options The options.
/// @param strict False, the default, means within 50 ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_store_options_strict(
    options: Option<&mut gk_store_options>,
    strict: bool,
) {
    set(options, |options| Ok(options.strict(strict)));
}

/// For how long everything works from memory while the store is out of reach.
///
/// More is refused by what opens API keys, sessions, revocations or key rings.
///
/// @param options The options.
/// @param seconds At most 86400; 30 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_store_options_max_stale(
    options: Option<&mut gk_store_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.max_stale(seconds)));
}

/// Where the rates of API keys and the limits of guards over this store are counted together with
/// other machines: a Valkey or a Redis of version 7 or later. Unless set, each machine, or each
/// process where a store has no file, counts for itself.
///
/// A decision that counts asks the server then, for 5 ms at most; while it does not answer, each
/// process admits its part of each limit (docs/many-machines.md). gk_store_open reports a URL that
/// is none; it asks the server nothing.
///
/// @param options The options.
/// @param url redis://127.0.0.1:6379, rediss://user:password@host:6379 with TLS, or
/// unix:/path/of/socket; valkey:// and valkeys:// are the same. It may end in ?name=, ca_file=,
/// password_file=, joined by &. Copied, and wiped with the options.
/// @param url_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_store_options_limits(
    options: Option<&mut gk_store_options>,
    url: *const c_char,
    url_len: usize,
) {
    set(options, |options| Ok(options.limits(text(url, url_len, "url")?)));
}

/// Replaces the options by what the change makes of them.
fn set(
    options: Option<&mut gk_store_options>,
    change: impl FnOnce(StoreOptions) -> Outcome<StoreOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), |mut all| {
        all.options = change(all.options)?;
        Ok(all)
    });
}
