//! `gk_access`: who calls, as a guard has found; lent by its decision.

use super::boundary::{Fault, Outcome, fill, given, guard, lend, look, tell, text, writable};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::status::gk_status;
use crate::guard::{Access, AccessKind, ProvedBy};
use crate::json::Value;
use crate::{ErrorKind, ToJson as _, json};
use libc::c_char;

/// What kind of credential let a caller in: one of the GK_ACCESS_ constants.
pub type gk_access_kind = i32;

/// No credential: the route is public, or a credential is optional and there was none.
pub const GK_ACCESS_ANONYMOUS: gk_access_kind = 0;
/// An API key.
pub const GK_ACCESS_API_KEY: gk_access_kind = 1;
/// The access token of a session of this service's own.
pub const GK_ACCESS_SESSION: gk_access_kind = 2;
/// An access token that says everything itself (RFC 9068).
pub const GK_ACCESS_JWT: gk_access_kind = 3;
/// A token that the authorization server was asked about (RFC 7662).
pub const GK_ACCESS_OPAQUE: gk_access_kind = 4;

/// What of a request proved who calls: one of the GK_PROVED_BY_ constants.
pub type gk_proved_by = i32;

/// Nothing: the caller is anonymous.
pub const GK_PROVED_BY_NOTHING: gk_proved_by = 0;
/// A cookie, which browsers send with requests of other sites, too.
pub const GK_PROVED_BY_COOKIE: gk_proved_by = 1;
/// An API key, wherever it stood.
pub const GK_PROVED_BY_KEY: gk_proved_by = 2;
/// A token in `Authorization: Bearer`.
pub const GK_PROVED_BY_BEARER: gk_proved_by = 3;

/// Who calls, and what they may do: gk_guard_decision_access. It belongs to the decision, is never
/// freed, and lives as long as that. Immutable, safe to use from several threads at once.
pub struct gk_access {
    own: Access,
    other: Option<Box<Self>>,
}

impl gk_access {
    pub(super) fn new(own: Access) -> Self {
        let other = own.other().cloned().map(|other| Box::new(Self::new(other)));
        Self { own, other }
    }

    fn claim(&self, name: &str) -> Outcome<Value<'_>> {
        let claims = json::parse(self.own.claims_json().as_bytes())?;
        claims.member(name).ok_or_else(|| ErrorKind::MissingClaim.into())
    }
}

/// The kind with this number.
pub(super) const fn access_kind(number: gk_access_kind) -> Outcome<AccessKind> {
    Ok(match number {
        GK_ACCESS_API_KEY => AccessKind::ApiKey,
        GK_ACCESS_SESSION => AccessKind::Session,
        GK_ACCESS_JWT => AccessKind::Jwt,
        GK_ACCESS_OPAQUE => AccessKind::Opaque,
        _ => return Err(Fault::OutOfRange("kind")),
    })
}

/// Says what kind of credential it was.
///
/// @param access Who calls.
/// @return One of the GK_ACCESS_ constants; GK_ACCESS_ANONYMOUS for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_kind_of(access: Option<&gk_access>) -> gk_access_kind {
    look(GK_ACCESS_ANONYMOUS, || {
        Some(match access?.own.kind()? {
            AccessKind::ApiKey => GK_ACCESS_API_KEY,
            AccessKind::Session => GK_ACCESS_SESSION,
            AccessKind::Jwt => GK_ACCESS_JWT,
            AccessKind::Opaque => GK_ACCESS_OPAQUE,
        })
    })
}

/// The name of what gk_access_kind_of says, for logs: `api_key`, `session`, `jwt`, `opaque`.
///
/// @param access Who calls.
/// @return The name, lent for ever; {NULL, 0} of an anonymous caller, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_kind_name(access: Option<&gk_access>) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.kind()?.name())))
}

