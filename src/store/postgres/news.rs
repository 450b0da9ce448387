//! What is new between two places of the feed, read at once by the thread that listens: the
//! followers take it from memory, and none of them asks the server.

use super::feed::{EPOCH_BITS, NUMBER, Standing, signed};
use super::rows;
use super::transaction::Transaction;
use super::values::{Row, Value};
use super::wire::Fault;
use std::collections::HashMap;

/// Where there is more than this of anything, each follower reads it page by page.
const MOST: u64 = 1000;

pub(super) struct News {
    epoch: u64,
    from: Standing,
    pub(super) to: Standing,
    /// Rows of the audit, of the keys that they name, of what was revoked, and the horizon.
    pub(super) audit: Vec<Row>,
    pub(super) keys: Vec<Row>,
    pub(super) revocations: Vec<Row>,
    pub(super) horizon: Vec<Row>,
    /// The versions of the rings that were asked for.
    pub(super) rings: HashMap<String, u64>,
}

impl News {
    /// Reads it, if it is not too much.
    pub(super) fn read(
        transaction: &mut Transaction<'_>,
        epoch: u64,
        from: &Standing,
        to: &Standing,
        rings: Vec<String>,
    ) -> Result<Option<Self>, Fault> {
        let is_little = |from: u64, to: u64| to.checked_sub(from).is_some_and(|many| many <= MOST);
        if !is_little(from.audit, to.audit) || !is_little(from.revocation, to.revocation) {
            return Ok(None);
        }
        let audit = [signed(from.audit)?];
        let keys = format!(
            "{} WHERE k.id IN (SELECT a.key_id FROM @audit AS a WHERE a.seq > $1)",
            rows::SELECT
        );
        let revocation = [signed(from.revocation)?];
        let at = [
            transaction
                .later("SELECT seq, key_id FROM @audit WHERE seq > $1 ORDER BY seq", &audit)?,
            transaction.later(&keys, &audit)?,
            transaction.later(
                "SELECT * FROM @revocation WHERE seq > $1 OR seq < 1 ORDER BY seq",
                &revocation,
            )?,
            transaction.later("SELECT until FROM @horizon WHERE \"of\" = 'issued'", &[])?,
            transaction.later(
                "SELECT name, version FROM @key_ring WHERE name = ANY ($1)",
                &[Value::Texts(rings)],
            )?,
        ];
        let mut answers = transaction.flush()?;
        let mut take = |at: usize| answers.rows.get_mut(at).map(std::mem::take).unwrap_or_default();
        let [audit, keys, revocations, horizon, rings] = at.map(&mut take);
        let version = |row: &Row| {
            let version = row.get::<u64>("version").ok().filter(|version| *version > 0)?;
            Some((row.get("name").ok()?, version | epoch << EPOCH_BITS))
        };
        // What cannot be read is found so by those who ask for it.
        let rings = rings.iter().filter_map(version).collect();
        let (from, to) = (*from, *to);
        Ok(Some(Self { epoch, from, to, audit, keys, revocations, horizon, rings }))
    }

    /// The place in this feed's numbers, if all that came after it is here: `after`, of numbers
    /// that go from one place to another here.
    pub(super) fn after(&self, after: u64, number: impl Fn(&Standing) -> u64) -> Option<u64> {
        let place = after & NUMBER;
        let is_here = after >> EPOCH_BITS == self.epoch
            && (number(&self.from)..=number(&self.to)).contains(&place);
        is_here.then_some(place)
    }

    /// Which feed it is among those that this process has followed.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }
}
