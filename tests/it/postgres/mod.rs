//! What is PostgreSQL's own: the chain of changes, servers that stop, are copied or fall silent, names
//! that others plant, rights. That it keeps the promises of every store is in the suites of those.

mod certificates;
mod changes;
mod durability;
mod failover;
mod feed;
mod hostile;
mod names;
mod relay;
pub(crate) mod server;

use gatekey::ErrorKind;

pub(crate) use server::{Place, Server, open, wait_for};

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    outcome: Result<T, gatekey::Error>,
    kind: ErrorKind,
    words: &str,
) {
    let error = outcome.expect_err(words);
    assert_eq!(error.kind(), kind, "{words}: {error:?}");
    let said = format!("{error} {error:?}");
    assert!(said.contains(words), "{words}: {said}");
    for secret in [server::PASSWORD, "Zx9", "kQ%40"] {
        assert!(!said.contains(secret), "{said}");
    }
}
