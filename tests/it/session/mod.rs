//! Sessions: their life, how they end, and what an altered store or clock does to them.

mod altered;
mod clock;
mod ending;
mod forged;
mod issue;
mod life;
mod model;
#[cfg(feature = "sqlite")]
mod moved;
mod others;
mod put_back;
mod stores;
mod together;

use crate::fixtures::key;
use gatekey::clock::FixedClock;
use gatekey::jwk::KeySource;
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionOptions, SessionSpec, SessionTokens};
use gatekey::store::{Database, MemoryStore};
use gatekey::{
    Alg, Error, ErrorKind, Peppers, Policy, Secret, Sessions, Signer, Verified, Verifier,
};
use std::sync::Arc;

/// The time at which every test begins, in seconds since the Unix epoch.
pub(crate) const NOW: u64 = 1_800_000_000;
/// How long access tokens live here, in seconds.
const TTL: u64 = 900;
pub(crate) const DAY: u64 = 86_400;

/// Sessions with a clock that stands still, and a verifier of their access tokens.
struct Bench {
    sessions: Sessions,
    verifier: Verifier,
    clock: Arc<FixedClock>,
    store: Arc<dyn Database>,
}

pub(crate) fn peppers(numbers: &[u32]) -> Peppers {
    let secret = |n: u32| Secret::new(vec![u8::try_from(n).unwrap(); 32]);
    Peppers::new(&numbers.iter().map(|&n| (n, secret(n))).collect::<Vec<_>>()).unwrap()
}

fn signer() -> Signer {
    Signer::builder(key(Alg::Hs256)).issuer("https://auth.example").ttl(TTL).build().unwrap()
}

fn options(clock: &Arc<FixedClock>) -> SessionOptions {
    SessionOptions::new().clock(clock.clone())
}

fn verifier(sessions: &Sessions, clock: &Arc<FixedClock>) -> Verifier {
    let policy = Policy::new()
        .expect_issuer("https://auth.example")
        .clock(clock.clone())
        .revocations(Arc::new(sessions.revocations().clone()));
    Verifier::with_key(key(Alg::Hs256), policy).unwrap()
}

fn bench() -> Bench {
    bench_on(Arc::new(MemoryStore::new()))
}

fn bench_on(store: Arc<dyn Database>) -> Bench {
    bench_with(store, |options| options)
}

fn bench_with(
    store: Arc<dyn Database>,
    change: impl FnOnce(SessionOptions) -> SessionOptions,
) -> Bench {
    let clock = Arc::new(FixedClock::new(NOW));
    let options = change(options(&clock));
    let sessions = Sessions::open(store.clone(), peppers(&[1]), Some(&signer()), options).unwrap();
    let verifier = verifier(&sessions, &clock);
    Bench { sessions, verifier, clock, store }
}

impl Bench {
    fn start(&self, subject: &str) -> SessionTokens {
        self.sessions.start(subject, &SessionSpec::default()).unwrap()
    }

    fn refresh(&self, tokens: &SessionTokens) -> Result<SessionTokens, Error> {
        self.sessions.refresh(tokens.refresh_token.expose(), None)
    }

    fn verify(&self, tokens: &SessionTokens) -> Result<Verified, Error> {
        self.verifier.verify(tokens.access_token.expose())
    }

    /// Other handles on the same store, as another process has them, with a clock of their own.
    fn elsewhere(&self, numbers: &[u32]) -> Self {
        let clock = Arc::new(FixedClock::new(gatekey::Clock::now(&*self.clock)));
        let store = Arc::clone(&self.store);
        let sessions =
            Sessions::open(store.clone(), peppers(numbers), Some(&signer()), options(&clock))
                .unwrap();
        let verifier = verifier(&sessions, &clock);
        Self { sessions, verifier, clock, store }
    }
}

fn text(tokens: &SessionTokens) -> &str {
    tokens.refresh_token.expose_str()
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    outcome: Result<T, Error>,
    kind: ErrorKind,
    context: &str,
) -> Error {
    let error = outcome.expect_err(context);
    assert_eq!(error.kind(), kind, "{context}: {error:?}");
    error
}
