//! Names, URLs, rights and settings: what others plant or set changes nothing, and each refusal says
//! what to do and never a password.

use super::{Place, Server, open, refused};
use gatekey::apikey::{ApiKeyOptions, KeySpec};
use gatekey::open::StoreOptions;
use gatekey::store::{ApiKeyStore as _, RevocationStore as _, SessionStore as _};
use gatekey::store::{Backend as _, PostgresStore, PostgresUrl, Revocation, RevocationKind};
use gatekey::{ErrorKind, Peppers, Secret, Store};

fn try_open(url: &str) -> Result<PostgresStore, gatekey::Error> {
    PostgresStore::open(&url.parse::<PostgresUrl>()?)
}

fn schema(url: &str) -> &str {
    url.rsplit('=').next().unwrap()
}

#[test]
fn a_url_opens_everything() {
    let Some(server) = Server::shared("a_url_opens_everything") else { return };
    let url = server.url();
    refused(Store::open(&url), ErrorKind::InvalidConfiguration, "name the same pepper");
    let peppers = || Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap();
    let options = || StoreOptions::new().pepper(peppers());
    let store = Store::open_with(&url, options()).unwrap();
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    keys.create(&KeySpec::new("acme")).unwrap();
    store.sessions(None, gatekey::session::SessionOptions::new()).unwrap();
    store.revocations(gatekey::revocations::RevocationOptions::new()).unwrap();
    store.key_ring("", gatekey::keyring::KeyRingOptions::new()).unwrap();
    let shown = format!("{store:?} {}", store.url());
    assert!(shown.contains("postgresql://postgres@127.0.0.1") && !shown.contains("Zx9"), "{shown}");
    store.close().unwrap();
    let other = Peppers::new(&[(1, Secret::new(vec![8; 32]))]).unwrap();
    let wrong = Store::open_with(&url, StoreOptions::new().pepper(other));
    refused(wrong, ErrorKind::WrongPepper, "");
    Store::open_with(&url, options()).unwrap();
    // By the Unix socket as well.
    let unix = format!(
        "postgresql://postgres:Zx9%21kQ%407@/postgres?host={}&port={}&schema={}",
        server.sockets.replace('/', "%2F"),
        server.port,
        schema(&url)
    );
    Store::open_with(&unix, options()).unwrap();
}

#[test]
fn refusals_say_what_to_do() {
    let Some(server) = Server::shared("refusals_say_what_to_do") else { return };
    let port = server.port;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = free.local_addr().unwrap().port();
    for (url, words) in [
        (
            format!("postgresql://postgres:wrong@127.0.0.1:{port}/postgres"),
            "does not let this user in",
        ),
        (format!("postgresql://nobody:Zx9@127.0.0.1:{port}/postgres"), "does not let this user in"),
        (format!("postgresql://postgres@127.0.0.1:{port}/postgres?passfile=%2Fnone"), "`passfile`"),
        (format!("postgresql://postgres:Zx9%21kQ%407@127.0.0.1:{port}/none"), "no database"),
        ("postgresql://postgres:Zx9%21kQ%407@127.0.0.1:1/postgres".to_owned(), "cannot be reached"),
        (
            format!("postgresql://postgres:Zx9%21kQ%407@127.0.0.1:{silent}/a?connect_timeout=1"),
            "does not answer",
        ),
        (
            format!(
                "postgresql://postgres:Zx9%21kQ%407@127.0.0.1:{port}/postgres?sslmode=verify-full"
            ),
            "speaks no TLS",
        ),
    ] {
        refused(try_open(&url), ErrorKind::StoreUnavailable, words);
    }
}

/// Each name that a statement could find elsewhere is planted where it would be found first.
#[test]
fn planted_names_are_not_found() {
    for place in Place::each("planted_names_are_not_found") {
        planted(place.server, &place.url());
    }
}

