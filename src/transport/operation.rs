//! `Operation`: protocol code that asks for a request, is fed the answer, and in the end has a
//! result. It has no socket and does not block: a loop of any kind drives it.
//!
//! Inside, an operation is an `async` block whose only events are the answers to its own requests.
//! The compiler writes the state machine; there is no runtime and no waker.

use super::{HttpRequest, HttpResponse, Transport};
use crate::base::clock::{Clock as _, NANOS, SystemClock};
use crate::base::process::brief;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// What an operation wants next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<T> {
    /// Send this, then [`Operation::feed`] the answer or [`Operation::fail`].
    Request(HttpRequest),
    /// Come back after this many milliseconds.
    Wait(u64),
    /// It is over.
    Done(T),
}

/// Something that takes requests to another server: ask [`Self::next`] what it wants until it is
/// done.
///
/// ```no_run
/// # fn drive<T>(
/// #     mut operation: gatekey::transport::Operation<T>,
/// #     send: impl Fn(&gatekey::transport::HttpRequest) -> gatekey::Result<gatekey::transport::HttpResponse>,
/// # ) -> gatekey::Result<T> {
/// loop {
///     match operation.next()? {
///         gatekey::transport::Step::Done(result) => return Ok(result),
///         gatekey::transport::Step::Wait(ms) => std::thread::sleep(std::time::Duration::from_millis(ms)),
///         gatekey::transport::Step::Request(request) => match send(&request) {
///             Ok(response) => operation.feed(response),
///             Err(error) => operation.fail(error),
///         },
///         _ => unreachable!("an operation wants nothing else"),
///     }
/// }
/// # }
/// ```
#[must_use = "an operation does nothing until it is driven"]
pub struct Operation<T> {
    future: Option<Pin<Box<dyn Future<Output = Result<T>> + Send>>>,
    io: Io,
}

/// The side of an operation that its own code sees.
#[derive(Clone)]
pub(crate) struct Io(Arc<Mutex<Exchange>>);

/// What passes between an operation and anyone who drives it, and when.
struct Exchange {
    port: Port,
    /// When the driver should be back from what it was last given, in nanoseconds of the system's
    /// monotonic clock.
    due: u64,
    /// How long that may take, in nanoseconds.
    span: u64,
    is_running: bool,
    /// The endpoint that was asked last, and the status of its answer; 0 for none.
    asked: Option<(&'static str, u16)>,
}

enum Port {
    Idle,
    Wanted(HttpRequest),
    Pause(u64),
    /// It was handed out; the answer is awaited.
    Out {
        pause: bool,
    },
    Answered(Result<HttpResponse>),
}

impl<T> Operation<T> {
    /// An operation of this code.
    pub(crate) fn new<F>(code: impl FnOnce(Io) -> F) -> Self
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let exchange =
            Exchange { port: Port::Idle, due: 0, span: 0, is_running: false, asked: None };
        let io = Io(Arc::new(Mutex::new(exchange)));
        Self { future: Some(Box::pin(code(io.clone()))), io }
    }

    /// What it wants now. After a [`Step::Request`] feed the answer first; after a [`Step::Wait`]
    /// just ask again.
    ///
    /// # Errors
    /// Those of the operation; then it is over. `InvalidArgument`: the last request has not been
    /// answered, or the operation is over already.
    #[expect(clippy::should_implement_trait, reason = "an operation is driven, not iterated")]
    pub fn next(&mut self) -> Result<Step<T>> {
        {
            let port = &mut brief(&self.io.0).port;
            match port {
                Port::Out { pause: false } => return Err(UNANSWERED),
                Port::Out { pause: true } => {
                    *port = Port::Answered(Err(ErrorKind::Internal.into()))
                }
                _ => {}
            }
        }
        let future = self.future.as_mut().ok_or(OVER)?;
        let running = Running::of(&self.io);
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(running);
        match polled {
            Poll::Ready(result) => {
                self.future = None;
                let asked = brief(&self.io.0).asked;
                let about = |error: Error| match asked {
                    Some((endpoint, status)) => error.about_request(endpoint, status),
                    None => error,
                };
                result.map(Step::Done).map_err(about)
            }
            Poll::Pending => self.io.hand_out(),
        }
    }

    /// The answer to the last request, whatever its status. A body that is longer than the request
    /// allowed is refused.
    pub fn feed(&mut self, response: HttpResponse) {
        self.answer(Ok(response));
    }

    /// There is no answer to the last request: one of the 7000s.
    pub fn fail(&mut self, error: Error) {
        self.answer(Err(error));
    }

    fn answer(&mut self, answer: Result<HttpResponse>) {
        let mut exchange = brief(&self.io.0);
        if matches!(&exchange.port, Port::Out { pause: false }) {
            if let (Some((_, status)), Ok(response)) = (&mut exchange.asked, &answer) {
                *status = response.status;
            }
            exchange.port = Port::Answered(answer);
        }
    }

    /// Gives it up: what it holds is let go of, and it is over.
    pub fn give_up(&mut self) {
        self.future = None;
    }

