//! What stands between, and stops forwarding without closing anything.

use super::changes::keys_that;
use super::server::url_at;
use super::{Server, open, wait_for};
use gatekey::ErrorKind;
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
use gatekey::store::Backend as _;
use std::io::{ErrorKind as Io, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Forwards to a port of this machine, unless it is told to hold still; it ends with the test.
struct Relay {
    port: u16,
    silent: Arc<AtomicBool>,
}

impl Relay {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let silent = Arc::new(AtomicBool::new(false));
        let quiet = Arc::clone(&silent);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, quiet) = (client.unwrap(), Arc::clone(&quiet));
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let quiet = Arc::clone(&quiet);
                    std::thread::spawn(move || forward(from, to, &quiet));
                }
            }
        });
        Self { port: own, silent }
    }

    fn hold_still(&self, still: bool) {
        self.silent.store(still, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut bytes = [0; 4096];
    loop {
        if silent.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => {
                // What was read just before is lost on the way, as in a network.
                while silent.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                if to.write_all(&bytes[..read]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), Io::WouldBlock | Io::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_relay_that_stops_forwarding() {
    let Some(server) = Server::shared("a_relay_that_stops_forwarding") else { return };
    let relay = Relay::to(server.port);
    let own = server.url();
    let schema = own.rsplit('=').next().unwrap();
    let store = Arc::new(open(&url_at(&[relay.port], schema)));
    let patient = keys_that(&store, ApiKeyOptions::new().max_stale(3600));
    let strict = keys_that(&store, ApiKeyOptions::new().max_stale(4));
    let key = patient.create(&KeySpec::new("acme")).unwrap();
    let text = key.secret.expose_str();
    let verify =
        |keys: &gatekey::ApiKeys| keys.verify(text, &Check::new()).err().map(|error| error.kind());
    wait_for("the key", || verify(&strict).is_none());
    relay.hold_still(true);
    // The thread that listens notices, by itself: nothing else asks.
    wait_for("the silence", || store.stamp().is_err());
    assert_eq!(store.stamp().unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(verify(&patient), None, "memory is good for `max_stale`");
    wait_for("the end of `max_stale`", || verify(&strict) == Some(ErrorKind::StoreUnavailable));
    assert_eq!(verify(&patient), None);
    // Another node revokes it meanwhile.
    let other = keys_that(&Arc::new(open(&own)), ApiKeyOptions::new());
    other.revoke(&key.record.id, "").unwrap();
    relay.hold_still(false);
    for keys in [&patient, &strict] {
        wait_for("its return", || verify(keys) == Some(ErrorKind::ApiKeyRevoked));
    }
}
