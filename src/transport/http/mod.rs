//! The built-in transport: HTTP/1.1 over TLS 1.2 and 1.3 (rustls on the same AWS-LC as everything else), blocking,
//! without threads of its own but for a short one while a name is looked up.
//!
//! Refused: plain `http` but to this machine if that is allowed; addresses that the policy keeps out, at the very
//! moment of connecting; redirects, which come back as what they are; answers that are longer or slower than the
//! request allows. Nothing is read from the environment: no proxies, no certificates.
//!
//! Connections are not kept between requests: a `POST` on a connection that turns out to be dead could not be told
//! from one that was heard, and a refresh token is good once. TLS sessions are resumed, which makes up for it.

mod connect;
mod options;
mod provider;
mod resolve;
#[cfg(test)]
mod tests;

pub use options::HttpOptions;

use self::connect::Connect;
use self::resolve::{Blocked, Filter};
use super::{HttpRequest, HttpResponse, Transport};
use crate::base::process::Own;
use crate::base::reach::beyond_memory;
use crate::base::secret::Secret;
use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use ureq::config::AutoHeaderValue;
use zeroize::Zeroizing;

/// The largest head of an answer, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// The most headers of an answer.
const MOST_HEADERS: usize = 100;
/// The most memory that is taken for a body before it is there, whatever the other side tells of it.
const FIRST_ROOM: usize = 1 << 20;
/// What we call ourselves; some servers answer nobody who does not.
const USER_AGENT: &str = concat!("gatekey/", env!("CARGO_PKG_VERSION"));

/// The built-in transport: safe to share between threads, cheap to clone, usable after a fork.
///
/// # Security
/// A Rust program that installs a logger for the crate `log` keeps `ureq_proto` below the level `trace`: there, and only
/// there, that crate writes down what it sends. No other language has such a logger.
#[derive(Clone)]
pub struct HttpTransport(Arc<Inner>);

struct Inner {
    options: HttpOptions,
    tls: ureq::tls::TlsConfig,
    /// Of this process: one that was used in the parent of a fork is not used in the child.
    agent: Own<ureq::Agent>,
}

impl HttpTransport {
    /// A transport with these options.
    ///
    /// # Errors
    /// `InvalidConfiguration`: a certificate or key cannot be read, or they do not belong together.
    pub fn new(options: HttpOptions) -> Result<Self> {
        let tls = options.tls()?;
        Ok(Self(Arc::new(Inner { options, tls, agent: Own::new() })))
    }

    /// Whether this transport would send to `url`, at the `addresses` that its host has: for carriers of another kind,
    /// such as an event loop's, that keep to the same rules. Ask twice: with no addresses before the name is looked up,
    /// and with all of them before one is connected to.
    ///
    /// # Errors
    /// `RequestBlocked`: it is no absolute `https` address (`http` on this machine, where that is allowed), or one of
    /// the addresses is kept out.
    pub fn check(&self, url: &str, addresses: &[IpAddr]) -> Result<()> {
        let url = Url::checked(url, self.0.options.allow_loopback_http)?;
        if self.0.filter().admits(&url, addresses.iter().copied()) { Ok(()) } else { Err(BLOCKED) }
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        beyond_memory()?;
        let url = Url::checked(&request.url, self.0.options.allow_loopback_http)?;
        let deadline = request.deadline_ms.min(self.0.options.deadline_ms).max(1);
        let agent = self.0.agent.get_or(|| self.0.agent());
        let headers = || {
            let headers = request.headers.iter();
            headers
                .map(|(name, value)| (*name, value.expose()))
                .chain([("user-agent", USER_AGENT.as_bytes())])
        };
        let timeout = Some(Duration::from_millis(deadline));
        let sent = if request.method == "POST" {
            let mut builder = agent.post(&request.url).config().timeout_global(timeout).build();
            for (name, value) in headers() {
                builder = builder.header(name, value);
            }
            builder.send(request.body.as_ref().map_or(&[][..], Secret::expose))
        } else {
            let mut builder = agent.get(&request.url).config().timeout_global(timeout).build();
            for (name, value) in headers() {
                builder = builder.header(name, value);
            }
            builder.call()
        };
        let mut response = sent.map_err(|error| fault(&error, url.https))?;
        if response.headers().len() > MOST_HEADERS {
            return Err(TOO_LARGE);
        }
        let body = read(response.body_mut(), request.max_body)?;
        let headers = response.headers().iter();
        let headers = headers.filter(|(name, _)| HttpResponse::READ.contains(&name.as_str()));
        let headers = headers.filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        Ok(HttpResponse { status: response.status().as_u16(), headers: headers.collect(), body })
    }

