//! `libgatekey`: re-exports the C ABI of `gatekey::ffi` as a shared and a static library.
pub use ::gatekey::ffi::*;
