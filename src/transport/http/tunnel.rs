//! The way through a proxy: `CONNECT` (RFC 9110 section 9.3.6), after which the connection is the
//! other server's. The proxy learns whom is spoken to, and nothing of what is said.
//!
//! Refused: any answer but 2xx, redirects included; one that is larger than [`LARGEST_HEAD`] or is
//! not there in time; and anything that the proxy says after its answer, before the other server
//! was spoken to.

use super::USER_AGENT;
use super::proxy::Proxy;
use crate::base::secret::Secret;
use crate::base::url::Url;
use crate::error::{Error, ErrorKind};
use std::fmt;
use std::time::Instant;
use ureq::unversioned::transport::{NextTimeout, Transport};

/// The largest head of a proxy's answer, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// An error of ours on its way through ureq.
#[derive(Debug)]
pub(super) struct Told(pub(super) Error);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Told {}

pub(super) fn told(error: Error) -> ureq::Error {
    ureq::Error::Other(Box::new(Told(error)))
}

/// Asks the proxy at the other end for a way to this host. `timeout` is what is left for connecting
/// as a whole.
pub(super) fn open(
    wire: &mut dyn Transport,
    proxy: &Proxy,
    url: &Url<'_>,
    timeout: NextTimeout,
) -> Result<(), ureq::Error> {
    let begun = Instant::now();
    let left = || {
        let spent = begun.elapsed();
        let after = timeout.after.saturating_sub(spent);
        if after.is_zero() {
            return Err(ureq::Error::Timeout(timeout.reason));
        }
        Ok(NextTimeout { after: after.into(), ..timeout })
    };
    let request = connect(proxy, url);
    for part in request.expose().chunks(1024) {
        let output = wire.buffers().output();
        output.get_mut(..part.len()).ok_or(ureq::Error::BodyStalled)?.copy_from_slice(part);
        wire.transmit_output(part.len(), left()?)?;
    }
    loop {
        let input = wire.buffers().input();
        let length = input.len();
        let head = input.get(..LARGEST_HEAD).unwrap_or(input);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            check(input)?;
            if length > end + 4 {
                return Err(told(MORE));
            }
            wire.buffers().input_consume(length);
            return Ok(());
        }
        if length >= LARGEST_HEAD {
            return Err(told(TOO_LONG));
        }
        if !wire.await_input(left()?)? {
            return Err(told(HUNG_UP));
        }
    }
}

/// What is asked of the proxy.
fn connect(proxy: &Proxy, url: &Url<'_>) -> Secret {
    let place = format!("{}:{}", url.host, url.port);
    let authorization = proxy.authorization().map_or("", Secret::expose_str);
    let mut text = String::with_capacity(2 * place.len() + authorization.len() + 128);
    for part in ["CONNECT ", &place, " HTTP/1.1\r\nHost: ", &place, "\r\nUser-Agent: ", USER_AGENT]
    {
        text.push_str(part);
    }
    if !authorization.is_empty() {
        text.push_str("\r\nProxy-Authorization: ");
        text.push_str(authorization);
    }
    text.push_str("\r\n\r\n");
    Secret::from(text)
}

/// Whether the head of an answer says that the way is open.
fn check(head: &[u8]) -> Result<(), ureq::Error> {
    let status = match head {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', a, b, c, after, ..]
            if [a, b, c].iter().all(|digit| digit.is_ascii_digit())
                && matches!(after, b' ' | b'\r') =>
        {
            [*a, *b, *c]
        }
        _ => return Err(told(NO_HTTP)),
    };
    Err(told(match &status {
        [b'2', ..] => return Ok(()),
        b"407" => WANTS_PASSWORD,
        b"403" | b"401" => FORBIDS,
        [b'5', ..] => NOT_REACHED,
        _ => NO_PROXY,
    }))
}

const fn fails(message: &'static str) -> Error {
    Error::new(ErrorKind::ConnectionFailed, message)
}

const WANTS_PASSWORD: Error = fails(
    "The proxy wants another user and password (407); give them in its address, as `http://user:password@host:port`.",
);
const FORBIDS: Error = fails(
    "The proxy refuses to connect to the other server (401 or 403); have it allow this host and port, or name the \
     host in `no_proxy`.",
);
const NOT_REACHED: Error = fails(
    "The proxy cannot reach the other server (5xx); see that the host's name is right and known to the proxy, and try \
     again.",
);
const NO_PROXY: Error = fails(
    "The answer to CONNECT is neither yes nor no, such as a redirect; see that the proxy's address is that of a proxy.",
);
const NO_HTTP: Error = fails(
    "What is at the proxy's address does not speak HTTP/1.1; see that host and port are right.",
);
const TOO_LONG: Error = fails(
    "The proxy's answer to CONNECT is longer than 16 KiB; see that its address is that of a proxy.",
);
const MORE: Error = fails(
    "The proxy said more than its answer to CONNECT; see that its address is that of a proxy.",
);
const HUNG_UP: Error = fails(
    "The proxy closed the connection instead of connecting; see that its address is right, and try again.",
);
