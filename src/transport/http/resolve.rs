//! Which addresses may be connected to. The names are looked up here and nowhere else, and what is
//! checked is what is connected to: a name that means something else a moment later does not get
//! past.

use super::proxy::Proxy;
use crate::base::url::Url;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The most addresses of a name that are tried.
const MOST: usize = 16;

/// Looks names up and keeps addresses out.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) public_only: bool,
    pub(super) allow_loopback_http: bool,
    /// What looks names up instead, for those that it takes.
    pub(super) proxy: Option<Arc<Proxy>>,
}

/// The address may not be asked.
#[derive(Debug)]
pub(super) struct Blocked;

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address may not be asked")
    }
}

impl std::error::Error for Blocked {}

impl Resolver for Filter {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let text = uri.to_string();
        let url = Url::parse(&text).map_err(|_| blocked())?;
        let mut addresses = self.empty();
        if self.proxy.as_ref().is_some_and(|proxy| proxy.takes(&url)) {
            // There is nothing to connect to but the proxy.
            return if Proxy::may_ask_for(&url, self) { Ok(addresses) } else { Err(blocked()) };
        }
        let found = look_up(&url, timeout)?;
        if !self.admits(&url, found.iter().map(SocketAddr::ip)) {
            return Err(blocked());
        }
        fill(&mut addresses, found)?;
        Ok(addresses)
    }
}

/// Takes over the addresses of a host, of which there is at least one.
pub(super) fn fill(
    addresses: &mut ResolvedSocketAddrs,
    found: Vec<SocketAddr>,
) -> Result<(), ureq::Error> {
    for address in found.into_iter().take(MOST) {
        addresses.push(address);
    }
    if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(()) }
}

/// The addresses of a host. The system's own look-up knows no deadline: it has a thread to itself,
/// which ends with it.
pub(super) fn look_up(url: &Url<'_>, timeout: NextTimeout) -> Result<Vec<SocketAddr>, ureq::Error> {
    let host = url.host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, url.port)]);
    }
    let (told, answer) = sync_channel(1);
    let asked = (host.to_owned(), url.port);
    let work = move || told.send(asked.to_socket_addrs().map(Vec::from_iter)).is_ok();
    std::thread::Builder::new().name("gatekey".to_owned()).spawn(work)?;
    match answer.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found?),
        Err(RecvTimeoutError::Timeout) => Err(ureq::Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => Err(ureq::Error::HostNotFound),
    }
}

impl Filter {
    /// Whether a host may be asked at these addresses. All of them count: one that is fine says
    /// nothing about who answers for the name. That plain `http` to this machine is allowed opens
    /// nothing else, not even its `https`.
    pub(super) fn admits(
        &self,
        url: &Url<'_>,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> bool {
        addresses.into_iter().all(|address| {
            if url.https {
                self.lets_through(address)
            } else {
                self.allow_loopback_http && url.is_loopback() && address.is_loopback()
            }
        })
    }

    pub(super) fn lets_through(&self, address: IpAddr) -> bool {
        let address = embedded(address);
        let never = match address {
            IpAddr::V4(v4) => {
                v4.is_link_local() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()
            }
            IpAddr::V6(v6) => {
                v6.is_unspecified() || v6.is_multicast() || (v6.segments()[0] & 0xffc0) == 0xfe80
            }
        };
        !never && (!self.public_only || is_public(address))
    }
}

/// The IPv4 address that an IPv6 address stands for, if it does: mapped, compatible, NAT64
/// (RFC 6052) or 6to4 (RFC 3056).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

/// Whether an address is of the open Internet (the registries of RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !PRIVATE_V4.iter().any(|(net, bits)| within_v4(v4, *net, *bits)),
        IpAddr::V6(v6) => {
            // 2000::/3 is all that is given out; documentation and the like are in it.
            (v6.segments()[0] & 0xe000) == 0x2000
                && !PRIVATE_V6.iter().any(|(net, bits)| within_v6(v6, *net, *bits))
        }
    }
}

const PRIVATE_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const PRIVATE_V6: [(Ipv6Addr, u32); 4] = [
    // Teredo and other special purposes, documentation, and what embeds another address.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn within_v4(address: Ipv4Addr, net: Ipv4Addr, bits: u32) -> bool {
    (u32::from(address) ^ u32::from(net)) >> (32 - bits) == 0
}

