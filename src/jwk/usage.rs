//! What a key may be used for: `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3).
//!
//! Refused: a `use` other than `sig`, a `key_ops` that permits neither signing nor verifying, one
//! that also permits encrypting or deriving (section 4.3: unrelated operations should not share a
//! key, and they contradict `use`), one with duplicates, and any that is not an array of strings.
//!
//! Two exceptions, by name: `jwt-svid` is the `use` of the keys that sign SPIFFE's tokens, and
//! Azure Key Vault gives RSA and EC keys all six operations unless the caller sets others. Both are
//! read as keys for signatures.

use crate::base::json::{Kind, Value};
use crate::error::{Error, ErrorKind, Result};

/// Says what the owner of the key has permitted; what its material permits comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// Whether the key is exported with `"use":"sig"`.
    pub(super) use_sig: bool,
    /// The operations in `key_ops`, where the key has one.
    pub(super) ops: Option<Ops>,
}

/// The operations of `key_ops` that concern signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ops {
    pub(super) sign: bool,
    pub(super) verify: bool,
}

impl Default for Usage {
    fn default() -> Self {
        Self { use_sig: true, ops: None }
    }
}

impl Usage {
    /// Reads `use` and `key_ops` of a JWK.
    pub(super) fn from_jwk(jwk: &Value<'_>, kty: &str) -> Result<Self> {
        let stated = jwk.member("use");
        if let Some(value) = stated {
            let text =
                value.as_json_str().ok_or(invalid("The `use` of a JWK must be a string."))?;
            if text != *"sig" && text != *JWT_SVID {
                return Err(OTHER_USE);
            }
        }
        let all_six = matches!(kty, "RSA" | "EC");
        let ops = jwk.member("key_ops").map(|value| Ops::read(&value, all_six)).transpose()?;
        Ok(Self { use_sig: stated.is_some() || ops.is_none(), ops })
    }

    pub(super) fn permits_signing(self) -> bool {
        self.ops.is_none_or(|ops| ops.sign)
    }

    pub(super) fn permits_verifying(self) -> bool {
        self.ops.is_none_or(|ops| ops.verify)
    }

    /// The usage of the public half: anyone who may sign has signatures that others may verify.
    pub(super) fn public(self) -> Self {
        Self { ops: self.ops.map(|_| Ops { sign: false, verify: true }), ..self }
    }

    /// Appends the members `use` and `key_ops`, each with a comma before it.
    pub(super) fn write(self, out: &mut String) {
        if self.use_sig {
            out.push_str(r#","use":"sig""#);
        }
        if let Some(ops) = self.ops {
            let text = match (ops.sign, ops.verify) {
                (true, true) => r#","key_ops":["sign","verify"]"#,
                (true, false) => r#","key_ops":["sign"]"#,
                _ => r#","key_ops":["verify"]"#,
            };
            out.push_str(text);
        }
    }
}

impl Ops {
    /// `all_six`: whether the six operations of Azure Key Vault are read as the two of signatures.
    fn read(value: &Value<'_>, all_six: bool) -> Result<Self> {
        if value.kind() != Kind::Array {
            return Err(MALFORMED_OPS);
        }
        let mut seen = Vec::new();
        for element in value.elements() {
            let op = element.as_str().ok_or(MALFORMED_OPS)?;
            if seen.contains(&op) {
                return Err(invalid(
                    "The `key_ops` of a JWK names an operation twice (RFC 7517 section 4.3).",
                ));
            }
            seen.push(op);
            if seen.len() > MAX_OPS {
                return Err(MALFORMED_OPS);
            }
        }
        let has = |wanted: &str| seen.iter().any(|op| op == wanted);
        let is_key_vault =
            all_six && seen.len() == KEY_VAULT.len() && KEY_VAULT.iter().all(|op| has(op));
        if !is_key_vault && UNRELATED.iter().any(|op| has(op)) {
            return Err(FOR_SOMETHING_ELSE);
        }
        let ops = Self { sign: has("sign"), verify: has("verify") };
        if ops.sign || ops.verify { Ok(ops) } else { Err(FOR_SOMETHING_ELSE) }
    }
}

/// More than there are registered operations; keeps the search for duplicates short.
const MAX_OPS: usize = 16;

const UNRELATED: [&str; 6] =
    ["encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"];

/// What Azure Key Vault permits RSA keys by default.
const KEY_VAULT: [&str; 6] = ["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"];

/// The `use` of keys that sign JWT-SVIDs (SPIFFE Trust Domain and Bundle, section 4.2.2).
const JWT_SVID: &str = "jwt-svid";

const FOR_SOMETHING_ELSE: Error = Error::new(
    ErrorKind::KeyUsage,
    "The key's `key_ops` is not for signatures alone; use a key made for signing.",
);

const OTHER_USE: Error = Error::new(
    ErrorKind::KeyUsage,
    "The key's `use` is not `sig`, so it is not for signatures; use a key made for signing.",
);

const MALFORMED_OPS: Error = invalid("The `key_ops` of a JWK must be a short array of strings.");

const fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidKey, message)
}
