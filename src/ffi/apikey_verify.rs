//! `gk_api_keys_verify`: the hot path, which allocates nothing here, and what goes with it.

use super::apikey::gk_api_keys;
use super::boundary::{
    Fault, Outcome, caller_address, chars, given, guard, lend, release, share, slice, text,
    writable,
};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::status::{GK_STATUS_OK, gk_status};
use super::sticky::{self, Sticky};
use crate::ErrorKind;
use crate::apikey::{Check, CredentialPlace, Grant, api_key_from_headers, api_key_from_headers_at};
use libc::c_char;

/// The size of gk_api_key_result.key_id in bytes.
pub const GK_API_KEY_ID_SIZE: usize = 16;
/// The size of gk_api_key_result.owner in bytes.
pub const GK_API_KEY_OWNER_SIZE: usize = 256;
/// The size of gk_api_key_result.tenant in bytes.
pub const GK_API_KEY_TENANT_SIZE: usize = 128;

/// The outcome of gk_api_keys_verify, in memory of the caller's, usually on the stack; nothing in
/// it needs freeing, and it can be used again.
#[repr(C)]
pub struct gk_api_key_result {
    /// The status that the call returned.
    pub status: gk_status,
    /// What an HTTP service answers: 200, 401, 403, 429 or 503.
    pub http_status: u16,
    /// The milliseconds after which the same call may succeed; 0 where waiting is no remedy.
    pub retry_after_ms: u32,
    /// When the key stops being valid, in seconds since 1970; 0 for never. 0 if it was refused.
    pub expires_at: u64,
    /// The key's id, NUL-terminated; of a key that was refused only if its secret was proved, else
    /// empty.
    pub key_id: [c_char; GK_API_KEY_ID_SIZE],
    /// Whose key it is, in UTF-8, NUL-terminated; empty if the key was refused.
    pub owner: [c_char; GK_API_KEY_OWNER_SIZE],
    /// The tenant, in UTF-8, NUL-terminated; empty if it has no tenant or the key was refused.
    pub tenant: [c_char; GK_API_KEY_TENANT_SIZE],
}

/// What a request says of who makes it, as it came: none of it is trusted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_api_key_request {
    /// The key that the caller sent, whatever it is; {NULL, 0} for none.
    pub key: gk_str,
    /// The caller's address as text, IPv4 or IPv6 without a port; {NULL, 0} if it is not known,
    /// which refuses keys that are limited to addresses. A text that is no address says as much.
    pub address: gk_str,
}

/// What a route needs of a key: made once, shared by all threads.
#[derive(Default)]
pub struct gk_api_key_check(Sticky<Wanted>);

#[derive(Default)]
struct Wanted {
    scopes: Vec<Box<str>>,
    tenant: Option<Box<str>>,
    cost: Option<u32>,
}

/// The most scopes that one check demands.
const MOST: usize = 16;

/// A check that demands nothing: no scope, any tenant, a cost of 1.
///
/// @return The check, to be freed with gk_api_key_check_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_key_check_new() -> Option<Box<gk_api_key_check>> {
    share(|| Some(gk_api_key_check::default()))
}

/// Frees a check.
///
/// @param check The check, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_key_check_free(check: Option<Box<gk_api_key_check>>) {
    release(check);
}

/// Demands a scope; with several calls, all of them.
///
/// @param check The check.
/// @param scope The scope; copied. At most 16 in all.
/// @param scope_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_check_scope(
    check: Option<&mut gk_api_key_check>,
    scope: *const c_char,
    scope_len: usize,
) {
    change(check, |check| {
        if check.scopes.len() == MOST {
            return Err(Fault::OutOfRange("scope"));
        }
        check.scopes.push(text(scope, scope_len, "scope")?.into());
        Ok(())
    });
}

/// Demands a tenant.
///
/// @param check The check.
/// @param tenant The tenant; copied.
/// @param tenant_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_check_tenant(
    check: Option<&mut gk_api_key_check>,
    tenant: *const c_char,
    tenant_len: usize,
) {
    change(check, |check| {
        check.tenant = Some(text(tenant, tenant_len, "tenant")?.into());
        Ok(())
    });
}

