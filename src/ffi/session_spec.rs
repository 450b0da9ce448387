//! `gk_session_spec`: what a session is to be like.

use super::boundary::{Outcome, given, release, sent, share, text};
use super::claims::gk_claims;
use super::sticky::{self, Sticky};
use crate::session::SessionSpec;
use libc::c_char;

/// What a session is to be like, for gk_sessions_start: only what is set. The setters keep the
/// first thing that was wrong, which gk_sessions_start reports.
#[derive(Default)]
pub struct gk_session_spec(Sticky<SessionSpec>);

impl gk_session_spec {
    /// What was set; NULL says nothing.
    pub(super) fn of(spec: Option<&Self>) -> Outcome<SessionSpec> {
        spec.map_or_else(|| Ok(SessionSpec::default()), |spec| spec.0.built().cloned())
    }
}

/// A specification that says nothing.
///
/// @return The specification, to be freed with gk_session_spec_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_session_spec_new() -> Option<Box<gk_session_spec>> {
    share(|| Some(gk_session_spec::default()))
}

/// Frees a specification.
///
/// @param spec The specification, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_session_spec_free(spec: Option<Box<gk_session_spec>>) {
    release(spec);
}

/// What each access token of the session says as well.
///
/// @param spec The specification.
/// @param claims The claims; copied. Not `sub`, `sid`, `iss`, `aud`, `exp`, `iat`, `jti` or `gkn`;
/// at most 8192 bytes as JSON.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_spec_claims(
    spec: Option<&mut gk_session_spec>,
    claims: Option<&gk_claims>,
) {
    set(spec, |spec| {
        spec.claims = given(claims, "claims")?.0.built()?.clone();
        Ok(())
    });
}

/// What the subject logs in with, for people, such as the request's User-Agent, whatever that is:
/// of it the first 255 bytes are kept, with a space for each control character.
///
/// @param spec The specification.
/// @param client The text; copied. What is not UTF-8 is replaced.
/// @param client_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_spec_client(
    spec: Option<&mut gk_session_spec>,
    client: *const c_char,
    client_len: usize,
) {
    set(spec, |spec| {
        spec.client = sent(client, client_len, "client")?.into_owned();
        Ok(())
    });
}

/// The program's own notes.
///
/// @param spec The specification.
/// @param meta One JSON object of at most 4096 bytes; copied.
/// @param meta_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_spec_meta(
    spec: Option<&mut gk_session_spec>,
    meta: *const c_char,
    meta_len: usize,
) {
    set(spec, |spec| {
        text(meta, meta_len, "meta")?.clone_into(&mut spec.meta);
        Ok(())
    });
}

fn set(spec: Option<&mut gk_session_spec>, change: impl FnOnce(&mut SessionSpec) -> Outcome<()>) {
    sticky::set_in(spec.map(|spec| &mut spec.0), change);
}
