/* What the programs share that call every function with NULL and with wrong arguments. */
#ifndef GATEKEY_TESTS_REFUSE_H
#define GATEKEY_TESTS_REFUSE_H

#include "check.h"

#define NOTEXT NULL, 3       /* NULL with a length */
#define LATIN1 "caf\xE9", 4  /* not UTF-8 */
#define TEXT GK_TEXT("text") /* nothing wrong with it */
#define NORAW NULL, 3        /* no bytes with a length */

enum { MOST_FUNCTIONS = 600 };
static const char *called[MOST_FUNCTIONS];
static size_t called_count;

static void mark(const char *function) {
    if (called_count > 0 && strcmp(called[called_count - 1], function) == 0) return;
    CHECK(called_count < MOST_FUNCTIONS);
    called[called_count++] = function;
}

/* Names the function, so that the list at the end can be compared. */
#define CALL(function) (mark(#function), function)

/* The call must be refused as a mistake, whether or not it is given a gk_error. */
#define REFUSED(function, ...)                                                                     \
    do {                                                                                           \
        FAILS(GK_STATUS_INVALID_ARGUMENT, CALL(function)(__VA_ARGS__, &err));                      \
        CHECK(gk_error_claim(&err)[0] == 0);                                                       \
        CHECK(function(__VA_ARGS__, NULL) == GK_STATUS_INVALID_ARGUMENT);                          \
    } while (0)

/* The call must be refused, and the handle it would have made must be NULL. */
#define NO_HANDLE(type, function, ...)                                                             \
    do {                                                                                           \
        type *out = (type *)&err;                                                                  \
        FAILS(GK_STATUS_INVALID_ARGUMENT, CALL(function)(__VA_ARGS__, &out, &err));                \
        CHECK(out == NULL);                                                                        \
        out = (type *)&err;                                                                        \
        CHECK(function(__VA_ARGS__, &out, NULL) == GK_STATUS_INVALID_ARGUMENT && out == NULL);     \
    } while (0)

/* The call must be refused, and the buffer it would have filled must be empty. */
#define NO_BUF(function, ...)                                                                      \
    do {                                                                                           \
        gk_buf out = {(char *)&err, 7};                                                            \
        FAILS(GK_STATUS_INVALID_ARGUMENT, CALL(function)(__VA_ARGS__, &out, &err));                \
        CHECK(out.data == NULL && out.len == 0);                                                   \
    } while (0)

/* A setter of NULL does nothing. */
#define IGNORED(function, ...) (CALL(function)(__VA_ARGS__))

/* A setter that is given something wrong: the call that uses what is built says so. */
#define STICKS(type, function, ...)                                                                \
    do {                                                                                           \
        type *built = fresh_##type();                                                              \
        MUST(use_##type(built, &err));                                                             \
        CALL(function)(built, __VA_ARGS__);                                                        \
        FAILS(GK_STATUS_INVALID_ARGUMENT, use_##type(built, &err));                                \
        CHECK(gk_error_claim(&err)[0] == 0);                                                       \
        CHECK(use_##type(built, NULL) == GK_STATUS_INVALID_ARGUMENT);                              \
        type##_free(built);                                                                        \
    } while (0)

/* A setter with one text: no handle, no text, no UTF-8. */
#define TEXT_SETTER(type, function)                                                                \
    do {                                                                                           \
        IGNORED(function, NULL, TEXT);                                                             \
        STICKS(type, function, NOTEXT);                                                            \
        STICKS(type, function, LATIN1);                                                            \
    } while (0)

/* Which exported functions a list covers: those whose name begins with one of its texts. */
static inline bool begins_with_any(const char *name, const char *const *begin, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strncmp(name, begin[i], strlen(begin[i])) == 0) return true;
    }
    return false;
}

/* Ends the program unless each exported function was called that is covered (or is not, if
 * `covered` is false); how many there are. */
static inline size_t all_called(const char *root, const char *const *begin, size_t count,
                                bool covered) {
    char path[4096], name[128];
    size_t functions = 0, missing = 0;
    snprintf(path, sizeof path, "%s/tests/symbols.txt", root);
    FILE *list = fopen(path, "r");
    CHECK(list != NULL);
    while (fgets(name, sizeof name, list) != NULL) {
        name[strcspn(name, "\n")] = 0;
        if (begins_with_any(name, begin, count) != covered) continue;
        functions++;
        bool found = false;
        for (size_t i = 0; i < called_count && !found; i++) found = strcmp(called[i], name) == 0;
        if (!found) fprintf(stderr, "this program does not call %s\n", name);
        missing += !found;
    }
    fclose(list);
    CHECK(missing == 0);
    return functions;
}

#endif /* GATEKEY_TESTS_REFUSE_H */
