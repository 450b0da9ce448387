//! PEM: the textual encodings of keys and certificates (RFC 7468).
//!
//! Text may stand before the first block. Refused: anything but white space after the last one, a
//! label that does not match its content, encrypted keys (PKCS#8 or the old `Proc-Type` header),
//! labels gatekey does not know, and files with several keys. Two files with several blocks have
//! one meaning and are read: a chain of certificates stands for its first, and `EC PARAMETERS` may
//! precede the `EC PRIVATE KEY` of the same curve, as OpenSSL writes it.

use super::der::{self, Container, write};
use super::material::Parts;
use super::stated::Stated;
use crate::base::secret::Secret;
use crate::crypto::Curve;
use crate::error::{Error, ErrorKind, Result};
use ::der::Decode as _;
use ::der::asn1::ObjectIdentifier;
use memchr::memmem;
use pem_rfc7468::{Decoder, LineEnding};

/// Reads the one key of a PEM text.
pub(super) fn read(text: &[u8]) -> Result<(Parts, Stated)> {
    let blocks = blocks(text)?;
    match blocks.as_slice() {
        [] => Err(invalid("There is no PEM block in the text; is it DER or JWK?")),
        [only] => only.read(),
        [first, ..] if blocks.iter().all(|block| block.label == "CERTIFICATE") => first.read(),
        [parameters, key] if parameters.label == EC_PARAMETERS && key.label == EC_PRIVATE_KEY => {
            let (parts, stated) = key.read()?;
            match parts {
                Parts::Ec { curve, .. } if parameters.curve()? == curve => Ok((parts, stated)),
                _ => Err(invalid("The EC PARAMETERS are not those of the EC PRIVATE KEY.")),
            }
        }
        _ => Err(invalid("The PEM text has several blocks; pass one key alone.")),
    }
}

/// The public half as `PUBLIC KEY`.
pub(super) fn write_public(parts: &Parts) -> Result<String> {
    let der = write::spki(parts)?.ok_or(Error::new(
        ErrorKind::KeyUsage,
        "A symmetric key has no PEM form; export it as a private JWK if you mean to.",
    ))?;
    encode("PUBLIC KEY", &der)
}

/// The whole key as `PRIVATE KEY`.
pub(super) fn write_private(parts: &Parts) -> Result<Secret> {
    let der = write::pkcs8(parts)?.ok_or(Error::new(
        ErrorKind::KeyUsage,
        "The key has no private part, or is symmetric and has no PEM form.",
    ))?;
    encode("PRIVATE KEY", der.expose()).map(Secret::from)
}

fn encode(label: &str, der: &[u8]) -> Result<String> {
    pem_rfc7468::encode_string(label, LineEnding::LF, der).map_err(|_| ErrorKind::Internal.into())
}

/// One block, from its first dash to its last.
struct Block<'a> {
    label: &'a str,
    text: &'a [u8],
}

impl Block<'_> {
    fn read(&self) -> Result<(Parts, Stated)> {
        let container = match self.label {
            "PUBLIC KEY" => Container::Spki,
            "PRIVATE KEY" => Container::Pkcs8,
            "CERTIFICATE" => Container::Certificate,
            "RSA PUBLIC KEY" => Container::Pkcs1Public,
            "RSA PRIVATE KEY" => Container::Pkcs1Private,
            EC_PRIVATE_KEY => Container::Sec1,
            "ENCRYPTED PRIVATE KEY" => Container::EncryptedPkcs8,
            _ => return Err(UNKNOWN_LABEL),
        };
        if memmem::find(self.text, b"\nProc-Type:").is_some() {
            return der::read(Container::EncryptedPkcs8, &[]);
        }
        der::read(container, self.decode()?.expose())
    }

    fn curve(&self) -> Result<Curve> {
        let der = self.decode()?;
        der::curve_of(ObjectIdentifier::from_der(der.expose()).map_err(|_| MALFORMED)?)
    }

    fn decode(&self) -> Result<Secret> {
        let mut decoder = Decoder::new_detect_wrap(self.text).map_err(|_| MALFORMED)?;
        let mut der = zeroize::Zeroizing::new(vec![0; decoder.remaining_len()]);
        decoder.decode(&mut der).map_err(|_| MALFORMED)?;
        if !decoder.is_finished() {
            return Err(MALFORMED);
        }
        Ok(Secret::new(std::mem::take(&mut *der)))
    }
}

/// Splits the text into its blocks.
fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    let mut from = 0;
    while let Some(block) = next_block(text, &mut from)? {
        blocks.push(block);
    }
    let rest = text.get(from..).unwrap_or_default();
    if !blocks.is_empty() && !rest.trim_ascii().is_empty() {
        return Err(invalid("Something follows the last PEM block; pass the key alone."));
    }
    Ok(blocks)
}

fn next_block<'a>(text: &'a [u8], from: &mut usize) -> Result<Option<Block<'a>>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    const DASHES: &[u8] = b"-----";
    let find = |needle, at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        memmem::find(rest, needle).map(|offset| at + offset)
    };
    let Some(start) = find(BEGIN, *from) else { return Ok(None) };
    let starts_line = start == 0 || matches!(text.get(start - 1), Some(b'\n' | b'\r'));
    let label_at = start + BEGIN.len();
    let (Some(label_end), Some(end), true) =
        (find(DASHES, label_at), find(END, label_at), starts_line)
    else {
        return Err(MALFORMED);
    };
    let end = find(DASHES, end + END.len()).ok_or(MALFORMED)? + DASHES.len();
    let label = text.get(label_at..label_end).and_then(|label| std::str::from_utf8(label).ok());
    let text = text.get(start..end).unwrap_or_default();
    *from = end;
    Ok(Some(Block { label: label.ok_or(MALFORMED)?, text }))
}

const EC_PARAMETERS: &str = "EC PARAMETERS";
const EC_PRIVATE_KEY: &str = "EC PRIVATE KEY";

const MALFORMED: Error = invalid("The PEM block is malformed (RFC 7468); export the key again.");
const UNKNOWN_LABEL: Error = Error::new(
    ErrorKind::UnsupportedKey,
    "The PEM label is not of a supported key or certificate; convert the key to PKCS#8 or SPKI.",
);

const fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidKey, message)
}
