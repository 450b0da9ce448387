//! How a connection is made: the socket, TLS, and the log-in, all within one deadline.
//!
//! Only SCRAM-SHA-256 (RFC 7677) is answered: a server that asks for the password in clear text or
//! as MD5 gets nothing. Plain text goes to a Unix socket and to this machine's own addresses only,
//! unless the URL says `danger-plain-text`; nothing in the environment weakens that.

use super::tls;
use super::wire::{Fault, Wire};
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind};
use crate::store::file_lock::OnlyHere;
use crate::store::postgres_url::{Host, Parts, Tls};
use crate::store::read_private_file;
use crate::store::socket::{Socket, Unsecured};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connects to this host and logs in.
pub(super) fn connect(parts: &Parts, host: &Host) -> Result<Wire, Fault> {
    let until = Instant::now() + Duration::from_millis(parts.connect_ms);
    let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let socket = open(parts, host, &left).map_err(|fault| match fault {
        Fault::Lost => UNREACHABLE.into(),
        Fault::Silent => SILENT.into(),
        Fault::Garbled => tls::refused(&rustls::Error::HandshakeNotComplete).into(),
        other => other,
    })?;
    let mut wire = Wire::new(socket, left());
    log_in(&mut wire, parts, host, &left).map_err(|fault| match fault {
        Fault::Lost => HUNG_UP.into(),
        Fault::Silent => SILENT.into(),
        Fault::Garbled => NOT_POSTGRES.into(),
        other => other,
    })?;
    if wire.has_other_encoding() {
        return Err(OTHER_ENCODING.into());
    }
    Ok(wire)
}