fn within_v6(address: Ipv6Addr, net: Ipv6Addr, bits: u32) -> bool {
    (u128::from(address) ^ u128::from(net)) >> (128 - bits) == 0
}

pub(super) fn blocked() -> ureq::Error {
    ureq::Error::Other(Box::new(Blocked))
}

#[cfg(test)]
mod tests {
    use super::super::{HttpOptions, HttpTransport};
    use super::*;

    #[test]
    fn addresses() {
        let open = Filter { public_only: false, allow_loopback_http: false, proxy: None };
        let public = Filter { public_only: true, allow_loopback_http: false, proxy: None };
        // (address, let through in general, let through if only public ones are)
        for (address, general, strict) in [
            ("1.1.1.1", true, true),
            ("2606:4700::1111", true, true),
            ("64:ff9b::1.1.1.1", true, true),
            ("127.0.0.1", true, false),
            ("127.9.9.9", true, false),
            ("10.1.2.3", true, false),
            ("172.16.0.1", true, false),
            ("172.31.255.255", true, false),
            ("172.32.0.1", true, true),
            ("192.168.1.1", true, false),
            ("100.64.0.1", true, false),
            ("100.128.0.1", true, true),
            ("192.0.2.1", true, false),
            ("198.18.0.1", true, false),
            ("203.0.113.9", true, false),
            ("::1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("::ffff:7f00:1", true, false),
            ("::127.0.0.1", true, false),
            ("fc00::1", true, false),
            ("fd12::1", true, false),
            ("2001:db8::1", true, false),
            ("2001::1", true, false),
            ("64:ff9b::10.0.0.1", true, false),
            ("2002:a00:1::", true, false),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("2002:a9fe:a9fe::", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("ff02::1", false, false),
            ("240.0.0.1", true, false),
            ("0.1.2.3", true, false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(open.lets_through(parsed), general, "{address}");
            assert_eq!(public.lets_through(parsed), strict, "{address}, public only");
        }
    }

    /// Whatever a name stands for at the moment of connecting is what counts, all of it.
    #[test]
    fn names() {
        let (far, near) = ("https://auth.example/", "http://localhost/");
        // (public only, plain http allowed, address, what it stands for, whether it may be asked)
        for (public_only, allow_loopback_http, url, addresses, may) in [
            (true, false, far, &["1.1.1.1", "2606:4700::1111"][..], true),
            (true, false, far, &["1.1.1.1", "10.0.0.1"], false),
            (true, false, far, &["10.0.0.1", "1.1.1.1"], false),
            (true, false, far, &["2606:4700::1111", "::1"], false),
            (true, true, far, &["127.0.0.1"], false),
            (true, true, "https://localhost/", &["127.0.0.1"], false),
            (true, true, "https://127.0.0.1/", &["127.0.0.1"], false),
            (false, false, far, &["10.0.0.1", "127.0.0.1"], true),
            (false, false, far, &["1.1.1.1", "169.254.169.254"], false),
            (false, false, near, &["127.0.0.1"], false),
            (false, true, near, &["127.0.0.1", "::1"], true),
            (true, true, near, &["127.0.0.1", "::1"], true),
            (false, true, near, &["127.0.0.1", "10.0.0.1"], false),
            (false, true, near, &["1.1.1.1"], false),
            (false, true, "http://auth.example/", &["127.0.0.1"], false),
        ] {
            let filter = Filter { public_only, allow_loopback_http, proxy: None };
            let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
            let parts = Url::parse(url).unwrap();
            let admits = filter.admits(&parts, addresses.iter().copied());
            assert_eq!(admits, may, "{filter:?} {url:?} {addresses:?}");
            // A carrier of another kind gets the same answer.
            let options = HttpOptions::new().public_only(public_only);
            let transport = HttpTransport::new(options.allow_loopback_http(allow_loopback_http));
            let checked = transport.unwrap().check(url, &addresses);
            assert_eq!(checked.is_ok(), may, "{url} {addresses:?}");
        }
    }
}
