//! Where the browser comes back to: one callback on 127.0.0.1 (RFC 8252 section 7.3), and the
//! command that opens it.

use super::super::exit::{Failure, Outcome};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The longest head of a request that is read, in bytes.
const LONGEST: usize = 16 * 1024;
/// How long one connection may take, so that one that says nothing holds up no other.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
    path: String,
}

/// The browser, which is back and waits for an answer.
pub(super) struct Callback {
    stream: TcpStream,
    query: String,
}

impl Loopback {
    pub(super) fn bind(port: u16, path: &str) -> Outcome<Self> {
        let cannot = |error: std::io::Error| {
            Failure::Usage(format!("Port {port} of 127.0.0.1 cannot be used: {error}."))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        Ok(Self { listener, port, path: path.to_owned() })
    }

    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.path)
    }

    /// When so much time has passed.
    pub(super) fn end_of(timeout: Duration) -> Instant {
        Instant::now() + timeout
    }

    /// The next request for the callback; everything else is answered with 404. `None` after the
    /// time is over.
    pub(super) fn wait(&self, until: Instant) -> Outcome<Option<Callback>> {
        while Instant::now() < until {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Some(callback) = read(stream, &self.path) {
                        return Ok(Some(callback));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(30));
                }
                Err(error) => {
                    return Err(Failure::Usage(format!("The browser cannot come back: {error}.")));
                }
            }
        }
        Ok(None)
    }
}

impl Callback {
    /// `?` and the query.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// Tells the person in front of the browser how it went.
    pub(super) fn answer(mut self, fine: bool) {
        let text = if fine {
            "You are signed in. You can close this window."
        } else {
            "That did not work; the command line says why. You can close this window."
        };
        reply(&mut self.stream, "200 OK", text);
    }
}

/// The callback in a request, if it is one.
fn read(mut stream: TcpStream, path: &str) -> Option<Callback> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let (mut head, mut chunk, begun) = (Vec::new(), [0; 2048], Instant::now());
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let length = stream.read(&mut chunk).ok().filter(|&length| length > 0)?;
        head.extend_from_slice(chunk.get(..length)?);
        if head.len() > LONGEST || begun.elapsed() > PATIENCE {
            return None;
        }
    }
    let line = std::str::from_utf8(&head).ok()?.lines().next()?;
    let target = line.strip_prefix("GET ")?.split(' ').next()?;
    match target.strip_prefix(path).filter(|query| query.starts_with('?')) {
        Some(query) => Some(Callback { query: query.to_owned(), stream }),
        None => {
            reply(&mut stream, "404 Not Found", "There is nothing here.");
            None
        }
    }
}

fn reply(stream: &mut TcpStream, status: &str, text: &str) {
    let body =
        format!("<!DOCTYPE html><meta charset=\"utf-8\"><title>gatekey</title><p>{text}</p>");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n"
    );
    // The browser may have gone; the log-in does not depend on it.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// Whether the browser could be started. Its address is an argument of its own, never part of a
/// shell's line.
pub(super) fn open(browser: &str, url: &str) -> bool {
    let mut words = browser.split_whitespace();
    let Some(program) = words.next() else { return false };
    let mut command = Command::new(program);
    command.args(words).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}
