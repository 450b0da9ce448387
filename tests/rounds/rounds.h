/* How often the tests do what they do many times: `GATEKEY_ROUNDS`. */
#ifndef GATEKEY_TESTS_ROUNDS_H
#define GATEKEY_TESTS_ROUNDS_H

#include <stdbool.h>
#include <stdlib.h>

/* `few` in `make test`, ten times as many in `make test-all`. */
static inline int rounds(int few) {
    const char *times = getenv("GATEKEY_ROUNDS");
    const int parsed = times == NULL ? 1 : atoi(times);
    if (parsed < 1) abort(); /* not a whole number above 0 */
    return few * parsed;
}

/* Under Valgrind in `make test`, where a second becomes half a minute: what is slow, and for
 * Valgrind the same as what is left, is for the other lanes and for `make test-all`. */
static inline bool is_brief(void) { return getenv("GATEKEY_BRIEF") != NULL; }

#endif /* GATEKEY_TESTS_ROUNDS_H */
