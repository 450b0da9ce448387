//! `gk_door_rule`: what a resource server accepts of one issuer's tokens.

use super::alg::gk_alg;
use super::boundary::{Outcome, algs, given, release, share, text};
use super::resource::{self, gk_resource_server_builder};
use super::sticky::{self, Sticky};
use crate::resource::DoorRule;
use libc::c_char;

/// What a door accepts of one issuer's tokens instead of what it accepts of all; what is not set is
/// as the door has it. The setters keep the first thing that was wrong, which
/// gk_resource_server_builder_build reports.
pub struct gk_door_rule(Sticky<DoorRule>);

/// Begins a rule that says nothing.
///
/// @return The rule, to be freed with gk_door_rule_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_door_rule_new() -> Option<Box<gk_door_rule>> {
    share(|| Some(gk_door_rule(Sticky::new(DoorRule::new()))))
}

/// Frees a rule; doors that have it are not affected.
///
/// @param rule The rule, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_door_rule_free(rule: Option<Box<gk_door_rule>>) {
    release(rule);
}

/// The issuer's tokens must name this audience; several calls, one of several.
///
/// @param rule The rule.
/// @param audience The audience, 1 to 1024 bytes; copied.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_audience(
    rule: Option<&mut gk_door_rule>,
    audience: *const c_char,
    audience_len: usize,
) {
    set(rule, |rule| Ok(rule.audience(text(audience, audience_len, "audience")?)));
}

/// They may be for any audience and for none; only with clients that are named, here or for the
/// whole door.
///
/// @param rule The rule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_any_audience(rule: Option<&mut gk_door_rule>) {
    set(rule, |rule| Ok(rule.any_audience()));
}

/// They must be of this client; several calls, several clients.
///
/// @param rule The rule.
/// @param client_id The client's id; copied.
/// @param client_id_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_client(
    rule: Option<&mut gk_door_rule>,
    client_id: *const c_char,
    client_id_len: usize,
) {
    set(rule, |rule| Ok(rule.client(text(client_id, client_id_len, "client_id")?)));
}

/// They have this `typ` instead of `at+jwt`; several calls, several types.
///
/// @param rule The rule.
/// @param typ The type; copied.
/// @param typ_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_token_type(
    rule: Option<&mut gk_door_rule>,
    typ: *const c_char,
    typ_len: usize,
) {
    set(rule, |rule| Ok(rule.token_type(text(typ, typ_len, "typ")?)));
}

/// They may have no `typ`.
///
/// @param rule The rule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_allow_missing_type(rule: Option<&mut gk_door_rule>) {
    set(rule, |rule| Ok(rule.allow_missing_type()));
}

/// Their claim of this name has this value; several calls of one name, any of the values. Of opaque
/// tokens, the answer's member. See gk_policy_expect_claim.
///
/// @param rule The rule.
/// @param name The claim's name, not empty, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param json The value as JSON text, such as "\"access\"" with its quotes; copied.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_claim(
    rule: Option<&mut gk_door_rule>,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
) {
    set(rule, |rule| {
        let name = text(name, name_len, "name")?;
        Ok(rule.claim(name, text(json, json_len, "json")?))
    });
}

/// They are signed with one of these algorithms.
///
/// @param rule The rule.
/// @param codes GK_ALG_ constants; copied.
/// @param codes_len How many; at least one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_algorithms(
    rule: Option<&mut gk_door_rule>,
    codes: *const gk_alg,
    codes_len: usize,
) {
    set(rule, |rule| Ok(rule.algorithms(algs(codes, codes_len)?)));
}

/// How many seconds the issuer's clock may be off.
///
/// @param rule The rule.
/// @param seconds At most 600.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_leeway(rule: Option<&mut gk_door_rule>, seconds: u64) {
    set(rule, |rule| Ok(rule.leeway(seconds)));
}

/// The claim that names a token's tenant.
///
/// @param rule The rule.
/// @param name The claim's name; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_door_rule_tenant_claim(
    rule: Option<&mut gk_door_rule>,
    name: *const c_char,
    name_len: usize,
) {
    set(rule, |rule| Ok(rule.tenant_claim(text(name, name_len, "name")?)));
}

/// Accepts of this issuer's tokens what the rule says, instead of what the door says of all. It
/// holds for what the issuer answers about opaque tokens, too. The issuer is one that is named with
/// its keys, or asked about tokens; a second rule replaces the first.
///
/// @param builder The builder.
/// @param issuer Its `iss`; copied.
/// @param issuer_len Its length in bytes.
/// @param rule The rule; copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_issuer_rule(
    builder: Option<&mut gk_resource_server_builder>,
    issuer: *const c_char,
    issuer_len: usize,
    rule: Option<&gk_door_rule>,
) {
    resource::set(builder, |server| {
        let rule = given(rule, "rule")?.0.built()?.clone();
        Ok(server.issuer_rule(text(issuer, issuer_len, "issuer")?, rule))
    });
}

/// Replaces what was set by what the change makes of it.
fn set(rule: Option<&mut gk_door_rule>, change: impl FnOnce(DoorRule) -> Outcome<DoorRule>) {
    sticky::set(rule.map(|rule| &mut rule.0), change);
}
