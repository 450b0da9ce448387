//! Clocks that run away from the time that passes: what is still good is neither deleted nor forgotten by them. The
//! monotonic clock of these is the system's, as of any clock of dates alone.

mod of_sessions;

use gatekey::apikey::{ApiKeyOptions, Check, CreditSpec, IssuedKey, KeySpec, KeyUpdate};
use gatekey::clock::FixedClock;
use gatekey::keyring::{KeyRingOptions, RingKeyState};
use gatekey::open::StoreOptions;
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionEvent, SessionEventFilter, SessionOptions, SessionSpec};
use gatekey::store::{Database, MemoryStore};
use gatekey::{
    Alg, ApiKeys, Claims, Clock, ErrorKind, KeyRing, Peppers, Policy, Revocations, Secret,
    Sessions, Signer, Store, Verifier,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const NOW: u64 = 1_800_000_000;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;
const YEAR: u64 = 366 * DAY;
/// By how many seconds the clock is ahead.
const AHEAD: [u64; 4] = [2 * HOUR, 40 * DAY, 400 * YEAR, 7000 * YEAR];

/// A clock of dates alone, which is set.
struct Wall(AtomicU64);

impl Wall {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(NOW)))
    }

    fn set(&self, now: u64) {
        self.0.store(now, Ordering::SeqCst);
    }
}

