//! Clocks that step back: nothing that was refused as too old becomes good again.

use super::{Bench, DAY, NOW, TTL, bench, bench_on, refused, text};
use gatekey::clock::FixedClock;
use gatekey::revocations::{RevocationOptions, RevokeScope};
use gatekey::session::SessionTokens;
use gatekey::store::{Database, MemoryStore};
use gatekey::{ErrorKind, Revocations};
use std::sync::Arc;

const HOUR: u64 = 3600;

#[test]
fn an_expired_session_stays_expired() {
    let bench = bench();
    let tokens = bench.start("alice");
    bench.clock.set(NOW + 7 * DAY);
    refused(bench.refresh(&tokens), ErrorKind::SessionExpired, "idle");
    bench.clock.set(NOW + 7 * DAY - HOUR);
    refused(bench.refresh(&tokens), ErrorKind::SessionExpired, "an hour back");
    let restarted = bench.elsewhere(&[1]);
    refused(restarted.refresh(&tokens), ErrorKind::SessionExpired, "and after a restart");
}

#[test]
fn an_expired_access_token_stays_expired() {
    let bench = bench();
    let tokens = bench.start("alice");
    assert!(bench.verify(&tokens).is_ok());
    bench.clock.set(NOW + TTL);
    refused(bench.verify(&tokens), ErrorKind::Expired, "expired");
    bench.clock.set(NOW + TTL - HOUR / 8);
    refused(bench.verify(&tokens), ErrorKind::Expired, "a step back");
}

#[test]
fn the_grace_does_not_begin_anew() {
    let bench = bench();
    let first = bench.start("alice");
    bench.clock.advance(HOUR + 60);
    let second = bench.refresh(&first).unwrap();
    bench.clock.set(NOW + 60);
    refused(
        bench.refresh(&first),
        ErrorKind::InvalidRefreshToken,
        "an hour before it was used is not within, and the clock alone ends nothing",
    );
    bench.clock.set(NOW + HOUR + 71);
    refused(bench.refresh(&first), ErrorKind::TokenReuse, "when the clock is right, it is reuse");
    refused(bench.refresh(&second), ErrorKind::TokenReuse, "ended");
}

#[test]
fn what_was_forgotten_is_not_accepted_again() {
    let bench = bench();
    let tokens = bench.start("alice");
    bench.sessions.end_by_id(tokens.family(), None).unwrap();
    bench.clock.set(NOW + DAY);
    assert!(bench.sessions.revocations().purge().unwrap() > 0);
    assert!(bench.sessions.revocations().is_empty());
    bench.clock.set(NOW + 1);
    refused(bench.verify(&tokens), ErrorKind::Expired, "the entry is gone, the token too old");
    // A process that has never seen the later time knows it from the store.
    let restarted = bench.elsewhere(&[1]);
    restarted.clock.set(NOW + 1);
    refused(restarted.verify(&tokens), ErrorKind::Expired, "after a restart");
    let fresh = restarted.start("alice");
    assert!(
        restarted.verify(&fresh).is_ok(),
        "what is younger than all that was forgotten is good"
    );
}

#[test]
fn a_token_for_one_use_is_not_used_twice() {
    let clock = Arc::new(FixedClock::new(NOW));
    let store = Arc::new(MemoryStore::new());
    let options = RevocationOptions::new().clock(clock.clone());
    let revocations = Revocations::open(store.clone(), options.clone()).unwrap();
    assert!(revocations.seen_once("a", "1", NOW + 60).unwrap());
    clock.set(NOW + DAY);
    revocations.refresh().unwrap();
    for n in 0..100 {
        assert!(revocations.seen_once("a", &format!("x{n}"), NOW + DAY + 60).unwrap());
    }
    clock.set(NOW + 1);
    assert!(!revocations.seen_once("a", "1", NOW + 60).unwrap(), "it had expired");
    assert!(!revocations.seen_once("a", "x5", NOW + DAY + 60).unwrap());
    let restarted = Revocations::open(store, options).unwrap();
    assert!(!restarted.seen_once("a", "1", NOW + 60).unwrap(), "nor after a restart");
    assert!(restarted.seen_once("a", "2", NOW + DAY).unwrap());
}

type Revoke = fn(&Bench, &SessionTokens);

