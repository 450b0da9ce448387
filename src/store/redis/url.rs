//! The address of limits in a Valkey or Redis.

use crate::base::secret::Secret;
use crate::base::url::{pairs, unescape};
use crate::error::{Error, ErrorKind, Result};
use crate::store::private_file::{open_regular, read_private_file};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most bytes of a password and of a file with certificates.
const LONGEST_PASSWORD: u64 = 1024;
const LONGEST_CERTIFICATES: u64 = 1 << 20;

/// Where the server is, and what this program is there.
pub(super) struct Address {
    pub(super) place: Place,
    pub(super) tls: bool,
    /// Plain text may leave this machine.
    pub(super) plain: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: u16,
    pub(super) authorities: Option<Vec<CertificateDer<'static>>>,
    /// What the names of all counters begin with.
    pub(super) name: String,
    /// How long a question waits for its answer. A server that is silent for so long is left.
    pub(super) answer: Duration,
}

pub(super) enum Place {
    Host { name: String, port: u16 },
    Socket(PathBuf),
}

impl Address {
    /// # Errors
    /// See [`RedisLimits::open`](super::RedisLimits::open).
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (place, parameters) = text.split_once('?').unwrap_or((text, ""));
        let (scheme, rest) = place.split_once(':').ok_or(FORM)?;
        let (tls, is_socket) = match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => (false, false),
            "rediss" | "valkeys" => (true, false),
            "redis+unix" | "valkey+unix" | "unix" => (false, true),
            _ => return Err(FORM),
        };
        if text.chars().any(char::is_control) || text.contains('#') {
            return Err(FORM);
        }
        let Parameters { name, authorities, password: of_file, plain, answer } =
            Parameters::read(parameters)?;
        if authorities.is_some() && !tls {
            return Err(AUTHORITY.about_claim("ca_file"));
        }
        let mut made = Self {
            place: Place::Socket(PathBuf::new()),
            tls,
            plain,
            user: None,
            password: of_file,
            database: 0,
            authorities,
            name,
            answer,
        };
        if is_socket {
            let path = rest.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(rest);
            if !path.starts_with('/') || path.starts_with("//") || path.ends_with('/') {
                return Err(FORM);
            }
            made.place = Place::Socket(path.into());
            return Ok(made);
        }
        let rest = rest.strip_prefix("//").ok_or(FORM)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() {
            made.database = number(path)?;
        }
        let host = match authority.rsplit_once('@') {
            None => authority,
            Some((login, host)) => {
                let (user, word) = login.split_once(':').ok_or(FORM)?;
                let user = unescape(user).ok_or(FORM)?.into_owned();
                let word = unescape(word).filter(|word| !word.is_empty()).ok_or(FORM)?;
                made.user = Some(user).filter(|user| !user.is_empty());
                if made.password.is_some() {
                    return Err(TWO_PASSWORDS.about_claim("password_file"));
                }
                made.password = Some(Secret::new(word.into_owned().into_bytes()));
                host
            }
        };
        let (host, port) = host_and_port(host)?;
        let is_closed = tls && made.password.is_some();
        if !is_of_this_machine(&host) && !plain && !is_closed {
            return Err(OPEN);
        }
        made.place = Place::Host { name: host, port };
        Ok(made)
    }
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        match &self.place {
            Place::Host { name, port } if name.contains(':') => {
                write!(f, "{scheme}://[{name}]:{port}")
            }
            Place::Host { name, port } => write!(f, "{scheme}://{name}:{port}"),
            Place::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn number(text: &str) -> Result<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(FORM)
}

fn host_and_port(text: &str) -> Result<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(FORM)?;
            host.parse::<core::net::Ipv6Addr>().map_err(|_| FORM)?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')) };
            (host, port.map(|port| port.ok_or(FORM)).transpose()?)
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if !(1..=253).contains(&host.len()) || !host.bytes().all(is_fine) {
        return Err(FORM);
    }
    let port = match port {
        None => 6379,
        Some(port) => number(port).ok().filter(|port| *port > 0).ok_or(FORM)?,
    };
    Ok((host.to_owned(), port))
}

