//! The built-in transport against servers that do as they like: what goes over the wire, what comes
//! back, and that neither time nor memory nor reach go beyond what was asked for. The addresses
//! that are kept out have their table in `resolve.rs`; what 300 MB do to the memory is measured in
//! `tests/oauth/exhaustion.rs`.

mod hostile;
mod kept;
mod proxied;
mod tls;

use super::{HttpOptions, HttpTransport};
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind};
use crate::transport::{HttpRequest, HttpResponse, Purpose, Transport as _};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server on this machine that answers every connection in the same way.
pub(super) struct Server {
    pub(super) port: u16,
    /// How often someone connected.
    connections: Arc<AtomicUsize>,
    /// The requests, to the byte.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Reads a whole request, then lets `answer` do with the connection what it likes.
    pub(super) fn start(
        answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let server = Self::raw(move |stream| {
            let request = whole_request(stream)?;
            seen.lock().unwrap().push(request);
            answer(stream)
        });
        Self { requests, ..server }
    }

    /// Answers with this text and closes.
    pub(super) fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |stream| stream.write_all(&answer))
    }

    /// Hands over every connection as it comes.
    pub(super) fn raw(
        answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                // The other side may hang up at any time.
                std::thread::spawn(move || answer(&mut stream).is_ok());
            }
        });
        Self { port, connections, requests: Arc::default() }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The head, and as much of a body as it tells.
pub(super) fn whole_request(stream: &mut impl std::io::Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let told = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; told.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    Ok(head + std::str::from_utf8(&body).unwrap())
}

pub(super) fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest::new("GET", url.into(), Purpose::Keys)
}

fn post(url: impl Into<String>, body: &str) -> HttpRequest {
    let mut request = HttpRequest::new("POST", url.into(), Purpose::Token)
        .header("content-type", "application/x-www-form-urlencoded".to_owned());
    request.body = Some(Secret::from(body.to_owned()));
    request
}

/// Options that reach the servers of these tests.
pub(super) const fn here() -> HttpOptions {
    HttpOptions::new().allow_loopback_http(true)
}

pub(super) fn send(options: HttpOptions, request: &HttpRequest) -> Result<HttpResponse, Error> {
    let answer = HttpTransport::new(options).unwrap().send(request);
    if let Err(error) = &answer {
        assert!((7000..=7004).contains(&error.kind().number()), "{error:?}");
        assert!(error.message().len() > 20 && error.peer_message().is_none(), "{error:?}");
    }
    answer
}

pub(super) fn refusal(options: HttpOptions, request: &HttpRequest) -> ErrorKind {
    send(options, request).unwrap_err().kind()
}

/// The first line, and the others in order, whatever theirs was.
fn lines(request: &str) -> (&str, Vec<&str>) {
    let mut lines = request.split("\r\n");
    let first = lines.next().unwrap();
    let mut rest: Vec<&str> = lines.collect();
    rest.sort_unstable();
    (first, rest)
}

#[test]
fn a_get_is_what_was_asked_for_and_nothing_else() {
    let server = Server::saying(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncache-control: max-age=5\r\nRetry-After: 7\r\n\
         Set-Cookie: a=b\r\nX-Other: c\r\nlocation: /x\r\ncontent-length: 2\r\n\r\n{}",
    );
    let request = get(format!("{}a/b?c=%20d", server.url()))
        .header("accept", "application/json".to_owned())
        .header("authorization", "Basic c2VjcmV0".to_owned());
    let answer = send(here(), &request).unwrap();
    assert_eq!((answer.status, answer.body.expose()), (200, &b"{}"[..]));
    let mut headers = answer.headers;
    headers.sort();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        headers,
        [
            pair("cache-control", "max-age=5"),
            pair("content-type", "application/json"),
            pair("retry-after", "7")
        ]
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let host = format!("host: 127.0.0.1:{}", server.port);
    let agent = format!("user-agent: gatekey/{}", env!("CARGO_PKG_VERSION"));
    let mut wanted = vec![
        "",
        "",
        "accept: application/json",
        "accept-encoding: identity",
        "authorization: Basic c2VjcmV0",
        &*host,
        &*agent,
    ];
    wanted.sort_unstable();
    assert_eq!(lines(&requests[0]), ("GET /a/b?c=%20d HTTP/1.1", wanted));
}

