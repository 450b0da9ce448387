//! The chain of changes: what others see of it, and what breaks it.

use super::{Server, open, refused, wait_for};
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
use gatekey::store::{
    Backend as _, Database, PostgresStore, Revocation, RevocationKind, RevocationStore as _,
};
use gatekey::{ApiKeys, ErrorKind, Peppers, Secret};
use std::sync::Arc;

pub(super) fn revocation(value: &str) -> Revocation {
    let kind = RevocationKind::Session;
    let (issuer, value) = (String::new(), value.to_owned());
    Revocation { kind, issuer, value, before: 0, until: 4_000_000_000, at: 1 }
}

pub(super) fn revoke(store: &PostgresStore, value: &str) {
    store.write_revocations(&[revocation(value)]).unwrap();
}

pub(super) fn keys(store: &Arc<PostgresStore>) -> ApiKeys {
    keys_that(store, ApiKeyOptions::new())
}

pub(super) fn keys_that(store: &Arc<PostgresStore>, options: ApiKeyOptions) -> ApiKeys {
    let peppers = Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap();
    ApiKeys::open(Arc::clone(store) as Arc<dyn Database>, peppers, options).unwrap()
}

/// Two stores, as two machines have them: what one does, the other hears without being asked for.
#[test]
fn what_one_node_does_the_other_hears() {
    let Some(server) = Server::shared("what_one_node_does_the_other_hears") else { return };
    let url = server.url().replace('?', "?application_name=heard&");
    let (here, there) = (Arc::new(open(&url)), Arc::new(open(&url)));
    let (one, two) = (keys(&here), keys(&there));
    let issued = one.create(&KeySpec::new("acme")).unwrap();
    let text = issued.secret.expose_str();
    wait_for("the key", || two.verify(text, &Check::new()).is_ok());
    one.revoke(&issued.record.id, "").unwrap();
    assert_eq!(
        one.verify(text, &Check::new()).unwrap_err().kind(),
        ErrorKind::ApiKeyRevoked,
        "who has done it knows it at once"
    );
    wait_for("the revocation", || {
        two.verify(text, &Check::new()).is_err_and(|e| e.kind() == ErrorKind::ApiKeyRevoked)
    });

    // All sessions are ended behind their back: it is seen a little later, not never.
    server.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'heard'",
    );
    let other = one.create(&KeySpec::new("acme")).unwrap();
    wait_for("a key after that", || two.verify(other.secret.expose_str(), &Check::new()).is_ok());
}

/// A strict node asks the server itself.
#[test]
fn a_strict_node_needs_no_word() {
    let Some(server) = Server::shared("a_strict_node_needs_no_word") else { return };
    let url = server.url();
    let (here, there) = (Arc::new(open(&url)), Arc::new(open(&url)));
    let one = keys(&here);
    let two = keys_that(&there, ApiKeyOptions::new().strict(true));
    for _ in 0..10 {
        let issued = one.create(&KeySpec::new("acme")).unwrap();
        let text = issued.secret.expose_str();
        assert!(two.verify(text, &Check::new()).is_ok());
        one.revoke(&issued.record.id, "").unwrap();
        let refused = two.verify(text, &Check::new()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ApiKeyRevoked);
    }
}

/// Sixteen writers at once: each number once, in the order of commits, and no gap.
#[test]
fn numbers_are_in_the_order_of_commits() {
    let Some(server) = Server::shared("numbers_are_in_the_order_of_commits") else { return };
    let url = server.url();
    let reader = open(&url);
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    let seen = std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let url = &url;
            scope.spawn(move || {
                let store = open(url);
                (0..EACH).for_each(|n| revoke(&store, &format!("{writer}-{n}")));
            });
        }
        let (mut after, mut seen) = (0, Vec::new());
        while seen.len() < WRITERS * EACH {
            let changes = reader.revocations(after, 1000).unwrap();
            assert!(!changes.reload);
            assert_eq!(changes.numbers.len(), changes.entries.len());
            seen.extend(changes.numbers);
            after = changes.seq;
        }
        seen
    });
    let all: Vec<u64> = (1..=(WRITERS * EACH) as u64).collect();
    assert_eq!(seen, all, "a number that came late would be missing here");
}