fn open(parts: &Parts, host: &Host, left: &dyn Fn() -> Duration) -> Result<Socket, Fault> {
    if host.is_folder() {
        return unix(parts, host);
    }
    let found: Vec<SocketAddr> =
        (host.name.as_str(), host.port).to_socket_addrs().map_err(|_| NO_HOST)?.collect();
    let mut last = Fault::Ours(NO_HOST);
    for address in found {
        match TcpStream::connect_timeout(&address, left()) {
            Ok(stream) => {
                let stream = OnlyHere::open(|| Ok::<_, Fault>(stream))?;
                return secure(parts, host, address.ip(), stream, left);
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

#[cfg(unix)]
fn unix(parts: &Parts, host: &Host) -> Result<Socket, Fault> {
    if parts.tls == Tls::VerifyFull {
        return Err(NO_TLS_HERE.into());
    }
    let path = format!("{}/.s.PGSQL.{}", host.name.trim_end_matches('/'), host.port);
    let stream = OnlyHere::open(|| UnixStream::connect(path))?;
    Ok(Socket::unix(stream))
}

#[cfg(not(unix))]
fn unix(_: &Parts, _: &Host) -> Result<Socket, Fault> {
    Err(NO_HOST.into())
}

/// Speaks TLS, where that is asked for.
fn secure(
    parts: &Parts,
    host: &Host,
    address: IpAddr,
    stream: OnlyHere<TcpStream>,
    left: &dyn Fn() -> Duration,
) -> Result<Socket, Fault> {
    if let Some(stream) = stream.get() {
        stream.set_nodelay(true)?;
    }
    let mut socket = Socket::tcp(stream);
    let is_here = address.to_canonical().is_loopback();
    let verified = match parts.tls {
        Tls::DangerPlainText => return Ok(socket),
        Tls::ByPlace | Tls::OnlyHere if is_here => return Ok(socket),
        Tls::OnlyHere => return Err(NOT_HERE.into()),
        Tls::DangerUnverified => false,
        Tls::ByPlace | Tls::VerifyFull => true,
    };
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    socket.send(&request, left())?;
    // One byte and no more: what came with it in plain text would be taken for the server's.
    let mut answer = [0];
    socket.receive_exactly(&mut answer, left())?;
    if answer != *b"S" {
        return Err(WITHOUT_TLS.into());
    }
    let name = ServerName::try_from(host.name.clone()).map_err(|_| NO_HOST)?;
    let config = Arc::new(tls::config(parts.authorities.as_deref(), verified)?);
    let tls = ClientConnection::new(config, name).map_err(|error| tls::refused(&error))?;
    socket.secure(tls, left()).map_err(|fault| match fault {
        Unsecured::Io(error) => error.into(),
        Unsecured::Tls(error) => Fault::from(tls::refused(&error)),
    })?;
    Ok(socket)
}

fn log_in(
    wire: &mut Wire,
    parts: &Parts,
    host: &Host,
    left: &dyn Fn() -> Duration,
) -> Result<(), Fault> {
    let said = [
        ("user", parts.user.as_str()),
        ("database", parts.database.as_str()),
        ("application_name", parts.application.as_str()),
        ("client_encoding", "UTF8"),
    ];
    frontend::startup_message(said, wire.output())?;
    wire.send()?;
    let mut scram: Option<ScramSha256> = None;
    let mut proved = false;
    loop {
        wire.be_patient(left());
        match wire.receive()? {
            // A server that does not prove that it knows the password either has asked for it.
            Message::AuthenticationOk if scram.is_none() || proved => break,
            Message::AuthenticationSasl(body) if scram.is_none() => {
                if !body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256))? {
                    return Err(NO_SCRAM.into());
                }
                let word = password(parts, host)?.ok_or(NO_PASSWORD)?;
                let begun = ScramSha256::new(word.expose(), ChannelBinding::unsupported());
                frontend::sasl_initial_response(SCRAM_SHA_256, begun.message(), wire.output())?;
                wire.send()?;
                scram = Some(begun);
            }
            Message::AuthenticationSaslContinue(body) if !proved => {
                let scram = scram.as_mut().ok_or(Fault::Garbled)?;
                if !asks_for_fair_work(body.data()) {
                    return Err(UNFAIR_WORK.into());
                }
                scram.update(body.data()).map_err(|_| Fault::Garbled)?;
                frontend::sasl_response(scram.message(), wire.output())?;
                wire.send()?;
            }
            Message::AuthenticationSaslFinal(body) => {
                let scram = scram.as_mut().ok_or(Fault::Garbled)?;
                scram.finish(body.data()).map_err(|_| IMPOSTOR)?;
                proved = true;
            }
            Message::AuthenticationCleartextPassword | Message::AuthenticationMd5Password(_) => {
                return Err(NO_SCRAM.into());
            }
            Message::AuthenticationGss
            | Message::AuthenticationSspi
            | Message::AuthenticationKerberosV5 => return Err(NO_SCRAM.into()),
            Message::ErrorResponse(body) => {
                return Err(refusal(&Fault::code(&body), wire.is_secure()).into());
            }
            _ => return Err(Fault::Garbled),
        }
    }
    wire.be_patient(left());
    let is_secure = wire.is_secure();
    wire.greet().map_err(|fault| match fault {
        Fault::Refused(code) => refusal(&code, is_secure).into(),
        other => other,
    })
}

/// Whether a server that has proved nothing yet asks for neither so few rounds of the hash that the
/// proof would give the password away (RFC 7677, section 4), nor too many to ever end.
fn asks_for_fair_work(message: &[u8]) -> bool {
    let rounds = message.split(|byte| *byte == b',').find_map(|part| part.strip_prefix(b"i="));
    let rounds = rounds.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u32>().ok());
    rounds.is_some_and(|rounds| (4096..=1_000_000).contains(&rounds))
}

/// What the server says instead of letting us in, as what to do.
fn refusal(code: &[u8; 5], is_secure: bool) -> Error {
    match code {
        b"28000" if !is_secure => PERHAPS_TLS,
        b"28P01" | b"28000" => BAD_LOGIN,
        b"3D000" => NO_DATABASE,
        b"53300" => CROWDED,
        b"57P03" => STARTING,
        b"42501" => NO_RIGHT,
        _ => NOT_LET_IN,
    }
}

/// The password: of the URL, of the environment, of a file, in this order.
fn password(parts: &Parts, host: &Host) -> Result<Option<Secret>, Fault> {
    if let Some(word) = &parts.password {
        return Ok(Some(word.clone()));
    }
    if let Some(word) = std::env::var_os("PGPASSWORD").filter(|word| !word.is_empty()) {
        return Ok(Some(Secret::new(word.into_encoded_bytes())));
    }
    let Some(path) = &parts.passfile else { return Ok(None) };
    let text = read_private_file(path, 1 << 20).map_err(|_| NO_PASSFILE)?.ok_or(OPEN_PASSFILE)?;
    let port = host.port.to_string();
    let wanted = [host.name.as_str(), &port, &parts.database, &parts.user];
    let found = text.split(|byte| *byte == b'\n').find_map(|line| passfile_line(line, wanted));
    Ok(Some(found.ok_or(NOT_IN_PASSFILE)?))
}

/// The password of a line `host:port:database:user:password`, if it is about this; `*` stands for
/// anything, `\:` and `\\` for the characters themselves.
fn passfile_line(line: &[u8], wanted: [&str; 4]) -> Option<Secret> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.first() == Some(&b'#') {
        return None;
    }
    let mut rest = line.iter().copied();
    let mut field = |last: bool| {
        let mut out = Vec::with_capacity(line.len());
        loop {
            match rest.next() {
                Some(b'\\') => out.extend(rest.next()),
                Some(b':') if !last => return Some(out),
                Some(byte) => out.push(byte),
                None => return last.then_some(out),
            }
        }
    };
    for wanted in wanted {
        let found = field(false)?;
        if found != b"*" && found != wanted.as_bytes() {
            return None;
        }
    }
    field(true).filter(|word| !word.is_empty()).map(Secret::new)
}

