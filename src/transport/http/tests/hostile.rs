//! Servers that are slow, endless, broken or where nobody should go.

use super::{Server, get, here, post, refusal, send};
use crate::error::ErrorKind;
use crate::transport::http::HttpOptions;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Writes byte by byte, ten in a second.
fn drip(stream: &mut TcpStream, bytes: impl Iterator<Item = u8>) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[byte])?;
        pause(100);
    }
    Ok(())
}

#[test]
fn bodies_end_at_the_limit() {
    let told = |length: usize| format!("{HEAD}content-length: {length}\r\n\r\n");
    let untold = |_: usize| format!("{HEAD}connection: close\r\n\r\n");
    let chunked = |length: usize| format!("{HEAD}transfer-encoding: chunked\r\n\r\n{length:x}\r\n");
    let heads: [&dyn Fn(usize) -> String; 3] = [&told, &untold, &chunked];
    for (framing, head) in heads.iter().enumerate() {
        for (length, fits) in [(1000, true), (1001, false)] {
            let end = if framing == 2 { "\r\n0\r\n\r\n" } else { "" };
            let server =
                Server::saying(format!("{}{}{end}", head(length), "a".repeat(length)).into_bytes());
            let mut request = get(server.url());
            request.max_body = 1000;
            match send(here(), &request) {
                Ok(answer) => assert!(fits && answer.body.expose().len() == length),
                Err(error) => assert!(!fits && error.kind() == ErrorKind::ResponseTooLarge),
            }
        }
        // 300 MB: nobody takes more of them than what lies in the system's own buffers.
        let (huge, taken) = (300 << 20, Arc::new(AtomicUsize::new(0)));
        let (head, count) = (head(huge), Arc::clone(&taken));
        let server = Server::start(move |stream| {
            stream.write_all(head.as_bytes())?;
            let chunk = vec![b'a'; 1 << 16];
            for _ in 0..huge >> 16 {
                stream.write_all(&chunk)?;
                count.fetch_add(chunk.len(), Ordering::SeqCst);
            }
            Ok(())
        });
        let begun = Instant::now();
        assert_eq!(refusal(here(), &get(server.url())), ErrorKind::ResponseTooLarge);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let taken = taken.load(Ordering::SeqCst);
        assert!(taken < 32 << 20, "framing {framing}: {taken} bytes");
    }
}

#[test]
fn a_limit_may_be_any_number() {
    // What the other side claims is not taken for memory.
    for (length, most) in [(u64::MAX / 2, usize::MAX), (1 << 40, usize::MAX), (2, usize::MAX)] {
        let server = Server::saying(format!("{HEAD}content-length: {length}\r\n\r\n{{}}"));
        let mut request = get(server.url());
        request.max_body = most;
        match send(here(), &request) {
            Ok(answer) => assert_eq!((length, answer.body.expose()), (2, &b"{}"[..])),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionFailed),
        }
    }
    let server = Server::saying(format!("{HEAD}content-length: 0\r\n\r\n"));
    let mut request = get(server.url());
    request.max_body = 0;
    assert!(send(here(), &request).unwrap().body.expose().is_empty());
}

#[test]
fn heads_end_at_the_limit() {
    let with = |headers: &str| Server::saying(format!("{HEAD}{headers}content-length: 0\r\n\r\n"));
    // Two more are there.
    let many = |count: usize| with(&"x: y\r\n".repeat(count - 2));
    let long = |length: usize| with(&format!("x: {}\r\n", "a".repeat(length)));
    for fine in [many(100), long(60 * 1024)] {
        assert_eq!(send(here(), &get(fine.url())).unwrap().status, 200);
    }
    for (what, large) in [
        ("101 headers", many(101)),
        ("200 headers", many(200)),
        ("9000 headers", many(9_000)),
        ("64 KiB", long(64 * 1024)),
        ("1 MiB", long(1 << 20)),
    ] {
        assert_eq!(refusal(here(), &get(large.url())), ErrorKind::ResponseTooLarge, "{what}");
    }
}

#[test]
fn broken_answers_are_broken_connections() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"access",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        &[0xff; 4096],
        &[0; 4096],
    ] {
        let server = Server::saying(answer);
        for request in [get(server.url()), post(server.url(), "a=b")] {
            let kind = refusal(here(), &request);
            let text = String::from_utf8_lossy(answer);
            assert_eq!(kind, ErrorKind::ConnectionFailed, "{text}");
        }
        assert_eq!(server.connections(), 2, "tried again");
    }
    // Nobody listens.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [format!("http://127.0.0.1:{port}/"), format!("https://127.0.0.1:{port}/")] {
        assert_eq!(refusal(here(), &get(url)), ErrorKind::ConnectionFailed);
    }
}

