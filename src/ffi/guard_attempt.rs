//! `gk_guard_attempt`: a request that an event loop decides without waiting: what other servers are
//! to be asked comes out as operations, which the loop drives.

use super::boundary::{create, given, guard, lend, look, release, share};
use super::buf::gk_str;
use super::error::gk_error;
use super::guard::{MORE, gk_guard, gk_guard_request};
use super::guard_decision::{decide, gk_guard_decision};
use super::guard_demand::gk_guard_demand;
use super::guard_former::gk_former_user;
use super::operation::{Ended, gk_operation};
use super::status::gk_status;
use crate::transport::{self, Ask, Attempt, Told};
use crate::{Error, ErrorKind};

/// How many questions to other servers one request may have; most have two at the most.
const MOST_QUESTIONS: usize = 64;

/// What is known of one request while it is decided on an event loop. Not to be used by two threads
/// at once, and for one request only.
#[derive(Default)]
pub struct gk_guard_attempt {
    may_wait: bool,
    told: Vec<Told>,
    asks: Option<Ask>,
    failed: Option<Error>,
    pub(super) user: Option<gk_former_user>,
}

/// Begins an attempt, for one request.
///
/// @return The attempt, to be freed with gk_guard_attempt_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_attempt_new() -> Option<Box<gk_guard_attempt>> {
    share(|| Some(gk_guard_attempt::default()))
}

/// Frees an attempt.
///
/// @param attempt The attempt, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_attempt_free(attempt: Option<Box<gk_guard_attempt>>) {
    release(attempt);
}

/// Says whether gk_guard_attempt_check may wait for the store and for slow hashes: where it is
/// called in a thread that may. It asks no other server, either way.
///
/// @param attempt The attempt.
/// @param may_wait False unless set: memory only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_attempt_may_wait(
    attempt: Option<&mut gk_guard_attempt>,
    may_wait: bool,
) {
    look((), || {
        attempt?.may_wait = may_wait;
        Some(())
    });
}

/// Decides a request as far as it can. If it cannot, the decision is NULL, nothing was taken, and
/// gk_guard_attempt_about says whether another server is to be asked. If so, drive the operation
/// that gk_guard_attempt_operation gives, give its outcome to gk_guard_attempt_told and call this
/// again. If not, call this again in a thread, with gk_guard_attempt_may_wait.
///
/// @param attempt The attempt.
/// @param guard The guard.
/// @param request The request, the same each time; borrowed for the call.
/// @param demand What the route demands.
/// @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if it
/// cannot be decided yet, or the arguments cannot be used.
/// @param err Receives why the caller is refused, for the log; may be NULL.
/// @return As gk_guard_check; GK_STATUS_STORE_UNAVAILABLE with a decision of NULL if it cannot be
/// decided yet.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_attempt_check(
    attempt: Option<&mut gk_guard_attempt>,
    guard: Option<&gk_guard>,
    request: Option<&gk_guard_request>,
    demand: Option<&gk_guard_demand>,
    decision: *mut *mut gk_guard_decision,
    err: *mut gk_error,
) -> gk_status {
    decide(decision, err, || {
        let own = given(attempt, "attempt")?;
        let (guard, demand) = (&given(guard, "guard")?.0, &given(demand, "demand")?.0);
        own.asks = None;
        let user = own.user.as_ref();
        let check = || {
            given(request, "request")?.with(|request| {
                gk_former_user::decided(user, request, |request| Ok(guard.check(request, demand)))
            })
        };
        // After a failure, too: what is remembered of it says when to try again.
        match (transport::attempt(own.may_wait, &own.told, check), &own.failed) {
            (Attempt::Done(decided), _) => decided,
            (_, Some(error)) => Ok(guard.refuse(error.clone(), demand)),
            (Attempt::Ask(ask), None) => {
                own.asks = Some(ask);
                Err(MORE.into())
            }
            (Attempt::Elsewhere, None) => Err(MORE.into()),
        }
    })
}

/// Says what another server is to be asked about. While one operation is out, other attempts that
/// want to know about the same need none of their own: give its outcome to each of them.
///
/// @param attempt The attempt.
/// @return A name for the question, valid until the attempt is used again; {NULL, 0} if the last
/// gk_guard_attempt_check has no question, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_attempt_about(attempt: Option<&gk_guard_attempt>) -> gk_str {
    look(gk_str::NONE, || Some(lend(attempt?.asks.as_ref()?.about())))
}

/// Gives the question as an operation to be driven (gk_operation_next, gk_operation_run).
///
/// @param attempt The attempt.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there is no question, or the operation was
/// given before.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_attempt_operation(
    attempt: Option<&mut gk_guard_attempt>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        let asks = given(attempt, "attempt")?.asks.take().ok_or(NO_QUESTION)?;
        Ok(gk_operation::new(asks.into_operation(), Ended::Answered))
    })
}

/// Takes the outcome of an operation of this attempt's, or of another's about the same: what the
/// server has answered, or why it has not; the request is refused for that.
///
/// @param attempt The attempt.
/// @param operation The operation, which is over, or has failed.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the operation is not over, or is another
/// kind of operation.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_attempt_told(
    attempt: Option<&mut gk_guard_attempt>,
    operation: Option<&gk_operation>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let own = given(attempt, "attempt")?;
        match given(operation, "operation")?.answered()? {
            Ok(told) if own.told.len() < MOST_QUESTIONS => own.told.push(told.clone()),
            Ok(_) => own.failed = Some(ENDLESS),
            Err(error) => own.failed = Some(error.clone()),
        }
        Ok(())
    })
}

const NO_QUESTION: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The attempt has no question to another server; where the decision is NULL, call gk_guard_attempt_check in a thread that may wait.",
);
const ENDLESS: Error = Error::new(
    ErrorKind::OauthServerFailed,
    "Other servers were asked, and what was asked for is still unknown.",
);