fn planted(server: &Server, url: &str) {
    drop(open(url));
    let (own, evil) = (schema(url), format!("{}_evil", schema(url)));
    server.sql(&format!("CREATE ROLE {evil} LOGIN PASSWORD 'Zx9!kQ@7'"));
    server.sql(&format!("GRANT ALL ON SCHEMA {own} TO {evil}"));
    server.sql(&format!("GRANT ALL ON ALL TABLES IN SCHEMA {own} TO {evil}"));
    server.sql(&format!("CREATE SCHEMA {evil}"));
    for name in ["key", "revocation", "feed", "store", "change"] {
        server.sql(&format!("CREATE TABLE {evil}.{name} (trap int)"));
    }
    for (name, types) in [
        ("int8send", "int8"),
        ("sha256", "bytea"),
        ("set_config", "text, text, boolean"),
        ("pg_notify", "text, text"),
        ("pg_is_in_recovery", ""),
    ] {
        server.sql(&format!(
            "CREATE FUNCTION {evil}.{name} ({types}) RETURNS text LANGUAGE plpgsql AS \
             'BEGIN RAISE EXCEPTION ''trap''; END'"
        ));
    }
    server.sql(&format!(
        "CREATE FUNCTION {evil}.trap (int8, int8) RETURNS boolean LANGUAGE plpgsql AS \
         'BEGIN RAISE EXCEPTION ''trap''; END'"
    ));
    server.sql(&format!(
        "CREATE OPERATOR {evil}.> (LEFTARG = int8, RIGHTARG = int8, FUNCTION = {evil}.trap)"
    ));
    for setting in [
        format!("search_path = {evil}, {own}, pg_catalog"),
        "standard_conforming_strings = off".to_owned(),
        "client_encoding = 'SJIS'".to_owned(),
        "synchronous_commit = off".to_owned(),
        "statement_timeout = 0".to_owned(),
        "default_transaction_isolation = 'serializable'".to_owned(),
        "default_transaction_read_only = on".to_owned(),
    ] {
        server.sql(&format!("ALTER ROLE {evil} SET {setting}"));
    }
    let store = open(&url.replace("//postgres:", &format!("//{evil}:")));
    // Values that would mean something in a statement's text.
    for (at, value) in
        ["\\'", "'; DROP TABLE key; --", "a\0b", "\u{10FFFE}0", "表", ""].iter().enumerate()
    {
        let (kind, issuer) = (RevocationKind::Token, "i'\\\0".to_owned());
        let value = (*value).to_owned();
        let entry = Revocation { kind, issuer, value, before: 0, until: 9, at: 1 };
        store.write_revocations(std::slice::from_ref(&entry)).unwrap();
        let changes = store.revocations(at as u64, 10).unwrap();
        assert_eq!(changes.entries, [entry]);
    }
    assert_eq!(store.purge_revocations(10, 0).unwrap(), 6);
    assert_eq!(store.api_key_count().unwrap(), 0);
    store.stamp().unwrap();
}

/// The rights of docs/many-machines.md: a role that verifies, and one that also changes.
#[test]
fn two_roles_have_what_they_need() {
    let Some(server) = Server::shared("two_roles_have_what_they_need") else { return };
    let url = server.url();
    drop(open(&url));
    let own = schema(&url);
    let (reads, writes) = (format!("{own}_reads"), format!("{own}_writes"));
    let page = include_str!("../../../docs/many-machines.md");
    let granted = page.split("```sql").nth(1).unwrap().split("```").next().unwrap();
    let granted = granted.replace("gatekey_reads", &reads).replace("gatekey_writes", &writes);
    let granted = granted.replace("SCHEMA gatekey", &format!("SCHEMA {own}"));
    let granted = granted.replace("gatekey.", &format!("{own}."));
    let granted = granted.replace("'...'", "'Zx9!kQ@7'");
    for statement in granted.split(';').filter(|statement| !statement.trim().is_empty()) {
        server.sql(statement.trim());
    }
    let of = |role: &str| open(&url.replace("//postgres:", &format!("//{role}:")));
    let (reader, writer) = (of(&reads), of(&writes));
    let entry = Revocation {
        kind: RevocationKind::Session,
        issuer: String::new(),
        value: "s".to_owned(),
        before: 0,
        until: 9,
        at: 1,
    };
    let entries = std::slice::from_ref(&entry);
    refused(reader.write_revocations(entries), ErrorKind::StoreReadOnly, "docs/many-machines.md");
    writer.write_revocations(entries).unwrap();
    assert_eq!(reader.revocations(0, 10).unwrap().entries, entries);
    assert!(reader.api_key("x").unwrap().is_none());
    writer.purge_revocations(10, 0).unwrap();
    writer.remember_token("i", "t", 10, 9).unwrap();
    writer.purge_sessions(1, 1).unwrap();
    writer.record_usage(&[]).unwrap();
    // Neither may make or drop a table.
    let dropped = server.sql(&format!(
        "SELECT has_schema_privilege('{writes}', '{own}', 'CREATE'), has_table_privilege('{writes}', '{own}.audit', 'UPDATE')"
    ));
    assert_eq!(dropped, "f|f");
    // The tables are missing, and this role may not make them.
    let other = server.url().replace("//postgres:", &format!("//{writes}:"));
    refused(try_open(&other), ErrorKind::StoreReadOnly, "docs/many-machines.md");
}