/// A request whose deadline is half a second, to a server that takes its time.
fn outlasts(what: &str, scheme: &str, server: &Server) {
    let url = format!("{scheme}://127.0.0.1:{}/", server.port);
    for request in [get(&*url), post(&*url, "a=b")] {
        // Whichever of the two is the shorter one.
        for (own, in_all) in [(500, 120_000), (60_000, 500)] {
            let mut request = request.clone();
            request.deadline_ms = own;
            let begun = Instant::now();
            let kind = refusal(here().deadline_ms(in_all), &request);
            assert_eq!(kind, ErrorKind::DeadlineExceeded, "{what}");
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(400), "{what}: {took:?}");
            assert!(took < Duration::from_secs(5), "{what}: {took:?}");
        }
    }
}

#[test]
fn the_deadline_is_for_everything() {
    let body = || std::iter::repeat_n(b' ', 1000);
    outlasts("silent", "http", &Server::start(|stream| stream.read(&mut [0]).map(|_| ())));
    outlasts(
        "body",
        "http",
        &Server::start(move |stream| {
            write!(stream, "{HEAD}content-length: 1000\r\n\r\n")?;
            drip(stream, body())
        }),
    );
    outlasts(
        "chunks",
        "http",
        &Server::start(|stream| {
            write!(stream, "{HEAD}transfer-encoding: chunked\r\n\r\n")?;
            for _ in 0..1000 {
                stream.write_all(b"1\r\na\r\n")?;
                pause(100);
            }
            Ok(())
        }),
    );
    outlasts(
        "head",
        "http",
        &Server::start(|stream| drip(stream, HEAD.bytes().chain(std::iter::repeat(b'x')))),
    );
    outlasts(
        "half a head",
        "http",
        &Server::start(|stream| {
            stream.write_all(HEAD.as_bytes())?;
            stream.read(&mut [0]).map(|_| ())
        }),
    );
}

#[test]
fn informing_does_not_make_it_longer() {
    let informing = |between: u64| {
        Server::start(move |stream| {
            loop {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                if between > 0 {
                    pause(between);
                }
            }
        })
    };
    outlasts("1xx", "http", &informing(5));
    // As fast as it can: there is soon more of it than a head may have.
    let mut request = get(informing(0).url());
    request.deadline_ms = 500;
    let begun = Instant::now();
    let kind = refusal(here(), &request);
    assert!(matches!(kind, ErrorKind::DeadlineExceeded | ErrorKind::ResponseTooLarge), "{kind:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn the_deadline_is_for_tls_too() {
    outlasts("silent", "https", &Server::raw(loop_reading));
    outlasts(
        "a record by bytes",
        "https",
        &Server::raw(|stream| {
            // The head of a handshake message of 16 KiB.
            let head = [0x16, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc];
            drip(stream, head.into_iter().chain(std::iter::repeat(3)))
        }),
    );
}

fn loop_reading(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

#[test]
fn plain_http_is_for_this_machine_and_must_be_allowed() {
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let port = server.port;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(refusal(HttpOptions::new(), &get(&*url)), ErrorKind::RequestBlocked, "{host}");
        assert_eq!(send(here(), &get(&*url)).unwrap().status, 200, "{host}");
    }
    assert_eq!(server.connections(), 2);
    for url in [
        format!("http://localhost.:{port}/"),
        format!("http://LOCALHOST:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://0177.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://user@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}#@evil/"),
        format!("HTTP://127.0.0.1:{port}/"),
        format!("ftp://127.0.0.1:{port}/"),
        "http://10.0.0.1/".to_owned(),
        "http://auth.example/".to_owned(),
        String::new(),
    ] {
        for options in [HttpOptions::new(), here(), here().public_only(true)] {
            assert_eq!(refusal(options, &get(&*url)), ErrorKind::RequestBlocked, "{url}");
        }
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn what_is_not_public_hears_nothing() {
    let server = Server::raw(loop_reading);
    let port = server.port;
    for host in [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "LocalHost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "0",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let url = format!("https://{host}:{port}/");
        for options in [HttpOptions::new(), here()] {
            let mut request = get(&*url);
            request.deadline_ms = 3_000;
            let kind = refusal(options.public_only(true), &request);
            // Where the system's own look-up does not know such a name, nobody gets there either.
            let unknown = kind == ErrorKind::ConnectionFailed && host.ends_with(['.', 't']);
            assert!(kind == ErrorKind::RequestBlocked || unknown, "{host}: {kind:?}");
        }
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn names_that_are_none() {
    for host in ["name.invalid", "a..b.invalid", "-"] {
        let mut request = get(format!("https://{host}/"));
        request.deadline_ms = 5_000;
        let kind = refusal(HttpOptions::new(), &request);
        let unreachable = matches!(kind, ErrorKind::ConnectionFailed | ErrorKind::DeadlineExceeded);
        assert!(unreachable, "{host}: {kind:?}");
    }
    // What HTTP cannot carry is not sent.
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for value in ["a\r\nx: y", "a\0b", "a\nb"] {
        let request = get(server.url()).header("authorization", value.to_owned());
        assert_eq!(refusal(here(), &request), ErrorKind::RequestBlocked, "{value:?}");
    }
    assert_eq!(server.connections(), 0);
}