/// Rows of the chain that were taken away, changed, or put in the place of others.
#[test]
fn a_broken_chain_is_another_feed() {
    let Some(server) = Server::shared("a_broken_chain_is_another_feed") else { return };
    for damage in [
        "DELETE FROM S.change WHERE number = 3",
        "DELETE FROM S.change WHERE number = 4",
        "UPDATE S.change SET content = 'x' WHERE number = 3",
        "UPDATE S.change SET hash = 'x' WHERE number = 3",
        "UPDATE S.feed SET number = 1",
        "UPDATE S.feed SET hash = sha256('other')",
        "UPDATE S.feed SET number = number + 1",
    ] {
        let url = server.url();
        let schema = url.rsplit('=').next().unwrap();
        let (writer, reader) = (open(&url), open(&url));
        revoke(&writer, "a");
        revoke(&writer, "b");
        let before = reader.revocations(0, 10).unwrap();
        assert_eq!((before.entries.len(), before.reload), (2, false));
        revoke(&writer, "c");
        revoke(&writer, "d");
        server.sql(&damage.replace("S.", &format!("{schema}.")));
        let after = reader.revocations(before.seq, 10).unwrap();
        assert!(after.reload, "{damage}");
        // From then on it is followed as it is.
        let whole = reader.revocations(after.seq, 10).unwrap();
        assert!(!whole.reload && whole.entries.len() == 4, "{damage}");
        assert!(whole.seq >> 48 == 1, "{damage}: another feed");
    }
}

/// The change is committed although no one can be told.
#[test]
fn a_change_needs_no_notification() {
    let Some(server) = Server::shared("a_change_needs_no_notification") else { return };
    let url = server.url();
    let (here, there) = (open(&url), open(&url));
    let before = there.stamp().unwrap();
    // A notification by anyone, with anything in it, is a reason to look and nothing else.
    let schema = url.rsplit('=').next().unwrap();
    server.sql(&format!("SELECT pg_notify('gatekey_{schema}', '{{\"seq\":9e9}}')"));
    assert_eq!(there.stamp().unwrap(), before);
    revoke(&here, "a");
    wait_for("the change", || there.stamp().unwrap() != before);
}

/// A server that is stopped, falls silent, crashes, or comes back with the data of yesterday.
#[test]
fn what_a_node_does_without_its_server() {
    let Some(server) = Server::own("what_a_node_does_without_its_server") else { return };
    let url = server.url_of("gatekey");
    let store = Arc::new(open(&url));
    let keys = keys_that(&store, ApiKeyOptions::new().max_stale(4));
    let kept = keys.create(&KeySpec::new("acme")).unwrap();
    let revoked = keys.create(&KeySpec::new("acme")).unwrap();
    let verify = |secret: &Secret| keys.verify(secret.expose_str(), &Check::new());
    let kind = |secret: &Secret| verify(secret).err().map(|error| error.kind());
    server.obey("copy");
    wait_for("the server", || store.stamp().is_ok());
    keys.revoke(&revoked.record.id, "").unwrap();
    assert_eq!(kind(&revoked.secret), Some(ErrorKind::ApiKeyRevoked));

    // Frozen: nothing answers, and no connection ends. Verifying goes on, then it is refused.
    server.obey("freeze");
    assert_eq!((kind(&kept.secret), kind(&revoked.secret)), (None, Some(ErrorKind::ApiKeyRevoked)));
    refused(keys.create(&KeySpec::new("acme")), ErrorKind::StoreUnavailable, "PostgreSQL");
    wait_for("silence", || kind(&kept.secret) == Some(ErrorKind::StoreUnavailable));
    server.obey("thaw");
    wait_for("its return", || kind(&kept.secret).is_none());
    assert_eq!(kind(&revoked.secret), Some(ErrorKind::ApiKeyRevoked));

    // Killed: the same, and what was acknowledged is there afterwards.
    server.obey("stop");
    refused(store.stamp_now(), ErrorKind::StoreUnavailable, "PostgreSQL");
    server.obey("start");
    wait_for("its return", || kind(&kept.secret).is_none());
    assert_eq!(kind(&revoked.secret), Some(ErrorKind::ApiKeyRevoked));
    assert!(keys.create(&KeySpec::new("acme")).is_ok());

    // Restored: the numbers are lower, the feed another; what was seen revoked stays refused.
    // Who could not connect a moment ago waits a quarter of a second.
    wait_for("its return", || store.stamp_now().is_ok());
    let before = store.api_key_changes_of_now();
    server.obey("restore");
    wait_for("its return", || store.stamp_now().is_ok());
    let after = store.api_key_changes_of_now();
    assert!(after >> 48 > before >> 48, "{before:x} {after:x}");
    assert!(kind(&revoked.secret).is_some(), "it was seen revoked");
    wait_for("its return", || kind(&kept.secret).is_none());
    assert!(kind(&revoked.secret).is_some(), "it was seen revoked");
}

trait Now {
    fn api_key_changes_of_now(&self) -> u64;
}

impl Now for PostgresStore {
    fn api_key_changes_of_now(&self) -> u64 {
        gatekey::store::ApiKeyStore::api_key_changes(self, u64::MAX >> 16, 1).unwrap().seq
    }
}
