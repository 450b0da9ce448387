//! `gk_api_key_spec`: what a key is to be like, or what is to change of it.

use super::boundary::{Fault, Outcome, release, share, text};
use super::sticky::{self, Sticky};
use crate::apikey::{CreditSpec, KeySpec, KeyUpdate, Rate};
use crate::{Error, ErrorKind};
use libc::c_char;

/// What a key is to be like (gk_api_keys_create), or what is to change of one (gk_api_keys_update):
/// only what is set. Several calls of gk_api_key_spec_scope and gk_api_key_spec_cidr add up.
#[derive(Default)]
pub struct gk_api_key_spec(pub(super) Sticky<Specified>);

/// What a new key is to be like, and what an update is to change.
#[derive(Default)]
pub(super) struct Specified {
    spec: KeySpec,
    update: KeyUpdate,
}

impl gk_api_key_spec {
    /// What a new key is to be like.
    pub(super) fn of_new_key(&self) -> Outcome<&KeySpec> {
        Ok(&self.0.built()?.spec)
    }

    /// What is to change of a key that is there.
    pub(super) fn of_update(&self) -> Outcome<&KeyUpdate> {
        let all = self.0.built()?;
        match (all.spec.expires_in, all.spec.revoked) {
            (Some(_), _) => Err(OF_A_NEW_KEY.into()),
            (None, true) => Err(OF_AN_IMPORT.into()),
            (None, false) => Ok(&all.update),
        }
    }
}

// Rather than a key that never expires.
const OF_A_NEW_KEY: Error = Error::new(
    ErrorKind::InvalidArgument,
    "gk_api_keys_update takes gk_api_key_spec_expires_at; gk_api_key_spec_expires_in is for a new key.",
);
const OF_AN_IMPORT: Error = Error::new(
    ErrorKind::InvalidArgument,
    "gk_api_key_spec_revoked is for gk_api_key_import_add; a key that is there is revoked by gk_api_keys_revoke.",
);

/// A limit or a list that gk_api_key_spec_clear takes away in an update.
pub type gk_api_key_field = i32;

/// All scopes.
pub const GK_API_KEY_FIELD_SCOPES: gk_api_key_field = 1;
/// All networks: the key may be used from anywhere.
pub const GK_API_KEY_FIELD_CIDRS: gk_api_key_field = 2;
/// The first second at which the key is valid.
pub const GK_API_KEY_FIELD_NOT_BEFORE: gk_api_key_field = 3;
/// The first second at which the key is not valid any more.
pub const GK_API_KEY_FIELD_EXPIRES_AT: gk_api_key_field = 4;
/// The rate.
pub const GK_API_KEY_FIELD_RATE: gk_api_key_field = 5;
/// The credits.
pub const GK_API_KEY_FIELD_CREDITS: gk_api_key_field = 6;

/// A specification that says nothing.
///
/// @return The specification, to be freed with gk_api_key_spec_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_key_spec_new() -> Option<Box<gk_api_key_spec>> {
    share(|| Some(gk_api_key_spec::default()))
}

/// Frees a specification.
///
/// @param spec The specification, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_api_key_spec_free(spec: Option<Box<gk_api_key_spec>>) {
    release(spec);
}

/// Whose key it is. Required for a new key.
///
/// What is out of bounds is refused by the call that uses the specification.
///
/// @param spec The specification.
/// @param owner 1 to 255 bytes of UTF-8; copied.
/// @param owner_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_owner(
    spec: Option<&mut gk_api_key_spec>,
    owner: *const c_char,
    owner_len: usize,
) {
    set(spec, |spec| {
        text(owner, owner_len, "owner")?.clone_into(&mut spec.spec.owner);
        spec.update.owner = Some(spec.spec.owner.clone());
        Ok(())
    });
}

/// What the owner calls the key.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param name At most 255 bytes of UTF-8; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_name(
    spec: Option<&mut gk_api_key_spec>,
    name: *const c_char,
    name_len: usize,
) {
    set(spec, |spec| {
        text(name, name_len, "name")?.clone_into(&mut spec.spec.name);
        spec.update.name = Some(spec.spec.name.clone());
        Ok(())
    });
}

/// The tenant, which cannot be changed later.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param tenant At most 127 bytes of UTF-8; copied.
/// @param tenant_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_tenant(
    spec: Option<&mut gk_api_key_spec>,
    tenant: *const c_char,
    tenant_len: usize,
) {
    set(spec, |spec| {
        text(tenant, tenant_len, "tenant")?.clone_into(&mut spec.spec.tenant);
        Ok(())
    });
}

/// The program's own notes.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param meta One JSON object of at most 4096 bytes; copied.
/// @param meta_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_meta(
    spec: Option<&mut gk_api_key_spec>,
    meta: *const c_char,
    meta_len: usize,
) {
    set(spec, |spec| {
        text(meta, meta_len, "meta")?.clone_into(&mut spec.spec.meta);
        spec.update.meta = Some(spec.spec.meta.clone());
        Ok(())
    });
}

