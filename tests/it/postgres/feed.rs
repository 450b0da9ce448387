//! The thread that listens: who verifies asks memory only; what it is told too often, too rarely or
//! not at all; and locks that others hold.

use super::{Server, open, refused, wait_for};
use gatekey::apikey::{ApiKeyOptions, AuditFilter, Check, KeySpec};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::StoreOptions;
use gatekey::reach::in_memory;
use gatekey::revocations::RevocationOptions;
use gatekey::store::{Backend as _, Revocation, RevocationKind, RevocationStore as _};
use gatekey::{ApiKeys, Claims, ErrorKind, Peppers, Policy, Secret, Signer, Store, Verifier};
use std::sync::Arc;
use std::time::Duration;

fn peppers() -> Peppers {
    Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap()
}

fn store(url: &str) -> Store {
    Store::open_with(url, StoreOptions::new().pepper(peppers())).unwrap()
}

fn keys_of(url: &str) -> ApiKeys {
    store(url).api_keys(ApiKeyOptions::new()).unwrap()
}

fn revocation(value: &str) -> Revocation {
    let kind = RevocationKind::Session;
    let (issuer, value) = (String::new(), value.to_owned());
    Revocation { kind, issuer, value, before: 0, until: 4_000_000_000, at: 1 }
}

/// Changes by another node, each of which is seen by a thread that may use memory only: each
/// statement of the library is refused there, and none is tried. Keys, tokens, rings, and keys that
/// are not there.
#[test]
fn who_verifies_asks_memory_only() {
    let Some(server) = Server::shared("who_verifies_asks_memory_only") else { return };
    let url = server.url();
    let (there, here) = (store(&url), store(&url));
    let made = there.api_keys(ApiKeyOptions::new()).unwrap();
    let ended = there.revocations(RevocationOptions::new()).unwrap();
    let ring = there.key_ring("", KeyRingOptions::new()).unwrap();
    let keys = here.api_keys(ApiKeyOptions::new()).unwrap();
    let shown = here.key_ring("", KeyRingOptions::new()).unwrap();
    let revocations = here.revocations(RevocationOptions::new()).unwrap();
    let policy = Policy::new().revocations(Arc::new(revocations));
    let verifier = Verifier::following(Arc::new(shown), policy).unwrap();
    let signer = Signer::following(Arc::new(ring.clone())).build().unwrap();
    let strange = keys_of(&server.url()).create(&KeySpec::new("acme")).unwrap();

    // The first use in a process starts what it needs; then the thread takes over.
    let issued = made.create(&KeySpec::new("acme")).unwrap();
    let first = issued.secret.expose_str();
    let token = signer.sign(&Claims::new().subject("alice")).unwrap();
    wait_for("the first", || keys.verify(first, &Check::new()).is_ok());
    wait_for("the first", || verifier.verify(&token).is_ok());
    std::thread::sleep(Duration::from_millis(1500));

    let key = |text: &str| {
        let verified = in_memory(|| keys.verify(text, &Check::new()).map(drop));
        verified.expect("memory is enough").map_err(|error| error.kind())
    };
    let token_of = |subject: &str| signer.sign(&Claims::new().subject(subject)).unwrap();
    let checked = |token: &str| {
        let verified = in_memory(|| verifier.verify(token).map(drop));
        verified.expect("memory is enough").map_err(|error| error.kind())
    };
    for round in 0..20 {
        let issued = made.create(&KeySpec::new("acme")).unwrap();
        let text = issued.secret.expose_str();
        wait_for("a key", || key(text).is_ok());
        made.revoke(&issued.record.id, "").unwrap();
        wait_for("its end", || key(text) == Err(ErrorKind::ApiKeyRevoked));
        if round % 5 == 0 {
            ring.rotate().unwrap();
        }
        let subject = format!("subject-{round}");
        let token = token_of(&subject);
        wait_for("a token", || checked(&token).is_ok());
        ended.revoke_subject(&subject).unwrap();
        wait_for("its end", || checked(&token) == Err(ErrorKind::RevokedToken));
        assert_eq!(key(strange.secret.expose_str()), Err(ErrorKind::UnknownApiKey));
        assert_eq!(key(first), Ok(()));
    }
}

/// While another session holds the lock of the feed, those who change something are told so within
/// seconds; afterwards each number is there once.
#[test]
fn a_held_lock_stops_nobody_for_long() {
    let Some(server) = Server::shared("a_held_lock_stops_nobody_for_long") else { return };
    let url = server.url();
    let schema = url.rsplit('=').next().unwrap();
    let nodes: Vec<ApiKeys> = (0..4).map(|_| keys_of(&url)).collect();
    const EACH: usize = 8;
    let create = |outcome: &(dyn Fn(Result<(), gatekey::Error>) + Sync)| {
        std::thread::scope(|scope| {
            for node in nodes.iter().flat_map(|node| std::iter::repeat_n(node, EACH)) {
                scope.spawn(|| outcome(node.create(&KeySpec::new("acme")).map(drop)));
            }
        });
    };
    create(&|outcome| outcome.unwrap());
    server.obey(&format!("hold UPDATE {schema}.feed SET audit = audit; SELECT pg_sleep(60)"));
    wait_for("the lock", || is_asleep(server, schema));
    create(&|outcome| {
        refused(outcome, ErrorKind::StoreUnavailable, "holds what this change needs");
    });
    wake(server, schema);
    create(&|outcome| outcome.unwrap());
    let rows = nodes[0].audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).unwrap();
    let numbers: Vec<u64> = rows.records.iter().map(|row| row.seq).collect();
    assert_eq!(numbers, (1..=2 * 4 * EACH as u64).collect::<Vec<_>>());
    assert_eq!(
        server.sql(&format!("SELECT count(*), max(number) FROM {schema}.change")),
        format!("{0}|{0}", 2 * 4 * EACH)
    );
}

