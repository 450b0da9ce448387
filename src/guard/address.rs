//! The caller's address: the socket's, or what proxies that are trusted say of it, in one header,
//! from right to left (RFC 7239 section 5.2). What cannot be known is no address.

use super::request::{Lines, Names, Request};
use crate::apikey::{Cidr, parse_ip};
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How many proxies in a row are looked at.
const MOST: usize = 32;

/// Whom a socket is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A Unix socket.
    Unix,
    Address(IpAddr),
    /// Something else, or nobody.
    Unknown,
}

impl Peer {
    /// As servers name it.
    pub(super) fn parse(text: &str) -> Self {
        match text.as_bytes() {
            [] | [b'@' | b'/', ..] => Self::Unix,
            _ if text.starts_with("unix:") => Self::Unix,
            _ => address(text.as_bytes()).map_or(Self::Unknown, Self::Address),
        }
    }
}

/// Which proxies are trusted, and the one header by which they tell whom they speak for.
#[derive(Clone, Debug)]
pub(super) struct Proxies {
    networks: Vec<Cidr>,
    unix: bool,
    /// Whether it is `Forwarded` (RFC 7239).
    pub(super) is_forwarded: bool,
    /// Whether the server keeps `X_Forwarded_For` out.
    pub(super) exact_names: bool,
}

impl Proxies {
    pub(super) fn new() -> Self {
        Self { networks: Vec::new(), unix: false, is_forwarded: false, exact_names: false }
    }

    /// Trusts a network, an address, or whatever comes by a Unix socket (`unix`).
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is something else, or a network of all addresses.
    pub(super) fn trust(&mut self, text: &str) -> Result<()> {
        if text == "unix" {
            self.unix = true;
            return Ok(());
        }
        let network = Cidr::parse(text).map_err(|error| {
            error.with_kind(ErrorKind::InvalidConfiguration).about_claim("trusted_proxies")
        })?;
        if network.is_everything() {
            return Err(EVERYBODY.about_claim("trusted_proxies"));
        }
        self.networks.push(network);
        Ok(())
    }

    /// Who calls, by the values of that header.
    pub(super) fn caller(
        &self,
        request: &Request<'_>,
        lines: Lines<'_>,
        names: &Names,
    ) -> Option<IpAddr> {
        let Request { peer, collapsed, .. } = *request;
        let (is_trusted, own) = match peer {
            Peer::Unknown => return None,
            Peer::Unix => (self.unix, None),
            Peer::Address(address) => (self.trusts(address), Some(address.to_canonical())),
        };
        if !is_trusted {
            return own;
        }
        // Where names collapse, the client may have sent what looks like the proxy's.
        if collapsed && !self.exact_names {
            return None;
        }
        if let Lines::Once(only) = lines
            && memchr::memchr(b',', only).is_none()
        {
            // The first is the last: it is the caller, whoever that is.
            return address(self.address_of(trim(only))?);
        }
        let lines = || lines.of(request, names.forwarded.as_bytes());
        let elements = lines().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        let mut last = None;
        for element in elements.map(trim).filter(|element| !element.is_empty()).take(MOST) {
            let address = address(self.address_of(element)?)?;
            if !self.trusts(address) {
                return Some(address);
            }
            last = Some(address);
        }
        let elements = || lines().flat_map(|line| line.split(|byte| *byte == b','));
        // All of them are ours; the first is the caller, if it was looked at.
        last.filter(|_| elements().count() <= MOST)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The address in an element of the header.
    fn address_of<'e>(&self, element: &'e [u8]) -> Option<&'e [u8]> {
        if !self.is_forwarded {
            return Some(element);
        }
        let mut found = element.split(|byte| *byte == b';').filter_map(|pair| {
            let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
            trim(name).eq_ignore_ascii_case(b"for").then(|| trim(value.get(1..).unwrap_or(b"")))
        });
        let value = found.next().filter(|_| found.next().is_none())?;
        Some(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
    }
}

const EVERYBODY: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A network of all addresses trusts every caller, who could then name any address: name the proxies' own networks.",
);

