//! Keys in DER: which container a document is, and the object identifiers inside.
//!
//! Containers: SubjectPublicKeyInfo and X.509 certificates (RFC 5280), PKCS#8 (RFC 5208, RFC 5958),
//! PKCS#1 (RFC 8017 appendix A.1), SEC1 (RFC 5915). Refused: BER, trailing bytes, explicit curve
//! parameters, and every algorithm and curve gatekey does not implement. What encoders are known to
//! do differently and changes no number is read: see [`Algorithm::of`], `public::certificate`,
//! `private::scalar`.

mod encrypted;
pub(super) mod private;
pub(super) mod public;
pub(super) mod write;

use super::alg::Alg;
use super::material::Parts;
use super::mistaken;
use super::stated::Stated;
use crate::base::secret::Secret;
use crate::crypto::{Curve, Hash, MlDsa};
use crate::error::{Error, ErrorKind, Result};
use ::der::asn1::{AnyRef, ObjectIdentifier};
use ::der::{Decode as _, Header, Reader as _, SliceReader, Tag};
use memchr::memmem;
use pkcs1::RsaPssParamsOwned;
use spki::AlgorithmIdentifierRef;

/// What a PEM label or the first bytes of a document say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Spki,
    Certificate,
    Pkcs8,
    EncryptedPkcs8,
    Pkcs1Public,
    Pkcs1Private,
    Sec1,
    Pkcs12,
    Pkcs7,
}

/// Reads a document of unknown kind. The kinds differ in the tags of their first two elements, so
/// there is no guessing and no second attempt.
pub(super) fn read_any(der: &[u8], passphrase: Option<&Secret>) -> Result<(Parts, Stated)> {
    match recognize(der) {
        None | Some(Container::Pkcs12 | Container::Pkcs7) => {
            Err(mistaken::for_der(der).unwrap_or(NOT_DER))
        }
        Some(container) => read(container, der, passphrase),
    }
}

/// Reads a document of the kind it claims to be.
pub(super) fn read(
    container: Container,
    der: &[u8],
    passphrase: Option<&Secret>,
) -> Result<(Parts, Stated)> {
    match container {
        Container::Spki => public::spki(der),
        Container::Certificate => public::certificate(der)
            .map_err(|error| mistaken::for_certificate(der).unwrap_or(error)),
        Container::Pkcs8 => private::pkcs8(der),
        Container::EncryptedPkcs8 => encrypted::pkcs8(der, passphrase),
        Container::Pkcs1Public => public::pkcs1(der),
        Container::Pkcs1Private => private::pkcs1(der),
        Container::Sec1 => private::sec1(der),
        Container::Pkcs12 | Container::Pkcs7 => Err(MALFORMED),
    }
}

/// Tells the containers apart by their first elements; says nothing about the rest.
pub(super) fn recognize(der: &[u8]) -> Option<Container> {
    let mut reader = SliceReader::new(der).ok()?;
    if Header::decode(&mut reader).ok()?.tag() != Tag::Sequence {
        return None;
    }
    let mut tags = [None; 3];
    let mut elements: [&[u8]; 3] = [&[]; 3];
    for (slot, element) in tags.iter_mut().zip(&mut elements) {
        if reader.is_finished() {
            break;
        }
        *slot = Some(Tag::peek(&reader).ok()?);
        *element = reader.tlv_bytes().ok()?;
    }
    // PKCS#12 has the version 3 and a ContentInfo (RFC 7292 section 4), PKCS#7 is one (RFC 5652
    // section 3).
    let [first, second, _] = elements;
    if first == [2, 1, 3] && memmem::find(second, CMS).is_some() {
        return Some(Container::Pkcs12);
    }
    Some(match tags {
        [Some(Tag::ObjectIdentifier), Some(_), None] if first.starts_with(CMS) => Container::Pkcs7,
        [Some(Tag::Sequence), Some(Tag::BitString), _] => Container::Spki,
        [Some(Tag::Sequence), Some(Tag::OctetString), _] => Container::EncryptedPkcs8,
        [Some(Tag::Sequence), Some(Tag::Sequence), _] => Container::Certificate,
        [Some(Tag::Integer), Some(Tag::Sequence), _] => Container::Pkcs8,
        [Some(Tag::Integer), Some(Tag::OctetString), _] => Container::Sec1,
        [Some(Tag::Integer), Some(Tag::Integer), None] => Container::Pkcs1Public,
        [Some(Tag::Integer), Some(Tag::Integer), Some(_)] => Container::Pkcs1Private,
        _ => return None,
    })
}

/// The algorithm that an AlgorithmIdentifier names for a key.
#[derive(Clone, Copy)]
enum Algorithm {
    Rsa,
    /// id-RSASSA-PSS, with the one algorithm that its parameters allow, if it has any.
    RsaPss(Option<Alg>),
    Ec(Curve),
    Ed25519,
    MlDsa(MlDsa),
}

