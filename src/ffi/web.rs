//! `gk_cookie`: a name and attributes, from which `gk_cookie_set` makes the text of a cookie, and
//! by which it is read and deleted; the cookies of log-ins are in `login`. `gk_csrf`: refuses
//! forged requests.

use super::boundary::{
    Fault, Outcome, chars, create, fill, given, guard, lend, lent, release, slice, text, writable,
};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::status::gk_status;
use crate::web::{Cookie, Csrf, CsrfRequest, SameSite};
use crate::{Error, ErrorKind, Secret};
use libc::c_char;

/// When a browser sends a cookie with requests that other sites cause: one of the GK_SAME_SITE_
/// constants. Any other number is refused.
pub type gk_same_site = i32;

/// With navigations by links, not with other requests.
pub const GK_SAME_SITE_LAX: gk_same_site = 0;
/// Never.
pub const GK_SAME_SITE_STRICT: gk_same_site = 1;
/// Always; needs Secure.
pub const GK_SAME_SITE_NONE: gk_same_site = 2;

/// Leaves HttpOnly out, so that scripts can read the cookie: for CSRF tokens.
pub const GK_COOKIE_FOR_SCRIPTS: u32 = 1;
/// Keeps the cookie apart for each top-level site that embeds us (CHIPS).
pub const GK_COOKIE_PARTITIONED: u32 = 2;
/// Leaves Secure out, for development without HTTPS: anyone who sees the traffic has the session.
pub const GK_COOKIE_DANGER_ALLOW_HTTP: u32 = 4;

/// Accepts requests of other hosts of the same site: only where every host of the site is trusted.
pub const GK_CSRF_ALLOW_SAME_SITE: u32 = 1;
/// Accepts an Origin of `http://`, for development without HTTPS.
pub const GK_CSRF_DANGER_ALLOW_HTTP: u32 = 2;

/// A cookie of one name: how it is set, cleared and read (RFC 6265bis). Made once, shared by all
/// threads.
pub struct gk_cookie {
    inner: Cookie,
}

/// Makes and checks CSRF tokens, which are bound to a session. Made once, shared by all threads.
pub struct gk_csrf {
    pub(super) inner: Csrf,
}

/// What a cookie is apart from its name; all zero means `Path=/; HttpOnly; Secure; SameSite=Lax`,
/// until the browser ends.
#[repr(C)]
pub struct gk_cookie_attributes {
    /// Under which path it is sent; {NULL, 0} for `/`.
    pub path: gk_str,
    /// To which domain, and all below, it is sent; {NULL, 0} for the host that set it and no other.
    pub domain: gk_str,
    /// For how many seconds it is kept, at most 400 days; 0 for until the browser ends.
    pub max_age: u64,
    /// One of the GK_SAME_SITE_ constants.
    pub same_site: gk_same_site,
    /// Any of the GK_COOKIE_ constants, added up.
    pub flags: u32,
}

/// What is known of a request, whatever it says; {NULL, 0} for what is not there.
#[repr(C)]
pub struct gk_csrf_request {
    /// The CSRF token that it brings.
    pub token: gk_str,
    /// The method, such as POST.
    pub method: gk_str,
    /// The `Sec-Fetch-Site` header.
    pub sec_fetch_site: gk_str,
    /// The `Origin` header; goes with `host`.
    pub origin: gk_str,
    /// The `Host` header or, behind a proxy, the name under which users know the service.
    pub host: gk_str,
}

