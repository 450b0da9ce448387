/* Reads the files of tests/vectors, which Rust, C and Python share. */
#ifndef GATEKEY_TESTS_VECTORS_H
#define GATEKEY_TESTS_VECTORS_H

#include "../rounds/rounds.h"
#include "check.h"

/* The text of a file below the directory of the repository; to be freed. */
static inline char *read_vectors(const char *root, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/vectors/%s", root, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size_t len = 0, size = 1 << 16;
    char *text = NULL;
    do {
        size *= 2;
        text = realloc(text, size);
        if (text == NULL) exit(EXIT_FAILURE);
        len += fread(text + len, 1, size - len - 1, file);
    } while (len == size - 1);
    text[len] = 0;
    fclose(file);
    return text;
}

/* Cuts the text at the next end of line; NULL at the end of the text. */
static inline char *next_line(char **rest) {
    char *line = *rest;
    if (*line == 0) return NULL;
    char *end = strchr(line, '\n');
    *rest = end ? end + 1 : line + strlen(line);
    if (end) *end = 0;
    return line;
}

/* Cuts the line at its tabs; says how many fields there are, at most `most`. */
static inline size_t split_fields(char *line, char **fields, size_t most) {
    size_t count = 0;
    while (count < most) {
        fields[count++] = line;
        line = strchr(line, '\t');
        if (line == NULL) break;
        *line++ = 0;
    }
    return count;
}

/* The next line of keys.txt: its name, its algorithm and its JWK. */
static inline bool next_key(char **rest, const char **name, gk_alg *alg, const char **jwk) {
    char *line, *fields[4];
    gk_error err;
    while ((line = next_line(rest)) != NULL) {
        if (*line == '#' || *line == 0) continue;
        CHECK(split_fields(line, fields, 4) == 4);
        *name = fields[1];
        *jwk = fields[3];
        MUST(gk_alg_from_name(fields[2], strlen(fields[2]), alg, &err));
        return true;
    }
    return false;
}

/* RSA is slow under Valgrind, and alike with other hashes. */
static inline bool is_left_out(gk_alg alg) {
    return is_brief() && alg > GK_ALG_RS256 && alg < GK_ALG_PS512;
}

/* The key of this name in keys.txt: an RSA key takes long to make. */
static inline gk_key *fixed_key(const char *root, const char *wanted) {
    char *text = read_vectors(root, "keys.txt"), *rest = text;
    const char *name = NULL, *jwk = NULL;
    gk_alg alg = GK_ALG_ANY;
    gk_key *key = NULL;
    gk_error err;
    while (next_key(&rest, &name, &alg, &jwk) && strcmp(name, wanted) != 0) continue;
    MUST(gk_key_from_jwk(jwk, strlen(jwk), alg, &key, &err));
    CHECK(strcmp(name, wanted) == 0);
    free(text);
    return key;
}

#endif /* GATEKEY_TESTS_VECTORS_H */
