// A program, compiled with -fvisibility=hidden, linked with one shared object that throws and one
// that catches.
#include <gatekey.hpp>
#include <iostream>

extern "C" void throws_an_error();
extern "C" bool catches_an_error(void (*throws)());

static void throws_here() { (void)gatekey::key::from_jwk("no key"); }

int main() {
    bool caught_here = false;
    try {
        throws_an_error();
    } catch (const gatekey::error &) {
        caught_here = true;
    } catch (const std::exception &) {
        std::cerr << "the program does not know the error of a shared object\n";
    }
    if (!caught_here) return 1;
    if (!catches_an_error(throws_an_error) || !catches_an_error(throws_here)) {
        std::cerr << "a shared object does not know the error of another one\n";
        return 1;
    }
    std::cout << "caught\n";
}