/// Makes the name and the attributes of a cookie, from which gk_cookie_set makes its text. The name
/// should begin with `__Host-`, which keeps other hosts of the domain from planting one.
///
/// @param name The name.
/// @param name_len Its length in bytes.
/// @param attributes What else it is; NULL for all zero.
/// @param cookie Receives the cookie, to be freed with gk_cookie_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if a browser would refuse it, cut it, or
/// send it where it should not go.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_cookie_new(
    name: *const c_char,
    name_len: usize,
    attributes: Option<&gk_cookie_attributes>,
    cookie: *mut *mut gk_cookie,
    err: *mut gk_error,
) -> gk_status {
    create(cookie, err, || {
        let mut builder = Cookie::builder(text(name, name_len, "name")?);
        if let Some(attributes) = attributes {
            let known = GK_COOKIE_FOR_SCRIPTS | GK_COOKIE_PARTITIONED | GK_COOKIE_DANGER_ALLOW_HTTP;
            let has = flags(attributes.flags, known)?;
            if let Some(path) = lent(&attributes.path, "path")? {
                builder = builder.path(path);
            }
            if let Some(domain) = lent(&attributes.domain, "domain")? {
                builder = builder.domain(domain);
            }
            if attributes.max_age > 0 {
                builder = builder.max_age(attributes.max_age);
            }
            if has(GK_COOKIE_DANGER_ALLOW_HTTP) {
                builder = builder.insecure().danger_allow_http();
            }
            builder = builder
                .same_site(same_site(attributes.same_site, "same_site")?)
                .http_only(!has(GK_COOKIE_FOR_SCRIPTS))
                .partitioned(has(GK_COOKIE_PARTITIONED));
        }
        Ok(gk_cookie { inner: builder.build()? })
    })
}

/// Frees a cookie.
///
/// @param cookie The cookie, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_cookie_free(cookie: Option<Box<gk_cookie>>) {
    release(cookie);
}

/// The value of a `Set-Cookie` header that sets the cookie.
///
/// @param cookie The cookie.
/// @param value The value: visible ASCII without quotes, commas, semicolons and backslashes; with
/// the name at most 4096 bytes.
/// @param value_len Its length in bytes.
/// @param header Receives the header's value, to be freed with gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_cookie_set(
    cookie: Option<&gk_cookie>,
    value: *const c_char,
    value_len: usize,
    header: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(header, err, || {
        Ok(given(cookie, "cookie")?.inner.set(text(value, value_len, "value")?)?)
    })
}

/// The value of a `Set-Cookie` header that makes the browser forget the cookie.
///
/// @param cookie The cookie.
/// @param header Receives the header's value, to be freed with gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_cookie_clear(
    cookie: Option<&gk_cookie>,
    header: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(header, err, || Ok(given(cookie, "cookie")?.inner.clear()))
}

/// What a `Cookie` header says that the cookie is. Several headers (HTTP/2) are to be joined with
/// `; ` before.
///
/// @param cookie The cookie.
/// @param header The header's value, whatever it is.
/// @param header_len Its length in bytes.
/// @param value Receives the value, which lies in the header; {NULL, 0} if it is not there.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MALFORMED_COOKIE if the name comes twice, or the value is
/// malformed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_cookie_read(
    cookie: Option<&gk_cookie>,
    header: *const c_char,
    header_len: usize,
    value: *mut gk_str,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(value)?.write(gk_str::NONE);
        let cookie = given(cookie, "cookie")?;
        let header = std::str::from_utf8(chars(header, header_len, "header")?)
            .map_err(|_| Error::from(ErrorKind::MalformedCookie))?;
        if let Some(found) = cookie.inner.read(header)? {
            value.write(lend(found));
        }
        Ok(())
    })
}

/// Makes what makes and checks CSRF tokens.
///
/// @param secret At least 32 random bytes, the same in every process.
/// @param secret_len How many.
/// @param flags Any of the GK_CSRF_ constants, added up; 0 for none.
/// @param csrf Receives it, to be freed with gk_csrf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_WEAK_KEY if the secret is too short.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_csrf_new(
    secret: *const u8,
    secret_len: usize,
    flags: u32,
    csrf: *mut *mut gk_csrf,
    err: *mut gk_error,
) -> gk_status {
    create(csrf, err, || {
        let has = self::flags(flags, GK_CSRF_ALLOW_SAME_SITE | GK_CSRF_DANGER_ALLOW_HTTP)?;
        let mut inner = Csrf::new(&Secret::new(slice(secret, secret_len, "secret")?.to_vec()))?;
        if has(GK_CSRF_ALLOW_SAME_SITE) {
            inner = inner.allow_same_site();
        }
        if has(GK_CSRF_DANGER_ALLOW_HTTP) {
            inner = inner.danger_allow_http();
        }
        Ok(gk_csrf { inner })
    })
}

