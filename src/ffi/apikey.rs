//! `gk_api_keys`: the API keys of a service. Records come as JSON, secrets in a buffer
//! that is wiped when freed.

use super::apikey_options::gk_api_key_options;
use super::apikey_spec::gk_api_key_spec;
use super::apikey_verify::{GK_API_KEY_ID_SIZE, put};
use super::boundary::{
    Outcome, create, fill, given, guard, look, maybe, release, sent, share, slice, tell, text,
    writable,
};
use super::buf::gk_buf;
use super::error::gk_error;
use super::filter::gk_filter;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::apikey::{ImportRow, ImportScheme, IssuedKey};
use crate::pepper::PepperSource;
use crate::{ApiKeys, Secret, ToJson as _};
use libc::c_char;

/// The API keys of a service, in a store. Shared by reference count, safe to use from several
/// threads at once, and usable after a fork.
pub struct gk_api_keys {
    pub(super) inner: ApiKeys,
}

/// A key that was just made: the one time that its text is seen. In memory of the caller's: give it
/// to gk_issued_api_key_free. All zero if the call failed that was to fill it. Change no member.
#[repr(C)]
pub struct gk_issued_api_key {
    /// The key's text, to be handed to its owner; it is kept nowhere.
    pub secret: gk_buf,
    /// The key's record as JSON: gk_api_keys_get.
    pub record: gk_buf,
    /// The key's id, NUL-terminated.
    pub key_id: [c_char; GK_API_KEY_ID_SIZE],
}

impl gk_issued_api_key {
    const NONE: Self =
        Self { secret: gk_buf::EMPTY, record: gk_buf::EMPTY, key_id: [0; GK_API_KEY_ID_SIZE] };
}

/// Keys of another system, to be imported. gk_api_key_import_add keeps the first thing that was
/// wrong, which gk_api_keys_import reports.
#[derive(Default)]
pub struct gk_api_key_import(Sticky<Vec<ImportRow>>);

/// Wipes and frees a key that was just made and leaves all of it zero.
///
/// @param issued A key that a call of this library has filled in, or all zero; NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_issued_api_key_free(issued: Option<&mut gk_issued_api_key>) {
    look((), || {
        let issued = issued?;
        issued.secret.clear();
        issued.record.clear();
        *issued = gk_issued_api_key::NONE;
        Some(())
    });
}

/// Opens API keys: the short way, for a program that keeps nothing else there.
///
/// @param url As for gk_store_open, which takes other peppers than those in the file
/// `<path>.pepper`; that is made with the store: back it up, because without it every key is lost.
/// @param url_len Its length in bytes.
/// @param options How; NULL for the usual options.
/// @param keys Receives the keys, to be freed with gk_api_keys_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if others may read the pepper file;
/// GK_STATUS_WRONG_PEPPER; GK_STATUS_UNSUPPORTED if this build has no SQLite; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_open(
    url: *const c_char,
    url_len: usize,
    options: Option<&gk_api_key_options>,
    keys: *mut *mut gk_api_keys,
    err: *mut gk_error,
) -> gk_status {
    create(keys, err, || {
        let url = text(url, url_len, "url")?;
        let options = options.map(|options| options.0.built().cloned()).transpose()?;
        let source = PepperSource::Beside;
        let opened = crate::open::open_api_keys(url, &source, options.unwrap_or_default())?;
        Ok(gk_api_keys { inner: opened.keys })
    })
}

/// Shares keys.
///
/// @param keys The keys; NULL is fine.
/// @return Another handle to the same keys, to be freed with gk_api_keys_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_keys_clone(keys: Option<&gk_api_keys>) -> Option<Box<gk_api_keys>> {
    share(|| {
        let keys = keys?;
        Some(gk_api_keys { inner: keys.inner.clone() })
    })
}

/// Frees a handle to keys. The last one writes down what is pending and closes the store, without
/// telling what went wrong: see gk_api_keys_close.
///
/// @param keys The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_keys_free(keys: Option<Box<gk_api_keys>>) {
    release(keys);
}

