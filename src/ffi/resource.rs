//! `gk_resource_server`: the check of an API's incoming requests.

use super::alg::gk_alg;
use super::apikey::gk_api_keys;
use super::boundary::{
    Outcome, algs, chars, create, fill, given, guard, release, share, text, words, writable,
};
use super::buf::gk_buf;
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::demand::{Demanded, gk_caller, gk_demand};
use super::error::gk_error;
use super::http::gk_http;
use super::key_set::gk_key_set;
use super::keyring::gk_key_ring;
use super::oauth_client::gk_oauth_client;
use super::remote_key_set::gk_remote_key_set;
use super::revocations::gk_revocations;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::resource::{Demand, IntrospectionOptions, ResourceServerBuilder};
use crate::{ResourceServer, ToJson as _};
use libc::{c_char, c_void};
use std::sync::Arc;

/// The check of an API's incoming requests: JWTs of an issuer, opaque tokens and API keys, in one
/// call. Shared by reference count, safe to use from several threads at once, and usable after a
/// fork.
pub struct gk_resource_server(ResourceServer);

/// A gk_resource_server while it is put together. At least one of an issuer with keys, an
/// introspection and API keys. The setters keep the first thing that was wrong, which
/// gk_resource_server_builder_build reports.
pub struct gk_resource_server_builder(Sticky<Building>);

#[derive(Clone)]
struct Building {
    server: ResourceServerBuilder,
    asking: Option<IntrospectionOptions>,
}

fn building(server: ResourceServerBuilder) -> gk_resource_server_builder {
    gk_resource_server_builder(Sticky::new(Building { server, asking: None }))
}

/// Begins the door of an API.
///
/// @param audience What tokens must name as their audience: the API's identifier, 1 to 1024 bytes
/// of UTF-8; copied.
/// @param audience_len Its length in bytes.
/// @return The builder, to be freed with gk_resource_server_builder_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_new(
    audience: *const c_char,
    audience_len: usize,
) -> Option<Box<gk_resource_server_builder>> {
    // SAFETY: as this function's own contract.
    let audience = unsafe { text(audience, audience_len, "audience") }.map(String::from);
    share(|| {
        let mut own = building(ResourceServer::builder(""));
        set(Some(&mut own), |_| Ok(ResourceServer::builder(audience?)));
        Some(own)
    })
}

/// Begins the door of an API from JSON.
///
/// @param options_json One JSON object with `audience`, and any of `any_audience` and `clients`,
/// `issuer`, `token_types` (instead of at+jwt; `null` in the list for tokens without type),
/// `claims` (an object of the values that claims must have), `algorithms`, `leeway` (30),
/// `tenant_claim`, `metadata_url`, `scopes_supported`, `introspection` with any of `ttl` (30),
/// `negative_ttl` (10), `unknown_tokens` (100) and `require_audience` (true), and `issuers`, an
/// object that has for an issuer's name what a gk_door_rule can say: any of `audience` (a text or
/// several), `any_audience`, `clients`, `token_types`, `claims`, `algorithms`, `leeway` and
/// `tenant_claim`.
/// @param options_json_len Its length in bytes, at most 64 KiB.
/// @param builder Receives the builder, to be freed with gk_resource_server_builder_free; NULL if
/// the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if a member is not known or of another
/// kind, which gk_error_claim names.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_resource_server_builder_from_json(
    options_json: *const c_char,
    options_json_len: usize,
    builder: *mut *mut gk_resource_server_builder,
    err: *mut gk_error,
) -> gk_status {
    create(builder, err, || {
        let options = chars(options_json, options_json_len, "options_json")?;
        Ok(building(ResourceServerBuilder::from_json(options)?))
    })
}

/// Frees a builder.
///
/// @param builder The builder, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_resource_server_builder_free(
    builder: Option<Box<gk_resource_server_builder>>,
) {
    release(builder);
}

/// Accepts tokens for any audience and for none, of the clients that are named by
/// gk_resource_server_builder_client: for issuers whose access tokens name no API. Without such a
/// client gk_resource_server_builder_build fails.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_any_audience(
    builder: Option<&mut gk_resource_server_builder>,
) {
    set(builder, |server| Ok(server.any_audience()));
}

/// Accepts the tokens of this client alone; several calls, several clients. Read from `client_id`,
/// `cid` or `appid`, which must agree; never from `azp` or `aud`, by which ID tokens name theirs.
///
/// @param builder The builder.
/// @param client_id The client's id; copied.
/// @param client_id_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_client(
    builder: Option<&mut gk_resource_server_builder>,
    client_id: *const c_char,
    client_id_len: usize,
) {
    set(builder, |server| Ok(server.client(text(client_id, client_id_len, "client_id")?)));
}

