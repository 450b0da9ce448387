//! The text of a refresh token: `gkr_<family12>_<counter6><mac22><crc6>`, base62, 51 characters.
//!
//! Opaque to anyone who holds it. The MAC is HMAC-SHA256 under a pepper, over the family, random
//! bytes of its row and the counter, cut to 128 bits: the store alone yields no token, nor does the
//! pepper alone. The checksum tells typos and cut lines from tokens without a look at the store.

use crate::base::b62::{self, CRC};
use crate::base::random::SecureRandom;
use crate::base::secret::Secret;
use crate::crypto::constant_time_eq;
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::Peppers;
use crate::store::StoredSession;
use zeroize::Zeroize as _;

const PREFIX: &[u8; 4] = b"gkr_";
pub(super) const FAMILY: usize = 12;
const COUNTER: usize = 6;
const MAC: usize = 22;
const TOKEN: usize = PREFIX.len() + FAMILY + 1 + COUNTER + MAC + CRC;

/// A text that has the form of a refresh token and the right checksum.
pub(super) struct Presented<'t> {
    pub(super) family: &'t str,
    pub(super) counter: u32,
    mac: u128,
}

/// The parts of a refresh token, if it is one.
pub(super) fn parse(text: &[u8]) -> Option<Presented<'_>> {
    let text: &[u8; TOKEN] = text.try_into().ok()?;
    let (body, crc) = text.split_last_chunk::<CRC>()?;
    if b62::checksum(body) != b62::read_checksum(crc)? {
        return None;
    }
    let rest = body.strip_prefix(PREFIX)?;
    let (family, rest) = rest.split_first_chunk::<FAMILY>()?;
    let (counter, mac) = rest.strip_prefix(b"_")?.split_first_chunk::<COUNTER>()?;
    Some(Presented {
        family: std::str::from_utf8(family).ok().filter(|family| is_family(family))?,
        counter: u32::try_from(b62::read(counter)?).ok()?,
        mac: b62::read(mac)?,
    })
}

/// Whether a text has the form of a family's id.
pub(super) fn is_family(text: &str) -> bool {
    text.len() == FAMILY && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A new id of a family: 71 bits.
pub(super) fn new_family(random: &dyn SecureRandom) -> Result<String> {
    let id = b62::random::<FAMILY>(random)?;
    Ok(id.into_iter().map(char::from).collect())
}

/// The refresh token of the session that is good now.
pub(super) fn current(peppers: &Peppers, session: &StoredSession) -> Result<Secret> {
    let mac = mac(peppers, session.pepper, session, session.counter);
    let mac = mac.ok_or_else(|| {
        Error::from(ErrorKind::WrongPepper).about_secret("pepper", session.pepper)
    })?;
    let mut digits = b62::write::<MAC>(u128::from_be_bytes(mac));
    // All of it at once: a text that grows would leave copies behind.
    let mut text = Vec::with_capacity(TOKEN);
    text.extend_from_slice(PREFIX);
    text.extend_from_slice(session.record.family.as_bytes());
    text.push(b'_');
    text.extend_from_slice(&b62::write::<COUNTER>(session.counter.into()));
    text.extend_from_slice(&digits);
    digits.zeroize();
    text.extend_from_slice(&b62::write::<CRC>(b62::checksum(&text).into()));
    Ok(Secret::new(text))
}

impl Presented<'_> {
    /// Whether we made this token for this session. The one that is good now is proven under the
    /// pepper that it was made under, and no other: else a pepper that leaked long ago would forge
    /// it. Those before, of which the row does not say as much, prove under any pepper up to that
    /// one that they were used. Nothing comes after it.
    pub(super) fn is_genuine(&self, peppers: &Peppers, session: &StoredSession) -> bool {
        if self.counter == session.counter {
            return self.is_under(session.pepper, peppers, session);
        }
        self.counter < session.counter
            && peppers
                .ids()
                .rev()
                .filter(|pepper| *pepper <= session.pepper)
                .any(|pepper| self.is_under(pepper, peppers, session))
    }

    /// Whether it is of a later state of the store: one that was put back from a backup. It proves
    /// nothing else.
    pub(super) fn is_newer(&self, peppers: &Peppers, session: &StoredSession) -> bool {
        self.counter > session.counter
            && peppers.ids().any(|pepper| self.is_under(pepper, peppers, session))
    }

    /// Whether it is the token before the one that is good now, under the pepper that that was made
    /// under.
    pub(super) fn is_previous(&self, peppers: &Peppers, session: &StoredSession) -> bool {
        self.counter.checked_add(1) == Some(session.counter)
            && self.is_under(session.previous_pepper.unwrap_or(session.pepper), peppers, session)
    }

    fn is_under(&self, pepper: u32, peppers: &Peppers, session: &StoredSession) -> bool {
        let own = mac(peppers, pepper, session, self.counter);
        own.is_some_and(|own| constant_time_eq(&own, &self.mac.to_be_bytes()))
    }
}

