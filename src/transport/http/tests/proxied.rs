//! Requests that go through a proxy, and proxies that do as they like.

use super::tls::{certificates_or_skip, trusted_server};
use super::{Server, get, here, post, send, whole_request};
use crate::error::{Error, ErrorKind};
use crate::transport::Transport as _;
use crate::transport::http::{HttpOptions, HttpTransport};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const THROUGH: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy that connects to a port of this machine, whatever the name; it keeps what it was told.
struct Proxy {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Answers with this, and if that begins with a yes connects.
    fn start(to: u16, answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, answer) = (Arc::clone(&heard), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, log) = (stream.unwrap(), Arc::clone(&log));
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || {
                    let Ok(head) = whole_request(&mut stream) else { return };
                    log.lock().unwrap().push(head);
                    let _ = stream.write_all(&answer);
                    if answer.starts_with(b"HTTP/1.1 2") || answer.starts_with(b"HTTP/1.0 2") {
                        tunnel(&stream, &TcpStream::connect(("127.0.0.1", to)).unwrap());
                    }
                });
            }
        });
        Self { port, heard }
    }

    fn options(&self, options: HttpOptions) -> HttpOptions {
        options.proxy(format!("http://us%40er:s3cret@127.0.0.1:{}", self.port))
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn tunnel(one: &TcpStream, other: &TcpStream) {
    let (mut from, mut to) = (other.try_clone().unwrap(), one.try_clone().unwrap());
    let back = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = back.join();
}

/// Nobody here knows the port that is asked for: it is the proxy's to connect to.
#[test]
fn through_a_proxy() {
    let Some(certificates) = certificates_or_skip("through_a_proxy") else { return };
    for answer in [
        THROUGH,
        "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n",
        // There is no body after a yes, whatever it says (RFC 9110 section 9.3.6).
        "HTTP/1.1 204 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let (tls, trusting) = trusted_server(certificates);
        let proxy = Proxy::start(tls, answer);
        let http = HttpTransport::new(proxy.options(trusting)).unwrap();
        for request in [get("https://localhost:4443/x"), post("https://localhost:4443/t", "a=b")] {
            assert_eq!(http.send(&request).unwrap().body.expose(), b"ok");
        }
        let heard = proxy.heard();
        assert_eq!(heard.len(), 2);
        for head in heard {
            let agent = format!("gatekey/{}", env!("CARGO_PKG_VERSION"));
            // `us@er:s3cret`, and nothing of the request.
            let whole = format!(
                "CONNECT localhost:4443 HTTP/1.1\r\nHost: localhost:4443\r\nUser-Agent: {agent}\r\n\
                 Proxy-Authorization: Basic dXNAZXI6czNjcmV0\r\n\r\n"
            );
            assert_eq!(head, whole);
        }
    }
}

/// TLS is with the other server: a proxy that answers in its place is not believed.
#[test]
fn the_proxy_is_not_the_server() {
    let Some(certificates) = certificates_or_skip("the_proxy_is_not_the_server") else { return };
    let (tls, _) = trusted_server(certificates);
    let proxy = Proxy::start(tls, THROUGH);
    let options = proxy.options(HttpOptions::new());
    let error = send(options, &get("https://localhost:4443/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TlsFailed);
    // The right certificate of another name.
    let (_, trusting) = trusted_server(certificates);
    let error = send(proxy.options(trusting), &get("https://auth.example/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TlsFailed);
    // And no TLS at all.
    let plain = Server::raw(|stream| {
        stream.read_exact(&mut [0])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let proxy = Proxy::start(plain.port, THROUGH);
    let error = send(proxy.options(HttpOptions::new()), &get("https://a.example/")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TlsFailed | ErrorKind::ConnectionFailed), "{error}");
}

#[test]
fn what_a_proxy_is_not_asked_for() {
    let plain = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let proxy = Proxy::start(plain.port, THROUGH);
    // Plain http stays on this machine.
    let http = HttpTransport::new(proxy.options(here())).unwrap();
    assert_eq!(http.send(&get(plain.url())).unwrap().status, 200);
    // Addresses that are never asked are not asked in this way, either, however they are written.
    for url in [
        "https://169.254.169.254/",
        "https://169.254.169.254./",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://0.0.0.0/",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://169.254.43518/",
        "https://0251.0376.0251.0376/",
        "https://169.254.169.0xfe/",
        "http://auth.example/",
        "http://10.0.0.1/",
    ] {
        let error = http.send(&get(url)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBlocked, "{url}");
    }
    assert!(proxy.heard().is_empty());
}

fn refusal(options: HttpOptions) -> Error {
    HttpTransport::new(options).map(|_| ()).unwrap_err()
}

#[test]
fn a_guard_that_it_cannot_keep() {
    for options in [
        HttpOptions::new().proxy("http://h:1").public_only(true),
        HttpOptions::from_json(br#"{"public_only":true,"proxy":"http://h:1"}"#).unwrap(),
    ] {
        let error = refusal(options);
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidConfiguration, Some("proxy")));
        assert!(error.to_string().contains("leave one of the two out"), "{error}");
    }
    let error = refusal(HttpOptions::new().proxy("http://user:s3cret@h:x"));
    assert!(!error.to_string().contains("s3cret") && !format!("{error:?}").contains("s3cret"));
}

#[test]
fn the_password_is_not_shown() {
    let options = HttpOptions::new().proxy("http://user:s3cret@h:1");
    let http = HttpTransport::new(options.clone()).unwrap();
    for shown in [format!("{options:?}"), format!("{http:?}")] {
        assert!(shown.contains("proxy: true") && !shown.contains("s3cret"), "{shown}");
    }
}

/// What else may come instead of a yes.
#[test]
fn a_proxy_that_says_something_else() {
    let plain = Server::saying("");
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(300_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    for (answer, word) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "407"),
        ("HTTP/1.1 403 Forbidden\r\n\r\nno", "401 or 403"),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", "401 or 403"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "5xx"),
        ("HTTP/1.1 504 Gateway Timeout\r\n\r\n", "5xx"),
        ("HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\n\r\n", "redirect"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "redirect"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "redirect"),
        // A body before anything was asked of the other server.
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "more than its answer"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "more than its answer"),
        ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "more than its answer"),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", "does not speak"),
        ("HTTP/2 200\r\n\r\n", "does not speak"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "does not speak"),
        ("HTTP/1.1  200 OK\r\n\r\n", "does not speak"),
        ("\r\n\r\n", "does not speak"),
        (&*huge, "longer than 16 KiB"),
        (&*many, "longer than 16 KiB"),
    ] {
        let proxy = Proxy::start(plain.port, answer);
        let error =
            send(proxy.options(HttpOptions::new()), &get("https://a.example/")).unwrap_err();
        let start = &answer[..answer.len().min(60)];
        assert_eq!(error.kind(), ErrorKind::ConnectionFailed, "{start}");
        assert!(error.to_string().contains(word), "{start}: {error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert_eq!(plain.requests().len(), 0);
}

#[test]
fn a_proxy_that_hangs_up_or_never_ends() {
    let gone = Server::raw(|_| Ok(()));
    let cut = Server::raw(|stream| {
        whole_request(stream)?;
        stream.write_all(b"HTTP/1.1 200 O")
    });
    for port in [1, gone.port, cut.port] {
        let options = HttpOptions::new().proxy(format!("http://127.0.0.1:{port}"));
        let error = send(options, &get("https://a.example/")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionFailed, "{port} {error}");
    }
    // It says little, again and again: each word is in time, all of them are not.
    let slow = Server::raw(|stream| {
        whole_request(stream)?;
        loop {
            stream.write_all(b"x")?;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    let options = HttpOptions::new().proxy(format!("http://127.0.0.1:{}", slow.port));
    let mut request = get("https://a.example/");
    request.deadline_ms = 200;
    assert_eq!(send(options, &request).unwrap_err().kind(), ErrorKind::DeadlineExceeded);
}

/// What was kept through the proxy is used again, and only for the same host.
#[test]
fn ways_through_a_proxy_are_kept() {
    let Some(certificates) = certificates_or_skip("ways_through_a_proxy_are_kept") else { return };
    let (server, trusting) = super::tls::keeping(certificates);
    let proxy = Proxy::start(server.port, THROUGH);
    let http = HttpTransport::new(proxy.options(trusting)).unwrap();
    for _ in 0..3 {
        assert_eq!(http.send(&get("https://localhost:4443/")).unwrap().body.expose(), b"ok");
    }
    assert_eq!(proxy.heard().len(), 1);
    http.send(&get("https://localhost:4444/")).unwrap();
    assert_eq!(proxy.heard().len(), 2);
    http.send(&post("https://localhost:4443/", "a=b")).unwrap();
    assert_eq!(proxy.heard().len(), 3);
}
