//! Cookies that hold secrets (RFC 6265bis): made by rules that browsers enforce silently, cleared
//! with the attributes they were set with, and refused where a name comes twice.

use crate::error::{Error, ErrorKind, Remedy, Result};
use memchr::memmem::Finder;
use std::fmt::Write as _;

/// When a browser sends a cookie along with requests that other sites cause (RFC 6265bis section
/// 5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// With navigations by links, not with other requests.
    #[default]
    Lax,
    /// Never.
    Strict,
    /// Always; needs `Secure`.
    None,
}

impl SameSite {
    /// The attribute's value: `Lax`, `Strict`, `None`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }

    /// The one of this name, in any case.
    ///
    /// # Errors
    /// `InvalidArgument`: the name is unknown.
    pub fn from_name(name: &str) -> Result<Self> {
        [Self::Lax, Self::Strict, Self::None]
            .into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(name))
            .ok_or(Error::new(
                ErrorKind::InvalidArgument,
                "SameSite (`same_site`) is Lax, Strict or None.",
            ))
    }
}

/// A cookie of one name: how it is set, cleared and read. Made once.
///
/// ```
/// use gatekey::web::{Cookie, SameSite};
///
/// let refresh = Cookie::builder("__Host-refresh").same_site(SameSite::Strict).max_age(604_800).build()?;
/// assert_eq!(
///     refresh.set("opaque")?,
///     "__Host-refresh=opaque; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"
/// );
/// assert_eq!(refresh.read("theme=dark; __Host-refresh=opaque")?, Some("opaque"));
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    /// `; Path=/...; Domain=...`, as every header repeats it.
    place: String,
    /// `; Max-Age=...`, or nothing: until the browser ends.
    age: String,
    /// `; HttpOnly; Secure; SameSite=...`
    flags: String,
}

/// How a [`Cookie`] is made; see [`Cookie::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct CookieBuilder {
    name: String,
    path: String,
    domain: Option<String>,
    max_age: Option<u64>,
    same_site: SameSite,
    secure: bool,
    http_only: bool,
    partitioned: bool,
    allow_http: bool,
}

impl CookieBuilder {
    /// The longest life, in seconds: 400 days, to which browsers cut (RFC 6265bis section 5.6.2).
    pub const LONGEST: u64 = 400 * 86_400;

    /// Under which path it is sent; `/` unless set.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sends it to this domain and all below; without, to the host that set it and no other.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// For how many seconds it is kept; without, until the browser ends.
    pub const fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// When it is sent with requests that other sites cause; `Lax` unless set.
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Whether scripts are kept from it; they are unless told. A CSRF token is for scripts to read.
    pub const fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Keeps it apart for each top-level site that embeds us (CHIPS).
    pub const fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Leaves `Secure` out; only together with [`Self::danger_allow_http`].
    pub const fn insecure(mut self) -> Self {
        self.secure = false;
        self
    }

    /// Allows a cookie without `Secure`, for development without HTTPS.
    ///
    /// # Security
    /// Anyone who sees or changes the traffic has, or plants, the session.
    pub const fn danger_allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// The cookie.
    ///
    /// # Errors
    /// `InvalidConfiguration`: a browser would refuse it, cut it, or send it where it should not
    /// go; the message says which rule it breaks.
    pub fn build(self) -> Result<Cookie> {
        self.check_texts()?;
        self.check_together()?;
        let mut place = format!("; Path={}", self.path);
        if let Some(domain) = &self.domain {
            let _ = write!(place, "; Domain={domain}"); // a String takes anything
        }
        let mut flags = String::new();
        for (is_set, flag) in [(self.http_only, "; HttpOnly"), (self.secure, "; Secure")] {
            flags.push_str(if is_set { flag } else { "" });
        }
        let _ = write!(flags, "; SameSite={}", self.same_site.name());
        if self.partitioned {
            flags.push_str("; Partitioned");
        }
        let age = self.max_age.map_or_else(String::new, |age| format!("; Max-Age={age}"));
        Ok(Cookie { name: self.name, place, age, flags })
    }

    /// Each by itself.
    fn check_texts(&self) -> Result<()> {
        if !(1..=128).contains(&self.name.len()) || !self.name.bytes().all(is_token) {
            return refuse(
                "A cookie's name is 1 to 128 letters, digits and !#$%&'*+-.^_`|~ (RFC 9110).",
            );
        }
        let is_path = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b';';
        if !self.path.starts_with('/') || self.path.len() > 1024 || !self.path.bytes().all(is_path)
        {
            return refuse(
                "A `path` begins with / and is at most 1024 ASCII characters without a semicolon.",
            );
        }
        if self.domain.as_deref().is_some_and(|domain| !is_host_name(domain)) {
            return refuse(
                "A `domain` is a name such as example.com: without scheme, port or leading dot.",
            );
        }
        match self.max_age {
            Some(0) => refuse("A cookie is cleared by `clear`, not by a `max_age` of 0 seconds."),
            Some(age) if age > Self::LONGEST => refuse(
                "Browsers keep a cookie for at most 400 days (RFC 6265bis): `max_age` is in seconds.",
            ),
            _ => Ok(()),
        }
    }

