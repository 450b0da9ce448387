//! Keys and sessions in a SQLite file, which several processes may share: WAL, a full sync for every change to a
//! key, a lesser one for counters. The audit is the change feed; whether there is anything new is told
//! by SQLite's `data_version`, for about a microsecond.
//!
//! Connections are closed before a fork and opened again after it. A file that cannot be written to can still
//! be read. Nothing else may open the file with another SQLite in the same process (Python's `sqlite3`, say): when that
//! closes it, the kernel takes our locks away, and it may take the WAL away (sqlite.org/howtocorrupt.html, 2.2); what is
//! noticed of it is told by `StoreUnavailable`.

mod backup;
mod connections;
mod create;
mod mark;
mod place;
mod revocation;
mod rows;
mod schema;
mod session;
mod wal;
mod whole;

pub(crate) use self::backup::{Copied, Progress, back_up, restore};
use self::connections::{Connections, Opened, Trust};
use self::mark::Marked;
use super::apikey::page_size;
use super::{
    AuditFilter, AuditRecord, Change, Changes, KeyFilter, Lease, Loaded, Mark, Page, PepperCheck,
    RevocationChanges, Store, StoredKey, Usage, Write,
};
use crate::error::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, params_from_iter};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A store in a SQLite file.
pub struct SqliteStore(Connections);

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteStore")
    }
}

/// Rows of counters in one transaction, so that nobody waits long for it.
const USAGE_BATCH: usize = 250;

impl SqliteStore {
    /// Opens the file, or makes it, readable by its owner only.
    ///
    /// # Errors
    /// `StoreUnavailable`: the file or its folder cannot be opened. `StoreReadOnly`: there is no file
    /// and none can be made. `StoreCorrupt`: it is not a store of ours, or of a newer version;
    /// it is left as it is. `StoreRestored`: it is older than its mark, which lies beside it as
    /// `<path>.mark`, or one of the two is missing (see [`Mark`]); or its main file is older than its WAL.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Mark::Beside)
    }

    /// As [`Self::open`], with the mark in another place.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(path: impl AsRef<Path>, mark: &Mark) -> Result<Self> {
        Connections::open(path.as_ref(), mark, Trust::Nothing).map(Self)
    }

    fn read<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        self.read_file(|reader, _, _| work(reader))
    }

    /// As [`Self::read`], of a store that is not behind its mark: for what must not go back.
    fn read_newest<T>(
        &self,
        work: impl FnOnce(&mut Connection, &mut Opened) -> Result<T>,
    ) -> Result<T> {
        self.read_file(|reader, opened, mark| {
            mark.check(reader)?;
            work(reader, opened)
        })
    }

    /// As [`Self::read`], and which file it is that is read, and its mark.
    fn read_file<T>(
        &self,
        work: impl FnOnce(&mut Connection, &mut Opened, &Marked) -> Result<T>,
    ) -> Result<T> {
        self.0.reading(|reader, opened, mark| {
            schema::check_version(reader)?;
            let done = work(reader, opened, mark);
            if done.is_err() {
                // Tables that another process is changing just then explain the rest.
                schema::check_version(reader)?;
            }
            done
        })
    }

    /// All or nothing, synced when it returns, and so is the mark if the change must never be undone.
    fn transact<T>(&self, change: Kind, work: impl Fn(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let counted = |connection: &mut Connection, mark: &Marked| {
            in_transaction(connection, |transaction| {
                let done = work(transaction)?;
                let at = mark::count(transaction)?;
                mark.check_change(at)?;
                Ok((done, at))
            })
        };
        // Not before it is known that the change is in the store: the mark is never ahead of that.
        let (done, _) =
            self.0.writing(counted, |(_, at), mark| mark.follow(*at, change == Kind::Revokes))?;
        Ok(done)
    }

    /// Follows a feed whose numbers are those of the file that is open: a follower of another file begins again.
    fn follow<T: Feed>(
        &self,
        after: u64,
        work: impl FnOnce(&Transaction<'_>, u64) -> Result<T>,
    ) -> Result<T> {
        self.read_file(|reader, opened, mark| {
            // Something has changed: it must not be that an older copy was written into the file.
            mark.check(reader)?;
            let snapshot = reader.transaction().map_err(fault)?;
            let (file, seq) = (self.0.epoch(opened, &snapshot)? << FILE_BITS, after & NUMBER);
            // Of another file: a number that no feed has reached.
            let seq = if after & !NUMBER == file { seq } else { NUMBER };
            let mut found = work(&snapshot, seq)?;
            *found.seq() |= file;
            Ok(found)
        })
    }
}

/// The numbers of a feed are those of the file below this bit, and the number of the file above it.
const FILE_BITS: u32 = 48;
const NUMBER: u64 = (1 << FILE_BITS) - 1;

/// What a feed answers.
trait Feed {
    fn seq(&mut self) -> &mut u64;
}

impl Feed for Changes {
    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }
}

