//! Sessions and clocks that were set: a clock alone ends none, and nothing lives longer by it.

use super::{DAY, NOW, Wall, on_each_store, peppers, sessions};
use gatekey::clock::FixedClock;
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::store::{Database, MemoryStore};
use gatekey::{Alg, ErrorKind, Policy, Revocations, Secret, Sessions, Signer, Verifier};
use std::sync::Arc;

/// A client that lost an answer asks again, and the clock was set before, in between or after: whatever it says, the
/// session goes on with its newest refresh token.
#[test]
fn a_clock_alone_ends_no_session() {
    const STEPS: [i64; 7] = [-40 * 86_400, -7200, -30, 30, 3500, 7200, 40 * 86_400];
    let by = |step: i64| NOW.checked_add_signed(step).unwrap();
    let mut cases: Vec<(u64, u64)> = Vec::new();
    for step in STEPS {
        cases.extend([(by(step), NOW + 1), (by(step), by(step) + 1)]);
        // Up to an hour ahead is taken for time that has passed.
        if !(0..=3600).contains(&step) {
            cases.push((NOW, by(step)));
        }
    }
    on_each_store("a_clock_alone", |store| {
        for (at, again) in cases.clone() {
            // By the process that knew the right time before, or by one that was started with the wrong one.
            for elsewhere in [false, true] {
                let clock = Wall::new();
                let here = sessions(&store, &[1], &clock);
                let first = here.start("alice", &SessionSpec::default()).unwrap().refresh_token;
                clock.set(at);
                let there = sessions(&store, &[1], &clock);
                let refreshing = if elsewhere { &there } else { &here };
                let second = refreshing.refresh(first.expose(), None).map(|two| two.refresh_token);
                let newest = second.as_ref().unwrap_or(&first);
                clock.set(again);
                let what = format!("{at}, {again}, elsewhere: {elsewhere}");
                match here.refresh(first.expose(), None) {
                    Ok(same) if second.is_ok() => {
                        assert_eq!(same.refresh_token.expose(), newest.expose(), "{what}");
                    }
                    Ok(_) => continue, // it was refused and not used
                    Err(error) => assert!(
                        error.kind() == ErrorKind::InvalidRefreshToken
                            || error.kind() == ErrorKind::SessionExpired,
                        "{what}: {error:?}"
                    ),
                }
                clock.set(NOW + 2);
                let on = here.refresh(newest.expose(), None);
                // Who was started in the far future and knows nothing else has ended it.
                let is_over = elsewhere && at > NOW + 7 * DAY;
                assert_eq!(on.is_ok(), !is_over, "{what}: {on:?}");
            }
        }
    });
}

/// What is used again while the clock is right is reuse all the same, also soon after the clock was wrong.
#[test]
fn reuse_ends_a_session_whatever_the_clock_was() {
    on_each_store("reuse_whatever", |store| {
        for step in [-7200_i64, 3500, 7200] {
            let clock = Wall::new();
            let made = sessions(&store, &[1], &clock);
            let refresh = |tokens: &Secret| made.refresh(tokens.expose(), None);
            let first = made.start("alice", &SessionSpec::default()).unwrap();
            clock.set(NOW.checked_add_signed(step).unwrap());
            let second = refresh(&first.refresh_token).unwrap();
            clock.set(NOW + 60);
            // The one before the last: two hold the session, by no clock.
            let third = refresh(&second.refresh_token).unwrap();
            let reused = refresh(&first.refresh_token).unwrap_err();
            assert_eq!(reused.kind(), ErrorKind::TokenReuse, "{step}");
            assert_eq!(refresh(&third.refresh_token).unwrap_err().kind(), ErrorKind::TokenReuse);
            // And the last one, by who does not know of a wrong clock.
            let made = sessions(&store, &[1], &clock);
            let refresh = |tokens: &Secret| made.refresh(tokens.expose(), None);
            let first = made.start("bob", &SessionSpec::default()).unwrap();
            let second = refresh(&first.refresh_token).unwrap();
            clock.set(NOW + 120);
            assert_eq!(
                refresh(&first.refresh_token).unwrap_err().kind(),
                ErrorKind::TokenReuse,
                "{step}"
            );
            assert_eq!(
                refresh(&second.refresh_token).unwrap_err().kind(),
                ErrorKind::TokenReuse,
                "{step}"
            );
        }
    });
}

/// Tokens before the last but one are reuse also by a clock by which the session has expired.
#[test]
fn an_older_token_is_reuse_by_a_clock_that_ran_past_the_end() {
    on_each_store("older_is_reuse", |store| {
        for ahead in [7200, 8 * DAY, 91 * DAY] {
            let clock = Wall::new();
            let made = sessions(&store, &[1], &clock);
            let refresh = |token: &Secret| made.refresh(token.expose(), None);
            let first = made.start("alice", &SessionSpec::default()).unwrap().refresh_token;
            let second = refresh(&first).unwrap().refresh_token;
            let third = refresh(&second).unwrap().refresh_token;
            clock.set(NOW + ahead);
            assert_eq!(refresh(&first).unwrap_err().kind(), ErrorKind::TokenReuse, "{ahead}");
            clock.set(NOW + 1);
            assert_eq!(refresh(&third).unwrap_err().kind(), ErrorKind::TokenReuse, "{ahead}");
        }
    });
}