/// Shares keys; changes through the new handle are noted in the audit as made by this actor.
///
/// @param keys The keys.
/// @param actor Who makes the changes: at most 255 bytes of UTF-8; copied.
/// @param actor_len Its length in bytes.
/// @param acting Receives the handle, to be freed with gk_api_keys_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_acting_as(
    keys: Option<&gk_api_keys>,
    actor: *const c_char,
    actor_len: usize,
    acting: *mut *mut gk_api_keys,
    err: *mut gk_error,
) -> gk_status {
    create(acting, err, || {
        let inner = given(keys, "keys")?.inner.acting_as(text(actor, actor_len, "actor")?)?;
        Ok(gk_api_keys { inner })
    })
}

/// Makes a key.
///
/// @param keys The keys.
/// @param spec What the key is to be like; it has an owner at least.
/// @param issued Receives the key, to be freed with gk_issued_api_key_free; all zero if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_create(
    keys: Option<&gk_api_keys>,
    spec: Option<&gk_api_key_spec>,
    issued: *mut gk_issued_api_key,
    err: *mut gk_error,
) -> gk_status {
    issue(issued, err, || {
        Ok(given(keys, "keys")?.inner.create(given(spec, "spec")?.of_new_key()?)?)
    })
}

/// Gives a key a new secret under the same id. A key has two secrets at the most: a second rotation
/// within an overlap ends the first secret at once.
///
/// @param keys The keys.
/// @param id The key's id.
/// @param id_len Its length in bytes.
/// @param overlap_seconds For how long the old secret is still accepted: at most 90 days; 0 ends it
/// now.
/// @param issued Receives the key with its new text, as gk_api_keys_create.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_API_KEY_NOT_FOUND; GK_STATUS_INVALID_ARGUMENT: it is revoked,
/// for good; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_rotate(
    keys: Option<&gk_api_keys>,
    id: *const c_char,
    id_len: usize,
    overlap_seconds: u64,
    issued: *mut gk_issued_api_key,
    err: *mut gk_error,
) -> gk_status {
    issue(issued, err, || {
        Ok(given(keys, "keys")?.inner.rotate(text(id, id_len, "id")?, overlap_seconds)?)
    })
}

/// Revokes a key for good. A key that is revoked already stays as it is.
///
/// @param keys The keys.
/// @param id The key's id.
/// @param id_len Its length in bytes.
/// @param reason Why, for people: of it the first 500 bytes are kept, with a space for each control
/// character.
/// @param reason_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_API_KEY_NOT_FOUND; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_revoke(
    keys: Option<&gk_api_keys>,
    id: *const c_char,
    id_len: usize,
    reason: *const c_char,
    reason_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let reason = &sent(reason, reason_len, "reason")?;
        given(keys, "keys")?.inner.revoke(text(id, id_len, "id")?, reason)?;
        Ok(())
    })
}

/// Refuses a key until it is enabled again.
///
/// @param keys The keys.
/// @param id The key's id.
/// @param id_len Its length in bytes.
/// @param reason Why, for people: of it the first 500 bytes are kept, with a space for each control
/// character.
/// @param reason_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return As gk_api_keys_revoke; GK_STATUS_INVALID_ARGUMENT: it is revoked, for good.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_disable(
    keys: Option<&gk_api_keys>,
    id: *const c_char,
    id_len: usize,
    reason: *const c_char,
    reason_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let reason = &sent(reason, reason_len, "reason")?;
        given(keys, "keys")?.inner.disable(text(id, id_len, "id")?, reason)?;
        Ok(())
    })
}

/// Accepts a disabled key again.
///
/// @param keys The keys.
/// @param id The key's id.
/// @param id_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return As gk_api_keys_disable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_enable(
    keys: Option<&gk_api_keys>,
    id: *const c_char,
    id_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        given(keys, "keys")?.inner.enable(text(id, id_len, "id")?)?;
        Ok(())
    })
}

/// Changes what the specification says of a key.
///
/// @param keys The keys.
/// @param id The key's id.
/// @param id_len Its length in bytes.
/// @param spec What is to change; at least one thing.
/// @param err Receives the error; may be NULL.
/// @return As gk_api_keys_disable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_update(
    keys: Option<&gk_api_keys>,
    id: *const c_char,
    id_len: usize,
    spec: Option<&gk_api_key_spec>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let update = given(spec, "spec")?.of_update()?;
        given(keys, "keys")?.inner.update(text(id, id_len, "id")?, update)?;
        Ok(())
    })
}