    fn wait(&self, milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
}

impl Inner {
    fn agent(&self) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .tls_config(self.tls.clone())
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(LARGEST_HEAD)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .timeout_connect(Some(Duration::from_millis(self.options.connect_ms)))
            .accept_encoding(AutoHeaderValue::None)
            .accept(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .build();
        ureq::Agent::with_parts(config, Connect::default(), self.filter())
    }

    const fn filter(&self) -> Filter {
        Filter {
            public_only: self.options.public_only,
            allow_loopback_http: self.options.allow_loopback_http,
        }
    }
}

/// The body, of which no more is read than one byte beyond what is allowed.
fn read(body: &mut ureq::Body, most: usize) -> Result<Secret> {
    let told = body.content_length().and_then(|length| usize::try_from(length).ok());
    if told.is_some_and(|length| length > most) {
        return Err(TOO_LARGE);
    }
    // What is told is taken at once, so that a text that grows leaves few copies behind.
    let room = told.unwrap_or(4096).min(FIRST_ROOM);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let mut reader = body.as_reader().take((most as u64).saturating_add(1));
    reader.read_to_end(&mut bytes).map_err(|error| fault(&ureq::Error::from(error), true))?;
    if bytes.len() > most {
        return Err(TOO_LARGE);
    }
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

#[cold]
fn fault(error: &ureq::Error, is_tls: bool) -> Error {
    let is_tls_error = |error: &std::io::Error| {
        is_tls && error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
    };
    match error {
        ureq::Error::Timeout(_) => TOO_SLOW,
        ureq::Error::Other(other) if other.is::<Blocked>() => BLOCKED,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => TOO_LARGE,
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => NO_TLS,
        ureq::Error::Io(error) if is_tls_error(error) => NO_TLS,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => TOO_SLOW,
        // Its type cannot be named.
        ureq::Error::Protocol(error) if error.to_string().ends_with("too many headers") => {
            TOO_LARGE
        }
        ureq::Error::Protocol(_) => NO_HTTP,
        // About the request: nothing has been sent.
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => NOT_SENT,
        _ => NO_CONNECTION,
    }
}

const NO_CONNECTION: Error = Error::new(
    ErrorKind::ConnectionFailed,
    "The other server cannot be reached, or hung up; see that name, port and network are right, and try again.",
);
const NO_HTTP: Error = Error::new(
    ErrorKind::ConnectionFailed,
    "The other server does not speak HTTP as it must; see that address and port are right.",
);
const TOO_SLOW: Error = Error::new(
    ErrorKind::DeadlineExceeded,
    "The other server took too long; try again, or set a longer deadline for client and transport.",
);
const NO_TLS: Error = Error::new(
    ErrorKind::TlsFailed,
    "TLS was not agreed on; see that the certificate is valid, for this name and of a trusted authority, \
     and that the server speaks TLS 1.2.",
);
const BLOCKED: Error = Error::new(
    ErrorKind::RequestBlocked,
    "The name stands for an address that the transport's policy keeps out; ask another, or change the policy.",
);
const NOT_SENT: Error = Error::new(
    ErrorKind::RequestBlocked,
    "The address or a header holds what HTTP cannot carry; see that tokens and secrets have no line breaks.",
);
const TOO_LARGE: Error = Error::new(
    ErrorKind::ResponseTooLarge,
    "The answer is larger than this request allows; see that the address is the right one.",
);

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpTransport").field(&self.0.options).finish()
    }
}
