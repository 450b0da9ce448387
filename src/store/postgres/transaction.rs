//! A transaction: its settings are made for it alone and read back, so that nothing depends on what
//! a role, a database, a URL or the last user of a pooled connection has set.
//!
//! BEGIN and the settings go out with the first statement, and COMMIT with the last ones, so that a
//! change needs two round trips, and what hands out numbers holds its lock for none.

use super::values::{Row, Value};
use super::wire::{Answers, Fault, Wire};
use std::time::Duration;

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

pub(super) struct Transaction<'a> {
    wire: &'a mut Wire,
    prefix: &'a str,
    access: Access,
    begun: bool,
    /// Statements that are still to be sent.
    queued: usize,
    committing: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(wire: &'a mut Wire, prefix: &'a str, access: Access) -> Self {
        let (_, patience) = access.limits();
        wire.be_patient(Duration::from_millis(patience));
        Self { wire, prefix, access, begun: false, queued: 0, committing: false }
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
        let durable = if self.access == Access::Count { "off" } else { "on" };
        let statement = self.access.limits().0;
        let settings = format!(
            "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true) AS path, \
             pg_catalog.set_config('standard_conforming_strings', 'on', true) AS strings, \
             pg_catalog.set_config('client_encoding', 'UTF8', true) AS encoding, \
             pg_catalog.set_config('synchronous_commit', '{durable}', true) AS durable, \
             pg_catalog.set_config('statement_timeout', '{statement}', true), \
             pg_catalog.set_config('lock_timeout', '2000', true), \
             pg_catalog.set_config('idle_in_transaction_session_timeout', '5000', true)"
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
            let is_set = || {
                let row = answers.rows.get(1)?.first()?;
                let path: String = row.get("path").ok()?;
                let strings: String = row.get("strings").ok()?;
                let encoding: String = row.get("encoding").ok()?;
                Some(path == "pg_catalog, pg_temp" && strings == "on" && encoding == "UTF8")
            };
            if is_set() != Some(true) {
                return Err(Fault::Garbled);
            }
        }
        Ok(answers)
    }

    /// Commits; the answers to what was put off until then.
    pub(super) fn commit(&mut self) -> Result<Vec<Vec<Row>>, Fault> {
        self.later("COMMIT", &[])?;
        self.committing = true;
        let answers = self.flush()?;
        // A transaction that has failed says ROLLBACK.
        if answers.tags.last().is_none_or(|tag| tag != "COMMIT") {
            return Err(Fault::Garbled);
        }
        Ok(answers.rows)
    }
}
