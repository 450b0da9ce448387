//! PEM: the textual encodings of keys and certificates (RFC 7468).
//!
//! A text stands for one key. Files with several blocks are read where they have one meaning: a
//! chain of certificates stands for its first; a private key may have its public half, certificates
//! of which one has its public key, and its `EC PARAMETERS` beside it. Refused: a label that does
//! not match its content, labels gatekey does not know, several keys, also where one is a line of
//! SSH or a JWK, and a certificate that belongs to another key. OpenSSH's keys, which look like PEM
//! or are a line of text, are read here, too.

use super::armour::{self, Block};
use super::der::{self, Container, write};
use super::material::Parts;
use super::stated::Stated;
use super::{beside, mistaken, ssh, thumbprint};
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Remedy, Result};
use ::der::Decode as _;
use ::der::asn1::ObjectIdentifier;
use pem_rfc7468::LineEnding;

/// Reads the one key of a PEM text.
pub(super) fn read(text: &[u8], passphrase: Option<&Secret>) -> Result<(Parts, Stated)> {
    let (blocks, around) = armour::blocks(text)?;
    let (parts, stated) = match blocks.as_slice() {
        [] => return ssh::read_public(text).unwrap_or_else(|| Err(mistaken::for_pem(text))),
        [only] => read_block(only, passphrase)?,
        blocks => read_several(blocks, passphrase)?,
    };
    beside::check(around, &parts)?;
    Ok((parts, stated))
}

/// The public half as `PUBLIC KEY`.
pub(super) fn write_public(parts: &Parts) -> Result<String> {
    let der = write::spki(parts)?.ok_or(
        Error::new(
            ErrorKind::KeyUsage,
            "A symmetric key has no PEM form, only that of a private JWK.",
        )
        .remedied(Remedy::ExportPrivately),
    )?;
    encode("PUBLIC KEY", &der)
}

/// The whole key as `PRIVATE KEY`.
pub(super) fn write_private(parts: &Parts) -> Result<Secret> {
    let der = write::pkcs8(parts)?.ok_or(Error::new(
        ErrorKind::KeyUsage,
        "The key has no private part, or is symmetric and has no PEM form; export it as a public key, or as a JWK.",
    ))?;
    encode("PRIVATE KEY", der.expose()).map(Secret::from)
}

fn encode(label: &str, der: &[u8]) -> Result<String> {
    pem_rfc7468::encode_string(label, LineEnding::LF, der).map_err(|_| ErrorKind::Internal.into())
}

fn read_block(block: &Block<'_>, passphrase: Option<&Secret>) -> Result<(Parts, Stated)> {
    let container = match block.label {
        "PUBLIC KEY" => Container::Spki,
        "PRIVATE KEY" => Container::Pkcs8,
        "RSA PUBLIC KEY" => Container::Pkcs1Public,
        "RSA PRIVATE KEY" => Container::Pkcs1Private,
        "EC PRIVATE KEY" => Container::Sec1,
        "ENCRYPTED PRIVATE KEY" => Container::EncryptedPkcs8,
        "OPENSSH PRIVATE KEY" => return ssh::read_private(block.decode()?.expose(), passphrase),
        label if is_certificate(label) => Container::Certificate,
        label => return Err(mistaken::label(label)),
    };
    if block.is_encrypted_by_header() {
        return Err(OLD_ENCRYPTION);
    }
    der::read(container, block.decode()?.expose(), passphrase)
}

/// Several blocks with one meaning.
fn read_several(blocks: &[Block<'_>], passphrase: Option<&Secret>) -> Result<(Parts, Stated)> {
    let is = |kind: fn(&str) -> bool| blocks.iter().filter(move |block| kind(block.label));
    if let [first, ..] = blocks
        && blocks.iter().all(|block| is_certificate(block.label))
    {
        return read_block(first, None);
    }
    let mut privates = is(is_private);
    let (Some(key), None) = (privates.next(), privates.next()) else { return Err(SEVERAL) };
    let known = |label: &str| {
        is_private(label) || is_public(label) || is_certificate(label) || label == EC_PARAMETERS
    };
    if let Some(other) = blocks.iter().find(|block| !known(block.label)) {
        return Err(mistaken::label(other.label));
    }
    let (parts, stated) = read_block(key, passphrase)?;
    for block in is(|label| label == EC_PARAMETERS) {
        check_parameters(block, &parts)?;
    }
    let own = thumbprint::of(&parts);
    let is_own = |block| {
        read_block(block, None).is_ok_and(|(parts, _): (Parts, _)| thumbprint::of(&parts) == own)
    };
    if !is(is_public).all(is_own) {
        return Err(NOT_ITS_PUBLIC_KEY);
    }
    if is(is_certificate).next().is_some() && !is(is_certificate).any(is_own) {
        return Err(NOT_ITS_CERTIFICATE);
    }
    Ok((parts, stated))
}

/// `EC PARAMETERS`, which OpenSSL writes before an `EC PRIVATE KEY`, must be those of the key.
fn check_parameters(block: &Block<'_>, parts: &Parts) -> Result<()> {
    let der = block.decode()?;
    let oid = ObjectIdentifier::from_der(der.expose()).map_err(|_| der::EXPLICIT_CURVE)?;
    match parts {
        Parts::Ec { curve, .. } if der::curve_of(oid)? == *curve => Ok(()),
        _ => Err(invalid("The EC PARAMETERS are not those of the private key beside them.")),
    }
}

fn is_private(label: &str) -> bool {
    label.ends_with("PRIVATE KEY")
}

fn is_public(label: &str) -> bool {
    matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY")
}

/// The label of today, and the two before it (RFC 7468 section 5.1).
fn is_certificate(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "X.509 CERTIFICATE")
}

const EC_PARAMETERS: &str = "EC PARAMETERS";

const OLD_ENCRYPTION: Error = Error::new(
    ErrorKind::UnsupportedKey,
    "The private key is encrypted in OpenSSL's old way (Proc-Type); convert it with `openssl pkcs8 -topk8 -in FILE \
     -out NEW`, which asks for both passphrases.",
);
const SEVERAL: Error = invalid(
    "The PEM text holds several keys, or a key and what is not its own; pass one key alone.",
);
const NOT_ITS_CERTIFICATE: Error = Error::new(
    ErrorKind::KeyPairMismatch,
    "No certificate in the PEM text belongs to the private key; pass the key alone, or with its own certificate.",
);
const NOT_ITS_PUBLIC_KEY: Error = Error::new(
    ErrorKind::KeyPairMismatch,
    "The public key in the PEM text is not that of the private key; pass one of the two.",
);

pub(super) const fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidKey, message)
}
