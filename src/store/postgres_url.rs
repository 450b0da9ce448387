//! What names a store in PostgreSQL: the usual `postgresql://user:password@host:port/database`,
//! with what it may say after a question mark. It is read here and connected to elsewhere.
//!
//! Refused: what is not known (`options` would change what statements mean), a weaker TLS without
//! the word `danger`, a schema whose name is not plain, control characters.

use crate::base::secret::Secret;
use crate::base::url::encode_into;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// A store in PostgreSQL: [`str::parse`] reads one; [`ToString`] and `Debug` write it without its
/// password.
///
/// ```
/// use gatekey::store::PostgresUrl;
///
/// let url: PostgresUrl = "postgresql://app:hunter2@db.example/auth?schema=keys".parse()?;
/// assert_eq!(url.to_string(), "postgresql://app@db.example:5432/auth?schema=keys");
/// assert!("postgresql://app@db.example/auth?sslmode=require".parse::<PostgresUrl>().is_err());
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Arc<Parts>);

/// The parts of the URL.
pub(super) struct Parts {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<Secret>,
    /// A file of lines `host:port:database:user:password`.
    pub(super) passfile: Option<PathBuf>,
    /// Our tables lie in this schema.
    pub(super) schema: String,
    pub(super) tls: Tls,
    /// A file of PEM certificates that are trusted instead of the usual authorities.
    pub(super) authorities: Option<PathBuf>,
    pub(super) connect_ms: u64,
    pub(super) application: String,
    /// Where notifications are awaited, if not there as well.
    pub(super) feed: Option<PostgresUrl>,
    /// A change is only acknowledged once a standby has applied it.
    pub(super) replicated: bool,
    /// Said in the URL.
    attributes: Option<&'static str>,
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// A name, an address, or the folder of a Unix socket.
    pub(super) name: String,
    pub(super) port: u16,
}

impl Host {
    pub(super) fn is_folder(&self) -> bool {
        self.name.starts_with('/')
    }
}

/// What is asked of the way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// TLS with a certificate of this name, except on a Unix socket and to this very machine.
    ByPlace,
    /// TLS with a certificate of this name everywhere.
    VerifyFull,
    /// No TLS; so nothing but a Unix socket and this very machine.
    OnlyHere,
    /// TLS with any certificate: an attacker in between reads and changes everything.
    DangerUnverified,
    /// No TLS, wherever the server is.
    DangerPlainText,
}

impl Tls {
    const NAMES: [(&'static str, Self); 4] = [
        ("verify-full", Self::VerifyFull),
        ("disable", Self::OnlyHere),
        ("danger-unverified", Self::DangerUnverified),
        ("danger-plain-text", Self::DangerPlainText),
    ];
}

impl PostgresUrl {
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "what connects needs them"))]
    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The name of the schema that holds the tables.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.0.schema
    }

    fn read(text: &str, may_have_feed: bool) -> Result<Self> {
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(argument(FORM));
        }
        let (scheme, rest) = text.split_once("://").ok_or(argument(FORM))?;
        if !["postgresql", "postgres"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(argument(FORM));
        }
        if rest.contains('#') {
            return Err(argument(ESCAPES));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let (mut user, mut password) = (None, None);
        if let Some(login) = login {
            let (name, word) = login.split_once(':').map_or((login, None), |(n, w)| (n, Some(w)));
            user = Some(unescaped(name)?);
            password = word.map(secret).transpose()?;
        }
        let mut parts = Parts {
            hosts: Vec::new(),
            user: String::new(),
            database: unescaped(database)?,
            password: None,
            passfile: None,
            schema: "gatekey".to_owned(),
            tls: Tls::ByPlace,
            authorities: None,
            connect_ms: 3000,
            application: "gatekey".to_owned(),
            feed: None,
            replicated: false,
            attributes: None,
        };
        let (mut host_list, mut port_list) = (None, None);
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(argument(UNKNOWN))?;
            if seen.contains(&name) {
                return Err(argument(TWICE));
            }
            seen.push(name);
            if name == "password" {
                password = Some(secret(value)?);
                continue;
            }
            let value = unescaped(value)?;
            match name {
                "host" => host_list = Some(value),
                "port" => port_list = Some(value),
                "user" => user = Some(value),
                "dbname" => parts.database = value,
                "passfile" => parts.passfile = Some(value.into()),
                "schema" => parts.schema = value,
                "sslmode" => {
                    let known = Tls::NAMES.iter().find(|(name, _)| *name == value);
                    parts.tls = known.ok_or(argument(SSLMODE))?.1;
                }
                "sslrootcert" => parts.authorities = Some(value.into()),
                "target_session_attrs" => {
                    let known = ["read-write", "primary"].into_iter().find(|name| *name == value);
                    parts.attributes = Some(known.ok_or(argument(ATTRIBUTES))?);
                }
                "connect_timeout" => {
                    let seconds = value.parse::<u64>().ok().filter(|s| (1..=60).contains(s));
                    parts.connect_ms = seconds.ok_or(argument(TIMEOUT))? * 1000;
                }
                "application_name" if value.is_ascii() && value.len() < 64 => {
                    parts.application = value;
                }
                "application_name" => return Err(argument(APPLICATION)),
                "feed_url" if may_have_feed => parts.feed = Some(Self::read(&value, false)?),
                "durability" if may_have_feed => {
                    parts.replicated = match value.as_str() {
                        "local" => false,
                        "replica" => true,
                        _ => return Err(argument(DURABILITY)),
                    };
                }
                "options" => return Err(argument(OPTIONS)),
                _ => return Err(argument(UNKNOWN)),
            }
        }
        parts.hosts = read_hosts(hosts, host_list.as_deref(), port_list.as_deref())?;
        parts.user = user.filter(|user| !user.is_empty()).ok_or(argument(USER))?;
        parts.password = password;
        if parts.database.is_empty() || parts.database.contains('/') {
            return Err(argument(DATABASE));
        }
        if !is_plain_name(&parts.schema) {
            return Err(argument(SCHEMA));
        }
        Ok(Self(Arc::new(parts)))
    }
}

