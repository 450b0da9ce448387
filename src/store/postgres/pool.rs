//! The connections of this process: one to read, one to write, each for one user at a time, opened
//! when they are needed and again when they were lost. A child of a fork has none and opens its
//! own; what it has copied is closed there and used by no code.

use super::batch::{Batch, Rows, Ticket, next_group};
use super::connect::connect;
use super::feed::Seen;
use super::transaction::{Access, GUARDED, LOCK_WAIT, NO_STANDBY, Transaction};
use super::wire::{Fault, Wire};
use super::{HELD, fault, feed, schema};
use crate::base::clock::{Clock as _, NANOS, SystemClock};
use crate::base::process::OwnLock;
use crate::base::reach::beyond_memory;
use crate::error::{Error, ErrorKind, Result};
use crate::store::CLOSED;
use crate::store::postgres_url::{Host, PostgresUrl};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After an attempt that failed, those who come answer the same for this long.
const PAUSE: Duration = Duration::from_millis(250);

/// Between two notifications, in nanoseconds.
const APART: u64 = 20_000_000;

/// How often a transaction is tried that the server took back because of others.
const TRIES: u32 = 5;

/// Statements that are sent before an answer is read: the answers to more might not fit between
/// the server and us, and then both would wait for each other.
const AT_ONCE: usize = 500;

pub(super) struct Pool {
    url: PostgresUrl,
    /// The schema, quoted, with a dot.
    prefix: String,
    reader: OwnLock<Slot>,
    writer: OwnLock<Slot>,
    /// Changes that wait for it.
    waiting: OwnLock<Vec<Arc<Ticket>>>,
    closed: AtomicBool,
    /// When others were told last, in nanoseconds of the monotonic clock, and whether they are to
    /// be told again.
    told: AtomicU64,
    is_due: AtomicBool,
    pub(super) seen: Seen,
    /// The server has said that it waits for no standby, although it is to.
    unprotected: AtomicBool,
}

/// A connection, or why there is none.
#[derive(Default)]
struct Slot {
    wire: Option<Wire>,
    failed: Option<(Instant, Error)>,
}

impl Pool {
    pub(super) fn new(url: &PostgresUrl) -> Self {
        Self {
            url: url.clone(),
            prefix: format!("\"{}\".", url.schema()),
            reader: OwnLock::new(),
            writer: OwnLock::new(),
            waiting: OwnLock::new(),
            closed: AtomicBool::new(false),
            told: AtomicU64::new(0),
            is_due: AtomicBool::new(false),
            seen: Seen::default(),
            unprotected: AtomicBool::new(false),
        }
    }

    pub(super) const fn url(&self) -> &PostgresUrl {
        &self.url
    }

    /// All at one moment.
    pub(super) fn read<T>(
        &self,
        access: Access,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        self.with(&self.reader, access, work)
    }

