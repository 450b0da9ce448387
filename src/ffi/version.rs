//! The versions of the library at hand. The header's own are macros: `GK_VERSION` is rendered by
//! `build.rs` from the package's version.

use super::boundary::look;
use libc::c_char;

/// The version of the ABI that this header describes, and the number in the name of the shared
/// library (libgatekey.so.0). Functions and constants are only ever added under one number; it
/// rises when something that exists changes or goes.
pub const GK_ABI_VERSION: u32 = 0;

/// The ABI version of the library that is linked in.
///
/// @return The library's GK_ABI_VERSION. A program built against another number must stop.
#[unsafe(no_mangle)]
pub extern "C" fn gk_abi_version() -> u32 {
    look(GK_ABI_VERSION, || None)
}

/// The version of the library that is linked in.
///
/// @return Text such as "0.1.0", NUL-terminated, valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn gk_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    look(VERSION.as_ptr().cast(), || None)
}
