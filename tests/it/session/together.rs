//! Several threads with the same refresh token at the same time.

#[cfg(feature = "sqlite")]
use super::bench_on;
use super::{Bench, bench, refused, text};
use crate::rounds::rounds;
use gatekey::ErrorKind;
use gatekey::session::{SessionEnd, SessionEventFilter, SessionTokens};
use std::collections::HashSet;
use std::sync::Barrier;

const THREADS: usize = 8;

fn at_once(bench: &Bench, tokens: &SessionTokens) -> Vec<Result<SessionTokens, gatekey::Error>> {
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    bench.refresh(tokens)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn one_rotation(bench: &Bench) {
    let mut tokens = bench.start("alice");
    for round in 1..=20 {
        bench.clock.advance(60);
        let got: Vec<_> =
            at_once(bench, &tokens).into_iter().map(|got| got.expect("within the grace")).collect();
        let refresh: HashSet<&str> = got.iter().map(text).collect();
        assert_eq!(refresh.len(), 1, "everybody has the same refresh token");
        let access: HashSet<_> = got.iter().map(|one| one.access_token.expose()).collect();
        assert_eq!(access.len(), THREADS, "and an access token of their own");
        assert!(got.iter().all(|one| bench.verify(one).is_ok()));
        let record = bench.sessions.get(tokens.family()).unwrap();
        assert_eq!((record.refreshes, record.ended_at), (round, None), "one rotation");
        tokens = got.into_iter().next().unwrap();
    }
}

fn one_end(bench: &Bench) {
    let first = bench.start("alice");
    bench.clock.advance(60);
    let second = bench.refresh(&first).unwrap();
    bench.clock.advance(11);
    for got in at_once(bench, &first) {
        refused(got, ErrorKind::TokenReuse, "all see it");
    }
    refused(bench.refresh(&second), ErrorKind::TokenReuse, "the owner too");
    refused(bench.verify(&second), ErrorKind::RevokedToken, "and at once");
    assert_eq!(bench.sessions.get(first.family()).unwrap().end, Some(SessionEnd::Reuse));
    let filter =
        SessionEventFilter { family: Some(first.family().to_owned()), ..Default::default() };
    let events = bench.sessions.events(&filter).unwrap().records;
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["start", "reuse"], "it died once");
}

#[test]
fn eight_threads_rotate_once() {
    one_rotation(&bench());
}

#[test]
fn eight_threads_after_the_grace_end_the_session_once() {
    for _ in 0..rounds(5) {
        one_end(&bench());
    }
}

#[test]
fn a_log_out_beats_every_refresh_that_comes_after_it() {
    for _ in 0..rounds(10) {
        let bench = bench();
        let tokens = bench.start("alice");
        let barrier = Barrier::new(2);
        let (refreshed, ended) = std::thread::scope(|scope| {
            let refresh = scope.spawn(|| {
                barrier.wait();
                bench.refresh(&tokens)
            });
            barrier.wait();
            let ended = bench.sessions.end_by_id(tokens.family(), None).unwrap();
            (refresh.join().unwrap(), ended)
        });
        assert!(ended);
        // Whoever came first: nothing that was handed out is good now.
        for pair in refreshed.iter().chain([&tokens]) {
            refused(bench.verify(pair), ErrorKind::RevokedToken, "its access token");
            refused(bench.refresh(pair), ErrorKind::SessionEnded, "its refresh token");
        }
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn in_sqlite_too() {
    let folder = crate::apikey::Folder::new("sessions_together");
    let open = |name: &str| {
        let store = gatekey::store::SqliteStore::open(folder.path(name)).unwrap();
        bench_on(std::sync::Arc::new(store))
    };
    one_rotation(&open("a.sqlite"));
    one_end(&open("b.sqlite"));
}
