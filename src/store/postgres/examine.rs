//! What can be said about a server without changing anything: for `gatekey doctor`.

use super::pool::Pool;
use super::transaction::{Access, Transaction};
use super::values::Value;
use super::wire::Fault;
use super::{PostgresStore, fault, schema};
use crate::base::clock::{Clock as _, SystemClock};
use crate::error::Result;
use crate::store::{PostgresUrl, ServerFacts};
use std::time::{Duration, Instant};

/// Settings that matter to a store, or that explain what it does.
const SETTINGS: [&str; 4] =
    ["fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names"];

/// The tables that are read.
const TABLES: [&str; 14] = [
    "store",
    "key",
    "credit",
    "usage",
    "audit",
    "pepper",
    "session",
    "session_event",
    "revocation",
    "horizon",
    "seen_token",
    "key_ring",
    "feed",
    "change",
];

/// What changes take, as docs/many-machines.md grants it.
const CHANGES: [(&str, &[&str]); 13] = [
    ("INSERT", &["audit", "pepper", "change", "session_event"]),
    ("DELETE", &["change", "session_event"]),
    ("UPDATE", &["feed"]),
    ("INSERT", &["key", "credit", "usage", "session"]),
    ("UPDATE", &["key", "credit", "usage", "session"]),
    ("DELETE", &["key", "credit", "usage", "session"]),
    ("INSERT", &["revocation", "horizon"]),
    ("UPDATE", &["revocation", "horizon"]),
    ("DELETE", &["revocation"]),
    ("INSERT", &["seen_token", "key_ring"]),
    ("UPDATE", &["key_ring"]),
    ("DELETE", &["seen_token"]),
    ("SELECT", &TABLES),
];

/// How long a notification may take.
const PATIENCE: Duration = Duration::from_secs(2);

impl PostgresStore {
    /// Looks at a server, and at the store on it if there is one.
    pub(crate) fn examine(url: &PostgresUrl) -> Result<ServerFacts> {
        let store = Self::new(url);
        let mut facts = store.pool.read(Access::Read, ask)?;
        facts.hears = hears(&store.pool).map_err(fault);
        Ok(facts)
    }
}

fn ask(transaction: &mut Transaction<'_>) -> Result<ServerFacts, Fault> {
    let version = schema::version(transaction)?;
    let before = SystemClock.now_nanos();
    let rows = transaction.query(
        "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS int8) AS now, \
         current_setting('server_version') AS version, \
         CAST(current_setting('server_version_num') AS int8) AS number, \
         CAST(current_user AS text) AS role, current_setting('is_superuser') = 'on' AS super, \
         (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid()) AS connections, \
         CAST(current_setting('max_connections') AS int8) AS most, \
         (SELECT count(*) FROM pg_stat_replication) AS standbys, \
         (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS synchronous",
        &[],
    )?;
    let after = SystemClock.now_nanos();
    let row = rows.first().ok_or(Fault::Garbled)?;
    let between = i64::try_from((before / 2 + after / 2) / 1_000_000).unwrap_or(i64::MAX);
    let mut facts = ServerFacts {
        version: row.get("version")?,
        version_number: row.get("number")?,
        tables: (version.map(|version| version as u64), schema::NEWEST as u64),
        role: (row.get("role")?, row.get("super")?),
        ahead_ms: row.get::<i64>("now")?.saturating_sub(between),
        round_trip_ms: after.saturating_sub(before) / 1_000_000,
        missing_to_read: Vec::new(),
        missing_to_write: Vec::new(),
        hears: Ok(false),
        settings: settings(transaction)?,
        standbys: (row.get("standbys")?, row.get("synchronous")?),
        connections: (row.get("connections")?, row.get("most")?),
        api_keys: 0,
        sessions: 0,
    };
    if version.is_none() {
        return Ok(facts);
    }
    for (right, tables) in CHANGES {
        let missing = missing(transaction, right, tables)?;
        let list = if right == "SELECT" {
            &mut facts.missing_to_read
        } else {
            &mut facts.missing_to_write
        };
        list.extend(missing);
    }
    if facts.missing_to_read.is_empty() {
        let rows = transaction.query(
            "SELECT (SELECT count(*) FROM @key) AS keys, (SELECT count(*) FROM @session) AS sessions",
            &[],
        )?;
        let row = rows.first().ok_or(Fault::Garbled)?;
        (facts.api_keys, facts.sessions) = (row.get("keys")?, row.get("sessions")?);
    }
    Ok(facts)
}

fn settings(transaction: &mut Transaction<'_>) -> Result<Vec<(String, String)>, Fault> {
    let names = Value::Texts(SETTINGS.iter().map(|name| (*name).to_owned()).collect());
    // Of the server: this transaction has some of its own.
    let rows = transaction.query(
        "SELECT s.name, coalesce(s.reset_val, '') AS value FROM pg_catalog.pg_settings AS s \
         WHERE s.name = ANY ($1) ORDER BY s.name",
        &[names],
    )?;
    rows.iter().map(|row| Ok((row.get("name")?, row.get("value")?))).collect()
}

/// The tables that this role may not use so.
fn missing(
    transaction: &mut Transaction<'_>,
    right: &str,
    tables: &[&str],
) -> Result<Vec<String>, Fault> {
    let prefix = transaction.prefix().to_owned();
    let rows = transaction.query(
        "SELECT t.name FROM unnest($1) AS t (name) \
         WHERE NOT coalesce(has_table_privilege(to_regclass($2 || t.name), $3), false) ORDER BY t.name",
        &[
            Value::Texts(tables.iter().map(|table| (*table).to_owned()).collect()),
            prefix.into(),
            right.into(),
        ],
    )?;
    rows.iter().map(|row| Ok(format!("{right} on {}", row.get::<String>("name")?))).collect()
}

/// Whether a notification that is sent where changes are made arrives where they are listened for.
fn hears(pool: &Pool) -> Result<bool, Fault> {
    let channel = format!("gatekey_doctor_{}", SystemClock.now_nanos());
    let mut ear = pool.connect_to_listen()?;
    ear.queue(&format!("LISTEN \"{channel}\""), &[])?;
    ear.settle()?;
    let mut mouth = pool.connect_to_change()?;
    mouth.queue("SELECT pg_catalog.pg_notify($1, '')", &[channel.into()])?;
    mouth.settle()?;
    let until = Instant::now() + PATIENCE;
    let mut is_heard = ear.take_notified();
    while !is_heard && Instant::now() < until {
        ear.wait(Duration::from_millis(50))?;
        is_heard = ear.take_notified();
    }
    mouth.end();
    ear.end();
    Ok(is_heard)
}
