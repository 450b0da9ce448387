//! A transaction: its settings are made for it alone and read back, so that nothing depends on what
//! a role, a database, a URL or the last user of a pooled connection has set.
//!
//! BEGIN and the settings go out with the first statement, and COMMIT with the last ones, so that a
//! change that reads nothing needs one round trip, and what hands out numbers holds its lock for
//! none.

use super::feed::{Seen, guard};
use super::values::{Row, Value};
use super::wire::{Answers, Fault, Wire};
use crate::error::{Error, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The standbys that a commit waits for.
const STANDBYS: &str = "pg_catalog.current_setting('synchronous_standby_names') AS standbys";

pub(super) const NO_STANDBY: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The URL says durability=replica, and PostgreSQL waits for no standby: name one in its synchronous_standby_names, or leave \
     durability out.",
);
const NOT_REPLICATED: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The change is committed on this PostgreSQL, and no standby has confirmed it (durability=replica): it holds, and is lost if the \
     server is. See pg_stat_replication; then do it again.",
);

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads a little.
    Read,
    /// Asks where the store stands, of a server that may not answer.
    Listen,
    /// Reads everything.
    Load,
    /// Changes something, durably.
    Write,
    /// Changes counters that a crash of the server may lose.
    Count,
    /// Makes the tables.
    Migrate,
}

impl Access {
    /// Milliseconds for a statement, and for the server to say nothing.
    const fn limits(self) -> (u64, u64) {
        match self {
            Self::Load => (600_000, 60_000),
            Self::Migrate => (60_000, 70_000),
            Self::Listen => (3000, 3000),
            Self::Read => (2500, 3000),
            Self::Write | Self::Count => (4000, 5000),
        }
    }
}

/// How long the server waits for what another transaction holds.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(1);

/// What the server says to [`Transaction::guard`]: the square root of a negative number.
pub(super) const GUARDED: &[u8; 5] = b"2201F";