/// Accepts the JWTs of an issuer, verified with keys of another server's. Several calls, several
/// issuers: the keys of each verify its own tokens and no others.
///
/// @param builder The builder.
/// @param issuer Its `iss`; copied.
/// @param issuer_len Its length in bytes.
/// @param keys Its keys, which are shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_issuer_keys(
    builder: Option<&mut gk_resource_server_builder>,
    issuer: *const c_char,
    issuer_len: usize,
    keys: Option<&gk_remote_key_set>,
) {
    set(builder, |server| {
        let keys = Arc::new(given(keys, "keys")?.0.clone());
        Ok(server.issuer(text(issuer, issuer_len, "issuer")?, keys))
    });
}

/// As gk_resource_server_builder_issuer_keys, with keys of our own.
///
/// @param builder The builder.
/// @param issuer Its `iss`; copied.
/// @param issuer_len Its length in bytes.
/// @param ring The key ring, which is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_issuer_key_ring(
    builder: Option<&mut gk_resource_server_builder>,
    issuer: *const c_char,
    issuer_len: usize,
    ring: Option<&gk_key_ring>,
) {
    set(builder, |server| {
        let ring = Arc::new(given(ring, "ring")?.inner.clone());
        Ok(server.issuer(text(issuer, issuer_len, "issuer")?, ring))
    });
}

/// As gk_resource_server_builder_issuer_keys, with keys that stay as they are, such as those of a
/// file.
///
/// @param builder The builder.
/// @param issuer Its `iss`; copied.
/// @param issuer_len Its length in bytes.
/// @param key_set The keys, which are shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_issuer_key_set(
    builder: Option<&mut gk_resource_server_builder>,
    issuer: *const c_char,
    issuer_len: usize,
    key_set: Option<&gk_key_set>,
) {
    set(builder, |server| {
        let keys = Arc::new(given(key_set, "key_set")?.0.clone());
        Ok(server.issuer(text(issuer, issuer_len, "issuer")?, keys))
    });
}

/// Accepts the JWTs of one issuer, whose keys are set as well: for the issuer and the keys that
/// come apart. See gk_resource_server_builder_issuer_keys.
///
/// @param builder The builder.
/// @param issuer Its `iss`; copied.
/// @param issuer_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_issuer(
    builder: Option<&mut gk_resource_server_builder>,
    issuer: *const c_char,
    issuer_len: usize,
) {
    set(builder, |server| Ok(server.issuer_name(text(issuer, issuer_len, "issuer")?)));
}

/// The keys of the issuer, where they are another server's.
///
/// @param builder The builder.
/// @param keys The keys, which are shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_keys(
    builder: Option<&mut gk_resource_server_builder>,
    keys: Option<&gk_remote_key_set>,
) {
    set(builder, |server| Ok(server.keys(Arc::new(given(keys, "keys")?.0.clone()))));
}

/// The keys of the issuer, where they are our own.
///
/// @param builder The builder.
/// @param ring The key ring, which is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_key_ring(
    builder: Option<&mut gk_resource_server_builder>,
    ring: Option<&gk_key_ring>,
) {
    set(builder, |server| Ok(server.keys(Arc::new(given(ring, "ring")?.inner.clone()))));
}

/// Accepts tokens of this `typ` instead of `at+jwt`; several calls, several types.
///
/// @param builder The builder.
/// @param typ The type; copied.
/// @param typ_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_token_type(
    builder: Option<&mut gk_resource_server_builder>,
    typ: *const c_char,
    typ_len: usize,
) {
    set(builder, |server| Ok(server.token_type(text(typ, typ_len, "typ")?)));
}

/// Accepts tokens without `typ`, instead of `at+jwt` or beside the types that are named. ID tokens
/// are still refused, by their claims.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_allow_missing_type(
    builder: Option<&mut gk_resource_server_builder>,
) {
    set(builder, |server| Ok(server.allow_missing_type()));
}

/// The claim that names a token's tenant, for `tenant` of gk_resource_server_check and for
/// gk_demand_tenant. Without it, only API keys have a tenant.
///
/// @param builder The builder.
/// @param name The claim's name; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_tenant_claim(
    builder: Option<&mut gk_resource_server_builder>,
    name: *const c_char,
    name_len: usize,
) {
    set(builder, |server| Ok(server.tenant_claim(text(name, name_len, "name")?)));
}

