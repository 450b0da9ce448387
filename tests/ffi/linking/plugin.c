/* A plug-in that uses gatekey, which it contains or is linked with. */
#include "use.h"

void plugin_key(void);
void plugin_keys(void);
void plugin_store(const char *url);

/* No more than this: a thread that has met more of Rust keeps the library loaded until it ends. */
void plugin_key(void) {
    gk_error err;
    gk_key *key = NULL;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    gk_key_free(key);
}

void plugin_keys(void) { use_keys(); }

void plugin_store(const char *url) { use_store(url); }
