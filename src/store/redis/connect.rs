//! How a connection is made: the socket, TLS, the log-in, and the scripts, all within one deadline.

use super::script;
use super::trouble::Trouble;
use super::url::{Address, Place};
use super::wire::{Reply, Wire, write};
use crate::crypto::tls::provider;
use crate::store::file_lock::OnlyHere;
use crate::store::socket::{Socket, Unsecured};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::net::{TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// A connection that is ready, and by what the server knows the scripts.
pub(super) struct Connected {
    pub(super) wire: Wire,
    pub(super) take: String,
    pub(super) present: String,
}

pub(super) fn connect(address: &Address, until: Instant) -> Result<Connected, Trouble> {
    let mut wire = Wire::new(open(address, until)?);
    let mut commands = Zeroizing::new(Vec::new());
    if let Some(password) = &address.password {
        let user = address.user.as_deref().unwrap_or("default").as_bytes();
        write(&[b"AUTH", user, password.expose()], &mut commands);
    }
    if address.database > 0 {
        write(&[b"SELECT", address.database.to_string().as_bytes()], &mut commands);
    }
    for text in [script::TAKE, script::PRESENT] {
        write(&[b"SCRIPT", b"LOAD", text.as_bytes()], &mut commands);
    }
    wire.send(&commands, until)?;
    let mut next = || match wire.receive(until)? {
        Reply::Refused(code) => Err(Trouble::of(&code)),
        Reply::Text(text) => Ok(text),
        Reply::Status | Reply::Number(_) => Ok(String::new()),
    };
    if address.password.is_some() {
        // Whatever it says of that: `ERR` where no password is known.
        next().map_err(|_| Trouble::Login)?;
    }
    if address.database > 0 {
        next()?;
    }
    let (take, present) = (next()?, next()?);
    Ok(Connected { wire, take, present })
}

fn open(address: &Address, until: Instant) -> Result<Socket, Trouble> {
    // No less: a deadline of nothing is none.
    let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let (host, port) = match &address.place {
        Place::Socket(path) => return unix(path),
        Place::Host { name, port } => (name, *port),
    };
    let found = (host.as_str(), port).to_socket_addrs().map_err(|_| Trouble::Unreachable)?;
    let mut last = Trouble::Unreachable;
    for found in found {
        if !address.tls && !address.plain && !found.ip().to_canonical().is_loopback() {
            continue; // a name of this machine that is another's today
        }
        let stream = match TcpStream::connect_timeout(&found, left()) {
            Ok(stream) => stream,
            Err(error) => {
                last = if is_late(&error) { Trouble::Silent } else { Trouble::Unreachable };
                continue;
            }
        };
        stream.set_nodelay(true).map_err(|_| Trouble::Lost)?;
        let stream = OnlyHere::open(|| Ok::<_, Trouble>(stream))?;
        let mut socket = Socket::tcp(stream);
        if address.tls {
            let tls = tls(address, host)?;
            socket.secure(tls, left()).map_err(|fault| match fault {
                Unsecured::Io(error) if is_late(&error) => Trouble::Silent,
                Unsecured::Io(_) => Trouble::Lost,
                Unsecured::Tls(_) => Trouble::Tls,
            })?;
        }
        return Ok(socket);
    }
    Err(last)
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock)
}

#[cfg(unix)]
fn unix(path: &std::path::Path) -> Result<Socket, Trouble> {
    let stream = OnlyHere::open(|| UnixStream::connect(path)).map_err(|_| Trouble::Unreachable)?;
    Ok(Socket::unix(stream))
}

#[cfg(not(unix))]
fn unix(_: &std::path::Path) -> Result<Socket, Trouble> {
    Err(Trouble::Unreachable)
}

/// Its certificate must be of its name; the authorities are those of Mozilla's list or of a file.
fn tls(address: &Address, host: &str) -> Result<ClientConnection, Trouble> {
    let mut roots = RootCertStore::empty();
    match &address.authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(given) => drop(roots.add_parsable_certificates(given.iter().cloned())),
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Trouble::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Trouble::Tls)?;
    ClientConnection::new(Arc::new(config), name).map_err(|_| Trouble::Tls)
}
