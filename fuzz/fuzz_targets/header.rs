//! libFuzzer's entry to `gatekey_fuzz::header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::header::run(data);
});
