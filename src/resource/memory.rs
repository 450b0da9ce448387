//! What an authorization server has said about tokens, under their digests: for each token the
//! latest answer, one question at a time, and what went wrong. Tokens that are unknown have a
//! budget, so that a caller that makes some up does not have the server asked about each.

use crate::base::backoff::BackOff;
use crate::base::clock::NANOS;
use crate::base::process::{OwnLock, brief};
use crate::error::{Error, ErrorKind, Result};
use crate::oauth::Introspection;
use crate::transport::Flight;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The tables that tokens are spread over, and the most tokens in each.
const TABLES: usize = 16;
const MOST: usize = 1024;
/// The longest pause after a failure to ask about one token, in seconds.
const LONGEST_PAUSE: u64 = 8;
/// In how many seconds a budget that is used up is whole again.
const REFILL: u64 = 10;

/// A token's digest.
pub(super) type Digest = [u8; 32];

/// What is remembered of all tokens.
pub(super) struct Memory {
    tables: [OwnLock<HashMap<Digest, Arc<Entry>>>; TABLES],
    budget: Mutex<Budget>,
}

/// What is remembered of one token.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) flight: Flight,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The latest answer, until when it may be used (nanoseconds of the monotonic clock), and which
    /// question it answers.
    answer: Option<Arc<Introspection>>,
    until: u64,
    turn: u64,
    /// How many questions have begun.
    turns: u64,
    trouble: BackOff,
}

/// A question about a token, in the order in which they began.
#[derive(Clone, Copy)]
pub(super) struct Question {
    turn: u64,
    asked: u64,
    /// Whether it has taken from the budget.
    is_strange: bool,
}

impl Memory {
    /// Room for this many unknown tokens in ten seconds; 0 for any number.
    pub(super) fn new(unknown: u32) -> Self {
        let budget = Mutex::new(Budget { unknown, used: 0, reason: None });
        Self { tables: std::array::from_fn(|_| OwnLock::new()), budget }
    }

    /// What is remembered of a token; an empty entry, which is forgotten with its last user, if
    /// there is no more room.
    pub(super) fn entry(&self, digest: &Digest, now: u64) -> Arc<Entry> {
        let [first, ..] = digest;
        let Some(table) = self.tables.get(usize::from(*first) % TABLES) else {
            return Arc::default();
        };
        table.locked(|table| {
            if let Some(entry) = table.get(digest) {
                return Arc::clone(entry);
            }
            if table.len() >= MOST {
                // Those that were good are known longest: callers cannot drive them out.
                table.retain(|_, entry| entry.was_good() || entry.is_needed(now));
            }
            if table.len() >= MOST {
                table.retain(|_, entry| entry.is_needed(now));
            }
            let entry = Arc::<Entry>::default();
            if table.len() < MOST {
                table.insert(*digest, Arc::clone(&entry));
            }
            entry
        })
    }

    /// Begins a question, if the server may be asked about this token now.
    ///
    /// # Errors
    /// `OauthServerFailed`: the budget of unknown tokens is used up.
    pub(super) fn ask(&self, entry: &Entry, now: u64) -> Result<Question> {
        let is_strange = !entry.was_good();
        if is_strange {
            brief(&self.budget).take(now)?;
        }
        let mut state = brief(&entry.state);
        state.turns += 1;
        Ok(Question { turn: state.turns, asked: now, is_strange })
    }

    /// Takes an answer over, to be used for this many seconds, unless a question that began later
    /// is answered: what is valid now.
    pub(super) fn answered(
        &self,
        entry: &Entry,
        question: Question,
        answer: Arc<Introspection>,
        ttl: u64,
    ) -> Arc<Introspection> {
        let mut budget = brief(&self.budget);
        budget.reason = None;
        if question.is_strange && answer.active {
            budget.give_back();
        }
        drop(budget);
        let mut state = brief(&entry.state);
        match &state.answer {
            Some(later) if state.turn > question.turn => Arc::clone(later),
            _ => {
                state.until = question.asked.saturating_add(ttl.saturating_mul(NANOS));
                state.turn = question.turn;
                state.answer = Some(Arc::clone(&answer));
                state.trouble.over();
                answer
            }
        }
    }

    /// The question has failed; what to tell.
    pub(super) fn failed(&self, entry: &Entry, error: Error, now: u64) -> Error {
        brief(&self.budget).reason = Some(error.clone());
        let mut state = brief(&entry.state);
        state.trouble.failed(&error, now, LONGEST_PAUSE);
        state.trouble.pause(now).unwrap_or(error)
    }
}

impl Entry {
    /// What may be answered without asking.
    pub(super) fn at_once(&self, now: u64) -> Option<Result<Arc<Introspection>>> {
        let state = brief(&self.state);
        let answer = state.answer.as_ref().filter(|_| now < state.until);
        match answer {
            Some(answer) => Some(Ok(Arc::clone(answer))),
            None => state.trouble.pause(now).map(Err),
        }
    }

    /// Whether the server has said so, when it was last asked.
    fn was_good(&self) -> bool {
        brief(&self.state).answer.as_ref().is_some_and(|answer| answer.active)
    }

    fn is_needed(&self, now: u64) -> bool {
        self.flight.is_busy() || self.at_once(now).is_some()
    }
}

/// How many tokens that are not known may be asked about. Those that turn out to be good take
/// nothing.
struct Budget {
    unknown: u32,
    /// When the budget is whole again, in nanoseconds of the monotonic clock.
    used: u64,
    /// What went wrong when the server was last asked about any.
    reason: Option<Error>,
}

impl Budget {
    fn take(&mut self, now: u64) -> Result<()> {
        let Some(each) = (REFILL * NANOS).checked_div(u64::from(self.unknown)) else {
            return Ok(());
        };
        let used = self.used.max(now).saturating_add(each);
        let over = used.saturating_sub(now).saturating_sub(REFILL * NANOS);
        if over > 0 {
            let error = self.reason.clone().filter(Error::is_retryable).unwrap_or(TOO_MANY);
            return Err(error.retry_after_ms(over.div_ceil(NANOS / 1000)));
        }
        self.used = used;
        Ok(())
    }

    fn give_back(&mut self) {
        let each = (REFILL * NANOS).checked_div(u64::from(self.unknown));
        self.used = self.used.saturating_sub(each.unwrap_or(0));
    }
}

const TOO_MANY: Error = Error::new(
    ErrorKind::OauthServerFailed,
    "Too many tokens that the authorization server does not know were presented; it is not asked about more now.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget() {
        let mut budget = Budget { unknown: 5, used: 0, reason: None };
        let now = 3 * NANOS;
        assert!((0..5).all(|_| budget.take(now).is_ok()));
        assert_eq!(budget.take(now).unwrap_err().retry_after(), Some(2000));
        budget.give_back();
        assert!(budget.take(now).is_ok() && budget.take(now).is_err());
        assert!(budget.take(now + 2 * NANOS - 1).is_err());
        assert!(budget.take(now + 2 * NANOS).is_ok() && budget.take(now + 2 * NANOS).is_err());
        assert!((0..5).all(|_| budget.take(now + 60 * NANOS).is_ok()));
        budget.reason = Some(Error::from(ErrorKind::ConnectionFailed));
        let told = budget.take(now + 60 * NANOS).unwrap_err();
        assert_eq!((told.kind(), told.retry_after()), (ErrorKind::ConnectionFailed, Some(2000)));
        let mut endless = Budget { unknown: 0, used: 0, reason: None };
        assert!((0..1000).all(|_| endless.take(now).is_ok()));
    }
}
