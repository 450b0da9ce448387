//! `durability=replica`: a change that was acknowledged survives the loss of the primary, and what
//! no standby has confirmed is not acknowledged, whatever PostgreSQL makes of it.

use super::changes::{keys, revocation, revoke};
use super::server::url_at;
use super::{Server, open, refused, wait_for};
use gatekey::apikey::{Check, KeySpec};
use gatekey::store::{PostgresStore, RevocationStore as _};
use gatekey::{ApiKeys, ErrorKind};
use std::sync::Arc;

fn replicated(url: &str) -> String {
    format!("{url}&durability=replica")
}

fn try_open(url: &str) -> Result<PostgresStore, gatekey::Error> {
    PostgresStore::open(&url.parse()?)
}

/// Says which standbys a commit waits for.
fn wait_for_standbys(server: &Server, names: &str) {
    server.sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
    server.sql("SELECT pg_reload_conf()");
    // The process that tells the others of it has read it.
    wait_for("the setting", || {
        server.sql("SELECT current_setting('synchronous_standby_names')") == names
    });
}

fn is_revoked(keys: &ApiKeys, secret: &gatekey::Secret) -> bool {
    let said = keys.verify(secret.expose_str(), &Check::new());
    said.is_err_and(|error| error.kind() == ErrorKind::ApiKeyRevoked)
}

const ALONE: &str = "waits for no standby";

#[test]
fn what_was_acknowledged_survives_the_primary() {
    let test = "what_was_acknowledged_survives_the_primary";
    let Some(server) = Server::own(test) else { return };
    let ports = [server.port, server.standby()];
    let url = replicated(&url_at(&ports, "gatekey"));
    refused(try_open(&url), ErrorKind::StoreUnavailable, ALONE);
    wait_for_standbys(&server, "*");
    let store = Arc::new(open(&url));
    let node = keys(&store);
    let issued: Vec<_> = (0..10).map(|_| node.create(&KeySpec::new("acme")).unwrap()).collect();
    for (at, key) in issued.iter().enumerate() {
        node.revoke(&key.record.id, "").unwrap();
        revoke(&store, &at.to_string());
    }
    server.obey("stop");
    server.obey("standby promote");
    // The new primary waits for nobody yet: it is read, and takes no change.
    let lacks = node.create(&KeySpec::new("acme"));
    refused(lacks, ErrorKind::StoreUnavailable, ALONE);
    let fresh = open(&url_at(&ports[1..], "gatekey"));
    assert_eq!(fresh.revocations(0, 100).unwrap().entries.len(), issued.len());
    let other = keys(&Arc::new(fresh));
    for key in &issued {
        assert!(is_revoked(&node, &key.secret) && is_revoked(&other, &key.secret));
    }
    assert!(node.lost_revocations().is_empty());
}

#[test]
fn what_no_standby_has_is_not_acknowledged() {
    let Some(server) = Server::own("what_no_standby_has_is_not_acknowledged") else { return };
    let ports = [server.port, server.standby()];
    wait_for_standbys(&server, "*");
    let url = format!("{}&application_name=waits", replicated(&url_at(&ports, "gatekey")));
    let store = open(&url);
    revoke(&store, "replicated");
    server.obey("standby freeze walreceiver");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    for (value, how, words) in [
        ("cancelled", "pg_cancel_backend", "committed on this PostgreSQL"),
        ("terminated", "pg_terminate_backend", "PostgreSQL"),
    ] {
        let outcome = std::thread::scope(|scope| {
            let writes =
                scope.spawn(|| store.write_revocations(std::slice::from_ref(&revocation(value))));
            wait_for("the wait", || server.sql(waits) == "1");
            server.sql(&format!(
                "SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            ));
            writes.join().unwrap()
        });
        refused(outcome, ErrorKind::StoreUnavailable, words);
        // It is there, as PostgreSQL says: those who ask see it.
        let there = format!("SELECT count(*) FROM gatekey.revocation WHERE value = '{value}'");
        assert_eq!(server.sql(&there), "1");
    }
    // Nobody ends the wait: we do, without asking PostgreSQL to.
    let late = store.write_revocations(std::slice::from_ref(&revocation("late")));
    refused(late, ErrorKind::StoreUnavailable, "No standby has confirmed");
    assert_eq!(server.sql(waits), "1", "it was not cancelled, and still waits");
    server.obey("standby thaw");
    let there = "SELECT count(*) FROM gatekey.revocation WHERE value = 'late'";
    wait_for("the standby", || server.obey(&format!("standby sql {there}")) == "1");
    wait_for("the store", || store.write_revocations(&[revocation("then")]).is_ok());
}

/// The list turns empty, a role switches it off, a commit waits while the list turns empty.
#[test]
fn a_promise_that_is_not_kept_is_said() {
    let Some(server) = Server::own("a_promise_that_is_not_kept_is_said") else { return };
    server.standby();
    wait_for_standbys(&server, "*");
    server.sql("ALTER ROLE postgres SET synchronous_commit = off");
    let store = open(&replicated(&server.url_of("gatekey")));
    revoke(&store, "a");
    store.check_durability().unwrap();
    let node = keys(&Arc::new(open(&replicated(&server.url_of("gatekey")))));
    let key = node.create(&KeySpec::new("acme")).unwrap();

    // Empty: who writes is told at once, and who only reads within a second or so.
    let hears = Arc::new(open(&replicated(&server.url_of("gatekey"))));
    let reads = keys(&hears);
    wait_for_standbys(&server, "");
    wait_for("the word", || hears.check_durability().is_err());
    refused(hears.check_durability(), ErrorKind::StoreUnavailable, ALONE);
    assert!(reads.verify(key.secret.expose_str(), &Check::new()).is_ok(), "it goes on verifying");
    let refusal = store.write_revocations(&[revocation("b")]);
    refused(refusal, ErrorKind::StoreUnavailable, ALONE);
    assert_eq!(store.revocations(0, 10).unwrap().entries.len(), 1, "nothing was written");
    wait_for_standbys(&server, "*");
    wait_for("the word", || hears.check_durability().is_ok());
    revoke(&store, "b");

    // While a commit waits.
    server.obey("standby freeze walreceiver");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let outcome = std::thread::scope(|scope| {
        let writes = scope.spawn(|| store.write_revocations(&[revocation("c")]));
        wait_for("the wait", || server.sql(waits) == "1");
        wait_for_standbys(&server, "");
        writes.join().unwrap()
    });
    refused(outcome, ErrorKind::StoreUnavailable, "committed on this PostgreSQL");
    server.obey("standby thaw");
}

/// Two take changes, and one of them was overtaken: it says so to nobody, and acknowledges nothing.
#[test]
fn the_old_primary_acknowledges_nothing() {
    let Some(server) = Server::own("the_old_primary_acknowledges_nothing") else { return };
    let standby = server.standby();
    wait_for_standbys(&server, "*");
    let store = open(&replicated(&server.url_of("gatekey")));
    revoke(&store, "a");
    server.obey("standby promote");
    let late = store.write_revocations(&[revocation("late")]);
    refused(late, ErrorKind::StoreUnavailable, "No standby has confirmed");
    let new = open(&url_at(&[standby], "gatekey"));
    assert_eq!(new.revocations(0, 10).unwrap().entries.len(), 1);
}
