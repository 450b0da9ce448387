//! `gk_store_backup`, `gk_store_restore`: copies of a store, and what is to be done when one is put
//! back.

use super::boundary::{Outcome, chars, fill};
use super::buf::gk_buf;
use super::error::gk_error;
use super::status::gk_status;
use crate::backup::{
    AcknowledgeOptions, BackupOptions, RestoreOptions, store_acknowledge_restore, store_backup,
    store_restore,
};
use crate::json::{self, Kind, Value};
use crate::pepper::PepperSource;
use crate::{Error, ErrorKind, ToJson as _};
use libc::{c_char, c_void};
use std::path::PathBuf;

/// Hears how far a copy has come. Called by the thread that copies; must not throw or jump out.
///
/// @param user The pointer that was given with it.
/// @param done How many pages are copied.
/// @param all Of how many.
/// @return True to continue; false stops the copy, which fails with GK_STATUS_INVALID_ARGUMENT.
pub type gk_progress_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, done: u64, all: u64) -> bool>;

/// Copies a store to a file while it is in use: its state of one moment, checked, in one file that
/// only its owner may read.
///
/// @param options_json What: one JSON object with `store`, its URL, and `to`, a file that must not
/// be there; it may have `pepper_to`, a file that receives the pepper file as well (keep it apart
/// from the backup), and `pepper_file`, where that is unless it lies beside the store.
/// @param options_json_len Its length in bytes.
/// @param progress Hears how far it is; may be NULL.
/// @param user A pointer that is given back to `progress`.
/// @param report Receives a JSON object with `bytes`, `api_keys` and `sessions`, to be freed with
/// gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there is a file already or the URL is not
/// that of a SQLite store; GK_STATUS_INVALID_CONFIGURATION for a member that is unknown, missing or
/// of a wrong type, or a pepper file that others may read; GK_STATUS_WRONG_PEPPER if it cannot be
/// read; GK_STATUS_STORE_CORRUPT if there is nothing in the store, or it is damaged; the other
/// 6000s; GK_STATUS_UNSUPPORTED without SQLite.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_backup(
    options_json: *const c_char,
    options_json_len: usize,
    progress: gk_progress_fn,
    user: *mut c_void,
    report: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(report, err, || {
        let (mut store, mut to, mut options) = (None, None, BackupOptions::default());
        members(chars(options_json, options_json_len, "options_json")?, |name, value| {
            match name {
                "store" => store = Some(text(value)?),
                "to" => to = Some(text(value)?),
                "pepper_to" => options.pepper_to = Some(text(value)?.into()),
                "pepper_file" => options.pepper = PepperSource::File(text(value)?.into()),
                _ => return None,
            }
            Some(())
        })?;
        let (store, to) = (store.ok_or(MISSING)?, to.ok_or(MISSING)?);
        let mut hear = |done, all| hear(progress, user, done, all);
        Ok(store_backup(&store, &PathBuf::from(to), &options, &mut hear)?.to_json())
    })
}

/// Puts a backup, which stays as it is, in the place of a store. A store that is there is kept
/// under another name. The pepper is not touched. A store that is older than its mark must be
/// acknowledged after that: gk_store_acknowledge_restore.
///
/// @param options_json What: one JSON object with `backup`, a file, and `store`, a URL; it may have
/// `force`, true to replace a store that programs have open.
/// @param options_json_len Its length in bytes.
/// @param progress Hears how far it is; may be NULL.
/// @param user A pointer that is given back to `progress`.
/// @param report Receives a JSON object with `bytes`, `api_keys`, `sessions`, `replaced` (where the
/// store is that was there before, or null) and `must_acknowledge`, to be freed with gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_STORE_UNAVAILABLE if the store is in use;
/// GK_STATUS_STORE_CORRUPT if the file is not a backup, or is damaged; otherwise as
/// gk_store_backup. Then the store is as it was.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_restore(
    options_json: *const c_char,
    options_json_len: usize,
    progress: gk_progress_fn,
    user: *mut c_void,
    report: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(report, err, || {
        let (mut backup, mut store, mut options) = (None, None, RestoreOptions::default());
        members(chars(options_json, options_json_len, "options_json")?, |name, value| {
            match name {
                "backup" => backup = Some(text(value)?),
                "store" => store = Some(text(value)?),
                "force" => options.force = value.as_bool()?,
                _ => return None,
            }
            Some(())
        })?;
        let (backup, store) = (backup.ok_or(MISSING)?, store.ok_or(MISSING)?);
        let mut hear = |done, all| hear(progress, user, done, all);
        Ok(store_restore(&PathBuf::from(backup), &store, options, &mut hear)?.to_json())
    })
}

