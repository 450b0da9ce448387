//! The one connection of a process. Threads put what they ask into a row; one of them takes the
//! connection, sends the whole row at once and hands out the answers, so that under load a thousand
//! questions cost a few exchanges. Each thread waits for so long and no longer, whatever the
//! server or the thread with the connection does.

use super::connect::{Connected, connect};
use super::script::{self, Mode, Named};
use super::trouble::{Trouble, Troubles};
use super::url::Address;
use super::wire::{Fault, Reply};
use crate::base::process::brief;
use crate::base::random::SecureRandom as _;
use crate::crypto::random::SystemRandom;
use crate::error::Result;
use crate::store::limits::LimitsState;
use crate::store::{Counter, Rate};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long questions wait for the first connection of a process, which may have to find a host and
/// agree on TLS first.
const FIRST: Duration = Duration::from_millis(250);
/// How long a connection may take, for which nobody waits longer than that.
const CONNECT: Duration = Duration::from_secs(1);
/// From one attempt to connect to the next.
pub(super) const PAUSE: Duration = Duration::from_secs(3);
/// From one note of this process to the next.
const PRESENCE: Duration = Duration::from_secs(1);
/// For how long the most processes that were seen is remembered, at least.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Questions in one exchange.
const MOST: usize = 512;

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) counter: Counter,
    pub(super) rate: Rate,
    pub(super) cost: u32,
    pub(super) mode: Mode,
}

/// A question that waits in the row, and its answer; `None` where there will be none.
struct Job {
    ask: Ask,
    answer: OnceLock<Option<i64>>,
}

/// What belongs to one process.
#[derive(Default)]
pub(super) struct Lane {
    row: Mutex<Row>,
    /// An answer has come, or the connection is free, or there is one.
    moved: Condvar,
    seen: Mutex<Seen>,
    /// What this process is counted under.
    process: OnceLock<String>,
    troubles: Troubles,
    /// Why there was no answer last.
    last: Mutex<Option<Trouble>>,
    asked: AtomicU64,
    alone: AtomicU64,
}

/// Who waits, and the connection while no thread has it.
#[derive(Default)]
struct Row {
    waiting: Vec<Arc<Job>>,
    link: Option<Box<Link>>,
    /// A thread has the connection.
    is_taken: bool,
    is_connecting: bool,
    /// When the last attempt to connect began, and the first.
    attempted: Option<Instant>,
    first: Option<Instant>,
}

/// The connection.
struct Link {
    at: Connected,
    /// When this process was noted last.
    noted: Option<Instant>,
    /// Answers that nobody waits for any more, and since when the oldest of them is due.
    owed: usize,
    since: Instant,
    /// How long the server may be silent.
    answer: Duration,
}

/// The most processes that were seen lately, and in the time before that.
#[derive(Default)]
struct Seen {
    since: Option<Instant>,
    most: u32,
    before: u32,
}

