//! `gk_guard`: one decision for every door of a service. A request of the caller's memory goes in;
//! the whole answer, or who calls, comes out (`guard_decision`).

use super::access::maybe;
use super::boundary::{Fault, Outcome, chars, fill, given, release, share, slice, text, writable};
use super::buf::{gk_buf, gk_str};
use super::claims::gk_claims;
use super::error::gk_error;
use super::guard_decision::{decide, gk_guard_decision};
use super::guard_demand::gk_guard_demand;
use super::operation::gk_header;
use super::session_spec::gk_session_spec;
use super::status::gk_status;
use super::web::flags;
use crate::guard::Request;

use crate::{Error, ErrorKind, Guard, ToJson as _};
use libc::c_char;

/// One decision for every door of a service: who calls, by an API key, a session in a cookie or
/// behind `Bearer`, or a token of another issuer; or the whole answer of a refusal. Shared by
/// reference count, safe to use from several threads at once, and usable after a fork.
pub struct gk_guard(pub(super) Guard);

/// The request opens a websocket, or another protocol, as the server knows; an `Upgrade` header
/// says so, too.
pub const GK_GUARD_UPGRADE: u32 = 1;
/// The server names headers as CGI does: `X-Forwarded-For` and `X_Forwarded_For` look the same, and
/// a client may have sent the latter.
pub const GK_GUARD_COLLAPSED_NAMES: u32 = 2;

/// A request as the server has it: none of it is trusted, all of it is borrowed for the call.
/// Adapters split, join and decode nothing. {NULL, 0} for what is not there.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_guard_request {
    /// The method, such as POST, as it came.
    pub method: gk_str,
    /// The path that the server routes by, not an address that was put together from `Host`; it
    /// decides nothing.
    pub path: gk_str,
    /// The headers in the order in which they came; a name that comes twice is there twice. NULL
    /// and 0 for none.
    pub headers: *const gk_header,
    /// How many. More than 500, or 128 KiB of them, are refused (431).
    pub headers_len: usize,
    /// Whom the socket is connected to: an address, with or without a port. A Unix socket is empty
    /// (and not NULL), `@...`, `unix:...` or a path. {NULL, 0} if it is not known.
    pub peer: gk_str,
    /// The CSRF token of a form's field, for pages without scripts. The header goes first.
    pub csrf_field: gk_str,
    /// GK_GUARD_UPGRADE and GK_GUARD_COLLAPSED_NAMES, added up; 0 for none.
    pub flags: u32,
}

/// Shares a guard.
///
/// @param guard The guard; NULL is fine.
/// @return Another handle to the same, to be freed with gk_guard_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_clone(guard: Option<&gk_guard>) -> Option<Box<gk_guard>> {
    share(|| Some(gk_guard(guard?.0.clone())))
}

/// Frees a handle to a guard.
///
/// @param guard The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_free(guard: Option<Box<gk_guard>>) {
    release(guard);
}

/// Decides a request. May wait for the store or another server; see gk_guard_try_check.
///
/// @param guard The guard.
/// @param request The request; borrowed for the call.
/// @param demand What the route demands.
/// @param decision Receives the decision, of a refusal as well, to be freed with
/// gk_guard_decision_free; NULL if the arguments cannot be used, which is answered as 500.
/// @param err Receives why the caller is refused, for the log; may be NULL.
/// @return GK_STATUS_OK if the application goes on; otherwise the reason, and the answer is in the
/// decision.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_check(
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    demand: Option<&gk_guard_demand>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let (guard, demand) = (given(guard, "guard")?, given(demand, "demand")?);
        given(request, "request")?.with(|request| Ok(guard.0.check(request, &demand.0)))
    })
}

/// As gk_guard_check, from memory alone: for event loops. Where a store, a slow hash or another
/// server is to be asked, nothing is decided and nothing was taken: then call gk_guard_check in a
/// thread that may wait, or drive a gk_guard_attempt.
///
/// @param guard The guard.
/// @param request The request; borrowed for the call.
/// @param demand What the route demands.
/// @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if memory
/// is not enough for one, or the arguments cannot be used.
/// @param err Receives why the caller is refused, for the log; may be NULL.
/// @return As gk_guard_check; GK_STATUS_STORE_UNAVAILABLE with a decision of NULL if memory is not
/// enough.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_try_check(
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    demand: Option<&gk_guard_demand>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let (guard, demand) = (given(guard, "guard")?, given(demand, "demand")?);
        given(request, "request")?
            .with(|request| Ok(guard.0.try_check(request, &demand.0).ok_or(MORE)?))
    })
}