impl Feed for RevocationChanges {
    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }
}

/// What a change does, as far as the mark is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It takes something away that an older copy of the store would give back.
    Revokes,
    /// It does not, or only something small: a refresh token that was used, credits.
    GoesOn,
}

impl Kind {
    fn revokes(revokes: bool) -> Self {
        if revokes { Self::Revokes } else { Self::GoesOn }
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(fault)?;
    schema::check_version(&transaction)?;
    let done = work(&transaction)?;
    transaction.commit().map_err(fault)?;
    Ok(done)
}

impl Store for SqliteStore {
    fn file(&self) -> Option<PathBuf> {
        Some(self.0.path())
    }

    fn count(&self) -> Result<u64> {
        self.read(|reader| {
            let count =
                reader.query_row("SELECT count(*) FROM key", [], |row| row.get::<_, i64>(0));
            Ok(u64::try_from(count.map_err(fault)?).unwrap_or(0))
        })
    }

    fn history(&self) -> Result<u64> {
        self.read_file(|reader, _, mark| {
            mark.check(reader)?;
            Ok(mark.history())
        })
    }

    fn load(&self, visit: &mut dyn FnMut(Loaded)) -> Result<u64> {
        self.read_file(|reader, opened, mark| {
            mark.check(reader)?;
            // One transaction, so that the number belongs to what was read.
            let snapshot = reader.transaction().map_err(fault)?;
            let seq = last_seq(&snapshot)? | self.0.epoch(opened, &snapshot)? << FILE_BITS;
            {
                let mut select = snapshot.prepare_cached(rows::SELECT).map_err(fault)?;
                let mut found = select.query([]).map_err(fault)?;
                while let Some(row) = found.next().map_err(fault)? {
                    visit(loaded(row).map_err(fault)?);
                }
            }
            Ok(seq)
        })
    }

    fn stamp(&self) -> Result<u64> {
        self.0.thaw();
        self.0.reading(|reader, opened, _| {
            let mut select = reader.prepare_cached("PRAGMA data_version").map_err(fault)?;
            let version: i64 = select.query_row([], |row| row.get(0)).map_err(fault)?;
            // The version is the connection's own, which is another one after a fork.
            Ok(opened.number << 32 ^ version.cast_unsigned())
        })
    }

    fn changes(&self, after: u64, limit: usize) -> Result<Changes> {
        self.follow(after, |snapshot, after| changes(snapshot, after, limit))
    }

    fn get(&self, id: &str) -> Result<Option<StoredKey>> {
        self.read(|reader| match one(reader, id)? {
            Some(Loaded::Key(key)) => Ok(Some(*key)),
            Some(_) => Err(Error::new(ErrorKind::StoreCorrupt, "The row of this key is damaged.")),
            None => Ok(None),
        })
    }

    fn write(&self, writes: &[Write]) -> Result<u64> {
        // Whatever changes a key may narrow it; a key that is put under another pepper stays what it is.
        let revokes = |write: &Write| match write.change {
            Change::Insert(_) => false,
            Change::Update { .. } => write.action != "pepper.upgrade",
            Change::Delete { .. } => true,
        };
        self.transact(Kind::revokes(writes.iter().any(revokes)), |transaction| {
            for write in writes {
                let id = apply(transaction, &write.change)?;
                transaction
                    .prepare_cached(
                        "INSERT INTO audit (at, actor, action, key_id, detail) VALUES (?, ?, ?, ?, ?)",
                    )
                    .and_then(|mut insert| {
                        let at = rows::signed(write.at)?;
                        insert.execute(params![at, write.actor, write.action, id, write.detail])
                    })
                    .map_err(fault)?;
            }
            last_seq(transaction)
        })
    }

