//! libFuzzer's entry to `gatekey_fuzz::refresh`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::refresh::run(data);
});
