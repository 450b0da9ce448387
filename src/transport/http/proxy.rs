//! The proxy that `https` requests go through, if one was asked for, and for which hosts it is
//! passed over.
//!
//! `environment` stands for `https_proxy` or `all_proxy`, in small or capital letters, and
//! `no_proxy`; they are read when the transport is made. `http_proxy` is never read: a CGI program
//! has it from its caller.
//!
//! Refused: proxies of other kinds than `http`, and an address that cannot be read, also in the
//! environment: it is never passed over in silence.

use super::resolve::Filter;
use crate::base::b64;
use crate::base::secret::Secret;
use crate::base::url::{Url, unescape};
use crate::error::{Error, ErrorKind, Result};
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use zeroize::Zeroizing;

/// The word that stands for what the environment says.
const ENVIRONMENT: &str = "environment";
/// The longest address of a proxy and the longest `no_proxy`, in bytes.
const LONGEST: (usize, usize) = (2048, 64 * 1024);

/// Where the proxy is, what is sent to it, and for which hosts it is not asked.
pub(super) struct Proxy {
    /// `http://host:port/`.
    address: String,
    /// The value of `Proxy-Authorization`.
    authorization: Option<Secret>,
    passed_over: Vec<PassedOver>,
}

/// An entry of `no_proxy`.
#[derive(Debug, PartialEq)]
enum PassedOver {
    All,
    /// The host and those below it; at this port or at any.
    Name(String, Option<u16>),
    Address(IpAddr, Option<u16>),
    /// A network, and how many bits of it count.
    Network(IpAddr, u32),
}

impl Proxy {
    /// The proxy of this text: an address, or `environment`, which may name none.
    pub(super) fn read(text: &str) -> Result<Option<Self>> {
        let read = if text == ENVIRONMENT {
            Self::of(|name| std::env::var_os(name))
        } else {
            Self::at(text).map(Some)
        };
        read.map_err(|error| error.about_claim("proxy"))
    }

    /// The proxy that these variables name.
    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>> {
        let value = |name: &str| {
            let names = [name.to_owned(), name.to_ascii_uppercase()];
            let mut values = names.iter().filter_map(|name| variable(name));
            values.find(|value| !value.is_empty())
        };
        let Some(address) = value("https_proxy").or_else(|| value("all_proxy")) else {
            return Ok(None);
        };
        let address = Zeroizing::new(address.into_string().map_err(|_| NO_ADDRESS)?);
        // Other programs take `host:port` there as well.
        let mut proxy = if address.contains("://") {
            Self::at(&address)?
        } else {
            Self::at(&Zeroizing::new(format!("http://{}", *address)))?
        };
        let passed_over = value("no_proxy").unwrap_or_default().into_string();
        let passed_over = passed_over.ok().filter(|text| text.len() <= LONGEST.1);
        proxy.passed_over = passed_over
            .ok_or(NO_LIST)?
            .split(|c: char| c == ',' || c.is_ascii_whitespace())
            .filter_map(PassedOver::read)
            .collect();
        Ok(Some(proxy))
    }

    /// The proxy at this address: `http://[user[:password]@]host[:port]`.
    fn at(text: &str) -> Result<Self> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let rest = match scheme.as_deref() {
            Some("http") if text.len() <= LONGEST.0 => text.get("http://".len()..),
            Some("https" | "socks" | "socks4" | "socks4a" | "socks5" | "socks5h") => {
                return Err(OTHER_KIND);
            }
            _ => None,
        };
        let rest = rest.ok_or(NO_ADDRESS)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let address = format!("http://{place}/");
        let is_place = !place.contains(['/', '?']);
        if !is_place || Url::parse(&address).is_err() {
            return Err(NO_ADDRESS);
        }
        let authorization = user.map(basic).transpose()?;
        Ok(Self { address, authorization, passed_over: Vec::new() })
    }

    /// Where it is.
    pub(super) fn url(&self) -> Result<Url<'_>> {
        Url::parse(&self.address)
    }

    pub(super) const fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// Whether a request goes through it.
    pub(super) fn takes(&self, url: &Url<'_>) -> bool {
        url.https && !self.passed_over.iter().any(|entry| entry.is(url))
    }

    /// Whether it may be asked for this host. A name is the proxy's to look up; an address is kept
    /// out as it is without a proxy, in whatever way it is written.
    pub(super) fn may_ask_for(url: &Url<'_>, filter: &Filter) -> bool {
        let host = bare(url.host);
        let last = host.rsplit('.').next().unwrap_or_default();
        let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
        match host.parse() {
            Ok(address) => filter.lets_through(address),
            // `2852039166` and `0xa9.0xfe.43518` are addresses to some who look names up.
            Err(_) => !is_number,
        }
    }
}

