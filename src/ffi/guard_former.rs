//! `gk_former_tokens`: the access tokens of what a service had before, until a date; and
//! `gk_former_user`: whose such a token is, for the program to look up.

use super::boundary::{Outcome, given, lend, look, release, share, text, writable};
use super::buf::gk_str;
use super::error::gk_error;
use super::guard::{MORE, gk_guard, gk_guard_request};
use super::guard_attempt::gk_guard_attempt;
use super::guard_builder::{self, gk_guard_builder};
use super::guard_decision::{decide, gk_guard_decision};
use super::guard_demand::gk_guard_demand;
use super::key_set::gk_key_set;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::guard::{FormerTokens, FormerUser, Request};
use crate::jwk::KeySource;
use libc::c_char;
use std::sync::Arc;

/// The access tokens of what a service had before, such as a library that signs with one secret.
/// They are taken until a date, of users whom the program has looked up in that very request
/// (gk_guard_former_user). The setters keep the first thing that was wrong, which
/// gk_guard_builder_build reports.
pub struct gk_former_tokens(Sticky<Option<FormerTokens>>);

/// Begins the tokens that these keys have signed, each with its one algorithm. At least one
/// gk_former_tokens_claim is needed.
///
/// @param keys The keys, which are shared.
/// @param user_claim The claim that names the user, who is a text or a whole number; copied.
/// @param user_claim_len Its length in bytes.
/// @param until The date from which on none of them is taken, in seconds since 1970.
/// @return The tokens, to be freed with gk_former_tokens_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_former_tokens_new(
    keys: Option<&gk_key_set>,
    user_claim: *const c_char,
    user_claim_len: usize,
    until: u64,
) -> Option<Box<gk_former_tokens>> {
    // SAFETY: as this function's own contract.
    let user_claim = unsafe { text(user_claim, user_claim_len, "user_claim") }.map(String::from);
    share(|| {
        let mut own = gk_former_tokens(Sticky::new(None));
        sticky::set(Some(&mut own.0), |_| {
            let keys: Arc<dyn KeySource> = Arc::new(given(keys, "keys")?.0.clone());
            Ok(Some(FormerTokens::new(keys, user_claim?, until)))
        });
        Some(own)
    })
}

/// Frees the tokens; guards that take them are not affected.
///
/// @param former The tokens, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_former_tokens_free(former: Option<Box<gk_former_tokens>>) {
    release(former);
}

/// A claim that tells access tokens from refresh tokens and others, which the same key has signed.
///
/// @param former The tokens.
/// @param name The claim's name; copied.
/// @param name_len Its length in bytes.
/// @param json The value as JSON text, such as "\"access\"" with its quotes; copied.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_former_tokens_claim(
    former: Option<&mut gk_former_tokens>,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
) {
    set(former, |former| {
        let name = text(name, name_len, "name")?;
        Ok(former.claim(name, text(json, json_len, "json")?))
    });
}

/// Their `iss`; without, they have none.
///
/// @param former The tokens.
/// @param issuer The issuer; copied.
/// @param issuer_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_former_tokens_issuer(
    former: Option<&mut gk_former_tokens>,
    issuer: *const c_char,
    issuer_len: usize,
) {
    set(former, |former| Ok(former.issuer(text(issuer, issuer_len, "issuer")?)));
}

/// Their `aud`; several calls, one of several. Without, they have none.
///
/// @param former The tokens.
/// @param audience The audience; copied.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_former_tokens_audience(
    former: Option<&mut gk_former_tokens>,
    audience: *const c_char,
    audience_len: usize,
) {
    set(former, |former| Ok(former.audience(text(audience, audience_len, "audience")?)));
}

/// How many seconds clocks may be off.
///
/// @param former The tokens.
/// @param seconds 0 unless set; at most 600.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_former_tokens_leeway(
    former: Option<&mut gk_former_tokens>,
    seconds: u64,
) {
    set(former, |former| Ok(former.leeway(seconds)));
}

/// Takes the access tokens of what the service had before, until their date. Their kind is
/// GK_ACCESS_JWT. Before each decision gk_guard_former_user tells whose the request brings.
///
/// @param builder The builder.
/// @param former The tokens; copied as they are now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_former_tokens(
    builder: Option<&mut gk_guard_builder>,
    former: Option<&gk_former_tokens>,
) {
    guard_builder::set(builder, |guard| {
        let former = given(former, "former")?.0.built()?.as_ref();
        Ok(guard.former_tokens(given(former, "former")?.clone()))
    });
}

/// Whose former token a request brings, and what the program grants to it. Of that request only.
pub struct gk_former_user {
    told: FormerUser,
    granted: Sticky<Vec<String>>,
}