/// An access token that a clock has dated ahead is good for longer, and refused for as long after the end.
#[test]
fn the_end_of_a_session_covers_tokens_that_were_dated_ahead() {
    on_each_store("dated_ahead", |store| {
        for ahead in [120, 3500, 7200, DAY, 6 * DAY] {
            let what = format!("{ahead}");
            let clock = Wall::new();
            let made = sessions(&store, &[1], &clock);
            let first = made.start("alice", &SessionSpec::default()).unwrap().refresh_token;
            let mut late = Vec::new();
            clock.set(NOW + ahead);
            let second = made.refresh(first.expose(), None).unwrap();
            late.push(second.access_token);
            // The lost answer, once more.
            late.push(made.refresh(first.expose(), None).unwrap().access_token);
            clock.set(NOW + 1);
            let third = made.refresh(second.refresh_token.expose(), None).unwrap();
            clock.set(NOW + 300);
            let last = made.refresh(third.refresh_token.expose(), None).unwrap();
            clock.set(NOW + 301);
            made.end(last.refresh_token.expose()).unwrap();
            for at in [NOW + 301, NOW + 2000, NOW + ahead, NOW + ahead + 899, NOW + ahead + 905] {
                let clock = Arc::new(FixedClock::new(at));
                let options = RevocationOptions::new().clock(clock.clone());
                let list = Revocations::open(store.clone(), options).unwrap();
                list.purge().unwrap();
                let policy = Policy::new().clock(clock).revocations(Arc::new(list));
                let verifier =
                    Verifier::with_key(crate::fixtures::key(Alg::Hs256), policy).unwrap();
                for token in &late {
                    assert!(verifier.verify(token.expose()).is_err(), "{what} {at}");
                }
            }
        }
    });
}

/// A lost answer that is repeated by a clock that ran ahead is dated as the row is.
#[test]
fn a_repeated_answer_is_not_dated_ahead() {
    on_each_store("repeated_ahead", |store| {
        let clock = Wall::new();
        let made = sessions(&store, &[1], &clock);
        let first = made.start("alice", &SessionSpec::default()).unwrap().refresh_token;
        made.refresh(first.expose(), None).unwrap();
        clock.set(NOW + DAY);
        let again = made.refresh(first.expose(), None).unwrap();
        let verified = {
            let clock = Arc::new(FixedClock::new(NOW + 1));
            let policy = Policy::new().clock(clock);
            let verifier = Verifier::with_key(crate::fixtures::key(Alg::Hs256), policy).unwrap();
            verifier.verify(again.access_token.expose()).unwrap()
        };
        let expires_at = verified.expires_at().unwrap();
        assert!(expires_at <= i64::try_from(NOW + 960).unwrap(), "{expires_at}");
    });
}

/// The date of a clock that ran ahead comes true: a token that was used is not good by it.
#[test]
fn a_wrong_date_that_comes_true_is_no_grace() {
    on_each_store("comes_true", |store| {
        for ahead in [7200, 2 * DAY] {
            let clock = Wall::new();
            let made = sessions(&store, &[1], &clock);
            let first = made.start("alice", &SessionSpec::default()).unwrap().refresh_token;
            clock.set(NOW + ahead);
            let second = made.refresh(first.expose(), None).unwrap().refresh_token;
            let again = made.refresh(first.expose(), None).unwrap().refresh_token;
            assert_eq!(again.expose(), second.expose(), "at once, by the same clock");
            let later = sessions(&store, &[1], &clock);
            for at in [0, 1, 10] {
                clock.set(NOW + ahead + at);
                let error = later.refresh(first.expose(), None).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidRefreshToken, "{ahead} {at}");
            }
            assert!(later.refresh(second.expose(), None).is_ok(), "{ahead}: the newest one is");
        }
    });
}

/// The fractions of two clocks say nothing of each other.
#[test]
fn a_short_grace_ends_no_session_by_a_clock_that_ran_ahead() {
    for grace in [100, 500, 1000] {
        for turn in 0..20 {
            let clock = Wall::new();
            let store: Arc<dyn Database> = Arc::new(MemoryStore::new());
            let key = crate::fixtures::key(Alg::Hs256);
            let signer = Signer::builder(key).ttl(900).clock(clock.clone()).build().unwrap();
            let options = SessionOptions::new().clock(clock.clone()).grace_ms(grace);
            let made = Sessions::open(store, peppers(&[1]), Some(&signer), options).unwrap();
            let first = made.start("alice", &SessionSpec::default()).unwrap().refresh_token;
            let second = made.refresh(first.expose(), None).unwrap().refresh_token;
            std::thread::sleep(std::time::Duration::from_millis(turn * 7));
            clock.set(NOW + 2 * DAY);
            if let Err(error) = made.refresh(first.expose(), None) {
                assert_eq!(error.kind(), ErrorKind::InvalidRefreshToken, "{grace} {turn}");
            }
            clock.set(NOW);
            assert!(made.refresh(second.expose(), None).is_ok(), "{grace} {turn}");
        }
    }
}

/// What is over stays over, should the clock step back.
#[test]
fn a_session_is_over_by_the_latest_date_that_is_known() {
    on_each_store("over_stays_over", |store| {
        let clock = Wall::new();
        let key = crate::fixtures::key(Alg::Hs256);
        let signer = Signer::builder(key).ttl(900).clock(clock.clone()).build().unwrap();
        let options =
            SessionOptions::new().clock(clock.clone()).refresh_ttl(1000).absolute_ttl(1500);
        let made = Sessions::open(store, peppers(&[1]), Some(&signer), options).unwrap();
        let first = made.start("alice", &SessionSpec::default()).unwrap().refresh_token;
        clock.set(NOW + 3500);
        made.start("bob", &SessionSpec::default()).unwrap();
        clock.set(NOW + 10);
        let error = made.refresh(first.expose(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
    });
}