/// The value of `Proxy-Authorization` (RFC 7617) for this part of an address.
fn basic(user: &str) -> Result<Secret> {
    let part = |text: &str| {
        let plus_is_plus = Zeroizing::new(text.replace('+', "%2B"));
        let text = unescape(&plus_is_plus).map(|text| Zeroizing::new(text.into_owned()));
        text.filter(|text| !text.chars().any(char::is_control)).ok_or(NO_USER)
    };
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let (name, password) = (part(name)?, part(password)?);
    if name.contains(':') {
        return Err(NO_USER);
    }
    let pair = Zeroizing::new(format!("{}:{}", *name, *password));
    let pair = Zeroizing::new(b64::encode_padded(pair.as_bytes()));
    Ok(Secret::from(format!("Basic {}", *pair)))
}

/// A host in lower case, without brackets and without the dot that a full name may end with.
fn bare(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

impl PassedOver {
    /// `*`, a host, an address or a network, the middle ones with a port if they like; `None` for
    /// anything else, which then goes through the proxy.
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() || text == "*" {
            return (!text.is_empty()).then_some(Self::All);
        }
        if let Some((network, bits)) = text.split_once('/') {
            let network: IpAddr = network.parse().ok()?;
            let bits = bits.parse().ok()?;
            return (bits <= width(network)).then_some(Self::Network(network, bits));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address, None));
        }
        let name = text.strip_prefix('*').unwrap_or(text);
        let name = name.strip_prefix('.').unwrap_or(name);
        let url = format!("https://{name}/");
        let url = Url::parse(&url).ok()?;
        let port = name.get(url.host.len()..).filter(|rest| !rest.is_empty()).map(|_| url.port);
        let host = bare(url.host);
        Some(match host.parse() {
            Ok(address) => Self::Address(address, port),
            Err(_) => Self::Name(host, port),
        })
    }

    fn is(&self, url: &Url<'_>) -> bool {
        let host = bare(url.host);
        let at = |port: &Option<u16>| port.is_none_or(|port| port == url.port);
        match self {
            Self::All => true,
            Self::Name(name, port) => {
                let above = host.strip_suffix(name.as_str());
                at(port) && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            Self::Address(own, port) => at(port) && host.parse() == Ok(*own),
            Self::Network(network, bits) => {
                host.parse().is_ok_and(|address| within(address, *network, *bits))
            }
        }
    }
}

const fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { Ipv4Addr::BITS } else { u128::BITS }
}

/// Whether the first bits of both are the same.
fn within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    let differ = number(address) ^ number(network);
    address.is_ipv4() == network.is_ipv4()
        && differ.checked_shr(width(network) - bits).is_none_or(|rest| rest == 0)
}

