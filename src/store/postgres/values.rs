//! What goes into a statement and comes out of a row, in PostgreSQL's binary form. No value is ever
//! part of a statement's text.
//!
//! PostgreSQL's text has no NUL. It is written as U+10FFFE `0`, and that character as U+10FFFE `1`:
//! a name that another issuer has chosen must not be what cannot be revoked.

use super::wire::Fault;
use bytes::{BufMut as _, Bytes, BytesMut};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

const BYTEA: u32 = 17;
const INT8: u32 = 20;
const TEXT: u32 = 25;
const BOOL: u32 = 16;
const TEXTS: u32 = 1009;
const INTS: u32 = 1016;

/// A value of a statement.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Texts(Vec<String>),
    Ints(Vec<i64>),
}

impl Value {
    pub(super) fn kind(&self) -> u32 {
        match self {
            Self::Text(_) => TEXT,
            Self::Int(_) => INT8,
            Self::Bytes(_) => BYTEA,
            Self::Texts(_) => TEXTS,
            Self::Ints(_) => INTS,
        }
    }

    /// Writes it; false for NULL.
    pub(super) fn write(&self, out: &mut BytesMut) -> bool {
        match self {
            Self::Text(None) | Self::Int(None) | Self::Bytes(None) => return false,
            Self::Text(Some(text)) => out.put_slice(escaped(text).as_bytes()),
            Self::Int(Some(number)) => out.put_i64(*number),
            Self::Bytes(Some(bytes)) => out.put_slice(bytes),
            Self::Texts(texts) => array(out, TEXT, texts, |text, out| {
                let text = escaped(text);
                out.put_i32(i32::try_from(text.len()).unwrap_or(i32::MAX));
                out.put_slice(text.as_bytes());
            }),
            Self::Ints(numbers) => array(out, INT8, numbers, |number, out| {
                out.put_i32(8);
                out.put_i64(*number);
            }),
        }
        true
    }
}

/// An array of one dimension, without NULLs.
fn array<T>(out: &mut BytesMut, kind: u32, items: &[T], write: impl Fn(&T, &mut BytesMut)) {
    out.put_i32(1);
    out.put_i32(0);
    out.put_u32(kind);
    out.put_i32(i32::try_from(items.len()).unwrap_or(i32::MAX));
    out.put_i32(1);
    items.iter().for_each(|item| write(item, out));
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(Some(number.into()))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<Option<u32>> for Value {
    fn from(number: Option<u32>) -> Self {
        Self::Int(number.map(i64::from))
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl From<Option<&[u8]>> for Value {
    fn from(bytes: Option<&[u8]>) -> Self {
        Self::Bytes(bytes.map(<[u8]>::to_vec))
    }
}

const ESCAPE: char = '\u{10FFFE}';

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.extend([ESCAPE, '0']),
            ESCAPE => out.extend([ESCAPE, '1']),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// The reverse; none of what no program of ours has written.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == ESCAPE) {
            (_, true) => out.push(match rest.next()? {
                '0' => '\0',
                '1' => ESCAPE,
                _ => return None,
            }),
            (other, false) => out.push(other),
        }
    }
    Some(out)
}

/// The columns of an answer, by name, with their types.
#[derive(Debug, Default)]
pub(super) struct Columns(HashMap<String, (usize, u32)>);

impl Columns {
    pub(super) fn add(&mut self, at: usize, name: &str, kind: u32) {
        self.0.insert(name.to_owned(), (at, kind));
    }
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    columns: Arc<Columns>,
    bytes: Bytes,
    cells: Vec<Option<Range<usize>>>,
}

impl Row {
    pub(super) const fn new(
        columns: Arc<Columns>,
        bytes: Bytes,
        cells: Vec<Option<Range<usize>>>,
    ) -> Self {
        Self { columns, bytes, cells }
    }