impl Algorithm {
    fn of(id: AlgorithmIdentifierRef<'_>) -> Result<Self> {
        let plain = |algorithm| match id.parameters {
            None => Ok(algorithm),
            Some(_) => Err(BAD_PARAMETERS),
        };
        match id.oid {
            // RFC 3279 section 2.3.1 asks for NULL; old encoders leave it out, which says the same.
            RSA => match id.parameters {
                Some(parameters) if !parameters.is_null() => Err(BAD_PARAMETERS),
                _ => Ok(Self::Rsa),
            },
            RSA_PSS => id.parameters.map(pss).transpose().map(Self::RsaPss),
            EC => {
                let curve = id.parameters.ok_or(BAD_PARAMETERS)?;
                curve.decode_as().map_err(|_| EXPLICIT_CURVE).and_then(curve_of).map(Self::Ec)
            }
            ED25519 => plain(Self::Ed25519),
            ML_DSA_44 => plain(Self::MlDsa(MlDsa::L44)),
            ML_DSA_65 => plain(Self::MlDsa(MlDsa::L65)),
            ML_DSA_87 => plain(Self::MlDsa(MlDsa::L87)),
            ED448 => Err(ED448_KEY),
            X25519 | X448 => Err(AGREEMENT_KEY),
            DSA_OID => Err(DSA),
            _ => Err(UNSUPPORTED),
        }
    }

    /// What the algorithm says about a key beside its type.
    fn stated(self) -> Stated {
        match self {
            Self::RsaPss(alg) => Stated { alg, pss_only: true, ..Stated::default() },
            _ => Stated::default(),
        }
    }
}

/// The algorithm that RSASSA-PSS parameters allow (RFC 4055 section 3.1): JOSE knows only those
/// where MGF1 uses the message's hash and the salt is as long as that (RFC 7518 section 3.5). The
/// salt's length in a key is the least that its signatures have (RFC 4055 section 3.3), so a
/// shorter one allows the same algorithm.
fn pss(parameters: AnyRef<'_>) -> Result<Alg> {
    let parameters: RsaPssParamsOwned = parameters.decode_as().map_err(|_| BAD_PARAMETERS)?;
    let (alg, hash) = match parameters.hash.oid {
        SHA_256 => (Alg::Ps256, Hash::Sha256),
        SHA_384 => (Alg::Ps384, Hash::Sha384),
        SHA_512 => (Alg::Ps512, Hash::Sha512),
        _ => return Err(UNSUPPORTED_PSS),
    };
    let mgf1_same = parameters.mask_gen.oid == MGF1
        && parameters.mask_gen.parameters.is_some_and(|inner| inner.oid == parameters.hash.oid);
    if !mgf1_same || usize::from(parameters.salt_len) > hash.len() {
        return Err(UNSUPPORTED_PSS);
    }
    Ok(alg)
}

pub(super) fn curve_of(oid: ObjectIdentifier) -> Result<Curve> {
    match oid {
        P256 => Ok(Curve::P256),
        P384 => Ok(Curve::P384),
        P521 => Ok(Curve::P521),
        SECP256K1 => Ok(Curve::Secp256k1),
        _ => Err(UNSUPPORTED_CURVE),
    }
}

const fn curve_oid(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => P256,
        Curve::P384 => P384,
        Curve::P521 => P521,
        Curve::Secp256k1 => SECP256K1,
    }
}

const fn ml_dsa_oid(set: MlDsa) -> ObjectIdentifier {
    match set {
        MlDsa::L44 => ML_DSA_44,
        MlDsa::L65 => ML_DSA_65,
        MlDsa::L87 => ML_DSA_87,
    }
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
const X448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.111");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
const DSA_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");

/// The object identifiers of PKCS#7 begin so: 1.2.840.113549.1.7.
const CMS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";

const NOT_DER: Error = invalid("The data is not a key or certificate in DER; is it PEM or JWK?");
const MALFORMED: Error = invalid(
    "The key or certificate is not what it claims to be in DER, or bytes follow it; export it again.",
);
const BAD_PARAMETERS: Error = invalid("The key's algorithm identifier has wrong parameters.");
const BAD_POINT: Error =
    invalid("The EC public key is neither an uncompressed nor a compressed point of its curve.");
const UNSUPPORTED: Error = unsupported(
    "The key is not an RSA, EC, Ed25519 or ML-DSA key, so no supported algorithm fits it.",
);
const UNSUPPORTED_CURVE: Error =
    unsupported("The EC key's curve is not P-256, P-384, P-521 or secp256k1.");
pub(super) const EXPLICIT_CURVE: Error = unsupported(
    "The EC key spells out the parameters of its curve; name the curve (RFC 5480) with `openssl ec -in FILE \
     -param_enc named_curve -out NEW`, and -pubin for a public key.",
);
const UNSUPPORTED_PSS: Error = unsupported(
    "The key's RSASSA-PSS parameters do not allow PS256, PS384 or PS512 (RFC 7518 section 3.5).",
);
pub(super) const ED448_KEY: Error = unsupported(
    "This is an Ed448 key, which gatekey does not implement; make an Ed25519 key (EdDSA).",
);
pub(super) const AGREEMENT_KEY: Error = unsupported(
    "This is an X25519 or X448 key, which agrees on secrets and cannot sign; make an Ed25519 key (EdDSA).",
);
pub(super) const DSA: Error = unsupported(
    "This is a DSA key, for which JWT has no algorithm; make an EC or Ed25519 key (ES256, EdDSA).",
);

const fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidKey, message)
}

const fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::UnsupportedKey, message)
}
