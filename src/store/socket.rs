//! A connected socket of a store on another machine: each call has a deadline, and a child of a
//! fork has none of them.

use super::file_lock::OnlyHere;
use rustls::ClientConnection;
use std::io::{Read, Result as IoResult, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A connected socket, with TLS or without; a child of a fork has none.
pub(super) struct Socket {
    raw: Raw,
    tls: Option<Box<ClientConnection>>,
}

enum Raw {
    Tcp(OnlyHere<TcpStream>),
    #[cfg(unix)]
    Unix(OnlyHere<UnixStream>),
}

/// Why there is no TLS.
pub(super) enum Unsecured {
    Io(std::io::Error),
    Tls(rustls::Error),
}

impl From<std::io::Error> for Unsecured {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// A socket until a deadline.
struct Timed<'a> {
    raw: &'a Raw,
    until: Instant,
}

impl Timed<'_> {
    fn left(&self) -> IoResult<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

const FORKED: std::io::ErrorKind = std::io::ErrorKind::NotConnected;

impl Read for Timed<'_> {
    fn read(&mut self, out: &mut [u8]) -> IoResult<usize> {
        let left = Some(self.left()?);
        match self.raw {
            Raw::Tcp(held) => {
                let mut socket = held.get().ok_or(FORKED)?;
                socket.set_read_timeout(left)?;
                retried(|| socket.read(out))
            }
            #[cfg(unix)]
            Raw::Unix(held) => {
                let mut socket = held.get().ok_or(FORKED)?;
                socket.set_read_timeout(left)?;
                retried(|| socket.read(out))
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        let left = Some(self.left()?);
        match self.raw {
            Raw::Tcp(held) => {
                let mut socket = held.get().ok_or(FORKED)?;
                socket.set_write_timeout(left)?;
                retried(|| socket.write(bytes))
            }
            #[cfg(unix)]
            Raw::Unix(held) => {
                let mut socket = held.get().ok_or(FORKED)?;
                socket.set_write_timeout(left)?;
                retried(|| socket.write(bytes))
            }
        }
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

/// Signals interrupt no conversation.
fn retried(mut work: impl FnMut() -> IoResult<usize>) -> IoResult<usize> {
    loop {
        match work() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl Socket {
    pub(super) const fn tcp(stream: OnlyHere<TcpStream>) -> Self {
        Self { raw: Raw::Tcp(stream), tls: None }
    }

    #[cfg(unix)]
    pub(super) const fn unix(stream: OnlyHere<UnixStream>) -> Self {
        Self { raw: Raw::Unix(stream), tls: None }
    }

    /// Speaks TLS from now on.
    pub(super) fn secure(
        &mut self,
        mut tls: ClientConnection,
        patience: Duration,
    ) -> Result<(), Unsecured> {
        let mut raw = Timed { raw: &self.raw, until: Instant::now() + patience };
        while tls.is_handshaking() {
            while tls.wants_write() {
                tls.write_tls(&mut raw)?;
            }
            if !tls.is_handshaking() {
                break;
            }
            if tls.read_tls(&mut raw)? == 0 {
                return Err(Unsecured::Tls(rustls::Error::HandshakeNotComplete));
            }
            if let Err(error) = tls.process_new_packets() {
                // The alert that says why; the connection ends all the same.
                let _ = tls.write_tls(&mut raw);
                return Err(Unsecured::Tls(error));
            }
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// Whether it speaks TLS.
    #[cfg(feature = "postgres")]
    pub(super) const fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads so much and no more, before there is any TLS.
    #[cfg(feature = "postgres")]
    pub(super) fn receive_exactly(&self, out: &mut [u8], patience: Duration) -> IoResult<()> {
        Timed { raw: &self.raw, until: Instant::now() + patience }.read_exact(out)
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, mut bytes: &[u8], patience: Duration) -> IoResult<()> {
        let mut raw = Timed { raw: &self.raw, until: Instant::now() + patience };
        let Some(tls) = &mut self.tls else { return raw.write_all(bytes) };
        while !bytes.is_empty() || tls.wants_write() {
            let taken = tls.writer().write(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
            while tls.wants_write() {
                tls.write_tls(&mut raw)?;
            }
        }
        Ok(())
    }

    /// As [`Self::receive`], of what is there already.
    #[cfg(feature = "postgres")]
    pub(super) fn receive_now(&mut self, into: &mut dyn FnMut(&[u8])) -> IoResult<usize> {
        self.set_nonblocking(true)?;
        let read = self.receive(into, Duration::from_secs(1));
        self.set_nonblocking(false)?;
        read
    }

    #[cfg(feature = "postgres")]
    fn set_nonblocking(&self, on: bool) -> IoResult<()> {
        match &self.raw {
            Raw::Tcp(held) => held.get().ok_or(FORKED)?.set_nonblocking(on),
            #[cfg(unix)]
            Raw::Unix(held) => held.get().ok_or(FORKED)?.set_nonblocking(on),
        }
    }

    /// Reads what is there, or waits for it, and hands it on; how much it was, 0 at the end.
    pub(super) fn receive(
        &mut self,
        into: &mut dyn FnMut(&[u8]),
        patience: Duration,
    ) -> IoResult<usize> {
        let mut raw = Timed { raw: &self.raw, until: Instant::now() + patience };
        let mut bytes = [0; 16 * 1024];
        let read = match &mut self.tls {
            None => raw.read(&mut bytes)?,
            Some(tls) => loop {
                match tls.reader().read(&mut bytes) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    read => break read?,
                }
                if tls.read_tls(&mut raw)? == 0 {
                    break 0;
                }
                tls.process_new_packets()
                    .map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidData))?;
                while tls.wants_write() {
                    tls.write_tls(&mut raw)?;
                }
            },
        };
        into(bytes.get(..read).unwrap_or_default());
        Ok(read)
    }
}