/// Every call that revokes by the time at which it is made.
fn revokers() -> [(&'static str, Revoke); 6] {
    [
        ("end", |bench, tokens| assert!(bench.sessions.end(text(tokens)).unwrap())),
        ("end_by_id", |bench, tokens| {
            assert!(bench.sessions.end_by_id(tokens.family(), None).unwrap());
        }),
        ("end_all", |bench, _| assert_eq!(bench.sessions.end_all("alice").unwrap(), 1)),
        ("revoke_session", |bench, tokens| {
            bench.sessions.revocations().revoke_session(tokens.family()).unwrap();
        }),
        ("revoke_subject", |bench, _| {
            bench.sessions.revocations().revoke_subject("alice").unwrap();
        }),
        ("revoke_before", |bench, _| {
            let now = gatekey::Clock::now(&*bench.clock);
            bench.sessions.revocations().revoke_before(now + 1, RevokeScope::All).unwrap();
        }),
    ]
}

/// What is revoked while the clock is behind stays revoked, whatever is forgotten, also after a restart.
fn a_clock_behind_revokes_for_as_long(open: &dyn Fn(usize) -> Arc<dyn Database>) {
    let clocks = [NOW - TTL - 601, NOW - HOUR, NOW - 40 * DAY, 1];
    let cases = clocks.iter().flat_map(|behind| revokers().map(|revoker| (*behind, revoker)));
    let cases =
        cases.flat_map(|case| ["here", "elsewhere", "begun behind"].map(|place| (case, place)));
    for (at, ((behind, (how, revoke)), place)) in cases.enumerate() {
        let what = format!("{how} at {behind}, {place}");
        let bench = bench_on(open(at));
        let tokens = bench.start("alice");
        bench.verify(&tokens).unwrap();
        if place == "begun behind" {
            bench.clock.set(behind);
        }
        let other = bench.elsewhere(&[1]);
        let revoker = if place == "here" { &bench } else { &other };
        revoker.clock.set(behind);
        revoke(revoker, &tokens);
        bench.clock.set(NOW + 2);
        refused(bench.verify(&tokens), ErrorKind::RevokedToken, &what);
        bench.sessions.revocations().purge().unwrap();
        // Who has seen the right time keeps it; of others it is at least known how old its tokens were.
        let kind = bench.verify(&tokens).expect_err(&what).kind();
        let is_kept = kind == ErrorKind::RevokedToken;
        assert!(
            is_kept || kind == ErrorKind::Expired && place == "begun behind",
            "{what}: {kind:?}"
        );
        let restarted = bench.elsewhere(&[1]);
        assert!(restarted.verify(&tokens).is_err(), "{what}: after a restart");
        let fresh = restarted.start("alice");
        assert!(restarted.verify(&fresh).is_ok(), "{what}: a later log-in is good");
        assert!(bench.verify(&fresh).is_ok(), "{what}: here as well");
    }
}

/// The row of a session says when its last access token was made, so that a clock that was never right ends it for as
/// long as that lives, also where only a process that starts later forgets what is over.
#[test]
fn a_session_ends_for_as_long_as_its_tokens_live_whatever_the_clock_says() {
    for (behind, (how, revoke)) in [NOW - HOUR, NOW - 40 * DAY, 1]
        .into_iter()
        .flat_map(|behind| revokers().into_iter().take(3).map(move |revoker| (behind, revoker)))
    {
        let what = format!("{how} at {behind}");
        let bench = bench();
        bench.clock.set(behind);
        let revoker = bench.elsewhere(&[1]); // has seen no other time
        bench.clock.set(NOW);
        let tokens = bench.elsewhere(&[1]).start("alice"); // by a process that has ended
        let refreshed = NOW + 8 * HOUR;
        bench.clock.set(refreshed);
        let tokens = bench.elsewhere(&[1]).refresh(&tokens).unwrap();
        revoke(&revoker, &tokens);
        for time in [refreshed + 1, refreshed + TTL - 1] {
            bench.clock.set(time);
            let later = bench.elsewhere(&[1]);
            later.sessions.revocations().purge().unwrap();
            refused(later.verify(&tokens), ErrorKind::RevokedToken, &what);
        }
        bench.clock.set(refreshed + TTL + 600 + 61);
        assert!(bench.elsewhere(&[1]).sessions.revocations().purge().unwrap() > 0, "{what}: over");
    }
}

/// The other calls name no session whose row could tell: the difference between `max_token_ttl` and the life of the
/// tokens is by how much their clock may be behind, where nobody has followed the store meanwhile.
#[test]
fn a_clock_that_was_never_right_may_be_behind_by_less_than_the_longest_life() {
    for (how, revoke) in revokers().into_iter().skip(3) {
        let bench = bench();
        bench.clock.set(NOW - 29 * DAY);
        let revoker = bench.elsewhere(&[1]);
        bench.clock.set(NOW);
        let tokens = bench.elsewhere(&[1]).start("alice");
        revoke(&revoker, &tokens);
        for time in [NOW + 1, NOW + TTL - 1] {
            bench.clock.set(time);
            let later = bench.elsewhere(&[1]);
            later.sessions.revocations().purge().unwrap();
            refused(later.verify(&tokens), ErrorKind::RevokedToken, how);
        }
    }
}

#[test]
fn a_clock_behind_revokes_for_as_long_in_memory() {
    a_clock_behind_revokes_for_as_long(&|_| Arc::new(MemoryStore::new()));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_clock_behind_revokes_for_as_long_in_sqlite() {
    let folder = crate::apikey::Folder::new("sessions_clock_behind");
    a_clock_behind_revokes_for_as_long(&|at| {
        Arc::new(gatekey::store::SqliteStore::open(folder.path(&format!("{at}.sqlite"))).unwrap())
    });
}
