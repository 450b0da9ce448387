//! TLS: who is believed, who is not, and what is presented. The certificates are made by the
//! command `openssl`; where it is missing, these tests say `skipped`.

use super::{Server, get, here, post, refusal, send, whole_request};
use crate::error::ErrorKind;
use crate::transport::http::{HttpOptions, HttpTransport};
use crate::transport::{HttpRequest, Transport as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection};
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

/// An authority, what it signed, and another authority.
pub(super) struct Certificates(HashMap<String, Vec<u8>>);

static CERTIFICATES: LazyLock<Option<Certificates>> = LazyLock::new(Certificates::make);

impl Certificates {
    fn make() -> Option<Self> {
        let script = r#"
            set -e
            ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            openssl req -x509 $ec -keyout ca.key -out ca.crt -days 30 -subj /CN=ca -addext basicConstraints=critical,CA:TRUE
            openssl req -x509 $ec -keyout other.key -out other.crt -days 30 -subj /CN=other -addext basicConstraints=critical,CA:TRUE
            openssl req $ec -keyout server.key -out server.csr -subj /CN=server
            printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' > server.ext
            sign="openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial"
            $sign -in server.csr -days 30 -extfile server.ext -out server.crt
            $sign -in server.csr -days -1 -extfile server.ext -out expired.crt
            openssl req $ec -keyout client.key -out client.csr -subj /CN=client
            printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n' > client.ext
            $sign -in client.csr -days 30 -extfile client.ext -out client.crt
        "#;
        Command::new("openssl").arg("version").output().ok()?;
        let folder = std::env::temp_dir().join(format!("gatekey-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let ran = Command::new("bash").arg("-c").arg(script).current_dir(&folder).output();
        let mut files = HashMap::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let bytes = std::fs::read(entry.path()).unwrap();
            files.insert(entry.file_name().into_string().unwrap(), bytes);
        }
        std::fs::remove_dir_all(folder).unwrap();
        let output = ran.ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(Self(files))
    }

    fn read(&self, name: &str) -> Vec<u8> {
        self.0[name].clone()
    }

    fn chain(&self, name: &str) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(&self.read(name)).unwrap()]
    }

    /// Options that believe in the authority.
    fn trusting(&self) -> HttpOptions {
        HttpOptions::new().ca_pem(&self.read("ca.crt"))
    }

    fn config(
        &self,
        certificate: &str,
        version: &'static rustls::SupportedProtocolVersion,
        asks: bool,
    ) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(self.chain("ca.crt").remove(0)).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_slice(&self.read("server.key")).unwrap();
        builder.with_single_cert(self.chain(certificate), key).unwrap()
    }

    fn serve(&self, certificate: &str) -> Tls {
        Tls::start(self.config(certificate, &rustls::version::TLS13, false))
    }
}

macro_rules! certificates {
    ($test:literal) => {
        match &*CERTIFICATES {
            Some(certificates) => certificates,
            None => {
                eprintln!("skipped {}: there is no openssl", $test);
                return;
            }
        }
    };
}

/// The certificates, for another file of these tests.
pub(super) fn certificates_or_skip(test: &str) -> Option<&'static Certificates> {
    let made = CERTIFICATES.as_ref();
    if made.is_none() {
        eprintln!("skipped {test}: there is no openssl");
    }
    made
}

/// The port of a server that `localhost` is believed to be, and options that believe it.
pub(super) fn trusted_server(certificates: &Certificates) -> (u16, HttpOptions) {
    (certificates.serve("server.crt").server.port, certificates.trusting())
}

/// A server that says `ok` to every request of a connection, and options that believe it.
pub(super) fn keeping(certificates: &Certificates) -> (Server, HttpOptions) {
    let config = Arc::new(certificates.config("server.crt", &rustls::version::TLS13, false));
    let server = Server::raw(move |stream| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, stream);
        loop {
            whole_request(&mut tls)?;
            tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
            tls.flush()?;
        }
    });
    (server, certificates.trusting())
}

