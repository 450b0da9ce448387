//! How the built-in transport connects: whom it may reach, whom it trusts, and how long it waits.

use super::proxy::Proxy;
use crate::base::json::fields;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// How long options may be, in bytes: they may hold every authority that there is.
const LONGEST: usize = 1024 * 1024;

/// How the built-in transport connects.
#[derive(Clone)]
#[must_use]
pub struct HttpOptions {
    pub(super) allow_loopback_http: bool,
    pub(super) public_only: bool,
    pub(super) deadline_ms: u64,
    pub(super) connect_ms: u64,
    /// Instead of Mozilla's. An empty text means no authority, never all of Mozilla's.
    authorities: Option<Vec<u8>>,
    client: Option<(Vec<u8>, Secret)>,
    /// Its address, which may hold a password, or `environment`.
    proxy: Option<Secret>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpOptions {
    /// `https` to any address but those of the link itself, with Mozilla's authorities; 10 seconds
    /// in all.
    pub const fn new() -> Self {
        Self {
            allow_loopback_http: false,
            public_only: false,
            deadline_ms: 10_000,
            connect_ms: 5_000,
            authorities: None,
            client: None,
            proxy: None,
        }
    }

    /// Reads options: one JSON object with any of `allow_loopback_http`, `public_only`,
    /// `deadline_ms`, `connect_ms`, `ca_pem`, `client_certificate_pem`, `client_key_pem` and
    /// `proxy`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is malformed, or a member is not known. `InvalidArgument`: one
    /// half of a client certificate.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        Self::new().json(text)
    }

    /// Takes over the members of options in JSON. They override what was set before, and later
    /// calls override them.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn json(mut self, text: &[u8]) -> Result<Self> {
        let (mut certificate, mut key) = (None, None);
        fields::read(text, LONGEST, |field| {
            match field.name() {
                "allow_loopback_http" => self.allow_loopback_http = field.flag()?,
                "public_only" => self.public_only = field.flag()?,
                "deadline_ms" => self.deadline_ms = field.number()?,
                "connect_ms" => self.connect_ms = field.number()?,
                "ca_pem" => self.authorities = Some(field.text()?.into_bytes()),
                "client_certificate_pem" => certificate = Some(field.text()?.into_bytes()),
                "client_key_pem" => key = Some(Secret::from(field.text()?)),
                "proxy" => self.proxy = Some(Secret::from(field.text()?)),
                _ => return Err(field.unknown()),
            }
            Ok(())
        })?;
        match (certificate, key) {
            (None, None) => Ok(self),
            (Some(certificate), Some(key)) => {
                self.client = Some((certificate, key));
                Ok(self)
            }
            (None, _) => Err(HALF_A_PAIR.about_claim("client_certificate_pem")),
            (_, None) => Err(HALF_A_PAIR.about_claim("client_key_pem")),
        }
    }

    /// Allows plain `http` to this very machine (127.0.0.1, \[::1\], localhost), for tests.
    pub const fn allow_loopback_http(mut self, allow: bool) -> Self {
        self.allow_loopback_http = allow;
        self
    }

    /// Reaches only public addresses: for URLs that a caller may have had a say in. Every address
    /// that a name stands for must be public, when it is connected to.
    pub const fn public_only(mut self, only: bool) -> Self {
        self.public_only = only;
        self
    }

    /// The most milliseconds that a request may take in all, whatever it asks for: 1 to 120,000.
    pub const fn deadline_ms(mut self, milliseconds: u64) -> Self {
        self.deadline_ms = milliseconds;
        self
    }

    /// The most milliseconds that connecting may take.
    pub const fn connect_ms(mut self, milliseconds: u64) -> Self {
        self.connect_ms = milliseconds;
        self
    }

    /// Trusts these certificate authorities (PEM) and no others.
    pub fn ca_pem(mut self, pem: &[u8]) -> Self {
        self.authorities = Some(pem.to_vec());
        self
    }

    /// Presents this certificate chain with its private key (PEM) to servers that ask for one (RFC
    /// 8705).
    pub fn client_certificate_pem(mut self, chain: &[u8], private_key: &[u8]) -> Self {
        self.client = Some((chain.to_vec(), Secret::new(private_key.to_vec())));
        self
    }

    /// Sends `https` requests through a proxy: `http://[user[:password]@]host[:port]`, or
    /// `environment` for what `https_proxy`, `all_proxy` and `no_proxy` say (in small or capital
    /// letters) when the transport is made, if they say anything. Nothing is read from the
    /// environment unless this asks for it. TLS is spoken with the other server itself, through
    /// `CONNECT`; plain `http` to this machine never goes through the proxy.
    ///
    /// User and password are percent-encoded. [`HttpTransport::new`](super::HttpTransport::new)
    /// tells what is wrong.
    ///
    /// # Security
    /// The proxy looks the names up, so that what they stand for is not checked here, and
    /// [`Self::public_only`] cannot be kept: both together are refused. An address that stands in a
    /// URL itself is kept out as without a proxy.
    pub fn proxy(mut self, proxy: impl Into<String>) -> Self {
        self.proxy = Some(Secret::from(proxy.into()));
        self
    }

    /// The proxy, if there is one.
    pub(super) fn proxied(&self) -> Result<Option<Proxy>> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let proxy = Proxy::read(proxy.expose_str())?;
        if proxy.is_some() && self.public_only {
            return Err(UNSEEN.about_claim("proxy"));
        }
        Ok(proxy)
    }

    pub(super) fn tls(&self) -> Result<TlsConfig> {
        for (member, limit) in [("deadline_ms", self.deadline_ms), ("connect_ms", self.connect_ms)]
        {
            if !(1..=120_000).contains(&limit) {
                return Err(NO_DEADLINE.about_claim(member));
            }
        }
        let provider = Arc::new(crate::crypto::tls::provider());
        let mut tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::clone(&provider))
            .root_certs(RootCerts::WebPki);
        if let Some(pem) = &self.authorities {
            let named = |error: Error| error.about_claim("ca_pem");
            let authorities = certificates(pem).map_err(named)?;
            check_authorities(&authorities).map_err(named)?;
            tls = tls.root_certs(RootCerts::new_with_certs(&authorities));
        }
        if let Some((chain, key)) = &self.client {
            let key = PrivateKey::from_pem(key.expose())
                .map_err(|_| NOT_PEM.about_claim("client_key_pem"))?;
            let named = |error: Error| error.about_claim("client_certificate_pem");
            let chain = certificates(chain).map_err(named)?;
            check_pair(&provider, &chain, &key).map_err(named)?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(tls.build())
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| NOT_PEM)? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(NOT_PEM) } else { Ok(found) }
}