impl FromStr for PostgresUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::read(text, true)
    }
}

impl PartialEq for Parts {
    fn eq(&self, other: &Self) -> bool {
        let word = |parts: &Self| parts.password.as_ref().map(|word| word.expose().to_vec());
        self.written() == other.written() && word(self) == word(other)
    }
}

impl Eq for Parts {}

impl Parts {
    fn written(&self) -> String {
        let mut out = String::from("postgresql://");
        encode_into(&self.user, &mut out);
        out.push('@');
        let is_folder = self.hosts.iter().any(Host::is_folder);
        if !is_folder {
            let hosts = self.hosts.iter().map(|host| match host.name.contains(':') {
                true => format!("[{}]:{}", host.name, host.port),
                false => format!("{}:{}", host.name, host.port),
            });
            out.push_str(&hosts.collect::<Vec<_>>().join(","));
        }
        out.push('/');
        encode_into(&self.database, &mut out);
        let mut pairs = Vec::new();
        if is_folder {
            let list = |each: &dyn Fn(&Host) -> String| {
                self.hosts.iter().map(each).collect::<Vec<_>>().join(",")
            };
            pairs.push(("host", list(&|host| host.name.clone())));
            pairs.push(("port", list(&|host| host.port.to_string())));
        }
        if self.schema != "gatekey" {
            pairs.push(("schema", self.schema.clone()));
        }
        if let Some((name, _)) = Tls::NAMES.iter().find(|(_, tls)| *tls == self.tls) {
            pairs.push(("sslmode", (*name).to_owned()));
        }
        for (name, path) in [("sslrootcert", &self.authorities), ("passfile", &self.passfile)] {
            pairs.extend(path.iter().map(|path| (name, path.display().to_string())));
        }
        pairs.extend(self.attributes.map(|name| ("target_session_attrs", name.to_owned())));
        if self.connect_ms != 3000 {
            pairs.push(("connect_timeout", (self.connect_ms / 1000).to_string()));
        }
        if self.application != "gatekey" {
            pairs.push(("application_name", self.application.clone()));
        }
        if self.replicated {
            pairs.push(("durability", "replica".to_owned()));
        }
        pairs.extend(self.feed.iter().map(|feed| ("feed_url", feed.to_string())));
        for (at, (name, value)) in pairs.iter().enumerate() {
            out.push(if at == 0 { '?' } else { '&' });
            out.push_str(name);
            out.push('=');
            encode_into(value, &mut out);
        }
        out
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.written())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// Whether a schema may have this name: it is quoted all the same.
fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && name.len() <= 30
        && !name.starts_with("pg_")
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn read_hosts(authority: &str, hosts: Option<&str>, ports: Option<&str>) -> Result<Vec<Host>> {
    let mut found = Vec::new();
    let names = match hosts {
        Some(_) if !authority.is_empty() => return Err(argument(TWICE)),
        Some(hosts) => hosts.split(',').map(|name| Ok((name.to_owned(), None))).collect(),
        None => authority.split(',').map(host_and_port).collect::<Result<Vec<_>>>(),
    }?;
    let ports: Vec<u16> = match ports {
        None => Vec::new(),
        Some(ports) => ports.split(',').map(port).collect::<Result<_>>()?,
    };
    if !matches!(ports.len(), 0 | 1) && ports.len() != names.len() || names.len() > 16 {
        return Err(argument(HOSTS));
    }
    for (at, (name, own)) in names.into_iter().enumerate() {
        let listed = ports.get(at).or_else(|| ports.first()).copied();
        if own.is_some() && listed.is_some() {
            return Err(argument(TWICE));
        }
        found.push(Host { name: checked_host(name)?, port: own.or(listed).unwrap_or(5432) });
    }
    Ok(found)
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>)> {
    let (name, number) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, after) = rest.split_once(']').ok_or(argument(HOSTS))?;
            let number = match after.strip_prefix(':') {
                None if after.is_empty() => None,
                number => Some(number.ok_or(argument(HOSTS))?),
            };
            (name.to_owned(), number)
        }
        None => {
            let (name, number) = text.split_once(':').map_or((text, None), |(n, p)| (n, Some(p)));
            (unescaped(name)?, number)
        }
    };
    Ok((name, number.map(port).transpose()?))
}

