// Another shared object, compiled with -fvisibility=hidden, which catches what the first one
// throws.
#include <gatekey.hpp>

extern "C" __attribute__((visibility("default"))) bool catches_an_error(void (*throws)());

extern "C" bool catches_an_error(void (*throws)()) {
    try {
        throws();
    } catch (const gatekey::error &error) {
        return error.is_misuse() || error.is_rejected();
    } catch (const std::exception &) {
        return false; // an error of which this object knows nothing
    }
    return false;
}