/// Whether at least one of them can be an authority: otherwise no server would ever be believed.
fn check_authorities(found: &[Certificate<'static>]) -> Result<()> {
    let found = found.iter().map(|certificate| CertificateDer::from(certificate.der()));
    let (usable, _) = rustls::RootCertStore::empty().add_parsable_certificates(found);
    if usable == 0 { Err(NOT_PEM) } else { Ok(()) }
}

/// Whether the key belongs to the certificate: found out now, not at the first request.
fn check_pair(
    provider: &Arc<rustls::crypto::CryptoProvider>,
    chain: &[Certificate<'static>],
    key: &PrivateKey<'static>,
) -> Result<()> {
    let key = PrivateKeyDer::try_from(key.der().to_vec()).map_err(|_| NOT_PEM)?;
    let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec()));
    rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| ErrorKind::Internal)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_client_auth_cert(chain.collect(), key)
        .map(|_| ())
        .map_err(|_| NOT_A_PAIR)
}

const HALF_A_PAIR: Error =
    argument("A client certificate needs its key, and the key its certificate.");
const NO_DEADLINE: Error = argument("The `deadline` of a request is from 1 ms to 120 s.");
const UNSEEN: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A proxy looks names up itself, so that `public_only` cannot be kept; leave one of the two out, and have the proxy \
     refuse addresses that are not public.",
);
const NOT_PEM: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The certificate or private key is not PEM; nothing is trusted instead.",
);
const NOT_A_PAIR: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The client's private key does not belong to its certificate.",
);

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("allow_loopback_http", &self.allow_loopback_http)
            .field("public_only", &self.public_only)
            .field("deadline_ms", &self.deadline_ms)
            .field("own_authorities", &self.authorities.is_some())
            .field("client_certificate", &self.client.is_some())
            .field("proxy", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
}
