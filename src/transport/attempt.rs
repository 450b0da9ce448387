//! `attempt`: work that asks no other server itself, for callers on whom others wait, such as an event loop. Instead of
//! waiting it hands out the operation that it is in want of: drive that, and try again.

use super::Operation;
use crate::base::reach::{self, Within};
use crate::error::Result;
use std::cell::RefCell;
use std::fmt;

/// What an [`attempt`] has come to.
#[must_use]
pub enum Attempt<T> {
    /// It is done.
    Done(T),
    /// Another server has to be asked first. Drive the operation, then try again; if it fails, that is the outcome.
    Ask(Ask),
    /// It needs a disk, a slow hash, or a lock that others hold while they wait: try again where it may wait.
    Elsewhere,
}

/// A question to another server.
pub struct Ask {
    about: String,
    operation: Operation<()>,
}

impl Ask {
    /// What it is about: while one question is out, others about the same are answered by it as well.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What to drive.
    pub fn into_operation(self) -> Operation<()> {
        self.operation
    }
}

thread_local! {
    /// The first question that the work of this thread has come upon.
    static ASK: RefCell<Option<Ask>> = const { RefCell::new(None) };
}

/// Does the work without asking other servers and, unless `may_wait`, with memory only: [`crate::Verifier::verify`] and
/// [`crate::ResourceServer::check`] with remote keys and introspection, and whatever
/// [`in_memory`](crate::reach::in_memory) is for. It is about this thread only.
///
/// ```
/// use gatekey::transport::{Attempt, attempt};
///
/// assert!(matches!(attempt(false, || 1), Attempt::Done(1)));
/// ```
pub fn attempt<T>(may_wait: bool, work: impl FnOnce() -> T) -> Attempt<T> {
    let before = ASK.take();
    let (done, wanted) =
        reach::within(if may_wait { Within::Machine } else { Within::Memory }, work);
    let ask = ASK.replace(before);
    match ask {
        _ if wanted.wanted_more => Attempt::Elsewhere,
        Some(ask) if wanted.wanted_others => Attempt::Ask(ask),
        _ if wanted.wanted_others => Attempt::Elsewhere,
        _ => Attempt::Done(done),
    }
}

/// Said by what is about to ask another server.
///
/// # Errors
/// `StoreUnavailable`: this thread may not; it is inside of [`attempt`], whose caller gets the question instead.
pub(crate) fn ask_elsewhere(ask: impl FnOnce() -> (String, Operation<()>)) -> Result<()> {
    let asked = reach::beyond_machine();
    if asked.is_err() {
        ASK.with_borrow_mut(|first| {
            first.get_or_insert_with(|| {
                let (about, operation) = ask();
                Ask { about, operation }
            });
        });
    }
    asked
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Attempt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(done) => f.debug_tuple("Done").field(done).finish(),
            Self::Ask(ask) => f.debug_tuple("Ask").field(ask).finish(),
            Self::Elsewhere => f.write_str("Elsewhere"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::reach::beyond_memory;

    fn asks(about: &'static str) -> Result<()> {
        ask_elsewhere(|| (about.to_owned(), Operation::new(|_| async { Ok(()) })))
    }

    #[test]
    fn the_first_question_is_handed_out() {
        assert!(asks("nobody").is_ok(), "outside it is asked at once");
        for may_wait in [false, true] {
            let tried = attempt(may_wait, || (asks("one").is_err(), asks("two").is_err()));
            assert!(matches!(tried, Attempt::Ask(ask) if ask.about() == "one"));
        }
        assert!(matches!(attempt(false, || 1), Attempt::Done(1)), "it is not kept");
        assert!(asks("nobody").is_ok());
    }

    #[test]
    fn a_store_comes_first() {
        let both = || (asks("one").is_err(), beyond_memory().is_err());
        assert!(matches!(attempt(false, both), Attempt::Elsewhere));
        assert!(matches!(attempt(true, both), Attempt::Ask(_)));
        // As it is for what tries in memory first, and then as far as it may.
        let nested =
            || reach::in_memory(|| asks("one").is_err()).unwrap_or_else(|| asks("two").is_err());
        assert!(matches!(attempt(true, nested), Attempt::Ask(ask) if ask.about() == "one"));
    }
}