    /// All of them together.
    fn check_together(&self) -> Result<()> {
        // Browsers compare prefixes without regard to case (RFC 6265bis section 5.7).
        let has_prefix = |prefix: &str| {
            self.name.get(..prefix.len()).is_some_and(|own| own.eq_ignore_ascii_case(prefix))
        };
        let host = has_prefix("__Host-");
        if host && (self.domain.is_some() || self.path != "/") {
            return refuse(
                "A cookie named __Host-... has no `domain` and the `path` / (RFC 6265bis section 4.1.3.2): leave them out, or rename it.",
            );
        }
        if (host || has_prefix("__Secure-") || has_prefix("__Http-")) && !self.secure {
            return refuse(
                "A cookie named __Host-, __Secure- or __Http-... needs Secure (`secure`); rename it to develop without HTTPS.",
            );
        }
        if (has_prefix("__Http-") || has_prefix("__Host-Http-")) && !self.http_only {
            return refuse(
                "A cookie named __Http- or __Host-Http-... needs HttpOnly (`http_only`).",
            );
        }
        if self.same_site == SameSite::None && !self.secure {
            return refuse(
                "SameSite=None (`same_site`) needs Secure (`secure`); browsers refuse the cookie otherwise.",
            );
        }
        if self.partitioned && !self.secure {
            return refuse(
                "Partitioned (`partitioned`) needs Secure (`secure`); browsers refuse the cookie otherwise.",
            );
        }
        if !self.secure && !self.allow_http {
            const PLAIN: Error = Error::new(
                ErrorKind::InvalidConfiguration,
                "A cookie without Secure (`secure`) travels in clear text.",
            );
            return Err(PLAIN.remedied(Remedy::AllowHttp));
        }
        Ok(())
    }
}

impl Cookie {
    /// The most bytes of a name and a value: what every browser keeps (RFC 6265bis section 5.6).
    pub const MAX_PAIR: usize = 4096;
    /// The most bytes of a `Cookie` header that are read.
    pub const MAX_HEADER: usize = 64 * 1024;

    /// A cookie of this name: `Path=/; HttpOnly; Secure; SameSite=Lax`, until the browser ends. The
    /// name should begin with `__Host-`, which keeps other hosts of the domain from planting one.
    pub fn builder(name: impl Into<String>) -> CookieBuilder {
        CookieBuilder {
            name: name.into(),
            path: "/".to_owned(),
            domain: None,
            max_age: None,
            same_site: SameSite::Lax,
            secure: true,
            http_only: true,
            partitioned: false,
            allow_http: false,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a `Set-Cookie` header that sets it.
    ///
    /// # Errors
    /// `InvalidArgument`: the value is empty, holds what a cookie cannot (anything but visible
    /// ASCII without `"`, `,`, `;` and `\`), or is too long together with the name.
    pub fn set(&self, value: &str) -> Result<String> {
        self.check_value(value)?;
        Ok(self.setting(value, &self.age))
    }

    /// [`Self::set`] for a value that is good for this many seconds, whatever the cookie's own
    /// lifetime is: at least one, and no more than [`CookieBuilder::LONGEST`], to which it is cut.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_for(&self, value: &str, seconds: u64) -> Result<String> {
        self.check_value(value)?;
        let age = format!("; Max-Age={}", seconds.clamp(1, CookieBuilder::LONGEST));
        Ok(self.setting(value, &age))
    }

    /// At once: a text that grows would leave copies of the value behind.
    fn setting(&self, value: &str, age: &str) -> String {
        [self.name.as_str(), "=", value, &self.place, age, &self.flags].concat()
    }

    fn check_value(&self, value: &str) -> Result<()> {
        if value.is_empty() || !value.bytes().all(is_octet) {
            return argument(
                "A cookie's value is visible ASCII without quotes, commas, semicolons and backslashes.",
            );
        }
        if self.name.len() + 1 + value.len() > Self::MAX_PAIR {
            return argument(
                "A cookie's name and value have at most 4096 bytes; browsers drop what is longer.",
            );
        }
        Ok(())
    }

    /// The value of a `Set-Cookie` header that makes the browser forget it.
    #[must_use]
    pub fn clear(&self) -> String {
        // Both, because some agents know only one.
        const NOW: &str = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        format!("{}={}{NOW}{}", self.name, self.place, self.flags)
    }

    /// What a `Cookie` header says it is; `None` if it is not there. Several headers (HTTP/2) are
    /// read by [`Self::read_all`].
    ///
    /// # Errors
    /// `MalformedCookie`: the name comes twice, which is how a planted cookie shows; the value
    /// holds what no cookie holds; the header has more than [`Self::MAX_HEADER`] bytes.
    pub fn read<'h>(&self, header: &'h str) -> Result<Option<&'h str>> {
        self.read_all([header.as_bytes()])
    }

    /// [`Self::read`] for all `Cookie` headers of a request, as they came: they count as one (RFC
    /// 9113 section 8.2.3). Names are compared as bytes, between spaces and tabs.
    ///
    /// # Errors
    /// As [`Self::read`]; also if the name stands behind a comma, where a server has joined two
    /// headers that are not joined so.
    pub fn read_all<'h>(
        &self,
        headers: impl IntoIterator<Item = &'h [u8]>,
    ) -> Result<Option<&'h str>> {
        read_cookies(headers, [&self.name], &Finder::new(&self.name)).map(|[value]| value)
    }
}

