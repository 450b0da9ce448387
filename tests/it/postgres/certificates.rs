//! TLS to a real server, of Debian's version 15 (that of PyPI is built without): each certificate that
//! is not right is refused, by a sentence that says what to do.

use super::server::{PASSWORD, url_at};
use super::{Server, refused};
use gatekey::ErrorKind;
use gatekey::store::{Backend as _, PostgresStore};

fn connect(port: u16, host: &str, rest: &str) -> Result<(), gatekey::Error> {
    let url = url_at(&[port], "gatekey").replace("127.0.0.1", host);
    PostgresStore::open(&format!("{url}{rest}").parse()?)?.stamp_now().map(drop)
}

#[test]
fn certificates_that_are_not_right_are_refused() {
    let test = "certificates_that_are_not_right_are_refused";
    let Some(server) = Server::own_of(test, "15") else { return };
    let port = server.port;
    let full = |authority: &str| {
        format!("&sslmode=verify-full&sslrootcert={}", authority.replace('/', "%2F"))
    };
    // Plain text is all that it speaks.
    let without = connect(port, "localhost", "&sslmode=verify-full");
    refused(without, ErrorKind::StoreUnavailable, "Switch ssl on");

    let authority = server.obey("tls right");
    connect(port, "localhost", &full(&authority)).unwrap();
    connect(port, "127.0.0.1", &full(&authority)).unwrap();
    let unknown = connect(port, "localhost", "&sslmode=verify-full");
    refused(unknown, ErrorKind::StoreUnavailable, "sslrootcert=FILE");
    connect(port, "localhost", "&sslmode=danger-unverified").unwrap();
    for (file, words) in [("%2Fnone", "cannot be read"), ("%2Fdev%2Fnull", "sslrootcert")] {
        let rest = format!("&sslmode=verify-full&sslrootcert={file}");
        refused(connect(port, "localhost", &rest), ErrorKind::InvalidConfiguration, words);
    }
    // It takes connections by TLS alone, and this one comes without.
    server.obey("only tls");
    let plain = connect(port, "127.0.0.1", "");
    refused(plain, ErrorKind::StoreUnavailable, "sslmode=verify-full");
    connect(port, "localhost", &full(&authority)).unwrap();

    for (kind, words) in [
        ("wrong", "subjectAltName"),
        ("cn", "subjectAltName"),
        ("expired", "has expired"),
        ("unknown", "sslrootcert=FILE"),
    ] {
        let authority = server.obey(&format!("tls {kind}"));
        for host in ["localhost", "127.0.0.1"] {
            let outcome = connect(port, host, &full(&authority));
            refused(outcome, ErrorKind::StoreUnavailable, words);
        }
    }
    // Nobody has got as far as a log-in there.
    let log = server.obey("log");
    assert!(!log.contains(PASSWORD), "{log}");
}

/// What the server asks for instead of SCRAM gets no answer.
#[test]
fn a_server_that_asks_for_a_weaker_password() {
    let test = "a_server_that_asks_for_a_weaker_password";
    let Some(server) = Server::own_of(test, "15") else { return };
    server.sql("SET password_encryption = 'md5'; CREATE ROLE weak LOGIN PASSWORD 'Zx9!kQ@7'");
    for method in ["password", "md5"] {
        server.obey(&format!("ask {method}"));
        let url = url_at(&[server.port], "gatekey").replace("//postgres:", "//weak:");
        let outcome = PostgresStore::open(&url.parse().unwrap());
        refused(outcome, ErrorKind::StoreUnavailable, "scram-sha-256");
    }
}