    /// The value of this column.
    ///
    /// # Errors
    /// `Fault::Cell`: there is no such column, it has another type, or its value does not fit.
    pub(super) fn get<T: Cell>(&self, name: &'static str) -> Result<T, Fault> {
        let cell = || {
            let (at, kind) = *self.columns.0.get(name)?;
            let bytes = match self.cells.get(at)? {
                None => None,
                Some(range) => Some(self.bytes.get(range.clone())?),
            };
            T::read(kind, bytes)
        };
        cell().ok_or(Fault::Cell(name))
    }

    pub(super) fn is_null(&self, name: &'static str) -> bool {
        let at = self.columns.0.get(name).map(|(at, _)| *at);
        at.and_then(|at| self.cells.get(at)).is_some_and(Option::is_none)
    }
}

/// What a cell can be read as.
pub(super) trait Cell: Sized {
    /// None if it cannot; `bytes` is none for NULL.
    fn read(kind: u32, bytes: Option<&[u8]>) -> Option<Self>;
}

impl Cell for i64 {
    fn read(kind: u32, bytes: Option<&[u8]>) -> Option<Self> {
        let bytes = bytes.filter(|_| kind == INT8)?;
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

macro_rules! unsigned {
    ($($kind:ty),*) => {$(
        impl Cell for $kind {
            fn read(kind: u32, bytes: Option<&[u8]>) -> Option<Self> {
                Self::try_from(i64::read(kind, bytes)?).ok()
            }
        }
    )*};
}
unsigned!(u64, u32, u16, u8);

impl Cell for bool {
    fn read(kind: u32, bytes: Option<&[u8]>) -> Option<Self> {
        match bytes.filter(|_| kind == BOOL)? {
            [byte] => Some(*byte != 0),
            _ => None,
        }
    }
}

impl Cell for String {
    fn read(kind: u32, bytes: Option<&[u8]>) -> Option<Self> {
        let text = std::str::from_utf8(bytes.filter(|_| kind == TEXT)?).ok()?;
        if text.contains(ESCAPE) { unescaped(text) } else { Some(text.to_owned()) }
    }
}

impl Cell for Vec<u8> {
    fn read(kind: u32, bytes: Option<&[u8]>) -> Option<Self> {
        bytes.filter(|_| kind == BYTEA).map(<[u8]>::to_vec)
    }
}

impl<const N: usize> Cell for [u8; N] {
    fn read(kind: u32, bytes: Option<&[u8]>) -> Option<Self> {
        bytes.filter(|_| kind == BYTEA)?.try_into().ok()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn read(kind: u32, bytes: Option<&[u8]>) -> Option<Self> {
        match bytes {
            None => Some(None),
            some => T::read(kind, some).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in ["", "a", "\0", "a\0b\u{10FFFE}0", "\u{10FFFE}", "\u{10FFFF}é"] {
            let escaped = escaped(text);
            assert!(!escaped.contains('\0'), "{text:?}");
            assert_eq!(String::read(TEXT, Some(escaped.as_bytes())).as_deref(), Some(text));
        }
        for odd in ["\u{10FFFE}", "\u{10FFFE}2"] {
            assert_eq!(String::read(TEXT, Some(odd.as_bytes())), None, "{odd:?}");
        }
        assert_eq!(String::read(TEXT, Some(b"\xff")), None);
    }

    #[test]
    fn a_cell_of_another_type_is_not_read() {
        assert_eq!(i64::read(TEXT, Some(&[0; 8])), None);
        assert_eq!(i64::read(INT8, Some(&[0; 4])), None);
        assert_eq!(u32::read(INT8, Some(&(-1_i64).to_be_bytes())), None);
        assert_eq!(u32::read(INT8, Some(&(1_i64 << 32).to_be_bytes())), None);
        assert_eq!(<[u8; 4]>::read(BYTEA, Some(&[0; 5])), None);
        assert_eq!(Option::<i64>::read(INT8, None), Some(None));
        assert_eq!(i64::read(INT8, None), None);
    }
}
