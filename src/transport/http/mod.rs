//! The built-in transport: HTTP/1.1 over TLS 1.2 and 1.3 (rustls on the same AWS-LC as everything
//! else), blocking, without threads of its own but for a short one while a name is looked up.
//!
//! Refused: plain `http` but to this machine if that is allowed; addresses that the policy keeps
//! out, at the very moment of connecting; redirects, which come back as what they are; answers that
//! are longer or slower than the request allows. Nothing is read from the environment, but for a
//! proxy if that is asked for.
//!
//! Connections are kept for what may be asked twice: metadata, keys, user info and introspection.
//! One that has ended meanwhile is replaced, once; one that has brought more than its answers is
//! not used again; none is kept across a fork. Any other request has a connection of its own: on
//! one that turns out to be dead it could not be told from one that was heard, and a refresh token
//! is good once. TLS sessions are resumed, which makes up for it.

mod connect;
mod options;
mod proxy;
mod resolve;
#[cfg(test)]
mod tests;
mod tunnel;

pub use options::HttpOptions;

use self::connect::{Connect, on_a_kept_one};
use self::proxy::Proxy;
use self::resolve::{Blocked, Filter};
use self::tunnel::Told;
use super::{HttpRequest, HttpResponse, Purpose, Transport};
use crate::base::process::{AcrossFork, Own, across_forks};
use crate::base::reach::beyond_memory;
use crate::base::secret::Secret;
use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use ureq::config::AutoHeaderValue;
use ureq::unversioned::transport::RustlsConnector;
use zeroize::Zeroizing;

/// An answer whose body is still to be read.
type Response = ureq::http::Response<ureq::Body>;

/// The most connections that are kept, to one host and in all.
const MOST_KEPT: (usize, usize) = (4, 16);
/// How long a connection is kept without use. Many servers end theirs after 60 seconds or more.
const KEPT: Duration = Duration::from_secs(15);
/// The largest head of an answer, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// The most headers of an answer.
const MOST_HEADERS: usize = 100;
/// The most memory that is taken for a body before it is there, whatever the other side says about
/// it.
const FIRST_ROOM: usize = 1 << 20;
/// What we call ourselves; some servers do not answer requests without one.
const USER_AGENT: &str = concat!("gatekey/", env!("CARGO_PKG_VERSION"));

/// The built-in transport: safe to share between threads, cheap to clone, usable after a fork.
///
/// # Security
/// A Rust program that installs a logger for the crate `log` keeps `ureq_proto` below the level
/// `trace`: there, and only there, that crate writes down what it sends. No other language has such
/// a logger.
#[derive(Clone)]
pub struct HttpTransport(Arc<Inner>);

struct Inner {
    options: HttpOptions,
    tls: ureq::tls::TlsConfig,
    /// For `https`; plain `http` goes to this machine alone.
    proxy: Option<Arc<Proxy>>,
    /// Of this process: what was used in the parent of a fork is not used in the child.
    agents: Own<Agents>,
}

/// What sends: with a connection for each request, or with those that are kept.
struct Agents {
    once: ureq::Agent,
    kept: ureq::Agent,
}

impl HttpTransport {
    /// A transport with these options.
    ///
    /// # Errors
    /// `InvalidConfiguration`: a certificate or key cannot be read, or they do not belong together;
    /// the proxy's address cannot be read, or a proxy is together with
    /// [`HttpOptions::public_only`]. `InvalidArgument`: a number is out of range.
    pub fn new(options: HttpOptions) -> Result<Self> {
        let (tls, proxy) = (options.tls()?, options.proxied()?.map(Arc::new));
        let inner = Arc::new(Inner { options, tls, proxy, agents: Own::new() });
        let weak = Arc::downgrade(&inner);
        let party: Weak<dyn AcrossFork> = weak;
        across_forks(party);
        Ok(Self(inner))
    }

