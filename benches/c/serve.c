/* See serve.h. */
#define _POSIX_C_SOURCE 200809L
#include "serve.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const ALGORITHMS[] = {"HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"};
enum { ALGORITHM_COUNT = sizeof ALGORITHMS / sizeof *ALGORITHMS };

struct bench_case {
    struct bench_fixtures fixtures;
    struct bench_contender contender;
    int offered;
};

static struct bench_case cases[ALGORITHM_COUNT];

static void die(const char *contender, const char *alg, const char *what) {
    fprintf(stderr, "%s %s: %s\n", contender, alg, what);
    exit(1);
}

static char *read_text(const char *dir, const char *alg, const char *part, size_t *len) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", dir, alg, part);
    FILE *file = fopen(path, "rb");
    if (!file) die(alg, part, "the fixture cannot be opened");
    char *text = calloc(1, 1 << 16);
    if (!text) die(alg, part, "out of memory");
    *len = fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    return text;
}

static int hex_digit(char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void load_key(const char *dir, const char *alg, const char *part, char **key, size_t *len) {
    *key = read_text(dir, alg, part, len);
    if (strcmp(alg, "HS256") == 0) {
        *len /= 2;
        for (size_t i = 0; i < *len; i++) {
            (*key)[i] = (char)(hex_digit((*key)[2 * i]) * 16 + hex_digit((*key)[2 * i + 1]));
        }
        (*key)[*len] = 0;
    }
}

static char *decode_payload(const char *token) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *out = calloc(1, strlen(token));
    if (!out) die(token, "payload", "out of memory");
    size_t len = 0, bits = 0;
    unsigned word = 0;
    for (const char *c = strchr(token, '.') + 1; *c != '.'; c++) {
        word = word << 6 | (unsigned)(strchr(alphabet, *c) - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[len++] = (char)(word >> bits & 255);
        }
    }
    return out;
}

static void load(const char *dir, const char *alg, struct bench_fixtures *out) {
    size_t len;
    char *rest = NULL;
    out->alg = alg;
    load_key(dir, alg, "private", &out->private_key, &out->private_len);
    load_key(dir, alg, "public", &out->public_key, &out->public_len);
    char *text = read_text(dir, alg, "tokens", &len);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        out->tokens[out->token_count++] = line;
    }
    text = read_text(dir, alg, "bad", &len);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *tab = strchr(line, '\t');
        *tab = 0;
        out->bad_reason[out->bad_count] = line;
        out->bad[out->bad_count++] = tab + 1;
    }
    out->payload = decode_payload(out->tokens[0]);
}

static void prove(const struct bench_fixtures *f, const struct bench_contender *c) {
    for (size_t i = 0; i < f->token_count; i++) {
        if (!c->verify(c->state, f->tokens[i], strlen(f->tokens[i]))) die(c->name, f->alg, "refuses a good token");
    }
    for (size_t i = 0; i < f->bad_count; i++) {
        if (c->verify(c->state, f->bad[i], strlen(f->bad[i]))) {
            fprintf(stderr, "%s %s accepts a token with: %s\n", c->name, f->alg, f->bad_reason[i]);
            exit(1);
        }
    }
    char *token = NULL;
    c->sign(c->state, &token);
    size_t good = strlen(f->tokens[0]), len = token ? strlen(token) : 0;
    if (len > good + 16 || good > len + 16) die(c->name, f->alg, "signs another payload");
    if (!c->verify(c->state, token, len)) die(c->name, f->alg, "signs a bad token");
    free(token);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct work {
    struct bench_case *of;
    size_t n;
    /* Of a second thread: that it runs, and that it may begin. */
    atomic_bool ready, go;
};

static void *verify_many(void *argument) {
    const struct work *work = argument;
    const struct bench_fixtures *f = &work->of->fixtures;
    const struct bench_contender *c = &work->of->contender;
    size_t lengths[BENCH_MAX_TOKENS];
    for (size_t i = 0; i < f->token_count; i++) lengths[i] = strlen(f->tokens[i]);
    for (size_t i = 0, at = 0; i < work->n; i++, at = at + 1 == f->token_count ? 0 : at + 1) {
        if (!c->verify(c->state, f->tokens[at], lengths[at])) die(c->name, f->alg, "refuses a good token");
    }
    return NULL;
}

static void *verify_many_when_told(void *argument) {
    struct work *work = argument;
    atomic_store(&work->ready, true);
    while (!atomic_load(&work->go)) {
    }
    return verify_many(work);
}

static double run(struct bench_case *of, const char *op, size_t n) {
    struct work work = {.of = of, .n = n};
    double start = now();
    if (strcmp(op, "verify") == 0) {
        verify_many(&work);
    } else if (strcmp(op, "sign") == 0) {
        for (size_t i = 0; i < n; i++) of->contender.sign(of->contender.state, NULL);
    } else {
        pthread_t other;
        work.n = (n + 1) / 2;
        if (pthread_create(&other, NULL, verify_many_when_told, &work)) die(of->contender.name, op, "no thread");
        /* How long the system takes to give it a processor is not the library's. */
        while (!atomic_load(&work.ready)) {
        }
        start = now();
        atomic_store(&work.go, true);
        verify_many(&work);
        pthread_join(other, NULL);
    }
    return now() - start;
}

/* Warms up for a tenth of the budget, on one thread, then spends the budget in one timed loop. */
static double sample(struct bench_case *of, const char *op, double budget) {
    const char *warm_up = strcmp(op, "sign") == 0 ? op : "verify";
    size_t n = 1;
    double spent = run(of, warm_up, n);
    while (spent < budget / 10) {
        n *= 2;
        spent = run(of, warm_up, n);
    }
    n = (size_t)(budget / (spent / (double)n)) + 1;
    if (strcmp(op, "verify-2-threads") == 0) n *= 2;
    return run(of, op, n) / (double)n;
}

int bench_main(int argc, char **argv, const char *library, const char *version, bench_setup setup) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s FIXTURES\n", argv[0]);
        return 2;
    }
    printf("version\t%s\t%s\n", library, version);
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        struct bench_case *c = &cases[i];
        load(argv[1], ALGORITHMS[i], &c->fixtures);
        c->offered = setup(&c->fixtures, &c->contender);
        if (!c->offered) continue;
        prove(&c->fixtures, &c->contender);
        static const char *const operations[] = {"verify", "sign", "verify-2-threads"};
        for (size_t op = 0; op < 3; op++) {
            printf("case\t%s\t%s\t%s\n", c->contender.name, operations[op], ALGORITHMS[i]);
        }
    }
    puts("ready");
    fflush(stdout);
    char line[256], name[64], op[64], alg[16];
    double milliseconds;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%63[^\t]\t%63[^\t]\t%15[^\t]\t%lf", name, op, alg, &milliseconds) != 4) return 2;
        for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
            if (cases[i].offered && strcmp(ALGORITHMS[i], alg) == 0) {
                printf("%f\n", sample(&cases[i], op, milliseconds * 1e6));
            }
        }
        fflush(stdout);
    }
    return 0;
}
