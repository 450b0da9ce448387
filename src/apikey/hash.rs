//! What is kept of a key: HMAC-SHA256 under a pepper, of id and secret for a key of ours, of a
//! digest for an imported one.
//!
//! A chain of peppers is a MAC of a MAC: a row that was wrapped needs all of them. Each use of a
//! pepper has a tag of its own in front of the message, so that no MAC can stand in for another.

use super::format::KeyId;
use super::import_formats::{Schemes, Slowly};
use crate::crypto::constant_time_eq;
use crate::crypto::hash::{sha256, sha512};
use crate::error::Result;
use crate::pepper::{Fields, Peppers, Row};
use crate::store::{Lookup, Proof, StoredKey};
use zeroize::Zeroizing;

impl Peppers {
    /// The MAC of a key of ours.
    #[inline]
    pub(crate) fn mac_native(&self, pepper: u32, id: &KeyId, secret: &[u8]) -> Option<[u8; 32]> {
        // 45 bytes: with the padding, one block of SHA-256.
        let mut message = [0; 45];
        let (tag, rest) = message.split_first_chunk_mut::<3>()?;
        let (own_id, own_secret) = rest.split_first_chunk_mut::<12>()?;
        *tag = *b"gk1";
        own_id.copy_from_slice(id.as_bytes());
        *own_secret.first_chunk_mut::<30>()? = *secret.first_chunk::<30>()?;
        let mac = self.mac(pepper, &message);
        if let Some(secret) = message.last_chunk_mut::<30>() {
            zeroize::Zeroize::zeroize(secret);
        }
        mac
    }

    /// The first MAC of an imported key, over what `scheme` makes of its text.
    pub(crate) fn mac_foreign(&self, pepper: u32, scheme: u16, raw: &[u8]) -> Option<[u8; 32]> {
        self.mac(pepper, &[b"gkf", &scheme.to_be_bytes()[..], raw].concat())
    }

    /// What an imported key is found by.
    pub(crate) fn lookup_tag(
        &self,
        pepper: u32,
        kind: LookupKind,
        text: &[u8],
    ) -> Option<[u8; 16]> {
        let tag: &[u8] = match kind {
            LookupKind::Sha256 => b"gkl256",
            LookupKind::Sha512 => b"gkl512",
            LookupKind::Named => b"gklname",
        };
        half(self.mac(pepper, &[tag, text].concat())?)
    }