    fn list(&self, filter: &KeyFilter) -> Result<Page<Loaded>> {
        let mut conditions = Vec::new();
        let mut values: rows::Values = Vec::new();
        for (condition, value) in [
            ("id > ?", &filter.cursor),
            ("owner = ?", &filter.owner),
            ("tenant = ?", &filter.tenant),
        ] {
            if let Some(value) = value {
                conditions.push(condition);
                values.push(Box::new(value.clone()));
            }
        }
        let limit = page_size(filter.limit);
        let sql = format!("{}{} ORDER BY id", rows::SELECT, where_all(&conditions));
        self.read(|reader| {
            let mut select = reader.prepare_cached(&sql).map_err(fault)?;
            let found = select.query(params_from_iter(values)).map_err(fault)?;
            rows::page(found, limit, |row| row.get("id"), loaded).map_err(fault)
        })
    }

    fn audit(&self, filter: &AuditFilter) -> Result<Page<AuditRecord>> {
        let after: u64 = filter.cursor.as_ref().map_or(0, |c| c.parse().unwrap_or(u64::MAX));
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut conditions = vec!["seq > ?"];
        let mut values: rows::Values = vec![Box::new(after)];
        if let Some(id) = &filter.key_id {
            conditions.push("key_id = ?");
            values.push(Box::new(id.clone()));
        }
        let limit = page_size(filter.limit);
        let sql = format!("SELECT * FROM audit{} ORDER BY seq", where_all(&conditions));
        self.read(|reader| {
            let mut select = reader.prepare_cached(&sql).map_err(fault)?;
            let found = select.query(params_from_iter(values)).map_err(fault)?;
            let seq = |row: &rusqlite::Row<'_>| Ok(rows::unsigned(row, "seq")?.to_string());
            rows::page(found, limit, seq, rows::audit).map_err(fault)
        })
    }

    fn lease_credits(
        &self,
        id: &str,
        set_in: u64,
        need: u64,
        want: u64,
        now: u64,
    ) -> Result<Lease> {
        self.transact(Kind::GoesOn, |transaction| {
            let credits = credits(transaction, id)?.filter(|credits| credits.set_in == set_in);
            let mut credits = credits.ok_or(ErrorKind::StoreConflict)?;
            let before = credits;
            let lease = credits.lease(need, want, now);
            if credits != before {
                set_credits(transaction, id, Some(&credits))?;
            }
            Ok(lease)
        })
    }

    fn return_credits(&self, id: &str, set_in: u64, amount: u64) -> Result<()> {
        self.transact(Kind::GoesOn, |transaction| {
            let credits = credits(transaction, id)?.filter(|credits| credits.set_in == set_in);
            let Some(mut credits) = credits else { return Ok(()) };
            credits.give_back(amount);
            set_credits(transaction, id, Some(&credits))
        })
    }

    fn record_usage(&self, batch: &[Usage]) -> Result<()> {
        const UPSERT: &str = "INSERT INTO usage (key_id, last_used_at, uses) \
             SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM key WHERE id = ?1) \
             ON CONFLICT (key_id) DO UPDATE SET uses = uses + excluded.uses, \
             last_used_at = max(last_used_at, excluded.last_used_at)";
        for chunk in batch.chunks(USAGE_BATCH) {
            let count = |connection: &mut Connection, _: &Marked| {
                // What a power cut takes of it is made up for by the next use.
                connection.pragma_update(None, "synchronous", "NORMAL").map_err(fault)?;
                let done = in_transaction(connection, |transaction| {
                    let mut upsert = transaction.prepare_cached(UPSERT).map_err(fault)?;
                    for usage in chunk {
                        let mut put = || {
                            let last = rows::signed(usage.last_used_at)?;
                            upsert.execute(params![usage.id, last, rows::signed(usage.uses)?])
                        };
                        put().map_err(fault)?;
                    }
                    Ok(())
                });
                connection.pragma_update(None, "synchronous", "FULL").map_err(fault)?;
                done
            };
            self.0.writing(count, |(), _| Ok(()))?;
        }
        Ok(())
    }

