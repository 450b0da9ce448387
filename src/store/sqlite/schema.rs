//! The tables, version by version. A file says its version in `user_version` and that it is ours in
//! `application_id`; it is brought forward one step at a time, each step with its new number in one
//! transaction. A released step is never edited.

use super::create::Stopped;
use super::fault;
use crate::error::{Error, ErrorKind, Result};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::BTreeSet;

/// The first SQLite in which a checkpoint does not lose what another connection commits at that
/// moment ("The WAL Reset Bug", sqlite.org/wal.html). A lost commit here is a lost revocation.
const SQLITE_AT_LEAST: i32 = 3_051_003;
const _: () = assert!(
    rusqlite::ffi::SQLITE_VERSION_NUMBER >= SQLITE_AT_LEAST,
    "the lock file brings a SQLite before 3.51.3, which can lose commits"
);

/// Refuses to run on a SQLite that another library of the program has brought, if that is too old.
pub(super) fn check_sqlite() -> Result<()> {
    if rusqlite::version_number() < SQLITE_AT_LEAST {
        return Err(Error::new(
            ErrorKind::StoreUnavailable,
            "This program links a SQLite older than 3.51.3 before gatekey's own, which can lose changes; link gatekey first.",
        ));
    }
    Ok(())
}

/// "gkey".
const APPLICATION: i32 = 0x676b_6579;

/// The step to each version from the previous one.
const STEPS: [&str; 3] = [
    // 1
    "CREATE TABLE key (
        id TEXT PRIMARY KEY NOT NULL, prefix TEXT NOT NULL, env TEXT NOT NULL, tenant TEXT NOT NULL,
        owner TEXT NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL, cidrs TEXT NOT NULL,
        status TEXT NOT NULL, revoked_at INTEGER, reason TEXT NOT NULL,
        not_before INTEGER, expires_at INTEGER, rate_burst INTEGER, rate_period INTEGER,
        meta TEXT NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
        rotated_at INTEGER, overlap_until INTEGER, version INTEGER NOT NULL,
        proof TEXT NOT NULL, mac BLOB NOT NULL,
        previous TEXT, previous_mac BLOB, previous_until INTEGER,
        lookup_pepper INTEGER, lookup_tag BLOB UNIQUE,
        seal BLOB NOT NULL, seal_pepper INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX key_owner ON key (owner);
    CREATE INDEX key_tenant ON key (tenant);
    CREATE TABLE credit (
        key_id TEXT PRIMARY KEY NOT NULL, remaining INTEGER NOT NULL, most INTEGER NOT NULL,
        refill INTEGER NOT NULL, every INTEGER NOT NULL, refilled_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE usage (
        key_id TEXT PRIMARY KEY NOT NULL, last_used_at INTEGER NOT NULL, uses INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, actor TEXT NOT NULL,
        action TEXT NOT NULL, key_id TEXT NOT NULL, detail TEXT NOT NULL
    );
    CREATE INDEX audit_key ON audit (key_id, seq);
    CREATE TABLE pepper (
        pepper INTEGER PRIMARY KEY NOT NULL, fingerprint BLOB NOT NULL, since INTEGER NOT NULL
    );",
    // 2
    "CREATE TABLE session (
        family TEXT PRIMARY KEY NOT NULL, subject TEXT NOT NULL, client TEXT NOT NULL,
        meta TEXT NOT NULL, created_at INTEGER NOT NULL, last_seen_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL, absolute_expires_at INTEGER NOT NULL,
        refreshes INTEGER NOT NULL, ended_at INTEGER, end TEXT, counter INTEGER NOT NULL,
        seed BLOB NOT NULL, pepper INTEGER NOT NULL, access_ttl INTEGER NOT NULL,
        claims TEXT NOT NULL, version INTEGER NOT NULL, seal BLOB NOT NULL,
        seal_pepper INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX session_subject ON session (subject);
    CREATE TABLE session_event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, family TEXT NOT NULL,
        subject TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL
    );
    CREATE INDEX session_event_family ON session_event (family, seq);
    CREATE INDEX session_event_subject ON session_event (subject, seq);
    CREATE TABLE revocation (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, issuer TEXT NOT NULL,
        value TEXT NOT NULL, before INTEGER NOT NULL, until INTEGER NOT NULL, at INTEGER NOT NULL,
        UNIQUE (kind, issuer, value)
    );
    CREATE INDEX revocation_until ON revocation (until);
    CREATE TABLE horizon (of TEXT PRIMARY KEY NOT NULL, until INTEGER NOT NULL);
    CREATE TABLE seen_token (
        issuer TEXT NOT NULL, token_id TEXT NOT NULL, until INTEGER NOT NULL,
        UNIQUE (issuer, token_id)
    );
    CREATE INDEX seen_token_until ON seen_token (until);
    CREATE TABLE key_ring (
        name TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, pepper INTEGER NOT NULL,
        text BLOB NOT NULL
    ) WITHOUT ROWID;",
    // 3: one row: the store's name, the number of its changes, whether a mark follows it; of
    // credits, the version of the key in which they were set; of a session, what the grace needs to
    // know; of forgotten revocations, when the tokens they meant were issued, by the largest leeway
    "CREATE TABLE store (id BLOB, seq INTEGER NOT NULL, marked INTEGER NOT NULL);
    INSERT INTO store (id, seq, marked) VALUES (NULL, 0, 0);
    ALTER TABLE credit ADD COLUMN set_in INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE session ADD COLUMN previous_pepper INTEGER;
    ALTER TABLE session ADD COLUMN last_seen_ms INTEGER NOT NULL DEFAULT 0;
    INSERT INTO horizon (of, until)
        SELECT 'issued', max(0, min(until, CAST(strftime('%s', 'now') AS INTEGER)) - 600)
        FROM horizon WHERE of = 'revocation';
    DELETE FROM horizon WHERE of = 'revocation';",
];

