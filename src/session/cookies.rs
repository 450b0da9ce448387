//! `SessionCookies`: the cookies of a session in a browser (RFC 6265bis), set, cleared and read in
//! one place: the access token, the refresh token, and a CSRF token that scripts may read.
//!
//! All three are sent under `/`, so that a refresh and a log-out both get what they need, and are
//! named `__Host-`, so that no other host of the domain can plant one. The CSRF token is bound to
//! the session's id, which each refresh token names: refreshing needs no fourth cookie.

use super::life::UNDATED;
use super::sessions::{SessionTokens, Sessions};
use super::token;
use crate::crypto::constant_time_eq;
use crate::error::{Error, ErrorKind, Result};
use crate::web::{Cookie, CookieBuilder, Csrf, SameSite, read_cookies};
use memchr::memmem::Finder;
use std::sync::Arc;

impl Sessions {
    /// The id of the session that a refresh token says it is of, without a look at the store and
    /// without using the token up; `None` if the text is no refresh token. For a CSRF token, which
    /// is bound to that id ([`crate::web::Csrf::issue`]), at a refresh or a log-out.
    ///
    /// # Security
    /// Whether the token is genuine is not known by this.
    #[must_use]
    pub fn family_of(refresh_token: &[u8]) -> Option<&str> {
        token::parse(refresh_token).map(|presented| presented.family)
    }

    /// Whether an error of [`Self::refresh`] means that the session is over, so that its cookies
    /// are to be cleared; not if another call of the same client may have been faster, and its
    /// answer has newer ones.
    #[must_use]
    pub fn is_over(error: &Error) -> bool {
        match error.kind() {
            ErrorKind::TokenReuse | ErrorKind::SessionEnded | ErrorKind::SessionExpired => true,
            ErrorKind::InvalidRefreshToken => *error != UNDATED,
            _ => false,
        }
    }
}

/// How [`SessionCookies`] are made; see [`SessionCookies::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionCookiesBuilder {
    csrf: Csrf,
    names: [String; 3],
    refresh_path: Option<String>,
    same_site: SameSite,
    allow_http: bool,
}

impl SessionCookiesBuilder {
    /// What the three cookies are called, behind `__Host-`: `access`, `refresh` and `csrf` unless
    /// set. Services on one host name, on several ports, need different names: cookies know no
    /// ports.
    pub fn names(
        mut self,
        access: impl Into<String>,
        refresh: impl Into<String>,
        csrf: impl Into<String>,
    ) -> Self {
        self.names = [access.into(), refresh.into(), csrf.into()];
        self
    }

    /// Sends the refresh token under this path alone, below which the routes of both refresh and
    /// log-out are, such as `/auth`. Its name begins with `__Secure-` then, because `__Host-` needs
    /// the path `/`: another host of the domain may plant such a cookie. `/` unless set.
    pub fn refresh_path(mut self, path: impl Into<String>) -> Self {
        self.refresh_path = Some(path.into());
        self
    }

    /// When the access token is sent with requests that other sites cause; `Lax` unless set. The
    /// refresh token never is.
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// For development without HTTPS: the cookies have no `Secure`, and names without `__Host-`.
    ///
    /// # Security
    /// Anyone who sees or changes the traffic has, or plants, the session.
    pub const fn danger_allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// The cookies.
    ///
    /// # Errors
    /// `InvalidConfiguration`: a name or the path is not acceptable, or two names are the same.
    pub fn build(self) -> Result<SessionCookies> {
        let [access, refresh, csrf] = &self.names;
        if access == refresh || refresh == csrf || access == csrf {
            return Err(SAME_NAMES.about_claim("names"));
        }
        let path = self.refresh_path.as_deref().unwrap_or("/");
        let access = self.cookie(access, "/").same_site(self.same_site).build()?;
        let refresh = self.cookie(refresh, path).same_site(SameSite::Strict).build()?;
        let shown = self.cookie(csrf, "/").same_site(self.same_site).http_only(false).build()?;
        let beginning = common_beginning([access.name(), refresh.name(), shown.name()]);
        let beginning = Arc::new(Finder::new(beginning).into_owned());
        let (csrf, allow_http) = (self.csrf, self.allow_http);
        Ok(SessionCookies { access, refresh, shown, beginning, csrf, allow_http })
    }

