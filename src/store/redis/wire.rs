//! The protocol of Valkey and Redis (RESP 2), as far as it is needed: commands are arrays of bulk
//! strings, and an answer is a status, a number, a short text or a refusal. Anything else ends the
//! connection.
//!
//! No client of others is used: one that has a deadline of its own for each read has none for an
//! answer of which a byte comes now and then, and it would bring forty packages.

use crate::store::socket::Socket;
use std::io::ErrorKind as Io;
use std::time::Instant;

/// The longest line, and the longest text in an answer: those of ours have 40 bytes, refusals a few
/// hundred.
const LONGEST: usize = 8 * 1024;

/// Why nothing more is to be expected of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The time is up; what was asked may be answered yet.
    Silent,
    /// The connection has ended.
    Lost,
    /// What came is not the protocol.
    Garbled,
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            Io::TimedOut | Io::WouldBlock => Self::Silent,
            Io::InvalidData | Io::InvalidInput => Self::Garbled,
            _ => Self::Lost,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Status,
    Number(i64),
    Text(String),
    /// The first word of a refusal. The rest of it may hold what was sent.
    Refused(String),
}

/// A connection.
pub(super) struct Wire {
    socket: Socket,
    input: Vec<u8>,
}

impl Wire {
    pub(super) const fn new(socket: Socket) -> Self {
        Self { socket, input: Vec::new() }
    }

    /// Sends commands that were written by [`write`].
    pub(super) fn send(&mut self, commands: &[u8], until: Instant) -> Result<(), Fault> {
        let left = until.saturating_duration_since(Instant::now());
        Ok(self.socket.send(commands, left)?)
    }

    /// The next answer.
    pub(super) fn receive(&mut self, until: Instant) -> Result<Reply, Fault> {
        loop {
            if let Some((reply, length)) = read(&self.input)? {
                self.input.drain(..length);
                return Ok(reply);
            }
            let left = until.saturating_duration_since(Instant::now());
            let Self { socket, input } = self;
            if socket.receive(&mut |new| input.extend_from_slice(new), left)? == 0 {
                return Err(Fault::Lost);
            }
        }
    }
}

/// Writes a command.
pub(super) fn write(parts: &[&[u8]], out: &mut Vec<u8>) {
    let head = |mark: char, count: usize, out: &mut Vec<u8>| {
        out.extend_from_slice(format!("{mark}{count}\r\n").as_bytes());
    };
    head('*', parts.len(), out);
    for part in parts {
        head('$', part.len(), out);
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// The first answer in these bytes and its length; `None` if there is more to come of it.
fn read(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Fault> {
    let Some(end) = bytes.iter().take(LONGEST).position(|byte| *byte == b'\n') else {
        return if bytes.len() < LONGEST { Ok(None) } else { Err(Fault::Garbled) };
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Fault::Garbled)?;
    let line = std::str::from_utf8(line).map_err(|_| Fault::Garbled)?;
    let next = end + 1;
    let mark = line.get(..1).ok_or(Fault::Garbled)?;
    let rest = line.get(1..).unwrap_or_default();
    let reply = match mark {
        "+" => Reply::Status,
        ":" => Reply::Number(rest.parse().map_err(|_| Fault::Garbled)?),
        "-" => Reply::Refused(rest.split(' ').next().unwrap_or_default().to_owned()),
        "$" => {
            let length = rest.parse::<usize>().ok().filter(|length| *length <= LONGEST);
            let length = length.ok_or(Fault::Garbled)?;
            let Some(text) = bytes.get(next..next + length + 2) else { return Ok(None) };
            let text = text.strip_suffix(b"\r\n").ok_or(Fault::Garbled)?;
            let text = std::str::from_utf8(text).map_err(|_| Fault::Garbled)?;
            return Ok(Some((Reply::Text(text.to_owned()), next + length + 2)));
        }
        _ => return Err(Fault::Garbled),
    };
    Ok(Some((reply, next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let all = b"+OK\r\n:-12\r\n-NOSCRIPT No matching script.\r\n$3\r\nabc\r\n";
        let (mut at, mut seen) = (0, Vec::new());
        while at < all.len() {
            let (reply, length) = read(&all[at..]).unwrap().unwrap();
            // Not one byte of it may be missing.
            for short in 0..length {
                assert_eq!(read(&all[at..at + short]), Ok(None), "{reply:?}");
            }
            seen.push(reply);
            at += length;
        }
        let refused = Reply::Refused("NOSCRIPT".to_owned());
        assert_eq!(seen, [Reply::Status, Reply::Number(-12), refused, Reply::Text("abc".into())]);
    }

    #[test]
    fn what_is_none() {
        for bytes in [
            &b"*1\r\n"[..],
            b"\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b":1\n",
            b":one\r\n",
            b":9223372036854775808\r\n",
            b"$-1\r\n",
            b"$9999999\r\n",
            b"$1\r\nab\r\n",
            b"-\xff\r\n",
            &[b'+'; LONGEST],
        ] {
            assert_eq!(read(bytes), Err(Fault::Garbled), "{bytes:?}");
        }
    }

    #[test]
    fn commands() {
        let mut out = Vec::new();
        write(&[b"SET", b"a\r\n", b""], &mut out);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$3\r\na\r\n\r\n$0\r\n\r\n");
    }
}