impl gk_former_user {
    /// The request as it is decided for this user, if there is one.
    pub(super) fn decided<T>(
        user: Option<&Self>,
        request: &Request<'_>,
        work: impl FnOnce(&Request<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        let Some(Self { told, granted }) = user else { return work(request) };
        let scopes: Vec<&str> = granted.built()?.iter().map(String::as_str).collect();
        work(&request.user(&told.subject, &scopes))
    }

    pub(super) fn copied(&self) -> Self {
        Self { told: self.told.clone(), granted: self.granted.clone() }
    }
}

/// Tells whose former token a request brings, if it is good in all else: for programs whose guard
/// has gk_guard_builder_former_tokens. Look the user up. If it is active, name what is granted to
/// it (gk_former_user_scope), and decide by gk_guard_check_user; else decide without a user, which
/// refuses the token. From memory alone.
///
/// @param guard The guard.
/// @param request The request; borrowed for the call.
/// @param user Receives the user, to be freed with gk_former_user_free; NULL if the request brings
/// no former token that is good, or the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_former_user(
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    user: *mut *mut gk_former_user,
    err: *mut gk_error,
) -> gk_status {
    super::boundary::guard(err, || {
        writable(user)?.write(std::ptr::null_mut());
        let (guard, request) = (given(guard, "guard")?, given(request, "request")?);
        if let Some(told) = request.with(|request| Ok(guard.0.former_user(request)))? {
            let found = gk_former_user { told, granted: Sticky::default() };
            user.write(Box::into_raw(Box::new(found)));
        }
        Ok(())
    })
}

/// Frees a user.
///
/// @param user The user, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_former_user_free(user: Option<Box<gk_former_user>>) {
    release(user);
}

/// Who it is, as text; a number in decimal.
///
/// @param user The user.
/// @return The name, valid as long as the user; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_former_user_subject(user: Option<&gk_former_user>) -> gk_str {
    look(gk_str::NONE, || Some(lend(&user?.told.subject)))
}

/// The token's claims.
///
/// @param user The user.
/// @return The text of one JSON object, valid as long as the user; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_former_user_claims_json(user: Option<&gk_former_user>) -> gk_str {
    look(gk_str::NONE, || Some(lend(&user?.told.claims_json)))
}

/// Grants a scope; several calls, several. Of the token itself, nothing is granted.
///
/// @param user The user, which the program knows to be active.
/// @param scope The scope; copied.
/// @param scope_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_former_user_scope(
    user: Option<&mut gk_former_user>,
    scope: *const c_char,
    scope_len: usize,
) {
    sticky::set_in(user.map(|user| &mut user.granted), |granted| {
        granted.push(text(scope, scope_len, "scope")?.to_owned());
        Ok(())
    });
}

/// As gk_guard_check, of a request whose user the program has looked up, and knows to be active.
///
/// @param guard The guard.
/// @param request The request; borrowed for the call.
/// @param user Whom gk_guard_former_user has told of this request; NULL as gk_guard_check.
/// @param demand What the route demands.
/// @param decision Receives the decision, of a refusal as well, to be freed with
/// gk_guard_decision_free; NULL if the arguments cannot be used, which is answered as 500.
/// @param err Receives why the caller is refused, for the log; may be NULL.
/// @return As gk_guard_check.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_check_user(
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    user: Option<&gk_former_user>,
    demand: Option<&gk_guard_demand>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let (guard, demand) = (given(guard, "guard")?, given(demand, "demand")?);
        given(request, "request")?.with(|request| {
            gk_former_user::decided(user, request, |request| Ok(guard.0.check(request, &demand.0)))
        })
    })
}

/// As gk_guard_try_check, of a request whose user the program has looked up, and knows to be
/// active.
///
/// @param guard The guard.
/// @param request The request; borrowed for the call.
/// @param user Whom gk_guard_former_user has told of this request; NULL as gk_guard_try_check.
/// @param demand What the route demands.
/// @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if memory
/// is not enough for one, or the arguments cannot be used.
/// @param err Receives why the caller is refused, for the log; may be NULL.
/// @return As gk_guard_try_check.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_try_check_user(
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    user: Option<&gk_former_user>,
    demand: Option<&gk_guard_demand>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let (guard, demand) = (given(guard, "guard")?, given(demand, "demand")?);
        given(request, "request")?.with(|request| {
            gk_former_user::decided(user, request, |request| {
                Ok(guard.0.try_check(request, &demand.0).ok_or(MORE)?)
            })
        })
    })
}

/// Has an attempt decide for a user whom the program has looked up, and knows to be active.
///
/// @param attempt The attempt.
/// @param user Whom gk_guard_former_user has told of the attempt's request; copied. NULL for
/// nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_attempt_user(
    attempt: Option<&mut gk_guard_attempt>,
    user: Option<&gk_former_user>,
) {
    look((), || {
        attempt?.user = user.map(gk_former_user::copied);
        Some(())
    });
}

/// Replaces what was set by what the change makes of it.
fn set(
    former: Option<&mut gk_former_tokens>,
    change: impl FnOnce(FormerTokens) -> Outcome<FormerTokens>,
) {
    sticky::set(former.map(|former| &mut former.0), |former| former.map(change).transpose());
}