    /// As [`Self::read`], for a thread that asks again by itself; `None` if another thread reads.
    /// It tries to connect whenever it is called; that it could not stops no other thread.
    pub(super) fn try_read<T>(
        &self,
        access: Access,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Option<Result<T>> {
        self.reader.try_locked(|slot| {
            let failed = slot.failed.take();
            let done = self.work(slot, access, work);
            if slot.wire.is_none() {
                slot.failed = failed;
            }
            done
        })
    }

    /// All or nothing; with what the server answered to what was still to be sent at the end.
    pub(super) fn write<T>(
        &self,
        access: Access,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<(T, Vec<Vec<super::values::Row>>)> {
        self.with(&self.writer, access, |transaction| {
            let done = work(transaction)?;
            Ok((done, transaction.commit()?))
        })
    }

    fn with<T>(
        &self,
        lock: &OwnLock<Slot>,
        access: Access,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        beyond_memory()?;
        lock.locked(|slot| self.work(slot, access, work))
    }

    fn work<T>(
        &self,
        slot: &mut Slot,
        access: Access,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        let mut tries = 0;
        loop {
            tries += 1;
            if self.is_closed() {
                slot.close();
                return Err(CLOSED);
            }
            let was_open = slot.wire.as_ref().is_some_and(Wire::is_good);
            let wire = self.wire(slot)?;
            let mut transaction = self.begin(wire, access);
            let done = work(&mut transaction);
            let is_committing = transaction.is_committing();
            let error = match done {
                Ok(done) => {
                    wire.roll_back(); // what was only read
                    return Ok(done);
                }
                Err(error) => error,
            };
            wire.roll_back();
            let (error, is_committing) = self.explained(slot, error, is_committing);
            let again = match &error {
                // It was lost while no one looked: the server was restarted, say, or another one
                // has taken over.
                Fault::Lost | Fault::Elsewhere(_) => was_open && !is_committing && tries == 1,
                Fault::Unheard => was_open && tries == 1,
                Fault::Refused(code) => matches!(code, b"40001" | b"40P01") && tries < TRIES,
                _ => false,
            };
            if error.ends() {
                slot.wire = None;
            }
            if again {
                continue;
            }
            return Err(self.ended(error, is_committing));
        }
    }

    /// Makes a change, or has it made by the thread that is at it: those that wait for it meanwhile
    /// go together then, in one transaction, and each gets its own answer.
    pub(super) fn change(&self, batch: Batch) -> Result<Rows> {
        beyond_memory()?;
        let ticket = Arc::new(Ticket::new(batch));
        self.waiting.locked(|waiting| waiting.push(Arc::clone(&ticket)));
        self.writer.locked(|slot| {
            loop {
                if let Some(done) = ticket.take() {
                    return done;
                }
                let group = self.waiting.locked(next_group);
                if group.is_empty() {
                    return Err(ErrorKind::Internal.into()); // who was at it has panicked
                }
                self.make(slot, &group);
            }
        })
    }

    fn make(&self, slot: &mut Slot, group: &[Arc<Ticket>]) {
        let error = match self.attempt(slot, group) {
            Ok(()) => return,
            Err(error) => error,
        };
        // What one of them does wrong is no matter of the others.
        let is_own =
            !matches!(error.kind(), ErrorKind::StoreUnavailable | ErrorKind::InvalidArgument);
        for ticket in group {
            let alone = if is_own && group.len() > 1 {
                self.attempt(slot, std::slice::from_ref(ticket))
            } else {
                Err(error.clone())
            };
            if let Err(error) = alone {
                ticket.set(Err(error));
            }
        }
        if error == HELD {
            // They would wait for the same, for as long once more.
            self.waiting.locked(|waiting| {
                waiting.retain(|ticket| {
                    let is_over = ticket.has_waited(LOCK_WAIT / 2);
                    if is_over {
                        ticket.set(Err(HELD));
                    }
                    !is_over
                });
            });
        }
    }

    /// Makes these changes in one transaction, and hands out the answers.
    fn attempt(&self, slot: &mut Slot, group: &[Arc<Ticket>]) -> Result<()> {
        let is_numbered = group.iter().any(|ticket| ticket.batch.is_numbered());
        let mut tries = 0;
        loop {
            tries += 1;
            if self.is_closed() {
                slot.close();
                return Err(CLOSED);
            }
            let was_open = slot.wire.as_ref().is_some_and(Wire::is_good);
            let wire = self.wire(slot)?;
            let mut transaction = self.begin(wire, Access::Write);
            let (mut places, mut rows) = (Vec::new(), Vec::new());
            let done = (|| {
                transaction.guard(&self.seen)?;
                for ticket in group {
                    let mut place = 0..0;
                    for (number, (sql, values)) in ticket.batch.statements().enumerate() {
                        let mut at = transaction.later(sql, values)?;
                        if at >= AT_ONCE {
                            rows.extend(transaction.flush()?.rows);
                            at = rows.len() - 1;
                        } else {
                            at += rows.len();
                        }
                        place = if number == 0 { at..at + 1 } else { place.start..at + 1 };
                    }
                    places.push(place);
                }
                if is_numbered && self.may_tell() {
                    transaction.after_commit(NOTIFY, &[self.channel().into()])?;
                }
                rows.extend(transaction.commit()?);
                Ok::<_, Fault>(())
            })();
            let is_committing = transaction.is_committing();
            let error = match done {
                Ok(()) => {
                    for (ticket, place) in group.iter().zip(places) {
                        ticket.set(Ok(rows.get(place).unwrap_or_default().to_vec()));
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            wire.roll_back();
            let (error, is_committing) = self.explained(slot, error, is_committing);
            if error.ends() {
                slot.wire = None;
            }
            match &error {
                Fault::Unheard if was_open && tries == 1 => {}
                Fault::Elsewhere(_) if was_open && !is_committing && tries == 1 => {}
                Fault::Refused(code) if tries < TRIES && matches!(code, b"40001" | b"40P01") => {}
                _ => return Err(self.ended(error, is_committing)),
            }
        }
    }

    /// An error, and whether it may be committed all the same. What [`Transaction::guard`] has
    /// failed was not, whatever was sent behind it; the server is asked why.
    fn explained(&self, slot: &mut Slot, error: Fault, is_committing: bool) -> (Fault, bool) {
        match error {
            Fault::Refused(code) if code == *GUARDED => {
                (self.why(slot).unwrap_or(Fault::Garbled), false)
            }
            // A pool that leads to a standby by now: it can neither write nor say where its log is.
            Fault::Refused(code) if matches!(&code, b"0A000" | b"25006" | b"55000") => {
                (self.why(slot).unwrap_or(error), false)
            }
            error => (error, is_committing),
        }
    }

    #[cold]
    fn why(&self, slot: &mut Slot) -> Option<Fault> {
        let wire = slot.wire.as_mut()?;
        let mut transaction = self.begin(wire, Access::Read);
        let found = feed::standing(&mut transaction)
            .and_then(|standing| self.seen.check_server(standing.server));
        wire.roll_back();
        found.err().or_else(|| self.durability().err().map(Fault::Ours))
    }

    /// What became of a transaction that failed.
    fn ended(&self, error: Fault, is_committing: bool) -> Error {
        let may_be_there = is_committing && error.ends() && !matches!(error, Fault::Unheard);
        match may_be_there {
            true if self.is_replicated() => PERHAPS_HERE,
            true => UNKNOWN,
            false => fault(error),
        }
    }

    fn wire<'a>(&self, slot: &'a mut Slot) -> Result<&'a mut Wire> {
        let mut known = slot.wire.take().filter(Wire::is_good);
        if known.as_mut().is_some_and(|wire| wire.catch_up().is_err()) {
            known = None;
        }
        let wire = match known {
            Some(wire) => wire,
            None => {
                if let Some((when, error)) = &slot.failed
                    && when.elapsed() < PAUSE
                {
                    return Err(error.clone());
                }
                match self.connect() {
                    Ok(wire) => {
                        slot.failed = None;
                        wire
                    }
                    Err(error) => {
                        slot.failed = Some((Instant::now(), error.clone()));
                        return Err(error);
                    }
                }
            }
        };
        Ok(slot.wire.insert(wire))
    }

    /// A transaction on this connection.
    pub(super) fn begin<'a>(&'a self, wire: &'a mut Wire, access: Access) -> Transaction<'a> {
        Transaction::begin(wire, &self.prefix, access, self.is_replicated(), &self.unprotected)
    }

    /// Whether a change is only acknowledged once a standby has it.
    pub(super) fn is_replicated(&self) -> bool {
        self.url.parts().replicated
    }

    /// Asks whether the server waits for a standby, if it is to.
    pub(super) fn check_durability(&self) -> Result<()> {
        if self.is_replicated() {
            self.read(Access::Read, |transaction| transaction.flush().map(drop))?;
        }
        self.durability()
    }

    /// What the last transaction has seen of that.
    pub(super) fn durability(&self) -> Result<()> {
        if self.unprotected.load(Ordering::Acquire) { Err(NO_STANDBY) } else { Ok(()) }
    }

    fn connect(&self) -> Result<Wire> {
        self.connect_by(&self.url).map_err(fault)
    }

    /// Connects to where changes are made.
    pub(super) fn connect_to_change(&self) -> Result<Wire, Fault> {
        self.connect_by(&self.url)
    }

    /// How long connecting takes at most, in nanoseconds.
    pub(super) fn connecting(&self) -> u64 {
        let hosts = u64::try_from(self.url.parts().hosts.len()).unwrap_or(u64::MAX);
        self.url.parts().connect_ms.saturating_mul(hosts).saturating_mul(NANOS / 1000)
    }

    /// Connects to where notifications come from.
    pub(super) fn connect_to_listen(&self) -> Result<Wire, Fault> {
        self.connect_by(self.url.parts().feed.as_ref().unwrap_or(&self.url))
    }

    /// Connects to the one of the hosts that takes changes; of several, to the one with the highest
    /// timeline, so that a former primary that came back is not believed.
    fn connect_by(&self, url: &PostgresUrl) -> Result<Wire, Fault> {
        let hosts = &url.parts().hosts;
        let mut best: Option<(feed::Server, Wire)> = None;
        let (mut last, mut is_elsewhere) = (None, false);
        for host in hosts {
            match self.try_host(url, host) {
                // A standby that took over since: there is no need to wait for the one before.
                Ok((server, wire, true)) => {
                    if let Some((_, other)) = best.replace((server, wire)) {
                        other.end();
                    }
                    break;
                }
                Ok((server, wire, false)) => {
                    let is_better = best.as_ref().is_none_or(|(known, _)| {
                        known.system == server.system && known.timeline < server.timeline
                    });
                    let other =
                        if is_better { best.replace((server, wire)) } else { Some((server, wire)) };
                    if let Some((_, other)) = other {
                        other.end();
                    }
                }
                Err(error) => {
                    is_elsewhere |= matches!(error, Fault::Elsewhere(_));
                    last = Some(error);
                }
            }
        }
        match (best, last) {
            (Some((_, wire)), _) => Ok(wire),
            (None, _) if is_elsewhere && hosts.len() > 1 => Err(Fault::Elsewhere(NO_PRIMARY)),
            (None, Some(error)) => Err(error),
            (None, None) => Err(ErrorKind::Internal.into()),
        }
    }

    /// Connects to one of the hosts; whether it was promoted since its system was last seen.
    fn try_host(
        &self,
        url: &PostgresUrl,
        host: &Host,
    ) -> Result<(feed::Server, Wire, bool), Fault> {
        let mut wire = connect(url.parts(), host)?;
        let found = (|| {
            let mut transaction = self.begin(&mut wire, Access::Read);
            let server = feed::server(&mut transaction)?;
            let is_promoted = self.seen.is_promoted(server);
            self.seen.check_server(server)?;
            Ok((server, is_promoted))
        })();
        wire.roll_back();
        match found {
            Ok((server, is_promoted)) => Ok((server, wire, is_promoted)),
            Err(error) => {
                wire.end();
                Err(error)
            }
        }
    }

    /// Whether the tables are there, in the newest version.
    pub(super) fn is_prepared(&self) -> Result<bool> {
        self.read(Access::Read, |transaction| {
            Ok(schema::version(transaction)? == Some(schema::NEWEST))
        })
    }

    /// Makes the tables, or brings them to the newest version.
    pub(super) fn prepare(&self) -> Result<()> {
        if self.is_prepared()? {
            return Ok(());
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match self.write(Access::Migrate, schema::migrate) {
                // Another process makes them at this moment.
                Err(error) if error.kind() == ErrorKind::StoreConflict && tries < TRIES => {}
                done => return done.map(drop),
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Where notifications are sent.
    pub(super) fn channel(&self) -> String {
        format!("gatekey_{}", self.url.schema())
    }

    /// Whether others may be notified at this moment that something has changed, which is then
    /// taken for done; otherwise it is due a little later. They are notified after it was committed
    /// and apart from it: where the server cannot take a notification, the change stands. At most
    /// once in [`APART`].
    fn may_tell(&self) -> bool {
        let now = SystemClock.monotonic();
        let may = now.saturating_sub(self.told.load(Ordering::Acquire)) >= APART;
        if may {
            self.told.store(now, Ordering::Release);
        }
        self.is_due.store(!may, Ordering::Release);
        may
    }

    /// Notifies others of what [`Self::may_tell`] has put off.
    pub(super) fn tell_what_is_due(&self) {
        let now = SystemClock.monotonic();
        if !self.is_due.load(Ordering::Acquire)
            || now.saturating_sub(self.told.load(Ordering::Acquire)) < APART
        {
            return;
        }
        self.writer.try_locked(|slot| {
            if self.is_due.swap(false, Ordering::AcqRel) {
                self.told.store(now, Ordering::Release);
                self.notify(slot);
            }
        });
    }

    /// Whether others were told within the last second, so that they are likely to be told again.
    pub(super) fn has_just_told(&self) -> bool {
        let told = self.told.load(Ordering::Acquire);
        told != 0 && SystemClock.monotonic().saturating_sub(told) < NANOS
    }

    /// What goes wrong here is made up for by those who ask without being told.
    fn notify(&self, slot: &mut Slot) {
        let Some(wire) = slot.wire.as_mut().filter(|wire| wire.is_good()) else { return };
        wire.be_patient(Duration::from_secs(1));
        if wire.queue_behind(NOTIFY, &[self.channel().into()]).is_ok() {
            // What comes of it is read with the next answer.
            let _ = wire.send_behind();
        }
    }

    /// Closes the connections of this process, once what others are at has ended.
    pub(super) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.writer.locked(|slot| {
                if self.is_due.swap(false, Ordering::AcqRel) {
                    self.notify(slot);
                }
            });
            self.reader.locked(Slot::close);
            self.writer.locked(Slot::close);
        }
    }
}

impl Slot {
    fn close(&mut self) {
        if let Some(wire) = self.wire.take() {
            wire.end();
        }
    }
}

const NOTIFY: &str = "SELECT pg_catalog.pg_notify($1, '')";

const NO_PRIMARY: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "None of the URL's hosts is PostgreSQL's primary: they are standbys, or were overtaken by one that this process has seen, or do \
     not answer. Start the primary, or promote a standby.",
);
const UNKNOWN: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "PostgreSQL was lost while it committed a change, which it may or may not have made: look, or do it again.",
);
const PERHAPS_HERE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "No standby has confirmed a change in time (durability=replica): it may be made on this PostgreSQL alone, and be lost with it. \
     See pg_stat_replication; then look, or do it again.",
);
