//! How other systems write down what they keep of a key: digests in hexadecimal or base64, and the
//! slow hashes of PHC strings, of bcrypt and of Django.

use super::turns::Turn;
use crate::base::text::argument;
use crate::base::{b64, hex};
use crate::crypto::hash::sha256;
use crate::crypto::slow::Slow;
use crate::error::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

/// How the text of a key is digested before the MACs; numbers are never reused.
pub(crate) struct Schemes;

impl Schemes {
    /// A key of ours: no digest.
    pub(crate) const NATIVE: u16 = 1;
    pub(crate) const SHA256: u16 = 16;
    pub(crate) const SHA512: u16 = 17;
    pub(crate) const ARGON2: u16 = 18;
    pub(crate) const BCRYPT: u16 = 19;
    pub(crate) const PBKDF2_SHA256: u16 = 20;
    /// bcrypt of the hexadecimal SHA-256, as Django has it.
    pub(crate) const BCRYPT_SHA256: u16 = 21;

    /// Whether the digest costs next to nothing.
    pub(crate) const fn is_fast(scheme: u16) -> bool {
        matches!(scheme, Self::NATIVE | Self::SHA256 | Self::SHA512)
    }
}

/// What an import's rows hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImportScheme {
    /// The key itself.
    Plaintext,
    /// SHA-256, as 64 hexadecimal digits.
    Sha256Hex,
    /// SHA-256, as base64 or base64url, padded or not.
    Sha256Base64,
    /// SHA-512, as 128 hexadecimal digits.
    Sha512Hex,
    /// What djangorestframework-api-key keeps: `sha512$$<hex>`, or a Django hash of its older
    /// versions.
    DrfApiKey,
    /// bcrypt: `$2b$12$...`, or Django's `bcrypt$...` and `bcrypt_sha256$...`.
    Bcrypt,
    /// A PHC string: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, or Django's
    /// `argon2$argon2id$...`.
    Argon2,
    /// Django's `pbkdf2_sha256$<iterations>$<salt>$<base64>`, or `$pbkdf2-sha256$...` of passlib.
    Pbkdf2Sha256,
}

impl ImportScheme {
    /// Every scheme.
    pub const ALL: &'static [Self] = &[
        Self::Plaintext,
        Self::Sha256Hex,
        Self::Sha256Base64,
        Self::Sha512Hex,
        Self::DrfApiKey,
        Self::Bcrypt,
        Self::Argon2,
        Self::Pbkdf2Sha256,
    ];

    /// The name on the command line and in Python, for example `sha256-hex`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Sha256Hex => "sha256-hex",
            Self::Sha256Base64 => "sha256-base64",
            Self::Sha512Hex => "sha512-hex",
            Self::DrfApiKey => "drf-api-key",
            Self::Bcrypt => "bcrypt",
            Self::Argon2 => "argon2",
            Self::Pbkdf2Sha256 => "pbkdf2-sha256",
        }
    }

    /// The scheme of this name.
    ///
    /// # Errors
    /// `InvalidArgument`: the name is unknown.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|scheme| scheme.name() == name).ok_or_else(|| {
            argument(
                "The scheme is one of plaintext, sha256-hex, sha256-base64, sha512-hex, drf-api-key, \
                 bcrypt, argon2, pbkdf2-sha256.",
            )
        })
    }
}

/// What a row says of its key.
pub(crate) struct Imported {
    pub(crate) scheme: u16,
    /// The cost and the salt of a slow hash, as [`Slowly::read`] wants them.
    pub(crate) params: String,
    /// The digest or the hash itself.
    pub(crate) raw: Zeroizing<Vec<u8>>,
}