/// Frees what makes and checks CSRF tokens.
///
/// @param csrf It, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_csrf_free(csrf: Option<Box<gk_csrf>>) {
    release(csrf);
}

/// A new token for a session: 64 characters of base64url. It fits for as long as the session's id
/// stays the same.
///
/// @param csrf What makes it.
/// @param session_id The id of the session: 1 to 512 bytes.
/// @param session_id_len Its length in bytes.
/// @param token Receives the token, to be freed with gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_csrf_issue(
    csrf: Option<&gk_csrf>,
    session_id: *const c_char,
    session_id_len: usize,
    token: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(token, err, || {
        Ok(given(csrf, "csrf")?.inner.issue(text(session_id, session_id_len, "session_id")?)?)
    })
}

/// Lets a request pass that is harmless (GET, HEAD, OPTIONS), or that no other site has caused and
/// that brings a token of its session.
///
/// @param csrf What made the token.
/// @param session_id The id of the session: 1 to 512 bytes; NULL and 0 for a request without one.
/// @param session_id_len Its length in bytes.
/// @param request The request; borrowed for the call.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_CSRF_REJECTED if it is neither; GK_STATUS_MISSING_CREDENTIALS if
/// it is not harmless and has no session.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_csrf_check(
    csrf: Option<&gk_csrf>,
    session_id: *const c_char,
    session_id_len: usize,
    request: Option<&gk_csrf_request>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let csrf = given(csrf, "csrf")?;
        let request = given(request, "request")?;
        let session_id = text(session_id, session_id_len, "session_id")?;
        let token = header(&request.token, "token")?.unwrap_or_default();
        let mut known = CsrfRequest::new(header(&request.method, "method")?.unwrap_or_default());
        if let Some(site) = header(&request.sec_fetch_site, "sec_fetch_site")? {
            known = known.sec_fetch_site(site);
        }
        if let Some(origin) = header(&request.origin, "origin")? {
            known = known.origin(origin);
        }
        if let Some(host) = header(&request.host, "host")? {
            known = known.host(host);
        }
        Ok(csrf.inner.check(session_id, token, &known)?)
    })
}

/// When a browser sends a cookie, by the number.
pub(super) fn same_site(when: gk_same_site, name: &'static str) -> Outcome<SameSite> {
    Ok(match when {
        GK_SAME_SITE_LAX => SameSite::Lax,
        GK_SAME_SITE_STRICT => SameSite::Strict,
        GK_SAME_SITE_NONE => SameSite::None,
        _ => return Err(Fault::OutOfRange(name)),
    })
}

/// What tells whether a flag is among `set`, all of which must be `known`.
pub(super) fn flags(set: u32, known: u32) -> Outcome<impl Fn(u32) -> bool> {
    if set & !known != 0 {
        return Err(Fault::OutOfRange("flags"));
    }
    Ok(move |flag| set & flag != 0)
}

/// What a caller's request says, if it is there.
///
/// # Safety
/// As [`slice`].
unsafe fn header<'a>(given: &gk_str, name: &'static str) -> Outcome<Option<&'a str>> {
    if given.data.is_null() && given.len == 0 {
        return Ok(None);
    }
    // SAFETY: as this function's own contract.
    Ok(Some(foreign(unsafe { chars(given.data, given.len, name) }?)))
}

/// What a caller has sent; what is not UTF-8 is like nothing that is compared with it.
fn foreign(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("\u{fffd}")
}
