//! libFuzzer's entry to `gatekey_fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::json::run(data);
});