    fn cookie(&self, name: &str, path: &str) -> CookieBuilder {
        let prefix = match path {
            _ if self.allow_http => "",
            "/" => "__Host-",
            _ => "__Secure-",
        };
        let cookie = Cookie::builder(format!("{prefix}{name}")).path(path);
        if self.allow_http { cookie.insecure().danger_allow_http() } else { cookie }
    }
}

/// The cookies of a session. Made once, cheap to clone, safe to share.
///
/// ```
/// use gatekey::session::{SessionCookies, SessionOptions, SessionSpec};
/// use gatekey::web::Csrf;
/// use gatekey::{Alg, Key, Secret, Signer, Store};
///
/// let csrf = Csrf::new(&Secret::new(vec![7; 32]))?; // from a file, in production
/// let cookies = SessionCookies::builder(&csrf).build()?;
/// let signer = Signer::builder(&Key::generate(Alg::Es256)?).build()?;
/// let sessions = Store::open("memory:")?.sessions(Some(&signer), SessionOptions::new())?;
/// let tokens = sessions.start("alice", &SessionSpec::default())?;
///
/// let headers = cookies.set(&tokens)?; // three values of Set-Cookie
/// assert!(headers[0].starts_with("__Host-access=ey"));
/// let sent = cookies.read("theme=dark; __Host-refresh=gkr_x")?;
/// assert_eq!((sent.access, sent.refresh), (None, Some("gkr_x")));
/// assert!(cookies.clear()[1].starts_with("__Host-refresh=; Path=/; Max-Age=0"));
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionCookies {
    access: Cookie,
    refresh: Cookie,
    /// The CSRF token, for scripts.
    shown: Cookie,
    /// What all of their names begin with.
    beginning: Arc<Finder<'static>>,
    csrf: Csrf,
    allow_http: bool,
}

/// What a request brings of a session's cookies: none of it is trusted.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct SentCookies<'h> {
    /// The access token.
    pub access: Option<&'h str>,
    /// The refresh token.
    pub refresh: Option<&'h str>,
    /// The CSRF token that pages read. It proves nothing in a cookie.
    pub csrf: Option<&'h str>,
}

impl SessionCookies {
    /// Cookies with CSRF tokens of this secret.
    pub fn builder(csrf: &Csrf) -> SessionCookiesBuilder {
        SessionCookiesBuilder {
            csrf: csrf.clone(),
            names: ["access", "refresh", "csrf"].map(str::to_owned),
            refresh_path: None,
            same_site: SameSite::Lax,
            allow_http: false,
        }
    }

    /// The values of the three `Set-Cookie` headers after a log-in and after a refresh. The access
    /// token's lives as long as the token, the others as long as the session.
    ///
    /// # Errors
    /// `InvalidArgument`: a token is too long for a cookie: give the session fewer claims.
    /// `RandomUnavailable`.
    pub fn set(&self, tokens: &SessionTokens) -> Result<Vec<String>> {
        let record = &tokens.session;
        let rest = tokens.expires_at.saturating_sub(record.last_seen_at);
        let (access, refresh) = (text(&tokens.access_token)?, text(&tokens.refresh_token)?);
        Ok(vec![
            self.access.set_for(access, tokens.expires_in)?,
            self.refresh.set_for(refresh, rest)?,
            self.shown.set_for(&self.csrf.issue(&record.family)?, rest)?,
        ])
    }

