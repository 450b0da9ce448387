//! A standby takes over: what each node does then, and who is not believed any more.

use super::changes::{keys, keys_that, revoke};
use super::server::url_at;
use super::{Server, open, refused, wait_for};
use gatekey::apikey::{ApiKeyOptions, Check, IssuedKey, KeySpec};
use gatekey::revocations::RevocationOptions;
use gatekey::store::{Backend as _, PostgresStore, RevocationStore as _};
use gatekey::{ApiKeys, ErrorKind, Revocations, Secret};
use std::sync::Arc;

/// A primary and its standby, and a store there.
struct Pair {
    server: Server,
    ports: [u16; 2],
}

impl Pair {
    fn new(test: &str) -> Option<Self> {
        let server = Server::own(test)?;
        let ports = [server.port, server.standby()];
        Some(Self { server, ports })
    }

    /// A URL that names both.
    fn url(&self) -> String {
        url_at(&self.ports, "gatekey")
    }

    fn store(&self) -> Arc<PostgresStore> {
        Arc::new(open(&self.url()))
    }

    /// What only the primary has heard of is done now; then it crashes, and its standby takes over.
    fn fail_over(&self, unreplicated: impl FnOnce()) {
        self.server.wait_for_standby();
        self.server.obey("standby stop");
        unreplicated();
        self.server.obey("stop");
        self.take_over();
    }

    fn take_over(&self) {
        self.server.obey("standby start");
        self.server.obey("standby promote");
    }
}

fn create(keys: &ApiKeys) -> IssuedKey {
    keys.create(&KeySpec::new("acme")).unwrap()
}

/// What is wrong with it, as these keys say.
fn said(keys: &ApiKeys, secret: &Secret) -> Option<ErrorKind> {
    keys.verify(secret.expose_str(), &Check::new()).err().map(|error| error.kind())
}

const NO_PRIMARY: &str = "None of the URL's hosts is PostgreSQL's primary";
const REVOKED: Option<ErrorKind> = Some(ErrorKind::ApiKeyRevoked);
const UNKNOWN: Option<ErrorKind> = Some(ErrorKind::UnknownApiKey);

/// The new primary's numbers have caught up with what a node has seen of the old one, and gone past.
#[test]
fn promotion_with_changes_that_were_lost() {
    let Some(pair) = Pair::new("promotion_with_changes_that_were_lost") else { return };
    let node = keys(&pair.store());
    let asks = keys_that(&pair.store(), ApiKeyOptions::new().strict(true));
    let lists = pair.store();
    let list = Revocations::open(pair.store(), RevocationOptions::new()).unwrap();
    let [one, two, three, four, five] = std::array::from_fn(|_| create(&node));
    let mut new_secret = None;
    let mut made = None;
    let mut after = 0;
    pair.fail_over(|| {
        // On the old primary alone: one is revoked, three gets another secret, five is purged.
        node.revoke(&one.record.id, "").unwrap();
        node.revoke(&five.record.id, "").unwrap();
        new_secret = Some(node.rotate(&three.record.id, 0).unwrap().secret);
        made = Some(create(&node));
        revoke(&lists, "lost");
        list.revoke_session("ended").unwrap();
        list.refresh().unwrap();
        after = lists.revocations(0, 10).unwrap().seq;
        wait_for("the revocation", || said(&asks, &one.secret) == REVOKED);
        assert_eq!(said(&asks, &five.secret), REVOKED);
    });
    let (new_secret, made) = (new_secret.unwrap(), made.unwrap());
    // On the new one: two is revoked, four as well; its numbers go beyond those of the old one.
    let other = keys(&Arc::new(open(&url_at(&pair.ports[1..], "gatekey"))));
    other.revoke(&two.record.id, "").unwrap();
    for round in 0..10 {
        other.disable(&five.record.id, &format!("{round}")).unwrap();
        other.enable(&five.record.id).unwrap();
    }
    other.revoke(&four.record.id, "").unwrap();

    // Who asks first is told at once; the others within moments, without being told.
    assert_eq!(said(&asks, &two.secret), REVOKED);
    assert_eq!(said(&asks, &four.secret), REVOKED);
    // The last change of all.
    wait_for("the new primary", || said(&node, &four.secret) == REVOKED);
    assert_eq!(said(&node, &two.secret), REVOKED);
    for nodes in [&node, &asks] {
        assert_eq!(said(nodes, &four.secret), REVOKED);
        // Nothing is valid because memory knew it.
        assert_eq!(said(nodes, &made.secret), UNKNOWN);
        assert_eq!(said(nodes, &new_secret), Some(ErrorKind::BadApiKeySecret));
        assert_eq!(said(nodes, &three.secret), None, "as the new primary says");
        // What was seen revoked stays so, also once its row has had more changes.
        assert_eq!(said(nodes, &one.secret), REVOKED);
        assert_eq!(said(nodes, &five.secret), REVOKED);
        // And it is reported, until it is revoked again.
        let mut lost = [one.record.id.clone(), five.record.id.clone()];
        lost.sort_unstable();
        assert_eq!(nodes.lost_revocations(), lost);
        assert!(nodes.get(&one.record.id).unwrap().altered);
    }
    // A node that has seen nothing of it says what the new primary says.
    let fresh = keys(&pair.store());
    assert_eq!((said(&fresh, &one.secret), said(&fresh, &five.secret)), (None, None));
    let changes = lists.revocations(after, 10).unwrap();
    assert!(changes.reload && changes.seq >> 48 == 1, "{changes:?}");
    list.refresh().unwrap();
    assert_eq!((list.len(), list.lost()), (2, 2), "they hold here, and are reported");
    list.revoke_session("ended").unwrap();
    list.refresh().unwrap();
    assert_eq!((list.len(), list.lost()), (2, 1));
    // It is revoked again, by a node that was told of it or by hand, and that holds.
    node.revoke(&one.record.id, "").unwrap();
    wait_for("that", || said(&fresh, &one.secret) == REVOKED);
    assert_eq!(node.lost_revocations(), std::slice::from_ref(&five.record.id));
    assert!(!node.get(&one.record.id).unwrap().altered);
    refused(node.rotate(&five.record.id, 0), ErrorKind::StoreCorrupt, "Revoke it again");
    // The old primary, started again, is refused by those who know better.
    pair.server.obey("start");
    pair.server.obey("standby stop");
    wait_for("the refusal", || {
        node.create(&KeySpec::new("acme")).is_err_and(|e| e.to_string().contains(NO_PRIMARY))
    });
    refused(lists.stamp_now(), ErrorKind::StoreUnavailable, NO_PRIMARY);
}