    fn pepper_checks(&self) -> Result<Vec<PepperCheck>> {
        self.read(|reader| {
            let mut select =
                reader.prepare_cached("SELECT * FROM pepper ORDER BY pepper").map_err(fault)?;
            let check = |row: &rusqlite::Row<'_>| {
                // No pepper has a number that cannot be read.
                Ok(row.get("pepper").ok().map(|pepper| PepperCheck {
                    pepper,
                    check: row.get("fingerprint").unwrap_or_default(),
                    since: rows::unsigned(row, "since").unwrap_or_default(),
                }))
            };
            let found = select.query_map([], check).map_err(fault)?;
            found
                .filter_map(rusqlite::Result::transpose)
                .collect::<rusqlite::Result<_>>()
                .map_err(fault)
        })
    }

    fn add_pepper_check(&self, check: &PepperCheck) -> Result<()> {
        self.transact(Kind::GoesOn, |transaction| {
            let since = rows::signed(check.since).map_err(fault)?;
            transaction
                .execute(
                    "INSERT OR IGNORE INTO pepper (pepper, fingerprint, since) VALUES (?, ?, ?)",
                    params![check.pepper, &check.check[..], since],
                )
                .map_err(fault)
                .map(drop)
        })
    }

    fn close(&self) -> Result<()> {
        self.0.close()
    }
}

fn where_all(conditions: &[&str]) -> String {
    if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    }
}

fn last_seq(connection: &Connection) -> Result<u64> {
    let last: Option<i64> =
        connection.query_row("SELECT max(seq) FROM audit", [], |row| row.get(0)).map_err(fault)?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
}

/// A key as a row says; one that cannot be read is told by its id.
fn loaded(row: &rusqlite::Row<'_>) -> rusqlite::Result<Loaded> {
    match rows::key(row) {
        Ok(key) => Ok(Loaded::Key(Box::new(key))),
        Err(_) => Ok(Loaded::Corrupt(rows::name(row, "id")?)),
    }
}

fn one(connection: &Connection, id: &str) -> Result<Option<Loaded>> {
    let sql = format!("{} WHERE id = ?", rows::SELECT);
    let mut select = connection.prepare_cached(&sql).map_err(fault)?;
    let mut found = select.query([id]).map_err(fault)?;
    found.next().map_err(fault)?.map(loaded).transpose().map_err(fault)
}

fn changes(snapshot: &Transaction<'_>, after: u64, limit: usize) -> Result<Changes> {
    let after_signed = i64::try_from(after).unwrap_or(i64::MAX);
    let last = last_seq(snapshot)?;
    if last < after {
        // Another file under the same name, or one from a backup.
        return Ok(Changes { seq: last, reload: true, ..Changes::default() });
    }
    let mut select = snapshot
        .prepare_cached("SELECT seq, key_id FROM audit WHERE seq > ? ORDER BY seq LIMIT ?")
        .map_err(fault)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = select
        .query_map(params![after_signed, limit], |row| {
            Ok((rows::unsigned(row, "seq")?, row.get::<_, String>("key_id").ok()))
        })
        .map_err(fault)?;
    let mut out = Changes { seq: after, ..Changes::default() };
    let mut seen = HashSet::new();
    for row in found {
        let (seq, id) = row.map_err(fault)?;
        let Some(id) = id else {
            // Of which key nobody knows: all are read again.
            return Ok(Changes { seq: last, reload: true, ..Changes::default() });
        };
        out.seq = seq;
        if !seen.contains(&id) {
            out.keys.push(one(snapshot, &id)?.unwrap_or_else(|| Loaded::Removed(id.clone())));
            seen.insert(id);
        }
    }
    out.more = out.seq < last;
    Ok(out)
}

