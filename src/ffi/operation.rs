//! `gk_operation`: what takes requests to another server. Run it over a transport, or drive it from
//! an event loop: it has no socket and never blocks by itself.

use super::boundary::{
    Fault, Outcome, chars, create, fill, given, guard, lend, look, release, slice, text, writable,
};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::http::gk_http;
use super::json::gk_json;
use super::oauth_tokens::gk_oauth_tokens;
use super::status::gk_status;
use crate::oauth::{
    BegunLogin, DeviceCodes, FinishedLogin, Introspection, LogoutNotice, OAuthTokens, UserInfo,
};
use crate::transport::{HttpRequest, HttpResponse, Operation, Step, Told};
use crate::{Error, ErrorKind, Secret, ToJson as _};
use libc::c_char;

/// The operation wants a request to be sent: see gk_operation_request.
pub const GK_STEP_REQUEST: i32 = 1;
/// The operation wants to be asked again after some milliseconds.
pub const GK_STEP_WAIT: i32 = 2;
/// The operation is over: see gk_operation_result.
pub const GK_STEP_DONE: i32 = 3;

/// What an operation wants next.
#[repr(C)]
pub struct gk_step {
    /// GK_STEP_REQUEST, GK_STEP_WAIT or GK_STEP_DONE.
    pub kind: i32,
    /// For GK_STEP_WAIT, how many milliseconds.
    pub wait_ms: u64,
}

/// A request to another server. Follow no redirect, ask for no compression, send it once. Its texts
/// belong to the operation, until the answer is fed.
#[repr(C)]
pub struct gk_request {
    /// `GET` or `POST`.
    pub method: gk_str,
    /// The absolute address.
    pub url: gk_str,
    /// The body of a `POST`, which holds secrets.
    pub body: gk_str,
    /// What it is for, for example `token`.
    pub purpose: gk_str,
    /// How many headers there are: gk_operation_header.
    pub headers: usize,
    /// Milliseconds that everything may take.
    pub deadline_ms: u64,
    /// The most bytes of the answer's body.
    pub max_body: usize,
}

/// A header of an answer.
#[repr(C)]
pub struct gk_header {
    /// The name, in any case.
    pub name: gk_str,
    /// The value.
    pub value: gk_str,
}

/// Something that takes requests to another server. Not to be used by two threads at once.
pub struct gk_operation {
    inner: Operation<Ended>,
    request: Option<HttpRequest>,
    ended: Option<Ended>,
    failed: Option<Error>,
}

/// What an operation has ended with.
pub(super) enum Ended {
    Begun(BegunLogin),
    Finished(FinishedLogin),
    Tokens(OAuthTokens),
    Codes(DeviceCodes),
    User(UserInfo),
    Told(Introspection),
    Notice(LogoutNotice),
    Text(String),
    /// One JSON object.
    Json(String),
    /// For a guard's attempt.
    Answered(Told),
    Nothing,
}

impl Ended {
    fn json(&self) -> Secret {
        match self {
            Self::Begun(begun) => begun.to_secret_json(),
            Self::Finished(login) => login.to_secret_json(),
            Self::Tokens(tokens) => tokens.to_secret_json(),
            Self::Codes(codes) => codes.to_json().into(),
            Self::User(info) => info.to_json().into(),
            Self::Told(told) => told.to_json().into(),
            Self::Notice(notice) => notice.to_json().into(),
            Self::Text(text) | Self::Json(text) => text.clone().into(),
            Self::Answered(_) | Self::Nothing => Secret::new(Vec::new()),
        }
    }
}

