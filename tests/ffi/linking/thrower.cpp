// A shared object, compiled with -fvisibility=hidden, out of which a gatekey::error is thrown.
#include <gatekey.hpp>

extern "C" __attribute__((visibility("default"))) void throws_an_error();

extern "C" void throws_an_error() { (void)gatekey::key::from_jwk("no key"); }
