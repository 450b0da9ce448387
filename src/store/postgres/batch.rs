//! Changes whose statements are all known before any is sent: they leave together with BEGIN and
//! COMMIT, so that one takes one round trip, and holds what it has locked for none.

use super::feed;
use super::values::{Row, Value};
use super::wire::Fault;
use crate::error::Result as Answer;
use std::borrow::Cow;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The statements of one change.
#[derive(Default)]
pub(super) struct Batch {
    statements: Vec<(Cow<'static, str>, Vec<Value>)>,
    /// Where the number was taken.
    taken: Option<usize>,
    /// What it changes, if it takes no number.
    key: String,
}

impl Batch {
    /// One that others hear of: takes the next number first, so that of those who do nobody waits
    /// for another who waits for it.
    pub(super) fn numbered(
        content: &[u8],
        audit: usize,
        revocations: usize,
    ) -> Result<Self, Fault> {
        let mut batch = Self::default();
        let taken = feed::take_number(&mut batch, content, audit, revocations)?;
        Ok(Self { taken: Some(taken), ..batch })
    }

    /// One that others need not hear of, of what is named so.
    pub(super) fn unnumbered(key: String) -> Self {
        Self { key, ..Self::default() }
    }

    /// Adds a statement; its place. In its text, `@` stands for the schema.
    pub(super) fn add(&mut self, sql: impl Into<Cow<'static, str>>, values: Vec<Value>) -> usize {
        self.statements.push((sql.into(), values));
        self.statements.len() - 1
    }

    /// Adds a statement that must change a row; if it changes none, all ends in a conflict.
    pub(super) fn add_one(&mut self, sql: &str, values: Vec<Value>) {
        // Where nothing was changed, this divides by zero: see `fault`.
        self.add(format!("WITH done AS ({sql} RETURNING 1) SELECT 1 / count(*) FROM done"), values);
    }

    pub(super) fn statements(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.statements.iter().map(|(sql, values)| (&**sql, &**values))
    }

    pub(super) const fn is_numbered(&self) -> bool {
        self.taken.is_some()
    }

    pub(super) const fn taken(&self) -> Option<usize> {
        self.taken
    }
}

/// The rows that each statement of a change has given.
pub(super) type Rows = Vec<Vec<Row>>;

/// A change that waits for the connection, with others that may go with it.
pub(super) struct Ticket {
    pub(super) batch: Batch,
    since: Instant,
    done: Mutex<Option<Answer<Rows>>>,
}

/// As many go together at most.
const MOST: usize = 32;

impl Ticket {
    pub(super) fn new(batch: Batch) -> Self {
        Self { batch, since: Instant::now(), done: Mutex::new(None) }
    }

    /// What has become of it, if that is known.
    pub(super) fn take(&self) -> Option<Answer<Rows>> {
        crate::base::process::lock(&self.done).take()
    }

    pub(super) fn set(&self, done: Answer<Rows>) {
        *crate::base::process::lock(&self.done) = Some(done);
    }

    /// Whether it has waited for so long.
    pub(super) fn has_waited(&self, time: Duration) -> bool {
        self.since.elapsed() >= time
    }
}

/// Takes those who go next: all of them are numbered or none is. What takes no number changes
/// something of its own, and goes by its name, so that two processes never wait for each other.
pub(super) fn next_group<T: std::ops::Deref<Target = Ticket>>(waiting: &mut Vec<T>) -> Vec<T> {
    let Some(is_numbered) = waiting.first().map(|first| first.batch.is_numbered()) else {
        return Vec::new();
    };
    let (mut group, mut rest) = (Vec::new(), Vec::new());
    for ticket in waiting.drain(..) {
        let goes = ticket.batch.is_numbered() == is_numbered && group.len() < MOST;
        if goes { group.push(ticket) } else { rest.push(ticket) }
    }
    *waiting = rest;
    group.sort_by(|one, other| one.batch.key.cmp(&other.batch.key));
    group
}
