//! Old rows that someone puts back into the store: as long as the end of a session is remembered as a revocation, no
//! row makes it live again. What is not noticed is shown as well.

use super::{Bench, DAY, TTL, bench, bench_on, refused, text};
use gatekey::ErrorKind;
use gatekey::session::{SessionEnd, SessionTokens};
use gatekey::store::{Database, MemoryStore, SessionWrite, StoredSession};
use std::sync::Arc;

/// Puts the row in the place of what is there, whatever that is.
fn put_back(bench: &Bench, row: &StoredSession) {
    let write = SessionWrite { end: vec![row.clone()], ..SessionWrite::default() };
    bench.store.write_sessions(&write).unwrap();
}

fn row_of(bench: &Bench, tokens: &SessionTokens) -> StoredSession {
    bench.store.session(tokens.family()).unwrap().unwrap()
}

type End = fn(&Bench, &SessionTokens);

/// Everything that ends a session, or revokes its access tokens.
fn ends() -> [(&'static str, End); 7] {
    [
        ("end", |bench, tokens| assert!(bench.sessions.end(text(tokens)).unwrap())),
        ("end_by_id", |bench, tokens| {
            assert!(bench.sessions.end_by_id(tokens.family(), None).unwrap());
        }),
        ("end_all", |bench, _| assert_eq!(bench.sessions.end_all("alice").unwrap(), 1)),
        ("end_under_pepper", |bench, _| {
            assert_eq!(bench.elsewhere(&[1, 2]).sessions.end_under_pepper(1).unwrap(), 1);
        }),
        ("reuse", |bench, tokens| {
            let second = bench.refresh(tokens).unwrap();
            bench.refresh(&second).unwrap();
            refused(bench.refresh(tokens), ErrorKind::TokenReuse, "the first again");
        }),
        ("an altered row's end", |bench, tokens| {
            let altered = StoredSession { access_ttl: 1, ..row_of(bench, tokens) };
            put_back(bench, &altered);
            assert!(bench.sessions.end_by_id(tokens.family(), None).unwrap());
        }),
        ("revoke_session", |bench, tokens| {
            bench.sessions.revocations().revoke_session(tokens.family()).unwrap();
        }),
    ]
}

fn no_row_revives_what_has_ended(open: &dyn Fn(usize) -> Arc<dyn Database>) {
    for (at, (how, end)) in ends().into_iter().enumerate() {
        let bench = bench_on(open(at));
        let tokens = bench.start("alice");
        let row = row_of(&bench, &tokens);
        let other = bench.elsewhere(&[1]);
        end(&bench, &tokens);
        for (who, place) in
            [("here", &bench), ("elsewhere", &other), ("later", &bench.elsewhere(&[1]))]
        {
            put_back(&bench, &row);
            refused(place.refresh(&tokens), ErrorKind::SessionEnded, &format!("{how}, {who}"));
            let record = place.sessions.get(tokens.family()).unwrap();
            assert_eq!(record.end, Some(SessionEnd::LogOut), "{how}, {who}: written down again");
        }
        // So it stays when the revocation is forgotten.
        bench.clock.set(super::NOW + 60 * DAY);
        bench.sessions.revocations().purge().unwrap();
        refused(bench.refresh(&tokens), ErrorKind::SessionEnded, how);
        assert!(bench.refresh(&bench.start("alice")).is_ok(), "{how}: a later session is good");
    }
}

#[test]
fn no_row_revives_what_has_ended_in_memory() {
    no_row_revives_what_has_ended(&|_| Arc::new(MemoryStore::new()));
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
fn no_row_revives_what_has_ended_in_postgres() {
    for place in crate::postgres::Place::each("no_row_revives_what_has_ended_in_postgres") {
        no_row_revives_what_has_ended(&|_| Arc::new(place.store()));
    }
}

/// What SECURITY.md says is not noticed.
#[test]
fn an_old_row_is_believed_where_nothing_remembers_its_end() {
    let bench = bench();
    let tokens = bench.start("alice");
    let row = row_of(&bench, &tokens);
    assert!(bench.sessions.end(text(&tokens)).unwrap());
    bench.clock.set(super::NOW + TTL + 600);
    bench.sessions.revocations().purge().unwrap();
    put_back(&bench, &row);
    assert!(bench.refresh(&tokens).is_ok(), "the revocation is forgotten");

    let used = bench.start("bob");
    let row = row_of(&bench, &used);
    let next = bench.refresh(&used).unwrap();
    put_back(&bench, &row);
    refused(bench.refresh(&next), ErrorKind::InvalidRefreshToken, "newer than the row");
    assert!(bench.refresh(&used).is_ok(), "a used token of a session that has not ended");
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;
    use crate::apikey::Folder;
    use gatekey::store::SqliteStore;

    #[test]
    fn no_row_revives_what_has_ended_in_sqlite() {
        let folder = Folder::new("sessions_put_back");
        no_row_revives_what_has_ended(&|at| {
            Arc::new(SqliteStore::open(folder.path(&format!("{at}.sqlite"))).unwrap())
        });
    }

    /// Who takes the revocation away as well deceives only programs that start later.
    #[test]
    fn a_revocation_that_was_taken_away_is_remembered_by_who_has_seen_it() {
        let folder = Folder::new("sessions_put_back_revocation");
        let bench = bench_on(Arc::new(SqliteStore::open(folder.path("a.sqlite")).unwrap()));
        let tokens = bench.start("alice");
        let row = row_of(&bench, &tokens);
        let other = bench.elsewhere(&[1]);
        assert!(bench.sessions.end(text(&tokens)).unwrap());
        other.sessions.revocations().refresh().unwrap();
        let raw = rusqlite::Connection::open(folder.path("a.sqlite")).unwrap();
        for place in [&bench, &other] {
            put_back(&bench, &row);
            raw.execute("DELETE FROM revocation", []).unwrap();
            refused(place.refresh(&tokens), ErrorKind::SessionEnded, "has seen it");
        }
        put_back(&bench, &row);
        raw.execute("DELETE FROM revocation", []).unwrap();
        assert!(bench.elsewhere(&[1]).refresh(&tokens).is_ok(), "has not");
    }
}