/// The newest version.
pub(super) const NEWEST: u64 = STEPS.len() as u64;

/// Brings the file to the newest version, if it is ours or empty: all steps in one transaction.
pub(super) fn migrate(connection: &mut Connection, read_only: bool) -> Answer<()> {
    if look(&connection.unchecked_transaction()?)? == STEPS.len() {
        return Ok(());
    }
    if read_only {
        return Err(Stopped::Ours(Error::new(
            ErrorKind::StoreReadOnly,
            "The store is new or of an older version and cannot be written to; open it once where it can.",
        )));
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    for step in STEPS.iter().skip(look(&transaction)?) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    Ok(transaction.commit()?)
}

/// Refuses a file that is not ours, or of a newer version.
/// What must not be new is refused as well if it is.
pub(super) fn check_owner(connection: &Connection, may_be_new: bool) -> Answer<()> {
    if look(&connection.unchecked_transaction()?)? == 0 && !may_be_new {
        return Err(Stopped::Ours(Error::new(
            ErrorKind::StoreCorrupt,
            "An empty file stands where the store was; put the store back.",
        )));
    }
    Ok(())
}

/// Whether there is nothing in the file yet.
pub(super) fn is_new(connection: &Connection) -> Answer<bool> {
    Ok(look(&connection.unchecked_transaction()?)? == 0)
}

/// Refuses a file that has a WAL, which is not there, and nothing but that: a copy of the main file
/// alone, of a store that gatekey made before it had marks.
pub(super) fn check_whole(connection: &Connection) -> Answer<()> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode == "wal" && is_new(connection)? {
        return Err(Stopped::Ours(Error::new(
            ErrorKind::StoreCorrupt,
            "The file is a copy of a store without its WAL (<store>-wal), and empty; use `gatekey store backup`.",
        )));
    }
    Ok(())
}

/// Refuses to continue with a file that a newer version has migrated since it was opened: what is
/// read or written under the previous tables would mean something else.
pub(super) fn check_version(connection: &Connection) -> Result<()> {
    let mut select = connection.prepare_cached("PRAGMA user_version").map_err(fault)?;
    let version: i64 = select.query_row([], |row| row.get(0)).map_err(fault)?;
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => Ok(()),
        _ => Err(NEWER),
    }
}

/// Holds the tables and their columns against those that this version makes.
///
/// # Errors
/// `StoreCorrupt`, with the name of what is missing.
pub(super) fn check_tables(connection: &Connection) -> Result<()> {
    const MISSING: Error = Error::new(
        ErrorKind::StoreCorrupt,
        "A table of the store, or a column of one, is missing; restore it from a backup.",
    );
    let own = Connection::open_in_memory().map_err(fault)?;
    own.execute_batch(&STEPS.concat()).map_err(fault)?;
    let there = columns(connection)?;
    match columns(&own)?.into_iter().find(|column| !there.contains(column)) {
        Some((table, column)) => {
            let name = format!("{table}.{column}");
            Err(MISSING.about_named_claim(&name.as_str().into()))
        }
        None => Ok(()),
    }
}

/// Each column, with its table.
fn columns(connection: &Connection) -> Result<BTreeSet<(String, String)>> {
    const EACH: &str = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c \
                        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let mut each = connection.prepare(EACH).map_err(fault)?;
    let columns = each.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(fault)?;
    columns.collect::<rusqlite::Result<_>>().map_err(fault)
}

type Answer<T> = std::result::Result<T, Stopped>;

/// The version as a number of steps; all of it seen at one moment, or a file that another process
/// is just making looks like something else's.
fn look(transaction: &Transaction<'_>) -> Answer<usize> {
    let number = |sql| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let is_empty = || Ok::<_, Stopped>(number("SELECT count(*) FROM sqlite_schema")? == 0);
    if application != i64::from(APPLICATION) && (application != 0 || version != 0 || !is_empty()?) {
        return Err(Stopped::Ours(Error::new(
            ErrorKind::StoreCorrupt,
            "The file is a SQLite database of something else; give the store a path of its own.",
        )));
    }
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => Ok(version),
        _ => Err(Stopped::Ours(NEWER)),
    }
}

const NEWER: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "A newer version of gatekey has changed the form of this store; update this program, or restore the backup from before.",
);
