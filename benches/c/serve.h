/* What every C and C++ contender shares: the fixtures, the proof, the timing and the protocol (that of
 * ../src/serve.rs). */
#ifndef GATEKEY_BENCH_SERVE_H
#define GATEKEY_BENCH_SERVE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ISSUER "https://issuer.example.com"
#define AUDIENCE "https://api.example.com"
#define BENCH_MAX_TOKENS 32

struct bench_fixtures {
    const char *alg;
    char *private_key; /* PEM, or the secret itself for HS256 */
    size_t private_len;
    char *public_key;
    size_t public_len;
    char *tokens[BENCH_MAX_TOKENS];
    size_t token_count;
    char *bad[BENCH_MAX_TOKENS]; /* of the same index: what is bad about it */
    char *bad_reason[BENCH_MAX_TOKENS];
    size_t bad_count;
    char *payload; /* the JSON text inside tokens[0] */
};

/* One contender with its keys for one algorithm. `verify` returns 1 for a token it accepts; `sign` frees
 * what it made unless `copy` is given, which receives a malloc-ed, terminated token. Both get `state`. */
struct bench_contender {
    const char *name;
    int (*verify)(void *state, const char *token, size_t token_len);
    void (*sign)(void *state, char **copy);
    void *state;
};

/* Makes a contender for the algorithm of the fixtures; returns 0 where the library lacks it. */
typedef int (*bench_setup)(const struct bench_fixtures *fixtures, struct bench_contender *out);

/* Proves and offers the contender for each algorithm, then answers the driver until end of file. */
int bench_main(int argc, char **argv, const char *library, const char *version, bench_setup setup);

#ifdef __cplusplus
}
#endif
#endif