/// The timeline is known from the first moment: what a checkpoint writes down is older.
#[test]
fn the_timeline_is_read_where_it_is_written() {
    let Some(pair) = Pair::new("the_timeline_is_read_where_it_is_written") else { return };
    let store = pair.store();
    revoke(&store, "a");
    let before = store.revocations(0, 10).unwrap();
    pair.server.wait_for_standby();
    pair.server.obey("standby freeze checkpointer");
    pair.server.obey("stop");
    pair.server.obey("standby promote");
    let sql = "standby sql SELECT timeline_id FROM pg_control_checkpoint()";
    assert_eq!(pair.server.obey(sql), "1", "no checkpoint yet");
    let first = open(&url_at(&pair.ports[1..], "gatekey")).revocations(0, 10).unwrap();
    let after = store.revocations(before.seq, 10).unwrap();
    assert!(after.reload && after.seq >> 48 == 1, "{after:?}");
    pair.server.obey("standby thaw");
    pair.server.obey("standby sql CHECKPOINT");
    assert_eq!(pair.server.obey(sql), "2");
    let second = open(&url_at(&pair.ports[1..], "gatekey")).revocations(0, 10).unwrap();
    assert_eq!(first.feed, second.feed, "the same from the first moment");
    assert_ne!(first.feed, before.feed);
    assert_eq!(store.revocations(after.seq, 10).unwrap().entries, second.entries);
}

