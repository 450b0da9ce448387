//! `gk_sessions`: short access tokens and refresh tokens that rotate. Records come as JSON, tokens
//! in buffers that are wiped when freed.

use super::boundary::{
    Outcome, array, create, credential, fill, given, guard, lent, look, release, share, tell, text,
    writable,
};
use super::buf::{gk_buf, gk_str};
use super::claims::gk_claims;
use super::error::gk_error;
use super::filter::gk_filter;
use super::revocations::gk_revocations;
use super::session_options::gk_session_options;
use super::session_spec::gk_session_spec;
use super::signer::gk_signer;
use super::status::gk_status;
use crate::pepper::PepperSource;
use crate::session::SessionTokens;
use crate::{Sessions, ToJson as _};
use libc::c_char;

/// The size of gk_session_tokens.family in bytes.
pub const GK_SESSION_FAMILY_SIZE: usize = 13;

/// The sessions of a service, in a store. Shared by reference count, safe to use from several
/// threads at once, and usable after a fork.
pub struct gk_sessions {
    pub(super) inner: Sessions,
}

/// What a client is given at a log-in and at each refresh, in memory of the caller's: give it to
/// gk_session_tokens_free. All zero if the call failed that was to fill it. Change no member.
#[repr(C)]
pub struct gk_session_tokens {
    /// The access token: a JWT with `sub`, `sid` and the claims of the session.
    pub access_token: gk_buf,
    /// The refresh token, 51 letters, digits and underscores, to be used once, instead of the one
    /// before.
    pub refresh_token: gk_buf,
    /// For how many seconds the access token is good (RFC 6749 section 5.1).
    pub expires_in: u64,
    /// When the session ends unless it is refreshed before, in seconds since 1970.
    pub expires_at: u64,
    /// The id of the session, which is `sid` of its access tokens: 12 letters and digits,
    /// NUL-terminated.
    pub family: [c_char; GK_SESSION_FAMILY_SIZE],
}

impl gk_session_tokens {
    const NONE: Self = Self {
        access_token: gk_buf::EMPTY,
        refresh_token: gk_buf::EMPTY,
        expires_in: 0,
        expires_at: 0,
        family: [0; GK_SESSION_FAMILY_SIZE],
    };

    fn of(tokens: &SessionTokens) -> Outcome<Self> {
        // What can fail comes before what would have to be freed.
        let family = array(tokens.family())?;
        Ok(Self {
            access_token: gk_buf::copy_of(tokens.access_token.expose()),
            refresh_token: gk_buf::copy_of(tokens.refresh_token.expose()),
            expires_in: tokens.expires_in,
            expires_at: tokens.expires_at,
            family,
        })
    }
}

/// Which session is meant.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_session_identity {
    /// The session's id.
    pub family: gk_str,
    /// Only if it is a session of this subject: the user who is logged in. {NULL, 0} for any, which
    /// is for operators. Empty text is no subject's.
    pub subject: gk_str,
}

/// Wipes and frees tokens and leaves all of it zero.
///
/// @param tokens Tokens that a call of this library has filled in, or all zero; NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_tokens_free(tokens: Option<&mut gk_session_tokens>) {
    look((), || {
        let tokens = tokens?;
        tokens.access_token.clear();
        tokens.refresh_token.clear();
        *tokens = gk_session_tokens::NONE;
        Some(())
    });
}

