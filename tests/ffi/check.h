/* What the C programs of this directory share: a check that counts, and calls that must succeed. */
#ifndef GATEKEY_TESTS_CHECK_H
#define GATEKEY_TESTS_CHECK_H

#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int checks_made; /* threads check, too */

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
    const bool message = err->message[0] != 0 && strlen(err->message) <= 400;
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

/* A key as a request brings it, whose address is not known. */
#define PRESENTED(...) (&(const gk_api_key_request){{__VA_ARGS__}, {NULL, 0}})

/* A gk_str as the two arguments of a call. */
#define LENT(lent) (lent).data, (lent).len

/* The bytes of a gk_buf as the two arguments of a call. */
#define BYTES(buf) (const uint8_t *)(buf).data, (buf).len

/* Ends the program unless the named file of this folder calls every exported function whose name
 * begins so; how many there are. */
static inline size_t calls_all(const char *root, const char *file_name, const char *begin) {
    static char source[200000];
    char path[4096], name[128], call[130];
    size_t functions = 0;
    snprintf(path, sizeof path, "%s/tests/ffi/%s", root, file_name);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    source[fread(source, 1, sizeof source - 1, file)] = 0;
    fclose(file);
    snprintf(path, sizeof path, "%s/tests/symbols.txt", root);
    file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(name, sizeof name, file) != NULL) {
        name[strcspn(name, "\n")] = 0;
        if (strncmp(name, begin, strlen(begin)) != 0) continue;
        functions++;
        snprintf(call, sizeof call, "%s(", name);
        if (strstr(source, call) == NULL) fprintf(stderr, "%s does not call %s\n", file_name, name);
        CHECK(strstr(source, call) != NULL);
    }
    fclose(file);
    return functions;
}

static inline int passed(const char *program) {
    printf("  %-12s %d checks\n", program, checks_made);
    return checks_made > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif /* GATEKEY_TESTS_CHECK_H */