/// A server that says `first` and, unasked, `more` in one go, of which the last bytes come with the
/// next request.
pub(super) fn in_one_go(
    certificates: &Certificates,
    first: String,
    more: &'static str,
    left_out: usize,
) -> (Server, HttpOptions) {
    let config = Arc::new(certificates.config("server.crt", &rustls::version::TLS13, false));
    let server = Server::raw(move |stream| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        whole_request(&mut rustls::Stream::new(&mut connection, stream))?;
        let mut bytes = Vec::new();
        for part in [first.as_bytes(), more.as_bytes()] {
            connection.writer().write_all(part)?;
            while connection.wants_write() {
                connection.write_tls(&mut bytes)?;
            }
        }
        let (now, later) = bytes.split_at(bytes.len() - left_out);
        stream.write_all(now)?;
        stream.read_exact(&mut [0])?;
        stream.write_all(later)
    });
    (server, certificates.trusting())
}

/// What a server knows about a connection over which a request came.
#[derive(Debug)]
struct Heard {
    request: String,
    version: Option<ProtocolVersion>,
    resumed: bool,
    client: Option<CertificateDer<'static>>,
}

struct Tls {
    server: Server,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Tls {
    /// Answers `ok`.
    fn start(config: ServerConfig) -> Self {
        Self::with(config, |stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        })
    }

    fn with(
        config: ServerConfig,
        answer: impl Fn(&mut dyn std::io::Write) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let (config, heard) = (Arc::new(config), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&heard);
        let server = Server::raw(move |stream| {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, stream);
            let request = whole_request(&mut tls)?;
            log.lock().unwrap().push(Heard {
                request,
                version: tls.conn.protocol_version(),
                resumed: tls.conn.handshake_kind() == Some(HandshakeKind::Resumed),
                client: tls.conn.peer_certificates().map(|chain| chain[0].clone().into_owned()),
            });
            answer(&mut tls)?;
            tls.conn.send_close_notify();
            tls.flush()?;
            // Anyone who closes first may take the answer away.
            let _ = tls.sock.read(&mut [0; 1024]);
            Ok(())
        });
        Self { server, heard }
    }

    fn get(&self) -> HttpRequest {
        get(format!("https://localhost:{}/x", self.server.port))
    }
}

#[test]
fn whom_the_authority_vouches_for_is_believed() {
    let certificates = certificates!("whom_the_authority_vouches_for_is_believed");
    for (version, number) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let tls = Tls::start(certificates.config("server.crt", version, false));
        // Among others is fine as well.
        let both = [certificates.read("other.crt"), certificates.read("ca.crt")].concat();
        for options in [certificates.trusting(), HttpOptions::new().ca_pem(&both)] {
            let answer = send(options, &tls.get()).unwrap();
            assert_eq!((answer.status, answer.body.expose()), (200, &b"ok"[..]));
        }
        let heard = tls.heard.lock().unwrap();
        assert_eq!(heard.len(), 2);
        for heard in heard.iter() {
            assert!(heard.request.starts_with("GET /x HTTP/1.1\r\n"), "{}", heard.request);
            assert_eq!((heard.version, heard.client.as_ref()), (Some(number), None));
        }
    }
}

#[test]
fn nobody_else_is() {
    let certificates = certificates!("nobody_else_is");
    let tls = certificates.serve("server.crt");
    let there = |host: &str| get(format!("https://{host}:{}/", tls.server.port));
    for (what, options, request) in [
        ("Mozilla's authorities", HttpOptions::new(), tls.get()),
        (
            "another authority",
            HttpOptions::new().ca_pem(&certificates.read("other.crt")),
            tls.get(),
        ),
        (
            "the server's own",
            HttpOptions::new().ca_pem(&certificates.read("server.crt")),
            tls.get(),
        ),
        ("another host", certificates.trusting(), there("127.0.0.1")),
        ("this machine is no exception", here(), tls.get()),
    ] {
        assert_eq!(refusal(options, &request), ErrorKind::TlsFailed, "{what}");
    }
    let expired = certificates.serve("expired.crt");
    assert_eq!(refusal(certificates.trusting(), &expired.get()), ErrorKind::TlsFailed);
    for tls in [tls, expired] {
        assert!(tls.heard.lock().unwrap().is_empty(), "a request got through");
    }
}