impl gk_operation {
    pub(super) fn new<T: 'static>(
        operation: Operation<T>,
        wrap: impl FnOnce(T) -> Ended + Send + 'static,
    ) -> Self {
        Self { inner: operation.map(wrap), request: None, ended: None, failed: None }
    }

    /// The codes that it has ended with, to continue with them.
    pub(super) fn codes(&self) -> Outcome<&DeviceCodes> {
        match &self.ended {
            Some(Ended::Codes(codes)) => Ok(codes),
            _ => Err(NO_CODES.into()),
        }
    }

    /// What a guard's attempt has asked for, or why there is no answer.
    pub(super) fn answered(&self) -> Outcome<Result<&Told, &Error>> {
        match (&self.failed, &self.ended) {
            (Some(error), _) => Ok(Err(error)),
            (None, Some(Ended::Answered(told))) => Ok(Ok(told)),
            _ => Err(NO_ANSWER.into()),
        }
    }

    fn ended(&self) -> Outcome<&Ended> {
        Ok(self.ended.as_ref().ok_or(NOT_OVER)?)
    }

    fn step(&mut self) -> Outcome<gk_step> {
        if self.ended.is_some() {
            return Ok(gk_step { kind: GK_STEP_DONE, wait_ms: 0 });
        }
        let step = self.inner.next().inspect_err(|error| self.failed = Some(error.clone()))?;
        Ok(match step {
            Step::Request(request) => {
                self.request = Some(request);
                gk_step { kind: GK_STEP_REQUEST, wait_ms: 0 }
            }
            Step::Wait(wait_ms) => gk_step { kind: GK_STEP_WAIT, wait_ms },
            Step::Done(ended) => {
                self.ended = Some(ended);
                gk_step { kind: GK_STEP_DONE, wait_ms: 0 }
            }
        })
    }

    fn run(&mut self, http: &gk_http) -> Outcome<()> {
        loop {
            let step = self.step()?;
            match step.kind {
                GK_STEP_DONE => return Ok(()),
                GK_STEP_WAIT => http.0.wait(step.wait_ms),
                _ => {
                    let request = self.request.take().ok_or(ErrorKind::Internal)?;
                    match http.0.send(&request) {
                        Ok(response) => self.inner.feed(response),
                        Err(error) => self.inner.fail(error),
                    }
                }
            }
        }
    }
}

/// Takes an operation to its end over a transport; blocks meanwhile.
///
/// @param operation The operation.
/// @param http The transport.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 5000s, 7000s and 1000s as the call says that made the operation, which
/// is over then.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_operation_run(
    operation: Option<&mut gk_operation>,
    http: Option<&gk_http>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || given(operation, "operation")?.run(given(http, "http")?))
}

/// Asks an operation what it wants. After a request feed the answer or the failure; after a wait
/// just ask again.
///
/// @param operation The operation.
/// @param step Receives what it wants.
/// @param err Receives the error; may be NULL.
/// @return As gk_operation_run; GK_STATUS_INVALID_ARGUMENT if the last request has not been
/// answered.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_operation_next(
    operation: Option<&mut gk_operation>,
    step: *mut gk_step,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let place = writable(step)?;
        place.write(gk_step { kind: 0, wait_ms: 0 });
        place.write(given(operation, "operation")?.step()?);
        Ok(())
    })
}

/// Gives the request that gk_operation_next has asked for.
///
/// @param operation The operation.
/// @param request Receives it; all zero if nothing is to be sent.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if none is wanted.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_operation_request(
    operation: Option<&gk_operation>,
    request: *mut gk_request,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let place = writable(request)?;
        let none = gk_str::NONE;
        place.write(gk_request {
            method: none,
            url: none,
            body: none,
            purpose: none,
            headers: 0,
            deadline_ms: 0,
            max_body: 0,
        });
        let wanted = given(operation, "operation")?.request.as_ref().ok_or(NO_REQUEST)?;
        place.write(gk_request {
            method: lend(wanted.method),
            url: lend(&wanted.url),
            body: wanted.body.as_ref().map_or(none, |body| lend(body.expose_str())),
            purpose: lend(wanted.purpose.name()),
            headers: wanted.headers.len(),
            deadline_ms: wanted.deadline_ms,
            max_body: wanted.max_body,
        });
        Ok(())
    })
}

/// Gives a header of the request.
///
/// @param operation The operation.
/// @param index Which, from 0.
/// @return The header, its name in lower case; {NULL, 0} twice after the last one.
#[unsafe(no_mangle)]
pub extern "C" fn gk_operation_header(operation: Option<&gk_operation>, index: usize) -> gk_header {
    let none = || gk_header { name: gk_str::NONE, value: gk_str::NONE };
    look(none(), || {
        let (name, value) = operation?.request.as_ref()?.headers.get(index)?;
        Some(gk_header { name: lend(name), value: lend(value.expose_str()) })
    })
}

/// The answer to a request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_response {
    /// The HTTP status.
    pub status: u16,
    /// Its headers; `cache-control`, `content-encoding`, `content-type`, `date`, `retry-after` and
    /// `x-ratelimit-remaining` are read. NULL and 0 for none.
    pub headers: *const gk_header,
    /// How many.
    pub headers_len: usize,
    /// Its body; NULL and 0 for none.
    pub body: *const c_char,
    /// The body's length in bytes.
    pub body_len: usize,
}

