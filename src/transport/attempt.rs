//! `attempt`: work that asks no other server itself, for callers on whom others wait, such as an
//! event loop. Instead of waiting it hands out the operation that it is in want of: drive that, and
//! try again.

use super::Operation;
use crate::base::reach::{self, Within};
use crate::error::Result;
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// What an [`attempt`] has come to.
#[must_use]
pub enum Attempt<T> {
    /// It is done.
    Done(T),
    /// Another server has to be asked first. Drive the operation, then try again with what it
    /// gives; if it fails, that is the outcome.
    Ask(Ask),
    /// It needs a disk, a slow hash, or a lock that others hold while they wait: try again where it
    /// may wait.
    Elsewhere,
}

/// A question to another server.
pub struct Ask {
    about: String,
    operation: Operation<Told>,
}

impl Ask {
    /// What it is about: while one question is out, others about the same are answered by it as
    /// well.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What to drive.
    pub fn into_operation(self) -> Operation<Told> {
        self.operation
    }
}

/// What another server has answered to an [`Ask`]: for those that waited for it, and no others. Try
/// again with it, and then drop it: it is as old as the question.
#[derive(Clone)]
pub struct Told {
    about: String,
    what: Arc<dyn Any + Send + Sync>,
}

impl Told {
    pub(crate) fn new<T: Send + Sync + 'static>(about: String, what: T) -> Self {
        Self { about, what: Arc::new(what) }
    }
}

thread_local! {
    /// What the caller of this thread's work was told.
    static TOLD: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
    /// The first question that the work of this thread has come upon.
    static ASK: RefCell<Option<Ask>> = const { RefCell::new(None) };
}

/// Does the work without asking other servers and, unless `may_wait`, with memory only:
/// [`crate::Verifier::verify`] and [`crate::ResourceServer::check`] with remote keys and
/// introspection, and whatever [`in_memory`](crate::reach::in_memory) is for. It is about this
/// thread only. `told` is what earlier tries of the same call have asked for.
///
/// ```
/// use gatekey::transport::{Attempt, attempt};
///
/// assert!(matches!(attempt(false, &[], || 1), Attempt::Done(1)));
/// ```
pub fn attempt<T>(may_wait: bool, told: &[Told], work: impl FnOnce() -> T) -> Attempt<T> {
    let _told = Known(TOLD.replace(told.to_vec()));
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

/// What was told before, which comes back when this is dropped.
struct Known(Vec<Told>);

impl Drop for Known {
    fn drop(&mut self) {
        TOLD.set(std::mem::take(&mut self.0));
    }
}

/// What the caller was told about this, by the question that it waited for.
pub(crate) fn told<T: Send + Sync + 'static>(about: &str) -> Option<Arc<T>> {
    TOLD.with_borrow(|told| {
        let about_it = told.iter().rev().filter(|told| told.about == about);
        about_it.filter_map(|told| Arc::clone(&told.what).downcast().ok()).next()
    })
}

/// Said by what is about to ask another server.
///
/// # Errors
/// `StoreUnavailable`: this thread may not; it is inside of [`attempt`], whose caller gets the
/// question instead.
pub(crate) fn ask_elsewhere(ask: impl FnOnce() -> (String, Operation<Told>)) -> Result<()> {
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

/// What it is about.
impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").field("about", &self.about).finish_non_exhaustive()
    }
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
        let told = Told::new(about.to_owned(), about.len());
        ask_elsewhere(|| (about.to_owned(), Operation::new(|_| async { Ok(told) })))
    }

    #[test]
    fn the_first_question_is_handed_out() {
        assert!(asks("nobody").is_ok(), "outside it is asked at once");
        for may_wait in [false, true] {
            let tried = attempt(may_wait, &[], || (asks("one").is_err(), asks("two").is_err()));
            assert!(matches!(tried, Attempt::Ask(ask) if ask.about() == "one"));
        }
        assert!(matches!(attempt(false, &[], || 1), Attempt::Done(1)), "it is not kept");
        assert!(asks("nobody").is_ok());
    }

    #[test]
    fn what_was_told_is_known_to_that_call_alone() {
        let given = [Told::new("one".to_owned(), 7_usize)];
        let known = || told::<usize>("one").as_deref().copied();
        let inner = || (known(), attempt(false, &[], known), known());
        let Attempt::Done((before, nested, after)) = attempt(false, &given, inner) else {
            panic!("it asks no server")
        };
        assert_eq!((before, after, known()), (Some(7), Some(7), None));
        assert!(matches!(nested, Attempt::Done(None)));
        assert!(matches!(attempt(false, &given, || told::<usize>("two")), Attempt::Done(None)));
        assert!(matches!(attempt(false, &given, || told::<u8>("one")), Attempt::Done(None)));
    }

    #[test]
    fn a_store_comes_first() {
        let both = || (asks("one").is_err(), beyond_memory().is_err());
        assert!(matches!(attempt(false, &[], both), Attempt::Elsewhere));
        assert!(matches!(attempt(true, &[], both), Attempt::Ask(_)));
        // As it is for what tries in memory first, and then as far as it may.
        let nested =
            || reach::in_memory(|| asks("one").is_err()).unwrap_or_else(|| asks("two").is_err());
        assert!(matches!(attempt(true, &[], nested), Attempt::Ask(ask) if ask.about() == "one"));
    }
}
