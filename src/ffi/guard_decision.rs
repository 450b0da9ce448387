//! `gk_guard_decision`: what is to be answered, whole, or who calls. It owns its bytes; the texts
//! of its headers and its body end with a NUL, as C's libraries for HTTP want them.

use super::access::gk_access;
use super::boundary::{Fault, Outcome, given, guard, lend, look, release, text, writable};
use super::buf::gk_str;
use super::error::gk_error;
use super::operation::gk_header;
use super::session::{gk_session_tokens, issue};
use super::status::gk_status;
use crate::guard::Decision;
use crate::session::SessionTokens;
use crate::{Error, ErrorKind};
use libc::c_char;
use zeroize::Zeroizing;

/// What a guard has decided: status, headers and body of a refusal; or who calls, and the headers
/// that are added to the application's own. Immutable, safe to use from several threads at once;
/// what it holds may be cookies, and is wiped when it is freed.
pub struct gk_guard_decision {
    status: u16,
    /// Who calls, or why not.
    outcome: Result<gk_access, Error>,
    tokens: Option<SessionTokens>,
    /// The headers and the body, a NUL behind each text.
    text: Zeroizing<String>,
    headers: Vec<(Place, Place)>,
    body: Option<Place>,
}

/// Where a text begins, and how long it is.
#[derive(Clone, Copy)]
struct Place(usize, usize);

impl gk_guard_decision {
    fn new(decision: Decision) -> Self {
        let body = decision.body();
        // Of the right size at once, so that nothing is left behind. The body is counted apart: in
        // one chain, an optimized build compares its length before it knows that there is one.
        let head: usize =
            decision.headers().map(|(name, value)| name.len() + value.len() + 2).sum();
        let room = head + body.map_or(0, |body| body.len() + 1);
        let mut text = Zeroizing::new(String::with_capacity(room));
        let mut put = |part: &str| {
            let place = Place(text.len(), part.len());
            text.push_str(part);
            text.push('\0');
            place
        };
        let headers = decision.headers().map(|(name, value)| (put(name), put(value))).collect();
        let body = body.map(&mut put);
        let (status, tokens) = (decision.status(), decision.tokens().cloned());
        let outcome = decision.into_access().map(gk_access::new);
        Self { status, outcome, tokens, text, headers, body }
    }

    fn get(&self, Place(from, len): Place) -> Option<&str> {
        self.text.get(from..from + len)
    }

    fn lend(&self, place: Place) -> Option<gk_str> {
        self.get(place).map(lend)
    }

    /// Whether the application goes on, or why not.
    fn reason(&self) -> Outcome<()> {
        self.outcome.as_ref().map(|_| ()).map_err(|error| error.clone().into())
    }
}

/// Runs the body of a call that decides; `*out` is NULL if it cannot.
///
/// # Safety
/// `out` is NULL or writable; `err` as in [`guard`].
pub(super) unsafe fn decide(
    out: *mut *mut gk_guard_decision,
    err: *mut gk_error,
    body: impl FnOnce() -> Outcome<Decision>,
) -> gk_status {
    guard(err, || {
        writable(out)?.write(std::ptr::null_mut());
        let decision = Box::new(gk_guard_decision::new(body()?));
        let reason = decision.reason();
        out.write(Box::into_raw(decision));
        reason
    })
}

/// Frees a decision, with all that it has lent.
///
/// @param decision The decision, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_decision_free(decision: Option<Box<gk_guard_decision>>) {
    release(decision);
}

/// Whether the application goes on.
///
/// @param decision The decision.
/// @return True if it does; false for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_decision_is_allowed(decision: Option<&gk_guard_decision>) -> bool {
    look(false, || Some(decision?.outcome.is_ok()))
}

/// The HTTP status.
///
/// @param decision The decision.
/// @return 200 if the application goes on, which then answers with its own; otherwise 400, 401,
/// 403, 429, 431 or 503, and 500 for a defect of the program and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_decision_http_status(decision: Option<&gk_guard_decision>) -> u16 {
    look(500, || Some(decision?.status))
}

/// How many headers the answer has: of a refusal all; otherwise those that are added to the
/// application's own.
///
/// @param decision The decision.
/// @return How many; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_decision_headers_len(decision: Option<&gk_guard_decision>) -> usize {
    look(0, || Some(decision?.headers.len()))
}

/// Gives a header of the answer. `Vary` joins the application's own, `Set-Cookie` comes several
/// times.
///
/// @param decision The decision.
/// @param index Which, from 0.
/// @return The header, lent by the decision, with a NUL behind its name and its value; {NULL, 0}
/// twice if there are fewer, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_decision_header_at(
    decision: Option<&gk_guard_decision>,
    index: usize,
) -> gk_header {
    look(gk_header { name: gk_str::NONE, value: gk_str::NONE }, || {
        let decision = decision?;
        let (name, value) = *decision.headers.get(index)?;
        Some(gk_header { name: decision.lend(name)?, value: decision.lend(value)? })
    })
}

/// Gives the value of a header, the first if there are several.
///
/// @param decision The decision.
/// @param name The name, in any case.
/// @param name_len Its length in bytes.
/// @return The value, lent by the decision, with a NUL behind it; {NULL, 0} if it is not there, and
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_decision_header(
    decision: Option<&gk_guard_decision>,
    name: *const c_char,
    name_len: usize,
) -> gk_str {
    look(gk_str::NONE, || {
        let decision = decision?;
        let name = text(name, name_len, "name").ok()?;
        let is_named =
            |own: Place| decision.get(own).is_some_and(|own| own.eq_ignore_ascii_case(name));
        let (_, value) = decision.headers.iter().find(|(own, _)| is_named(*own))?;
        decision.lend(*value)
    })
}

/// Gives the body of a refusal: application/problem+json (RFC 9457), which the header Content-Type
/// says.
///
/// @param decision The decision.
/// @return The body, lent by the decision, with a NUL behind it; {NULL, 0} if the application goes
/// on, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_decision_body(decision: Option<&gk_guard_decision>) -> gk_str {
    look(gk_str::NONE, || {
        let decision = decision?;
        decision.lend(decision.body?)
    })
}

/// Gives why the caller was refused, for the log: it says more than the answer does. It is what the
/// call has given that made the decision.
///
/// @param decision The decision.
/// @param err Receives the reason; may be NULL.
/// @return The reason; GK_STATUS_OK if the application goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_decision_error(
    decision: Option<&gk_guard_decision>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || given(decision, "decision")?.reason())
}

/// Gives who calls.
///
/// @param decision The decision.
/// @return Who, which belongs to the decision; NULL of a refusal, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_decision_access(
    decision: Option<&gk_guard_decision>,
) -> Option<&gk_access> {
    look(None, || Some(decision?.outcome.as_ref().ok()))
}

/// Gives the session's new tokens, after gk_guard_log_in and gk_guard_refresh: for clients without
/// cookies. The cookies hold them already.
///
/// @param decision The decision.
/// @param tokens Receives the tokens, to be freed with gk_session_tokens_free; all zero if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the decision made none.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_decision_tokens(
    decision: Option<&gk_guard_decision>,
    tokens: *mut gk_session_tokens,
    err: *mut gk_error,
) -> gk_status {
    issue(tokens, err, || {
        let made = given(decision, "decision")?.tokens.clone();
        made.ok_or(Fault::Core(NO_TOKENS))
    })
}

const NO_TOKENS: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The decision has made no tokens; gk_guard_log_in and gk_guard_refresh do.",
);
