//! Log-in, refresh and log-out with cookies: what is set and when it is cleared. Refreshing needs
//! no access token: the CSRF token is bound to the session's id, which the refresh token names.
//!
//! Cookies are cleared when the session is over, and not by an answer that may have lost a race
//! against another tab's.

use super::access::{Access, Known, ProvedBy};
use super::check::Refusal;
use super::credential::Credential;
use super::decision::{Decision, Headers};
use super::demand::Demand;
use super::request::{Read, Request};
use super::{Guard, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::Claims;
use crate::resource::{self, AccessKind, Authorized, Presented};
use crate::session::{SentCookies, SessionCookies, SessionSpec, Sessions};
use std::sync::Arc;

impl Guard {
    /// Starts a session for the subject that has logged in. The answer sets its cookies: all of
    /// them are new, whatever cookies the request has brought. May wait for the store.
    ///
    /// # Errors
    /// Those of [`Sessions::start`]; `InvalidConfiguration`: the guard has no sessions or no
    /// cookies; `InvalidArgument`: the claims are too many for a cookie: the session is ended.
    pub fn log_in(&self, subject: &str, spec: &SessionSpec) -> Result<Decision> {
        let inner = &*self.0;
        let (sessions, cookies) = inner.sessions()?;
        let tokens = sessions.start(subject, spec)?;
        let mut headers = Headers::default();
        match cookies.set(&tokens) {
            Ok(values) => headers.set_cookies(values),
            Err(error) => {
                sessions.end(tokens.refresh_token.expose())?;
                return Err(error);
            }
        }
        Ok(Decision::allow(&inner.vary, Access::NOBODY, headers).with_tokens(tokens))
    }

    /// Exchanges the refresh cookie for new cookies; with `claims` the access tokens say these from
    /// now on. The request shows that it is of our own pages, as any that changes something. May
    /// wait for the store.
    ///
    /// Of two tabs that refresh at once both get the same cookies. One that is late is told 401,
    /// and its answer clears nothing unless the session is over.
    pub fn refresh(&self, request: &Request<'_>, claims: Option<&Claims>) -> Decision {
        let inner = &*self.0;
        let refreshed = inner.refreshed(request, claims);
        refreshed.unwrap_or_else(|refusal| inner.refuse(refusal, &inner.any_caller))
    }

    /// Ends the session of the request, whichever of its tokens it brings, and clears its cookies.
    /// A request with cookies shows that it is of our own pages. May wait for the store.
    pub fn log_out(&self, request: &Request<'_>) -> Decision {
        let inner = &*self.0;
        let ended = inner.logged_out(request);
        ended.unwrap_or_else(|refusal| inner.refuse(refusal, &inner.any_caller))
    }
}

impl Inner {
    fn sessions(&self) -> Result<(&Sessions, &SessionCookies)> {
        let sessions = self.sessions.as_ref().ok_or_else(|| NO_SESSIONS.about_claim("sessions"))?;
        let cookies = self.cookies.as_ref().ok_or_else(|| NO_SESSIONS.about_claim("cookies"))?;
        Ok((sessions, cookies))
    }

    fn refreshed(
        &self,
        request: &Request<'_>,
        claims: Option<&Claims>,
    ) -> Result<Decision, Refusal> {
        let (sessions, cookies) = self.sessions()?;
        let (read, sent) = self.sent(request, cookies)?;
        let token = sent.refresh.ok_or(NO_REFRESH_TOKEN)?;
        self.check_own_page(request, &read, token)?;
        let tokens = sessions.refresh(token, claims).map_err(|error| Refusal {
            ends_session: Sessions::is_over(&error),
            error: Box::new(error),
        })?;
        let mut headers = Headers::default();
        headers.set_cookies(cookies.set(&tokens)?);
        Ok(Decision::allow(&self.vary, Access::NOBODY, headers).with_tokens(tokens))
    }

    fn logged_out(&self, request: &Request<'_>) -> Result<Decision, Refusal> {
        let (sessions, cookies) = self.sessions()?;
        let (read, sent) = self.sent(request, cookies)?;
        if let Some(token) = sent.refresh {
            self.check_own_page(request, &read, token)?;
            match sessions.end(token) {
                // It is not known any more.
                Err(error) if error.kind() != ErrorKind::InvalidRefreshToken => {
                    return Err(error.into());
                }
                _ => {}
            }
        } else {
            let known = self.session_of(&read, &sent)?;
            if known.by() == ProvedBy::Cookie {
                self.check_forgery(request, &read, known.proven().session().unwrap_or_default())?;
            }
            let proven = known.proven();
            sessions.end_by_id(proven.session().unwrap_or_default(), proven.subject())?;
        }
        let mut headers = Headers::default();
        headers.set_cookies(cookies.clear());
        Ok(Decision::allow(&self.vary, Access::NOBODY, headers))
    }

    fn sent<'r>(
        &self,
        request: &Request<'r>,
        cookies: &SessionCookies,
    ) -> Result<(Read<'r>, SentCookies<'r>)> {
        let read = request.read(&self.names)?;
        if request.is_safe() || read.is_preflight {
            return Err(NOT_SAFE);
        }
        let sent = read.session_cookies(request, cookies)?;
        Ok((read, sent))
    }

    /// By the session's id in the refresh token, which is proved by what follows, or nothing is
    /// done.
    fn check_own_page(&self, request: &Request<'_>, read: &Read<'_>, token: &str) -> Result<()> {
        let family = Sessions::family_of(token.as_bytes());
        self.check_forgery(request, read, family.ok_or(ErrorKind::InvalidRefreshToken)?)
    }

    /// The session by its access token, in a cookie or behind `Bearer`, but not in both.
    fn session_of(&self, read: &Read<'_>, sent: &SentCookies<'_>) -> Result<Arc<Known>, Refusal> {
        let authorization = read.authorization.text(|| ErrorKind::SeveralCredentials.into())?;
        let bearer = Presented { authorization, api_key: None }.authorized()?;
        let credential = match (sent.access, bearer) {
            (None, None) => return Err(Error::from(ErrorKind::MissingCredentials).into()),
            (Some(_), Some(_)) => return Err(Error::from(ErrorKind::SeveralCredentials).into()),
            (Some(token), None) => Credential::Cookie(token),
            (None, Some(Authorized::Bearer(token))) => {
                Credential::Authorization(Authorized::Bearer(token))
            }
            (None, Some(Authorized::ApiKey(_))) => return Err(NO_SESSION.into()),
        };
        if credential.kind(self) != AccessKind::Session {
            return Err(NO_SESSION.into());
        }
        let known = credential.prove(self, &resource::Demand::default());
        known.map_err(|error| Refusal {
            ends_session: matches!(credential, Credential::Cookie(_))
                && error.kind() == ErrorKind::RevokedToken,
            error: Box::new(error),
        })
    }
}

/// What a refusal of these routes demands of its caller: nothing.
pub(super) fn any_caller() -> Result<Demand> {
    Demand::builder().build()
}

const NO_SESSIONS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The guard was built without sessions, or without their cookies.",
);
const NO_SESSION: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request brings a credential that is no session's, and only a session can log out.",
);
const NO_REFRESH_TOKEN: Error =
    Error::new(ErrorKind::MissingCredentials, "The request brings no refresh token in its cookie.");
const NOT_SAFE: Error = Error::new(
    ErrorKind::CsrfRejected,
    "A refresh and a log-out change something: they are POST, and never a link.",
);
