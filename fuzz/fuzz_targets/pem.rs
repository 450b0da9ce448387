//! libFuzzer's entry to `gatekey_fuzz::pem`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::pem::run(data);
});
