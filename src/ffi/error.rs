//! `gk_error`: what went wrong, in memory that the caller owns, so that nothing needs freeing.

use super::boundary::{Fault, look};
use super::status::{GK_STATUS_OK, gk_status};
use crate::Words;
use libc::c_char;
use std::fmt::{self, Write};
use std::mem::MaybeUninit;
use std::ptr;

/// The size of gk_error.message in bytes.
pub const GK_ERROR_MESSAGE_SIZE: usize = 504;

/// Why a call failed. 512 bytes, owned by the caller, usually on the stack; nothing in it needs
/// freeing. Each fallible call writes it, so it needs no initial value and can be used again. The
/// size never changes: it has room for a message of 400 bytes, for the name that the error is about
/// and for the id of an API key, and a message that is longer is cut to what it says first.
#[repr(C)]
pub struct gk_error {
    /// The status that the call returned; GK_STATUS_OK after a call that succeeded.
    pub status: gk_status,
    /// Milliseconds after which the same call may succeed (Retry-After, RFC 9110 section 10.2.3),
    /// where waiting is the remedy: a rate, credits, a server that is busy. 0 otherwise.
    pub retry_after_ms: u32,
    /// Sentences for the log, in UTF-8, NUL-terminated, at most 400 bytes: what was given, what was
    /// expected and what to do. Empty after a call that succeeded. Never contains a token, a key or
    /// a signature. What a caller may read is gk_status_public_message.
    pub message: [c_char; GK_ERROR_MESSAGE_SIZE],
}

/// The name of the claim, member or argument that the error is about, where it is about one: which
/// one was missing, or had the wrong type. The message names it too, where both fit.
///
/// @param err An error that a call has written; NULL is fine.
/// @return The name, NUL-terminated, cut after 64 bytes, valid as long as `*err` is not changed;
/// empty if the error is not about a claim. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_error_claim(err: Option<&gk_error>) -> *const c_char {
    look(c"".as_ptr(), || {
        let claim = behind(&err?.message, 1)?;
        claim.contains(&0).then_some(claim.as_ptr())
    })
}

/// What to do about it, where that is a sentence of its own at the end of the message: which
/// function to call, for example gk_policy_expect_audience.
///
/// @param err An error that a call has written; NULL is fine.
/// @return The sentence, NUL-terminated, a part of `err->message`, valid as long as `*err` is not
/// changed; empty if the message says it in its course. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_error_remedy(err: Option<&gk_error>) -> *const c_char {
    look(c"".as_ptr(), || {
        let message = &err?.message;
        let [high, low] = *behind(message, 3)?.first_chunk()?;
        let at = u16::from_be_bytes([high.cast_unsigned(), low.cast_unsigned()]);
        let sentence = message.get(usize::from(at)..)?;
        (at > 0 && sentence.contains(&0)).then_some(sentence.as_ptr())
    })
}

/// The id of the API key that was refused, where its secret was proved: for a log, or a quota of
/// its own. Also of the first key whose row gk_api_keys_wrap_peppers has found damaged.
///
/// @param err An error that a call has written; NULL is fine.
/// @return The id, NUL-terminated, valid as long as `*err` is not changed; empty if the error is
/// about no API key, or about one that the caller has only named. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_error_api_key_id(err: Option<&gk_error>) -> *const c_char {
    look(c"".as_ptr(), || {
        let id = behind(&err?.message, 2)?;
        id.contains(&0).then_some(id.as_ptr())
    })
}

/// What stands behind this many texts: message, claim, id.
fn behind(texts: &[c_char], count: usize) -> Option<&[c_char]> {
    (0..count).try_fold(texts, |rest, _| {
        let end = rest.iter().position(|&c| c == 0)?;
        rest.get(end + 1..)
    })
}

const _: () = assert!(size_of::<gk_error>() == 512);

impl gk_error {
    /// # Safety
    /// `err` is NULL or writable.
    pub(super) const unsafe fn clear(err: *mut Self) {
        if !err.is_null() {
            // SAFETY: writable by contract; the first three bytes are the ends of message, claim
            // and id, and the next two say that there is no remedy.
            unsafe {
                (&raw mut (*err).status).write(GK_STATUS_OK);
                (&raw mut (*err).retry_after_ms).write(0);
                (&raw mut (*err).message).cast::<[c_char; 5]>().write([0; 5]);
            }
        }
    }