/// Of changes that go together, what one does wrong is no matter of the others.
#[test]
fn each_of_those_who_go_together_has_its_own_answer() {
    let Some(server) = Server::shared("each_of_those_who_go_together") else { return };
    let url = server.url();
    let node = keys_of(&url);
    let issued = node.create(&KeySpec::new("acme")).unwrap();
    let text = issued.secret.expose_str().to_owned();
    // Sixteen end the same key, sixteen make one of their own.
    let (mut conflicts, mut made) = (0, 0);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|at| {
                let (node, id) = (&node, &issued.record.id);
                scope.spawn(move || match at % 2 {
                    0 => node.revoke(id, "").map(drop),
                    _ => node.create(&KeySpec::new("acme")).map(drop),
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for outcome in outcomes {
        match outcome {
            Ok(()) => made += 1,
            Err(error) => {
                assert!(matches!(
                    error.kind(),
                    ErrorKind::ApiKeyRevoked | ErrorKind::StoreConflict
                ));
                conflicts += 1;
            }
        }
    }
    assert!(made >= 17, "{made} made, {conflicts} refused");
    let refused = node.verify(&text, &Check::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ApiKeyRevoked);
    let rows = node.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).unwrap();
    let numbers: Vec<u64> = rows.records.iter().map(|row| row.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no gap");
}

/// Notifications by the ten thousand, and a queue of them that is full: a change is made all the
/// same, and seen, and nobody asks more than fifty times a second.
#[test]
fn notifications_are_no_weapon() {
    let Some(server) = Server::own("notifications_are_no_weapon") else { return };
    let url = server.url_of("flood");
    let (here, there) = (open(&url), open(&url));
    here.stamp().unwrap();
    there.stamp().unwrap();
    let looks = || -> u64 {
        let said = server.sql(
            "SELECT pg_stat_force_next_flush() IS NULL, xact_rollback FROM pg_stat_database \
             WHERE datname = 'postgres'",
        );
        said.rsplit('|').next().unwrap().parse().unwrap()
    };
    let (before, begun) = (looks(), std::time::Instant::now());
    for _ in 0..20 {
        server.sql(
            "DO $$ BEGIN FOR n IN 1..50 LOOP PERFORM pg_notify('gatekey_flood', \
             '{\"seq\":9e9}' || n || repeat('x', 7000)); END LOOP; END $$",
        );
    }
    let (looked, took) = (looks() - before, begun.elapsed());
    // Two nodes; what a look reads is one transaction.
    let most = 2 * (took.as_millis() as u64 / 20 + 2) + 40;
    assert!(looked <= most, "{looked} looks in {took:?}");

    // A session that listens and reads nothing: the queue cannot move on, and fills.
    server.sql("ALTER SYSTEM SET max_notify_queue_pages = 64");
    server.obey("stop");
    server.obey("start");
    wait_for("the server", || here.stamp_now().is_ok() && there.stamp_now().is_ok());
    server.obey("hold LISTEN other; COMMIT; BEGIN; SELECT 'flood', pg_sleep(60)");
    wait_for("the session", || is_asleep(&server, "flood"));
    let fill = "hold DO $$ BEGIN FOR n IN 1..40 LOOP PERFORM pg_notify('other', \
                n || repeat('x', 7900)); END LOOP; END $$";
    wait_for("a full queue", || {
        server.obey(fill);
        std::thread::sleep(Duration::from_millis(100));
        let usage: f64 = server.sql("SELECT pg_notification_queue_usage()").parse().unwrap();
        usage > 0.9
    });
    for change in 0..5 {
        let stamp = there.stamp().unwrap();
        here.write_revocations(&[revocation(&format!("r{change}"))]).unwrap();
        wait_for("the change", || there.stamp().unwrap() != stamp);
    }
    wake(&server, "flood");
}

/// Whether a session that was told to sleep does.
fn is_asleep(server: &Server, word: &str) -> bool {
    let sleeping = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ~ '{word}'"
    );
    server.sql(&sleeping) == "1"
}

fn wake(server: &Server, word: &str) {
    server.sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE wait_event = 'PgSleep' AND query ~ '{word}'"
    ));
}

/// A server that ends every session after a moment, so that no notification comes.
#[test]
fn a_lost_notification_is_made_up_for() {
    let Some(server) = Server::own("a_lost_notification_is_made_up_for") else { return };
    server.sql("ALTER SYSTEM SET idle_session_timeout = '200ms'");
    server.sql("SELECT pg_reload_conf()");
    let url = server.url_of("idle");
    let (one, two) = (keys_of(&url), keys_of(&url));
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(300));
        let issued = one.create(&KeySpec::new("acme")).unwrap();
        let text = issued.secret.expose_str();
        wait_for("the key", || two.verify(text, &Check::new()).is_ok());
        std::thread::sleep(Duration::from_millis(300));
        one.revoke(&issued.record.id, "").unwrap();
        wait_for("the revocation", || {
            two.verify(text, &Check::new()).is_err_and(|e| e.kind() == ErrorKind::ApiKeyRevoked)
        });
    }
}
