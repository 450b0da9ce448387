//! `Flight`: one request for all who want its answer, whatever drives their operations: threads, or
//! tasks of one event loop. Who is not the first waits in short pauses of its own operation, so
//! nothing has to wake it, and an operation that is dropped, or whose driver does not come back
//! from a request in its time, holds up no other.

use super::Io;
use crate::base::process::{brief, generation};
use crate::error::Result;
use std::sync::Mutex;

/// The shortest and the longest pause between two looks, in milliseconds.
const PAUSES: (u64, u64) = (2, 50);
/// How many milliseconds a driver may be late before another caller takes over: a busy loop is.
const GRACE: u64 = 1000;

/// Which operation is at it, if any.
#[derive(Default)]
pub(crate) struct Flight(Mutex<Seats>);

#[derive(Default)]
struct Seats {
    last: u64,
    taken: Option<Seat>,
}

/// The caller that is at it.
struct Seat {
    number: u64,
    /// A fork copies no thread and no loop that could continue.
    process: u64,
    io: Io,
}

impl Seats {
    fn is_busy(&self) -> bool {
        let is_at_it = |seat: &Seat| seat.process == generation() && !seat.io.is_late(|_| GRACE);
        self.taken.as_ref().is_some_and(is_at_it)
    }
}

/// That it is this caller's turn, until this is dropped.
pub(crate) struct Turn<'a> {
    flight: &'a Flight,
    number: u64,
}

/// What waiting has come to.
pub(crate) enum Came<'a, T> {
    /// Another caller's answer.
    Known(T),
    /// No operation is at it any more.
    Turn(Turn<'a>),
    /// Another caller still is.
    Late,
}

