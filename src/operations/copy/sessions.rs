//! Sessions.

use super::super::{PAGE, Rows};
use super::{BATCH, Run, TRIES, is_of_a_row};
use crate::error::{ErrorKind, Result};
use crate::store::{SessionEventFilter, StoredSession};

enum Step {
    Nothing,
    /// Puts it there, in the place of this version; 0 for none.
    Put(u64),
    /// Ends the one that is there.
    End,
}

fn merge(here: &StoredSession, there: Option<&StoredSession>) -> Step {
    match there {
        None => Step::Put(0),
        Some(there) if there.record.ended_at.is_some() => Step::Nothing,
        Some(there) if there.version > 0 && here.version > there.version => {
            Step::Put(there.version)
        }
        Some(_) if here.record.ended_at.is_some() => Step::End,
        Some(_) => Step::Nothing,
    }
}

impl Run<'_> {
    pub(super) fn all_sessions(&mut self) -> Result<()> {
        let (mut here, mut there) = (Rows::of_sessions(&self.from), Rows::of_sessions(&self.to));
        let (mut mine, mut other) = (here.next()?, there.next()?);
        let mut batch = Vec::new();
        loop {
            let order = match (&mine, &other) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(mine), Some(other)) => mine.record.family.cmp(&other.record.family),
            };
            if order.is_gt() {
                if let Some(session) = other.take() {
                    self.session_only_there(&session)?;
                }
                other = there.next()?;
                continue;
            }
            let known = if order.is_eq() { other.take() } else { None };
            if let Some(session) = mine.take() {
                self.one_session(&mut batch, session, known.as_ref())?;
            }
            if batch.len() >= BATCH {
                self.put_sessions(&mut batch)?;
            }
            mine = here.next()?;
            if order.is_eq() {
                other = there.next()?;
            }
            self.step(1)?;
        }
        self.put_sessions(&mut batch)
    }

    fn one_session(
        &mut self,
        batch: &mut Vec<(StoredSession, u64)>,
        here: StoredSession,
        there: Option<&StoredSession>,
    ) -> Result<()> {
        if here.version == 0 {
            let family = &here.record.family;
            self.problem(format!("The session {family} cannot be read, and was not copied."));
            return Ok(());
        }
        match merge(&here, there) {
            Step::Nothing => Ok(()),
            Step::Put(over) => {
                batch.push((here, over));
                Ok(())
            }
            Step::End => self.end_session(&here.record.family),
        }
    }

    fn put_sessions(&mut self, batch: &mut Vec<(StoredSession, u64)>) -> Result<()> {
        let batch = std::mem::take(batch);
        if batch.is_empty() {
            return Ok(());
        }
        match self.to.take_sessions(&batch) {
            Ok(()) => {
                self.report.sessions += batch.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::StoreConflict => {
                batch.iter().try_for_each(|(session, _)| self.session_again(&session.record.family))
            }
            Err(error) => Err(error),
        }
    }

    /// Of which something is known to have changed.
    pub(super) fn session_again(&mut self, family: &str) -> Result<()> {
        for _ in 0..TRIES {
            let here = match self.from.session(family) {
                Ok(Some(here)) => here,
                Ok(None) => return Ok(()),
                Err(error) if is_of_a_row(&error) => return Ok(()), // told when all were read
                Err(error) => return Err(error),
            };
            let there = match self.to.session(family) {
                Ok(there) => there,
                Err(error) if is_of_a_row(&error) => return Ok(()), // good for nothing there
                Err(error) => return Err(error),
            };
            match merge(&here, there.as_ref()) {
                Step::Nothing => return Ok(()),
                Step::End => return self.end_session(family),
                Step::Put(over) => match self.to.take_sessions(&[(here, over)]) {
                    Ok(()) => {
                        self.report.sessions += 1;
                        return Ok(());
                    }
                    Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                    Err(error) => return Err(error),
                },
            }
        }
        self.problem(format!(
            "The session {family} could not be put there: others keep changing it."
        ));
        Ok(())
    }

    /// A session that only the other store has: begun there, or ended and removed here since it was
    /// copied.
    fn session_only_there(&mut self, there: &StoredSession) -> Result<()> {
        if !there.record.is_live(self.now) {
            return Ok(());
        }
        let family = &there.record.family;
        let filter = SessionEventFilter {
            family: Some(family.clone()),
            limit: PAGE,
            ..SessionEventFilter::default()
        };
        let events = self.from.session_events(&filter)?.records;
        let has_ended = events.iter().any(|event| event.action != "start");
        if has_ended && self.from.session(family)?.is_none() {
            return self.end_session(family);
        }
        Ok(())
    }

    fn end_session(&mut self, family: &str) -> Result<()> {
        match self.target_sessions()?.end_by_id(family, None) {
            Ok(has_ended) => {
                self.report.ended += u64::from(has_ended);
                Ok(())
            }
            Err(error) => self.not_ended("session", family, error),
        }
    }
}
