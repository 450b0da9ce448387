//! What a client presents as a refresh token: exchanged if and only if it is, byte for byte, one that was
//! handed out; nothing else moves or ends a session.

use gatekey::clock::FixedClock;
use gatekey::random::SecureRandom;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::store::MemoryStore;
use gatekey::{Alg, ErrorKind, Key, Peppers, Result, Secret, Sessions, Signer};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, LazyLock};

/// The refresh tokens that have been used once, within the grace: each gives its successor again.
pub const USED: [&str; 2] = [
    "gkr_mx6HSdoz8JUf_0000012yityT444eJUpRlrbWTjTC4ZKM8A",
    "gkr_Whs1CNYju3EP_0000010xnN7ZgECAkPm8o2EPyFui4AX6qe",
];

/// Bytes that are the same on every machine, so that the tokens are.
struct Counted(AtomicU8);

impl SecureRandom for Counted {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        out.iter_mut().for_each(|byte| *byte = self.0.fetch_add(11, Ordering::Relaxed));
        Ok(())
    }
}

struct Known {
    sessions: Sessions,
    /// What was used, and what it was exchanged for.
    pairs: Vec<(String, String)>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let peppers = Peppers::new(&[(1, Secret::new(vec![7; 32]))]).expect("a pepper");
    let key = Key::from_secret(&(0..32).collect::<Vec<u8>>(), Alg::Hs256).expect("a key");
    let signer = Signer::builder(&key).build().expect("a signer");
    let options = SessionOptions::new()
        .clock(Arc::new(FixedClock::new(1_800_000_000)))
        .random(Arc::new(Counted(AtomicU8::new(0))));
    let sessions = Sessions::open(Arc::new(MemoryStore::new()), peppers, Some(&signer), options);
    let sessions = sessions.expect("an empty store");
    let pair = |subject: &str| {
        let first = sessions.start(subject, &SessionSpec::default()).expect("a session");
        let second = sessions.refresh(first.refresh_token.expose(), None).expect("a refresh");
        let text = |token: &Secret| token.expose_str().to_owned();
        (text(&first.refresh_token), text(&second.refresh_token))
    };
    let pairs = vec![pair("alice"), pair("bob")];
    Known { sessions, pairs }
});

/// Presents the data, and what is before its first line break with the checksum mended.
pub fn run(data: &[u8]) -> bool {
    let as_it_is = present(data);
    let Some(at) = data.iter().position(|&byte| byte == b'\n') else { return as_it_is };
    let body = &data[..at];
    present(&[body, &crate::apikey::checksum(body)].concat()) || as_it_is
}

fn present(data: &[u8]) -> bool {
    let Known { sessions, pairs } = &*KNOWN;
    assert!(pairs.iter().map(|(used, _)| used.as_str()).eq(USED), "{pairs:?}");
    if pairs.iter().any(|(_, current)| current.as_bytes() == data) {
        return true; // it would move the session on, and the next run would find another world
    }
    let known = pairs.iter().find(|(used, _)| used.as_bytes() == data);
    if pairs.iter().any(|(used, _)| used.as_bytes().get(4..16) == Some(data)) {
        return true; // the id of a session is good to end it
    }
    match sessions.refresh(data, None) {
        Ok(tokens) => {
            let current = known.map(|(_, current)| current.as_str());
            assert_eq!(Some(tokens.refresh_token.expose_str()), current, "another was accepted");
            true
        }
        Err(error) => {
            assert!(known.is_none(), "{error:?}");
            assert_eq!(error.kind(), ErrorKind::InvalidRefreshToken);
            let ended = sessions.end(data).expect_err("nor is it good to end a session");
            let kinds = [ErrorKind::InvalidRefreshToken, ErrorKind::SessionNotFound];
            assert!(kinds.contains(&ended.kind()), "{ended:?}");
            false
        }
    }
}
