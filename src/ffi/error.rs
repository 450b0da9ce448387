//! `gk_error`: what went wrong, in memory that the caller owns, so that nothing needs freeing.

use super::boundary::{Fault, look};
use super::status::{GK_STATUS_OK, gk_status};
use libc::c_char;
use std::fmt::{self, Write};

/// The size of gk_error.message in bytes.
pub const GK_ERROR_MESSAGE_SIZE: usize = 252;

/// Why a call failed. 256 bytes, owned by the caller, usually on the stack; nothing in it needs
/// freeing. Each fallible call writes it, so it needs no initial value and can be used again.
#[repr(C)]
pub struct gk_error {
    /// The status that the call returned; GK_STATUS_OK after a call that succeeded.
    pub status: gk_status,
    /// Sentences for the log that name the remedy, in UTF-8, NUL-terminated, at most 200 bytes; empty
    /// after a call that succeeded. Never contains a token, a key or a signature.
    pub message: [c_char; GK_ERROR_MESSAGE_SIZE],
}

/// The name of the claim that the error is about, where it is about one: which one was missing, or
/// had the wrong type.
///
/// @param err An error that a call has written; NULL is fine.
/// @return The name, NUL-terminated, cut after 50 bytes, valid as long as `*err` is not changed; empty
/// if the error is not about a claim. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_error_claim(err: Option<&gk_error>) -> *const c_char {
    look(c"".as_ptr(), || {
        let message = &err?.message;
        let end = message.iter().position(|&c| c == 0)?;
        let claim = message.get(end + 1..)?;
        claim.contains(&0).then_some(claim.as_ptr())
    })
}

const _: () = assert!(size_of::<gk_error>() == 256);

impl gk_error {
    /// # Safety
    /// `err` is NULL or writable.
    pub(super) const unsafe fn clear(err: *mut Self) {
        if !err.is_null() {
            // SAFETY: writable by contract; the first two bytes are the ends of message and claim.
            unsafe {
                (&raw mut (*err).status).write(GK_STATUS_OK);
                (&raw mut (*err).message).cast::<[c_char; 2]>().write([0; 2]);
            }
        }
    }

    /// Writes the error and returns its status.
    ///
    /// # Safety
    /// `err` is NULL or writable.
    #[cold]
    pub(super) unsafe fn report(err: *mut Self, fault: &Fault) -> gk_status {
        let status = fault.kind().code();
        if !err.is_null() {
            // SAFETY: writable by contract.
            unsafe { err.write(Self { status, message: Text::of(fault) }) };
        }
        status
    }
}

/// The message, a NUL, the name of the claim, a NUL.
struct Text {
    bytes: [c_char; GK_ERROR_MESSAGE_SIZE],
    len: usize,
    limit: usize,
}

impl Text {
    fn of(fault: &Fault) -> [c_char; GK_ERROR_MESSAGE_SIZE] {
        let mut text =
            Self { bytes: [0; GK_ERROR_MESSAGE_SIZE], len: 0, limit: crate::Error::MAX_MESSAGE };
        // A `Text` cuts what does not fit and never fails.
        let _never = match fault {
            Fault::Core(error) => text.write_str(error.message()),
            Fault::Null(name) => write!(text, "The argument `{name}` is NULL."),
            Fault::TooLong(name) => {
                write!(text, "The argument `{name}` is misaligned or longer than memory can be.")
            }
            Fault::NotUtf8(name) => write!(text, "The argument `{name}` is not UTF-8."),
            Fault::UnknownAlg => {
                text.write_str("The number names no algorithm; use a GK_ALG_ constant.")
            }
            Fault::OutOfRange(name) => write!(text, "The argument `{name}` is out of range."),
        };
        if let Fault::Core(error) = fault
            && let Some(claim) = error.claim()
        {
            text.len += 1;
            text.limit = GK_ERROR_MESSAGE_SIZE - 1;
            let _never = text.write_str(claim);
        }
        text.bytes
    }
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = self.limit.saturating_sub(self.len);
        let mut end = s.len().min(room);
        while !s.is_char_boundary(end) {
            end -= 1;
        }
        let places = self.bytes.iter_mut().skip(self.len);
        for (place, byte) in places.zip(s.bytes().take(end)) {
            // A NUL would end the message early; no message holds one, a claim's name may.
            *place = if byte == 0 { b'?'.cast_signed() } else { byte.cast_signed() };
        }
        self.len += end;
        Ok(())
    }
}
