//! `gk_guard_demand`: what a route demands of its caller, made once, when the route is.

use super::access::{access_kind, gk_access_kind};
use super::boundary::{Outcome, create, given, look, release, share, text};
use super::error::gk_error;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::guard::{AccessKind, Demand, DemandBuilder, Pair};
use crate::{Error, ErrorKind};
use libc::c_char;

/// What a route demands of its caller, for gk_guard_check: made once, when the route is, and kept
/// with it. Shared by all threads. (gk_demand is that of gk_resource_server_check.)
pub struct gk_guard_demand(pub(super) Demand);

/// A gk_guard_demand while it is put together. The setters keep the first thing that was wrong,
/// which gk_guard_demand_builder_build reports.
#[derive(Default)]
pub struct gk_guard_demand_builder(Sticky<Building>);

#[derive(Clone, Default)]
struct Building {
    demand: DemandBuilder,
    kinds: Vec<AccessKind>,
    pair: Vec<AccessKind>,
    same_tenant: bool,
    same_subject: bool,
}

/// Begins a demand of any caller that is known.
///
/// @return The builder, to be freed with gk_guard_demand_builder_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_demand_builder_new() -> Option<Box<gk_guard_demand_builder>> {
    share(|| Some(gk_guard_demand_builder::default()))
}

/// Frees a builder.
///
/// @param builder The builder, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_demand_builder_free(builder: Option<Box<gk_guard_demand_builder>>) {
    release(builder);
}

/// Takes this kind of credential; several calls, several kinds. All that the guard knows unless
/// set. One of another kind is refused before anything of it is looked at.
///
/// @param builder The builder.
/// @param kind One of the GK_ACCESS_ constants, but for GK_ACCESS_ANONYMOUS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_kind(
    builder: Option<&mut gk_guard_demand_builder>,
    kind: gk_access_kind,
) {
    set_in(builder, |all| {
        all.kinds.push(access_kind(kind)?);
        Ok(())
    });
}

/// Demands a scope; with several calls, all of them; at most 16.
///
/// @param builder The builder.
/// @param scope The scope; copied.
/// @param scope_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_scope(
    builder: Option<&mut gk_guard_demand_builder>,
    scope: *const c_char,
    scope_len: usize,
) {
    set(builder, |demand| Ok(demand.scopes([text(scope, scope_len, "scope")?])));
}

/// Demands one of several scopes, a call for each; at most 16.
///
/// @param builder The builder.
/// @param scope The scope; copied.
/// @param scope_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_any_scope(
    builder: Option<&mut gk_guard_demand_builder>,
    scope: *const c_char,
    scope_len: usize,
) {
    set(builder, |demand| Ok(demand.any_scopes([text(scope, scope_len, "scope")?])));
}

/// Demands that the caller belongs to a tenant; see gk_guard_demand_in_tenant for one that a
/// request names.
///
/// @param builder The builder.
/// @param tenant The tenant; copied.
/// @param tenant_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_tenant(
    builder: Option<&mut gk_guard_demand_builder>,
    tenant: *const c_char,
    tenant_len: usize,
) {
    set(builder, |demand| Ok(demand.tenant(text(tenant, tenant_len, "tenant")?)));
}

/// Demands that a claim has this value; several calls of one name, any of the values. API keys have
/// no claims.
///
/// @param builder The builder.
/// @param name The claim's name; copied.
/// @param name_len Its length in bytes.
/// @param json The value as JSON text, such as "\"gold\"" with its quotes; copied.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_claim(
    builder: Option<&mut gk_guard_demand_builder>,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
) {
    set(builder, |demand| {
        let name = text(name, name_len, "name")?;
        Ok(demand.claim(name, text(json, json_len, "json")?))
    });
}

/// Demands a way in which the user must have signed in (`acr`, RFC 9470); with several calls, one
/// of them; at most 16.
///
/// @param builder The builder.
/// @param acr The value of `acr`; copied.
/// @param acr_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_acr_value(
    builder: Option<&mut gk_guard_demand_builder>,
    acr: *const c_char,
    acr_len: usize,
) {
    set(builder, |demand| Ok(demand.acr_values([text(acr, acr_len, "acr")?])));
}

