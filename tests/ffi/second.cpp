// A second file that includes the wrapper, so that the linker sees two of everything.
#include <gatekey.hpp>

std::string kid_of(const gatekey::key &key) { return std::string(key.kid()); }
