//! `gk_revocations`: what is not good any more, although its signature and its dates are.

use super::boundary::{
    Fault, Outcome, create, given, guard, lent, look, release, share, tell, text, writable,
};
use super::buf::gk_str;
use super::error::gk_error;
use super::revocations_options::gk_revocation_options;
use super::status::gk_status;
use crate::Revocations;
use crate::revocations::{RevocationOptions, RevokeScope};
use libc::c_char;

/// Tokens, sessions, subjects and keys that have been revoked, in a store; for
/// gk_policy_revocations. Shared by reference count, safe to use from several threads at once, and
/// usable after a fork. A call that has revoked something is durable when it returns, and in force
/// in other processes within 50 ms.
pub struct gk_revocations(pub(super) Revocations);

/// Opens what has been revoked. Sessions have theirs: gk_sessions_revocations.
///
/// @param url memory:, sqlite:///relative/path or sqlite:////absolute/path; ?mark=FILE at its end
/// says where its mark is, ?mark=none that it has none (docs/backups.md). Nothing else in the
/// process may open the file with a SQLite of its own, not even to read (docs/processes.md).
/// @param url_len Its length in bytes.
/// @param options How; NULL for the usual options.
/// @param revocations Receives what has been revoked, to be freed with gk_revocations_free; NULL if
/// the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_UNSUPPORTED if this build has no SQLite; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_open(
    url: *const c_char,
    url_len: usize,
    options: Option<&gk_revocation_options>,
    revocations: *mut *mut gk_revocations,
    err: *mut gk_error,
) -> gk_status {
    create(revocations, err, || {
        let options = options.map(|options| options.0.built().cloned()).transpose()?;
        let options = options.unwrap_or_else(RevocationOptions::new);
        Ok(gk_revocations(crate::open::open_revocations(text(url, url_len, "url")?, options)?))
    })
}

/// Shares what has been revoked.
///
/// @param revocations What has been revoked; NULL is fine.
/// @return Another handle to the same, to be freed with gk_revocations_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_revocations_clone(
    revocations: Option<&gk_revocations>,
) -> Option<Box<gk_revocations>> {
    share(|| Some(gk_revocations(revocations?.0.clone())))
}

/// Frees a handle to what has been revoked; verifiers that ask it are not affected.
///
/// @param revocations The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_revocations_free(revocations: Option<Box<gk_revocations>>) {
    release(revocations);
}

/// Which token is meant: what its claims say.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_token_identity {
    /// Its `iss`, at most 1024 bytes; {NULL, 0} for a token without one.
    pub issuer: gk_str,
    /// Its `jti`, 1 to 1024 bytes.
    pub token_id: gk_str,
    /// Its `exp`, in seconds since 1970: for how long it must be remembered.
    pub expires_at: u64,
}

/// Whose tokens gk_revocations_revoke_before means: those of a subject or those of a tenant, one of
/// the three.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_revoke_scope {
    /// The `sub` of the tokens, 1 to 1024 bytes; {NULL, 0} for none. Empty text is refused.
    pub subject: gk_str,
    /// The tenant of the tokens, 1 to 1024 bytes; {NULL, 0} for none. Empty text is refused.
    pub tenant: gk_str,
    /// The `sub` of the tokens where it is a number (gk_policy_allow_numeric_subject), which is
    /// another subject than its text; NULL for none.
    pub numeric_subject: *const i64,
}

/// Revokes one token; without an issuer, every token with this `jti`, whatever its `iss`.
///
/// @param revocations What has been revoked.
/// @param token Which token; borrowed for the call.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if `expires_at` has passed by more than 600
/// seconds, or is after the year 9999, as milliseconds are: nothing is revoked; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_revoke_token(
    revocations: Option<&gk_revocations>,
    token: Option<&gk_token_identity>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let (issuer, token_id, expires_at) = identity(token)?;
        given(revocations, "revocations")?.0.revoke_token(issuer, token_id, expires_at)?;
        Ok(())
    })
}

/// Revokes the tokens of one session, whose next refresh is refused and ends it. gk_sessions_end
/// does that, too.
///
/// @param revocations What has been revoked.
/// @param session_id The `sid` of its tokens, 1 to 1024 bytes.
/// @param session_id_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_revoke_session(
    revocations: Option<&gk_revocations>,
    session_id: *const c_char,
    session_id_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let session_id = text(session_id, session_id_len, "session_id")?;
        Ok(given(revocations, "revocations")?.0.revoke_session(session_id)?)
    })
}

/// Revokes the tokens that a subject has now, from any issuer; a later log-in gives good ones.
/// Access tokens of gk_sessions on the same store say which revocations came before them, whatever
/// the clocks say; others go by `iat`: refused are those of this second or before, or up to the
/// verifier's leeway later. Its sessions continue, and their next refresh gives good tokens;
/// gk_sessions_end_all ends them as well.
///
/// @param revocations What has been revoked.
/// @param subject The `sub` of its tokens, 1 to 1024 bytes.
/// @param subject_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_revoke_subject(
    revocations: Option<&gk_revocations>,
    subject: *const c_char,
    subject_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let subject = text(subject, subject_len, "subject")?;
        Ok(given(revocations, "revocations")?.0.revoke_subject(subject)?)
    })
}

