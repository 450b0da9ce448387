//! Tokens of what the service had before: whose they are, for the program to look up whether that
//! user is active. Such a request is decided a second time, with [`Request::user`].

use super::Guard;
use super::request::Request;
use crate::error::ErrorKind;
use crate::resource::{Authorized, FormerUser, Presented};

impl Guard {
    /// Whose former token the request brings; `None` if it brings none that is good by itself. From
    /// memory alone: for programs that were built with
    /// [`former_tokens`](super::GuardBuilder::former_tokens), before each decision. If the user is
    /// active, tell the decision so by [`Request::user`]; else the request is refused.
    #[must_use]
    pub fn former_user(&self, request: &Request<'_>) -> Option<FormerUser> {
        let inner = &*self.0;
        let read = request.read(&inner.names).ok()?;
        let authorization =
            read.authorization.text(|| ErrorKind::SeveralCredentials.into()).ok()?;
        match (Presented { authorization, api_key: None }).authorized() {
            Ok(Some(Authorized::Bearer(token))) => inner.server.former_user(token),
            _ => None,
        }
    }
}