fn port(text: &str) -> Result<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| *port > 0 && digits).ok_or(argument(HOSTS))
}

fn checked_host(name: String) -> Result<String> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let is_fine = match name.starts_with('/') {
        true => name.len() < 100,
        false => !name.is_empty() && name.len() < 254 && name.bytes().all(fine),
    };
    if is_fine { Ok(name) } else { Err(argument(HOSTS)) }
}

/// Percent-decoded; a plus stands for itself, as for PostgreSQL's own programs.
fn unescaped(text: &str) -> Result<String> {
    String::from_utf8(decoded(text)?)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
        .ok_or(argument(ESCAPES))
}

fn secret(text: &str) -> Result<Secret> {
    decoded(text).map(Secret::new)
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    let mut bytes = text.bytes();
    // At once: what grows would leave copies of a password behind.
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let number = digit().zip(digit()).map(|(high, low)| high * 16 + low);
            let byte = number.and_then(|number| u8::try_from(number).ok());
            byte.filter(|byte| *byte != 0).ok_or(argument(ESCAPES))?
        } else {
            byte
        });
    }
    Ok(out)
}

/// The longest URL that is read, in bytes.
const LONGEST: usize = 4096;

const FORM: &str = "A store in PostgreSQL is postgresql://user@host/database, without control characters, at most 4096 bytes.";
const ESCAPES: &str = "What stands in a URL of PostgreSQL for another character is % and two hexadecimal digits of UTF-8, such as %40 \
     for @; # is written %23.";
const USER: &str = "The URL of PostgreSQL names no user: postgresql://user@host/database. Its password may stand in PGPASSWORD.";
const DATABASE: &str = "The URL of PostgreSQL names no database: postgresql://user@host/database.";
const HOSTS: &str = "The hosts of PostgreSQL are names, addresses ([::1] with brackets) or folders of a Unix socket (host=/run/...), \
     each with a port from 1 to 65535, at most 16.";
const SCHEMA: &str = "`schema` is 1 to 30 small letters, digits and underscores; it begins with no digit and not with pg_.";
const SSLMODE: &str = "`sslmode` is verify-full (the default), or disable on this machine. Weaker, against your own interest: \
     danger-unverified, danger-plain-text.";
const ATTRIBUTES: &str =
    "`target_session_attrs` is read-write or primary: a store is never read from a standby.";
const TIMEOUT: &str = "`connect_timeout` is 1 to 60 seconds.";
const APPLICATION: &str = "`application_name` is at most 63 characters of ASCII.";
const DURABILITY: &str = "`durability` is local (the default), or replica: a change is acknowledged once a standby has applied it.";
const OPTIONS: &str = "`options` is not taken: gatekey sets what its statements need by itself. Settings of a role are made with ALTER \
     ROLE.";
const TWICE: &str = "The URL of PostgreSQL says the same thing twice; say it once.";
const UNKNOWN: &str = "A parameter of the URL is not known: host, port, user, password, dbname, passfile, schema, sslmode, sslrootcert, \
     target_session_attrs, connect_timeout, application_name, durability, feed_url.";