/// The same for a subject that is a number (gk_policy_allow_numeric_subject): 7 is another one than
/// "7".
///
/// @param revocations What has been revoked.
/// @param subject The `sub` of its tokens.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_revoke_numeric_subject(
    revocations: Option<&gk_revocations>,
    subject: i64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(revocations, "revocations")?.0.revoke_numeric_subject(subject)?))
}

/// Revokes the tokens of one key, for ever.
///
/// @param revocations What has been revoked.
/// @param key_id The `kid` of the key that verifies them, 1 to 1024 bytes.
/// @param key_id_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_revoke_key(
    revocations: Option<&gk_revocations>,
    key_id: *const c_char,
    key_id_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let key_id = text(key_id, key_id_len, "key_id")?;
        Ok(given(revocations, "revocations")?.0.revoke_key(key_id)?)
    })
}

/// Revokes the tokens that were issued (`iat`) before a time, or up to the verifier's leeway later.
///
/// @param revocations What has been revoked.
/// @param at Seconds since 1970; not in the future by more than a second, which means all that
/// there is now.
/// @param scope Whose; borrowed for the call. Those of all subjects for NULL, or where it names
/// none.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_revoke_before(
    revocations: Option<&gk_revocations>,
    at: u64,
    scope: Option<&gk_revoke_scope>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let (subject, tenant, number) = match scope {
            Some(scope) => {
                // SAFETY: NULL, or a number of the caller's, as documented; borrowed for the call.
                let number = unsafe { scope.numeric_subject.as_ref() };
                (lent(&scope.subject, "subject")?, lent(&scope.tenant, "tenant")?, number)
            }
            None => (None, None, None),
        };
        let scope = match (subject, tenant, number) {
            (None, None, None) => RevokeScope::All,
            (Some(subject), None, None) => RevokeScope::Subject(subject),
            (None, Some(tenant), None) => RevokeScope::Tenant(tenant),
            (None, None, Some(number)) => RevokeScope::NumericSubject(*number),
            (Some(_), Some(_), _) => return Err(Fault::Both("subject", "tenant")),
            (Some(_), None, Some(_)) => return Err(Fault::Both("subject", "numeric_subject")),
            (None, Some(_), Some(_)) => return Err(Fault::Both("tenant", "numeric_subject")),
        };
        Ok(given(revocations, "revocations")?.0.revoke_before(at, scope)?)
    })
}

/// Whether a token that is good for one use has not been used yet; from now on it has, in every
/// process that shares the store. A token that has expired is good for none.
///
/// @param revocations What has been revoked.
/// @param token Which token; borrowed for the call.
/// @param first Receives true if this is its first use; false otherwise, and if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK, whatever the answer; the 6000s, and then the token must not be accepted.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_seen_once(
    revocations: Option<&gk_revocations>,
    token: Option<&gk_token_identity>,
    first: *mut bool,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(first)?.write(false);
        let (issuer, token_id, expires_at) = identity(token)?;
        let revocations = &given(revocations, "revocations")?.0;
        first.write(revocations.seen_once(issuer, token_id, expires_at)?);
        Ok(())
    })
}

/// Looks now at what other processes have revoked, however recent the last look.
///
/// @param revocations What has been revoked.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_refresh(
    revocations: Option<&gk_revocations>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(revocations, "revocations")?.0.refresh()?))
}

/// Forgets now what has become needless; otherwise that happens every ten minutes. If the clock has
/// run ahead of the machine's monotonic one by more than an hour, what is over by that date alone
/// is kept, until it has gone on like that for ten minutes.
///
/// @param revocations What has been revoked.
/// @param purged Receives how many entries of the store; 0 if the call fails. May be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_revocations_purge(
    revocations: Option<&gk_revocations>,
    purged: *mut u64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        tell(purged, 0);
        tell(purged, given(revocations, "revocations")?.0.purge()?);
        Ok(())
    })
}

/// How many entries there are in memory.
///
/// @param revocations What has been revoked.
/// @return How many; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_revocations_len(revocations: Option<&gk_revocations>) -> usize {
    look(0, || Some(revocations?.0.len()))
}

/// The `iss`, the `jti` and the `exp` of a token.
///
/// # Safety
/// As [`text`].
unsafe fn identity<'a>(token: Option<&gk_token_identity>) -> Outcome<(&'a str, &'a str, u64)> {
    let gk_token_identity { issuer, token_id, expires_at } = *given(token, "token")?;
    Ok((
        text(issuer.data, issuer.len, "issuer")?,
        text(token_id.data, token_id.len, "token_id")?,
        expires_at,
    ))
}