    /// Writes the error and returns its status.
    ///
    /// # Safety
    /// `err` is NULL or writable.
    #[cold]
    pub(super) unsafe fn report(err: *mut Self, fault: &Fault) -> gk_status {
        let status = fault.kind().number();
        let retry_after_ms = match fault {
            Fault::Core(error) => error.retry_after().unwrap_or(0),
            Fault::Member(_, error) => error.retry_after().unwrap_or(0),
            _ => 0,
        };
        if !err.is_null() {
            // SAFETY: writable by contract; no place is read before it is written.
            let message = unsafe {
                (&raw mut (*err).status).write(status);
                (&raw mut (*err).retry_after_ms).write(retry_after_ms);
                &mut *(&raw mut (*err).message).cast::<[MaybeUninit<u8>; GK_ERROR_MESSAGE_SIZE]>()
            };
            Text { bytes: message, len: 0, cut: false, remedy: 0 }.say(fault);
        }
        status
    }
}

/// The message, a NUL, the name of the claim, a NUL, the id of the API key, a NUL, and where in the
/// message the remedy begins, in two bytes, the higher one first; 0 for none. Cuts what does not
/// fit and never fails.
struct Text<'e> {
    bytes: &'e mut [MaybeUninit<u8>; GK_ERROR_MESSAGE_SIZE],
    len: usize,
    /// Something did not fit.
    cut: bool,
    /// Where the remedy begins.
    remedy: u16,
}

impl Text<'_> {
    fn say(&mut self, fault: &Fault) {
        let _infallible = match fault {
            Fault::Core(error) => self.about(error),
            Fault::Member(name, error) => {
                let said = self.about(error).and_then(|()| write!(self, " (`{name}`)"));
                self.remedy = 0; // the name stands behind it
                said
            }
            Fault::Null(name) => write!(self, "The argument `{name}` is NULL."),
            Fault::TooLong(name) => {
                write!(self, "The argument `{name}` is misaligned or longer than memory can be.")
            }
            Fault::NotUtf8(name) => write!(self, "The argument `{name}` is not UTF-8."),
            Fault::UnknownAlg => {
                self.write_str("The number names no algorithm; use a GK_ALG_ constant.")
            }
            Fault::OutOfRange(name) => write!(self, "The argument `{name}` is out of range."),
            Fault::Both(one, other) => {
                write!(self, "Give either the argument `{one}` or `{other}`, not both.")
            }
            Fault::NoFilter(name) => {
                write!(
                    self,
                    "These records cannot be filtered by `{name}`; leave gk_filter_{name} out."
                )
            }
        };
        self.end();
        let claim = match fault {
            Fault::Core(error) => error.claim(),
            Fault::Member(name, _) => Some(*name),
            _ => None,
        };
        // A NUL would end the name early.
        self.put(claim.filter(|name| !name.contains('\0')).unwrap_or_default(), LONGEST_CLAIM);
        self.end();
        let id = if let Fault::Core(error) = fault { error.api_key_id() } else { None };
        self.put(id.unwrap_or_default(), LONGEST_ID);
        self.end();
        for byte in self.remedy.to_be_bytes() {
            if let Some(place) = self.bytes.get_mut(self.len) {
                place.write(byte);
            }
            self.len += 1;
        }
    }

    /// The message, what it is about and what to do; the message alone where that is too long, or
    /// why a key cannot be used.
    fn about(&mut self, error: &crate::Error) -> fmt::Result {
        write!(self, "{}", error.text(Words::C))?;
        if self.cut {
            self.len = 0;
            let innermost = error.unusable_key().map_or(error, |(_, reason)| reason);
            self.write_str(innermost.message())?;
        } else if error.unusable_key().is_none()
            && let Some(remedy) = error.remedy(Words::C)
        {
            self.remedy = u16::try_from(self.len - remedy.len()).unwrap_or(0);
        }
        Ok(())
    }

    /// Appends as much of the text as `room` allows, cut between two characters.
    fn put(&mut self, text: &str, room: usize) {
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.cut |= end < text.len();
        if let Some(places) = self.bytes.get_mut(self.len..self.len + end) {
            // SAFETY: `text` has `end` bytes, and so has `places`.
            unsafe { ptr::copy_nonoverlapping(text.as_ptr(), places.as_mut_ptr().cast(), end) };
            self.len += end;
        }
    }

    fn end(&mut self) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            place.write(0);
        }
        self.len += 1;
    }
}

const LONGEST_ID: usize = 12;
const LONGEST_CLAIM: usize = 64;
// The ends of three texts, and where the remedy begins.
const _: () =
    assert!(crate::Error::MAX_TEXT + LONGEST_CLAIM + LONGEST_ID + 3 + 2 <= GK_ERROR_MESSAGE_SIZE);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text, crate::Error::MAX_TEXT.saturating_sub(self.len));
        Ok(())
    }
}