/// Demands that the user has signed in within this many seconds (`auth_time`, RFC 9470). Sessions
/// of our own say when they were started.
///
/// @param builder The builder.
/// @param seconds How many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_max_age(
    builder: Option<&mut gk_guard_demand_builder>,
    seconds: u64,
) {
    set(builder, |demand| Ok(demand.max_age(seconds)));
}

/// Demands a token of the sign-in itself, and not of a refresh (`auth_time` and `iat` are at most
/// 60 s apart).
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_fresh(
    builder: Option<&mut gk_guard_demand_builder>,
) {
    set(builder, |demand| Ok(demand.fresh()));
}

/// How many units of an API key's rate and credits the call takes.
///
/// @param builder The builder.
/// @param units 1 unless set; 0 takes none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_cost(
    builder: Option<&mut gk_guard_demand_builder>,
    units: u32,
) {
    set(builder, |demand| Ok(demand.cost(units)));
}

/// How often this may be done from one address, counted by each process, or for all machines where
/// gk_store_options_limits says; several calls, several limits. Demands whose limits
/// have one name count together, whatever the route. Taken when everything else has passed.
///
/// @param builder The builder.
/// @param name The name: 1 to 64 visible ASCII characters without quotes and backslashes; copied.
/// @param name_len Its length in bytes.
/// @param rate Such as `5/min`; copied.
/// @param rate_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_limit(
    builder: Option<&mut gk_guard_demand_builder>,
    name: *const c_char,
    name_len: usize,
    rate: *const c_char,
    rate_len: usize,
) {
    set(builder, |demand| {
        let name = text(name, name_len, "name")?;
        Ok(demand.limit(name, text(rate, rate_len, "rate")?))
    });
}

/// Demands a CSRF token of a cookie's request with every method, and not only with those that may
/// change something.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_csrf_always(
    builder: Option<&mut gk_guard_demand_builder>,
) {
    set(builder, |demand| Ok(demand.csrf_always()));
}

/// No check for forged requests: any page that the user's browser shows can do this in the user's
/// name.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_danger_no_csrf(
    builder: Option<&mut gk_guard_demand_builder>,
) {
    set(builder, |demand| Ok(demand.danger_no_csrf()));
}

/// Lets in who brings no credential; one that is there must be good.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_optional(
    builder: Option<&mut gk_guard_demand_builder>,
) {
    set(builder, |demand| Ok(demand.optional()));
}

/// Lets in everybody, and looks at no credential: for log-ins and health checks. Limits hold.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_public(
    builder: Option<&mut gk_guard_demand_builder>,
) {
    set(builder, |demand| Ok(demand.public()));
}

/// Callers who are not known change something from our own pages alone: for the forms of log-ins,
/// which no cookie proves, so that no other site logs its visitors in as a user of its choice. By
/// what the browser says of where a request comes from or, if it says nothing, by a CSRF token
/// (gk_guard_form_token). For demands that are public or optional.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_own_pages(
    builder: Option<&mut gk_guard_demand_builder>,
) {
    set(builder, |demand| Ok(demand.own_pages()));
}

/// Takes two credentials: this demand is about the one whose kind gk_guard_demand_builder_kind
/// names, and the other is of this kind; several calls, one of several. Both must be there, and
/// good; nothing of what the other may do is granted.
///
/// @param builder The builder.
/// @param kind One of the GK_ACCESS_ constants, but for GK_ACCESS_ANONYMOUS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_pair(
    builder: Option<&mut gk_guard_demand_builder>,
    kind: gk_access_kind,
) {
    set_in(builder, |all| {
        all.pair.push(access_kind(kind)?);
        Ok(())
    });
}