/// How many units of the rate and how many credits the request takes.
///
/// @param check The check.
/// @param cost 1 unless set; 0 takes none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_check_cost(check: Option<&mut gk_api_key_check>, cost: u32) {
    change(check, |check| {
        check.cost = Some(cost);
        Ok(())
    });
}

/// Verifies a presented key, and takes the request's cost from its limits. Allocates nothing.
///
/// @param keys The keys.
/// @param request The caller's key and address; borrowed for the call.
/// @param check What the route needs; NULL for nothing.
/// @param result Receives the outcome, refusals included; may be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MALFORMED_API_KEY, GK_STATUS_UNKNOWN_API_KEY and
/// GK_STATUS_BAD_API_KEY_SECRET, which have one message for the caller; the other 3000s;
/// GK_STATUS_STORE_UNAVAILABLE if the store has been silent for too long.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_verify(
    keys: Option<&gk_api_keys>,
    request: Option<&gk_api_key_request>,
    check: Option<&gk_api_key_check>,
    result: *mut gk_api_key_result,
    err: *mut gk_error,
) -> gk_status {
    let mut refused: Option<crate::Error> = None;
    let status = guard(err, || {
        let wanted: [&str; MOST];
        let request = given(request, "request")?;
        let presented = chars(request.key.data, request.key.len, "key")?;
        let mut wants = Check::new();
        if let Some(check) = check {
            let check = check.0.built()?;
            wants = wants.cost(check.cost.unwrap_or(1));
            if let Some(tenant) = &check.tenant {
                wants = wants.tenant(tenant);
            }
            wanted = std::array::from_fn(|n| check.scopes.get(n).map_or("", |scope| &**scope));
            wants = wants.scopes(wanted.get(..check.scopes.len()).unwrap_or_default());
        }
        if let Some(ip) = caller_address(request.address.data, request.address.len, "address")? {
            wants = wants.ip(ip);
        }
        match given(keys, "keys")?.inner.verify(presented, &wants) {
            // Written from where it is: a grant is too large to be passed on.
            Ok(grant) if !result.is_null() => {
                gk_api_key_result::write(result, GK_STATUS_OK, Some(&grant), None);
            }
            Ok(_) => {}
            Err(error) => {
                refused = Some(error.clone());
                return Err(error.into());
            }
        }
        Ok(())
    });
    if status != GK_STATUS_OK && !result.is_null() {
        gk_api_key_result::write(result, status, None, refused.as_ref());
    }
    status
}

fn change(check: Option<&mut gk_api_key_check>, change: impl FnOnce(&mut Wanted) -> Outcome<()>) {
    sticky::set_in(check.map(|check| &mut check.0), change);
}

impl gk_api_key_result {
    /// Writes what there is to say, and no more: most of the place stays as it was.
    ///
    /// # Safety
    /// `out` is writable.
    unsafe fn write(
        out: *mut Self,
        status: gk_status,
        grant: Option<&Grant>,
        refused: Option<&crate::Error>,
    ) {
        let retry_after_ms = refused.and_then(crate::Error::retry_after).unwrap_or(0);
        let refused_id = refused.and_then(crate::Error::api_key_id).unwrap_or("");
        let http_status = match ErrorKind::from_number(status) {
            _ if status == GK_STATUS_OK => 200,
            Some(kind) => kind.http_status(),
            None => 500,
        };
        let texts = grant.map_or((refused_id, "", ""), |g| (g.key_id(), g.owner(), g.tenant()));
        // SAFETY: writable by contract; nothing of it is read.
        unsafe {
            (&raw mut (*out).status).write(status);
            (&raw mut (*out).http_status).write(http_status);
            (&raw mut (*out).retry_after_ms).write(retry_after_ms);
            (&raw mut (*out).expires_at).write(grant.and_then(Grant::expires_at).unwrap_or(0));
            put(&raw mut (*out).key_id, texts.0);
            put(&raw mut (*out).owner, texts.1);
            put(&raw mut (*out).tenant, texts.2);
        }
    }
}