/// Opens sessions: the short way, for a program that keeps nothing else there.
///
/// @param url As for gk_store_open, which takes other peppers than those in the file
/// `<path>.pepper`; that is made with the store: back it up, because without it every session is
/// lost.
/// @param url_len Its length in bytes.
/// @param signer What signs the access tokens, which is shared; its tokens have a time to live, not
/// longer than that of refresh tokens. NULL to look at sessions and to end them, and nothing else.
/// @param options How; NULL for the usual options.
/// @param sessions Receives the sessions, to be freed with gk_sessions_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if the signer's tokens live too long or
/// for ever, or others may read the pepper file; GK_STATUS_WRONG_PEPPER; GK_STATUS_UNSUPPORTED if
/// this build has no SQLite; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_open(
    url: *const c_char,
    url_len: usize,
    signer: Option<&gk_signer>,
    options: Option<&gk_session_options>,
    sessions: *mut *mut gk_sessions,
    err: *mut gk_error,
) -> gk_status {
    create(sessions, err, || {
        let url = text(url, url_len, "url")?;
        let signer = signer.map(|signer| &signer.0);
        let options = options.map(|options| options.0.built()).transpose()?;
        let options = options.map(|options| options.options()).unwrap_or_default();
        let opened = crate::open::open_sessions(url, &PepperSource::Beside, signer, options)?;
        Ok(gk_sessions { inner: opened.sessions })
    })
}

/// Shares sessions.
///
/// @param sessions The sessions; NULL is fine.
/// @return Another handle to the same sessions, to be freed with gk_sessions_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_sessions_clone(sessions: Option<&gk_sessions>) -> Option<Box<gk_sessions>> {
    share(|| {
        let sessions = sessions?;
        Some(gk_sessions { inner: sessions.inner.clone() })
    })
}

/// Frees a handle to sessions. The last one, of their revocations too, closes the store.
///
/// @param sessions The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_sessions_free(sessions: Option<Box<gk_sessions>>) {
    release(sessions);
}

/// Starts a session: after a log-in, for the subject that has logged in.
///
/// @param sessions The sessions.
/// @param subject Who has logged in, `sub` of the access tokens: 1 to 255 bytes.
/// @param subject_len Its length in bytes.
/// @param spec What the session is to be like; NULL for nothing but its subject.
/// @param tokens Receives the tokens, to be freed with gk_session_tokens_free; all zero if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if there is no signer; those of
/// gk_signer_sign; the 6000s. If the call fails, there is no session.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_start(
    sessions: Option<&gk_sessions>,
    subject: *const c_char,
    subject_len: usize,
    spec: Option<&gk_session_spec>,
    tokens: *mut gk_session_tokens,
    err: *mut gk_error,
) -> gk_status {
    issue(tokens, err, || {
        let spec = gk_session_spec::of(spec)?;
        let subject = text(subject, subject_len, "subject")?;
        Ok(given(sessions, "sessions")?.inner.start(subject, &spec)?)
    })
}

/// Exchanges a refresh token for new tokens. Of several calls at the same time one does; the others
/// get the same refresh token.
///
/// @param sessions The sessions.
/// @param token The refresh token as the client sent it, whatever it is.
/// @param token_len Its length in bytes.
/// @param claims What the access tokens say from now on, as in gk_session_spec_claims; NULL for
/// what they said before.
/// @param tokens Receives the tokens, to be freed with gk_session_tokens_free; all zero if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_REFRESH_TOKEN, also if it was used before and the clock,
/// which was set since, cannot tell how long ago; GK_STATUS_TOKEN_REUSE if it was used before: the
/// session has been ended; GK_STATUS_SESSION_ENDED; GK_STATUS_SESSION_EXPIRED; those of
/// gk_signer_sign and the 6000s, after which the token is as good as it was.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_refresh(
    sessions: Option<&gk_sessions>,
    token: *const c_char,
    token_len: usize,
    claims: Option<&gk_claims>,
    tokens: *mut gk_session_tokens,
    err: *mut gk_error,
) -> gk_status {
    issue(tokens, err, || {
        let sessions = &given(sessions, "sessions")?.inner;
        sessions.check_open()?;
        let token = credential(token, token_len, "token")?;
        let claims = claims.map(|claims| claims.0.built()).transpose()?;
        Ok(sessions.refresh(token, claims)?)
    })
}