/// Accepts a store, or a folder of key rings, that is older than its mark, such as a backup that
/// was put back, after everything from before a moment has ended: sessions and access tokens
/// always, API keys (disabled) and the keys of key rings (replaced by new ones) unless they are to
/// be kept.
///
/// @param options_json What: one JSON object with `store`, its URL, or that of a folder of key
/// rings (folder:/path), and `revoke_before`, in seconds since the Unix epoch: the time of the
/// restore; 0 ends nothing, for a store that was only moved. It may have `keep_api_keys` and
/// `keep_key_rings`, true or false, and `pepper_file` or `pepper_env` (the name of an environment
/// variable).
/// @param options_json_len Its length in bytes.
/// @param report Receives a JSON object with the numbers `sessions`, `api_keys` and `key_rings`,
/// with `damaged_key_rings` (the names of those whose rows were altered from outside or cannot be
/// read, which stay as they are), and with `was_refused`: whether it was refused before; if not,
/// what was asked for has still ended. To be freed with gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the time is in the future or the URL is not
/// that of a SQLite store; GK_STATUS_INVALID_CONFIGURATION for a member that is unknown, missing or
/// of a wrong type; GK_STATUS_WRONG_PEPPER; the other 6000s, and then a second call continues;
/// GK_STATUS_UNSUPPORTED without SQLite.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_store_acknowledge_restore(
    options_json: *const c_char,
    options_json_len: usize,
    report: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(report, err, || {
        let (mut store, mut before, mut options) = (None, None, AcknowledgeOptions::default());
        let mut pepper = PepperSource::Beside;
        members(chars(options_json, options_json_len, "options_json")?, |name, value| {
            match name {
                "store" => store = Some(text(value)?),
                "revoke_before" => before = Some(value.as_u64()?),
                "keep_api_keys" => options.keep_api_keys = value.as_bool()?,
                "keep_key_rings" => options.keep_key_rings = value.as_bool()?,
                "pepper_file" => pepper = PepperSource::File(text(value)?.into()),
                "pepper_env" => pepper = PepperSource::Env(text(value)?),
                _ => return None,
            }
            Some(())
        })?;
        options.revoke_before = before.ok_or(MISSING)?;
        let store = store.ok_or(MISSING)?;
        Ok(store_acknowledge_restore(&store, &pepper, options)?.to_json())
    })
}

const MISSING: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A member of the options is missing; the header names those that must be there.",
);

/// Hands the members of a JSON object to `take`, which knows them and their types, or not.
fn members(text: &[u8], mut take: impl FnMut(&str, &Value<'_>) -> Option<()>) -> Outcome<()> {
    const NOT_ONE: Error = Error::new(
        ErrorKind::InvalidConfiguration,
        "The options are one JSON object of at most 64 KiB.",
    );
    const UNKNOWN: Error = Error::new(
        ErrorKind::InvalidConfiguration,
        "A member of the options is not known, or has a wrong type; the header names them.",
    );
    let value = json::parse(text).map_err(|_| NOT_ONE)?;
    if value.kind() != Kind::Object || text.len() > 64 * 1024 {
        return Err(NOT_ONE.into());
    }
    for (name, value) in value.members() {
        let name = name.decode();
        take(&name, &value).ok_or(UNKNOWN)?;
    }
    Ok(())
}

fn text(value: &Value<'_>) -> Option<String> {
    value.as_str().map(std::borrow::Cow::into_owned)
}

fn hear(progress: gk_progress_fn, user: *mut c_void, done: u64, all: u64) -> crate::Result<()> {
    const STOPPED: Error =
        Error::new(ErrorKind::InvalidArgument, "The copy was stopped by the progress function.");
    let Some(progress) = progress else { return Ok(()) };
    // SAFETY: given together with this pointer, to be called while the call lasts.
    if unsafe { progress(user, done, all) } { Ok(()) } else { Err(STOPPED) }
}