const fn wrong(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const NO_ADDRESS: Error = wrong(
    "A proxy is given as `http://host:port`, with `user:password@` before the host if need be, or as `environment`, \
     whose `https_proxy` must then be such an address.",
);
const OTHER_KIND: Error = wrong(
    "Only proxies of the kind `http://host:port` are used: TLS is spoken through it with the other server itself, so \
     that the way to the proxy needs none.",
);
const NO_USER: Error = wrong(
    "The proxy's user and password must be text without control characters, percent-encoded in its address, and the \
     user without a colon.",
);
const NO_LIST: Error = wrong("The variable `no_proxy` is not text, or longer than 64 KiB.");

/// Where it is, and whether a password is sent to it.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("authorization", &self.authorization.is_some())
            .field("passed_over", &self.passed_over)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proxies() {
        for (text, address, authorization) in [
            ("http://proxy.example:3128", "http://proxy.example:3128/", None),
            ("HTTP://proxy.example:3128/", "http://proxy.example:3128/", None),
            ("http://10.0.0.1", "http://10.0.0.1/", None),
            ("http://[::1]:8080/", "http://[::1]:8080/", None),
            ("http://a:b@proxy.example:1", "http://proxy.example:1/", Some("Basic YTpi")),
            ("http://a@proxy.example:1", "http://proxy.example:1/", Some("Basic YTo=")),
            ("http://a%40x:p%3A+%2F@h:1", "http://h:1/", Some("Basic YUB4OnA6Ky8=")),
            ("http://a:b:c@h:1", "http://h:1/", Some("Basic YTpiOmM=")),
        ] {
            let proxy = Proxy::read(text).unwrap().unwrap();
            assert_eq!(proxy.address, address, "{text}");
            assert_eq!(proxy.authorization().map(Secret::expose_str), authorization, "{text}");
            assert!(proxy.takes(&Url::parse("https://auth.example/").unwrap()), "{text}");
            assert!(!proxy.takes(&Url::parse("http://localhost/").unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_proxy() {
        let long = format!("http://{}:1", "h".repeat(3000));
        for text in [
            "",
            "proxy.example:3128",
            "http://",
            "http:///",
            "http://h:99999",
            "http://h:0",
            "http://h:",
            "http://h h:1",
            "http://h:1/path",
            "http://h:1?query",
            "http://h:1#part",
            "http://h\r\n:1",
            "http://user:pass@",
            "http://us\u{e9}r.example:1",
            "https://proxy.example:3128",
            "socks5://proxy.example:1080",
            "ftp://h:1",
            "file:///x",
            "Environment",
            "http://a%0d%0aX-Injected:b@h:1",
            "http://a:b%0Ac@h:1",
            "http://a:%00@h:1",
            "http://a%3Ab:c@h:1",
            "http://a%zz@h:1",
            "http://a%ff@h:1",
            &long,
        ] {
            let error = Proxy::read(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{text}");
            assert_eq!(error.claim(), Some("proxy"), "{text}");
        }
    }

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Proxy>> {
        Proxy::of(|name| pairs.iter().find(|(own, _)| *own == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn what_the_environment_says() {
        assert!(of(&[]).unwrap().is_none());
        assert!(
            of(&[("HTTP_PROXY", "http://h:1"), ("http_proxy", "http://h:1")]).unwrap().is_none()
        );
        assert!(of(&[("https_proxy", ""), ("no_proxy", "*")]).unwrap().is_none());
        for (pairs, address) in [
            (&[("https_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")][..], "http://a:1/"),
            (&[("HTTPS_PROXY", "http://b:2"), ("all_proxy", "http://c:3")], "http://b:2/"),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "http://b:2")], "http://b:2/"),
            (&[("ALL_PROXY", "http://c:3")], "http://c:3/"),
            (&[("https_proxy", "d:4")], "http://d:4/"),
            (&[("https_proxy", "user:pass@d:4")], "http://d:4/"),
        ] {
            assert_eq!(of(pairs).unwrap().unwrap().address, address, "{pairs:?}");
        }
        for wrong in ["https://h:1", "socks5h://h:1", "h h", "http://h:1/x"] {
            let error = of(&[("https_proxy", wrong), ("all_proxy", "http://h:1")]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
        }
    }

    #[test]
    fn whom_it_is_not_asked_for() {
        // (no_proxy, passed over, not passed over)
        for (list, over, through) in [
            ("", &[][..], &["https://a.example/"][..]),
            ("*", &["https://a.example/", "https://10.1.1.1:4/"], &[]),
            (
                "b.example, A.Example",
                &["https://a.example/", "https://x.A.example.:8443/", "https://b.example/"],
                &["https://ba.example/", "https://a.example.org/", "https://example/"],
            ),
            (
                ".a.example *.c.example",
                &["https://a.example/", "https://x.a.example/", "https://y.c.example/"],
                &["https://xa.example/"],
            ),
            (
                "a.example:8443",
                &["https://a.example:8443/", "https://x.a.example:8443/"],
                &["https://a.example/"],
            ),
            ("a.example:443", &["https://a.example/"], &["https://a.example:444/"]),
            ("10.1.2.3", &["https://10.1.2.3/"], &["https://10.1.2.4/", "https://110.1.2.3/"]),
            ("10.1.2.3:444", &["https://10.1.2.3:444/"], &["https://10.1.2.3/"]),
            (
                "10.0.0.0/8,fd00::/8",
                &["https://10.9.9.9/", "https://[fd12::1]/"],
                &["https://11.0.0.1/", "https://[fe80::1]/", "https://a.example/"],
            ),
            ("0.0.0.0/0", &["https://10.9.9.9/"], &["https://[fd12::1]/", "https://a.example/"]),
            (
                "::1,[fd12::2]:444",
                &["https://[::1]/", "https://[fd12::2]:444/"],
                &["https://[fd12::2]/"],
            ),
            ("localhost", &["https://localhost:1/"], &["https://127.0.0.1/"]),
            ("10.0.0.0/33,a b/c,http://x,:,/,.", &[], &["https://a.example/", "https://10.0.0.1/"]),
        ] {
            let proxy = of(&[("https_proxy", "http://h:1"), ("NO_PROXY", list)]).unwrap().unwrap();
            for (urls, takes) in [(over, false), (through, true)] {
                for url in urls {
                    assert_eq!(proxy.takes(&Url::parse(url).unwrap()), takes, "{list} {url}");
                }
            }
        }
        let long = "a,".repeat(40_000);
        assert!(of(&[("https_proxy", "http://h:1"), ("no_proxy", &long)]).is_err());
    }
}
