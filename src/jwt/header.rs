//! Header members that a program adds to its tokens (RFC 7515 section 4): `x5t`, `x5t#S256`, `x5c`,
//! `cty`, `nonce`, and private ones.
//!
//! Refused: what the signer itself says (`alg`, `kid`, `typ`), what a verifier would have to
//! understand or fetch (`crit`, `b64`, `jwk`, `jku`, `x5u`), what only encrypted tokens have
//! (`enc`, `zip`), and registered members of a wrong kind.

use crate::base::b64;
use crate::base::json::{self, Kind, Value};
use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;

/// Members of a header, as they were given: names, and values as JSON text.
#[derive(Clone, Default)]
pub(super) struct HeaderMembers(Vec<(Arc<str>, String)>);

impl HeaderMembers {
    /// Sets a member; one that is set twice keeps the later value.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(known, _)| **known != *name);
        self.0.push((name.into(), value));
    }

    /// The members as they stand in a header, each with a comma before it.
    ///
    /// # Errors
    /// `InvalidConfiguration`: a name that the program may not set, a value that is not what the
    /// name asks for, or more than 48 KiB in all; the error's claim names the member.
    pub(super) fn checked(&self) -> Result<String> {
        let mut out = String::new();
        for (name, text) in &self.0 {
            let value = json::parse(text.as_bytes()).map_err(|_| NOT_JSON.about_named_claim(name));
            check(name, &value?).map_err(|error| error.about_named_claim(name))?;
            out.push(',');
            json::write_str(&mut out, name);
            out.push(':');
            out.push_str(text.trim_ascii());
            if out.len() > MOST {
                return Err(TOO_LONG.about_named_claim(name));
            }
        }
        Ok(out)
    }
}

impl HeaderMembers {
    /// Refuses what belongs to one key where the keys change.
    ///
    /// # Errors
    /// `InvalidConfiguration`; the error's claim names the member.
    pub(super) fn for_any_key(&self) -> Result<()> {
        match self.0.iter().find(|(name, _)| matches!(&**name, "x5t" | "x5t#S256" | "x5c")) {
            Some((name, _)) => Err(OF_ONE_KEY.about_named_claim(name)),
            None => Ok(()),
        }
    }
}

/// The most bytes that all of them may have.
const MOST: usize = 48 * 1024;

fn check(name: &str, value: &Value<'_>) -> Result<()> {
    let hash = |len: usize| {
        let text = value.as_str().ok_or(NOT_A_HASH)?;
        let bytes = b64::decode(text.as_bytes()).map_err(|_| NOT_A_HASH)?;
        if bytes.len() == len { Ok(()) } else { Err(NOT_A_HASH) }
    };
    if name.is_empty() {
        return Err(NO_NAME);
    }
    // Some programs read names without regard to case, or to what cannot be seen.
    let plain: String = name.chars().filter(char::is_ascii_graphic).collect();
    match &*plain.to_ascii_lowercase() {
        "alg" | "kid" | "typ" => return Err(THE_SIGNERS),
        "crit" | "b64" | "jwk" | "jku" | "x5u" | "enc" | "zip" => return Err(NEVER),
        _ => {}
    }
    match name {
        "x5t" => hash(20),
        "x5t#S256" => hash(32),
        "cty" | "nonce" if value.kind() != Kind::String => Err(NOT_A_STRING),
        "x5c" => {
            let mut chain = value.elements().peekable();
            let is_list = chain.peek().is_some() && chain.all(|one| one.kind() == Kind::String);
            if is_list { Ok(()) } else { Err(NOT_A_CHAIN) }
        }
        _ => Ok(()),
    }
}

const fn refuse(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const NOT_JSON: Error = refuse("The value of a header member is not JSON (RFC 8259).");
const NO_NAME: Error = refuse("A header member has no name.");
const THE_SIGNERS: Error = refuse(
    "The signer itself sets this header member: `alg` and `kid` are its key's, `typ` is an option of its own.",
);
const NEVER: Error = refuse(
    "This header member is never set: a verifier would have to fetch or understand it, or take the token for another kind.",
);
const NOT_A_HASH: Error = refuse(
    "The header member is not a certificate's hash in unpadded base64url: 20 bytes of SHA-1 in `x5t`, 32 in `x5t#S256`.",
);
const NOT_A_STRING: Error = refuse("The header member must be a string (RFC 7515 section 4.1).");
const NOT_A_CHAIN: Error = refuse(
    "The header member must be a list of certificates, each a string of base64 (RFC 7515 section 4.1.6).",
);
const OF_ONE_KEY: Error = refuse(
    "The header member is about the certificate of one key, and the signer's keys change: give the signer a key instead.",
);
const TOO_LONG: Error = refuse("The header members have more than 48 KiB in all.");
