/*
 * What the parts of the validator share: a policy as gatekey.conf says it, and an issuer's keys as
 * all backends of a cluster share them. Everything here is palloc'd in the memory of the log-in,
 * which ends with it.
 */
#ifndef GATEKEY_VALIDATOR_H
#define GATEKEY_VALIDATOR_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include <gatekey.h>

/* The settings of a policy, in the order of the table in policy.c. */
typedef enum {
    ISSUER,
    SCOPE,
    HBA_ISSUER,
    AUDIENCE,
    TOKEN_TYPE,
    ALGORITHM,
    CLIENT,
    LEEWAY,
    MAX_LIFE,
    IDENTITY_CLAIM,
    ROLE_CLAIM,
    ROLE,
    JWKS_FILE,
    JWKS_URL,
    METADATA_URL,
    CA_FILE,
    KEYS_TTL,
    KEYS_MAX_STALE,
    ALLOW_LOOPBACK_HTTP,
    REVOCATIONS,
    SETTINGS
} setting;

typedef struct {
    char *name;
    int line;                /* of gatekey.conf */
    char *broken;            /* what is wrong with it, with the line; NULL if nothing is */
    List *values[SETTINGS];  /* of char *, in the order of the file */
    int64 numbers[SETTINGS]; /* of those that are numbers */
} policy;

/* The one value of a setting, or NULL. */
extern const char *value_of(const policy *p, setting s);

/*
 * The policy of a line of pg_hba.conf: the one of the file that names its issuer and its scope.
 * NULL, and why, if there is none that can be used.
 */
extern policy *policy_of(const char *file, const char *issuer, const char *scope, char **why);

/* Reads a whole file that only its owner may write; NULL, and why. */
extern char *read_file(const char *path, size_t largest, size_t *len, char **why);

/* Appends a string of JSON, or a list of strings. */
extern void add_text(StringInfo json, const char *name, const char *text);
extern void add_texts(StringInfo json, const char *name, const List *texts);

/* What is known of an issuer's keys. */
typedef struct {
    gk_key_set *set; /* NULL: there are none */
    int64 fetched;   /* when they were asked for; 0 for keys of a file */
} keys;

/* The keys that there are, without waiting. */
extern keys keys_of(const policy *p, char **why);

/*
 * Sees to it that keys newer than these are fetched, by one process for the whole cluster, and
 * waits for them at most this long. Whether there are other keys now; if not, why. Looks at
 * interrupts while it waits.
 */
extern bool newer_keys(const policy *p, int64 fetched, int wait_ms, char **why);

/*
 * Has keys older than keys_ttl fetched again. Others use them meanwhile; but where nobody has come
 * for twice that time they may long have been withdrawn, so that this one waits a moment for the
 * new ones.
 */
extern void renew(const policy *p, keys *k, char **why);

#endif
