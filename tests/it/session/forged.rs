//! What an old pepper and a copy of the store are good for: nothing but a token that was used before.

use super::{Bench, NOW, options, peppers, refused, signer, text, verifier};
use gatekey::clock::FixedClock;
use gatekey::random::SecureRandom;
use gatekey::session::SessionTokens;
use gatekey::store::{Database, MemoryStore};
use gatekey::{Error, ErrorKind, Sessions};
use std::sync::Arc;

/// The same bytes always: sessions of two stores have the same id and seed, as if one had been copied.
struct Same;

impl SecureRandom for Same {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        out.fill(7);
        Ok(())
    }
}

/// Sessions under these peppers, and the token of such a number.
fn sessions_at(numbers: &[u32], counter: u32) -> (Bench, SessionTokens) {
    let clock = Arc::new(FixedClock::new(NOW));
    let store: Arc<dyn Database> = Arc::new(MemoryStore::new());
    let options = options(&clock).random(Arc::new(Same));
    let sessions =
        Sessions::open(store.clone(), peppers(numbers), Some(&signer()), options).unwrap();
    let verifier = verifier(&sessions, &clock);
    let bench = Bench { sessions, verifier, clock, store };
    let mut tokens = bench.start("alice");
    for _ in 1..counter {
        tokens = bench.refresh(&tokens).unwrap();
    }
    (bench, tokens)
}

#[test]
fn an_old_pepper_ends_no_session_by_a_token_that_never_was() {
    for counter in [3, 4, 20] {
        let (bench, tokens) = sessions_at(&[1, 2], 2);
        let (_, forged) = sessions_at(&[1], counter);
        assert_eq!(forged.family(), tokens.family(), "else it would be no forgery");
        let end = bench.sessions.end(text(&forged));
        refused(end, ErrorKind::InvalidRefreshToken, &format!("end by number {counter}"));
        refused(bench.refresh(&forged), ErrorKind::InvalidRefreshToken, "refresh");
        assert!(bench.verify(&tokens).is_ok(), "{counter}: nothing has ended");
        assert!(bench.refresh(&tokens).is_ok(), "{counter}");
    }
}

#[test]
fn a_later_pepper_proves_nothing_of_a_session_that_was_before_it() {
    let (bench, tokens) = sessions_at(&[1], 3);
    let bench = bench.elsewhere(&[1, 2]);
    let (_, forged) = sessions_at(&[2], 2);
    assert_eq!(forged.family(), tokens.family());
    refused(bench.sessions.end(text(&forged)), ErrorKind::InvalidRefreshToken, "end");
    refused(bench.refresh(&forged), ErrorKind::InvalidRefreshToken, "refresh");
    let (_, used) = sessions_at(&[1], 1);
    assert!(bench.refresh(&tokens).is_ok(), "nothing has ended");
    refused(bench.refresh(&used), ErrorKind::TokenReuse, "one that was used indeed");
}

#[test]
fn a_token_of_a_later_state_is_refused_and_says_why() {
    let (bench, _) = sessions_at(&[1], 2);
    let (_, later) = sessions_at(&[1], 5);
    for outcome in [bench.refresh(&later).map(drop), bench.sessions.end(text(&later)).map(drop)] {
        let error = refused(outcome, ErrorKind::InvalidRefreshToken, "of a later state");
        assert!(error.message().contains("backup"), "{error}");
    }
}
