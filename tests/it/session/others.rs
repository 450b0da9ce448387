//! Everywhere but here: one session is kept whatever happens meanwhile, all others end.

use super::{NOW, bench, refused, text};
use gatekey::ErrorKind;
use gatekey::session::SessionEnd;
use std::sync::Barrier;

#[test]
fn all_but_one_end() {
    let bench = bench();
    let kept = bench.start("alice");
    let others: Vec<_> = (0..3).map(|_| bench.start("alice")).collect();
    let over = bench.start("alice");
    bench.sessions.end(text(&over)).unwrap();
    let bob = bench.start("bob");
    assert_eq!(bench.sessions.end_others("alice", kept.family()).unwrap(), 3);
    for tokens in &others {
        refused(bench.verify(tokens), ErrorKind::RevokedToken, "its access token");
        refused(bench.refresh(tokens), ErrorKind::SessionEnded, "its refresh token");
        let record = bench.sessions.get(tokens.family()).unwrap();
        assert_eq!(record.end, Some(SessionEnd::LogOutEverywhere));
    }
    for tokens in [&kept, &bob] {
        assert!(bench.verify(tokens).is_ok());
        assert!(bench.refresh(tokens).is_ok());
    }
    assert_eq!(bench.sessions.end_others("alice", kept.family()).unwrap(), 0);
    let again = bench.start("alice");
    assert!(bench.verify(&again).is_ok(), "a later log-in in the same second");
}

/// Row 749.
#[test]
fn nothing_ends_where_the_one_to_keep_is_not_the_subjects() {
    let bench = bench();
    let (alice, bob) = (bench.start("alice"), bench.start("bob"));
    for family in [bob.family(), "0123456789Ab", "", "no id", text(&alice)] {
        let ended = bench.sessions.end_others("alice", family);
        refused(ended, ErrorKind::SessionNotFound, family);
    }
    refused(bench.sessions.end_others("", alice.family()), ErrorKind::InvalidArgument, "nobody");
    assert!(bench.verify(&alice).is_ok() && bench.verify(&bob).is_ok());
    let gone = bench.start("alice");
    bench.sessions.end(text(&gone)).unwrap();
    let ended = bench.sessions.end_others("alice", gone.family());
    refused(ended, ErrorKind::SessionEnded, "it is over itself");
    assert!(bench.refresh(&alice).is_ok());
}

/// Row 749.
#[test]
fn the_one_that_is_kept_goes_on_while_others_come_and_refresh() {
    let bench = bench();
    let mut kept = bench.start("alice");
    let family = kept.family().to_owned();
    let ready = Barrier::new(3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            ready.wait();
            for _ in 0..40 {
                let mut tokens = bench.start("alice");
                // Either it goes on, or it was ended: nothing else.
                for _ in 0..3 {
                    match bench.refresh(&tokens) {
                        Ok(next) => tokens = next,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::SessionEnded);
                            break;
                        }
                    }
                }
            }
        });
        scope.spawn(|| {
            ready.wait();
            for _ in 0..40 {
                bench.sessions.end_others("alice", &family).unwrap();
            }
        });
        ready.wait();
        for _ in 0..40 {
            kept = bench.refresh(&kept).expect("it is kept");
            assert!(bench.verify(&kept).is_ok());
        }
    });
    bench.sessions.end_others("alice", &family).unwrap();
    let live: Vec<_> = bench.sessions.list("alice").unwrap();
    assert_eq!(live.iter().map(|one| &*one.family).collect::<Vec<_>>(), [&*family]);
    bench.clock.set(NOW + 1);
    assert!(bench.refresh(&kept).is_ok());
}
