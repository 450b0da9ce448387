//! API keys as a service sees them: every reason of refusal, every change, limits, peppers, imports,
//! and what happens when the store or someone else interferes.

#[cfg(feature = "sqlite")]
mod altered;
mod changes;
mod clock;
mod format;
mod import;
#[cfg(feature = "sqlite")]
mod in_memory;
mod limits;
#[cfg(all(unix, feature = "sqlite"))]
mod limits_overwritten;
#[cfg(feature = "sqlite")]
mod mixed;
#[cfg(feature = "sqlite")]
mod moved;
mod owned;
mod peppers;
mod put_back;
mod refusals;
#[cfg(all(unix, feature = "sqlite"))]
mod shared_limits;
mod stores;
mod upgrades;
mod verify;

pub(crate) use stores::Folder;

use gatekey::apikey::{ApiKeyOptions, IssuedKey, KeySpec};
use gatekey::clock::FixedClock;
use gatekey::store::{Database, MemoryStore};
use gatekey::{ApiKeys, Error, ErrorKind, Peppers, Secret};
use std::sync::Arc;

/// The time at which every test begins, in seconds since the Unix epoch.
const NOW: u64 = 1_800_000_000;

/// Keys in memory with a clock that stands still.
struct Bench {
    keys: ApiKeys,
    clock: Arc<FixedClock>,
    store: Arc<dyn Database>,
}

fn pepper(numbers: &[u32]) -> Peppers {
    let secrets: Vec<_> =
        numbers.iter().map(|&n| (n, Secret::new(vec![u8::try_from(n).unwrap(); 32]))).collect();
    Peppers::new(&secrets).unwrap()
}

fn bench() -> Bench {
    bench_on(Arc::new(MemoryStore::new()))
}

fn bench_on(store: Arc<dyn Database>) -> Bench {
    let clock = Arc::new(FixedClock::new(NOW));
    let options = ApiKeyOptions::new().clock(clock.clone());
    let keys = ApiKeys::open(Arc::clone(&store), pepper(&[1]), options).unwrap();
    Bench { keys, clock, store }
}

impl Bench {
    fn create(&self, change: impl FnOnce(&mut KeySpec)) -> IssuedKey {
        let mut spec = KeySpec::new("acme");
        change(&mut spec);
        self.keys.create(&spec).unwrap()
    }

    /// Other handles on the same store, as another process has them.
    fn reopen(&self, peppers: &[u32]) -> Result<ApiKeys, Error> {
        let options = ApiKeyOptions::new().clock(self.clock.clone());
        ApiKeys::open(Arc::clone(&self.store), pepper(peppers), options)
    }
}

fn text(issued: &IssuedKey) -> String {
    issued.secret.expose_str().to_owned()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: ErrorKind, context: &str) -> Error {
    let error = outcome.expect_err(context);
    assert_eq!(error.kind(), kind, "{context}: {error:?}");
    error
}
