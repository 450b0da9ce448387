//! Connections that are kept: for which requests, and that no answer is ever taken for another.

use super::tls::{certificates_or_skip, in_one_go};
use super::{Server, get, here, post, whole_request};
use crate::base::process::AcrossFork as _;
use crate::error::ErrorKind;
use crate::transport::http::HttpTransport;
use crate::transport::{HttpRequest, Purpose, Transport as _};
use std::io::{Read as _, Write as _};
use std::sync::Barrier;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that answers as many requests of a connection as `most`, and then hangs up.
fn keeping(most: usize) -> Server {
    Server::raw(move |stream| {
        for _ in 0..most {
            whole_request(stream)?;
            stream.write_all(OK)?;
        }
        Ok(())
    })
}

/// A server that answers every request of a connection with this.
fn keeping_with(answer: String) -> Server {
    Server::raw(move |stream| {
        loop {
            whole_request(stream)?;
            stream.write_all(answer.as_bytes())?;
        }
    })
}

fn with(purpose: Purpose, method: &'static str, url: String) -> HttpRequest {
    let mut request = if method == "POST" { post(url, "a=b") } else { get(url) };
    request.purpose = purpose;
    request
}

#[test]
fn what_may_be_asked_twice_keeps_its_connection() {
    let server = keeping(usize::MAX);
    let http = HttpTransport::new(here()).unwrap();
    for (purpose, method) in [
        (Purpose::Metadata, "GET"),
        (Purpose::Keys, "GET"),
        (Purpose::UserInfo, "GET"),
        (Purpose::Introspection, "POST"),
        (Purpose::Introspection, "POST"),
    ] {
        http.send(&with(purpose, method, server.url())).unwrap();
    }
    assert_eq!(server.connections(), 1);
    for (at, purpose) in [
        Purpose::Token,
        Purpose::Token,
        Purpose::Revocation,
        Purpose::PushedAuthorization,
        Purpose::DeviceAuthorization,
    ]
    .into_iter()
    .enumerate()
    {
        http.send(&with(purpose, "POST", server.url())).unwrap();
        assert_eq!(
            server.connections(),
            at + 2,
            "{purpose:?} is sent once, on a connection of its own"
        );
    }
}

#[test]
fn a_connection_that_has_ended_is_replaced() {
    let server = keeping(1);
    let http = HttpTransport::new(here()).unwrap();
    for asked in 1..=5 {
        assert_eq!(http.send(&get(server.url())).unwrap().status, 200);
        assert_eq!(server.connections(), asked);
    }
    // One that has never answered is not tried again.
    let mute = Server::start(|_| Ok(()));
    assert_eq!(http.send(&get(mute.url())).unwrap_err().kind(), ErrorKind::ConnectionFailed);
    assert_eq!(mute.connections(), 1);
}

/// One that hangs up at the very moment of the next request: asked again, once, and no token
/// request ever is.
#[test]
fn a_connection_that_ends_under_a_request() {
    let server = Server::raw(move |stream| {
        whole_request(stream)?;
        stream.write_all(OK)?;
        // The next request is heard, and is answered with the end.
        let mut first = [0];
        stream.read_exact(&mut first)
    });
    let http = HttpTransport::new(here()).unwrap();
    for _ in 0..3 {
        assert_eq!(http.send(&get(server.url())).unwrap().status, 200);
    }
    assert_eq!(server.connections(), 3);
}

/// What comes after an answer belongs to nothing that was asked.
#[test]
fn an_answer_that_was_not_asked_for_is_no_answer() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    for (first, more) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", evil),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", evil),
        ("HTTP/1.1 204 No Content\r\n\r\n", evil),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", evil),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", evil),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "\r\n"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "H"),
    ] {
        let server = Server::raw(move |stream| {
            whole_request(stream)?;
            stream.write_all(format!("{first}{more}").as_bytes())?;
            // Still there for another.
            whole_request(stream)?;
            stream.write_all(evil.as_bytes())
        });
        let http = HttpTransport::new(here()).unwrap();
        for asked in 1..=3 {
            let body = http.send(&get(server.url())).unwrap().body;
            assert_ne!(body.expose(), b"evil", "{first}");
            assert_eq!(server.connections(), asked, "{first}");
        }
    }
}

/// The same within TLS, where what is too much may be with TCP, with rustls or half there.
#[test]
fn an_answer_that_was_not_asked_for_within_tls() {
    let Some(certificates) = certificates_or_skip("an_answer_that_was_not_asked_for_within_tls")
    else {
        return;
    };
    for size in [2, 3_500, 5_000, 40_000] {
        // All of the second answer, all but its last byte, and the beginning of its record.
        for left_out in [0, 1, 60] {
            let body = "o".repeat(size);
            let first = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n{body}");
            let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
            let (server, trusting) = in_one_go(certificates, first, evil, left_out);
            let http = HttpTransport::new(trusting).unwrap();
            for asked in 1..=2 {
                let url = format!("https://localhost:{}/", server.port);
                let answer = http.send(&get(url)).unwrap().body;
                assert_eq!(answer.expose_str().len(), size, "without {left_out}");
                assert_eq!(server.connections(), asked, "{size} without {left_out}");
            }
        }
    }
}

#[test]
fn answers_with_two_lengths_are_no_answers() {
    for head in [
        "content-length: 2\r\ncontent-length: 3",
        "content-length: 2, 3",
        "content-length: +2",
        "content-length: 2\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked, identity",
    ] {
        let server = keeping_with(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
        let http = HttpTransport::new(here()).unwrap();
        let first = http.send(&get(server.url())).map(|answer| answer.status);
        let _ = http.send(&get(server.url()));
        assert!(first.is_err() || server.connections() == 2, "{head}: {first:?}");
    }
}

#[test]
fn a_fork_finds_no_connection() {
    let server = keeping(usize::MAX);
    let http = HttpTransport::new(here()).unwrap();
    for asked in 1..=3 {
        http.send(&get(server.url())).unwrap();
        http.send(&get(server.url())).unwrap();
        assert_eq!(server.connections(), asked);
        http.0.before_fork();
    }
}

/// What one transport keeps is not for another, which may trust others.
#[test]
fn transports_share_no_connection() {
    let server = keeping(usize::MAX);
    for asked in 1..=2 {
        let http = HttpTransport::new(here()).unwrap();
        http.send(&get(server.url())).unwrap();
        http.clone().send(&get(server.url())).unwrap();
        assert_eq!(server.connections(), asked);
    }
}

#[test]
fn no_more_are_kept_than_a_few() {
    let all = Barrier::new(8);
    let server = Server::raw(move |stream| {
        while whole_request(stream).is_ok() {
            // All ask before one is answered.
            all.wait();
            stream.write_all(OK)?;
        }
        Ok(())
    });
    let http = HttpTransport::new(here()).unwrap();
    let all_at_once = |many: usize| {
        let before = server.connections();
        std::thread::scope(|scope| {
            for _ in 0..many {
                scope.spawn(|| http.send(&get(server.url())).unwrap());
            }
        });
        server.connections() - before
    };
    assert_eq!(all_at_once(8), 8);
    assert!(all_at_once(8) >= 4, "four are kept at the most");
}
