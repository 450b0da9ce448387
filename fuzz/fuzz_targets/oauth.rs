//! libFuzzer's entry to `gatekey_fuzz::oauth`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::oauth::run(data);
});