    /// The values of the three `Set-Cookie` headers that make a browser forget them: when the
    /// session is over ([`Sessions::is_over`](super::Sessions::is_over)), and not before.
    #[must_use]
    pub fn clear(&self) -> Vec<String> {
        [&self.access, &self.refresh, &self.shown].map(Cookie::clear).into()
    }

    /// What a request's `Cookie` header says they are.
    ///
    /// # Errors
    /// `MalformedCookie`, as [`Cookie::read`]: none of them is read then.
    pub fn read<'h>(&self, header: &'h str) -> Result<SentCookies<'h>> {
        self.read_all([header.as_bytes()])
    }

    /// [`Self::read`] for all `Cookie` headers of a request, as they came.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_all<'h>(
        &self,
        headers: impl IntoIterator<Item = &'h [u8]>,
    ) -> Result<SentCookies<'h>> {
        let [access, refresh, csrf] = read_cookies(headers, self.names(), &self.beginning)?;
        Ok(SentCookies { access, refresh, csrf })
    }

    /// The CSRF token of a page whose user is not known yet, and the value of the `Set-Cookie`
    /// header that belongs to it, unless the browser has one already. Scripts read it as that of a
    /// session, which takes its place after the log-in.
    pub(crate) fn before_log_in(&self, sent: &SentCookies<'_>) -> Result<(String, Option<String>)> {
        if let Some(token) = sent.csrf
            && self.check_before_log_in(sent, token).is_ok()
        {
            return Ok((token.to_owned(), None));
        }
        let token = self.csrf.issue(BEFORE)?;
        let set_cookie = self.shown.set(&token)?;
        Ok((token, Some(set_cookie)))
    }

    /// That the token is the cookie's, and made here: for a page without a session, or of the
    /// session that the browser still has.
    pub(crate) fn check_before_log_in(&self, sent: &SentCookies<'_>, token: &str) -> Result<()> {
        let own = sent.csrf.unwrap_or_default().as_bytes();
        if !constant_time_eq(own, token.as_bytes()) {
            return Err(OTHER_TOKEN);
        }
        let family = sent.refresh.and_then(|token| Sessions::family_of(token.as_bytes()));
        let of_session = family.is_some_and(|family| self.csrf.check_token(family, token).is_ok());
        if of_session { Ok(()) } else { self.csrf.check_token(BEFORE, token) }
    }

    /// The check of the CSRF tokens.
    #[must_use]
    pub const fn csrf(&self) -> &Csrf {
        &self.csrf
    }

    /// Whether they are for development without HTTPS.
    #[must_use]
    pub const fn allows_http(&self) -> bool {
        self.allow_http
    }

    /// The names: of the access token, of the refresh token, and of the CSRF token.
    #[must_use]
    pub fn names(&self) -> [&str; 3] {
        [self.access.name(), self.refresh.name(), self.shown.name()]
    }
}

/// What all of these names begin with; it may be empty.
fn common_beginning([first, second, third]: [&str; 3]) -> &[u8] {
    let all = first.bytes().zip(second.bytes().zip(third.bytes()));
    let same = all.take_while(|(a, (b, c))| a == b && b == c).count();
    first.as_bytes().get(..same).unwrap_or_default()
}

/// Which are there, and not what they are.
impl std::fmt::Debug for SentCookies<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentCookies")
            .field("access", &self.access.is_some())
            .field("refresh", &self.refresh.is_some())
            .field("csrf", &self.csrf.is_some())
            .finish()
    }
}

fn text(token: &crate::base::secret::Secret) -> Result<&str> {
    std::str::from_utf8(token.expose()).map_err(|_| ErrorKind::Internal.into())
}

/// What tokens of pages are bound to whose user is not known yet: no session has such an id.
const BEFORE: &str = "before the log-in";

const OTHER_TOKEN: Error = Error::new(
    ErrorKind::CsrfRejected,
    "The CSRF token is not that of the cookie: send the one that came with the page.",
);
const SAME_NAMES: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Two of the session's cookies have the same name; give each a name of its own.",
);