fn mac(peppers: &Peppers, pepper: u32, session: &StoredSession, counter: u32) -> Option<[u8; 16]> {
    let family: &[u8; FAMILY] = session.record.family.as_bytes().try_into().ok()?;
    let message = [&b"gkr1"[..], family, &session.seed, &counter.to_be_bytes()].concat();
    peppers.mac(pepper, &message)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SessionRecord;

    fn session(counter: u32) -> StoredSession {
        StoredSession {
            record: SessionRecord { family: "abcdefGHIJ01".to_owned(), ..SessionRecord::default() },
            counter,
            seed: [9; 16],
            pepper: 1,
            previous_pepper: None,
            last_seen_ms: 0,
            access_ttl: 900,
            claims: "{}".to_owned(),
            version: 1,
            seal: [0; 16],
            seal_pepper: 1,
        }
    }

    fn peppers(secrets: &[u8]) -> Peppers {
        let one = |(at, byte): (usize, &u8)| (at as u32 + 1, Secret::new(vec![*byte; 32]));
        Peppers::new(&secrets.iter().enumerate().map(one).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_token_is_read_and_genuine_for_its_session_alone() {
        let peppers = peppers(&[1]);
        for counter in [1, 2, 61, u32::MAX] {
            let token = current(&peppers, &session(counter)).unwrap();
            assert_eq!(token.expose().len(), TOKEN);
            let read = parse(token.expose()).unwrap();
            assert_eq!((read.family, read.counter), ("abcdefGHIJ01", counter));
            let row = session(7);
            assert_eq!(read.is_genuine(&peppers, &row), counter < 7, "the row has gone on since");
            assert_eq!(read.is_newer(&peppers, &row), counter > 7, "it is from a backup");
            let other = StoredSession { seed: [8; 16], ..session(counter) };
            assert!(!read.is_genuine(&peppers, &other) && !read.is_newer(&peppers, &other));
            let mut other = session(counter);
            other.record.family = "abcdefGHIJ02".to_owned();
            assert!(!read.is_genuine(&peppers, &other) && !read.is_newer(&peppers, &other));
        }
    }

    #[test]
    fn an_old_pepper_forges_no_token_that_is_still_good() {
        let both = peppers(&[1, 2]);
        let forged = |counter| current(&both, &session(counter)).unwrap();
        let row = StoredSession { pepper: 2, previous_pepper: Some(2), ..session(4) };
        let own = current(&both, &row).unwrap();
        assert!(parse(own.expose()).unwrap().is_genuine(&both, &row));
        let token = forged(4);
        assert!(!parse(token.expose()).unwrap().is_genuine(&both, &row), "the current one");
        let token = forged(3);
        let before = parse(token.expose()).unwrap();
        assert!(!before.is_previous(&both, &row), "the previous one, within the grace");
        assert!(before.is_genuine(&both, &row), "it is still a sign of reuse");
        let first = StoredSession { previous_pepper: Some(1), ..row };
        assert!(before.is_previous(&both, &first), "it was made under the old one indeed");
    }

    #[test]
    fn an_old_pepper_is_enough_for_a_token_that_was_used_and_a_foreign_one_is_not() {
        let token = current(&peppers(&[1]), &session(3)).unwrap();
        let read = parse(token.expose()).unwrap();
        let later = StoredSession { pepper: 2, ..session(4) };
        assert!(read.is_genuine(&peppers(&[1, 2]), &later));
        assert!(!read.is_genuine(&peppers(&[3, 2]), &later));
        let gone = StoredSession { pepper: 9, ..session(4) };
        assert!(current(&peppers(&[1]), &gone).is_err());
    }

    #[test]
    fn every_altered_character_is_refused() {
        let token = current(&peppers(&[1]), &session(3)).unwrap();
        let token = token.expose();
        for at in 0..token.len() {
            for byte in [b'0', b'Z', b'z', b'_', b' ', 0, 0xff] {
                let mut altered = token.to_vec();
                if std::mem::replace(&mut altered[at], byte) != byte {
                    assert!(parse(&altered).is_none(), "{at}");
                }
            }
            assert!(parse(&token[..at]).is_none(), "cut to {at}");
        }
        assert!(parse(&[token, b"0"].concat()).is_none());
    }
}
