//! `gk_str` is lent, `gk_buf` is given away.

use super::boundary::look;
use libc::c_char;
use zeroize::Zeroize as _;

/// Text that belongs to a handle: UTF-8 without a NUL at its end, valid until the handle is freed
/// (or changed, where it can be). `data` is NULL if there is nothing; empty text is not NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gk_str {
    /// The first byte, or NULL.
    pub data: *const c_char,
    /// How many bytes there are.
    pub len: usize,
}

impl gk_str {
    pub(super) const NONE: Self = Self { data: std::ptr::null(), len: 0 };
}

/// Text or bytes that the library has allocated and the caller owns: give it to gk_buf_free. The
/// byte behind the last one is NUL. A call that fails leaves {NULL, 0}. Change neither member.
#[repr(C)]
pub struct gk_buf {
    /// The first byte, or NULL.
    pub data: *mut c_char,
    /// How many bytes there are, without the NUL behind them.
    pub len: usize,
}

impl gk_buf {
    pub(super) const EMPTY: Self = Self { data: std::ptr::null_mut(), len: 0 };

    pub(super) fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Vec::with_capacity(bytes.len() + 1);
        copy.extend_from_slice(bytes);
        copy.push(0);
        let len = bytes.len();
        Self { data: Box::into_raw(copy.into_boxed_slice()).cast(), len }
    }

    /// Wipes and frees what there is.
    ///
    /// # Safety
    /// Empty, or made by `copy_of` and not changed since.
    pub(super) unsafe fn clear(&mut self) {
        let taken = std::mem::replace(self, Self::EMPTY);
        if !taken.data.is_null() {
            let bytes = std::ptr::slice_from_raw_parts_mut(taken.data.cast::<u8>(), taken.len + 1);
            // SAFETY: made by `copy_of`, and given up by the caller.
            wipe(&mut unsafe { Box::from_raw(bytes) });
        }
    }
}

/// Wipes and frees what a gk_buf holds and leaves {NULL, 0}.
///
/// @param buf A buffer that a call of this library has filled, or {NULL, 0}; NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_buf_free(buf: Option<&mut gk_buf>) {
    look((), || {
        buf?.clear();
        Some(())
    });
}

/// Overwrites the bytes, eight at a time, in a way that is not optimized out.
fn wipe(bytes: &mut [u8]) {
    // SAFETY: any eight bytes are a u64.
    let (head, words, tail) = unsafe { bytes.align_to_mut::<u64>() };
    head.zeroize();
    words.zeroize();
    tail.zeroize();
}
