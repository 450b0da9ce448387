//! libFuzzer's entry to `gatekey_fuzz::token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::token::run(data);
});
