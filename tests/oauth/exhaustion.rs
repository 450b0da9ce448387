//! Row 328 of the threat model: answers that do not end, that are huge, or that never begin. Time and memory stay bounded.

use crate::authority::{Authority, http};
use crate::evil::Reply;
use gatekey::oauth::TokenGrant;
use gatekey::{ErrorKind, OAuthClient};
use std::io::{Read as _, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a token request ends with, within a deadline of half a second, and whether the server got to the end of what
/// it had to say. An answer that has no end, or is a minute long, is only got out of by hanging up.
fn ask(
    answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + Clone + 'static,
) -> (ErrorKind, bool) {
    let said_all = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&said_all);
    let authority = Authority::with(move |request, _| {
        let (answer, ended) = (answer.clone(), Arc::clone(&ended));
        (request.path == "/token").then(|| {
            Reply::Stream(Box::new(move |stream| {
                ended.store(answer(stream).is_ok(), Ordering::SeqCst);
            }))
        })
    });
    let client = OAuthClient::new(authority.config().deadline_ms(500)).unwrap();
    // The metadata are not what is measured.
    let operation = client.client_credentials(&TokenGrant::new()).unwrap();
    let error = operation.run(&http()).unwrap_err();
    // Nothing goes on in the background.
    let patience = Instant::now();
    while authority.server.open() > 0 && patience.elapsed() < Duration::from_secs(15) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(authority.server.open(), 0, "the connection is still open");
    (error.kind(), said_all.load(Ordering::SeqCst))
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

fn pour(stream: &mut TcpStream, bytes: usize) -> std::io::Result<()> {
    let chunk = vec![b'a'; 1 << 16];
    for _ in 0..bytes >> 16 {
        stream.write_all(&chunk)?;
    }
    Ok(())
}

/// The most memory that the process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// In a process of its own: other tests would blur what is measured.
#[test]
fn huge_bodies() {
    const PART: &str = "GATEKEY_TEST_MEMORY";
    if std::env::var(PART).is_err() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "exhaustion::huge_bodies", "--nocapture", "--test-threads=1"])
            .env(PART, "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    // Whatever is made once is made now.
    assert_eq!(
        ask(|stream| write!(stream, "{HEAD}content-length: 2\r\n\r\n{{}}")).0,
        ErrorKind::OauthMalformedResponse
    );
    let before = peak();
    let huge = 300 << 20;
    let told = move |stream: &mut TcpStream| {
        write!(stream, "{HEAD}content-length: {huge}\r\n\r\n")?;
        pour(stream, huge)
    };
    let untold = move |stream: &mut TcpStream| {
        write!(stream, "{HEAD}connection: close\r\n\r\n")?;
        pour(stream, huge)
    };
    let chunked = move |stream: &mut TcpStream| {
        write!(stream, "{HEAD}transfer-encoding: chunked\r\n\r\n{huge:x}\r\n")?;
        pour(stream, huge)
    };
    // A bomb is not even decoded: what claims to be compressed is no JSON.
    let bomb = move |stream: &mut TcpStream| {
        write!(stream, "{HEAD}content-encoding: gzip\r\nconnection: close\r\n\r\n")?;
        pour(stream, huge)
    };
    for answer in [ask(told), ask(untold), ask(chunked), ask(bomb)] {
        assert_eq!(answer, (ErrorKind::ResponseTooLarge, false));
    }
    let grown = peak().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes");
}

#[test]
fn answers_that_do_not_end() {
    let drip = |stream: &mut TcpStream| {
        write!(stream, "{HEAD}content-length: 1200\r\n\r\n")?;
        for _ in 0..1200 {
            stream.write_all(b" ")?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    };
    let drip_head = |stream: &mut TcpStream| {
        for byte in HEAD.bytes().chain(std::iter::repeat(b'x')) {
            stream.write_all(&[byte])?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    };
    // Until the other side hangs up.
    let silent = |stream: &mut TcpStream| {
        while stream.read(&mut [0])? > 0 {}
        Err(std::io::ErrorKind::UnexpectedEof.into())
    };
    let informing = |stream: &mut TcpStream| loop {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        std::thread::sleep(Duration::from_millis(5));
    };
    for (what, (kind, said_all)) in [
        ("drip", ask(drip)),
        ("head", ask(drip_head)),
        ("silent", ask(silent)),
        ("1xx", ask(informing)),
    ] {
        assert!(
            matches!(
                kind,
                ErrorKind::DeadlineExceeded
                    | ErrorKind::ConnectionFailed
                    | ErrorKind::ResponseTooLarge
            ),
            "{what}: {kind:?}"
        );
        assert!(!said_all, "{what}: it was listened to until its end");
    }
}

#[test]
fn heads_that_are_none() {
    let large =
        |stream: &mut TcpStream| write!(stream, "{HEAD}x: {}\r\n\r\n", "a".repeat(64 * 1024 + 1));
    let many = |stream: &mut TcpStream| write!(stream, "{HEAD}{}\r\n", "x: y\r\n".repeat(10_000));
    let garbage = |stream: &mut TcpStream| stream.write_all(&[0xff; 4096]);
    let cut =
        |stream: &mut TcpStream| write!(stream, "{HEAD}content-length: 1000\r\n\r\n{{\"access");
    let gone = |_: &mut TcpStream| Ok(());
    for (what, (kind, _)) in [
        ("large", ask(large)),
        ("many", ask(many)),
        ("garbage", ask(garbage)),
        ("cut", ask(cut)),
        ("gone", ask(gone)),
    ] {
        assert!(
            matches!(
                kind,
                ErrorKind::ConnectionFailed
                    | ErrorKind::ResponseTooLarge
                    | ErrorKind::DeadlineExceeded
            ),
            "{what}: {kind:?}"
        );
    }
}
