//! What has been revoked, as rows that are numbered again whenever they change: the numbers are the
//! feed.

use super::batch::Batch;
use super::feed::{EPOCH_BITS, NUMBER, Standing, signed};
use super::rows::bounded;
use super::transaction::Transaction;
use super::values::{Row, Value};
use super::wire::Fault;
use super::{PostgresStore, content};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Revocation, RevocationChanges, RevocationKind, RevocationStore, SeenToken};

/// One row for each thing that is revoked, with the later times.
const REVOKE: &str = "INSERT INTO @revocation AS own (seq, kind, issuer, value, before, until, at) \
     SELECT f.revocation - $1, $2, $3, $4, $5, $6, $7 FROM @feed AS f \
     ON CONFLICT (kind, issuer, value) DO UPDATE SET seq = excluded.seq, at = excluded.at, \
     before = greatest(own.before, excluded.before), until = greatest(own.until, excluded.until)";

const UNREADABLE: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "A row of the table `revocation` cannot be read, and may revoke any token: all are refused. \
     Restore the store from a backup, or delete the row if it revokes nothing.",
);
const NO_HORIZON: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "A row of the table `horizon` cannot be read, so it is not known what was forgotten: all tokens \
     are refused. Restore the store from a backup.",
);

/// Rows whose time has passed that a new one takes away.
const SWEEP: u32 = 4;

/// Links of the chain that are kept for those who were away.
const KEPT_LINKS: i64 = 100_000;

impl RevocationStore for PostgresStore {
    fn write_revocations(&self, revocations: &[Revocation]) -> Result<()> {
        if revocations.is_empty() {
            return Ok(());
        }
        let batch = Batch::numbered(&said(revocations), 0, revocations.len());
        let batch = batch.and_then(|mut batch| {
            revoke(&mut batch, revocations)?;
            Ok(batch)
        });
        self.change(batch).map(drop)
    }

    fn revocations(&self, after: u64, limit: usize) -> Result<RevocationChanges> {
        if let Some(news) = self.ear.news()
            && let Some(place) = news.after(after, |standing| standing.revocation)
            && limit > news.revocations.len()
        {
            let mut changes = gather(&news.to, place, limit, &news.revocations)?;
            changes.seq |= news.epoch() << EPOCH_BITS;
            return Ok(changes);
        }
        self.read(|transaction| {
            let (standing, epoch) = self.pool.seen.follow(transaction)?;
            let mut changes = if after >> EPOCH_BITS == epoch {
                changes(transaction, &standing, after & NUMBER, limit)?
            } else {
                RevocationChanges { reload: true, ..RevocationChanges::default() }
            };
            changes.seq |= epoch << EPOCH_BITS;
            Ok(changes)
        })
    }

    fn purge_revocations(&self, now: u64, issued_before: u64) -> Result<u64> {
        self.write(|transaction| purge(transaction, now, issued_before))
    }

    fn revocation_horizon(&self) -> Result<u64> {
        if let Some(news) = self.ear.news() {
            return until(&news.horizon).map_err(super::fault);
        }
        self.read(|transaction| horizon(transaction, "issued"))
    }

    fn remember_token(&self, issuer: &str, token_id: &str, until: u64, now: u64) -> Result<bool> {
        self.write(|transaction| remember(transaction, issuer, token_id, until, now))
    }

    fn seen_tokens(&self, after: Option<&SeenToken>, limit: usize) -> Result<Vec<SeenToken>> {
        let (issuer, token_id) = after.map_or(("", ""), |seen| (&seen.issuer, &seen.token_id));
        self.read(|transaction| {
            let rows = transaction.query(
                "SELECT s.issuer, s.token_id, s.until FROM @seen_token AS s \
                 WHERE (s.issuer, s.token_id) > ($1, $2) ORDER BY s.issuer, s.token_id LIMIT $3",
                &[issuer.into(), token_id.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()],
            )?;
            let token = |row: &Row| {
                Some(SeenToken {
                    issuer: row.get("issuer").ok()?,
                    token_id: row.get("token_id").ok()?,
                    until: row.get("until").ok()?,
                })
            };
            Ok(rows.iter().filter_map(token).collect())
        })
    }
}

/// What was revoked, as it stands in the chain.
pub(super) fn said(entries: &[Revocation]) -> Vec<u8> {
    content("revocation", entries.iter().flat_map(|entry| [&*entry.issuer, &*entry.value]))
}

/// Revokes, with the numbers that were taken just before.
pub(super) fn revoke(batch: &mut Batch, entries: &[Revocation]) -> Result<(), Fault> {
    for (back, entry) in (0..entries.len()).rev().zip(entries) {
        let values = vec![
            i64::try_from(back).unwrap_or(i64::MAX).into(),
            u32::from(entry.kind as u8).into(),
            (&entry.issuer).into(),
            (&entry.value).into(),
            bounded(entry.before),
            bounded(entry.until),
            signed(entry.at)?,
        ];
        batch.add(REVOKE, values);
    }
    Ok(())
}

