//! Requests of callers who are not known yet, such as a log-in: that one of our own pages has
//! caused them, so that no other site logs its visitors in as a user of its choice.

use super::request::{Read, Request};
use super::{Guard, Inner};
use crate::error::{Error, ErrorKind, Result};

/// A CSRF token for a page with a form of a caller who is not known yet.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormToken {
    /// The token, for the form's field or the header.
    pub token: String,
    /// The value of the `Set-Cookie` header that the page's answer must have; `None` if the browser
    /// has the cookie already.
    pub set_cookie: Option<String>,
}

/// Whether there is a cookie to set, and not the token.
impl std::fmt::Debug for FormToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormToken").field("set_cookie", &self.set_cookie.is_some()).finish()
    }
}

impl Guard {
    /// A CSRF token for the page of this request, whose form goes to a route with
    /// [`own_pages`](super::DemandBuilder::own_pages). Only browsers need it that say nothing of
    /// where a request comes from, which are older than 2023.
    ///
    /// # Errors
    /// `InvalidConfiguration`: the guard has no cookies. `MalformedRequest`, `RequestTooLarge`;
    /// `RandomUnavailable`.
    pub fn form_token(&self, request: &Request<'_>) -> Result<FormToken> {
        let inner = &*self.0;
        let cookies = inner.cookies.as_ref().ok_or_else(|| NO_COOKIES.about_claim("cookies"))?;
        // Whatever another host has planted, the page can be shown: it gets a cookie of its own.
        let sent = request.read(&inner.names)?.session_cookies(request, cookies);
        let sent = sent.unwrap_or_default();
        let (token, set_cookie) = cookies.before_log_in(&sent)?;
        Ok(FormToken { token, set_cookie })
    }
}

impl Inner {
    /// Whether a request that may change something is of our own pages, although nothing proves its
    /// caller: by what the browser says, or else by a CSRF token that the browser has in a cookie,
    /// too, where no other site can put it.
    pub(super) fn check_own_page_of_unknown<'r>(
        &self,
        request: &Request<'r>,
        read: &Read<'r>,
    ) -> Result<()> {
        if request.is_safe() && !read.is_upgrade || self.is_from_here(read)? {
            return Ok(());
        }
        let Some(cookies) = &self.cookies else { return Err(SAYS_NOTHING) };
        let token = request.csrf_token(read)?.ok_or(SAYS_NOTHING)?;
        cookies.check_before_log_in(&read.session_cookies(request, cookies)?, token)
    }
}

const NO_COOKIES: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The guard was built without cookies, and a form's token is in one of them.",
);
const SAYS_NOTHING: Error = Error::new(
    ErrorKind::CsrfRejected,
    "Nothing says that the request is of one of your own pages: no `Origin`, no `Sec-Fetch-Site`, no CSRF token of the page.",
);