/// Both credentials of a pair belong to one tenant, and neither to none.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_same_tenant(
    builder: Option<&mut gk_guard_demand_builder>,
) {
    set_in(builder, |all| {
        all.same_tenant = true;
        Ok(())
    });
}

/// Both credentials of a pair name one subject: an API key's owner is the other's subject. Tenants
/// are the same too, or both have none.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_demand_builder_same_subject(
    builder: Option<&mut gk_guard_demand_builder>,
) {
    set_in(builder, |all| {
        all.same_subject = true;
        Ok(())
    });
}

/// Makes the demand.
///
/// @param builder The builder, which can be used again.
/// @param demand Receives the demand, to be freed with gk_guard_demand_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION for a scope, tenant,
/// claim, `acr` value or limit that can never be met, and for demands that contradict each other:
/// gk_error_claim names it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_demand_builder_build(
    builder: Option<&gk_guard_demand_builder>,
    demand: *mut *mut gk_guard_demand,
    err: *mut gk_error,
) -> gk_status {
    create(demand, err, || {
        let all = given(builder, "builder")?.0.built()?.clone();
        let mut demand = all.demand;
        if !all.kinds.is_empty() {
            demand = demand.kinds(all.kinds);
        }
        if !all.pair.is_empty() {
            let mut pair = Pair::with(all.pair);
            if all.same_tenant {
                pair = pair.same_tenant();
            }
            if all.same_subject {
                pair = pair.same_subject();
            }
            demand = demand.pair(pair);
        } else if all.same_tenant || all.same_subject {
            return Err(NO_PAIR.about_claim("pair").into());
        }
        Ok(gk_guard_demand(demand.build()?))
    })
}

/// The same demand, of callers of this tenant: for a tenant that the request names, such as in its
/// path. A tenant without a name is nobody's.
///
/// @param demand The demand.
/// @param tenant The tenant, UTF-8; copied.
/// @param tenant_len Its length in bytes.
/// @param narrower Receives the other demand, to be freed with gk_guard_demand_free; NULL if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not UTF-8.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_demand_in_tenant(
    demand: Option<&gk_guard_demand>,
    tenant: *const c_char,
    tenant_len: usize,
    narrower: *mut *mut gk_guard_demand,
    err: *mut gk_error,
) -> gk_status {
    create(narrower, err, || {
        let tenant = text(tenant, tenant_len, "tenant")?;
        Ok(gk_guard_demand(given(demand, "demand")?.0.in_tenant(tenant)))
    })
}

/// Whether everybody is let in, without a look at credentials: for a service that lists its routes.
///
/// @param demand The demand.
/// @return True if it is; false for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_demand_is_public(demand: Option<&gk_guard_demand>) -> bool {
    look(false, || Some(demand?.0.is_public()))
}

/// Shares a demand.
///
/// @param demand The demand; NULL is fine.
/// @return Another handle to the same, to be freed with gk_guard_demand_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_demand_clone(
    demand: Option<&gk_guard_demand>,
) -> Option<Box<gk_guard_demand>> {
    share(|| Some(gk_guard_demand(demand?.0.clone())))
}

/// Frees a handle to a demand.
///
/// @param demand The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_demand_free(demand: Option<Box<gk_guard_demand>>) {
    release(demand);
}

/// Replaces what was set by what the change makes of it.
fn set(
    builder: Option<&mut gk_guard_demand_builder>,
    change: impl FnOnce(DemandBuilder) -> Outcome<DemandBuilder>,
) {
    sticky::set(builder.map(|builder| &mut builder.0), |all| {
        Ok(Building { demand: change(all.demand)?, ..all })
    });
}

/// [`set`] for what this file keeps itself.
fn set_in(
    builder: Option<&mut gk_guard_demand_builder>,
    change: impl FnOnce(&mut Building) -> Outcome<()>,
) {
    sticky::set_in(builder.map(|builder| &mut builder.0), change);
}

const NO_PAIR: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "What two credentials have in common (`same_tenant`, `same_subject`) is about a `pair`; name its kinds.",
);
