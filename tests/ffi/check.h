/* What the C programs of this directory share: a check that counts, and calls that must succeed. */
#ifndef GATEKEY_TESTS_CHECK_H
#define GATEKEY_TESTS_CHECK_H

#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks_made;

/* Ends the program where a condition does not hold. */
#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

/* A call that must succeed, with `err` in scope. */
#define MUST(call) check_status((call), GK_STATUS_OK, &err, #call, __FILE__, __LINE__)

/* A call that must fail in one way, with `err` in scope. */
#define FAILS(wanted, call) check_status((call), (wanted), &err, #call, __FILE__, __LINE__)

static inline void check(bool holds, const char *what, const char *file, int line) {
    checks_made++;
    if (holds) return;
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    exit(EXIT_FAILURE);
}

static inline void check_status(gk_status status, gk_status wanted, const gk_error *err,
                                const char *what, const char *file, int line) {
    checks_made++;
    const bool message = err->message[0] != 0 && strlen(err->message) <= 200;
    if (status == wanted && err->status == status && message == (status != GK_STATUS_OK)) return;
    fprintf(stderr, "%s:%d: %s, expected %s: %s\n  message: %s\n", file, line,
            gk_status_name(status), gk_status_name(wanted), what, err->message);
    exit(EXIT_FAILURE);
}

static inline bool str_is(gk_str lent, const char *text) {
    return lent.data != NULL && lent.len == strlen(text) && memcmp(lent.data, text, lent.len) == 0;
}

static inline bool buf_is(gk_buf buf, const char *text) {
    return buf.data != NULL && buf.len == strlen(text) && strcmp(buf.data, text) == 0;
}

/* A gk_str as the two arguments of a call. */
#define LENT(lent) (lent).data, (lent).len

/* The bytes of a gk_buf as the two arguments of a call. */
#define BYTES(buf) (const uint8_t *)(buf).data, (buf).len

static inline int passed(const char *program) {
    printf("  %-12s %d checks\n", program, checks_made);
    return checks_made > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif /* GATEKEY_TESTS_CHECK_H */