/// Checks that callers of a guard can meet a demand, for services that make their routes before
/// they take requests. The first request of each demand asks the same, and all of a demand that
/// cannot be met are answered with 500.
///
/// @param guard The guard.
/// @param demand What a route demands.
/// @param err Receives the error; its claim names what is demanded: kinds, of which the guard takes
/// none, or API keys alone where claims or a sign-in are demanded; pair, alike; tenant, which no
/// credential that is taken has; limit, whose name another demand has with another rate. May be
/// NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_check_demand(
    guard: Option<&gk_guard>,
    demand: Option<&gk_guard_demand>,
    err: *mut gk_error,
) -> gk_status {
    super::boundary::guard(err, || {
        let (guard, demand) = (given(guard, "guard")?, given(demand, "demand")?);
        Ok(guard.0.check_demand(&demand.0)?)
    })
}

/// The answer of a refusal that the program decides itself, in the form of all others: a limit of
/// its own, a part of it that is out of reach.
///
/// @param guard The guard.
/// @param reason Why, such as GK_STATUS_INSUFFICIENT_SCOPE; a number that is no status counts as
/// GK_STATUS_INTERNAL.
/// @param demand What the route demands.
/// @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if the
/// arguments cannot be used.
/// @param err Receives the reason; may be NULL.
/// @return The reason; never GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_refuse(
    guard: Option<&gk_guard>,
    reason: gk_status,
    demand: Option<&gk_guard_demand>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let kind = ErrorKind::from_number(reason).unwrap_or(ErrorKind::Internal);
        Ok(given(guard, "guard")?.0.refuse(kind.into(), &given(demand, "demand")?.0))
    })
}

/// Starts a session for the subject that has logged in: the decision's headers set its cookies. All
/// of them are new, whatever cookies the request has brought. May wait for the store.
///
/// @param guard The guard.
/// @param subject Who has logged in: 1 to 255 bytes.
/// @param subject_len Its length in bytes.
/// @param spec What the session is to be like; NULL for nothing but its subject.
/// @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; those of gk_sessions_start; GK_STATUS_INVALID_CONFIGURATION if the guard
/// has no sessions or no cookies; GK_STATUS_INVALID_ARGUMENT if the claims are too many for a
/// cookie. If the call fails, there is no session.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_log_in(
    guard: Option<&gk_guard>,
    subject: *const c_char,
    subject_len: usize,
    spec: Option<&gk_session_spec>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let spec = gk_session_spec::of(spec)?;
        let subject = text(subject, subject_len, "subject")?;
        Ok(given(guard, "guard")?.0.log_in(subject, &spec)?)
    })
}

/// Exchanges the refresh cookie for new cookies: the answer of a route of its own, which is POST.
/// The request shows that it is of our own pages. Of two tabs that refresh at once both get the
/// same cookies; one that is late is answered with 401, and its answer clears nothing unless the
/// session is over. May wait for the store.
///
/// @param guard The guard.
/// @param request The request; borrowed for the call.
/// @param claims What the access tokens say from now on, as in gk_session_spec_claims; NULL for
/// what they said before.
/// @param decision Receives the decision, of a refusal as well, to be freed with
/// gk_guard_decision_free; NULL if the arguments cannot be used.
/// @param err Receives why the caller is refused, for the log; may be NULL.
/// @return As gk_guard_check.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_refresh(
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    claims: Option<&gk_claims>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let guard = given(guard, "guard")?;
        let claims = claims.map(|claims| claims.0.built()).transpose()?;
        given(request, "request")?.with(|request| Ok(guard.0.refresh(request, claims)))
    })
}

/// Ends the session of the request, whichever of its tokens it brings, and clears its cookies: the
/// answer of a route of its own, which is POST. A request with cookies shows that it is of our own
/// pages. May wait for the store.
///
/// @param guard The guard.
/// @param request The request; borrowed for the call.
/// @param decision Receives the decision, of a refusal as well, to be freed with
/// gk_guard_decision_free; NULL if the arguments cannot be used.
/// @param err Receives why the caller is refused, for the log; may be NULL.
/// @return As gk_guard_check.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_log_out(
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let guard = given(guard, "guard")?;
        given(request, "request")?.with(|request| Ok(guard.0.log_out(request)))
    })
}