/// An address, with or without a port, brackets and a zone.
fn address(text: &[u8]) -> Option<IpAddr> {
    if let Some(plain) = plain_ipv4(text) {
        return Some(plain.into());
    }
    let text = std::str::from_utf8(text).ok()?;
    let bare = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']')?;
            let is_port = |text: &str| text.parse::<u16>().is_ok();
            if !(after.is_empty() || after.strip_prefix(':').is_some_and(is_port)) {
                return None;
            }
            inner
        }
        None => text,
    };
    let (bare, _zone) = bare.split_once('%').unwrap_or((bare, ""));
    let with_port = || bare.parse::<SocketAddr>().ok().map(|both| both.ip());
    parse_ip(bare).or_else(with_port).map(|address| address.to_canonical())
}

/// An IPv4 address as nearly all are written; the others are for the parser of the library.
fn plain_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (a, text) = octet(text)?;
    let (b, text) = octet(text.strip_prefix(b".")?)?;
    let (c, text) = octet(text.strip_prefix(b".")?)?;
    let (d, text) = octet(text.strip_prefix(b".")?)?;
    text.is_empty().then(|| Ipv4Addr::new(a, b, c, d))
}

/// The number that a text begins with, and the rest. A zero in front is none of ours: some read
/// octal numbers by it.
fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| u32::from(byte.wrapping_sub(b'0'));
    let (number, rest) = match *text {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ref rest @ ..] => {
            (digit(a) * 100 + digit(b) * 10 + digit(c), rest)
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', ref rest @ ..] => (digit(a) * 10 + digit(b), rest),
        [a @ b'0'..=b'9', ref rest @ ..] => (digit(a), rest),
        _ => return None,
    };
    Some((u8::try_from(number).ok()?, rest))
}

/// The part of an address that limits count by: all of an IPv4 address, so many bits of another.
pub(super) fn network(address: IpAddr, ipv6_prefix: u8) -> u128 {
    match address.to_canonical() {
        // Beside the addresses of IPv6, of which none is so small and in use.
        IpAddr::V4(v4) => u128::from(v4.to_bits()) | 1 << 40,
        IpAddr::V6(v6) => {
            let width = 128 - u32::from(ipv6_prefix.min(128));
            v6.to_bits() & u128::MAX.checked_shl(width).unwrap_or(0)
        }
    }
}

/// Without the spaces and tabs around it.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let to = text.iter().rposition(|byte| !is_space(byte)).map_or(from, |at| at + 1);
    text.get(from..to).unwrap_or_default()
}

/// The name of a header for addresses.
///
/// # Errors
/// `InvalidConfiguration`: it is malformed.
pub(super) fn header_name(name: &str, argument_name: &'static str) -> Result<String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !(1..=64).contains(&name.len()) || !name.bytes().all(is_name) {
        let error: Error = argument("A header's name is 1 to 64 letters, digits and hyphens.");
        return Err(error.with_kind(ErrorKind::InvalidConfiguration).about_claim(argument_name));
    }
    Ok(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_address_is_what_the_library_reads() {
        let pieces =
            ["0", "1", "9", "10", "99", "255", "256", "00", "01", "", "1000", "a", "+1", " 1"];
        let mut read = 0;
        for a in pieces {
            for b in pieces {
                for text in [
                    format!("{a}.{b}.0.7"),
                    format!("127.0.{a}.{b}"),
                    format!("{a}.{b}"),
                    format!("1.{a}.2.{b}."),
                    format!("1.2.{a}.{b}.5"),
                ] {
                    let plain = plain_ipv4(text.as_bytes());
                    assert_eq!(plain, text.parse().ok(), "{text}");
                    read += u32::from(plain.is_some());
                }
            }
        }
        assert_eq!(read, 2 * 6 * 6);
    }

    #[test]
    fn a_limit_counts_an_ipv6_network_and_an_ipv4_address() {
        let of = |text: &str, prefix| network(text.parse().unwrap(), prefix);
        assert_eq!(of("2001:db8::1", 64), of("2001:db8::ffff:1", 64));
        assert_ne!(of("2001:db8::1", 64), of("2001:db8:0:1::1", 64));
        assert_ne!(of("2001:db8::1", 128), of("2001:db8::2", 128));
        assert_eq!(of("::ffff:192.0.2.1", 64), of("192.0.2.1", 64));
        assert_ne!(of("192.0.2.1", 64), of("192.0.2.2", 64));
    }
}
