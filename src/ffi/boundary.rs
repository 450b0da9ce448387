//! The boundary itself: panics stop here, errors become a status and a `gk_error`, pairs of pointer
//! and length become slices, results become handles.

#![deny(unsafe_op_in_unsafe_fn)]

use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::status::{GK_STATUS_OK, gk_status};
use crate::{Alg, Error, ErrorKind, Secret};
use core::net::IpAddr;
use libc::c_char;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use zeroize::Zeroizing;

/// Why a call of the C ABI failed: an error of the library, or an argument that cannot be used.
#[derive(Clone)]
pub(super) enum Fault {
    Core(Error),
    /// As [`Fault::Core`], about the named member of what is put together.
    Member(&'static str, Box<Error>),
    /// The named argument is NULL.
    Null(&'static str),
    /// The named argument's length cannot be that of anything in memory.
    TooLong(&'static str),
    /// The named argument is not UTF-8.
    NotUtf8(&'static str),
    /// The number names no algorithm.
    UnknownAlg,
    /// The named argument points outside what there is.
    OutOfRange(&'static str),
    /// Of the two named arguments at most one may be given.
    Both(&'static str, &'static str),
    /// What the named setter of a filter says does not apply to the records that were asked for.
    NoFilter(&'static str),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<ErrorKind> for Fault {
    fn from(kind: ErrorKind) -> Self {
        Self::Core(kind.into())
    }
}

impl Fault {
    pub(super) const fn kind(&self) -> ErrorKind {
        match self {
            Self::Core(error) => error.kind(),
            Self::Member(_, error) => error.kind(),
            _ => ErrorKind::InvalidArgument,
        }
    }
}

pub(super) type Outcome<T> = Result<T, Fault>;

/// Runs the body of a fallible call: the status is returned and, with the message, left in `err`.
///
/// # Safety
/// `err` is NULL or points to writable memory of the size of a `gk_error`.
pub(super) unsafe fn guard(err: *mut gk_error, body: impl FnOnce() -> Outcome<()>) -> gk_status {
    let fault = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => {
            // SAFETY: as this function's own contract.
            unsafe { gk_error::clear(err) };
            return GK_STATUS_OK;
        }
        Ok(Err(fault)) => fault,
        Err(_panic) => ErrorKind::Internal.into(),
    };
    // SAFETY: as this function's own contract.
    unsafe { gk_error::report(err, &fault) }
}

/// Runs the body of a call that makes a handle; `*out` is NULL unless the call succeeds.
///
/// # Safety
/// `out` is NULL or writable; `err` as in [`guard`].
pub(super) unsafe fn create<T>(
    out: *mut *mut T,
    err: *mut gk_error,
    body: impl FnOnce() -> Outcome<T>,
) -> gk_status {
    let place = || -> Outcome<()> {
        // SAFETY: `out` is writable where it is not NULL; what it held is not read.
        unsafe {
            writable(out)?.write(std::ptr::null_mut());
            out.write(Box::into_raw(Box::new(body()?)));
        }
        Ok(())
    };
    // SAFETY: as this function's own contract.
    unsafe { guard(err, place) }
}

/// Bytes that a call gives away: what the copy was made of may be secret, and is wiped.
pub(super) trait Given {
    fn given(self) -> Zeroizing<Vec<u8>>;
}

impl Given for Vec<u8> {
    fn given(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self)
    }
}

impl Given for String {
    fn given(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.into_bytes())
    }
}

impl Given for Secret {
    fn given(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.expose().to_vec())
    }
}

impl Given for &str {
    fn given(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.as_bytes().to_vec())
    }
}

/// Runs the body of a call whose result has a variable size; `*out` is empty unless it succeeds.
///
/// # Safety
/// `out` is NULL or writable; `err` as in [`guard`].
pub(super) unsafe fn fill<T: Given>(
    out: *mut gk_buf,
    err: *mut gk_error,
    body: impl FnOnce() -> Outcome<T>,
) -> gk_status {
    let place = || -> Outcome<()> {
        // SAFETY: `out` is writable where it is not NULL; what it held is not read.
        unsafe {
            writable(out)?.write(gk_buf::EMPTY);
            out.write(gk_buf::copy_of(&body()?.given()));
        }
        Ok(())
    };
    // SAFETY: as this function's own contract.
    unsafe { guard(err, place) }
}

/// Runs the body of a call whose result is text of one fixed length, `N - 1` bytes, and a NUL.
/// The array is all NUL unless the call succeeds.
///
/// # Safety
/// `out` is NULL or writable; `err` as in [`guard`].
pub(super) unsafe fn fill_array<const N: usize>(
    out: *mut [c_char; N],
    err: *mut gk_error,
    body: impl FnOnce() -> Outcome<String>,
) -> gk_status {
    let place = || -> Outcome<()> {
        // SAFETY: `out` is writable where it is not NULL; what it held is not read.
        unsafe { writable(out)?.write([0; N]) };
        let array = array(&body()?)?;
        // SAFETY: as above.
        unsafe { out.write(array) };
        Ok(())
    };
    // SAFETY: as this function's own contract.
    unsafe { guard(err, place) }
}

/// Text of one fixed length, `N - 1` bytes, and a NUL.
pub(super) fn array<const N: usize>(text: &str) -> Outcome<[c_char; N]> {
    let mut array = [0; N];
    if text.len() + 1 != N {
        return Err(ErrorKind::Internal.into());
    }
    for (to, from) in array.iter_mut().zip(text.bytes()) {
        *to = from.cast_signed();
    }
    Ok(array)
}

/// Runs the body of a call that cannot fail; `otherwise` is what a NULL handle yields.
pub(super) fn look<T>(otherwise: T, body: impl FnOnce() -> Option<T>) -> T {
    catch_unwind(AssertUnwindSafe(body)).ok().flatten().unwrap_or(otherwise)
}

/// Shares a handle.
pub(super) fn share<T>(body: impl FnOnce() -> Option<T>) -> Option<Box<T>> {
    look(None, || body().map(|shared| Some(Box::new(shared))))
}

/// Destroys a handle; NULL is fine.
pub(super) fn release<T>(handle: Option<Box<T>>) {
    look((), || {
        drop(handle);
        Some(())
    });
}

/// The handle, which must be there.
pub(super) fn given<T>(handle: Option<T>, name: &'static str) -> Outcome<T> {
    handle.ok_or(Fault::Null(name))
}

/// The place for a result, which must be there.
pub(super) const fn writable<T>(out: *mut T) -> Outcome<*mut T> {
    if out.is_null() { Err(Fault::Null("the place for the result")) } else { Ok(out) }
}

/// The bytes at `data`; NULL is fine if and only if it is empty.
///
/// # Safety
/// `data` is NULL or points to `len` values that do not change while `'a` lasts.
pub(super) unsafe fn slice<'a, T>(
    data: *const T,
    len: usize,
    name: &'static str,
) -> Outcome<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Fault::Null(name));
    }
    if len > isize::MAX.cast_unsigned() / size_of::<T>() || !data.is_aligned() {
        return Err(Fault::TooLong(name));
    }
    // SAFETY: not NULL, aligned, and the caller vouches for the length.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// The bytes of what C calls text, whatever they are.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn chars<'a>(
    data: *const c_char,
    len: usize,
    name: &'static str,
) -> Outcome<&'a [u8]> {
    // SAFETY: as this function's own contract; `char` has the size of a byte.
    unsafe { slice(data.cast(), len, name) }
}

