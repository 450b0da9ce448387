//! The API keys of one owner: a handle through which no other key is seen, made or changed.

use super::apikey::gk_api_keys;
use super::boundary::{create, given, lent};
use super::buf::gk_str;
use super::error::gk_error;
use super::status::gk_status;

/// Whose API keys are meant.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_api_key_owner {
    /// The owner: 1 to 255 bytes of UTF-8.
    pub owner: gk_str,
    /// The tenant, of which the owner is a name; {NULL, 0} or empty for keys without one.
    pub tenant: gk_str,
}

/// Shares keys, of which those of one owner alone are seen, made and changed through the new
/// handle, for programs whose users choose a key by its id, which is public. Another owner's key is
/// GK_STATUS_API_KEY_NOT_FOUND. Calls about all keys (the audit, purges, imports, peppers) are
/// GK_STATUS_INVALID_ARGUMENT. Keys are verified as before.
///
/// @param keys The keys.
/// @param owner Whose; copied.
/// @param owned Receives the handle, to be freed with gk_api_keys_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_api_keys_owned_by(
    keys: Option<&gk_api_keys>,
    owner: Option<&gk_api_key_owner>,
    owned: *mut *mut gk_api_keys,
    err: *mut gk_error,
) -> gk_status {
    create(owned, err, || {
        let owner = given(owner, "owner")?;
        let name = lent(&owner.owner, "owner")?;
        let tenant = lent(&owner.tenant, "tenant")?;
        let keys = &given(keys, "keys")?.inner;
        Ok(gk_api_keys { inner: keys.owned_by(name.unwrap_or(""), tenant.unwrap_or(""))? })
    })
}
