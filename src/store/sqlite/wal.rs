//! The log of a store as it lies on the disk, read as SQLite reads it after a crash
//! (sqlite.org/fileformat2.html, section 4): frames whose salts and sums follow on from the header,
//! up to the last that ends a transaction. Of the pages only that of the table `store` is looked
//! into: where the log begins and where it ends.

use super::mark::Position;
use crate::store::private_file::open_regular;
use std::collections::HashSet;
use std::io::{BufReader, ErrorKind, Read, Result};
use std::path::Path;

/// The sizes in bytes of the header of the file, and of that of each frame.
const HEADER: usize = 32;
const FRAME: usize = 24;
/// The first four bytes; the last bit says that sums are of big-endian words.
const MAGIC: u32 = 0x377f_0682;

/// What a log holds.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// What the first change in it has made of the store.
    pub(super) first: Option<Position>,
    /// What the last one has; as `first` if the log was not read to its end.
    pub(super) last: Option<Position>,
    /// Which pages are in it.
    pub(super) pages: HashSet<u32>,
}

/// How much of a log is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// As far as the first change.
    Beginning,
    Whole,
}

/// Reads the log, in which the table `store` is the page `of`. A file that is not there is an empty
/// one.
pub(super) fn read(path: &Path, of: u32, extent: Extent) -> Result<Log> {
    let file = match open_regular(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::default()),
        other => other?,
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut log = Log::default();
    let Some(mut frames) = Frames::new(&mut reader)? else { return Ok(log) };
    let (mut found, mut pages) = (None, Vec::new());
    while let Some((page, ends)) = frames.next(&mut reader)? {
        pages.push(page);
        if page == of {
            found = position(&frames.page).or(found);
        }
        if !ends {
            continue;
        }
        log.pages.extend(pages.drain(..));
        log.first = log.first.or(found);
        log.last = found.take().or(log.last);
        if log.first.is_some() && extent == Extent::Beginning {
            break;
        }
    }
    Ok(log)
}

struct Frames {
    big_endian: bool,
    salts: [u8; 8],
    sum: Sum,
    header: [u8; FRAME],
    page: Vec<u8>,
}

impl Frames {
    /// `None` if the header is not whole: then SQLite takes the log for empty.
    fn new(reader: &mut impl Read) -> Result<Option<Self>> {
        let mut header = [0; HEADER];
        if !fill(reader, &mut header)? {
            return Ok(None);
        }
        let [magic, _, size, _, _, _, one, two] = words(&header);
        let big_endian = magic & 1 == 1;
        let sum = Sum::default().over(header.get(..HEADER - 8).unwrap_or_default(), big_endian);
        if magic & !1 != MAGIC || sum != Sum(one, two) || !is_page_size(size) {
            return Ok(None);
        }
        let salts = header.get(16..24).and_then(|salts| salts.try_into().ok()).unwrap_or_default();
        let page = vec![0; usize::try_from(size).unwrap_or(0)];
        Ok(Some(Self { big_endian, salts, sum, header: [0; FRAME], page }))
    }

    /// The number of the next page, which is in `page`, and whether a transaction ends with it.
    fn next(&mut self, reader: &mut impl Read) -> Result<Option<(u32, bool)>> {
        if !fill(reader, &mut self.header)? || !fill(reader, &mut self.page)? {
            return Ok(None);
        }
        let [number, ends, _, _, one, two] = words(&self.header);
        let head = self.header.get(..8).unwrap_or_default();
        let sum = self.sum.over(head, self.big_endian).over(&self.page, self.big_endian);
        if self.header.get(8..16) != Some(&self.salts) || sum != Sum(one, two) || number == 0 {
            return Ok(None);
        }
        self.sum = sum;
        Ok(Some((number, ends != 0)))
    }
}

fn is_page_size(size: u32) -> bool {
    size.is_power_of_two() && (512..=65_536).contains(&size)
}

/// Whether there was as much as this.
fn fill(reader: &mut impl Read, bytes: &mut [u8]) -> Result<bool> {
    match reader.read_exact(bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        done => done.map(|()| true),
    }
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut chunks = bytes.chunks_exact(4).map(|chunk| chunk.try_into().unwrap_or_default());
    std::array::from_fn(|_| chunks.next().map_or(0, u32::from_be_bytes))
}

/// The sum that each frame carries on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn over(mut self, bytes: &[u8], big_endian: bool) -> Self {
        for pair in bytes.chunks_exact(8) {
            let pair = pair.try_into().map_or(0, u64::from_be_bytes);
            let (mut first, mut second) = ((pair >> 32) as u32, pair as u32);
            if !big_endian {
                (first, second) = (first.swap_bytes(), second.swap_bytes());
            }
            self.0 = self.0.wrapping_add(first).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(second).wrapping_add(self.0);
        }
        self
    }
}

/// What the page of the table `store` says; `None` if it is another page.
fn position(page: &[u8]) -> Option<Position> {
    // A leaf of a table with one row.
    let [kind, _, _, 0, 1, ..] = *page else { return None };
    let at = u16::from_be_bytes([*page.get(8)?, *page.get(9)?]);
    let mut cell = page.get(usize::from(at)..).filter(|_| kind == 0x0d)?;
    let (_size, _row) = (varint(&mut cell)?, varint(&mut cell)?);
    let mut types = cell;
    let length = usize::try_from(varint(&mut types)?).ok()?;
    let (id, seq) = (varint(&mut types)?, varint(&mut types)?);
    let mut values = cell.get(length..)?;
    let id = match id {
        0 => None,
        44 => Some(values.split_off(..16)?.try_into().ok()?), // a blob of 16 bytes
        _ => return None,
    };
    let size = match seq {
        8 => return Some(Position { id, seq: 0 }),
        9 => return Some(Position { id, seq: 1 }),
        1..=4 => usize::try_from(seq).ok()?,
        5 => 6,
        6 => 8,
        _ => return None,
    };
    let digits = values.get(..size)?;
    let seq = digits.iter().fold(0, |number: u64, digit| number << 8 | u64::from(*digit));
    Some(Position { id, seq })
}

/// A number of up to nine bytes, seven bits in each.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for count in 0..9 {
        let byte = *bytes.split_off_first()?;
        if count == 8 {
            return Some(number << 8 | u64::from(byte));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            break;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests;
