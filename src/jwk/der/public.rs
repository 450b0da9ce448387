//! Public keys: SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7; RFC 3279, RFC 5480, RFC 8410,
//! RFC 9881 for the key types), X.509 certificates, and PKCS#1 `RSAPublicKey`.
//!
//! A certificate is only a wrapper here: neither its signature nor its validity nor its chain is
//! checked, so the caller must trust where it came from. So nothing of it is read but its key, and
//! what encoders got wrong elsewhere (serial numbers, dates, extensions) does not matter.

use super::{Algorithm, BAD_POINT, MALFORMED};
use crate::crypto::{Curve, ecdsa};
use crate::error::Result;
use crate::jwk::material::Parts;
use crate::jwk::stated::Stated;
use der::{Decode as _, Reader as _, SliceReader, Tag};
use spki::SubjectPublicKeyInfoRef;

pub(super) fn spki(der: &[u8]) -> Result<(Parts, Stated)> {
    from_spki(SubjectPublicKeyInfoRef::from_der(der).map_err(|_| MALFORMED)?)
}

pub(super) fn certificate(der: &[u8]) -> Result<(Parts, Stated)> {
    spki(key_of_certificate(der).map_err(|_| MALFORMED)?)
}

/// The SubjectPublicKeyInfo of a certificate (RFC 5280 section 4.1), whose other fields must only
/// be there, each of its own type.
fn key_of_certificate(der: &[u8]) -> der::Result<&[u8]> {
    const BEFORE_KEY: [Tag; 5] =
        [Tag::Integer, Tag::Sequence, Tag::Sequence, Tag::Sequence, Tag::Sequence];
    let mut outer = SliceReader::new(der)?;
    let key = outer.sequence(|certificate| {
        let key = certificate.sequence(|fields| {
            if place(Tag::peek(fields)?) == Some(0) {
                fields.tlv_bytes()?; // its version
            }
            for tag in BEFORE_KEY {
                element(fields, tag)?;
            }
            let key = element(fields, Tag::Sequence)?;
            // issuerUniqueID, subjectUniqueID and extensions, each at most once; a second key is
            // none of them.
            let mut last = 0;
            while !fields.is_finished() {
                let tag = Tag::peek(fields)?;
                last = place(tag)
                    .filter(|place| (last + 1..=3).contains(place))
                    .ok_or_else(|| tag.unexpected_error(None))?;
                fields.tlv_bytes()?;
            }
            Ok::<_, der::Error>(key)
        })?;
        element(certificate, Tag::Sequence)?;
        element(certificate, Tag::BitString)?;
        Ok::<_, der::Error>(key)
    })?;
    outer.finish()?;
    Ok(key)
}

/// The number of an optional field.
fn place(tag: Tag) -> Option<u32> {
    match tag {
        Tag::ContextSpecific { number, .. } => Some(number.value()),
        _ => None,
    }
}

fn element<'r>(reader: &mut SliceReader<'r>, tag: Tag) -> der::Result<&'r [u8]> {
    Tag::peek(reader)?.assert_eq(tag)?;
    reader.tlv_bytes()
}

pub(super) fn pkcs1(der: &[u8]) -> Result<(Parts, Stated)> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der).map_err(|_| MALFORMED)?;
    let (n, e) = (key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec());
    Ok((Parts::Rsa { n, e, private: None }, Stated::default()))
}

fn from_spki(info: SubjectPublicKeyInfoRef<'_>) -> Result<(Parts, Stated)> {
    let algorithm = Algorithm::of(info.algorithm)?;
    let key = info.subject_public_key.as_bytes().ok_or(MALFORMED)?;
    let parts = match algorithm {
        Algorithm::Rsa | Algorithm::RsaPss(_) => pkcs1(key)?.0,
        Algorithm::Ec(curve) => Parts::Ec { curve, point: point(curve, key)?, private: None },
        Algorithm::Ed25519 => Parts::Ed25519 { public: key.to_vec(), seed: None },
        Algorithm::MlDsa(set) => Parts::MlDsa { set, public: key.to_vec(), seed: None },
    };
    Ok((parts, algorithm.stated()))
}

/// The uncompressed form of a point. The hybrid forms of X9.62 and the point at infinity are
/// refused.
pub(in crate::jwk) fn point(curve: Curve, encoded: &[u8]) -> Result<Vec<u8>> {
    match encoded {
        [4, ..] => Ok(encoded.to_vec()),
        [2 | 3, ..] => ecdsa::decompress(curve, encoded),
        _ => Err(BAD_POINT),
    }
}
