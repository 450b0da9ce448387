//! TLS to the server: rustls on AWS-LC, the server's name checked, the authorities those of
//! Mozilla's list or of a file.

use super::wire::Fault;
use crate::crypto::tls::provider;
use crate::error::{Error, ErrorKind};
use crate::store::private_file::open_regular;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// A file of authorities is at most this long.
const LONGEST: u64 = 1 << 20;

/// How to speak to a server. `verified`: its certificate must be of its name.
pub(super) fn config(authorities: Option<&Path>, verified: bool) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| ErrorKind::Internal)?;
    if !verified {
        let any = Arc::new(Any(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(any).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let (usable, _) = roots.add_parsable_certificates(read(path)?);
            if usable == 0 {
                return Err(NO_AUTHORITY.into());
            }
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let mut pem = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(LONGEST).read_to_end(&mut pem));
    read.map_err(|_| UNREADABLE)?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    found.map_err(|_| NO_AUTHORITY.into())
}

/// What rustls says is wrong with the server, as what to do.
pub(super) fn refused(error: &rustls::Error) -> Error {
    use rustls::CertificateError as C;
    match error {
        rustls::Error::InvalidCertificate(
            C::NotValidForName | C::NotValidForNameContext { .. },
        ) => OTHER_NAME,
        rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => EXPIRED,
        rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => EXPIRED,
        rustls::Error::InvalidCertificate(C::UnknownIssuer) => UNKNOWN_ISSUER,
        rustls::Error::InvalidCertificate(_) => BAD_CERTIFICATE,
        _ => NO_TLS,
    }
}

const NO_AUTHORITY: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The file of `sslrootcert` holds no certificate of an authority in PEM; nothing is trusted instead.",
);
const UNREADABLE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The file of `sslrootcert` cannot be read; nothing is trusted instead.",
);
const OTHER_NAME: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "PostgreSQL's certificate is not of the host that the URL names (subjectAltName is what counts); write the name that it has.",
);
const EXPIRED: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "PostgreSQL's certificate has expired, or is not valid yet; renew it, and look at both clocks.",
);
const UNKNOWN_ISSUER: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "PostgreSQL's certificate is of an authority that is not known; name its file as sslrootcert=FILE in the URL.",
);
const BAD_CERTIFICATE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "PostgreSQL's certificate is not usable for a server; see its extensions, algorithms and chain.",
);
const NO_TLS: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "PostgreSQL's host speaks no TLS 1.2 or 1.3 that both sides know; see its ssl settings, and that nothing stands between.",
);

/// Believes any certificate, for who has asked for that by a word with `danger`.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
