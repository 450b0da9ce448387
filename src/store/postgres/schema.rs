//! The tables, version by version, in a schema of their own: those of the SQLite store, and the
//! feed. The table `store` says the version; it is locked while a step is made, and each step is
//! one transaction with its new number. A released step is never edited.

use super::transaction::Transaction;
use super::values::Value;
use super::wire::Fault;
use crate::base::random::SecureRandom as _;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result as Answer};

/// The step to each version from the previous one.
const STEPS: [&str; 1] = [
    // 1
    "CREATE TABLE @key (
        id text COLLATE \"C\" PRIMARY KEY, prefix text NOT NULL, env text NOT NULL,
        tenant text COLLATE \"C\" NOT NULL, owner text COLLATE \"C\" NOT NULL, name text NOT NULL,
        scopes text NOT NULL, cidrs text NOT NULL, status text NOT NULL, revoked_at int8,
        reason text NOT NULL, not_before int8, expires_at int8, rate_burst int8, rate_period int8,
        meta text NOT NULL, created_at int8 NOT NULL, created_by text NOT NULL,
        rotated_at int8, overlap_until int8, version int8 NOT NULL,
        proof text NOT NULL, mac bytea NOT NULL,
        previous text, previous_mac bytea, previous_until int8,
        lookup_pepper int8, lookup_tag bytea UNIQUE,
        seal bytea NOT NULL, seal_pepper int8 NOT NULL);
    CREATE INDEX ON @key (owner);
    CREATE INDEX ON @key (tenant);
    CREATE TABLE @credit (
        key_id text COLLATE \"C\" PRIMARY KEY, remaining int8 NOT NULL, most int8 NOT NULL,
        refill int8 NOT NULL, every int8 NOT NULL, refilled_at int8 NOT NULL, set_in int8 NOT NULL);
    CREATE TABLE @usage (
        key_id text COLLATE \"C\" PRIMARY KEY, last_used_at int8 NOT NULL, uses int8 NOT NULL);
    CREATE TABLE @audit (
        seq int8 PRIMARY KEY, at int8 NOT NULL, actor text NOT NULL, action text NOT NULL,
        key_id text COLLATE \"C\" NOT NULL, detail text NOT NULL);
    CREATE INDEX ON @audit (key_id, seq);
    CREATE TABLE @pepper (
        pepper int8 PRIMARY KEY, fingerprint bytea NOT NULL, since int8 NOT NULL);
    CREATE TABLE @session (
        family text COLLATE \"C\" PRIMARY KEY, subject text COLLATE \"C\" NOT NULL, client text NOT NULL,
        meta text NOT NULL, created_at int8 NOT NULL, last_seen_at int8 NOT NULL,
        expires_at int8 NOT NULL, absolute_expires_at int8 NOT NULL, refreshes int8 NOT NULL,
        ended_at int8, \"end\" text, counter int8 NOT NULL, seed bytea NOT NULL,
        pepper int8 NOT NULL, access_ttl int8 NOT NULL, claims text NOT NULL,
        version int8 NOT NULL, seal bytea NOT NULL, seal_pepper int8 NOT NULL,
        previous_pepper int8, last_seen_ms int8 NOT NULL);
    CREATE INDEX ON @session (subject);
    CREATE INDEX ON @session (expires_at);
    CREATE TABLE @session_event (
        seq int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at int8 NOT NULL,
        family text COLLATE \"C\" NOT NULL, subject text COLLATE \"C\" NOT NULL,
        action text NOT NULL, detail text NOT NULL);
    CREATE INDEX ON @session_event (family, seq);
    CREATE INDEX ON @session_event (subject, seq);
    CREATE INDEX ON @session_event (at);
    CREATE TABLE @revocation (
        seq int8 UNIQUE NOT NULL, kind int8 NOT NULL, issuer text COLLATE \"C\" NOT NULL,
        value text COLLATE \"C\" NOT NULL, before int8 NOT NULL, until int8 NOT NULL,
        at int8 NOT NULL, PRIMARY KEY (kind, issuer, value));
    CREATE INDEX ON @revocation (until);
    CREATE TABLE @horizon (\"of\" text COLLATE \"C\" PRIMARY KEY, until int8 NOT NULL);
    CREATE TABLE @seen_token (
        issuer text COLLATE \"C\" NOT NULL, token_id text COLLATE \"C\" NOT NULL, until int8 NOT NULL,
        PRIMARY KEY (issuer, token_id));
    CREATE INDEX ON @seen_token (until);
    CREATE TABLE @key_ring (
        name text COLLATE \"C\" PRIMARY KEY, version int8 NOT NULL, pepper int8 NOT NULL,
        text bytea NOT NULL);
    CREATE TABLE @feed (
        number int8 NOT NULL, hash bytea NOT NULL, audit int8 NOT NULL, revocation int8 NOT NULL);
    CREATE TABLE @change (number int8 PRIMARY KEY, content bytea NOT NULL, hash bytea NOT NULL);
    INSERT INTO @feed (number, hash, audit, revocation)
        SELECT 0, pg_catalog.sha256(s.id), 0, 0 FROM @store AS s",
];

/// The newest version.
pub(super) const NEWEST: usize = STEPS.len();

/// The version of the tables; none if there are none.
pub(super) fn version(transaction: &mut Transaction<'_>) -> Result<Option<usize>, Fault> {
    let name = Value::from(format!("{}store", transaction.prefix()));
    let rows = transaction.query(
        "SELECT pg_catalog.to_regclass($1) IS NOT NULL AS is_there",
        std::slice::from_ref(&name),
    )?;
    if !rows.first().ok_or(Fault::Garbled)?.get::<bool>("is_there")? {
        return Ok(None);
    }
    let rows =
        transaction.query("SELECT version FROM @store", &[]).map_err(|fault| match fault {
            Fault::Refused(code) if code == *b"42703" => FOREIGN.into(),
            other => other,
        })?;
    let [row] = &*rows else { return Err(FOREIGN.into()) };
    let version: i64 = row.get("version").map_err(|_| FOREIGN)?;
    check_version(version)?;
    usize::try_from(version).map(Some).map_err(|_| FOREIGN.into())
}

/// Refuses tables that a newer version has changed.
pub(super) fn check_version(version: i64) -> Answer<()> {
    if usize::try_from(version).is_ok_and(|version| version <= NEWEST) {
        Ok(())
    } else {
        Err(NEWER)
    }
}

/// Brings the tables to the newest version.
pub(super) fn migrate(transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    if version(transaction)?.is_none() {
        let schema = transaction.prefix().trim_matches(['"', '.']).to_owned();
        let rows = transaction.query(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = $1) AS is_there",
            &[Value::from(&schema)],
        )?;
        if !rows.first().ok_or(Fault::Garbled)?.get::<bool>("is_there")? {
            // The name is plain: see `PostgresUrl`.
            transaction.run(&format!("CREATE SCHEMA \"{schema}\""), &[])?;
        }
        let mut id = [0; 16];
        SystemRandom.fill(&mut id)?;
        transaction.run("CREATE TABLE @store (id bytea NOT NULL, version int8 NOT NULL)", &[])?;
        transaction
            .run("INSERT INTO @store (id, version) VALUES ($1, 0)", &[Value::from(&id[..])])?;
    }
    // One process at a time; others read on.
    transaction.run("LOCK TABLE @store IN SHARE ROW EXCLUSIVE MODE", &[])?;
    let version = version(transaction)?.ok_or(FOREIGN)?;
    for step in STEPS.iter().skip(version) {
        for statement in step.split(';') {
            transaction.later(statement, &[])?;
        }
    }
    let newest = i64::try_from(NEWEST).unwrap_or(i64::MAX);
    transaction.later("UPDATE @store SET version = $1", &[Value::from(newest)])?;
    Ok(())
}

const NEWER: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "A newer version of gatekey has changed the form of this store; update this program, or restore the backup from before.",
);
const FOREIGN: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The schema holds a table `store` of something else; give gatekey a schema of its own: schema=NAME in the URL.",
);
