//! What has been revoked, as rows that are numbered again whenever they change: the numbers are the
//! feed.

use super::{Kind, SqliteStore, fault, fault_in, mark, rows};
use crate::error::{Error, Result};
use crate::store::{Revocation, RevocationChanges, RevocationKind, RevocationStore, SeenToken};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

/// One row for each thing that is revoked, with the later times.
const REVOKE: &str = "INSERT OR REPLACE INTO revocation (kind, issuer, value, before, until, at) \
     SELECT ?1, ?2, ?3, max(?4, coalesce(max(before), 0)), max(?5, coalesce(max(until), 0)), ?6 \
     FROM revocation WHERE kind = ?1 AND issuer = ?2 AND value = ?3";

const UNREADABLE: &str = "A row of the table `revocation` cannot be read, and may revoke any token: all are refused. \
     Restore the store from a backup, or delete the row if it revokes nothing.";
const NO_HORIZON: &str = "A row of the table `horizon` cannot be read, so it is not known what was forgotten: all tokens \
     are refused. Restore the store from a backup.";

/// Rows whose time has passed that a new one takes away.
const SWEEP: u32 = 4;

impl RevocationStore for SqliteStore {
    fn write_revocations(&self, revocations: &[Revocation]) -> Result<()> {
        let kind = Kind::revokes(!revocations.is_empty());
        self.transact(kind, |transaction| revoke(transaction, revocations))
    }

    fn revocations(&self, after: u64, limit: usize) -> Result<RevocationChanges> {
        let mut changes = self.follow(after, |snapshot, after| changes(snapshot, after, limit))?;
        if !self.0.has_mark() {
            changes.feed = 0; // an older copy, whose numbers come again, would not be noticed
        }
        Ok(changes)
    }

    fn purge_revocations(&self, now: u64, issued_before: u64) -> Result<u64> {
        self.transact(Kind::GoesOn, |transaction| purge(transaction, now, issued_before))
    }

    fn revocation_horizon(&self) -> Result<u64> {
        self.read(|reader| horizon(reader))
    }

    fn remember_token(&self, issuer: &str, token_id: &str, until: u64, now: u64) -> Result<bool> {
        self.transact(Kind::GoesOn, |transaction| {
            remember(transaction, issuer, token_id, until, now)
        })
    }

    fn seen_tokens(&self, after: Option<&SeenToken>, limit: usize) -> Result<Vec<SeenToken>> {
        let (issuer, token_id) = after.map_or(("", ""), |seen| (&seen.issuer, &seen.token_id));
        self.read(|reader| {
            let mut select = reader
                .prepare_cached(
                    "SELECT issuer, token_id, until FROM seen_token WHERE (issuer, token_id) > (?1, ?2) \
                     ORDER BY issuer, token_id LIMIT ?3",
                )
                .map_err(fault)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let found = select
                .query_map(params![issuer, token_id, limit], |row| {
                    let until = rows::unsigned(row, "until");
                    Ok((row.get("issuer")?, row.get("token_id")?, until))
                })
                .map_err(fault)?;
            let tokens = found.filter_map(|found| match found {
                Ok((issuer, token_id, until)) => {
                    Some(Ok(SeenToken { issuer, token_id, until: until.ok()? }))
                }
                // What is no text was altered from outside.
                Err(error) => error.sqlite_error_code().map(|_| Err(error)),
            });
            tokens.collect::<rusqlite::Result<_>>().map_err(fault)
        })
    }
}

pub(super) fn revoke(transaction: &Transaction<'_>, entries: &[Revocation]) -> Result<()> {
    let mut revoke = transaction.prepare_cached(REVOKE).map_err(fault)?;
    for entry in entries {
        let mut run = || {
            revoke.execute(params![
                entry.kind as u8,
                entry.issuer,
                entry.value,
                rows::bounded(entry.before),
                rows::bounded(entry.until),
                rows::signed(entry.at)?,
            ])
        };
        run().map_err(fault)?;
    }
    Ok(())
}

fn changes(snapshot: &Transaction<'_>, after: u64, limit: usize) -> Result<RevocationChanges> {
    let last: Option<i64> = snapshot
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'revocation'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(fault)?;
    let last = last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0);
    if last < after {
        // Another file under the same name, or one from a backup.
        return Ok(RevocationChanges { reload: true, ..RevocationChanges::default() });
    }
    let mut select = snapshot
        .prepare_cached("SELECT * FROM revocation WHERE seq > ? OR seq < 1 ORDER BY seq LIMIT ?")
        .map_err(fault)?;
    let after_signed = i64::try_from(after).unwrap_or(i64::MAX);
    let limit_signed = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = select.query(params![after_signed, limit_signed]).map_err(fault)?;
    let mut out = RevocationChanges { seq: after, ..RevocationChanges::default() };
    while let Some(row) = found.next().map_err(fault)? {
        let (seq, entry) = read(row).map_err(|error| unreadable(row, error))?;
        out.seq = seq;
        out.numbers.push(seq);
        out.entries.push(entry);
    }
    out.number = last;
    out.feed = mark::feed(snapshot)?;
    out.more = out.entries.len() == limit;
    if !out.more {
        out.seq = last; // the last ones may have been forgotten
    }
    Ok(out)
}