impl Clock for Wall {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

fn peppers(numbers: &[u32]) -> Peppers {
    let secret = |n: u32| Secret::new(vec![u8::try_from(n).unwrap(); 32]);
    Peppers::new(&numbers.iter().map(|&n| (n, secret(n))).collect::<Vec<_>>()).unwrap()
}

/// In memory and, where it is built, in SQLite.
fn on_each_store(name: &str, test: impl Fn(Arc<dyn Database>)) {
    test(Arc::new(MemoryStore::new()));
    #[cfg(feature = "sqlite")]
    {
        let folder = crate::apikey::Folder::new(name);
        test(Arc::new(gatekey::store::SqliteStore::open(folder.path("a.sqlite")).unwrap()));
    }
    let _ = name;
}

fn keys(store: &Arc<dyn Database>, numbers: &[u32], clock: &Arc<Wall>) -> ApiKeys {
    let options = ApiKeyOptions::new().clock(clock.clone());
    ApiKeys::open(store.clone(), peppers(numbers), options).unwrap()
}

fn key(keys: &ApiKeys, expires_in: Option<u64>) -> IssuedKey {
    keys.create(&KeySpec { expires_in, ..KeySpec::new("acme") }).unwrap()
}

fn is_good(keys: &ApiKeys, secret: &Secret) -> bool {
    keys.verify(secret.expose(), &Check::new()).is_ok()
}

#[test]
fn a_purge_by_a_clock_that_ran_ahead_deletes_no_key_that_is_good() {
    on_each_store("keys_ran_ahead", |store| {
        for ahead in AHEAD {
            let clock = Wall::new();
            let keys = keys(&store, &[1], &clock);
            let soon = key(&keys, Some(HOUR));
            let late = key(&keys, Some(30 * DAY));
            let ever = key(&keys, None);
            let revoked = key(&keys, None);
            keys.revoke(&revoked.record.id, "").unwrap();
            clock.set(NOW + ahead);
            assert_eq!(keys.purge(NOW + ahead).unwrap(), 1, "{ahead}: the revoked one");
            assert_eq!(keys.purge(NOW + ahead - 1).unwrap(), 0, "{ahead}: and again");
            clock.set(NOW + 1);
            for good in [&soon, &late, &ever] {
                assert!(is_good(&keys, &good.secret), "{ahead}");
            }
            // What has expired by a clock that is right goes.
            let over = key(&keys, Some(5));
            clock.set(NOW + HOUR);
            assert_eq!(keys.purge(NOW + 60).unwrap(), 1, "{ahead}");
            assert_eq!(keys.get(&over.record.id).unwrap_err().kind(), ErrorKind::ApiKeyNotFound);
            for good in [&soon, &late, &ever] {
                keys.revoke(&good.record.id, "").unwrap();
            }
            clock.set(NOW + HOUR + 1);
            assert_eq!(keys.purge(NOW + HOUR + 1).unwrap(), 3);
        }
    });
}

#[test]
fn the_secret_of_before_a_rotation_outlives_a_clock_that_ran_ahead() {
    on_each_store("overlaps_ran_ahead", |store| {
        let clock = Wall::new();
        let keys = |numbers: &[u32]| keys(&store, numbers, &clock);
        let first = key(&keys(&[1]), None);
        let id = &first.record.id;
        keys(&[1]).rotate(id, HOUR).unwrap();
        for (newer, ahead) in (2..).zip(AHEAD) {
            clock.set(NOW + 1);
            let numbers: Vec<u32> = (1..=newer).collect();
            let all = keys(&numbers);
            clock.set(NOW + ahead);
            assert_eq!(all.wrap_peppers().unwrap(), 1, "{ahead}");
            let uses = all.pepper_report().unwrap();
            assert!(uses.iter().all(|used| used.keys == 1), "{ahead}: {uses:?}");
            clock.set(NOW + 2);
            assert!(is_good(&all, &first.secret), "{ahead}: in its overlap");
        }
    });
}

fn sessions(store: &Arc<dyn Database>, numbers: &[u32], clock: &Arc<Wall>) -> Sessions {
    let key = crate::fixtures::key(Alg::Hs256);
    let signer = Signer::builder(key).ttl(900).clock(clock.clone()).build().unwrap();
    let options = SessionOptions::new().clock(clock.clone());
    Sessions::open(store.clone(), peppers(numbers), Some(&signer), options).unwrap()
}

#[test]
fn a_purge_by_a_clock_that_ran_ahead_deletes_no_session_that_is_good() {
    on_each_store("sessions_ran_ahead", |store| {
        for ahead in AHEAD {
            let clock = Wall::new();
            let sessions = sessions(&store, &[1], &clock);
            let start = |who| sessions.start(who, &SessionSpec::default()).unwrap();
            let (good, over) = (start("alice"), start("bob"));
            sessions.end(over.refresh_token.expose()).unwrap();
            let events = || -> Vec<SessionEvent> {
                sessions.events(&SessionEventFilter::default()).unwrap().records
            };
            let before = events().len();
            clock.set(NOW + ahead);
            assert_eq!(sessions.purge(NOW + ahead).unwrap(), 1, "{ahead}: the one that was ended");
            assert_eq!(events().len(), before, "{ahead}");
            clock.set(NOW + 1);
            sessions.get(good.family()).unwrap();
            sessions.refresh(good.refresh_token.expose(), None).unwrap();
            sessions.end_by_id(good.family(), None).unwrap();
            clock.set(NOW + 2);
            assert_eq!(sessions.purge(NOW + 2).unwrap(), 1, "{ahead}");
        }
    });
}

#[test]
fn a_refresh_by_a_clock_that_ran_ahead_ends_no_session() {
    on_each_store("refreshes_ran_ahead", |store| {
        // The last one is refused as a clock whose nanoseconds nothing can hold.
        for &ahead in &AHEAD[..3] {
            let clock = Wall::new();
            let sessions = sessions(&store, &[1], &clock);
            let first = sessions.start("alice", &SessionSpec::default()).unwrap().refresh_token;
            let refresh = |token: &Secret| sessions.refresh(token.expose(), None);
            let second = refresh(&first).unwrap().refresh_token;
            clock.set(NOW + ahead);
            // The answer was lost, and the client asks again within the grace.
            match refresh(&first) {
                Ok(again) => assert_eq!(again.refresh_token.expose(), second.expose(), "{ahead}"),
                Err(refused) => {
                    assert_eq!(refused.kind(), ErrorKind::SessionExpired, "{ahead}");
                    assert!(ahead > 7 * DAY, "{ahead}");
                    let refused = refresh(&second).unwrap_err();
                    assert_eq!(refused.kind(), ErrorKind::SessionExpired, "{ahead}");
                }
            }
            clock.set(NOW + 1);
            let third = refresh(&second).expect("ended by nobody").refresh_token;
            // What has expired by a clock that is right ends for good.
            let clock = Arc::new(FixedClock::new(NOW + 30 * DAY));
            let options = SessionOptions::new().clock(clock.clone());
            let signer =
                Signer::builder(crate::fixtures::key(Alg::Hs256)).ttl(900).build().unwrap();
            let later =
                Sessions::open(store.clone(), peppers(&[1]), Some(&signer), options).unwrap();
            for now in [NOW + 30 * DAY, NOW + 2] {
                clock.set(now);
                let refused = later.refresh(third.expose(), None).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::SessionExpired, "{ahead}");
            }
        }
    });
}

