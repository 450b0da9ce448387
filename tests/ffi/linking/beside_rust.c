/* A program that contains another static library made by Rust. argv[1]: the URL of a store. */
#include "use.h"

int other_catches_its_panic(void);

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(other_catches_its_panic());
    use_keys();
    use_store(argv[1]);
    CHECK(other_catches_its_panic());
    return passed("beside_rust");
}
