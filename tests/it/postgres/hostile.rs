//! What is no PostgreSQL, or one that wants too much: it gets no password, and the message says what
//! to do.

use super::refused;
use gatekey::ErrorKind;
use gatekey::store::{PostgresStore, PostgresUrl};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

/// Answers each message of the client with the next of these; what the client said in all.
fn said_to(url: &str, answers: &[&[u8]]) -> (Result<PostgresStore, gatekey::Error>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let url: PostgresUrl = url.replace("PORT", &port.to_string()).parse().unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (mut client, _) = listener.accept().unwrap();
            client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let (mut said, mut part) = (Vec::new(), [0; 4096]);
            for answer in answers {
                let read = client.read(&mut part).unwrap_or(0);
                said.extend_from_slice(&part[..read]);
                if read == 0 || client.write_all(answer).is_err() {
                    break;
                }
            }
            // And what comes of that.
            while let Ok(read @ 1..) = client.read(&mut part) {
                said.extend_from_slice(&part[..read]);
            }
            said
        });
        let opened = PostgresStore::open(&url);
        (opened, server.join().unwrap())
    })
}

const PLAIN: &str = "postgresql://app:Zx9%21kQ%407@127.0.0.1:PORT/auth?connect_timeout=2";
const TLS: &str =
    "postgresql://app:Zx9%21kQ%407@127.0.0.1:PORT/auth?connect_timeout=2&sslmode=verify-full";

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &length, body].concat()
}

#[test]
fn only_scram_is_answered() {
    let md5 = message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]);
    let gss = message(b'R', &[0, 0, 0, 7]);
    let other = message(b'R', b"\0\0\0\x0aSCRAM-SHA-1\0\0");
    for ask in [&message(b'R', &[0, 0, 0, 3]), &md5, &gss, &other] {
        let (opened, said) = said_to(PLAIN, &[ask]);
        refused(opened, ErrorKind::StoreUnavailable, "scram-sha-256");
        let text = String::from_utf8_lossy(&said);
        assert!(!text.contains("Zx9") && !text.contains("md5"), "{text}");
    }
}

#[test]
fn a_server_that_knows_no_password_is_not_believed() {
    let sasl = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    let ok = message(b'R', &[0; 4]);
    // It lets the client in without having proved anything, or with a proof that is none.
    for answers in [
        vec![&sasl[..], &ok],
        vec![&sasl, &message(b'R', b"\0\0\0\x0br=,s=AAAA,i=1")],
        vec![&sasl, &message(b'R', b"\0\0\0\x0br=,s=AAAA,i=4294967295")],
        vec![&sasl, &message(b'R', b"\0\0\0\x0cv=AAAA")],
        vec![&sasl, &message(b'R', b"\0\0\0\x0br=other,s=AAAA,i=4096")],
    ] {
        let (opened, said) = said_to(PLAIN, &answers);
        refused(opened, ErrorKind::StoreUnavailable, "");
        assert!(!String::from_utf8_lossy(&said).contains("Zx9"));
    }
}

#[test]
fn nothing_but_the_request_for_tls_leaves_before_tls() {
    let request = [0, 0, 0, 8, 4, 210, 22, 47];
    let error = message(b'E', b"SFATAL\0C28000\0Mno\0\0");
    for answer in [&b"N"[..], &error, b"X", b"\0"] {
        let (opened, said) = said_to(TLS, &[answer]);
        refused(opened, ErrorKind::StoreUnavailable, "speaks no TLS");
        assert_eq!(said, request);
    }
    // What comes with the answer in plain text is no TLS.
    let (opened, said) = said_to(TLS, &[b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"]);
    refused(opened, ErrorKind::StoreUnavailable, "TLS");
    assert_eq!(said[..8], request);
    assert!(!String::from_utf8_lossy(&said).contains("Zx9"));
}

#[test]
fn what_is_no_postgres_is_said_to_be_none() {
    for (answer, words) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "protocol"),
        (b"R\x7f\xff\xff\xff\0\0\0\0", "protocol"),
        // Longer than anything before the log-in.
        (b"S\0\x01\0\x01\0\0\0\0", "protocol"),
        (b"R\0\0\0\x08", "does not answer"),
    ] {
        let (opened, _) = said_to(PLAIN, &[answer]);
        refused(opened, ErrorKind::StoreUnavailable, words);
    }
}
