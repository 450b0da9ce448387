//! Arbitrary interleavings of everything that can happen to sessions, in two processes, held against a model
//! that knows nothing of tokens but their numbers.

use super::{Bench, DAY, NOW, bench_on, text};
use crate::rounds::rounds;
use gatekey::ErrorKind;
use gatekey::session::{SessionEnd, SessionTokens};
use gatekey::store::{Database, MemoryStore};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// Which refresh token of a session is presented.
#[derive(Clone, Copy, Debug)]
enum Which {
    Current,
    Previous,
    /// The one before the previous, or older.
    Older(usize),
    /// One of ours with a character changed.
    Forged(usize),
}

#[derive(Clone, Debug)]
enum Step {
    Start(usize),
    Refresh(usize, Which),
    EndByToken(usize, Which),
    EndByFamily(usize),
    EndAll(usize),
    Advance(u64),
    Purge,
    Restart,
}

const SUBJECTS: [&str; 3] = ["alice", "bob", "carol"];

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        5 => Just(Which::Current),
        3 => Just(Which::Previous),
        1 => (2_usize..5).prop_map(Which::Older),
        1 => (0_usize..51).prop_map(Which::Forged),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..SUBJECTS.len()).prop_map(Step::Start),
        10 => (any::<usize>(), which()).prop_map(|(family, which)| Step::Refresh(family, which)),
        1 => (any::<usize>(), which()).prop_map(|(family, which)| Step::EndByToken(family, which)),
        1 => any::<usize>().prop_map(Step::EndByFamily),
        1 => (0..SUBJECTS.len()).prop_map(Step::EndAll),
        4 => prop_oneof![0_u64..12, 60_u64..600, DAY..8 * DAY].prop_map(Step::Advance),
        1 => Just(Step::Purge),
        1 => Just(Step::Restart),
    ]
}

/// A session as the model has it: what it must be, from what was answered.
struct Family {
    subject: usize,
    /// The refresh tokens in the order in which they were first handed out.
    tokens: Vec<String>,
    /// Every pair that was handed out, and when.
    pairs: Vec<(SessionTokens, u64)>,
    moved_at: u64,
    expires_at: u64,
    absolute: u64,
    /// Why, and when that was found.
    ended: Option<(SessionEnd, u64)>,
    purged: bool,
}

impl Family {
    /// What presenting this token must answer; the number of the token that is handed out.
    fn refresh(&mut self, at: usize, now: u64) -> Result<usize, ErrorKind> {
        if self.purged {
            return Err(ErrorKind::InvalidRefreshToken);
        }
        match self.ended {
            Some((SessionEnd::Reuse, _)) => return Err(ErrorKind::TokenReuse),
            Some((SessionEnd::Expired, _)) => return Err(ErrorKind::SessionExpired),
            Some(_) => return Err(ErrorKind::SessionEnded),
            None if now >= self.expires_at => {
                self.ended = Some((SessionEnd::Expired, now));
                return Err(ErrorKind::SessionExpired);
            }
            None => {}
        }
        let current = self.tokens.len() - 1;
        if at == current {
            self.moved_at = now;
            self.expires_at = (now + 7 * DAY).min(self.absolute);
            return Ok(current + 1);
        }
        if at + 1 == current && now - self.moved_at <= 10 {
            return Ok(current);
        }
        self.ended = Some((SessionEnd::Reuse, now));
        Err(ErrorKind::TokenReuse)
    }
}

struct World {
    benches: [Bench; 2],
    now: u64,
    families: Vec<Family>,
}

impl World {
    fn new(store: Arc<dyn Database>) -> Self {
        let first = bench_on(store);
        let second = first.elsewhere(&[1]);
        Self { benches: [first, second], now: NOW, families: Vec::new() }
    }

    /// The token, and its number if it is one of ours.
    fn token(&self, family: usize, which: Which) -> (String, Option<usize>) {
        let tokens = &self.families[family].tokens;
        let last = tokens.len() - 1;
        let at = match which {
            Which::Current => last,
            Which::Previous => last.saturating_sub(1),
            Which::Older(back) => last.saturating_sub(back),
            Which::Forged(place) => {
                let mut forged = tokens[last].clone().into_bytes();
                forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
                return (String::from_utf8(forged).unwrap(), None);
            }
        };
        (tokens[at].clone(), Some(at))
    }