fn revocations(store: &Arc<dyn Database>, clock: &Arc<Wall>) -> Revocations {
    Revocations::open(store.clone(), RevocationOptions::new().clock(clock.clone())).unwrap()
}

#[test]
fn a_purge_by_a_clock_that_ran_ahead_forgets_no_revocation() {
    on_each_store("revocations_ran_ahead", |store| {
        for ahead in AHEAD {
            let clock = Wall::new();
            let revocations = revocations(&store, &clock);
            let key = crate::fixtures::key(Alg::Hs256);
            let signer = Signer::builder(key).ttl(900).clock(clock.clone()).build().unwrap();
            let policy =
                Policy::new().clock(clock.clone()).revocations(Arc::new(revocations.clone()));
            let verifier = Verifier::with_key(key, policy).unwrap();
            let sign = |id: &str| {
                let claims = Claims::new().subject("alice").token_id(id);
                signer.sign(&claims.claim_str("sid", &format!("{id}-{ahead}"))).unwrap()
            };
            let [of_session, named, later] = ["s", "t", "u"].map(sign);
            revocations.revoke_session(&format!("s-{ahead}")).unwrap();
            revocations.revoke_token("", "t", NOW + 900).unwrap();
            let before = revocations.len();
            clock.set(NOW + ahead);
            assert_eq!(revocations.purge().unwrap(), 0, "{ahead}");
            assert_eq!(revocations.len(), before, "{ahead}");
            // A token that is good by a right clock can be revoked by this one.
            revocations.revoke_token("", "u", NOW + 900).unwrap();
            assert_eq!(revocations.purge().unwrap(), 0, "{ahead}");
            clock.set(NOW + 1);
            for token in [&of_session, &named, &later] {
                let refused = verifier.verify(token).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::RevokedToken, "{ahead}");
            }
            assert!(verifier.verify(sign("v")).is_ok(), "{ahead}: nothing else is refused");
        }
    });
}

#[test]
fn a_clock_that_ran_ahead_forgets_no_use_and_refuses_no_first_one() {
    on_each_store("uses_ran_ahead", |store| {
        for ahead in AHEAD {
            let clock = Wall::new();
            let revocations = revocations(&store, &clock);
            let once = |id: &str, until: u64| {
                revocations.seen_once("a", &format!("{id}-{ahead}"), until).unwrap()
            };
            assert!(once("1", NOW + 60), "{ahead}");
            clock.set(NOW + ahead);
            for n in 0..40 {
                assert!(once(&format!("x{n}"), NOW + ahead + 60), "{ahead}");
            }
            clock.set(NOW + 1);
            assert!(!once("1", NOW + 60), "{ahead}: it was used");
            assert!(once("2", NOW + 60), "{ahead}: it was not");
        }
    });
}

#[test]
fn credits_that_a_clock_ran_ahead_of_are_refilled_in_time() {
    on_each_store("credits_ran_ahead", |store| {
        for ahead in AHEAD {
            let clock = Wall::new();
            let keys = keys(&store, &[1], &clock);
            let credits = Some(CreditSpec { amount: 2, refill: 2, every: 60, limit: None });
            let issued = keys.create(&KeySpec { credits, ..KeySpec::new("acme") }).unwrap();
            let is_good = || is_good(&keys, &issued.secret);
            let refilled_at = || keys.get(&issued.record.id).unwrap().credits.unwrap().refilled_at;
            let spends_two = |at: u64| {
                clock.set(at);
                assert_eq!([is_good(), is_good(), is_good()], [true, true, false], "{ahead}: {at}");
            };
            spends_two(NOW);
            clock.set(NOW + ahead);
            assert!(!is_good(), "{ahead}: not refilled before its time");
            assert!(refilled_at() <= NOW + 1, "{ahead}");
            spends_two(NOW + 62);
            // Nor is the next refill far away when credits are set, or a key is made.
            clock.set(NOW + ahead);
            let update = KeyUpdate { credits: Some(credits), ..KeyUpdate::default() };
            keys.update(&issued.record.id, &update).unwrap();
            assert!(refilled_at() <= NOW + 64, "{ahead}");
            let made = keys.create(&KeySpec { credits, ..KeySpec::new("acme") }).unwrap();
            assert!(made.record.credits.unwrap().refilled_at <= NOW + 64, "{ahead}");
        }
    });
}

