/* Debian's libjwt 1.x. It has no parsed key, no PS and no EdDSA; exp, aud and iss are the caller's to check. */
#define _POSIX_C_SOURCE 200809L
#include "serve.h"

#include <jwt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct state {
    const struct bench_fixtures *fixtures;
    jwt_alg_t alg;
};

static int same(const char *value, const char *expected) {
    return value && strcmp(value, expected) == 0;
}

static int verify(void *state, const char *token, size_t token_len) {
    (void)token_len;
    const struct state *s = state;
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, token, (const unsigned char *)s->fixtures->public_key, (int)s->fixtures->public_len)) return 0;
    int good = jwt_get_alg(jwt) == s->alg && jwt_get_grant_int(jwt, "exp") > time(NULL) &&
               same(jwt_get_grant(jwt, "aud"), AUDIENCE) && same(jwt_get_grant(jwt, "iss"), ISSUER);
    jwt_free(jwt);
    return good;
}

static void sign(void *state, char **copy) {
    const struct state *s = state;
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) || jwt_add_grants_json(jwt, s->fixtures->payload) ||
        jwt_set_alg(jwt, s->alg, (const unsigned char *)s->fixtures->private_key, (int)s->fixtures->private_len)) {
        abort();
    }
    char *token = jwt_encode_str(jwt);
    if (!token) abort();
    jwt_free(jwt);
    if (copy) {
        *copy = token;
    } else {
        free(token);
    }
}

static int setup(const struct bench_fixtures *fixtures, struct bench_contender *out) {
    jwt_alg_t alg = jwt_str_alg(fixtures->alg);
    if (alg == JWT_ALG_INVAL) return 0;
    struct state *s = malloc(sizeof *s);
    if (!s) abort();
    *s = (struct state){fixtures, alg};
    *out = (struct bench_contender){"libjwt", verify, sign, s};
    return 1;
}

int main(int argc, char **argv) {
    return bench_main(argc, argv, "libjwt", LIBJWT_VERSION, setup);
}
