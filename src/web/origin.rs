//! Origins (RFC 6454): scheme, host and port of the pages that may act for their users, compared
//! with what a browser says of a request. Refused: `null`, another scheme, a host that only begins
//! alike, and what is no origin.

use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};

/// The longest `Origin` that is compared, in bytes.
const LONGEST: usize = 1024;

/// The origins that are ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(Vec<Origin>);

#[derive(Clone, Debug)]
struct Origin {
    /// As browsers write it.
    text: String,
    https: bool,
    host: String,
    port: u16,
}

impl Origins {
    /// Adds an origin, such as `https://shop.example`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it has a path, is no origin, or is `http` where that is not allowed.
    pub(crate) fn add(&mut self, text: &str, allow_http: bool) -> Result<()> {
        let url = bare(text).ok_or_else(|| NOT_AN_ORIGIN.about_claim("origins"))?;
        if !url.https && !allow_http {
            return Err(NOT_HTTPS.about_claim("origins"));
        }
        let host = url.host.to_ascii_lowercase();
        let text = text.to_ascii_lowercase();
        self.0.push(Origin { text, https: url.https, host, port: url.port });
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, for a message.
    pub(crate) fn listed(&self) -> String {
        let texts: Vec<&str> = self.0.iter().map(|own| &*own.text).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(",") }
    }

    /// Whether the value of an `Origin` header is one of ours.
    pub(crate) fn has(&self, header: &[u8]) -> bool {
        if self.0.iter().any(|own| own.text.as_bytes() == header) {
            return true;
        }
        let Some(text) = header.get(..header.len().min(LONGEST + 1)) else { return false };
        let Some(url) = std::str::from_utf8(text).ok().and_then(bare) else { return false };
        self.0.iter().any(|own| {
            own.https == url.https
                && own.port == url.port
                && own.host.eq_ignore_ascii_case(url.host)
        })
    }
}

/// An address of scheme, host and port alone.
fn bare(text: &str) -> Option<Url<'_>> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST)?;
    (url.path.is_empty() && url.query.is_none()).then_some(url)
}

const NOT_AN_ORIGIN: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "An origin is a scheme and a host, with a port if it is an unusual one: https://shop.example, without a slash at the end.",
);
const NOT_HTTPS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "An origin of http:// is for development, together with cookies that allow HTTP.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_whole() {
        let mut own = Origins::default();
        own.add("https://Shop.test", false).unwrap();
        own.add("https://app.test:8443", false).unwrap();
        for same in ["https://shop.test", "https://shop.test:443", "https://app.test:8443"] {
            assert!(own.has(same.as_bytes()), "{same}");
        }
        for other in [
            "",
            "null",
            "http://shop.test",
            "http://shop.test:443",
            "https://shop.test.",
            "https://shop.test/",
            "https://shop.test?",
            "https://shop.test:8443",
            "https://app.test",
            "https://shop.test.evil.test",
            "https://evil.test",
            "https://shop.test https://evil.test",
            "https://shop.test, https://evil.test",
            "https://user@shop.test",
            "HTTPS://shop.test",
            "shop.test",
        ] {
            assert!(!own.has(other.as_bytes()), "{other}");
        }
        assert!(!own.has(b"https://shop.test\xff"));
        for wrong in ["shop.test", "https://shop.test/", "https://", "http://shop.test", "null"] {
            assert!(own.add(wrong, false).is_err(), "{wrong}");
        }
        own.add("http://localhost:8000", true).unwrap();
        assert!(own.has(b"http://localhost:8000"));
    }
}