/// Ends the session of a refresh token, whose secret is checked, and revokes its access tokens: a
/// log-out. The public id of a session is no refresh token.
///
/// @param sessions The sessions.
/// @param token Any refresh token of the session as the client sent it, whatever it is; NULL and 0
/// if it sent none.
/// @param token_len Its length in bytes.
/// @param ended Receives whether it had not been ended before; false if the call fails. May be
/// NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_REFRESH_TOKEN; GK_STATUS_MISSING_CREDENTIALS for NULL;
/// the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_end(
    sessions: Option<&gk_sessions>,
    token: *const c_char,
    token_len: usize,
    ended: *mut bool,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        tell(ended, false);
        let sessions = &given(sessions, "sessions")?.inner;
        sessions.check_open()?;
        let token = credential(token, token_len, "token")?;
        tell(ended, sessions.end(token)?);
        Ok(())
    })
}

/// Ends the session of an id and revokes its access tokens. The id is public: every API that sees
/// an access token knows it as `sid`. So a caller who may choose it must be allowed to end that
/// session.
///
/// @param sessions The sessions.
/// @param session Which session; borrowed for the call.
/// @param ended Receives whether it had not been ended before; false if the call fails. May be
/// NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_SESSION_NOT_FOUND, also if it is another subject's; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_end_by_id(
    sessions: Option<&gk_sessions>,
    session: Option<&gk_session_identity>,
    ended: *mut bool,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        tell(ended, false);
        let gk_session_identity { family, subject } = *given(session, "session")?;
        let family = text(family.data, family.len, "family")?;
        let subject = lent(&subject, "subject")?;
        tell(ended, given(sessions, "sessions")?.inner.end_by_id(family, subject)?);
        Ok(())
    })
}

/// Ends every session whose refresh token was made under a pepper, and revokes its access tokens:
/// for the day that an old pepper has leaked. Sessions that were refreshed since a newer one came
/// stay, if that is more than a minute ago; those whose rows were altered from outside end.
/// Afterwards none needs the pepper.
///
/// @param sessions The sessions.
/// @param pepper The pepper's number; not the newest one.
/// @param ended Receives how many sessions; 0 if the call fails. May be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT for the newest pepper; GK_STATUS_WRONG_PEPPER
/// for one that was not given, or if rows are sealed under another one that was not given, which
/// stay, while all others are done; the 6000s: what was ended by then stays ended, and a second
/// call continues.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_end_under_pepper(
    sessions: Option<&gk_sessions>,
    pepper: u32,
    ended: *mut u64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        tell(ended, 0);
        tell(ended, given(sessions, "sessions")?.inner.end_under_pepper(pepper)?);
        Ok(())
    })
}

/// Ends all sessions of a subject and revokes what access tokens it has: logs it out everywhere. A
/// later log-in gives good tokens, also in the same second.
///
/// @param sessions The sessions.
/// @param subject The subject, 1 to 255 bytes.
/// @param subject_len Its length in bytes.
/// @param ended Receives how many sessions; 0 if the call fails. May be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s: what was ended by then stays ended, and a second call
/// continues.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_end_all(
    sessions: Option<&gk_sessions>,
    subject: *const c_char,
    subject_len: usize,
    ended: *mut u64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        tell(ended, 0);
        let subject = text(subject, subject_len, "subject")?;
        tell(ended, given(sessions, "sessions")?.inner.end_all(subject)?);
        Ok(())
    })
}

/// Ends all sessions of a subject but one, and revokes their access tokens: "log out my other
/// devices". The one that is kept is not touched, and sessions that are started meanwhile are not
/// ended.
///
/// @param sessions The sessions.
/// @param kept The session to keep, and the subject, which must be given; borrowed for the call.
/// @param ended Receives how many sessions; 0 if the call fails. May be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_SESSION_NOT_FOUND: there is no such session, or it is of another
/// subject; GK_STATUS_SESSION_ENDED: it was ended; then none is. The 6000s: what was ended by then
/// stays ended, and a second call continues.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_end_others(
    sessions: Option<&gk_sessions>,
    kept: Option<&gk_session_identity>,
    ended: *mut u64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        tell(ended, 0);
        let gk_session_identity { family, subject } = *given(kept, "kept")?;
        let family = text(family.data, family.len, "family")?;
        let subject = text(subject.data, subject.len, "subject")?;
        tell(ended, given(sessions, "sessions")?.inner.end_others(subject, family)?);
        Ok(())
    })
}