fn is_of_this_machine(host: &str) -> bool {
    let is_loopback = |address: core::net::IpAddr| address.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

/// What stands behind the question mark.
struct Parameters {
    name: String,
    authorities: Option<Vec<CertificateDer<'static>>>,
    password: Option<Secret>,
    plain: bool,
    answer: Duration,
}

impl Parameters {
    fn read(text: &str) -> Result<Self> {
        let mut found = Self {
            name: "gatekey".to_owned(),
            authorities: None,
            password: None,
            plain: false,
            answer: Duration::from_millis(5),
        };
        let mut seen = Vec::new();
        if text.is_empty() {
            return Ok(found);
        }
        for (key, value) in pairs(text).ok_or(PARAMETER)? {
            if seen.contains(&key) || value.is_empty() {
                return Err(PARAMETER);
            }
            match &*key {
                "name" => found.name = name(&value)?,
                "ca_file" => found.authorities = Some(certificates(Path::new(&*value))?),
                "password_file" => found.password = Some(password(Path::new(&*value))?),
                "timeout_ms" => {
                    let within = number(&value).ok().filter(|time| (1..=1000).contains(time));
                    found.answer = Duration::from_millis(within.ok_or(PARAMETER)?.into());
                }
                "danger_plain" if value == "1" => found.plain = true,
                _ => return Err(PARAMETER),
            }
            seen.push(key);
        }
        Ok(found)
    }
}

fn name(value: &str) -> Result<String> {
    let is_plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if value.len() <= 64 && is_plain { Ok(value.to_owned()) } else { Err(NAME.about_claim("name")) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unusable = || CERTIFICATES.about_claim("ca_file");
    let mut pem = Vec::new();
    let read =
        open_regular(path).and_then(|file| file.take(LONGEST_CERTIFICATES).read_to_end(&mut pem));
    read.map_err(|_| unusable())?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(unusable)
}

fn password(path: &Path) -> Result<Secret> {
    let unreadable = || PASSWORD.about_claim("password_file");
    let bytes = read_private_file(path, LONGEST_PASSWORD).map_err(|_| unreadable())?;
    let bytes = bytes.ok_or_else(unreadable)?;
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
    let end = end.ok_or_else(unreadable)?;
    Ok(Secret::new(bytes.get(..=end).unwrap_or_default().to_vec()))
}

const FORM: Error = Error::new(
    ErrorKind::InvalidArgument,
    "Shared limits are redis://host:6379, rediss://user:password@host:6379 with TLS (valkey, valkeys alike) or unix:/path/of/socket.",
);
const PARAMETER: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The address of shared limits may end in ?name=..., ca_file=..., password_file=..., timeout_ms=1 to 1000, joined by &, each once.",
);
const NAME: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The name of shared limits is 1 to 64 letters, digits, hyphens, dots and underscores.",
);
const OPEN: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Shared limits on another machine need TLS and a password: rediss://:password@host, or ?password_file=FILE. Where the network \
     itself is encrypted, add danger_plain=1.",
);
const AUTHORITY: Error =
    Error::new(ErrorKind::InvalidConfiguration, "An authority is for TLS: write rediss://.");
const CERTIFICATES: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The file of the authority cannot be read, or holds no certificates in PEM.",
);
const PASSWORD: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The file of the password cannot be read, is empty, or others than its owner may read it.",
);
const TWO_PASSWORDS: Error = Error::new(
    ErrorKind::InvalidArgument,
    "There are two passwords: one in the address, and one in a file.",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> ErrorKind {
        Address::parse(text).err().unwrap().kind()
    }

    #[test]
    fn what_is_an_address() {
        for (text, shown) in [
            ("redis://127.0.0.1:7000", "redis://127.0.0.1:7000"),
            ("valkey://localhost", "redis://localhost:6379"),
            ("redis://[::1]:7000/3?name=shop", "redis://[::1]:7000"),
            ("unix:/run/valkey.sock", "unix:/run/valkey.sock"),
            ("unix:///run/valkey.sock?name=a", "unix:/run/valkey.sock"),
            ("rediss://app:Zx9%21k@cache.example:6380", "rediss://cache.example:6380"),
            ("redis://cache.example?danger_plain=1", "redis://cache.example:6379"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "redis",
            "http://127.0.0.1",
            "redis://127.0.0.1:x",
            "redis://127.0.0.1#a",
            "redis://127.0.0.1/x",
            "redis://127.0.0.1/70000",
            "redis://127.0.0.1:0",
            "redis://127.0.0.1:+1",
            "redis://user@127.0.0.1",
            "redis://:@127.0.0.1",
            "redis://:%zz@127.0.0.1",
            "redis://a b",
            "redis://[::x]",
            "redis:127.0.0.1",
            "unix:relative",
            "unix://host/path",
            "redis://127.0.0.1?nam=a",
            "redis://127.0.0.1?name=",
            "redis://127.0.0.1?name=a&name=b",
            "redis://127.0.0.1?name=a:b",
            "redis://127.0.0.1?danger_plain=yes",
            "redis://127.0.0.1?timeout_ms=0",
            "redis://127.0.0.1?timeout_ms=1001",
        ] {
            assert_eq!(kind(text), ErrorKind::InvalidArgument, "{text}");
        }
        for text in [
            "redis://cache.example",
            "rediss://cache.example",
            "redis://:p@cache.example",
            "redis://127.0.0.1?ca_file=/a",
            "rediss://:p@cache.example?ca_file=/no/such",
            "redis://127.0.0.1?password_file=/no/such",
        ] {
            assert_eq!(kind(text), ErrorKind::InvalidConfiguration, "{text}");
        }
    }

    #[test]
    fn messages_are_short_and_show_no_password() {
        for message in
            [FORM, PARAMETER, NAME, OPEN, AUTHORITY, CERTIFICATES, PASSWORD, TWO_PASSWORDS]
        {
            assert!(message.to_string().len() <= Error::MAX_MESSAGE, "{message}");
        }
        for text in [
            "redis://:Zx9!kQ@7@cache.example",
            "rediss://:Zx9!kQ@[::x",
            "redis://u:Zx9%zz@127.0.0.1:99999",
        ] {
            let error = Address::parse(text).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("Zx9"), "{error}");
        }
    }
}
