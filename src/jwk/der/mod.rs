//! Keys in DER: which container a document is, and the object identifiers inside.
//!
//! Containers: SubjectPublicKeyInfo and X.509 certificates (RFC 5280), PKCS#8 (RFC 5208, RFC 5958),
//! PKCS#1 (RFC 8017 appendix A.1), SEC1 (RFC 5915). Refused: BER, trailing bytes, encrypted PKCS#8,
//! explicit curve parameters, and every algorithm and curve gatekey does not implement.

pub(super) mod private;
pub(super) mod public;
pub(super) mod write;

use super::alg::Alg;
use super::material::Parts;
use super::stated::Stated;
use crate::crypto::{Curve, Hash, MlDsa};
use crate::error::{Error, ErrorKind, Result};
use ::der::asn1::{AnyRef, ObjectIdentifier};
use ::der::{Decode as _, Header, Reader as _, SliceReader, Tag};
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
}

/// Reads a document of unknown kind. The kinds differ in the tags of their first two elements, so
/// there is no guessing and no second attempt.
pub(super) fn read_any(der: &[u8]) -> Result<(Parts, Stated)> {
    read(recognize(der).ok_or(NOT_DER)?, der)
}

/// Reads a document of the kind it claims to be.
pub(super) fn read(container: Container, der: &[u8]) -> Result<(Parts, Stated)> {
    match container {
        Container::Spki => public::spki(der),
        Container::Certificate => public::certificate(der),
        Container::Pkcs8 => private::pkcs8(der),
        Container::EncryptedPkcs8 => Err(ENCRYPTED),
        Container::Pkcs1Public => public::pkcs1(der),
        Container::Pkcs1Private => private::pkcs1(der),
        Container::Sec1 => private::sec1(der),
    }
}

/// Tells the containers apart by their first elements; says nothing about the rest.
pub(super) fn recognize(der: &[u8]) -> Option<Container> {
    let mut reader = SliceReader::new(der).ok()?;
    if Header::decode(&mut reader).ok()?.tag() != Tag::Sequence {
        return None;
    }
    let mut tags = [None; 3];
    for slot in &mut tags {
        if reader.is_finished() {
            break;
        }
        *slot = Some(Tag::peek(&reader).ok()?);
        reader.tlv_bytes().ok()?;
    }
    Some(match tags {
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
            RSA => match id.parameters {
                Some(parameters) if parameters.is_null() => Ok(Self::Rsa),
                _ => Err(BAD_PARAMETERS),
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
/// where MGF1 uses the message's hash and the salt is as long as that (RFC 7518 section 3.5).
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
    if !mgf1_same || usize::from(parameters.salt_len) != hash.len() {
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
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");

const NOT_DER: Error = invalid("The data is not a key or certificate in DER; is it PEM or JWK?");
const MALFORMED: Error = invalid(
    "The key or certificate is not what it claims to be in DER, or bytes follow it; export it again.",
);
const BAD_PARAMETERS: Error = invalid("The key's algorithm identifier has wrong parameters.");
const BAD_POINT: Error =
    invalid("The EC public key is neither an uncompressed nor a compressed point of its curve.");
const ENCRYPTED: Error = unsupported(
    "The private key is encrypted; decrypt it first, for example with `openssl pkcs8 -in FILE`.",
);
const UNSUPPORTED: Error = unsupported(
    "The key is not an RSA, EC, Ed25519 or ML-DSA key, so no supported algorithm fits it.",
);
const UNSUPPORTED_CURVE: Error =
    unsupported("The EC key's curve is not P-256, P-384, P-521 or secp256k1.");
const EXPLICIT_CURVE: Error =
    unsupported("The EC key spells out curve parameters; export it with a named curve (RFC 5480).");
const UNSUPPORTED_PSS: Error = unsupported(
    "The key's RSASSA-PSS parameters are not those of PS256, PS384 or PS512 (RFC 7518 section 3.5).",
);

const fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidKey, message)
}

const fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::UnsupportedKey, message)
}
