//! libFuzzer's entry to `gatekey_fuzz::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::request::run(data);
});