    fn run(&mut self, step: &Step, who: usize) -> Result<(), TestCaseError> {
        let count = self.families.len();
        let now = self.now;
        match *step {
            Step::Start(subject) => {
                let tokens = self.benches[who].start(SUBJECTS[subject]);
                self.families.push(Family {
                    subject,
                    tokens: vec![text(&tokens).to_owned()],
                    pairs: vec![(tokens, now)],
                    moved_at: now,
                    expires_at: now + 7 * DAY,
                    absolute: now + 90 * DAY,
                    ended: None,
                    purged: false,
                });
            }
            Step::Refresh(family, which) if count > 0 => {
                let family = family % count;
                let (token, at) = self.token(family, which);
                let got = self.benches[who].sessions.refresh(&token, None);
                let Some(at) = at else {
                    prop_assert_eq!(got.unwrap_err().kind(), ErrorKind::InvalidRefreshToken);
                    return Ok(());
                };
                let family = &mut self.families[family];
                match (family.refresh(at, now), got) {
                    (Ok(number), Ok(tokens)) => {
                        if number == family.tokens.len() {
                            prop_assert!(!family.tokens.contains(&text(&tokens).to_owned()));
                            family.tokens.push(text(&tokens).to_owned());
                        }
                        // Never two successors: it is the one that was handed out before.
                        prop_assert_eq!(text(&tokens), &family.tokens[number]);
                        prop_assert_eq!(tokens.expires_at, family.expires_at);
                        family.pairs.push((tokens, now));
                    }
                    (Err(kind), Err(error)) => prop_assert_eq!(error.kind(), kind),
                    (expected, got) => prop_assert!(false, "{expected:?}, {got:?}"),
                }
            }
            Step::EndByToken(family, which) if count > 0 => {
                let family = family % count;
                let (token, at) = self.token(family, which);
                let got = self.benches[who].sessions.end(&token).map_err(|error| error.kind());
                self.ended(family, at.is_some(), got, ErrorKind::InvalidRefreshToken)?;
            }
            Step::EndByFamily(family) if count > 0 => {
                let family = family % count;
                let id = self.families[family].pairs[0].0.family().to_owned();
                let got =
                    self.benches[who].sessions.end_by_id(&id, None).map_err(|error| error.kind());
                self.ended(family, true, got, ErrorKind::SessionNotFound)?;
            }
            Step::EndAll(subject) => {
                let ended = self.benches[who].sessions.end_all(SUBJECTS[subject]).unwrap();
                let own = self.families.iter_mut().filter(|family| {
                    // One that expired without being asked for has nothing to end, beyond the leeway.
                    family.subject == subject
                        && family.ended.is_none()
                        && !family.purged
                        && now - 600.min(now) < family.expires_at
                });
                let own: Vec<_> = own.collect();
                prop_assert_eq!(ended, own.len() as u64);
                own.into_iter()
                    .for_each(|family| family.ended = Some((SessionEnd::LogOutEverywhere, now)));
            }
            Step::Advance(seconds) => {
                self.now += seconds;
                self.benches.iter().for_each(|bench| bench.clock.set(self.now));
            }
            Step::Purge => {
                self.benches[who].sessions.revocations().purge().unwrap();
                self.benches[who].sessions.purge(now).unwrap();
                for family in &mut self.families {
                    let ended_before = family.ended.is_some_and(|(_, at)| at < now);
                    family.purged |= ended_before || family.expires_at < now;
                }
            }
            Step::Restart => self.benches[who] = self.benches[1 - who].elsewhere(&[1]),
            _ => {}
        }
        Ok(())
    }

    fn ended(
        &mut self,
        family: usize,
        is_ours: bool,
        got: Result<bool, ErrorKind>,
        unknown: ErrorKind,
    ) -> Result<(), TestCaseError> {
        let (now, family) = (self.now, &mut self.families[family]);
        if !is_ours || family.purged {
            prop_assert_eq!(got, Err(unknown));
            return Ok(());
        }
        prop_assert_eq!(got, Ok(family.ended.is_none()));
        family.ended.get_or_insert((SessionEnd::LogOut, now));
        Ok(())
    }

    /// What must hold at every time, in both processes.
    fn check(&self) -> Result<(), TestCaseError> {
        for bench in &self.benches {
            bench.sessions.revocations().refresh().unwrap();
            for family in &self.families {
                for (tokens, issued_at) in &family.pairs {
                    let alive = self.now < issued_at + tokens.expires_in;
                    let verified = bench.verify(tokens).map(drop).map_err(|error| error.kind());
                    let stopped = family.ended.is_some_and(|(end, _)| end != SessionEnd::Expired);
                    match verified {
                        Ok(()) => prop_assert!(alive && !stopped, "accepted after its end"),
                        Err(ErrorKind::RevokedToken) => prop_assert!(stopped || !alive),
                        Err(kind) => {
                            prop_assert_eq!(kind, ErrorKind::Expired);
                            prop_assert!(!alive);
                        }
                    }
                }
            }
            for (subject, name) in SUBJECTS.iter().enumerate() {
                let listed = bench.sessions.list(name).unwrap();
                let mut live: HashMap<&str, u64> = HashMap::new();
                for family in self.families.iter().filter(|family| family.subject == subject) {
                    if family.ended.is_none() && !family.purged && self.now < family.expires_at {
                        live.insert(family.pairs[0].0.family(), family.tokens.len() as u64 - 1);
                    }
                }
                prop_assert_eq!(listed.len(), live.len());
                for record in listed {
                    prop_assert_eq!(Some(&record.refreshes), live.get(record.family.as_str()));
                }
            }
        }
        Ok(())
    }
}

fn holds(store: Arc<dyn Database>, steps: &[(Step, bool)]) -> Result<(), TestCaseError> {
    let mut world = World::new(store);
    for (step, who) in steps {
        world.run(step, usize::from(*who))?;
        world.check()?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(30)))]

    #[test]
    fn in_memory(steps in prop::collection::vec((step(), any::<bool>()), 1..60)) {
        holds(Arc::new(MemoryStore::new()), &steps)?;
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(2)))]

    #[test]
    fn in_sqlite(steps in prop::collection::vec((step(), any::<bool>()), 1..40)) {
        let folder = crate::apikey::Folder::new("sessions_model");
        let path = folder.path(&format!("{:p}.sqlite", &steps));
        let _ = std::fs::remove_file(&path);
        holds(Arc::new(gatekey::store::SqliteStore::open(&path).unwrap()), &steps)?;
    }
}

#[cfg(all(unix, feature = "postgres"))]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(1)))]

    #[test]
    fn in_postgres(steps in prop::collection::vec((step(), any::<bool>()), 1..30)) {
        for place in crate::postgres::Place::each("in_postgres") {
            holds(Arc::new(place.store()), &steps)?;
        }
    }
}
