//! `gk_demand` and `gk_caller`: what a route demands, and what a request brings.

use super::apikey_verify::credential_place;
use super::boundary::{Outcome, caller_address, release, sent, share, text};
use super::sticky::{self, Sticky};
use crate::apikey::CredentialPlace;
use crate::resource::{Demand, Presented};
use core::net::IpAddr;
use libc::c_char;
use std::borrow::Cow;

/// What a route demands of its caller: made once, shared by all threads. The setters keep the first
/// thing that was wrong, which gk_resource_server_check reports.
#[derive(Default)]
pub struct gk_demand(pub(super) Sticky<Demanded>);

#[derive(Default)]
pub(super) struct Demanded {
    scopes: Vec<String>,
    acr_values: Vec<String>,
    max_age: Option<u64>,
    tenant: Option<String>,
    decided_by: Option<CredentialPlace>,
}

/// Any caller that is known.
///
/// @return The demand, to be freed with gk_demand_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_demand_new() -> Option<Box<gk_demand>> {
    share(|| Some(gk_demand::default()))
}

/// Frees a demand.
///
/// @param demand The demand, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_demand_free(demand: Option<Box<gk_demand>>) {
    release(demand);
}

/// Demands a scope; with several calls, all of them.
///
/// @param demand The demand.
/// @param scope The scope; copied.
/// @param scope_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_demand_scope(
    demand: Option<&mut gk_demand>,
    scope: *const c_char,
    scope_len: usize,
) {
    sticky::set_in(demand.map(|demand| &mut demand.0), |all| {
        all.scopes.push(text(scope, scope_len, "scope")?.to_owned());
        Ok(())
    });
}

/// Demands a way in which the user must have signed in (RFC 9470); with several calls, one of them.
///
/// @param demand The demand.
/// @param acr The value of `acr`; copied.
/// @param acr_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_demand_acr_value(
    demand: Option<&mut gk_demand>,
    acr: *const c_char,
    acr_len: usize,
) {
    sticky::set_in(demand.map(|demand| &mut demand.0), |all| {
        all.acr_values.push(text(acr, acr_len, "acr")?.to_owned());
        Ok(())
    });
}

/// Demands that the user has signed in within this many seconds (RFC 9470).
///
/// @param demand The demand.
/// @param seconds How many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_demand_max_age(demand: Option<&mut gk_demand>, seconds: u64) {
    sticky::set_in(demand.map(|demand| &mut demand.0), |all| {
        all.max_age = Some(seconds);
        Ok(())
    });
}

/// Demands that the caller belongs to a tenant: an API key's own, or that of a token's claim, see
/// gk_resource_server_builder_tenant_claim.
///
/// @param demand The demand.
/// @param tenant The tenant; copied.
/// @param tenant_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_demand_tenant(
    demand: Option<&mut gk_demand>,
    tenant: *const c_char,
    tenant_len: usize,
) {
    sticky::set_in(demand.map(|demand| &mut demand.0), |all| {
        all.tenant = Some(text(tenant, tenant_len, "tenant")?.to_owned());
        Ok(())
    });
}

/// Lets a request bring two credentials and says which of them decides. That one must be there, it
/// alone must meet the demand, and what is granted is what it grants; the other, if it is there,
/// must be valid. Unless set, a request has exactly one credential.
///
/// @param demand The demand.
/// @param place GK_CREDENTIAL_AUTHORIZATION or GK_CREDENTIAL_API_KEY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_demand_decided_by(demand: Option<&mut gk_demand>, place: i32) {
    sticky::set_in(demand.map(|demand| &mut demand.0), |all| {
        all.decided_by = Some(credential_place(place)?);
        Ok(())
    });
}

/// What of a request says who calls, as it came: none of it is trusted. What is not there is
/// NULL and 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_caller {
    /// The value of its one Authorization header; NULL and 0 for a request without.
    pub authorization: *const c_char,
    /// Its length in bytes.
    pub authorization_len: usize,
    /// The caller's address as text, for API keys with an allow-list; NULL and 0 for unknown, as
    /// which a text that is no address counts.
    pub address: *const c_char,
    /// Its length in bytes.
    pub address_len: usize,
    /// The value of its one X-API-Key header, or of the program's own header for API keys; NULL and
    /// 0 for a request without. Nothing but API keys is looked for here.
    pub api_key: *const c_char,
    /// Its length in bytes.
    pub api_key_len: usize,
}

impl Demanded {
    /// The scopes and the values of `acr`.
    pub(super) fn lists(&self) -> (Vec<&str>, Vec<&str>) {
        (lent(&self.scopes), lent(&self.acr_values))
    }

    /// Puts the rest into the demand.
    pub(super) fn ask<'a>(&'a self, demand: &mut Demand<'a>) {
        demand.max_age = self.max_age;
        demand.tenant = self.tenant.as_deref();
        demand.decided_by = self.decided_by;
    }
}

fn lent(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// What a request brings, read.
pub(super) struct Sent<'a> {
    authorization: Cow<'a, str>,
    api_key: Option<Cow<'a, str>>,
    pub(super) address: Option<IpAddr>,
}

impl gk_caller {
    /// # Safety
    /// As [`super::boundary::slice`], for each of the texts.
    pub(super) unsafe fn sent(&self) -> Outcome<Sent<'_>> {
        let api_key = sent(self.api_key, self.api_key_len, "api_key")?;
        Ok(Sent {
            authorization: sent(self.authorization, self.authorization_len, "authorization")?,
            api_key: (!self.api_key.is_null()).then_some(api_key),
            address: caller_address(self.address, self.address_len, "address")?,
        })
    }
}

impl Sent<'_> {
    pub(super) fn presented(&self) -> Presented<'_> {
        let mut presented = Presented::new().authorization(&self.authorization);
        presented.api_key = self.api_key.as_deref();
        presented
    }
}
