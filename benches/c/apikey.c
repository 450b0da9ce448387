/* gatekey's API keys through the C ABI: `apikey DIR` prints what
 * `gatekey-bench-api-keys run DIR` prints. */
#define _POSIX_C_SOURCE 200809L
#include <gatekey.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SINGLE = 200000, TOGETHER = 1000000 };

static gk_api_keys *keys;
static gk_api_key_check *check;
static char **texts;
static size_t count;
static volatile char seen; /* so that what was found is looked at */

static void fail(const char *what) {
    fprintf(stderr, "keys: %s\n", what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    size_t all, pages;
    if (!file || fscanf(file, "%zu %zu", &all, &pages) != 2) fail("no /proc");
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void nothing(size_t at) {
    (void)at;
}

static void verify_text(const char *text, const gk_api_key_check *with) {
    const gk_api_key_request presented = {{text, strlen(text)}, {NULL, 0}};
    gk_api_key_result who;
    if (gk_api_keys_verify(keys, &presented, with, &who, NULL)) fail("refused");
    seen = who.owner[0];
}

static void verify(size_t at) {
    verify_text(texts[at % count], NULL);
}

static void verify_scope(size_t at) {
    verify_text(texts[at % count], check);
}

static char **bad;

static void bad_checksum(size_t at) {
    gk_api_key_result who;
    const char *text = bad[at % 1000];
    const gk_api_key_request presented = {{text, strlen(text)}, {NULL, 0}};
    if (gk_api_keys_verify(keys, &presented, NULL, &who, NULL) != GK_STATUS_MALFORMED_API_KEY)
        fail("accepted");
}

static int ascending(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The median and the 99th percentile of `n` calls, one by one. */
static void one_by_one(void (*call)(size_t), size_t n, double *p50, double *p99) {
    uint64_t *taken = malloc(n * sizeof *taken);
    for (size_t at = 0; at < n; at++) {
        const uint64_t start = now();
        call(at);
        taken[at] = now() - start;
    }
    qsort(taken, n, sizeof *taken, ascending);
    *p50 = (double)taken[n / 2];
    *p99 = (double)taken[n * 99 / 100];
    free(taken);
}

static void measure(const char *name, void (*call)(size_t)) {
    double clock, ignored, p50, p99;
    for (size_t at = 0; at < SINGLE; at++) call(at);
    const uint64_t start = now();
    for (size_t at = 0; at < TOGETHER; at++) call(at);
    const double mean = (double)(now() - start) / TOGETHER;
    one_by_one(nothing, 100000, &clock, &ignored);
    one_by_one(call, SINGLE, &p50, &p99);
    printf("%s\t%.1f\t%.1f\t%.1f\n", name, mean, p50 - clock, p99 - clock);
}

/* The texts one after the other in memory, as requests bring them. */
static void read_texts(const char *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s/keys.txt", folder);
    FILE *file = fopen(path, "r");
    if (!file) fail("no keys.txt");
    fseek(file, 0, SEEK_END);
    const size_t size = (size_t)ftell(file);
    rewind(file);
    char *all = malloc(size + 1);
    if (fread(all, 1, size, file) != size) fail("keys.txt cannot be read");
    all[size] = '\0';
    fclose(file);
    for (const char *at = all; *at; at++) count += *at == '\n';
    texts = malloc((count + 1) * sizeof *texts);
    count = 0;
    for (char *at = strtok(all, "\n"); at; at = strtok(NULL, "\n")) texts[count++] = at;
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: keys DIR");
    read_texts(argv[1]);
    char url[4096];
    gk_error err;
    snprintf(url, sizeof url, "sqlite:///%s/keys.sqlite", argv[1]);
    const size_t before = resident();
    const uint64_t start = now();
    if (gk_api_keys_open(url, strlen(url), NULL, &keys, &err)) fail(err.message);
    printf("open\t%.1f\n", (double)(now() - start));
    printf("bytes\t%.1f\n", (double)(resident() - before) / (double)count);
    check = gk_api_key_check_new();
    gk_api_key_check_scope(check, GK_TEXT("orders:read"));
    measure("verify", verify);
    measure("verify with a scope", verify_scope);
    bad = malloc(1000 * sizeof *bad);
    for (size_t at = 0; at < 1000; at++) {
        bad[at] = strdup(texts[at % count]);
        char *changed = bad[at] + strlen(bad[at]) - 10;
        *changed = *changed == 'a' ? 'b' : 'a';
    }
    measure("bad checksum", bad_checksum);
    gk_api_key_check_free(check);
    gk_api_keys_free(keys);
    return 0;
}