/// Writes a text that fits, and a NUL, to the front of an array.
///
/// # Safety
/// `array` is writable.
pub(super) unsafe fn put<const N: usize>(array: *mut [c_char; N], text: &str) {
    let len = text.len().min(N - 1);
    // SAFETY: the array is writable, is not text's own memory, and has room for `len` and the NUL.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), array.cast::<u8>(), len);
        array.cast::<u8>().add(len).write(0);
    }
}

/// The API key among a request's headers: of `Authorization: Bearer` or of `X-API-Key`.
///
/// @param names The headers' names, UTF-8.
/// @param values The headers' values, UTF-8, as many as names.
/// @param len How many there are.
/// @param key Receives the key, which lies in one of the values; {NULL, 0} if there is no key.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MALFORMED_API_KEY if there is more than one, or an empty one.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_key_from_headers(
    names: *const gk_str,
    values: *const gk_str,
    len: usize,
    key: *mut gk_str,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || find_key(names, values, len, None, key))
}

/// A credential in the Authorization header: a token, or an API key.
pub const GK_CREDENTIAL_AUTHORIZATION: i32 = 1;
/// An API key in the header of its own.
pub const GK_CREDENTIAL_API_KEY: i32 = 2;

/// As gk_api_key_from_headers, of one place alone: for clients that send an API key beside an
/// Authorization header with a token of their user's, which is not looked at here.
///
/// @param names The headers' names, UTF-8.
/// @param values The headers' values, UTF-8, as many as names.
/// @param len How many there are.
/// @param place GK_CREDENTIAL_AUTHORIZATION or GK_CREDENTIAL_API_KEY.
/// @param key Receives the key, which lies in one of the values; {NULL, 0} if there is no key.
/// @param err Receives the error; may be NULL.
/// @return As gk_api_key_from_headers; GK_STATUS_INVALID_ARGUMENT if the place is neither.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_key_from_headers_at(
    names: *const gk_str,
    values: *const gk_str,
    len: usize,
    place: i32,
    key: *mut gk_str,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || find_key(names, values, len, Some(place), key))
}

/// The place by its code.
pub(super) const fn credential_place(code: i32) -> Outcome<CredentialPlace> {
    match code {
        GK_CREDENTIAL_AUTHORIZATION => Ok(CredentialPlace::Authorization),
        GK_CREDENTIAL_API_KEY => Ok(CredentialPlace::ApiKey),
        _ => Err(Fault::OutOfRange("place")),
    }
}

/// # Safety
/// As [`slice`], for the names, the values and each of them.
unsafe fn find_key(
    names: *const gk_str,
    values: *const gk_str,
    len: usize,
    place: Option<i32>,
    key: *mut gk_str,
) -> Outcome<()> {
    writable(key)?.write(gk_str::NONE);
    let place = place.map(credential_place).transpose()?;
    let names = slice(names, len, "names")?.iter();
    let values = slice(values, len, "values")?.iter();
    let mut pairs = Vec::with_capacity(len.min(1024));
    for (name, value) in names.zip(values) {
        let name = text(name.data, name.len, "names")?;
        pairs.push((name, text(value.data, value.len, "values")?));
    }
    let found = match place {
        None => api_key_from_headers(pairs),
        Some(place) => api_key_from_headers_at(pairs, place),
    };
    if let Some(found) = found? {
        key.write(lend(found));
    }
    Ok(())
}

/// The rules by which scanners find keys that were committed by mistake.
///
/// @param prefix The prefix of the keys.
/// @param prefix_len Its length in bytes.
/// @param regex Receives a regular expression, to be freed with gk_buf_free.
/// @param gitleaks Receives a rule of gitleaks, as TOML, to be freed with gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_scan_rule(
    prefix: *const c_char,
    prefix_len: usize,
    regex: *mut gk_buf,
    gitleaks: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(regex)?.write(gk_buf::EMPTY);
        writable(gitleaks)?.write(gk_buf::EMPTY);
        let rule: Outcome<_> = Ok(crate::apikey::scan_rule(text(prefix, prefix_len, "prefix")?)?);
        let rule = rule?;
        regex.write(gk_buf::copy_of(rule.regex.as_bytes()));
        gitleaks.write(gk_buf::copy_of(rule.gitleaks.as_bytes()));
        Ok(())
    })
}