macro_rules! unavailable {
    ($($name:ident = $message:literal;)*) => {
        $(pub(super) const $name: Error = Error::new(ErrorKind::StoreUnavailable, $message);)*
        #[cfg(test)]
        const SENTENCES: &[Error] = &[$($name),*];
    };
}

unavailable! {
    UNREACHABLE = "PostgreSQL cannot be reached: nothing listens at the host and port of the URL, or a firewall is between.";
    SILENT = "PostgreSQL does not answer: its host is unreachable, or the server was stopped.";
    HUNG_UP = "PostgreSQL ended the connection during the log-in; see its log, and that it is a PostgreSQL server.";
    NOT_POSTGRES = "What answers at the host and port of the URL does not speak PostgreSQL's protocol; see the port.";
    NO_HOST = "The name of PostgreSQL's host cannot be resolved; see the host of the URL.";
    WITHOUT_TLS = "PostgreSQL's server speaks no TLS, and nothing was sent to it. Switch ssl on there; sslmode=danger-plain-text would \
     send everything readable.";
    NO_TLS_HERE = "PostgreSQL speaks no TLS over a Unix socket: leave sslmode=verify-full out, or name a host.";
    NOT_HERE = "sslmode=disable is for a Unix socket and this machine's own addresses, and the host is elsewhere; leave it out.";
    NO_SCRAM = "PostgreSQL asks for a password in clear text or MD5, or for something else than SCRAM, and gets nothing. Set \
     password_encryption and pg_hba.conf to scram-sha-256.";
    UNFAIR_WORK = "PostgreSQL asks for fewer rounds of SCRAM than 4096, or for more than 1,000,000; set scram_iterations there, and the \
     password again.";
    NO_PASSWORD = "PostgreSQL asks for a password: put it into PGPASSWORD, a passfile=FILE of the URL, or the URL.";
    NO_PASSFILE = "The file of `passfile` cannot be read; give the path of a file of lines host:port:database:user:password.";
    OPEN_PASSFILE = "Others may read the file of `passfile`; chmod 600 it.";
    NOT_IN_PASSFILE = "The file of `passfile` has no line for this host, port, database and user.";
    BAD_LOGIN = "PostgreSQL does not let this user in: the password is wrong, or pg_hba.conf has no line for it; its log says which.";
    PERHAPS_TLS = "PostgreSQL does not let this user in without TLS, or not at all: pg_hba.conf has no line for it. Write \
     sslmode=verify-full in the URL if it wants TLS; its log says what it wants.";
    NO_DATABASE = "PostgreSQL has no database of the name in the URL; make one, or see the name.";
    NO_RIGHT = "PostgreSQL does not let this user connect to the database: GRANT CONNECT on it.";
    CROWDED = "PostgreSQL has no connection left; raise max_connections, or put a pool between. Each process uses three.";
    STARTING = "PostgreSQL is starting up or shutting down; try again.";
    NOT_LET_IN = "PostgreSQL refuses the connection; its log says why.";
    IMPOSTOR = "What answers as PostgreSQL does not know the user's password: it is another server.";
    OTHER_ENCODING = "The database is not of encoding UTF8; make one with ENCODING 'UTF8'.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short() {
        for error in SENTENCES {
            assert!(error.message().len() <= Error::MAX_MESSAGE, "{error}");
        }
    }

    #[test]
    fn rounds_of_scram() {
        for (said, is_fair) in [
            ("r=a,s=b,i=4096", true),
            ("r=a,s=b,i=1000000", true),
            ("r=a,s=b,i=4095", false),
            ("r=a,s=b,i=1000001", false),
            ("r=a,s=b,i=4294967296", false),
            ("r=a,s=b,i=-4096", false),
            ("r=a,s=b", false),
        ] {
            assert_eq!(asks_for_fair_work(said.as_bytes()), is_fair, "{said}");
        }
    }

    #[test]
    fn lines_of_a_passfile() {
        let line = |line: &str| {
            passfile_line(line.as_bytes(), ["db", "5432", "auth", "app"])
                .map(|word| word.expose_str().to_owned())
        };
        for (text, word) in [
            ("db:5432:auth:app:secret", Some("secret")),
            ("*:*:*:*:a\\:b\\\\c:d\r", Some("a:b\\c:d")),
            ("db:5433:auth:app:secret", None),
            ("#db:5432:auth:app:secret", None),
            ("db:5432:auth:app:", None),
            ("db:5432:auth", None),
            ("", None),
        ] {
            assert_eq!(line(text).as_deref(), word, "{text}");
        }
    }
}