/// Feeds the answer to the request, whatever its status. A body that is longer than max_body is
/// refused.
///
/// @param operation The operation.
/// @param response The answer; borrowed for the call.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if no request is out.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_operation_feed(
    operation: Option<&mut gk_operation>,
    response: Option<&gk_response>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let operation = given(operation, "operation")?;
        let &gk_response { status, headers, headers_len, body, body_len } =
            given(response, "response")?;
        let mut read = Vec::new();
        for header in slice(headers, headers_len, "headers")? {
            let name = text(header.name.data, header.name.len, "headers")?.to_owned();
            // Values that are not text are of no use.
            if let Ok(value) = text(header.value.data, header.value.len, "headers") {
                read.push((name, value.to_owned()));
            }
        }
        let body = Secret::new(chars(body, body_len, "body")?.to_vec());
        operation.request.take().ok_or(NO_REQUEST)?;
        operation.inner.feed(HttpResponse { status, headers: read, body });
        Ok(())
    })
}

/// Tells an operation that its request has no answer.
///
/// @param operation The operation.
/// @param reason One of the 7000s, for example GK_STATUS_CONNECTION_FAILED.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if no request is out, or the reason is another.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_operation_fail(
    operation: Option<&mut gk_operation>,
    reason: gk_status,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let operation = given(operation, "operation")?;
        let kind = ErrorKind::from_number(reason).filter(|kind| kind.number() >= 7000);
        let kind = kind.ok_or(Fault::OutOfRange("reason"))?;
        operation.request.take().ok_or(NO_REQUEST)?;
        operation.inner.fail(kind.into());
        Ok(())
    })
}

/// Gives what an operation has ended with, as the call says that made it.
///
/// @param operation The operation.
/// @param json Receives the value, to be freed with gk_json_free; `null` of an operation that ends
/// with nothing; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not over, or has failed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_operation_json(
    operation: Option<&gk_operation>,
    json: *mut *mut gk_json,
    err: *mut gk_error,
) -> gk_status {
    create(json, err, || match given(operation, "operation")?.ended()? {
        Ended::Text(text) => Ok(gk_json::text(text)),
        Ended::Answered(_) | Ended::Nothing => Ok(gk_json::null()),
        ended => gk_json::read(ended.json().expose()),
    })
}

/// Gives the tokens that an operation has ended with, those of a log-in included. A refresh that
/// has failed still gives the tokens to keep, if the server had given a new refresh token by then:
/// the old ones, with that.
///
/// @param operation The operation.
/// @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not over, has failed and left nothing
/// to keep, or ends with something else.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_operation_tokens(
    operation: Option<&gk_operation>,
    tokens: *mut *mut gk_oauth_tokens,
    err: *mut gk_error,
) -> gk_status {
    create(tokens, err, || {
        let operation = given(operation, "operation")?;
        if let Some(kept) = operation.failed.as_ref().and_then(OAuthTokens::kept_in) {
            return Ok(gk_oauth_tokens(kept));
        }
        match operation.ended()? {
            Ended::Tokens(tokens) | Ended::Finished(FinishedLogin { tokens, .. }) => {
                Ok(gk_oauth_tokens(tokens.clone()))
            }
            _ => Err(NO_TOKENS.into()),
        }
    })
}

/// Gives the text of what an operation has ended with, to be passed on; gk_operation_json is for
/// looking into it.
///
/// @param operation The operation.
/// @param json Receives it, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not over, or has failed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_operation_result(
    operation: Option<&gk_operation>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(operation, "operation")?.ended()?.json()))
}

/// Gives the authorization server's own name of the error that an operation has ended with (RFC
/// 6749 section 5.2).
///
/// @param operation The operation.
/// @return At most 64 letters, digits, `_`, `-` and `.`; {NULL, 0} if the server gave none.
#[unsafe(no_mangle)]
pub extern "C" fn gk_operation_peer_code(operation: Option<&gk_operation>) -> gk_str {
    look(gk_str::NONE, || operation?.failed.as_ref()?.peer_code().map(lend))
}

/// Gives how many milliseconds to wait before the same is worth another try.
///
/// @param operation The operation.
/// @return Milliseconds; 0 if it has not failed, or waiting is no remedy, or the server did not
/// say.
#[unsafe(no_mangle)]
pub extern "C" fn gk_operation_retry_after(operation: Option<&gk_operation>) -> u64 {
    look(0, || operation?.failed.as_ref()?.retry_after().map(u64::from))
}

/// Frees an operation; one that is not over is given up.
///
/// @param operation The operation, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_operation_free(operation: Option<Box<gk_operation>>) {
    release(operation);
}

const NO_REQUEST: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The operation has not asked for a request, or it was answered.",
);
const NOT_OVER: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The operation is not over, or it has failed; it has no result.",
);
const NO_TOKENS: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The operation has not ended with tokens; gk_operation_json gives what it has ended with.",
);
const NO_ANSWER: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The operation is not over, or is not one that gk_guard_attempt_operation has given.",
);
const NO_CODES: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The operation has not ended with the codes of a device.",
);