fn changes(
    transaction: &mut Transaction<'_>,
    standing: &Standing,
    after: u64,
    limit: usize,
) -> Result<RevocationChanges, Fault> {
    let found = transaction.query(
        "SELECT * FROM @revocation WHERE seq > $1 OR seq < 1 ORDER BY seq LIMIT $2",
        &[bounded(after), i64::try_from(limit).unwrap_or(i64::MAX).into()],
    )?;
    Ok(gather(standing, after, limit, &found)?)
}

/// What was revoked after a number, of rows from there or from before on.
fn gather(
    standing: &Standing,
    after: u64,
    limit: usize,
    rows: &[Row],
) -> Result<RevocationChanges> {
    let last = standing.revocation;
    if last < after {
        return Ok(RevocationChanges { reload: true, ..RevocationChanges::default() });
    }
    let mut out = RevocationChanges { seq: after, ..RevocationChanges::default() };
    for row in rows {
        let (seq, entry) = read(row).map_err(|_| unreadable(row))?;
        if seq <= after {
            continue;
        }
        out.seq = seq;
        out.numbers.push(seq);
        out.entries.push(entry);
    }
    out.number = last;
    out.feed = standing.feed();
    out.more = out.entries.len() == limit;
    if !out.more {
        out.seq = last; // the last ones may have been forgotten
    }
    Ok(out)
}

/// The error names the row, if that can be.
#[cold]
fn unreadable(row: &Row) -> Error {
    let name = format!("seq = {}", row.get::<i64>("seq").unwrap_or_default());
    UNREADABLE.about_named_claim(&name.as_str().into())
}

/// A row that cannot be read is an error for all; see the SQLite store.
fn read(row: &Row) -> Result<(u64, Revocation), Fault> {
    let entry = Revocation {
        kind: RevocationKind::from_code(row.get("kind")?).ok_or(Fault::Cell("kind"))?,
        issuer: row.get("issuer")?,
        value: row.get("value")?,
        before: row.get("before")?,
        until: row.get("until")?,
        at: row.get("at")?,
    };
    match row.get("seq")? {
        0 => Err(Fault::Cell("seq")), // no number of ours, which begin with 1
        seq => Ok((seq, entry)),
    }
}

fn purge(transaction: &mut Transaction<'_>, now: u64, issued_before: u64) -> Result<u64, Fault> {
    // Not what cannot be read: it is not known what it means.
    let rows = transaction.query(
        "WITH gone AS (DELETE FROM @revocation AS r WHERE r.until BETWEEN 0 AND $1 AND r.before >= 0 \
         AND r.at >= 0 RETURNING r.before, r.at), \
         kept AS (INSERT INTO @horizon AS own (\"of\", until) SELECT 'issued', least($1, greatest($2, \
         coalesce(max(CASE WHEN g.before > 0 THEN g.before ELSE g.at + 1 END), 0))) FROM gone AS g \
         HAVING count(*) > 0 OR $2 > 0 \
         ON CONFLICT (\"of\") DO UPDATE SET until = greatest(own.until, excluded.until)) \
         SELECT count(*) AS n FROM gone",
        &[bounded(now), bounded(issued_before)],
    )?;
    transaction.later(
        "DELETE FROM @change AS c USING @feed AS f WHERE c.number < f.number - $1",
        &[KEPT_LINKS.into()],
    )?;
    rows.first().ok_or(Fault::Garbled)?.get("n")
}

/// When tokens were issued that what was ever forgotten meant, at the latest; it never goes back.
fn horizon(transaction: &mut Transaction<'_>, of: &str) -> Result<u64, Fault> {
    until(&transaction.query("SELECT until FROM @horizon WHERE \"of\" = $1", &[of.into()])?)
}

fn until(rows: &[Row]) -> Result<u64, Fault> {
    rows.first().map_or(Ok(0), |row| row.get("until").map_err(|_| NO_HORIZON.into()))
}

fn remember(
    transaction: &mut Transaction<'_>,
    issuer: &str,
    token_id: &str,
    until: u64,
    now: u64,
) -> Result<bool, Fault> {
    transaction.later(
        // What is no date was altered from outside, and stays.
        "WITH old AS (SELECT s.issuer, s.token_id FROM @seen_token AS s WHERE s.until BETWEEN 0 AND $1 \
         ORDER BY s.until LIMIT $2 FOR UPDATE SKIP LOCKED), \
         gone AS (DELETE FROM @seen_token AS s USING old WHERE s.issuer = old.issuer \
         AND s.token_id = old.token_id RETURNING s.until) \
         INSERT INTO @horizon AS own (\"of\", until) SELECT 'seen_token', max(g.until) FROM gone AS g \
         HAVING count(*) > 0 \
         ON CONFLICT (\"of\") DO UPDATE SET until = greatest(own.until, excluded.until)",
        &[bounded(now), Value::from(SWEEP)],
    )?;
    let inserted = transaction.run(
        "INSERT INTO @seen_token (issuer, token_id, until) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[issuer.into(), token_id.into(), bounded(until)],
    )?;
    // After that: one that is just being forgotten was waited for, and is below the horizon now.
    if until <= horizon(transaction, "seen_token")? {
        return Ok(false);
    }
    Ok(inserted == 1)
}