#[test]
fn old_versions_and_no_tls_at_all() {
    // A ServerHello of TLS 1.1 with TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA.
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    assert_eq!(hello.len(), 5 + 42);
    for (what, answer) in [
        ("TLS 1.1", hello),
        ("plain", b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("an alert", vec![0x15, 3, 3, 0, 2, 2, 70]),
    ] {
        let server = Server::raw(move |stream| {
            let _ = stream.read(&mut [0; 4096])?;
            stream.write_all(&answer)?;
            stream.read(&mut [0; 4096]).map(|_| ())
        });
        let request = get(format!("https://localhost:{}/", server.port));
        assert_eq!(refusal(HttpOptions::new(), &request), ErrorKind::TlsFailed, "{what}");
    }
}

/// RFC 8705: who asks gets the certificate, who does not gets none.
#[test]
fn the_client_presents_its_certificate() {
    let certificates = certificates!("the_client_presents_its_certificate");
    let (chain, key) = (certificates.read("client.crt"), certificates.read("client.key"));
    let mine = certificates.trusting().client_certificate_pem(&chain, &key);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let asking = Tls::start(certificates.config("server.crt", version, true));
        assert_eq!(send(mine.clone(), &asking.get()).unwrap().status, 200);
        let heard = asking.heard.lock().unwrap().remove(0);
        assert_eq!(heard.client.unwrap(), certificates.chain("client.crt")[0]);
        // Without one it is turned away; how soon it learns that is a race.
        let kind = refusal(certificates.trusting(), &asking.get());
        assert!(matches!(kind, ErrorKind::TlsFailed | ErrorKind::ConnectionFailed), "{kind:?}");
        assert!(asking.heard.lock().unwrap().is_empty());
    }
    let silent = certificates.serve("server.crt");
    send(mine, &silent.get()).unwrap();
    assert_eq!(silent.heard.lock().unwrap().remove(0).client, None);
    let mismatched =
        certificates.trusting().client_certificate_pem(&chain, &certificates.read("ca.key"));
    assert_eq!(HttpTransport::new(mismatched).unwrap_err().kind(), ErrorKind::InvalidConfiguration);
}

/// Where a connection is not kept, a second handshake must be a short one.
#[test]
fn sessions_are_resumed() {
    let certificates = certificates!("sessions_are_resumed");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let tls = Tls::start(certificates.config("server.crt", version, false));
        let http = HttpTransport::new(certificates.trusting()).unwrap();
        let url = format!("https://localhost:{}/", tls.server.port);
        for request in [tls.get(), tls.get(), post(url, "a=b")] {
            assert_eq!(http.send(&request).unwrap().body.expose(), b"ok");
        }
        let resumed: Vec<bool> =
            tls.heard.lock().unwrap().iter().map(|heard| heard.resumed).collect();
        assert_eq!(resumed, [false, true, true]);
        // Another transport knows nothing of it.
        send(certificates.trusting(), &tls.get()).unwrap();
        assert!(!tls.heard.lock().unwrap()[3].resumed);
    }
}

/// After the handshake, a record that does not end holds nobody up.
#[test]
fn the_deadline_is_for_records_too() {
    let certificates = certificates!("the_deadline_is_for_records_too");
    let config = Arc::new(certificates.config("server.crt", &rustls::version::TLS13, false));
    let server = Server::raw(move |stream| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, stream);
        whole_request(&mut tls)?;
        // The head of 16 KiB of application data.
        for byte in [0x17, 3, 3, 0x40, 0].into_iter().chain(std::iter::repeat(0)) {
            tls.sock.write_all(&[byte])?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    });
    let mut request = get(format!("https://localhost:{}/", server.port));
    request.deadline_ms = 700;
    let begun = Instant::now();
    assert_eq!(refusal(certificates.trusting(), &request), ErrorKind::DeadlineExceeded);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// A body whose length is told must be there in full.
#[test]
fn a_cut_body_is_noticed() {
    let certificates = certificates!("a_cut_body_is_noticed");
    let config = certificates.config("server.crt", &rustls::version::TLS13, false);
    let tls = Tls::with(config, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"a\"")
    });
    assert_eq!(refusal(certificates.trusting(), &tls.get()), ErrorKind::ConnectionFailed);
}