/// What all `Cookie` headers of a request say that the cookies of these names are, in one walk
/// through the text: see [`Cookie::read_all`]. All names begin with `beginning`; a header without
/// that has none of them.
pub(crate) fn read_cookies<'h, const N: usize>(
    headers: impl IntoIterator<Item = &'h [u8]>,
    names: [&str; N],
    beginning: &Finder<'_>,
) -> Result<[Option<&'h str>; N]> {
    let (mut found, mut length) = ([None; N], 0);
    for header in headers {
        length += header.len();
        if length > Cookie::MAX_HEADER {
            return Err(malformed("The Cookie header has more than 64 KiB."));
        }
        if beginning.find(header).is_none() {
            continue;
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b';', header).chain([header.len()]) {
            take(header.get(start..end).unwrap_or_default(), names, &mut found)?;
            start = end + 1;
        }
        // Where a server has joined two headers by a comma, ours may stand behind one.
        if memchr::memchr(b',', header).is_some() {
            header.split(|byte| *byte == b';').try_for_each(|pair| is_not_joined(pair, names))?;
        }
    }
    let mut values = [None; N];
    for (place, value) in values.iter_mut().zip(found) {
        *place = match value {
            Some(b"") | None => None,
            // No early exit, so that the compiler looks at many at once.
            Some(value)
                if value.len() <= Cookie::MAX_PAIR
                    && value.iter().fold(true, |good, byte| good & is_octet(*byte)) =>
            {
                std::str::from_utf8(value).ok()
            }
            Some(_) => {
                return Err(malformed(
                    "The cookie's value has characters that gatekey never writes.",
                ));
            }
        };
    }
    Ok(values)
}

/// Takes one pair of a header.
#[inline]
fn take<'h, const N: usize>(
    pair: &'h [u8],
    names: [&str; N],
    found: &mut [Option<&'h [u8]>; N],
) -> Result<()> {
    let pair = trim_start(pair);
    for (name, place) in names.iter().zip(found) {
        let Some(rest) = pair.strip_prefix(name.as_bytes()) else { continue };
        let [b'=', value @ ..] = trim_start(rest) else { continue };
        if place.replace(trim(value)).is_some() {
            return Err(malformed(
                "The Cookie header names this cookie twice; another host may have planted one.",
            ));
        }
        break;
    }
    Ok(())
}

/// The name of a pair, and what is behind the sign.
#[inline]
fn split(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
    Some((trim(name), value.get(1..).unwrap_or_default()))
}

/// Refuses a pair of another name in which one of ours stands behind a comma.
#[cold]
fn is_not_joined<const N: usize>(pair: &[u8], names: [&str; N]) -> Result<()> {
    let Some((own, value)) = split(pair) else { return Ok(()) };
    let is_ours = |part: &[u8]| {
        names.iter().any(|name| {
            let rest = trim(part).strip_prefix(name.as_bytes());
            rest.is_some_and(|rest| trim(rest).starts_with(b"="))
        })
    };
    let is_own = names.iter().any(|name| name.as_bytes() == own);
    if !is_own && value.split(|byte| *byte == b',').skip(1).any(is_ours) {
        return Err(malformed(
            "Cookie headers were joined by a comma; have the server join them by a semicolon.",
        ));
    }
    Ok(())
}

/// Without the spaces and tabs before it.
const fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Without the spaces and tabs around it, and without anything else.
const fn trim(text: &[u8]) -> &[u8] {
    let mut text = trim_start(text);
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// A character of a token (RFC 9110 section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A character of a value (`cookie-octet`, RFC 6265bis section 4.1.1).
const fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// A name of two labels or more, of letters, digits and hyphens.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()); // of an address
    name.len() <= 253 && name.contains('.') && !is_number && name.split('.').all(is_label)
}

#[cold]
const fn refuse<T>(message: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidConfiguration, message))
}

#[cold]
const fn argument<T>(message: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidArgument, message))
}

const fn malformed(message: &'static str) -> Error {
    Error::new(ErrorKind::MalformedCookie, message)
}