#[test]
fn a_clock_that_ran_ahead_leaves_no_session_alive_that_is_to_end() {
    on_each_store("endings_ran_ahead", |store| {
        for ahead in AHEAD {
            let clock = Wall::new();
            let old = sessions(&store, &[1], &clock);
            let [one, other] = ["alice", "bob"].map(|who| {
                let tokens = old.start(who, &SessionSpec::default()).unwrap();
                tokens.refresh_token
            });
            let newer = sessions(&store, &[1, 2], &clock);
            clock.set(NOW + ahead);
            assert_eq!(newer.end_all("alice").unwrap(), 1, "{ahead}");
            assert_eq!(newer.end_under_pepper(1).unwrap(), 1, "{ahead}: bob's");
            clock.set(NOW + 1);
            for tokens in [one, other] {
                let refused = newer.refresh(tokens.expose(), None).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::SessionEnded, "{ahead}");
            }
        }
    });
}

struct Ring {
    ring: KeyRing,
    signer: Signer,
    verifier: Verifier,
}

fn ring(store: &Arc<dyn Database>, name: &str, clock: &Arc<Wall>) -> Ring {
    let options = KeyRingOptions::new().name(name).alg(Alg::Hs256).clock(clock.clone());
    let ring = KeyRing::open(store.clone(), Some(peppers(&[1])), options).unwrap();
    let source = Arc::new(ring.clone());
    let signer = Signer::following(source.clone()).clock(clock.clone()).build().unwrap();
    let verifier = Verifier::following(source, Policy::new().clock(clock.clone())).unwrap();
    Ring { ring, signer, verifier }
}

impl Ring {
    fn sign(&self) -> String {
        self.signer.sign(&Claims::new().subject("alice")).unwrap()
    }