/// Gives a CSRF token for the page of this request, whose form goes to a route with
/// gk_guard_demand_builder_own_pages: for its field, or the header. Only browsers need it that say
/// nothing of where a request comes from, which are older than 2023.
///
/// @param guard The guard.
/// @param request The request for the page.
/// @param token Receives the token, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param set_cookie Receives the value of a `Set-Cookie` header that the page's answer must have,
/// to be freed with gk_buf_free; {NULL, 0} if the browser has the cookie already, or the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if the guard has no cookies;
/// GK_STATUS_MALFORMED_REQUEST; GK_STATUS_REQUEST_TOO_LARGE; GK_STATUS_RANDOM_UNAVAILABLE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_form_token(
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    token: *mut gk_buf,
    set_cookie: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    super::boundary::guard(err, || {
        writable(token)?.write(gk_buf::EMPTY);
        writable(set_cookie)?.write(gk_buf::EMPTY);
        let guard = given(guard, "guard")?;
        let made = given(request, "request")?.with(|request| Ok(guard.0.form_token(request)?))?;
        token.write(gk_buf::copy_of(made.token.as_bytes()));
        if let Some(cookie) = &made.set_cookie {
            set_cookie.write(gk_buf::copy_of(cookie.as_bytes()));
        }
        Ok(())
    })
}

/// Gives the metadata of the API (RFC 9728 section 2), to be served as application/json at
/// gk_guard_metadata_path.
///
/// @param guard The guard.
/// @param json Receives them, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_metadata(
    guard: Option<&gk_guard>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(guard, "guard")?.0.metadata_json()))
}

/// Gives what this process knows of the server that the limits are counted in together with other
/// machines: see gk_store_limits_state.
///
/// @param guard The guard.
/// @param json Receives it, to be freed with gk_buf_free; {NULL, 0} if there is no such server, or
/// the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_limits_state(
    guard: Option<&gk_guard>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    maybe(json, err, || Ok(given(guard, "guard")?.0.limits_state().map(|state| state.to_json())))
}

/// Gives the path that the metadata of the API are served at.
///
/// @param guard The guard.
/// @param path Receives it, to be freed with gk_buf_free; {NULL, 0} if the API's identifier is no
/// address, or the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_metadata_path(
    guard: Option<&gk_guard>,
    path: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    maybe(path, err, || Ok(given(guard, "guard")?.0.metadata_path()))
}

/// How many headers need no allocation: more than browsers send.
const FEW: usize = 32;

type Pair<'r> = (&'r [u8], &'r [u8]);

impl gk_guard_request {
    /// Does something with the request, as the core has it.
    ///
    /// # Safety
    /// As [`slice`], for each of the texts and for the headers.
    pub(super) unsafe fn with<T>(
        &self,
        work: impl FnOnce(&Request<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        let has = flags(self.flags, GK_GUARD_UPGRADE | GK_GUARD_COLLAPSED_NAMES)?;
        let method = present(&self.method, "method")?.ok_or(Fault::Null("method"))?;
        let mut request = Request::new(method, bytes(&self.path, "path")?);
        if let Some(peer) = present(&self.peer, "peer")? {
            request = request.peer(std::str::from_utf8(peer).unwrap_or("?"));
        }
        if let Some(token) = present(&self.csrf_field, "csrf_field")? {
            request = request.csrf_field(token);
        }
        if has(GK_GUARD_UPGRADE) {
            request = request.upgrade();
        }
        if has(GK_GUARD_COLLAPSED_NAMES) {
            request = request.collapsed_names();
        }
        let headers = slice(self.headers, self.headers_len, "headers")?;
        let mut few: [Pair<'_>; FEW] = [(&[], &[]); FEW];
        if let Some(places) = few.get_mut(..headers.len()) {
            for (place, header) in places.iter_mut().zip(headers) {
                *place = pair(header)?;
            }
            return work(&request.headers(places));
        }
        // One too many is as many as it takes to be refused.
        let read = headers.iter().take(Request::MAX_HEADERS + 1);
        let many: Vec<Pair<'_>> = read.map(|header| pair(header)).collect::<Outcome<_>>()?;
        work(&request.headers(&many))
    }
}

/// # Safety
/// As [`slice`].
unsafe fn pair(header: &gk_header) -> Outcome<Pair<'_>> {
    Ok((bytes(&header.name, "headers")?, bytes(&header.value, "headers")?))
}

/// # Safety
/// As [`slice`].
unsafe fn present<'a>(given: &'a gk_str, name: &'static str) -> Outcome<Option<&'a [u8]>> {
    let is_there = !given.data.is_null() || given.len > 0;
    if is_there { bytes(given, name).map(Some) } else { Ok(None) }
}

/// # Safety
/// As [`slice`].
unsafe fn bytes<'a>(given: &'a gk_str, name: &'static str) -> Outcome<&'a [u8]> {
    chars(given.data, given.len, name)
}

/// Why nothing is decided; the decision is NULL.
pub(super) const MORE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "Memory is not enough to decide this request; nothing was taken. Call gk_guard_check where it may wait.",
);
