//! What can be said about a PostgreSQL server that keeps a store.

use crate::error::Result;

/// What a look at a server has found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerFacts {
    /// The version, as the server says it.
    pub version: String,
    /// The same as a number: 180001 is 18.1.
    pub version_number: u32,
    /// The version of the store's tables, if they are there, and the newest that this library
    /// knows.
    pub tables: (Option<u64>, u64),
    /// The user of the connection, and whether it is a superuser.
    pub role: (String, bool),
    /// By how many milliseconds the server's clock is ahead of this machine's; give or take
    /// `round_trip_ms`.
    pub ahead_ms: i64,
    /// How many milliseconds a question to the server takes.
    pub round_trip_ms: u64,
    /// What the role may not do that reading takes: a right and a table.
    pub missing_to_read: Vec<String>,
    /// What it may not do that changes take.
    pub missing_to_write: Vec<String>,
    /// Whether a notification arrives where the store listens, and if not, why.
    pub hears: Result<bool>,
    /// Settings of the server by their names.
    pub settings: Vec<(String, String)>,
    /// Standbys that follow the server, and those whose answer it waits for, as far as the role may
    /// know.
    pub standbys: (u64, u64),
    /// Connections that other processes have to the database, and how many there may be in all.
    pub connections: (u64, u64),
    /// How many API keys there are.
    pub api_keys: u64,
    /// How many sessions, live or not.
    pub sessions: u64,
}

impl ServerFacts {
    /// The value of a setting.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