/// Accepts only tokens whose claim of this name has this value; several calls of one name, any of
/// the values. Of opaque tokens, the answer's member. See gk_policy_expect_claim.
///
/// @param builder The builder.
/// @param name The claim's name, not empty, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param json The value as JSON text, such as "\"access\"" with its quotes; copied.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_claim(
    builder: Option<&mut gk_resource_server_builder>,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
) {
    set(builder, |server| {
        let name = text(name, name_len, "name")?;
        Ok(server.claim(name, text(json, json_len, "json")?))
    });
}

/// Accepts only these algorithms.
///
/// @param builder The builder.
/// @param codes GK_ALG_ constants; copied.
/// @param codes_len How many; at least one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_algorithms(
    builder: Option<&mut gk_resource_server_builder>,
    codes: *const gk_alg,
    codes_len: usize,
) {
    set(builder, |server| Ok(server.algorithms(algs(codes, codes_len)?)));
}

/// How many seconds an issuer's clock may be off.
///
/// @param builder The builder.
/// @param seconds 30 unless set, and 0 for issuers whose keys are a key ring of ours; more than 600
/// is refused by gk_resource_server_builder_build.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_leeway(
    builder: Option<&mut gk_resource_server_builder>,
    seconds: u64,
) {
    set(builder, |server| Ok(server.leeway(seconds)));
}

/// Where gk_resource_server_metadata is served, for challenges (RFC 9728 section 5.1).
///
/// @param builder The builder.
/// @param url The address; copied.
/// @param url_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_metadata_url(
    builder: Option<&mut gk_resource_server_builder>,
    url: *const c_char,
    url_len: usize,
) {
    set(builder, |server| Ok(server.metadata_url(text(url, url_len, "url")?)));
}

/// The scopes that there are, for the metadata.
///
/// @param builder The builder.
/// @param scopes The scopes, separated by spaces; copied.
/// @param scopes_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_scopes_supported(
    builder: Option<&mut gk_resource_server_builder>,
    scopes: *const c_char,
    scopes_len: usize,
) {
    set(builder, |server| Ok(server.scopes_supported(&words(text(scopes, scopes_len, "scopes")?))));
}

/// Refuses tokens that are on this list. With one, introspection must tell `iat` and `exp`.
///
/// @param builder The builder.
/// @param revocations The list, which is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_revocations(
    builder: Option<&mut gk_resource_server_builder>,
    revocations: Option<&gk_revocations>,
) {
    set(builder, |server| {
        Ok(server.revocations(Arc::new(given(revocations, "revocations")?.0.clone())))
    });
}

/// Accepts these API keys.
///
/// @param builder The builder.
/// @param keys The keys, which are shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_api_keys(
    builder: Option<&mut gk_resource_server_builder>,
    keys: Option<&gk_api_keys>,
) {
    set(builder, |server| Ok(server.api_keys(given(keys, "keys")?.inner.clone())));
}

/// Asks the client's server about tokens that are not JWTs of the issuer (RFC 7662).
///
/// @param builder The builder.
/// @param client Who asks; shared.
/// @param http What carries the questions; shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_introspection(
    builder: Option<&mut gk_resource_server_builder>,
    client: Option<&gk_oauth_client>,
    http: Option<&gk_http>,
) {
    set(builder, |server| {
        let client = given(client, "client")?.0.clone();
        Ok(server.introspection_by(client, Arc::clone(&given(http, "http")?.0)))
    });
}

/// For how long the answers of an introspection are remembered: so late is the end of a token
/// noticed.
///
/// @param builder The builder.
/// @param seconds Of a token that is good: 30 unless set, at most 3600; 0 asks each time.
/// @param negative_seconds Of one that is not: 10 unless set, at most 3600. More is refused by
/// gk_resource_server_builder_build.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_introspection_ttl(
    builder: Option<&mut gk_resource_server_builder>,
    seconds: u64,
    negative_seconds: u64,
) {
    ask(builder, |options| options.ttl(seconds).negative_ttl(negative_seconds));
}

/// How many tokens that the server does not know, or has not told about yet, it is asked about at
/// once; a tenth of it again each second. Beyond that such tokens are answered with
/// GK_STATUS_OAUTH_SERVER_FAILED; those that are or were known to be good are not.
///
/// @param builder The builder.
/// @param most 100 unless set, 0 for any number.
#[unsafe(no_mangle)]
pub extern "C" fn gk_resource_server_builder_unknown_tokens(
    builder: Option<&mut gk_resource_server_builder>,
    most: u32,
) {
    ask(builder, |options| options.unknown_tokens(most));
}

/// Whether a token is refused whose audience the server does not tell at an introspection.
///
/// @param builder The builder.
/// @param required True unless set: a server that names no audiences lets every token of its own
/// into every API that asks it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_require_audience(
    builder: Option<&mut gk_resource_server_builder>,
    required: bool,
) {
    ask(builder, |options| options.require_audience(required));
}