impl Lane {
    /// Asks the server.
    ///
    /// # Errors
    /// Why it does not answer; then this process decides alone.
    pub(super) fn ask(self: &Arc<Self>, address: &Arc<Address>, ask: Ask) -> Result<i64> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let job = Arc::new(Job { ask, answer: OnceLock::new() });
        self.wait(address, &job);
        if let Some(Some(answer)) = job.answer.get() {
            return Ok(*answer);
        }
        self.alone.fetch_add(1, Ordering::Relaxed);
        Err(self.trouble().unwrap_or(Trouble::Silent).error())
    }

    /// Waits until the job has its answer, or there will be none.
    fn wait(self: &Arc<Self>, address: &Arc<Address>, job: &Arc<Job>) {
        let begun = Instant::now();
        let mut row = held(&self.row);
        self.see_to(&mut row, address);
        let until = match row.first {
            Some(first) if row.is_connecting && row.attempted == row.first => {
                first + FIRST.max(address.answer)
            }
            _ => begun + address.answer,
        };
        row.waiting.push(Arc::clone(job));
        while job.answer.get().is_none() {
            let left = until.saturating_duration_since(Instant::now());
            let is_first = row.is_connecting && row.attempted == row.first;
            let is_vain = !row.is_taken && row.link.is_none() && !is_first;
            if left.is_zero() || is_vain {
                row.waiting.retain(|other| !Arc::ptr_eq(other, job));
                if !is_vain {
                    self.note(Trouble::Silent);
                }
                return;
            }
            match row.link.take() {
                Some(link) => {
                    let soon = Instant::now() + address.answer;
                    row = self.lead(row, link, address, until.min(soon));
                }
                None => {
                    let waited = self.moved.wait_timeout(row, left);
                    row = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// Asks for all who wait, with the connection.
    fn lead<'a>(
        self: &'a Arc<Self>,
        mut row: MutexGuard<'a, Row>,
        mut link: Box<Link>,
        address: &Arc<Address>,
        until: Instant,
    ) -> MutexGuard<'a, Row> {
        let rest = row.waiting.len().min(MOST);
        let rest = row.waiting.split_off(rest);
        let jobs = std::mem::replace(&mut row.waiting, rest);
        row.is_taken = true;
        drop(row);
        let led = self.exchange(&mut link, address, &jobs, until);
        for job in &jobs {
            let _ = job.answer.set(None); // but those that have one
        }
        let mut row = held(&self.row);
        row.is_taken = false;
        match led {
            Ok(()) => row.link = Some(link),
            Err(trouble) => {
                self.note(trouble);
                self.see_to(&mut row, address);
            }
        }
        self.moved.notify_all();
        row
    }

    /// Has a connection made where there is none, by another thread, if none was tried lately.
    fn see_to(self: &Arc<Self>, row: &mut Row, address: &Arc<Address>) {
        if row.link.is_some() || row.is_taken || row.is_connecting {
            return;
        }
        let now = Instant::now();
        if row.attempted.is_some_and(|attempted| now < attempted + PAUSE) {
            return;
        }
        row.attempted = Some(now);
        row.first.get_or_insert(now);
        row.is_connecting = true;
        let (lane, address) = (Arc::clone(self), Arc::clone(address));
        let work = move || {
            let made = connect(&address, Instant::now() + CONNECT);
            let mut row = held(&lane.row);
            row.is_connecting = false;
            match made {
                Ok(at) => row.link = Some(Box::new(Link::new(at, address.answer))),
                Err(trouble) => lane.note(trouble),
            }
            lane.moved.notify_all();
        };
        let named = std::thread::Builder::new().name("gatekey-limits".to_owned());
        if named.spawn(work).is_err() {
            row.is_connecting = false;
            self.note(Trouble::Unreachable);
        }
    }

    /// Sends what is asked, and, every second, that this process is here.
    ///
    /// # Errors
    /// The connection is of no use any more. Jobs may have got their answer all the same.
    fn exchange(
        &self,
        link: &mut Link,
        address: &Address,
        jobs: &[Arc<Job>],
        until: Instant,
    ) -> Result<(), Trouble> {
        let now = Instant::now();
        let notes = link.noted.is_none_or(|noted| now >= noted + PRESENCE);
        let process = self.process.get_or_init(name_of_process);
        let mut commands = Vec::with_capacity(jobs.len() * 224);
        for job in jobs {
            let script = Named::Hash(&link.at.take);
            script::take(script, &address.name, &job.ask, &mut commands);
        }
        if notes {
            let script = Named::Hash(&link.at.present);
            script::present(script, &address.name, process, &mut commands);
        }
        if !link.send(&commands, jobs.len() + usize::from(notes), until)? {
            return Ok(());
        }
        let mut forgotten = Vec::new();
        for job in jobs {
            match link.receive(until) {
                Err(fault) => return link.after(fault),
                Ok(Reply::Refused(code)) if code == "NOSCRIPT" => forgotten.push(job),
                Ok(reply) => self.answer(job, &reply)?,
            }
        }
        let mut forgot_present = false;
        if notes {
            match link.receive(until) {
                Err(fault) => return link.after(fault),
                Ok(Reply::Refused(code)) if code == "NOSCRIPT" => forgot_present = true,
                Ok(reply) => self.saw(link, now, &reply),
            }
        }
        // A server that has forgotten the scripts is given them again.
        if forgotten.is_empty() && !forgot_present {
            return Ok(());
        }
        commands.clear();
        for (at, job) in forgotten.iter().enumerate() {
            let script =
                if at == 0 { Named::Text(script::TAKE) } else { Named::Hash(&link.at.take) };
            script::take(script, &address.name, &job.ask, &mut commands);
        }
        if forgot_present {
            let script = Named::Text(script::PRESENT);
            script::present(script, &address.name, process, &mut commands);
        }
        let count = forgotten.len() + usize::from(forgot_present);
        if !link.send(&commands, count, until)? {
            return Ok(());
        }
        for job in forgotten {
            match link.receive(until) {
                Err(fault) => return link.after(fault),
                Ok(reply) => self.answer(job, &reply)?,
            }
        }
        if forgot_present {
            match link.receive(until) {
                Err(fault) => return link.after(fault),
                Ok(reply) => self.saw(link, now, &reply),
            }
        }
        Ok(())
    }

    /// Hands out an answer.
    ///
    /// # Errors
    /// It says that the connection is of no use.
    fn answer(&self, job: &Job, reply: &Reply) -> Result<(), Trouble> {
        let trouble = match reply {
            Reply::Number(number) => {
                let _ = job.answer.set(Some(*number));
                return Ok(());
            }
            Reply::Refused(code) => Trouble::of(code),
            Reply::Status | Reply::Text(_) => Trouble::Garbled,
        };
        if !trouble.leaves_connection() {
            return Err(trouble);
        }
        self.note(trouble);
        let _ = job.answer.set(None);
        Ok(())
    }

    /// How many processes there are. What refuses to tell is asked again in a second.
    fn saw(&self, link: &mut Link, now: Instant, reply: &Reply) {
        link.noted = Some(now);
        let Reply::Number(count) = reply else { return };
        let mut seen = brief(&self.seen);
        if seen.since.is_none_or(|since| now >= since + REMEMBERED) {
            *seen = Seen { since: Some(now), most: 0, before: seen.most };
        }
        seen.most = seen.most.max(u32::try_from(*count).unwrap_or(1));
    }

    pub(super) fn sharers(&self) -> u32 {
        let seen = brief(&self.seen);
        seen.most.max(seen.before).max(1)
    }

    fn note(&self, trouble: Trouble) {
        self.troubles.count(trouble);
        *brief(&self.last) = Some(trouble);
    }

    fn trouble(&self) -> Option<Trouble> {
        *brief(&self.last)
    }

    /// Asks the server whether it is there, and connects if need be.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(self: &Arc<Self>, address: &Arc<Address>) -> Result<()> {
        let mut row = held(&self.row);
        let until = Instant::now() + CONNECT;
        while row.is_taken || row.is_connecting {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Trouble::Silent.error());
            }
            row = self.moved.wait_timeout(row, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        row.attempted = Some(Instant::now());
        row.first = row.first.or(row.attempted);
        row.is_connecting = true;
        let before = row.link.take();
        drop(row);
        let checked = self.try_out(before, address);
        let mut row = held(&self.row);
        row.is_connecting = false;
        let outcome = checked.map(|link| row.link = Some(link)).map_err(|trouble| {
            self.note(trouble);
            trouble.error()
        });
        self.moved.notify_all();
        outcome
    }

    /// A connection over which this process has just been noted: this one, or else another.
    fn try_out(&self, link: Option<Box<Link>>, address: &Address) -> Result<Box<Link>, Trouble> {
        let works = |link: &mut Link| {
            link.noted = None;
            self.exchange(link, address, &[], Instant::now() + CONNECT)?;
            if link.noted.is_some() { Ok(()) } else { Err(Trouble::Silent) }
        };
        if let Some(mut link) = link
            && works(&mut link).is_ok()
        {
            return Ok(link);
        }
        let mut new =
            Box::new(Link::new(connect(address, Instant::now() + CONNECT)?, address.answer));
        works(&mut new)?;
        Ok(new)
    }

    pub(super) fn state(&self, address: &Address) -> LimitsState {
        let row = held(&self.row);
        LimitsState {
            server: address.to_string(),
            connected: row.link.is_some() || row.is_taken,
            sharers: self.sharers(),
            asked: self.asked.load(Ordering::Relaxed),
            alone: self.alone.load(Ordering::Relaxed),
            troubles: self.troubles.counted(),
            last: self.trouble().map(Trouble::error),
        }
    }
}