/// Reads a row's credential.
///
/// # Errors
/// `InvalidArgument`: it is not what the scheme says, or its cost is out of bounds.
pub(crate) fn import(scheme: ImportScheme, credential: &[u8]) -> Result<Imported> {
    let fast =
        |scheme, raw: Vec<u8>| Imported { scheme, params: String::new(), raw: Zeroizing::new(raw) };
    if scheme == ImportScheme::Plaintext {
        return Ok(fast(Schemes::SHA256, sha256(credential).to_vec()));
    }
    let text = std::str::from_utf8(credential).map_err(|_| UNREADABLE)?.trim();
    if text.len() > 512 {
        return Err(UNREADABLE);
    }
    let found = match scheme {
        ImportScheme::Plaintext => None,
        ImportScheme::Sha256Hex => hex::decode(text, 32).map(|raw| fast(Schemes::SHA256, raw)),
        ImportScheme::Sha256Base64 => base64(text, 32).map(|raw| fast(Schemes::SHA256, raw)),
        ImportScheme::Sha512Hex => hex::decode(text, 64).map(|raw| fast(Schemes::SHA512, raw)),
        ImportScheme::DrfApiKey => match text.strip_prefix("sha512$$") {
            Some(digest) => hex::decode(digest, 64).map(|raw| fast(Schemes::SHA512, raw)),
            None => pbkdf2(text).or_else(|| bcrypt(text)).or_else(|| argon2(text)),
        },
        ImportScheme::Bcrypt => bcrypt(text),
        ImportScheme::Argon2 => argon2(text),
        ImportScheme::Pbkdf2Sha256 => pbkdf2(text),
    };
    let found = found.ok_or(UNREADABLE)?;
    if !Schemes::is_fast(found.scheme) {
        Slowly::read(found.scheme, &found.params).ok_or(UNREADABLE)?.0.as_slow().check()?;
    }
    Ok(found)
}

const UNREADABLE: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The hash is not written as the scheme of the import says.",
);

/// Base64 of either alphabet, padded or not, of this many bytes.
fn base64(text: &str, len: usize) -> Option<Vec<u8>> {
    base64_of_any_length(text).filter(|raw| raw.len() == len)
}

fn base64_of_any_length(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    b64::decode(text.as_bytes()).ok()
}

fn slow(scheme: u16, params: String, raw: Vec<u8>) -> Imported {
    Imported { scheme, params, raw: Zeroizing::new(raw) }
}

