//! What is revoked, what was forgotten of that, and tokens that are used once.

use super::super::PAGE;
use super::Run;
use super::keys::EXCHANGED;
use crate::error::Result;
use crate::store::{Revocation, RevocationKind, SeenToken};
use std::collections::HashMap;

type Name = (RevocationKind, String, String);

/// How far what is revoked has been followed, and what the other store has of it.
pub(super) struct Followed {
    seq: u64,
    there: HashMap<Name, (u64, u64)>,
}

impl Run<'_> {
    pub(super) fn first_revocations(&mut self) -> Result<Followed> {
        let mut followed = Followed { seq: 0, there: HashMap::new() };
        let mut seq = 0;
        loop {
            let page = self.to.revocations(seq, PAGE)?;
            if page.reload {
                return Err(EXCHANGED);
            }
            seq = page.seq;
            followed.there.extend(page.entries.into_iter().map(named));
            if !page.more {
                break;
            }
        }
        // What was forgotten was about tokens from before this.
        let horizon = self.from.revocation_horizon()?;
        if horizon > self.to.revocation_horizon()? {
            self.to.purge_revocations(horizon, horizon)?;
        }
        while self.page_of_revocations(&mut followed)?.1 {}
        Ok(followed)
    }

    /// What was revoked since, and the sessions that have ended; whether there is more.
    pub(super) fn more_revocations(&mut self, followed: &mut Followed) -> Result<bool> {
        let (ended, more) = self.page_of_revocations(followed)?;
        for family in &ended {
            self.session_again(family)?;
        }
        Ok(more)
    }

    /// The sessions that are revoked in it, and whether there is more.
    fn page_of_revocations(&mut self, followed: &mut Followed) -> Result<(Vec<String>, bool)> {
        let page = self.from.revocations(followed.seq, PAGE)?;
        if page.reload {
            return Err(EXCHANGED);
        }
        followed.seq = page.seq;
        let families = page.entries.iter().filter(|entry| entry.kind == RevocationKind::Session);
        let families = families.map(|entry| entry.value.clone()).collect();
        let (looked, more) = (page.entries.len(), page.more);
        let new: Vec<Revocation> = page
            .entries
            .into_iter()
            .filter(|entry| {
                let name = (entry.kind, entry.issuer.clone(), entry.value.clone());
                let known = followed.there.get(&name);
                known.is_none_or(|known| known.0 < entry.before || known.1 < entry.until)
            })
            .collect();
        if !new.is_empty() {
            self.to.write_revocations(&new)?;
            self.report.revocations += new.len() as u64;
            followed.there.extend(new.into_iter().map(named));
        }
        self.step(looked)?;
        Ok((families, more))
    }

    pub(super) fn all_seen_tokens(&mut self) -> Result<()> {
        let mut after: Option<SeenToken> = None;
        loop {
            let page = self.from.seen_tokens(after.as_ref(), PAGE)?;
            let Some(last) = page.last().cloned() else { return Ok(()) };
            for seen in page.iter().filter(|seen| seen.until > self.now) {
                let SeenToken { issuer, token_id, until } = seen;
                let is_new = self.to.remember_token(issuer, token_id, *until, 0)?;
                self.report.seen_tokens += u64::from(is_new);
            }
            self.step(page.len())?;
            after = Some(last);
        }
    }
}

fn named(entry: Revocation) -> (Name, (u64, u64)) {
    ((entry.kind, entry.issuer, entry.value), (entry.before, entry.until))
}
