/* A program that contains libgatekey.a and is linked with a shared library that uses
 * libsqlite3.so.0. argv[1]: the URL of a store. */
#include "use.h"

int got_its_own_sqlite(void);

int main(int argc, char **argv) {
    CHECK(argc == 2);
    use_store(argv[1]);
    CHECK(got_its_own_sqlite());
    return passed("rebound");
}