/// `$2b$12$<22 of salt><31 of hash>`, whatever Django puts in front.
fn bcrypt(text: &str) -> Option<Imported> {
    let (scheme, text) = if let Some(rest) = text.strip_prefix("bcrypt_sha256$") {
        (Schemes::BCRYPT_SHA256, rest)
    } else {
        (Schemes::BCRYPT, text.strip_prefix("bcrypt$").unwrap_or(text))
    };
    let mut parts = text.strip_prefix('$')?.split('$');
    let (version, cost, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !matches!(version, "2a" | "2b" | "2y") || cost.len() != 2 {
        return None;
    }
    let (salt, hash) = rest.split_at_checked(22)?;
    let hash = bcrypt_base64(hash).filter(|hash| hash.len() == 23)?;
    bcrypt_base64(salt).filter(|salt| salt.len() == 16)?;
    Some(slow(scheme, format!("{cost}${salt}"), hash))
}

/// bcrypt's own alphabet.
fn bcrypt_base64(text: &str) -> Option<Vec<u8>> {
    const OWN: &str = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        let value = OWN.bytes().position(|own| own == byte)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    Some(out)
}

/// `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, whatever Django puts in front.
fn argon2(text: &str) -> Option<Imported> {
    let text = text.strip_prefix("argon2$").unwrap_or(text).trim_start_matches('$');
    let (params, hash) = text.rsplit_once('$')?;
    let raw = base64_of_any_length(hash)?;
    Some(slow(Schemes::ARGON2, format!("{params}${}", raw.len()), raw))
}

/// `pbkdf2_sha256$<iterations>$<salt>$<base64>` of Django, whose salt is text, or
/// `$pbkdf2-sha256$<iterations>$<salt>$<hash>` of passlib, whose salt is base64 with a `.` for `+`.
fn pbkdf2(text: &str) -> Option<Imported> {
    let (rest, is_django) = match text.strip_prefix("pbkdf2_sha256$") {
        Some(rest) => (rest, true),
        None => (text.strip_prefix("$pbkdf2-sha256$")?, false),
    };
    let mut parts = rest.split('$');
    let (iterations, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let raw = base64_of_any_length(&hash.replace('.', "+"))?;
    let salt = if is_django {
        salt.as_bytes().to_vec()
    } else {
        base64_of_any_length(&salt.replace('.', "+"))?
    };
    let params = format!("{iterations}${}${}", b64::encode(&salt), raw.len());
    Some(slow(Schemes::PBKDF2_SHA256, params, raw))
}

/// A slow hash as [`Imported::params`] has it: everything but the hash.
pub(crate) struct Slowly(Owned);

/// [`Slow`] with its salt.
enum Owned {
    Argon2 { variant: String, memory: u32, passes: u32, lanes: u32, salt: Vec<u8>, len: usize },
    Bcrypt { cost: u32, salt: [u8; 16], digest_first: bool },
    Pbkdf2 { iterations: u32, salt: Vec<u8>, len: usize },
}

impl Owned {
    fn as_slow(&self) -> Slow<'_> {
        match self {
            Self::Argon2 { variant, memory, passes, lanes, salt, len } => Slow::Argon2 {
                variant,
                memory: *memory,
                passes: *passes,
                lanes: *lanes,
                salt,
                len: *len,
            },
            Self::Bcrypt { cost, salt, .. } => Slow::Bcrypt { cost: *cost, salt: *salt },
            Self::Pbkdf2 { iterations, salt, len } => {
                Slow::Pbkdf2Sha256 { iterations: *iterations, salt, len: *len }
            }
        }
    }
}

impl Slowly {
    /// Reads the parameters of the scheme.
    pub(crate) fn read(scheme: u16, params: &str) -> Option<Self> {
        match scheme {
            Schemes::ARGON2 => Self::read_argon2(params),
            Schemes::BCRYPT | Schemes::BCRYPT_SHA256 => {
                let (cost, salt) = params.split_once('$')?;
                let salt = bcrypt_base64(salt)?.try_into().ok()?;
                let digest_first = scheme == Schemes::BCRYPT_SHA256;
                Some(Self(Owned::Bcrypt { cost: cost.parse().ok()?, salt, digest_first }))
            }
            Schemes::PBKDF2_SHA256 => {
                let mut parts = params.split('$');
                let iterations = parts.next()?.parse().ok()?;
                let salt = b64::decode(parts.next()?.as_bytes()).ok()?;
                Some(Self(Owned::Pbkdf2 { iterations, salt, len: parts.next()?.parse().ok()? }))
            }
            _ => None,
        }
    }

    /// `argon2id$v=19$m=19456,t=2,p=1$<salt>$<length>`.
    fn read_argon2(params: &str) -> Option<Self> {
        let mut parts = params.split('$');
        let variant = parts.next()?.to_owned();
        if parts.next()? != "v=19" {
            return None; // the version of 2013 is not worth keeping
        }
        let (mut memory, mut passes, mut lanes) = (None, None, None);
        for cost in parts.next()?.split(',') {
            let (name, value) = cost.split_once('=')?;
            let value = value.parse().ok()?;
            match name {
                "m" => memory = Some(value),
                "t" => passes = Some(value),
                "p" => lanes = Some(value),
                _ => return None,
            }
        }
        let (memory, passes, lanes) = (memory?, passes?, lanes?);
        let salt = base64_of_any_length(parts.next()?)?;
        let len = parts.next()?.parse().ok()?;
        Some(Self(Owned::Argon2 { variant, memory, passes, lanes, salt, len }))
    }

    /// The hash of the text, a few at a time.
    ///
    /// # Errors
    /// `RateLimited`: too many are waiting; the server would do nothing else.
    pub(crate) fn hash(&self, text: &[u8]) -> Result<Option<Vec<u8>>> {
        let _turn = Turn::take()?;
        let slow = self.0.as_slow();
        if slow.check().is_err() {
            return Ok(None); // a row that was altered
        }
        Ok(match self.0 {
            Owned::Bcrypt { digest_first: true, .. } => {
                let digits: String = sha256(text).iter().map(|b| format!("{b:02x}")).collect();
                slow.hash(digits.as_bytes())
            }
            _ => slow.hash(text),
        })
    }
}