#[test]
fn a_post_is_sent_once() {
    let server = Server::saying("HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nno!");
    let answer = send(here(), &post(server.url(), "grant_type=x&y=z")).unwrap();
    assert_eq!((answer.status, answer.body.expose()), (400, &b"no!"[..]));
    let requests = server.requests();
    let host = format!("host: 127.0.0.1:{}", server.port);
    let agent = format!("user-agent: gatekey/{}", env!("CARGO_PKG_VERSION"));
    let mut wanted = vec![
        "",
        "accept-encoding: identity",
        "content-length: 16",
        "content-type: application/x-www-form-urlencoded",
        "grant_type=x&y=z",
        &*host,
        &*agent,
    ];
    wanted.sort_unstable();
    assert_eq!(lines(&requests[0]), ("POST / HTTP/1.1", wanted));
    // Anyone who hears a POST and says nothing does not hear it again.
    let server = Server::start(|_| Ok(()));
    assert_eq!(refusal(here(), &post(server.url(), "a=b")), ErrorKind::ConnectionFailed);
    assert_eq!((server.requests().len(), server.connections()), (1, 1));
}

#[test]
fn a_token_request_has_its_own_connection() {
    let server = Server::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        // Kept open, and hung up by the other side.
        let rest = stream.read(&mut [0])?;
        assert_eq!(rest, 0, "a second request");
        Ok(())
    });
    let http = HttpTransport::new(here()).unwrap();
    for _ in 0..3 {
        assert_eq!(http.send(&post(server.url(), "a=b")).unwrap().body.expose(), b"ok");
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_redirect_is_an_answer_like_any_other() {
    let target = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for status in [301, 302, 303, 307, 308] {
        for end in ["content-length: 4\r\n\r\nmove", "\r\n"] {
            let url = target.url();
            let server = Server::saying(format!("HTTP/1.1 {status} X\r\nlocation: {url}\r\n{end}"));
            for request in [get(server.url()), post(server.url(), "secret=1")] {
                assert_eq!(send(here(), &request).unwrap().status, status);
            }
            assert_eq!(server.requests().len(), 2);
        }
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn nothing_is_decoded() {
    // The gzip of "{}".
    let packed =
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 22\r\n\r\n";
    let server = Server::saying([head.as_bytes(), &packed].concat());
    assert_eq!(send(here(), &get(server.url())).unwrap().body.expose(), packed);
}

#[test]
fn bodies_come_in_all_framings() {
    for answer in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde",
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde",
    ] {
        let server = Server::saying(answer);
        let body = send(here(), &get(server.url())).unwrap().body;
        assert_eq!(body.expose_str(), "abcde", "{answer}");
    }
    let server = Server::saying("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(send(here(), &get(server.url())).unwrap().status, 204);
}

#[test]
fn headers_that_are_not_ascii_are_dropped() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/\xff\r\nretry-after: 1\r\n";
    let server = Server::saying([&head[..], b"content-length: 0\r\n\r\n"].concat());
    let headers = send(here(), &get(server.url())).unwrap().headers;
    assert_eq!(headers, [("retry-after".to_owned(), "1".to_owned())]);
}

#[test]
fn options_are_checked_at_once() {
    let kind = |options: HttpOptions| HttpTransport::new(options).unwrap_err().kind();
    let der = b"-----BEGIN CERTIFICATE-----\nAAECAwQF\n-----END CERTIFICATE-----\n";
    let key = b"-----BEGIN PRIVATE KEY-----\nAAECAwQF\n-----END PRIVATE KEY-----\n";
    // An empty file of authorities does not mean Mozilla's.
    for pem in [&b""[..], b" \n", b"nothing", b"-----BEGIN CERTIFICATE-----\n", key, der] {
        let text = String::from_utf8_lossy(pem);
        assert_eq!(kind(HttpOptions::new().ca_pem(pem)), ErrorKind::InvalidConfiguration, "{text}");
    }
    let json = HttpOptions::from_json(br#"{"ca_pem":""}"#).unwrap();
    assert_eq!(kind(json), ErrorKind::InvalidConfiguration);
    for (chain, key) in [(&b""[..], &b""[..]), (der, key), (der, b""), (b"", key)] {
        let options = HttpOptions::new().client_certificate_pem(chain, key);
        assert_eq!(kind(options), ErrorKind::InvalidConfiguration);
    }
    for out_of_range in [0, 120_001, u64::MAX] {
        let options = HttpOptions::new().deadline_ms(out_of_range);
        assert_eq!(kind(options), ErrorKind::InvalidArgument);
        let options = HttpOptions::new().connect_ms(out_of_range);
        assert_eq!(kind(options), ErrorKind::InvalidArgument);
    }
    HttpTransport::new(HttpOptions::new().deadline_ms(120_000).connect_ms(1)).unwrap();
}

#[test]
fn debug_shows_no_keys() {
    let options = HttpOptions::new().client_certificate_pem(b"the chain", b"the private key");
    let shown = format!("{options:?}");
    assert!(shown.contains("client_certificate: true"), "{shown}");
    for part in ["the chain", "the private", "116, 104, 101"] {
        assert!(!shown.contains(part), "{shown}");
    }
    let shown = format!("{:?}", HttpTransport::new(here()).unwrap());
    assert!(shown.starts_with("HttpTransport(HttpOptions"), "{shown}");
}