/// The live sessions of a subject, the last one used first: its devices. A JSON array of at most
/// 10000 records. Those whose rows were altered from outside or cannot be read too: their `altered`
/// is true.
///
/// @param sessions The sessions.
/// @param subject The subject.
/// @param subject_len Its length in bytes.
/// @param records Receives the array, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_list(
    sessions: Option<&gk_sessions>,
    subject: *const c_char,
    subject_len: usize,
    records: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(records, err, || {
        let subject = text(subject, subject_len, "subject")?;
        Ok(given(sessions, "sessions")?.inner.list(subject)?.to_json())
    })
}

/// The record of a session, live or not: one JSON object with family, subject, client, meta,
/// created_at, last_seen_at, expires_at, absolute_expires_at, refreshes, ended_at, end (logout,
/// logout_everywhere, reuse, expired). Times are in seconds since 1970, or null.
///
/// @param sessions The sessions.
/// @param family The session's id.
/// @param family_len Its length in bytes.
/// @param record Receives the record, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_SESSION_NOT_FOUND; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_get(
    sessions: Option<&gk_sessions>,
    family: *const c_char,
    family_len: usize,
    record: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(record, err, || {
        let family = text(family, family_len, "family")?;
        Ok(given(sessions, "sessions")?.inner.get(family)?.to_json())
    })
}

/// A page of what happened to sessions, oldest first:
/// {"records":[{"seq","at","family","subject","action", "detail"}],"cursor"}, where the action is
/// start, logout, logout_everywhere, reuse or expired.
///
/// @param sessions The sessions.
/// @param filter Which: `subject`, `family`, `cursor`, `limit`; NULL for the first 100 of all.
/// @param page Receives the page, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_events(
    sessions: Option<&gk_sessions>,
    filter: Option<&gk_filter>,
    page: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(page, err, || {
        let filter = gk_filter::of_events(filter)?;
        Ok(given(sessions, "sessions")?.inner.events(&filter)?.to_json())
    })
}

/// Deletes sessions that expired, or were ended, before a time, and events from before it. Their
/// refresh tokens are refused as unknown from then on.
///
/// @param sessions The sessions.
/// @param before Seconds since 1970; not in the future.
/// @param purged Receives how many sessions; 0 if the call fails. May be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_sessions_purge(
    sessions: Option<&gk_sessions>,
    before: u64,
    purged: *mut u64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        tell(purged, 0);
        tell(purged, given(sessions, "sessions")?.inner.purge(before)?);
        Ok(())
    })
}

/// What is revoked, for gk_policy_revocations: a session that has ended has its access tokens
/// there.
///
/// @param sessions The sessions; NULL is fine.
/// @return A handle to it, to be freed with gk_revocations_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_sessions_revocations(
    sessions: Option<&gk_sessions>,
) -> Option<Box<gk_revocations>> {
    share(|| Some(gk_revocations(sessions?.inner.revocations().clone())))
}

/// Hands out tokens that were just made.
///
/// # Safety
/// `out` is NULL or writable; `err` as in [`guard`].
pub(super) unsafe fn issue(
    out: *mut gk_session_tokens,
    err: *mut gk_error,
    make: impl FnOnce() -> Outcome<SessionTokens>,
) -> gk_status {
    guard(err, || {
        writable(out)?.write(gk_session_tokens::NONE);
        out.write(gk_session_tokens::of(&make()?)?);
        Ok(())
    })
}
