//! `gk_session_cookies`: the three cookies of a session in a browser, for a guard. What sets and
//! reads them is the guard itself.

use super::boundary::{Fault, Outcome, create, fill, given, lend, look, release, text};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use super::web::{gk_csrf, gk_same_site, same_site};
use crate::session::{SessionCookies, SessionCookiesBuilder};
use libc::c_char;

/// One of a session's cookies: one of the GK_SESSION_COOKIE_ constants.
pub type gk_session_cookie = i32;

/// The cookie of the access token.
pub const GK_SESSION_COOKIE_ACCESS: gk_session_cookie = 0;
/// The cookie of the refresh token.
pub const GK_SESSION_COOKIE_REFRESH: gk_session_cookie = 1;
/// The cookie of the CSRF token, which scripts may read.
pub const GK_SESSION_COOKIE_CSRF: gk_session_cookie = 2;

/// The cookies of a session in a browser (RFC 6265bis): `__Host-access`, `__Host-refresh` and
/// `__Host-csrf`. gk_guard_log_in and gk_guard_refresh set them, gk_guard_log_out clears them.
/// Made once, shared by all threads.
pub struct gk_session_cookies(pub(super) SessionCookies);

/// gk_session_cookies while they are put together. The setters keep the first thing that was wrong,
/// which gk_session_cookies_builder_build reports.
pub struct gk_session_cookies_builder(Sticky<Building>);

#[derive(Clone)]
struct Building {
    builder: SessionCookiesBuilder,
    /// In the order of the constants.
    names: [String; 3],
}

/// Begins the cookies of sessions.
///
/// @param csrf What makes and checks the CSRF tokens in one of them; copied.
/// @param builder Receives the builder, to be freed with gk_session_cookies_builder_free; NULL if
/// the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_cookies_builder_new(
    csrf: Option<&gk_csrf>,
    builder: *mut *mut gk_session_cookies_builder,
    err: *mut gk_error,
) -> gk_status {
    create(builder, err, || {
        let builder = SessionCookies::builder(&given(csrf, "csrf")?.inner);
        let names = ["access", "refresh", "csrf"].map(str::to_owned);
        Ok(gk_session_cookies_builder(Sticky::new(Building { builder, names })))
    })
}

/// Frees a builder.
///
/// @param builder The builder, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_session_cookies_builder_free(
    builder: Option<Box<gk_session_cookies_builder>>,
) {
    release(builder);
}

/// What one of the cookies is called, behind `__Host-`: `access`, `refresh` and `csrf` unless set.
/// Services on one host name, on several ports, need different names: cookies know no ports.
///
/// @param builder The builder.
/// @param which One of the GK_SESSION_COOKIE_ constants.
/// @param name The name; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_cookies_builder_name(
    builder: Option<&mut gk_session_cookies_builder>,
    which: gk_session_cookie,
    name: *const c_char,
    name_len: usize,
) {
    sticky::set_in(builder.map(|builder| &mut builder.0), |all| {
        let at = usize::try_from(which).ok();
        let place = at.and_then(|at| all.names.get_mut(at)).ok_or(Fault::OutOfRange("which"))?;
        text(name, name_len, "name")?.clone_into(place);
        Ok(())
    });
}

/// Sends the refresh token under this path alone, below which the routes of both refresh and
/// log-out are. Its name begins with `__Secure-` then, because `__Host-` needs the path `/`:
/// another host of the domain may plant such a cookie.
///
/// @param builder The builder.
/// @param path Such as `/auth`; `/` unless set; copied.
/// @param path_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_cookies_builder_refresh_path(
    builder: Option<&mut gk_session_cookies_builder>,
    path: *const c_char,
    path_len: usize,
) {
    set(builder, |builder| Ok(builder.refresh_path(text(path, path_len, "path")?)));
}

/// When the access token is sent with requests that other sites cause. The refresh token never is.
///
/// @param builder The builder.
/// @param when One of the GK_SAME_SITE_ constants; GK_SAME_SITE_LAX unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_cookies_builder_same_site(
    builder: Option<&mut gk_session_cookies_builder>,
    when: gk_same_site,
) {
    set(builder, |builder| Ok(builder.same_site(same_site(when, "when")?)));
}

/// For development without HTTPS: the cookies have no Secure, and names without `__Host-`. Anyone
/// who sees or changes the traffic has, or plants, the session.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_cookies_builder_danger_allow_http(
    builder: Option<&mut gk_session_cookies_builder>,
) {
    set(builder, |builder| Ok(builder.danger_allow_http()));
}

/// Makes the cookies.
///
/// @param builder The builder, which can be used again.
/// @param cookies Receives the cookies, to be freed with gk_session_cookies_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if a name or the
/// path is not acceptable, or two names are the same.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_cookies_builder_build(
    builder: Option<&gk_session_cookies_builder>,
    cookies: *mut *mut gk_session_cookies,
    err: *mut gk_error,
) -> gk_status {
    create(cookies, err, || {
        let Building { builder, names } = given(builder, "builder")?.0.built()?.clone();
        let [access, refresh, csrf] = names;
        Ok(gk_session_cookies(builder.names(access, refresh, csrf).build()?))
    })
}

/// Frees cookies; guards that have them are not affected.
///
/// @param cookies The cookies, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_session_cookies_free(cookies: Option<Box<gk_session_cookies>>) {
    release(cookies);
}

/// The whole name of one of the cookies, such as `__Host-csrf`: where scripts of our own pages find
/// the CSRF token.
///
/// @param cookies The cookies; NULL is fine.
/// @param which One of the GK_SESSION_COOKIE_ constants.
/// @return The name, lent by the handle; {NULL, 0} for another number, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_session_cookies_name(
    cookies: Option<&gk_session_cookies>,
    which: gk_session_cookie,
) -> gk_str {
    look(gk_str::NONE, || {
        let names = cookies?.0.names();
        Some(lend(names.get(usize::try_from(which).ok()?)?))
    })
}

/// The value of a `Set-Cookie` header that makes the browser forget one of the cookies: for an
/// answer after gk_sessions_end_all. gk_guard_log_out says all three itself.
///
/// @param cookies The cookies.
/// @param which One of the GK_SESSION_COOKIE_ constants.
/// @param header Receives the header's value, to be freed with gk_buf_free.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_cookies_clear(
    cookies: Option<&gk_session_cookies>,
    which: gk_session_cookie,
    header: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(header, err, || {
        let mut all = given(cookies, "cookies")?.0.clear().into_iter();
        let at = usize::try_from(which).ok();
        at.and_then(|at| all.nth(at)).ok_or(Fault::OutOfRange("which"))
    })
}

/// Replaces what was set by what the change makes of it.
fn set(
    builder: Option<&mut gk_session_cookies_builder>,
    change: impl FnOnce(SessionCookiesBuilder) -> Outcome<SessionCookiesBuilder>,
) {
    sticky::set(builder.map(|builder| &mut builder.0), |all| {
        Ok(Building { builder: change(all.builder)?, ..all })
    });
}