/// Takes the time from a callback.
///
/// @param builder The builder.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_resource_server_builder_clock(
    builder: Option<&mut gk_resource_server_builder>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(builder, |server| Ok(server.clock(clock?)));
}

/// Opens the door. Keys are fetched now, so that a wrong address shows in time; if their issuer is
/// out of reach, with the first token.
///
/// @param builder The builder, which can be used again.
/// @param server Receives the resource server, to be freed with gk_resource_server_free; NULL if
/// the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if nothing would be
/// accepted, or the options contradict themselves; those of the keys, unless their issuer is only
/// out of reach.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_resource_server_builder_build(
    builder: Option<&gk_resource_server_builder>,
    server: *mut *mut gk_resource_server,
    err: *mut gk_error,
) -> gk_status {
    create(server, err, || Ok(gk_resource_server(given(builder, "builder")?.whole()?.build()?)))
}

impl gk_resource_server_builder {
    /// All that was set.
    pub(super) fn whole(&self) -> Outcome<ResourceServerBuilder> {
        let Building { server, asking } = self.0.built()?.clone();
        Ok(match asking {
            Some(options) => server.introspection_options(options),
            None => server,
        })
    }
}

/// Replaces what was set by what the change makes of it.
pub(super) fn set(
    builder: Option<&mut gk_resource_server_builder>,
    change: impl FnOnce(ResourceServerBuilder) -> Outcome<ResourceServerBuilder>,
) {
    sticky::set(builder.map(|builder| &mut builder.0), |all| {
        Ok(Building { server: change(all.server)?, ..all })
    });
}

/// [`set`] for how opaque tokens are asked about.
fn ask(
    builder: Option<&mut gk_resource_server_builder>,
    change: impl FnOnce(IntrospectionOptions) -> IntrospectionOptions,
) {
    sticky::set_in(builder.map(|builder| &mut builder.0), |all| {
        all.asking = Some(change(all.asking.unwrap_or_default()));
        Ok(())
    });
}

/// Shares a resource server.
///
/// @param server The resource server; NULL is fine.
/// @return Another handle to the same, to be freed with gk_resource_server_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_resource_server_clone(
    server: Option<&gk_resource_server>,
) -> Option<Box<gk_resource_server>> {
    share(|| Some(gk_resource_server(server?.0.clone())))
}

/// Frees a handle to a resource server.
///
/// @param server The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_resource_server_free(server: Option<Box<gk_resource_server>>) {
    release(server);
}

/// Says who calls.
///
/// @param server The resource server.
/// @param caller The request's header and address; borrowed for the call.
/// @param demand What the route demands; NULL for any caller that is known.
/// @param access Receives who calls, as JSON for gk_json_parse: `kind` (`jwt`, `opaque`,
/// `api_key`), `issuer`, `subject`, `tenant`, `client_id`, `scopes`, `expires_at` and `claims`; to
/// be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param challenge Receives the value of the WWW-Authenticate header if the call fails with 401 or
/// 403, to be freed with gk_buf_free; otherwise {NULL, 0}. NULL is fine.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the reason otherwise: gk_status_http says which HTTP status to answer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_resource_server_check(
    server: Option<&gk_resource_server>,
    caller: Option<&gk_caller>,
    demand: Option<&gk_demand>,
    access: *mut gk_buf,
    challenge: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let place = writable(access)?;
        place.write(gk_buf::EMPTY);
        if !challenge.is_null() {
            challenge.write(gk_buf::EMPTY);
        }
        let server = &given(server, "server")?.0;
        let caller = given(caller, "caller")?;
        let sent = caller.sent()?;
        let nothing = Demanded::default();
        let demanded = demand.map_or(Ok(&nothing), |demand| demand.0.built())?;
        let (scopes, acr_values) = demanded.lists();
        let mut demand = Demand::new().scopes(&scopes).acr_values(&acr_values);
        demanded.ask(&mut demand);
        demand.address = sent.address;
        match server.check_presented(&sent.presented(), &demand) {
            Ok(who) => {
                place.write(gk_buf::copy_of(who.to_json().as_bytes()));
                Ok(())
            }
            Err(error) => {
                if let Some(value) = server.challenge(&error, &demand)
                    && !challenge.is_null()
                {
                    challenge.write(gk_buf::copy_of(value.as_bytes()));
                }
                Err(error.into())
            }
        }
    })
}

/// Gives the metadata of the API (RFC 9728 section 2), to be served as application/json.
///
/// @param server The resource server.
/// @param json Receives them, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_resource_server_metadata(
    server: Option<&gk_resource_server>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(server, "server")?.0.metadata_json()))
}
