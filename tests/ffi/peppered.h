/* A store under pepper 1 of the tests, for what is opened in it. */
#ifndef GATEKEY_TESTS_PEPPERED_H
#define GATEKEY_TESTS_PEPPERED_H

#include "check.h"

/* What opening says; the store, or NULL. */
static inline gk_status opened_store(const char *url, const uint8_t *pepper, size_t pepper_len,
                                     gk_store **store, gk_error *err) {
    gk_store_options *options = gk_store_options_new();
    if (pepper != NULL) gk_store_options_pepper(options, 1, pepper, pepper_len);
    const gk_status status = gk_store_open(url, strlen(url), options, store, err);
    gk_store_options_free(options);
    return status;
}

static inline gk_store *store_under(const char *url, const uint8_t *pepper, size_t pepper_len) {
    gk_error err;
    gk_store *store = NULL;
    MUST(opened_store(url, pepper, pepper_len, &store, &err));
    return store;
}

#endif
