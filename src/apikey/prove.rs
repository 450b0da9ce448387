//! Which proof of a key a text is proved by, where that is not the one MAC in the hot part: another
//! scheme, several peppers, or the proof of before the last rotation.
//!
//! A slow hash is computed once: a MAC of the text that was proved stays in memory, with the row as
//! it was then, so that the next use costs a MAC or two, and a wrong text does too. Any change of
//! the row drops it.

use super::apikeys::Inner;
use super::hash::{Candidate, Part, Proved};
use super::import_formats::Schemes;
use super::mirror::Slot;
use super::profile::Rare;
use super::turns::once;
use crate::crypto::constant_time_eq;
use crate::error::Result;
use crate::store::Proof;

impl Inner {
    #[cold]
    pub(super) fn proves_otherwise(
        &self,
        slot: &Slot,
        candidate: Candidate<'_>,
    ) -> Result<Option<Proved>> {
        let Some(profile) = slot.whole_profile() else { return Ok(None) };
        let Some(rare) = profile.rare() else { return Ok(None) };
        if let Some(proof) = &rare.proof
            && let Some(part) = self.proves_current(rare, &proof.0, candidate)?
        {
            return Ok(Some(Proved::Current(part)));
        }
        let Some(previous) = rare.previous.as_ref().map(|previous| &previous.0) else {
            return Ok(None);
        };
        if self.wall()? >= previous.until {
            return Ok(None);
        }
        let slowly = &mut |text: &[u8]| self.peppers.proves_digest(&previous.proof, text);
        let proved = self.peppers.prove(&previous.proof, candidate, slowly)?;
        Ok(proved.map(|_| Proved::Previous))
    }

    /// Which part of the text the key's current proof is of, if of any.
    fn proves_current(
        &self,
        rare: &Rare,
        proof: &Proof,
        candidate: Candidate<'_>,
    ) -> Result<Option<Part>> {
        let prove = || {
            let slowly = &mut |text: &[u8]| self.proves_slowly(rare, proof, text);
            self.peppers.prove(proof, candidate, slowly)
        };
        if Schemes::is_fast(proof.scheme) || rare.proved.load().is_some() {
            return prove();
        }
        let whole = candidate.part(Part::Whole).unwrap_or_default();
        match self.peppers.mac_of_proved(proof, whole) {
            Some(of) => once(of, prove),
            None => Ok(None),
        }
    }

    /// Whether the slow hash of the text is the proof's.
    fn proves_slowly(&self, rare: &Rare, proof: &Proof, text: &[u8]) -> Result<bool> {
        let Some(mac) = self.peppers.mac_of_proved(proof, text) else { return Ok(false) };
        // Another caller may have been done a moment ago.
        if let Some(known) = rare.proved.load().as_ref() {
            return Ok(constant_time_eq(&known.0, &mac));
        }
        #[cfg(test)]
        self.computed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let proved = self.peppers.proves_digest(proof, text)?;
        if proved {
            rare.remember(mac);
        }
        Ok(proved)
    }
}

#[cfg(test)]
mod tests;