    #[track_caller]
    fn knows(&self, token: &str, what: &str) {
        self.ring.refresh().unwrap();
        self.verifier.verify(token).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
}

#[test]
fn a_key_that_is_retired_by_a_clock_that_is_behind_is_kept_long_enough() {
    on_each_store("rings_behind", |store| {
        let cases = [HOUR, DAY, 40 * DAY, NOW - 1]
            .into_iter()
            .flat_map(|behind| [false, true].map(|is_begun_behind| (behind, is_begun_behind)));
        for (at, (behind, is_begun_behind)) in cases.enumerate() {
            let what = format!("{behind} behind, begun so: {is_begun_behind}");
            let (clock, name) = (Wall::new(), format!("behind-{at}"));
            let here = ring(&store, &name, &clock);
            let token = here.sign();
            let theirs = Wall::new();
            if is_begun_behind {
                theirs.set(NOW - behind);
            }
            let there = ring(&store, &name, &theirs);
            theirs.set(NOW - behind);
            there.ring.rotate().unwrap();
            here.knows(&token, &what);
            ring(&store, &name, &clock).knows(&token, &what); // after a restart
            // The clock is right again, and rotates again.
            theirs.set(NOW + 1);
            clock.set(NOW + 1);
            there.ring.rotate().unwrap();
            for each in [&here, &there, &ring(&store, &name, &clock)] {
                each.knows(&token, &what);
            }
        }
    });
}

/// A ring that is a year old says nothing of the time: but who has followed it does.
#[test]
fn who_has_followed_a_ring_keeps_what_a_clock_that_is_behind_retires() {
    on_each_store("rings_followed", |store| {
        let (clock, theirs) = (Wall::new(), Wall::new());
        clock.set(NOW - YEAR);
        ring(&store, "default", &clock);
        clock.set(NOW);
        let here = ring(&store, "default", &clock);
        let token = here.sign();
        here.knows(&token, "before");
        theirs.set(NOW - HOUR);
        ring(&store, "default", &theirs).ring.rotate().unwrap();
        here.knows(&token, "retired an hour ago, says who did it");
        here.ring.rotate().unwrap();
        here.knows(&token, "and so it is written down");
        ring(&store, "default", &clock).knows(&token, "for those who begin later");
        clock.set(NOW + HOUR);
        here.ring.refresh().unwrap();
        let retired = |ring: &KeyRing| {
            let keys = ring.keys().unwrap();
            keys.iter().filter(|key| key.state == RingKeyState::Retired).count()
        };
        assert_eq!(retired(&here.ring), 0, "until its tokens have expired");
    });
}

#[test]
fn a_rotation_by_a_clock_that_ran_ahead_removes_no_key_that_is_good() {
    on_each_store("rings_ran_ahead", |store| {
        for (at, ahead) in AHEAD.into_iter().enumerate() {
            let (clock, name) = (Wall::new(), format!("ahead-{at}"));
            let here = ring(&store, &name, &clock);
            let token = here.sign();
            here.ring.rotate().unwrap();
            let later = here.sign();
            clock.set(NOW + ahead);
            here.ring.rotate().unwrap();
            let next = here.ring.keys().unwrap().remove(0).kid;
            here.ring.remove(&next).unwrap();
            clock.set(NOW + 1);
            for each in [&here, &ring(&store, &name, &clock)] {
                each.knows(&token, &format!("{ahead}"));
                each.knows(&later, &format!("{ahead}"));
            }
        }
    });
}

/// What a store hands out while its clock is wrong knows how the clock was before.
#[test]
fn what_is_handed_out_while_the_clock_is_wrong_deletes_nothing() {
    let folder = crate::apikey::Folder::new("handed_out_ahead");
    for ahead in AHEAD {
        handed_out("memory:", ahead);
        #[cfg(feature = "sqlite")]
        handed_out(folder.path(&format!("{ahead}.sqlite")).to_str().unwrap(), ahead);
    }
    drop(folder);
}

fn handed_out(url: &str, ahead: u64) {
    let clock = Wall::new();
    let options = StoreOptions::new().pepper(peppers(&[1, 2])).clock(clock.clone());
    let store = Store::open_with(url, options).unwrap();
    let signer = Signer::builder(&gatekey::Key::generate(Alg::Hs256).unwrap());
    let signer = signer.clock(clock.clone()).build().unwrap();
    let sessions = || store.sessions(Some(&signer), SessionOptions::new()).unwrap();
    let keys = || store.api_keys(ApiKeyOptions::new()).unwrap();
    let started = sessions().start("alice", &SessionSpec::default()).unwrap();
    let ended = sessions().start("alice", &SessionSpec::default()).unwrap();
    sessions().end(ended.refresh_token.expose()).unwrap();
    let issued = key(&keys(), Some(30 * DAY));
    let next = keys().rotate(&issued.record.id, HOUR).unwrap();

    clock.set(NOW + ahead);
    sessions().purge(NOW + ahead).unwrap();
    assert_eq!(store.revocations(RevocationOptions::new()).unwrap().purge().unwrap(), 0);
    assert_eq!(keys().purge(NOW + ahead).unwrap(), 0, "{url} {ahead}");
    keys().wrap_peppers().unwrap();
    if ahead > 40 * DAY {
        let refused = sessions().refresh(started.refresh_token.expose(), None).unwrap_err();
        let kinds = [ErrorKind::SessionExpired, ErrorKind::InvalidConfiguration];
        assert!(kinds.contains(&refused.kind()), "{refused}");
    }

    clock.set(NOW + 1);
    sessions().refresh(started.refresh_token.expose(), None).unwrap();
    assert!(is_good(&keys(), &issued.secret), "{url} {ahead}: of before the rotation");
    assert!(is_good(&keys(), &next.secret), "{url} {ahead}");
}

/// The old secret is good for the overlap that was asked for, by the clock that is right.
#[test]
fn a_rotation_by_a_clock_that_ran_ahead_keeps_no_old_secret_for_longer() {
    on_each_store("rotated_ahead", |store| {
        for ahead in [2 * HOUR, 40 * DAY, 400 * YEAR] {
            let clock = Wall::new();
            let keys = keys(&store, &[1], &clock);
            let old = key(&keys, None);
            clock.set(NOW + ahead);
            let new = keys.rotate(&old.record.id, 60).unwrap();
            // And by the time that this test takes.
            let until = new.record.overlap_until.unwrap();
            assert!((NOW + 60..NOW + 600).contains(&until), "{ahead}: {until}");
            clock.set(until + 1);
            assert!(!is_good(&keys, &old.secret) && is_good(&keys, &new.secret), "{ahead}");
        }
    });
}