pub(super) struct Transaction<'a> {
    wire: &'a mut Wire,
    prefix: &'a str,
    access: Access,
    begun: bool,
    /// Statements that are still to be sent.
    queued: usize,
    committing: bool,
    /// A change is only acknowledged once a standby has applied it.
    replicated: bool,
    /// Where it is noted that the server waits for no standby.
    unprotected: &'a AtomicBool,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(
        wire: &'a mut Wire,
        prefix: &'a str,
        access: Access,
        replicated: bool,
        unprotected: &'a AtomicBool,
    ) -> Self {
        let (_, patience) = access.limits();
        wire.be_patient(Duration::from_millis(patience));
        let (begun, queued, committing) = (false, 0, false);
        Self { wire, prefix, access, begun, queued, committing, replicated, unprotected }
    }

    /// The setting of `synchronous_commit`.
    const fn durable(&self) -> &'static str {
        match self.access {
            Access::Count => "off",
            Access::Write | Access::Migrate if self.replicated => "remote_apply",
            _ => "on",
        }
    }

    /// Whether it was asked to commit, so that it may have.
    pub(super) const fn is_committing(&self) -> bool {
        self.committing
    }

    /// The schema as it is written before a name.
    pub(super) const fn prefix(&self) -> &str {
        self.prefix
    }

    /// The rows of a statement. In its text, `@` stands for the schema.
    pub(super) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        self.later(sql, values)?;
        Ok(self.flush()?.rows.pop().unwrap_or_default())
    }

    /// Runs a statement; how many rows it has changed.
    pub(super) fn run(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault> {
        self.later(sql, values)?;
        Ok(self.flush()?.changed())
    }

    /// Hands out each row of a statement as it comes.
    pub(super) fn each(
        &mut self,
        sql: &str,
        values: &[Value],
        each: &mut dyn FnMut(Row) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.queued > 0 || !self.begun {
            self.flush()?;
        }
        self.later(sql, values)?;
        self.queued = 0;
        self.wire.settle_each(&mut |_, row| each(row)).map(drop)
    }

    /// Has a statement sent with the next that is waited for; its number among those.
    pub(super) fn later(&mut self, sql: &str, values: &[Value]) -> Result<usize, Fault> {
        self.start()?;
        self.wire.queue(&sql.replace('@', self.prefix), values)?;
        self.queued += 1;
        Ok(self.queued - 1)
    }

    fn start(&mut self) -> Result<(), Fault> {
        if self.begun || self.queued > 0 {
            return Ok(());
        }
        let reads = matches!(self.access, Access::Read | Access::Listen | Access::Load);
        let begin = if reads {
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        } else {
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        };
        let durable = self.durable();
        let (statement, lock) = (self.access.limits().0, LOCK_WAIT.as_millis());
        let settings = format!(
            "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true) AS path, \
             pg_catalog.set_config('standard_conforming_strings', 'on', true) AS strings, \
             pg_catalog.set_config('client_encoding', 'UTF8', true) AS encoding, \
             pg_catalog.set_config('synchronous_commit', '{durable}', true) AS durable, \
             pg_catalog.set_config('statement_timeout', '{statement}', true), \
             pg_catalog.set_config('lock_timeout', '{lock}', true), \
             pg_catalog.set_config('idle_in_transaction_session_timeout', '5000', true), \
             {STANDBYS}"
        );
        self.wire.queue(begin, &[])?;
        self.wire.queue(&settings, &[])?;
        self.queued = 2;
        Ok(())
    }

    /// Sends what was put off, and reads the answers.
    pub(super) fn flush(&mut self) -> Result<Answers, Fault> {
        self.start()?;
        let answers = self.wire.settle()?;
        self.queued = 0;
        if !self.begun {
            self.begun = true;
            let settings = answers.rows.get(1).and_then(|rows| rows.first());
            let is_set = || {
                let row = settings?;
                let path: String = row.get("path").ok()?;
                let strings: String = row.get("strings").ok()?;
                let encoding: String = row.get("encoding").ok()?;
                let durable: String = row.get("durable").ok()?;
                let is_set = path == "pg_catalog, pg_temp" && strings == "on" && encoding == "UTF8";
                Some(is_set && durable == self.durable())
            };
            if is_set() != Some(true) {
                return Err(Fault::Garbled);
            }
            // What was committed already has gone by the guard.
            if self.replicated && !self.committing {
                self.check_standbys(settings)?;
            }
        }
        Ok(answers)
    }

    /// Whether the server waits for a standby, as it says now: what is changed needs that.
    fn check_standbys(&self, said: Option<&Row>) -> Result<(), Fault> {
        let standbys: String = said.ok_or(Fault::Garbled)?.get("standbys")?;
        let has_none = standbys.trim().is_empty();
        self.unprotected.store(has_none, Ordering::Release);
        let changes = matches!(self.access, Access::Write | Access::Migrate);
        if has_none && changes { Err(NO_STANDBY.into()) } else { Ok(()) }
    }

    /// Has the server fail this transaction by itself ([`GUARDED`]) if it has been overtaken, the
    /// tables are of a newer version, or a setting does not hold.
    pub(super) fn guard(&mut self, seen: &Seen) -> Result<(), Fault> {
        let waits = self.replicated && self.durable() == "remote_apply";
        let (sql, values) = guard(seen, self.durable(), waits);
        self.later(&sql, &values).map(drop)
    }

    /// Has a statement sent behind COMMIT, in a transaction of its own that nobody waits for.
    pub(super) fn after_commit(&mut self, sql: &str, values: &[Value]) -> Result<(), Fault> {
        self.wire.queue_behind(sql, values)
    }

    /// Commits; the answers to what was put off until then.
    pub(super) fn commit(&mut self) -> Result<Vec<Vec<Row>>, Fault> {
        let at = self.later("COMMIT", &[])?;
        let is_replicated = self.durable() == "remote_apply";
        if is_replicated {
            // Whether it still waited for a standby then.
            self.later(&format!("SELECT {STANDBYS}"), &[])?;
            self.wire.take_warned();
        }
        self.committing = true;
        let answers = self.flush();
        // PostgreSQL only warns when it has stopped waiting for the standby, and commits.
        if is_replicated && self.wire.take_warned() {
            return Err(NOT_REPLICATED.into());
        }
        let answers = answers?;
        // A transaction that has failed says ROLLBACK.
        if answers.tags.get(at).is_none_or(|tag| tag != "COMMIT") {
            return Err(Fault::Garbled);
        }
        if is_replicated {
            let said = answers.rows.get(at + 1).and_then(|rows| rows.first());
            self.check_standbys(said).map_err(|_| NOT_REPLICATED)?;
        }
        Ok(answers.rows)
    }
}