/// Says what of the request proved the caller.
///
/// @param access Who calls.
/// @return One of the GK_PROVED_BY_ constants; GK_PROVED_BY_NOTHING for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_proved_by(access: Option<&gk_access>) -> gk_proved_by {
    look(GK_PROVED_BY_NOTHING, || {
        Some(match access?.own.proved_by()? {
            ProvedBy::Cookie => GK_PROVED_BY_COOKIE,
            ProvedBy::Key => GK_PROVED_BY_KEY,
            ProvedBy::Bearer => GK_PROVED_BY_BEARER,
        })
    })
}

/// Whether the caller is not known: the route is public, or a credential is optional and there was
/// none. Nothing else is known then but perhaps the address.
///
/// @param access Who calls.
/// @return True if nothing is known; true for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_is_anonymous(access: Option<&gk_access>) -> bool {
    look(true, || Some(access?.own.is_anonymous()))
}

/// Who says so: a token's `iss`, or the server that was asked. Subjects are names of this issuer's:
/// the same name at another one is another user.
///
/// @param access Who calls.
/// @return The issuer, lent by the decision; {NULL, 0} for an API key, for sessions whose tokens
/// name none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_issuer(access: Option<&gk_access>) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.issuer()?)))
}

/// Who it is: a token's `sub`, an API key's owner.
///
/// @param access Who calls.
/// @return The subject, lent by the decision; {NULL, 0} if there is none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_subject(access: Option<&gk_access>) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.subject()?)))
}

/// The tenant: an API key's own, or that of a token's claim.
///
/// @param access Who calls.
/// @return The tenant, lent by the decision; {NULL, 0} if there is none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_tenant(access: Option<&gk_access>) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.tenant()?)))
}

/// What acts for them: a token's client, an API key's id.
///
/// @param access Who calls.
/// @return The client's id, lent by the decision; {NULL, 0} if there is none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_client_id(access: Option<&gk_access>) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.client_id()?)))
}

/// How many scopes were granted.
///
/// @param access Who calls.
/// @return How many; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_scopes_len(access: Option<&gk_access>) -> usize {
    look(0, || Some(access?.own.scopes().len()))
}

/// Gives a scope that was granted.
///
/// @param access Who calls.
/// @param index From 0.
/// @return The scope, lent by the decision; {NULL, 0} if there are fewer, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_scope_at(access: Option<&gk_access>, index: usize) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.scopes().get(index)?)))
}

/// Whether a scope was granted.
///
/// @param access Who calls.
/// @param scope The scope.
/// @param scope_len Its length in bytes.
/// @return True if it was; false for NULL, and for a text that is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_access_has_scope(
    access: Option<&gk_access>,
    scope: *const c_char,
    scope_len: usize,
) -> bool {
    look(false, || Some(access?.own.has_scope(text(scope, scope_len, "scope").ok()?)))
}

/// Until when the credential is good.
///
/// @param access Who calls.
/// @param seconds Receives seconds since 1970-01-01T00:00:00Z; 0 if it has no end. May be NULL.
/// @return Whether it has an end; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_access_expires_at(
    access: Option<&gk_access>,
    seconds: *mut u64,
) -> bool {
    look(false, || {
        let end = access.and_then(|access| access.own.expires_at());
        tell(seconds, end.unwrap_or_default());
        Some(end.is_some())
    })
}

/// The token's claims, or the answer of the server that was asked.
///
/// @param access Who calls.
/// @return The text of one JSON object, lent by the decision; `{}` for an API key and an anonymous
/// caller; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_claims_json(access: Option<&gk_access>) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.claims_json())))
}

/// Any claim as JSON text, exactly as it was signed. Nothing is copied.
///
/// @param access Who calls.
/// @param name The claim's name, UTF-8; borrowed for the call.
/// @param name_len Its length in bytes.
/// @return Text lent by the decision; {NULL, 0} if there is no such claim, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_access_claim_json(
    access: Option<&gk_access>,
    name: *const c_char,
    name_len: usize,
) -> gk_str {
    look(gk_str::NONE, || {
        let name = text(name, name_len, "name").ok()?;
        Some(lend(access?.claim(name).ok()?.raw()))
    })
}