/// The old primary was only away, and comes back as one that takes changes.
#[test]
fn the_old_primary_comes_back() {
    let Some(pair) = Pair::new("the_old_primary_comes_back") else { return };
    let store = pair.store();
    let node = keys(&store);
    let (kept, revoked) = (create(&node), create(&node));
    pair.server.wait_for_standby();
    pair.server.obey("freeze");
    pair.server.obey("standby promote");
    // By what asks; the connection that writes still leads to the old one.
    wait_for("the new primary", || store.stamp_now().is_ok());
    pair.server.obey("thaw");
    let count = |of: &str| {
        let id = &revoked.record.id;
        pair.server.obey(&format!("{of}sql SELECT status FROM gatekey.key WHERE id = '{id}'"))
    };
    node.revoke(&revoked.record.id, "").unwrap();
    assert_eq!((count(""), count("standby ")), ("active".to_owned(), "revoked".to_owned()));
    assert_eq!((said(&node, &revoked.secret), said(&node, &kept.secret)), (REVOKED, None));
    // Who has seen nothing asks both of them, in whatever order they are named.
    for ports in [pair.ports, [pair.ports[1], pair.ports[0]]] {
        let fresh = keys(&Arc::new(open(&url_at(&ports, "gatekey"))));
        assert_eq!(said(&fresh, &revoked.secret), REVOKED);
        let another = create(&fresh);
        wait_for("the key", || said(&node, &another.secret).is_none());
    }
    // Without the new one, nobody who has seen it believes the old one.
    pair.server.obey("standby stop");
    refused(store.stamp_now(), ErrorKind::StoreUnavailable, NO_PRIMARY);
    refused(node.create(&KeySpec::new("acme")), ErrorKind::StoreUnavailable, NO_PRIMARY);
}

/// A standby that is far behind stands first in the list.
#[test]
fn a_standby_that_lags_is_not_read() {
    let Some(pair) = Pair::new("a_standby_that_lags_is_not_read") else { return };
    let url = url_at(&[pair.ports[1], pair.ports[0]], "gatekey");
    let node = keys(&Arc::new(open(&url)));
    let key = create(&node);
    pair.server.wait_for_standby();
    // As `recovery_min_apply_delay` would have it, from one moment on.
    pair.server.obey("standby sql SELECT pg_wal_replay_pause()");
    let state = "standby sql SELECT pg_get_wal_replay_pause_state()";
    wait_for("the lag", || pair.server.obey(state) == "paused");
    node.revoke(&key.record.id, "").unwrap();
    let sql = format!("standby sql SELECT status FROM gatekey.key WHERE id = '{}'", key.record.id);
    for _ in 0..3 {
        assert_eq!(said(&keys(&Arc::new(open(&url))), &key.secret), REVOKED);
    }
    assert_eq!(pair.server.obey(&sql), "active", "it lags");
    pair.server.obey("stop");
    let alone = PostgresStore::open(&url.parse().unwrap());
    refused(alone, ErrorKind::StoreUnavailable, NO_PRIMARY);
    let standby = PostgresStore::open(&url_at(&pair.ports[1..], "gatekey").parse().unwrap());
    refused(standby, ErrorKind::StoreUnavailable, "is a standby");
}

/// The data folder was copied, and both went on: the same system, timeline and numbers.
#[test]
fn a_copy_that_went_another_way() {
    let Some(server) = Server::own("a_copy_that_went_another_way") else { return };
    let url = server.url_of("gatekey");
    let store = Arc::new(open(&url));
    let node = keys(&store);
    let (kept, revoked, other) = (create(&node), create(&node), create(&node));
    server.obey("copy");
    wait_for("the server", || node.revoke(&revoked.record.id, "").is_ok());
    let before = store.revocations(0, 10).unwrap();
    server.obey("restore");
    // As many changes as there were, and others.
    let writer = keys(&Arc::new(open(&url)));
    writer.revoke(&other.record.id, "").unwrap();
    wait_for("the other way", || said(&node, &other.secret) == REVOKED);
    assert_eq!(said(&node, &revoked.secret), REVOKED, "it was seen revoked");
    assert_eq!(node.lost_revocations(), std::slice::from_ref(&revoked.record.id));
    assert_eq!(said(&node, &kept.secret), None);
    assert!(store.revocations(before.seq, 10).unwrap().reload);
}

/// A dump that is read in again has the same numbers, and is another store.
#[test]
fn a_dump_that_was_read_in() {
    let Some(server) = Server::own("a_dump_that_was_read_in") else { return };
    let url = server.url_of("gatekey");
    let store = Arc::new(open(&url));
    let node = keys(&store);
    let (kept, revoked) = (create(&node), create(&node));
    server.obey("dump gatekey");
    node.revoke(&revoked.record.id, "").unwrap();
    let before = store.revocations(0, 10).unwrap();
    server.obey("load gatekey");
    wait_for("the dump", || store.revocations(before.seq, 10).is_ok_and(|changes| changes.reload));
    assert_eq!((said(&node, &revoked.secret), said(&node, &kept.secret)), (REVOKED, None));
    let added = create(&node);
    assert_eq!(said(&node, &added.secret), None);
}