    /// Whether this transport would send to `url`, at the `addresses` that its host has: for
    /// carriers of another kind, such as an event loop's, that keep to the same rules. Ask twice:
    /// with no addresses before the name is looked up, and with all of them before one is connected
    /// to.
    ///
    /// # Errors
    /// `RequestBlocked`: it is no absolute `https` address (`http` on this machine, where that is
    /// allowed), or one of the addresses is kept out.
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
        let until = Instant::now() + Duration::from_millis(deadline);
        let agents = self.0.agents.get_or(|| self.0.agents());
        let sent = if may_be_repeated(request.purpose) {
            match on_a_kept_one(|| send(&agents.kept, request, until)) {
                (Err(error), true) if is_hung_up(&error) => send(&agents.once, request, until),
                (sent, _) => sent,
            }
        } else {
            send(&agents.once, request, until)
        };
        let mut response = sent.map_err(|error| fault(&error, url.https))?;
        if response.headers().len() > MOST_HEADERS {
            return Err(TOO_LARGE);
        }
        if !is_framed_once(response.headers()) {
            return Err(NO_HTTP);
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

/// Sends a request and reads the head of the answer.
fn send(
    agent: &ureq::Agent,
    request: &HttpRequest,
    until: Instant,
) -> std::result::Result<Response, ureq::Error> {
    let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let headers = request.headers.iter().map(|(name, value)| (*name, value.expose()));
    let headers = headers.chain([("user-agent", USER_AGENT.as_bytes())]);
    if request.method == "POST" {
        let mut builder = agent.post(&request.url).config().timeout_global(Some(left)).build();
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        builder.send(request.body.as_ref().map_or(&[][..], Secret::expose))
    } else {
        let mut builder = agent.get(&request.url).config().timeout_global(Some(left)).build();
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        builder.call()
    }
}

/// Whether the server may be asked twice: it only says what it knows.
const fn may_be_repeated(purpose: Purpose) -> bool {
    matches!(
        purpose,
        Purpose::Metadata | Purpose::Keys | Purpose::UserInfo | Purpose::Introspection
    )
}

/// Whether the other side ended the connection without a word.
fn is_hung_up(error: &ureq::Error) -> bool {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
    };
    let ends = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof];
    matches!(error, ureq::Error::Io(error) if ends.contains(&error.kind()))
}

impl Inner {
    fn agents(&self) -> Agents {
        let tls = Arc::default();
        Agents { once: self.agent(&tls, (0, 0)), kept: self.agent(&tls, MOST_KEPT) }
    }

    /// An agent that keeps at most this many connections, to one host and in all.
    fn agent(&self, tls: &Arc<RustlsConnector>, most: (usize, usize)) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .tls_config(self.tls.clone())
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(LARGEST_HEAD)
            .max_idle_connections_per_host(most.0)
            .max_idle_connections(most.1)
            .max_idle_age(KEPT)
            .timeout_connect(Some(Duration::from_millis(self.options.connect_ms)))
            .accept_encoding(AutoHeaderValue::None)
            .accept(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .build();
        let connect = Connect { tls: Arc::clone(tls), proxy: self.proxy.clone() };
        let filter = Filter { proxy: self.proxy.clone(), ..self.filter() };
        ureq::Agent::with_parts(config, connect, filter)
    }

    const fn filter(&self) -> Filter {
        Filter {
            public_only: self.options.public_only,
            allow_loopback_http: self.options.allow_loopback_http,
            proxy: None,
        }
    }
}

/// Connections that are kept are closed, so that no other process holds them.
impl AcrossFork for Inner {
    fn before_fork(&self) {
        self.agents.give_up();
    }
}

/// Whether it is clear where the body ends, and so where the next answer begins (RFC 9112 section
/// 6.3).
fn is_framed_once(headers: &ureq::http::HeaderMap) -> bool {
    let mut codings = headers.get_all("transfer-encoding").iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(one), None) => {
            one.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key("content-length")
        }
        _ => false,
    }
}

/// The body, of which no more is read than one byte beyond what is allowed.
fn read(body: &mut ureq::Body, most: usize) -> Result<Secret> {
    let told = body.content_length().and_then(|length| usize::try_from(length).ok());
    if told.is_some_and(|length| length > most) {
        return Err(TOO_LARGE);
    }
    // The promised length is taken at once, so that a text that grows leaves few copies behind.
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
        ureq::Error::Other(other) if other.is::<Told>() => {
            other.downcast_ref().map_or(NO_CONNECTION, |told: &Told| told.0.clone())
        }
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
    "The other server cannot be reached, or closed the connection; see that name, port and network are right, and try again.",
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