/// The record of a key: one JSON object with id, prefix, env, tenant, owner, name, scopes, cidrs,
/// status, revoked_at, reason, not_before, expires_at, rate, credits, meta, created_at, created_by,
/// rotated_at, overlap_until, last_used_at, uses, version. Times are in seconds since 1970, or
/// null.
///
/// @param keys The keys.
/// @param id The key's id.
/// @param id_len Its length in bytes.
/// @param record Receives the record, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_API_KEY_NOT_FOUND; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_get(
    keys: Option<&gk_api_keys>,
    id: *const c_char,
    id_len: usize,
    record: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(record, err, || Ok(given(keys, "keys")?.inner.get(text(id, id_len, "id")?)?.to_json()))
}

/// A page of records in ascending order of their ids: {"records":[...],"cursor":"..."}, where the
/// cursor of the last page is null.
///
/// @param keys The keys.
/// @param filter Which: `owner`, `tenant`, `cursor`, `limit`; NULL for the first 100 of all.
/// @param page Receives the page, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_list(
    keys: Option<&gk_api_keys>,
    filter: Option<&gk_filter>,
    page: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(page, err, || {
        let filter = gk_filter::of_keys(filter)?;
        Ok(given(keys, "keys")?.inner.list(&filter)?.to_json())
    })
}

/// A page of the audit, oldest first: {"records":[{"seq","at","actor","action","key_id","detail"}],
/// "cursor"}.
///
/// @param keys The keys.
/// @param filter Which: `key_id`, `cursor`, `limit`; NULL for the first 100 of all.
/// @param page Receives the page, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_audit(
    keys: Option<&gk_api_keys>,
    filter: Option<&gk_filter>,
    page: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(page, err, || {
        let filter = gk_filter::of_audit(filter)?;
        Ok(given(keys, "keys")?.inner.audit(&filter)?.to_json())
    })
}

/// Deletes keys that expired, or were revoked, before a time. Their audit stays. A clock that has
/// run ahead of the time that passes by more than an hour deletes no key that has expired by it
/// alone, until it has gone on so for ten minutes.
///
/// @param keys The keys.
/// @param before Seconds since 1970; not in the future.
/// @param purged Receives how many; may be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_purge(
    keys: Option<&gk_api_keys>,
    before: u64,
    purged: *mut u64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let count = given(keys, "keys")?.inner.purge(before)?;
        tell(purged, count);
        Ok(())
    })
}

/// An import without rows.
///
/// @return The import, to be freed with gk_api_key_import_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_key_import_new() -> Option<Box<gk_api_key_import>> {
    share(|| Some(gk_api_key_import::default()))
}

/// Frees an import; credentials are wiped.
///
/// @param import The import, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_key_import_free(import: Option<Box<gk_api_key_import>>) {
    release(import);
}

/// Adds a key of another system.
///
/// @param import The import.
/// @param spec What the key is to be like; copied.
/// @param credential The key itself, or what the other system kept of it; copied.
/// @param credential_len Its length in bytes.
/// @param lookup The public part that the key begins with, up to a separator . _ - : ~, by which it
/// is found; NULL and 0 for none. Salted hashes need one.
/// @param lookup_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_import_add(
    import: Option<&mut gk_api_key_import>,
    spec: Option<&gk_api_key_spec>,
    credential: *const c_char,
    credential_len: usize,
    lookup: *const c_char,
    lookup_len: usize,
) {
    sticky::set_in(import.map(|import| &mut import.0), |rows| {
        let credential: &[u8] = slice(credential.cast(), credential_len, "credential")?;
        rows.push(ImportRow {
            spec: given(spec, "spec")?.of_new_key()?.clone(),
            credential: Secret::new(credential.to_vec()),
            lookup: maybe(lookup, lookup_len, "lookup")?,
        });
        Ok(())
    });
}