const fn argument(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PostgresUrl> {
        text.parse()
    }

    #[test]
    fn what_is_written_reads_as_the_same() {
        for text in [
            "postgresql://app@db.example:5432/auth",
            "postgresql://a%40b@db:1,db2:65535/x%20y?schema=_k9&sslmode=verify-full",
            "postgresql://app@[::1]:5432/auth?sslmode=danger-plain-text",
            "postgresql://app@/auth?host=%2Frun%2Fpg&port=5433&sslmode=disable",
            "postgresql://app@h:5432/a?sslrootcert=%2Fca.pem&passfile=%2Fp&target_session_attrs=primary\
             &connect_timeout=9&application_name=shop&durability=replica&feed_url=postgresql%3A%2F%2Fapp%40h%3A5433%2Fa",
        ] {
            let url = parse(text).unwrap();
            assert_eq!(url.to_string(), text);
            assert_eq!(parse(&url.to_string()).unwrap(), url);
        }
        let url = parse("POSTGRES://app@h/a?host=").unwrap_err();
        assert_eq!(url.kind(), ErrorKind::InvalidArgument);
        let two = parse("postgres://app@a,b:7/x").unwrap();
        assert_eq!(two.to_string(), "postgresql://app@a:5432,b:7/x");
    }

    #[test]
    fn no_form_of_a_password_is_shown() {
        for text in [
            "postgresql://app:Zx9%21kQ%407@h/a",
            "postgresql://app@h/a?password=Zx9%21kQ%407",
            "postgresql://app@h/a?feed_url=postgresql%3A%2F%2Fapp%3AZx9%2521kQ%25407%40h%2Fa",
        ] {
            let url = parse(text).unwrap();
            let parts = url.parts();
            let word = parts
                .password
                .as_ref()
                .or_else(|| parts.feed.as_ref().and_then(|feed| feed.parts().password.as_ref()));
            assert_eq!(word.unwrap().expose(), b"Zx9!kQ@7");
            let shown = format!("{url} {url:?}");
            assert!(!shown.contains("Zx9") && !shown.contains("kQ"), "{shown}");
            assert_ne!(parse("postgresql://app:other@h/a").unwrap(), url);
        }
    }

    #[test]
    fn what_is_odd_is_refused() {
        for (text, message) in [
            ("postgresql:///auth", HOSTS),
            ("postgresql://h/auth", USER),
            ("postgresql://app@h", DATABASE),
            ("postgresql://app@h/a/b", DATABASE),
            ("postgresql://app@h:0/a", HOSTS),
            ("postgresql://app@h:+1/a", HOSTS),
            ("postgresql://app@h:99999/a", HOSTS),
            ("postgresql://app@h:1,k/a?port=2", TWICE),
            ("postgresql://app@h,k,l/a?port=2,3", HOSTS),
            ("postgresql://app@h/a?host=k", TWICE),
            ("postgresql://app@h h/a", HOSTS),
            ("postgresql://app:%zz@h/a", ESCAPES),
            ("postgresql://app:%00@h/a", ESCAPES),
            ("postgresql://a%0Ab@h/a", ESCAPES),
            ("postgresql://app@h/a#b", ESCAPES),
            ("postgresql://app@h/a?schema=a%22b", SCHEMA),
            ("postgresql://app@h/a?schema=a'; DROP TABLE t; --", SCHEMA),
            ("postgresql://app@h/a?schema=Keys", SCHEMA),
            ("postgresql://app@h/a?schema=9", SCHEMA),
            ("postgresql://app@h/a?schema=", SCHEMA),
            ("postgresql://app@h/a?schema=pg_catalog", SCHEMA),
            ("postgresql://app@h/a?schema=abcdefghijabcdefghijabcdefghijk", SCHEMA),
            ("postgresql://app@h/a?sslmode=require", SSLMODE),
            ("postgresql://app@h/a?sslmode=prefer", SSLMODE),
            ("postgresql://app@h/a?target_session_attrs=any", ATTRIBUTES),
            ("postgresql://app@h/a?durability=remote_apply", DURABILITY),
            (
                "postgresql://app@h/a?feed_url=postgresql%3A%2F%2Fapp%40h%2Fa%3Fdurability%3Dreplica",
                UNKNOWN,
            ),
            ("postgresql://app@h/a?options=-csearch_path%3Devil", OPTIONS),
            ("postgresql://app@h/a?connect_timeout=0", TIMEOUT),
            ("postgresql://app@h/a?sslcert=x", UNKNOWN),
            ("postgresql://app@h/a?schema", UNKNOWN),
            ("postgresql://app@h/a?schema=a&schema=b", TWICE),
            (
                "postgresql://app@h/a?feed_url=postgresql%3A%2F%2Fapp%40h%2Fa%3Ffeed_url%3Dx",
                UNKNOWN,
            ),
        ] {
            let refused = parse(text).unwrap_err();
            assert_eq!(refused, argument(message), "{text}");
        }
        // A name with an equals sign is a name.
        assert!(parse("postgresql://app@h/host%3Devil.test").is_ok());
    }
}
