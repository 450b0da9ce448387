//! The seal of a session's row: anyone who can write to the store and has no pepper cannot make one
//! session another's, give it claims, or let it live longer.

use crate::pepper::{Fields, Row};
use crate::store::{SessionEnd, StoredSession};

impl Row for StoredSession {
    fn fields(&self) -> Fields {
        fields(self)
    }

    fn seal(&self) -> (u32, [u8; 16]) {
        (self.seal_pepper, self.seal)
    }

    fn set_seal(&mut self, pepper: u32, seal: [u8; 16]) {
        (self.seal_pepper, self.seal) = (pepper, seal);
    }
}

/// The row as bytes, its fields in the order of the struct, without the seal itself.
fn fields(session: &StoredSession) -> Fields {
    let record = &session.record;
    let mut row = Fields::new(b"gkz1");
    for text in [&record.family, &record.subject, &record.client, &record.meta, &session.claims] {
        row.bytes(text.as_bytes());
    }
    for number in [
        Some(record.created_at),
        Some(record.last_seen_at),
        Some(record.expires_at),
        Some(record.absolute_expires_at),
        Some(record.refreshes),
        record.ended_at,
        Some(session.counter.into()),
        Some(session.pepper.into()),
        Some(session.access_ttl),
        Some(session.version),
    ] {
        row.number(number);
    }
    row.bytes(record.end.map_or("", SessionEnd::name).as_bytes());
    row.bytes(&session.seed);
    // Rows of before there were these fields keep their seals.
    if session.previous_pepper.is_some() || session.last_seen_ms != 0 {
        row.number(session.previous_pepper.map(u64::from));
        row.number(u64::from(session.last_seen_ms));
    }
    row
}
