//! Opens a file of SQLite only to look at it, beside the connections of a store or without one.

use super::connections::wait_a_little;
use super::fault;
use super::place::check_regular;
use crate::error::Result;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

pub(super) fn open_to_read(path: &Path) -> Result<Connection> {
    check_regular(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_handler(Some(wait_a_little)).map_err(fault)?;
    Ok(connection)
}

/// Reads a file on the promise that nothing changes it; see
/// [`Connections::thaw`](super::connections::Connections::thaw).
pub(super) fn open_frozen(path: &Path) -> Result<Connection> {
    check_regular(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(frozen_uri(path), flags).map_err(fault)
}

/// The file as a URI, with every byte that could mean something in one written by its number.
fn frozen_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-\\:".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push('%');
            uri.push_str(&crate::base::hex::encode(&[*byte]));
        }
    }
    uri.push_str("?immutable=1");
    uri
}