/// The error names the row, if that can be.
#[cold]
fn unreadable(row: &Row<'_>, error: rusqlite::Error) -> Error {
    let seq: i64 = row.get("seq").unwrap_or_default();
    let name = format!("seq = {seq}");
    fault_in(UNREADABLE)(error).about_named_claim(&name.as_str().into())
}

/// A row that cannot be read is an error for all. It may revoke anything: what does not say of what
/// kind it is, or until when it is meant, may mean every token, and a token that it means must not
/// become valid. Who can write such a row could as well revoke every token by one that can be read.
fn read(row: &Row<'_>) -> rusqlite::Result<(u64, Revocation)> {
    let kind = RevocationKind::from_code(row.get("kind")?).ok_or_else(|| rows::wrong("kind"))?;
    let entry = Revocation {
        kind,
        issuer: row.get("issuer")?,
        value: row.get("value")?,
        before: rows::unsigned(row, "before")?,
        until: rows::unsigned(row, "until")?,
        at: rows::unsigned(row, "at")?,
    };
    match rows::unsigned(row, "seq")? {
        0 => Err(rows::wrong("seq")), // no number of ours, which begin with 1
        seq => Ok((seq, entry)),
    }
}

fn purge(transaction: &Transaction<'_>, now: u64, issued_before: u64) -> Result<u64> {
    let purge = || {
        let (now, issued_before) = (rows::bounded(now), rows::bounded(issued_before));
        transaction.execute(
            "INSERT INTO horizon (of, until) SELECT 'issued', min(?1, max(?2, \
             coalesce(max(CASE WHEN before > 0 THEN before ELSE at + 1 END), 0))) \
             FROM revocation WHERE until <= ?1 AND typeof(until) = 'integer' \
             AND typeof(before) = 'integer' AND typeof(at) = 'integer' HAVING max(until) IS NOT NULL OR ?2 > 0 \
             ON CONFLICT (of) DO UPDATE SET until = max(until, excluded.until)",
            [now, issued_before],
        )?;
        // Not what cannot be read: it is not known what it means.
        transaction.execute(
            "DELETE FROM revocation WHERE until BETWEEN 0 AND ? AND typeof(until) = 'integer' \
             AND typeof(before) = 'integer' AND typeof(at) = 'integer'",
            [now],
        )
    };
    purge().map(|count| count as u64).map_err(fault)
}

/// When tokens were issued that what was ever forgotten meant, at the latest; it never goes back.
fn horizon(reader: &Connection) -> Result<u64> {
    read_horizon(reader, "issued").map_err(fault_in(NO_HORIZON))
}

fn read_horizon(reader: &Connection, of: &str) -> rusqlite::Result<u64> {
    let mut select = reader.prepare_cached("SELECT until FROM horizon WHERE of = ?")?;
    let horizon = select.query_row([of], |row| rows::unsigned(row, "until"));
    Ok(horizon.optional()?.unwrap_or(0))
}

fn remember(
    transaction: &Transaction<'_>,
    issuer: &str,
    token_id: &str,
    until: u64,
    now: u64,
) -> Result<bool> {
    let remember = || {
        let now = rows::bounded(now);
        let old: Vec<(i64, i64)> = transaction
            .prepare_cached(
                // What is no date was altered from outside, and stays.
                "SELECT rowid, until FROM seen_token WHERE until BETWEEN 0 AND ?1 \
                 AND typeof(until) = 'integer' ORDER BY until LIMIT ?2",
            )?
            .query_map(params![now, SWEEP], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        if let Some((_, latest)) = old.last() {
            transaction
                .prepare_cached(
                    "INSERT INTO horizon (of, until) VALUES ('seen_token', ?1) \
                     ON CONFLICT (of) DO UPDATE SET until = max(until, excluded.until)",
                )?
                .execute([latest])?;
        }
        let mut forget = transaction.prepare_cached("DELETE FROM seen_token WHERE rowid = ?")?;
        for (row, _) in old {
            forget.execute([row])?;
        }
        if until <= read_horizon(transaction, "seen_token")? {
            return Ok(false); // it may have been remembered, and forgotten since
        }
        let mut insert = transaction.prepare_cached(
            "INSERT OR IGNORE INTO seen_token (issuer, token_id, until) VALUES (?, ?, ?)",
        )?;
        Ok(insert.execute(params![issuer, token_id, rows::bounded(until)])? == 1)
    };
    remember().map_err(fault_in(NO_HORIZON))
}