/// A credential as a caller sent it, whatever it is; NULL is what a request without it brings.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn credential<'a>(
    data: *const c_char,
    len: usize,
    name: &'static str,
) -> Outcome<&'a [u8]> {
    if data.is_null() && len == 0 {
        return Err(ErrorKind::MissingCredentials.into());
    }
    // SAFETY: as this function's own contract.
    unsafe { chars(data, len, name) }
}

/// The text at `data`, which must be UTF-8.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn text<'a>(
    data: *const c_char,
    len: usize,
    name: &'static str,
) -> Outcome<&'a str> {
    // SAFETY: as this function's own contract.
    let bytes = unsafe { chars(data, len, name) }?;
    std::str::from_utf8(bytes).map_err(|_| Fault::NotUtf8(name))
}

/// What a caller has sent: bytes that are no UTF-8 are its fault and refused by what reads the
/// text, which is then none that could be good.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn sent<'a>(
    data: *const c_char,
    len: usize,
    name: &'static str,
) -> Outcome<Cow<'a, str>> {
    // SAFETY: as this function's own contract.
    unsafe { chars(data, len, name) }.map(String::from_utf8_lossy)
}

/// The caller's address; `None` if it is not known, which a text that is no address says as well:
/// it may come from a header that a caller writes.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn caller_address(
    data: *const c_char,
    len: usize,
    name: &'static str,
) -> Outcome<Option<IpAddr>> {
    if len == 0 {
        return Ok(None); // most calls of the hot path
    }
    // SAFETY: as this function's own contract.
    let given = unsafe { chars(data, len, name) }?;
    Ok(std::str::from_utf8(given).ok().and_then(crate::apikey::parse_ip))
}

/// Text, or `None` if it is empty.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn maybe(
    data: *const c_char,
    len: usize,
    name: &'static str,
) -> Outcome<Option<String>> {
    // SAFETY: as this function's own contract.
    let given = unsafe { text(data, len, name) }?;
    Ok((!given.is_empty()).then(|| given.to_owned()))
}

/// The words of a text in which spaces stand between them, for example scopes.
pub(super) fn words(text: &str) -> Vec<&str> {
    text.split(' ').filter(|word| !word.is_empty()).collect()
}

/// Writes a number down for anyone who wants to know it.
///
/// # Safety
/// `place` is NULL or writable.
pub(super) const unsafe fn tell<T: Copy>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: as this function's own contract.
        unsafe { place.write(value) };
    }
}

/// The algorithm with this number.
pub(super) fn alg(code: i32) -> Outcome<Alg> {
    Alg::from_code(code).ok_or(Fault::UnknownAlg)
}

/// The algorithm with this number; 0 leaves the choice to the key.
pub(super) fn alg_or_any(code: i32) -> Outcome<Option<Alg>> {
    if code == 0 { Ok(None) } else { alg(code).map(Some) }
}

/// The algorithms with these numbers.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn algs(data: *const i32, len: usize) -> Outcome<Vec<Alg>> {
    // SAFETY: as this function's own contract.
    let codes = unsafe { slice(data, len, "algs") }?;
    codes.iter().map(|&code| alg(code)).collect()
}

/// A text that a struct of the program's holds; `None` if there is no pointer. Text of no length is
/// there, and is not taken for all that there is.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn lent<'a>(given: &gk_str, name: &'static str) -> Outcome<Option<&'a str>> {
    if given.data.is_null() && given.len == 0 {
        return Ok(None);
    }
    // SAFETY: as this function's own contract.
    unsafe { text(given.data, given.len, name) }.map(Some)
}

/// Text lent to C for as long as the handle it comes from lives.
pub(super) const fn lend(text: &str) -> gk_str {
    gk_str { data: text.as_ptr().cast(), len: text.len() }
}