/// Imports keys that another system issued. If a row is of the wrong form, or was added with
/// something wrong, nothing is imported; rows that are there already stop no others.
///
/// @param keys The keys.
/// @param scheme plaintext, sha256-hex, sha256-base64, sha512-hex, drf-api-key, bcrypt, argon2 or
/// pbkdf2-sha256.
/// @param scheme_len Its length in bytes.
/// @param import The rows.
/// @param report Receives
/// {"imported":n,"ids":[...],"rejected":[{"row","number","code","message"}]}, to be freed with
/// gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK, whatever was rejected; what was wrong first at gk_api_key_import_add; the
/// 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_import(
    keys: Option<&gk_api_keys>,
    scheme: *const c_char,
    scheme_len: usize,
    import: Option<&gk_api_key_import>,
    report: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(report, err, || {
        let scheme = ImportScheme::from_name(text(scheme, scheme_len, "scheme")?)?;
        let rows = given(import, "import")?.0.built()?;
        Ok(given(keys, "keys")?.inner.import(scheme, rows)?.to_json())
    })
}

/// How many keys, sessions and key rings of the store still need each pepper:
/// [{"pepper":n,"active":true,"keys":n,"sessions":n,"key_rings":n,"since":n,"damaged":[]}]. Of the
/// number 0, which is there if anything is damaged, `damaged` has the ids of the API keys, then
/// those of the sessions, then the names of the key rings whose rows were altered from outside or
/// cannot be read.
///
/// @param keys The keys.
/// @param report Receives the report, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_pepper_report(
    keys: Option<&gk_api_keys>,
    report: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(report, err, || Ok(given(keys, "keys")?.inner.pepper_report()?.to_json()))
}

/// Puts every key under the active pepper as well, now: for the day an old one has leaked.
///
/// @param keys The keys.
/// @param wrapped Receives how many keys; may be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_STORE_CORRUPT if rows were altered from outside: all others are
/// wrapped, gk_error_api_key_id says the first of them, gk_api_keys_pepper_report all; the other
/// 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_wrap_peppers(
    keys: Option<&gk_api_keys>,
    wrapped: *mut u64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let count = given(keys, "keys")?.inner.wrap_peppers()?;
        tell(wrapped, count);
        Ok(())
    })
}

/// Looks now at what other processes have changed, however recent the last look.
///
/// @param keys The keys.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_refresh(
    keys: Option<&gk_api_keys>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(keys, "keys")?.inner.refresh()?))
}

/// Whether the rates of all keys are shared by the processes of this machine. For a program that
/// wants to know at its start; where they are not, each process counts for itself, and no key is
/// without its limit.
///
/// @param keys The keys.
/// @param err Receives why they are not; may be NULL.
/// @return GK_STATUS_OK: they are. GK_STATUS_INVALID_CONFIGURATION: limits are off, the store has
/// no place for them, or their file is another user's. GK_STATUS_UNSUPPORTED: this machine cannot
/// share them. The 6000s: their file cannot be opened or made, is full, or is of a newer version.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_check_limits(
    keys: Option<&gk_api_keys>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(keys, "keys")?.inner.check_limits()?))
}

/// Writes down now when keys were last used; otherwise that happens every 10 seconds.
///
/// @param keys The keys.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_flush(
    keys: Option<&gk_api_keys>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(keys, "keys")?.inner.flush()?))
}

/// Writes down what is pending, gives back credits that were not spent, and closes the store for
/// all handles. The handles are still to be freed. Closing a store that may only be read is no
/// error.
///
/// @param keys The keys.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_close(
    keys: Option<&gk_api_keys>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(keys, "keys")?.inner.close()?))
}

/// Hands out a key that was just made.
///
/// # Safety
/// `out` is NULL or writable; `err` as in [`guard`].
unsafe fn issue(
    out: *mut gk_issued_api_key,
    err: *mut gk_error,
    make: impl FnOnce() -> Outcome<IssuedKey>,
) -> gk_status {
    guard(err, || {
        writable(out)?.write(gk_issued_api_key::NONE);
        let issued = make()?;
        let record = issued.record.to_json();
        out.write(gk_issued_api_key {
            secret: gk_buf::copy_of(issued.secret.expose()),
            record: gk_buf::copy_of(record.as_bytes()),
            key_id: [0; GK_API_KEY_ID_SIZE],
        });
        put(&raw mut (*out).key_id, &issued.record.id);
        Ok(())
    })
}