#[test]
fn tables_of_a_newer_version_or_of_another_program_are_left_alone() {
    let Some(server) = Server::shared("tables_of_a_newer_version") else { return };
    let url = server.url();
    let store = open(&url);
    server.sql(&format!("UPDATE {}.store SET version = 99", schema(&url)));
    refused(try_open(&url), ErrorKind::StoreCorrupt, "newer version");
    refused(store.stamp_now(), ErrorKind::StoreCorrupt, "newer version");
    let other = server.url();
    server.sql(&format!("CREATE SCHEMA {}", schema(&other)));
    server.sql(&format!("CREATE TABLE {}.store (a int)", schema(&other)));
    refused(try_open(&other), ErrorKind::StoreCorrupt, "schema of its own");
}

/// Eight programs that meet no tables: one makes them.
#[test]
fn the_tables_are_made_once() {
    let Some(server) = Server::shared("the_tables_are_made_once") else { return };
    let url = server.url();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| open(&url).stamp_now().unwrap());
        }
    });
    assert_eq!(server.sql(&format!("SELECT count(*) FROM {}.store", schema(&url))), "1");
}

/// Rows that no program of ours can have made hide no others.
#[test]
fn damaged_rows_hide_no_others() {
    let Some(server) = Server::shared("damaged_rows_hide_no_others") else { return };
    let url = server.url();
    let own = schema(&url);
    let store = std::sync::Arc::new(open(&url));
    let peppers = Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap();
    let keys = gatekey::ApiKeys::open(store.clone(), peppers, ApiKeyOptions::new()).unwrap();
    let ids: Vec<_> =
        (0..4).map(|_| keys.create(&KeySpec::new("acme")).unwrap().record.id).collect();
    for (id, damage) in
        [(&ids[0], "status = 'fine'"), (&ids[1], "mac = 'short'"), (&ids[2], "created_at = -1")]
    {
        server.sql(&format!("UPDATE {own}.key SET {damage} WHERE id = '{id}'"));
    }
    let mut found = Vec::new();
    store.load_api_keys(&mut |loaded| found.push(loaded)).unwrap();
    let corrupt = found.iter().filter(|one| matches!(one, gatekey::store::Loaded::Corrupt(_)));
    assert_eq!((corrupt.count(), found.len()), (3, 4));
    refused(store.api_key(&ids[0]), ErrorKind::StoreCorrupt, "damaged");
    assert!(store.api_key(&ids[3]).unwrap().is_some());
    server.sql(&format!("UPDATE {own}.feed SET revocation = 1"));
    server.sql(&format!("INSERT INTO {own}.revocation VALUES (1, 99, '', 'x', 0, 9, 1)"));
    refused(store.revocations(0, 10), ErrorKind::StoreCorrupt, "seq = 1");
    server.sql(&format!("DROP TABLE {own}.revocation"));
    refused(store.revocations(0, 10), ErrorKind::StoreCorrupt, "missing");
    assert!(store.session("x").unwrap().is_none());
}