/// Does the change; the id of its key.
fn apply<'a>(transaction: &Transaction<'_>, change: &'a Change) -> Result<&'a str> {
    let conflict = || Err(Error::from(ErrorKind::StoreConflict));
    match change {
        Change::Insert(key) => {
            let mut insert = transaction.prepare_cached(rows::INSERT).map_err(fault)?;
            rows::put(&mut insert, key).map_err(fault)?;
            set_credits(transaction, &key.record.id, key.record.credits.as_ref())?;
            Ok(&key.record.id)
        }
        Change::Update { key, set_credits: credits_too } => {
            let mut update = transaction.prepare_cached(rows::UPDATE).map_err(fault)?;
            if rows::put(&mut update, key).map_err(fault)? != 1 {
                return conflict();
            }
            if *credits_too {
                set_credits(transaction, &key.record.id, key.record.credits.as_ref())?;
            }
            Ok(&key.record.id)
        }
        Change::Delete { id, version } => {
            let version = rows::signed(*version).map_err(fault)?;
            let deleted = transaction
                .execute("DELETE FROM key WHERE id = ? AND version = ?", params![id, version])
                .map_err(fault)?;
            if deleted != 1 {
                return conflict();
            }
            set_credits(transaction, id, None)?;
            transaction.execute("DELETE FROM usage WHERE key_id = ?", [id]).map_err(fault)?;
            Ok(id)
        }
    }
}

fn credits(transaction: &Transaction<'_>, id: &str) -> Result<Option<super::Credits>> {
    let mut select =
        transaction.prepare_cached("SELECT * FROM credit WHERE key_id = ?").map_err(fault)?;
    select.query_row([id], rows::credits).optional().map(Option::flatten).map_err(fault)
}

fn set_credits(
    transaction: &Transaction<'_>,
    id: &str,
    credits: Option<&super::Credits>,
) -> Result<()> {
    let done = match credits {
        None => transaction.execute("DELETE FROM credit WHERE key_id = ?", [id]),
        Some(credits) => {
            let values = || {
                Ok::<_, rusqlite::Error>([
                    rows::signed(credits.remaining)?,
                    rows::signed(credits.limit)?,
                    rows::signed(credits.refill)?,
                    i64::from(credits.every),
                    rows::signed(credits.refilled_at)?,
                    rows::signed(credits.set_in)?,
                ])
            };
            let [remaining, most, refill, every, refilled_at, set_in] = values().map_err(fault)?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO credit VALUES (?, ?, ?, ?, ?, ?, ?)")
                .and_then(|mut put| {
                    put.execute(params![id, remaining, most, refill, every, refilled_at, set_in])
                })
        }
    };
    done.map_err(fault).map(drop)
}

/// As [`fault`]; of a value that cannot be read, `unreadable` says in which table it stands.
fn fault_in(unreadable: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| match error.sqlite_error_code() {
        Some(_) => fault(error),
        None => Error::new(ErrorKind::StoreCorrupt, unreadable),
    }
}

/// What SQLite says, as what it means to the caller.
#[cold]
fn fault(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    let (kind, message) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            ErrorKind::StoreFull,
            "The disk of the store is full; make room and try again. If it is not, someone has given a row of the \
             table `audit`, `session_event` or `revocation` the largest number there is; take it away.",
        ),
        Some(ErrorCode::ReadOnly) => (
            ErrorKind::StoreReadOnly,
            "The store is read-only; give this process the right to write the file and its folder.",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            ErrorKind::StoreCorrupt,
            "The file of the store is damaged or no SQLite database; restore it from a backup.",
        ),
        Some(ErrorCode::ConstraintViolation) => {
            (ErrorKind::StoreConflict, ErrorKind::StoreConflict.summary())
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::StoreUnavailable,
            "Another process holds the store for too long; try again.",
        ),
        Some(ErrorCode::SystemIoFailure) if is_out_of_space(&error) => {
            (ErrorKind::StoreFull, "The disk of the store is full; make room and try again.")
        }
        Some(ErrorCode::CannotOpen) => (
            ErrorKind::StoreUnavailable,
            "The file of the store cannot be opened; see that it and its folder are there.",
        ),
        Some(_) => (
            ErrorKind::StoreUnavailable,
            "The file of the store cannot be read or written just now.",
        ),
        None => (ErrorKind::StoreCorrupt, "A row of the store holds what it should not."),
    };
    Error::new(kind, message)
}

/// A write that failed, with SQLite's extended code SQLITE_IOERR_WRITE, as a file-size limit does.
fn is_out_of_space(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == 778)
}