impl Link {
    fn new(at: Connected, answer: Duration) -> Self {
        Self { at, noted: None, owed: 0, since: Instant::now(), answer }
    }

    /// Sends commands that have this many answers, and reads past those that no one waits for.
    /// Whether there was time for that.
    ///
    /// # Errors
    /// As of [`Self::after`].
    fn send(&mut self, commands: &[u8], count: usize, until: Instant) -> Result<bool, Trouble> {
        let (before, now) = (self.owed, Instant::now());
        if before == 0 {
            self.since = now;
        }
        self.at.wire.send(commands, until)?;
        self.owed = before.saturating_add(count);
        for _ in 0..before {
            if let Err(fault) = self.receive(until) {
                return self.after(fault).map(|()| false);
            }
        }
        self.since = now;
        Ok(true)
    }

    fn receive(&mut self, until: Instant) -> Result<Reply, Fault> {
        let reply = self.at.wire.receive(until)?;
        self.owed = self.owed.saturating_sub(1);
        Ok(reply)
    }

    /// Whether the connection is of use after this: a thread may have come late, and have waited
    /// for much less than a server may take.
    ///
    /// # Errors
    /// It is not.
    fn after(&self, fault: Fault) -> Result<(), Trouble> {
        let is_early = Instant::now() < self.since + self.answer * 3 / 4;
        if fault == Fault::Silent && is_early { Ok(()) } else { Err(fault.into()) }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name_of_process() -> String {
    let mut bytes = [0; 8];
    // Without randomness two processes would at worst be counted as one.
    let _ = SystemRandom.fill(&mut bytes);
    crate::base::hex::encode(&bytes)
}