impl Flight {
    /// The turn, if no operation is at it.
    pub(crate) fn try_begin(&self, io: &Io) -> Option<Turn<'_>> {
        let mut seats = brief(&self.0);
        (!seats.is_busy()).then(|| self.seat(&mut seats, io))
    }

    /// Whether a caller is at it.
    pub(crate) fn is_busy(&self) -> bool {
        brief(&self.0).is_busy()
    }

    /// The turn of the caller that has had it for too long, if that one still has it: of all that
    /// have waited for it, one takes over, and the others wait for that one.
    fn take_over(&self, io: &Io, late: u64) -> Option<Turn<'_>> {
        let mut seats = brief(&self.0);
        (seats.last == late || !seats.is_busy()).then(|| self.seat(&mut seats, io))
    }

    /// The number of the last turn that was taken.
    fn last(&self) -> u64 {
        brief(&self.0).last
    }

    fn seat(&self, seats: &mut Seats, io: &Io) -> Turn<'_> {
        seats.last += 1;
        let number = seats.last;
        seats.taken = Some(Seat { number, process: generation(), io: io.clone() });
        Turn { flight: self, number }
    }

    /// Waits until `known` gives something or no operation is at it, at most for this many
    /// milliseconds.
    pub(crate) async fn wait<T>(
        &self,
        io: &Io,
        longest: u64,
        known: impl Fn() -> Option<T>,
    ) -> Came<'_, T> {
        let (mut pause, most) = PAUSES;
        let mut waited = 0;
        loop {
            if let Some(known) = known() {
                return Came::Known(known);
            }
            if let Some(turn) = self.try_begin(io) {
                // Who was at it may have ended between the two looks.
                return known().map_or_else(|| Came::Turn(turn), Came::Known);
            }
            if waited >= longest {
                return Came::Late;
            }
            io.pause(pause).await;
            waited += pause;
            pause = (pause * 2).min(most);
        }
    }

    /// What there is by now, or what `get` gets for all. `known` is what may be answered at once; a
    /// caller that has something `stale` to use does not wait. If nothing comes within this many
    /// milliseconds, it is taken over: anyone who was at it may never be driven again.
    pub(crate) async fn once<T, F: Future<Output = Result<T>>>(
        &self,
        io: &Io,
        longest: u64,
        known: impl Fn() -> Option<Result<T>>,
        stale: impl Fn() -> Option<T>,
        get: impl FnOnce() -> F,
    ) -> Result<T> {
        if let Some(known) = known() {
            return known;
        }
        let turn = match (self.try_begin(io), stale()) {
            (Some(turn), _) => match known() {
                Some(known) => return known,
                None => turn,
            },
            (None, Some(stale)) => return Ok(stale),
            (None, None) => loop {
                let at_it = self.last();
                match self.wait(io, longest, &known).await {
                    Came::Known(known) => return known,
                    Came::Turn(turn) => break turn,
                    Came::Late => {
                        if let Some(turn) = self.take_over(io, at_it) {
                            break turn;
                        }
                    }
                }
            },
        };
        let got = get().await;
        drop(turn);
        got
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut seats = brief(&self.flight.0);
        let is_ours = |seat: &Seat| (seat.number, seat.process) == (self.number, generation());
        if seats.taken.as_ref().is_some_and(is_ours) {
            seats.taken = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::transport::{HttpRequest, HttpResponse, Operation, Purpose, Step};
    use std::sync::Arc;

    type Known = Arc<(Flight, Mutex<Option<u16>>)>;

    /// An operation that wants what one request gives, and waits 100 ms at most for another's.
    fn wants(shared: &Known) -> Operation<u16> {
        let shared = Arc::clone(shared);
        Operation::new(|io| async move {
            let known = || brief(&shared.1).map(Ok);
            let ask = || async {
                let request = HttpRequest::new("GET", "https://h/".to_owned(), Purpose::Keys);
                let status = io.ask(request).await?.status;
                *brief(&shared.1) = Some(status);
                Ok(status)
            };
            shared.0.once(&io, 100, known, || None, ask).await
        })
    }

    fn is_asking(step: &Step<u16>) -> bool {
        matches!(step, Step::Request(_))
    }

    /// The answer to whichever asks is that of all.
    fn end(mut asking: Operation<u16>, waiting: Vec<Operation<u16>>) {
        asking.feed(HttpResponse { status: 204, headers: vec![], body: Secret::new(vec![]) });
        for mut operation in std::iter::once(asking).chain(waiting) {
            assert!(matches!(operation.next(), Ok(Step::Done(204))));
        }
    }

    #[test]
    fn one_takes_over_of_all_that_have_waited_too_long() {
        let shared = Known::default();
        let mut slow = wants(&shared);
        assert!(is_asking(&slow.next().unwrap()), "and its answer does not come");
        let mut others: Vec<_> = (0..50).map(|_| wants(&shared)).collect();
        let mut asking = Vec::new();
        // Long enough for them to have waited; the one that takes over is given less than that.
        for _ in 0..7 {
            others.retain_mut(|other| match other.next().unwrap() {
                Step::Request(_) => {
                    asking.push(std::mem::replace(other, wants(&shared)));
                    false
                }
                Step::Wait(_) => true,
                Step::Done(_) => panic!("nothing is known"),
            });
        }
        assert_eq!((asking.len(), others.len()), (1, 49));
        end(asking.remove(0), others);
        slow.fail(crate::ErrorKind::DeadlineExceeded.into());
        assert!(slow.next().is_err(), "what it has asked itself fails for it alone");
        assert!(matches!(wants(&shared).next(), Ok(Step::Done(204))));
    }

    #[test]
    fn the_next_takes_over_from_one_that_is_dropped() {
        let shared = Known::default();
        let (mut first, mut second, mut third) = (wants(&shared), wants(&shared), wants(&shared));
        assert!(is_asking(&first.next().unwrap()));
        assert!(!is_asking(&second.next().unwrap()) && !is_asking(&third.next().unwrap()));
        drop(first);
        assert!(is_asking(&second.next().unwrap()) && !is_asking(&third.next().unwrap()));
        end(second, vec![third]);
    }
}