/// Adds something that the key may do.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param scope A scope token of RFC 6749 section 3.3, at most 128 bytes; copied.
/// @param scope_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_scope(
    spec: Option<&mut gk_api_key_spec>,
    scope: *const c_char,
    scope_len: usize,
) {
    set(spec, |spec| {
        spec.spec.scopes.push(text(scope, scope_len, "scope")?.to_owned());
        spec.update.scopes = Some(spec.spec.scopes.clone());
        Ok(())
    });
}

/// Adds a network from which the key may be used; without any, it may be used from anywhere.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param cidr For example 10.0.0.0/8, 2001:db8::/32 or one address; copied.
/// @param cidr_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_cidr(
    spec: Option<&mut gk_api_key_spec>,
    cidr: *const c_char,
    cidr_len: usize,
) {
    set(spec, |spec| {
        spec.spec.cidrs.push(text(cidr, cidr_len, "cidr")?.to_owned());
        spec.update.cidrs = Some(spec.spec.cidrs.clone());
        Ok(())
    });
}

/// When the key becomes valid.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param seconds Seconds since 1970-01-01T00:00:00Z.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_not_before(
    spec: Option<&mut gk_api_key_spec>,
    seconds: u64,
) {
    set(spec, |spec| {
        spec.spec.not_before = Some(seconds);
        spec.update.not_before = Some(Some(seconds));
        Ok(())
    });
}

/// For how long a new key is valid. An update says gk_api_key_spec_expires_at; so may a new key,
/// instead of this.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param seconds Seconds from the moment at which the key is made; at least 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_expires_in(
    spec: Option<&mut gk_api_key_spec>,
    seconds: u64,
) {
    set(spec, |spec| {
        spec.spec.expires_in = Some(seconds);
        Ok(())
    });
}

/// When the key stops being valid; not with gk_api_key_spec_expires_in.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param seconds Seconds since 1970-01-01T00:00:00Z: of a new key, a time to come.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_expires_at(
    spec: Option<&mut gk_api_key_spec>,
    seconds: u64,
) {
    set(spec, |spec| {
        spec.spec.expires_at = Some(seconds);
        spec.update.expires_at = Some(Some(seconds));
        Ok(())
    });
}

/// Says that another system has revoked the key: for gk_api_key_import_add alone. It is imported as
/// a revoked one.
///
/// @param spec The specification.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_revoked(spec: Option<&mut gk_api_key_spec>) {
    set(spec, |spec| {
        spec.spec.revoked = true;
        Ok(())
    });
}

/// How often the key may be used. The processes of one machine share the limit, over restarts (see
/// gk_api_key_options_limits); each machine has a limit of its own, unless gk_store_options_limits
/// names a server for all.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param burst Units at once, and in each period; at least 1.
/// @param period_seconds The period; at least 1, at most 366 days.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_rate(
    spec: Option<&mut gk_api_key_spec>,
    burst: u32,
    period_seconds: u32,
) {
    set(spec, |spec| {
        let rate = Rate { burst, period: period_seconds };
        spec.spec.rate = Some(rate);
        spec.update.rate = Some(Some(rate));
        Ok(())
    });
}

/// How much the key may be used.
///
/// @return As gk_api_key_spec_owner.
///
/// @param spec The specification.
/// @param amount The credits there are at first.
/// @param refill What each refill adds; 0 for no refill.
/// @param every_seconds The time between refills; 0 for no refill.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_credits(
    spec: Option<&mut gk_api_key_spec>,
    amount: u64,
    refill: u64,
    every_seconds: u32,
) {
    set(spec, |spec| {
        let credits = CreditSpec { amount, refill, every: every_seconds, limit: None };
        spec.spec.credits = Some(credits);
        spec.update.credits = Some(Some(credits));
        Ok(())
    });
}

/// Takes a limit or a list away, in an update.
///
/// @param spec The specification.
/// @param field A GK_API_KEY_FIELD_ constant.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_api_key_spec_clear(
    spec: Option<&mut gk_api_key_spec>,
    field: gk_api_key_field,
) {
    set(spec, |spec| {
        let update = &mut spec.update;
        match field {
            GK_API_KEY_FIELD_SCOPES => update.scopes = Some(Vec::new()),
            GK_API_KEY_FIELD_CIDRS => update.cidrs = Some(Vec::new()),
            GK_API_KEY_FIELD_NOT_BEFORE => update.not_before = Some(None),
            GK_API_KEY_FIELD_EXPIRES_AT => {
                update.expires_at = Some(None);
                spec.spec.expires_at = None;
            }
            GK_API_KEY_FIELD_RATE => update.rate = Some(None),
            GK_API_KEY_FIELD_CREDITS => update.credits = Some(None),
            _ => return Err(Fault::OutOfRange("field")),
        }
        Ok(())
    });
}

fn set(spec: Option<&mut gk_api_key_spec>, change: impl FnOnce(&mut Specified) -> Outcome<()>) {
    sticky::set_in(spec.map(|spec| &mut spec.0), change);
}