    /// Which part of the text the proof is of, if of any. An unknown pepper or scheme proves
    /// nothing; what a slow scheme makes of a text is asked of `slowly`.
    pub(crate) fn prove(
        &self,
        proof: &Proof,
        candidate: Candidate<'_>,
        slowly: &mut dyn FnMut(&[u8]) -> Result<bool>,
    ) -> Result<Option<Part>> {
        match candidate {
            Candidate::Native { id, secret } if proof.scheme == Schemes::NATIVE => {
                let first = proof.peppers.first().copied().unwrap_or(0);
                let proved = self.ends_in(proof, self.mac_native(first, &id, secret));
                Ok(proved.then_some(Part::Whole))
            }
            Candidate::Foreign { .. } if proof.scheme != Schemes::NATIVE => {
                for (part, text) in candidate.parts() {
                    let proved = if Schemes::is_fast(proof.scheme) {
                        self.proves_digest(proof, text)?
                    } else {
                        slowly(text)?
                    };
                    if proved {
                        return Ok(Some(part));
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Whether this text has the digest that the proof is of.
    pub(crate) fn proves_digest(&self, proof: &Proof, text: &[u8]) -> Result<bool> {
        let raw = match proof.scheme {
            Schemes::SHA256 => Some(sha256(text).to_vec()),
            Schemes::SHA512 => Some(sha512(text).to_vec()),
            scheme => match Slowly::read(scheme, &proof.params) {
                Some(slow) => slow.hash(text)?,
                None => None,
            },
        };
        let Some(raw) = raw else { return Ok(false) };
        let first = proof.peppers.first().copied().unwrap_or(0);
        Ok(self.ends_in(proof, self.mac_foreign(first, proof.scheme, &raw)))
    }

    /// What stands in memory for a text that a slow proof was proved by: a MAC under the active
    /// pepper, of the proof and the text.
    pub(crate) fn mac_of_proved(&self, proof: &Proof, text: &[u8]) -> Option<[u8; 32]> {
        self.mac(self.active(), &Zeroizing::new([b"gkm1", &proof.mac[..], text].concat()))
    }

    /// Whether the chain that begins with this MAC ends in the proof's.
    fn ends_in(&self, proof: &Proof, first: Option<[u8; 32]>) -> bool {
        let wrapped = proof.peppers.iter().skip(1);
        let mac = first.and_then(|first| {
            wrapped.copied().try_fold(first, |mac, pepper| self.mac(pepper, &mac))
        });
        mac.is_some_and(|mac| constant_time_eq(&mac, &proof.mac))
    }
}

/// A text that may be proved.
#[derive(Clone, Copy)]
pub(crate) enum Candidate<'a> {
    /// A key of our format.
    Native { id: KeyId, secret: &'a [u8] },
    /// An imported key: all of it, what it was found by, and, unless it was found by a digest of
    /// all of it, what follows that and a separator.
    Foreign { whole: &'a [u8], kind: LookupKind, lookup: &'a [u8], rest: Option<&'a [u8]> },
}

impl<'a> Candidate<'a> {
    /// The parts of an imported key's text that the other system may have kept a digest of. A text
    /// is not proved by its rest if that begins with the look-up again: then something was put in
    /// front of the key.
    fn parts(self) -> impl Iterator<Item = (Part, &'a [u8])> {
        [Part::Whole, Part::Rest].into_iter().filter_map(move |part| Some((part, self.part(part)?)))
    }

    /// The text of a part.
    pub(crate) fn part(self, part: Part) -> Option<&'a [u8]> {
        match (self, part) {
            (Self::Native { secret, .. }, _) => Some(secret),
            (Self::Foreign { whole, .. }, Part::Whole) => Some(whole),
            (Self::Foreign { lookup, rest, .. }, Part::Rest) => rest.filter(|rest| {
                let after = rest.strip_prefix(lookup).and_then(<[u8]>::first);
                !after.is_some_and(|byte| is_separator(*byte))
            }),
        }
    }
}

/// The proof of the part of a text that was just proved, under the active pepper, and how it is
/// found from now on: by the same as before. Everything that is not of our format is then one
/// SHA-256 and one MAC, and every text that was accepted before is accepted after, and no other.
pub(super) fn prove_anew(
    peppers: &Peppers,
    candidate: Candidate<'_>,
    part: Part,
) -> Option<(Proof, Option<Lookup>)> {
    let pepper = peppers.active();
    let proof = |scheme, mac| Proof { scheme, params: String::new(), peppers: vec![pepper], mac };
    match candidate {
        Candidate::Native { id, secret } => {
            Some((proof(Schemes::NATIVE, peppers.mac_native(pepper, &id, secret)?), None))
        }
        Candidate::Foreign { kind, lookup, .. } => {
            let digest = sha256(candidate.part(part)?);
            let mac = peppers.mac_foreign(pepper, Schemes::SHA256, &digest)?;
            let tag = peppers.lookup_tag(pepper, kind, lookup)?;
            Some((proof(Schemes::SHA256, mac), Some(Lookup { pepper, tag })))
        }
    }
}

/// What may stand between the look-up of an imported key and its rest.
pub(super) const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b'-' | b':' | b'~')
}

/// Which part of a text a proof is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// What follows the look-up of an imported key, and a separator.
    Rest,
}

/// Which proof of a key a text was proved by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proved {
    /// By the one that the key has now: only this one is ever made again.
    Current(Part),
    /// By the previous one, in its overlap after the last rotation.
    Previous,
}

/// What a look-up tag is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupKind {
    /// The SHA-256 digest of the whole key.
    Sha256,
    /// The SHA-512 digest of the whole key.
    Sha512,
    /// A public part of the key.
    Named,
}

fn half(mac: [u8; 32]) -> Option<[u8; 16]> {
    mac.first_chunk().copied()
}

impl Row for StoredKey {
    fn fields(&self) -> Fields {
        fields(self)
    }

    fn seal(&self) -> (u32, [u8; 16]) {
        (self.seal_pepper, self.seal)
    }

    fn set_seal(&mut self, pepper: u32, seal: [u8; 16]) {
        (self.seal_pepper, self.seal) = (pepper, seal);
    }
}

/// The row as bytes, its fields in the order of the struct. Left out: the seal itself, and what
/// changes with use.
fn fields(key: &StoredKey) -> Fields {
    let record = &key.record;
    let mut row = Fields::new(b"gks1");
    for text in [
        &record.id,
        &record.prefix,
        &record.env,
        &record.tenant,
        &record.owner,
        &record.name,
        &record.reason,
        &record.meta,
        &record.created_by,
    ] {
        row.bytes(text.as_bytes());
    }
    row.bytes(record.scopes.join(" ").as_bytes());
    row.bytes(record.cidrs.join(" ").as_bytes());
    row.bytes(record.status.name().as_bytes());
    for number in [
        record.revoked_at,
        record.not_before,
        record.expires_at,
        record.rotated_at,
        record.overlap_until,
        Some(record.created_at),
        Some(record.version),
        record.rate.map(|rate| u64::from(rate.burst) << 32 | u64::from(rate.period)),
    ] {
        row.number(number);
    }
    let credits = record.credits.map(|credits| {
        [credits.limit, credits.refill, u64::from(credits.every)].map(u64::to_be_bytes).concat()
    });
    row.bytes(&credits.unwrap_or_default());
    let mut proof = |proof: &Proof| {
        row.bytes(&proof.scheme.to_be_bytes());
        row.bytes(proof.params.as_bytes());
        row.bytes(
            &proof.peppers.iter().flat_map(|pepper| pepper.to_be_bytes()).collect::<Vec<_>>(),
        );
        row.bytes(&proof.mac);
    };
    proof(&key.proof);
    if let Some(previous) = &key.previous {
        proof(&previous.proof);
        row.number(previous.until);
    }
    let lookup = key.lookup.map(|lookup| [&lookup.pepper.to_be_bytes()[..], &lookup.tag].concat());
    row.bytes(&lookup.unwrap_or_default());
    row
}
