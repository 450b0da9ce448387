//! Networks from which a key may be used (RFC 4632, RFC 4291 section 2.3). An IPv4 address that was
//! mapped into IPv6 (RFC 4291 section 2.5.5.2) counts as the IPv4 address that it is.

use crate::base::text::argument;
use crate::error::Result;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

/// A network, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    /// Whether all addresses of its kind are in it.
    pub(crate) const fn is_everything(&self) -> bool {
        self.length == 0
    }

    /// Reads `address/length`, or an address alone.
    ///
    /// # Errors
    /// `InvalidArgument`: it is neither, or the address has bits beyond the length.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        const NEITHER: &str = "A network is written as 10.0.0.0/8, 2001:db8::/32 or one address.";
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| argument(NEITHER))?;
        let address = plain(written);
        let bits: u8 = if written.is_ipv4() { 32 } else { 128 };
        let mut length = match length {
            None => bits,
            // Digits alone: `+8` and `08` are other people's surprises.
            Some(digits) => match digits.parse::<u8>() {
                Ok(length) if length <= bits && length.to_string() == digits => length,
                _ => return Err(argument(NEITHER)),
            },
        };
        if address != written {
            length = length.checked_sub(96).ok_or_else(|| argument(NEITHER))?;
        }
        let cidr = Self { address, length };
        if cidr.masked(address) != cidr.masked_by(address, 128) {
            return Err(argument(
                "The network has address bits beyond its length; write 10.0.0.0/8, not 10.1.2.3/8.",
            ));
        }
        Ok(cidr)
    }

    /// Whether the address belongs to the network.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = plain(address);
        address.is_ipv4() == self.address.is_ipv4()
            && self.masked(address) == self.masked(self.address)
    }

    fn masked(&self, address: IpAddr) -> u128 {
        self.masked_by(address, u32::from(self.length))
    }

    /// The first `length` bits of the address, at the top of a word.
    #[expect(clippy::unused_self, reason = "read together with `masked`")]
    fn masked_by(&self, address: IpAddr, length: u32) -> u128 {
        let bits = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let mask = u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0);
        bits & mask
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// The address as what it is.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// An address as a header or a socket gives it, without a port or a zone.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    let v4 = || text.parse::<Ipv4Addr>().map(IpAddr::V4);
    let v6 = || text.parse::<Ipv6Addr>().map(IpAddr::V6);
    v4().or_else(|_| v6()).ok()
}