    /// Drives it to its end.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn run(mut self, transport: &dyn Transport) -> Result<T> {
        loop {
            match self.next()? {
                Step::Done(result) => return Ok(result),
                Step::Wait(milliseconds) => transport.wait(milliseconds),
                Step::Request(request) => self.answer(transport.send(&request)),
            }
        }
    }

    /// Drives it as a part of another one.
    pub(crate) async fn within(self, io: &Io) -> Result<T> {
        self.within_while(io, || Ok(())).await
    }

    /// As [`Self::within`]; nothing is asked unless `may` allows it.
    pub(crate) async fn within_while(mut self, io: &Io, may: impl Fn() -> Result<()>) -> Result<T> {
        loop {
            match self.next()? {
                Step::Done(result) => return Ok(result),
                Step::Wait(milliseconds) => io.pause(milliseconds).await,
                Step::Request(request) => {
                    may()?;
                    self.answer(io.ask(request).await);
                }
            }
        }
    }

    /// The same operation, which ends well whatever it ends with.
    pub(crate) fn whatever_comes(self) -> Operation<()>
    where
        T: Send + 'static,
    {
        Operation::new(|io| async move {
            let _ = self.within(&io).await;
            Ok(())
        })
    }

    /// The same operation, and then what `then` makes of its result.
    pub fn map<U: 'static>(self, then: impl FnOnce(T) -> U + Send + 'static) -> Operation<U>
    where
        T: 'static,
    {
        let Self { future, io } = self;
        let future = future.map(|future| -> Pin<Box<dyn Future<Output = Result<U>> + Send>> {
            Box::pin(async move { future.await.map(then) })
        });
        Operation { future, io }
    }
}

impl Io {
    /// The answer to a request. Bodies that are longer than what the request allows are refused.
    pub(crate) async fn ask(&self, request: HttpRequest) -> Result<HttpResponse> {
        let max_body = request.max_body;
        {
            let mut exchange = brief(&self.0);
            exchange.asked = Some((request.purpose.endpoint(), 0));
            exchange.port = Port::Wanted(request);
        }
        let response = Answer(&self.0).await?;
        if response.body.expose().len() > max_body {
            return Err(ErrorKind::ResponseTooLarge.into());
        }
        Ok(response)
    }

    /// Returns after this many milliseconds.
    pub(crate) async fn pause(&self, milliseconds: u64) {
        brief(&self.0).port = Port::Pause(milliseconds);
        // Whatever it says: the time is over.
        let _ = Answer(&self.0).await;
    }

    /// Whether the driver has not come back when it should have, nor within this many milliseconds
    /// after that, which `grace` gives for how many it had: its loop may have ended, or the
    /// operation was given up and not dropped.
    pub(crate) fn is_late(&self, grace: impl FnOnce(u64) -> u64) -> bool {
        let exchange = brief(&self.0);
        let grace = grace(exchange.span / MILLISECOND).saturating_mul(MILLISECOND);
        !exchange.is_running && SystemClock.monotonic() > exchange.due.saturating_add(grace)
    }

    /// What the driver is given now.
    fn hand_out<T>(&self) -> Result<Step<T>> {
        let mut exchange = brief(&self.0);
        let pause = matches!(&exchange.port, Port::Pause(_));
        let (step, milliseconds) = match std::mem::replace(&mut exchange.port, Port::Out { pause })
        {
            Port::Wanted(request) => {
                let deadline = request.deadline_ms;
                (Step::Request(request), deadline)
            }
            Port::Pause(milliseconds) => (Step::Wait(milliseconds), milliseconds),
            _ => return Err(ErrorKind::Internal.into()),
        };
        exchange.span = milliseconds.saturating_mul(MILLISECOND);
        exchange.due = SystemClock.monotonic().saturating_add(exchange.span);
        Ok(step)
    }
}

/// That an operation works, until this is dropped.
struct Running<'a>(&'a Io);

impl<'a> Running<'a> {
    fn of(io: &'a Io) -> Self {
        brief(&io.0).is_running = true;
        Self(io)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut exchange = brief(&self.0.0);
        exchange.is_running = false;
        exchange.due = SystemClock.monotonic();
    }
}

const MILLISECOND: u64 = NANOS / 1000;

/// Ready once there is an answer.
struct Answer<'a>(&'a Mutex<Exchange>);

impl Future for Answer<'_> {
    type Output = Result<HttpResponse>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let port = &mut brief(self.0).port;
        if !matches!(port, Port::Answered(_)) {
            return Poll::Pending;
        }
        match std::mem::replace(port, Port::Idle) {
            Port::Answered(answer) => Poll::Ready(answer),
            _ => Poll::Pending,
        }
    }
}

const UNANSWERED: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The operation's last request has not been answered yet.",
);
const OVER: Error = Error::new(ErrorKind::InvalidArgument, "The operation is over.");

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.future.is_some() { "Operation(running)" } else { "Operation(over)" })
    }
}