/// A string claim of any name, without the escapes of JSON.
///
/// @param access Who calls.
/// @param name The claim's name, UTF-8; borrowed for the call.
/// @param name_len Its length in bytes.
/// @param value Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails. It
/// may contain NUL bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not a string.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_access_claim_str(
    access: Option<&gk_access>,
    name: *const c_char,
    name_len: usize,
    value: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(value, err, || {
        let claim = given(access, "access")?.claim(text(name, name_len, "name")?)?;
        Ok(claim.as_str().ok_or(ErrorKind::InvalidClaim)?.into_owned())
    })
}

/// An integer claim of any name.
///
/// @param access Who calls.
/// @param name The claim's name, UTF-8; borrowed for the call.
/// @param name_len Its length in bytes.
/// @param value Receives the number; 0 if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not a number,
/// has a fraction or an exponent, or does not fit.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_access_claim_i64(
    access: Option<&gk_access>,
    name: *const c_char,
    name_len: usize,
    value: *mut i64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(value)?.write(0);
        let claim = given(access, "access")?.claim(text(name, name_len, "name")?)?;
        value.write(claim.as_i64().ok_or(ErrorKind::InvalidClaim)?);
        Ok(())
    })
}

/// A boolean claim of any name.
///
/// @param access Who calls.
/// @param name The claim's name, UTF-8; borrowed for the call.
/// @param name_len Its length in bytes.
/// @param value Receives the truth value; false if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not true or
/// false.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_access_claim_bool(
    access: Option<&gk_access>,
    name: *const c_char,
    name_len: usize,
    value: *mut bool,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(value)?.write(false);
        let claim = given(access, "access")?.claim(text(name, name_len, "name")?)?;
        value.write(claim.as_bool().ok_or(ErrorKind::InvalidClaim)?);
        Ok(())
    })
}

/// The id of the API key. Its owner is gk_access_subject.
///
/// @param access Who calls.
/// @return The id, lent by the decision; {NULL, 0} if it was no API key, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_key_id(access: Option<&gk_access>) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.key()?.key_id())))
}

/// The record of the API key, as gk_api_keys_get gives it, without a look at the store: its name,
/// `meta`, rate and everything else.
///
/// @param access Who calls.
/// @param record Receives the record, to be freed with gk_buf_free; {NULL, 0} if it was no API key,
/// or the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_access_key_record(
    access: Option<&gk_access>,
    record: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    maybe(record, err, || Ok(given(access, "access")?.own.key().map(|key| key.record().to_json())))
}

/// The id of the session of our own.
///
/// @param access Who calls.
/// @return The id, lent by the decision; {NULL, 0} if it was no session, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_session(access: Option<&gk_access>) -> gk_str {
    look(gk_str::NONE, || Some(lend(access?.own.session()?)))
}

/// The second credential's, where the demand pairs two.
///
/// @param access Who calls.
/// @return It, which belongs to the decision; NULL if there is none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_access_other(access: Option<&gk_access>) -> Option<&gk_access> {
    look(None, || Some(access?.other.as_deref()))
}

/// The caller's address, past the proxies that are trusted.
///
/// @param access Who calls.
/// @param address Receives the address as text, to be freed with gk_buf_free; {NULL, 0} if it is
/// not known, or the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_access_address(
    access: Option<&gk_access>,
    address: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    maybe(address, err, || {
        Ok(given(access, "access")?.own.address().map(|address| address.to_string()))
    })
}

/// As [`fill`], of what may not be there.
///
/// # Safety
/// `out` is NULL or writable; `err` as in [`guard`].
pub(super) unsafe fn maybe(
    out: *mut gk_buf,
    err: *mut gk_error,
    body: impl FnOnce() -> Outcome<Option<String>>,
) -> gk_status {
    guard(err, || {
        writable(out)?.write(gk_buf::EMPTY);
        if let Some(text) = body()? {
            out.write(gk_buf::copy_of(text.as_bytes()));
        }
        Ok(())
    })
}
