/*
 * gatekey_validator: PostgreSQL 18 logs in with the access tokens of an OAuth 2.0 issuer
 * (oauth_validator_libraries).
 *
 * Which tokens a line of pg_hba.conf takes is said by the policy of gatekey.conf that has its
 * issuer and its scope. The core decides: signature, issuer, audience, type, scopes, dates,
 * revocations. This module finds the policy and the keys, compares roles, and logs why a token was
 * refused. The client learns nothing but PostgreSQL's own sentence.
 *
 * No callback is handed to gatekey, so that no longjmp of PostgreSQL's ever crosses its frames.
 * What an error here leaves behind ends with the process, as every failed log-in does.
 */
#include "validator.h"

#include "fmgr.h"
#include "libpq/libpq-be.h"
#include "libpq/oauth.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

#define LONGEST_IDENTITY 1024
/* Milliseconds to wait for keys: the first ones, and those of a token whose key is not known. */
#define WAIT_FOR_FIRST 5000
#define WAIT_FOR_OTHERS 1000

extern PGDLLEXPORT void _PG_init(void);

static char *policies_file;

static const char *const algorithms[] = {"RS256", "RS384",   "RS512",     "PS256",     "PS384",
                                         "PS512", "ES256",   "ES384",     "ES512",     "ES256K",
                                         "EdDSA", "Ed25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"};

/* What the core is to accept, in the words of gk_resource_server_builder_from_json. */
static char *door_of(const policy *p) {
    StringInfoData json;
    List *names = p->values[ALGORITHM];
    initStringInfo(&json);
    appendStringInfoChar(&json, '{');
    add_text(&json, "audience", value_of(p, AUDIENCE));
    add_texts(&json, "token_types", p->values[TOKEN_TYPE]);
    add_texts(&json, "clients", p->values[CLIENT]);
    /* Never HMAC: an issuer's keys are public. */
    if (names == NIL)
        for (size_t i = 0; i < lengthof(algorithms); i++)
            names = lappend(names, unconstify(char *, algorithms[i]));
    add_texts(&json, "algorithms", names);
    if (p->values[LEEWAY] != NIL)
        appendStringInfo(&json, ",\"leeway\":%lld", (long long)p->numbers[LEEWAY]);
    appendStringInfoChar(&json, '}');
    return json.data;
}

/* Asks the core about a token, with the keys that there are. */
static gk_status check(const policy *p, const gk_key_set *set, const char *token, gk_json **access,
                       gk_error *e) {
    gk_resource_server_builder *builder = NULL;
    gk_resource_server *server = NULL;
    gk_revocations *revocations = NULL;
    gk_demand *demand = gk_demand_new();
    gk_buf told = {NULL, 0};
    const char *issuer = value_of(p, ISSUER), *url = value_of(p, REVOCATIONS);
    char *door = door_of(p), *header = psprintf("Bearer %s", token);
    gk_caller caller = {header, strlen(header), NULL, 0, NULL, 0};

    for (const char *scope = value_of(p, SCOPE); *scope != '\0'; scope += strspn(scope, " ")) {
        size_t n = strcspn(scope, " ");
        if (n > 0) gk_demand_scope(demand, scope, n);
        scope += n;
    }
    gk_status status = gk_resource_server_builder_from_json(door, strlen(door), &builder, e);
    if (status == GK_STATUS_OK)
        gk_resource_server_builder_issuer_key_set(builder, issuer, strlen(issuer), set);
    if (status == GK_STATUS_OK && url != NULL) {
        status = gk_revocations_open(url, strlen(url), NULL, &revocations, e);
        if (status == GK_STATUS_OK) gk_resource_server_builder_revocations(builder, revocations);
    }
    if (status == GK_STATUS_OK) status = gk_resource_server_builder_build(builder, &server, e);
    if (status == GK_STATUS_OK)
        status = gk_resource_server_check(server, &caller, demand, &told, NULL, e);
    if (status == GK_STATUS_OK)
        status = gk_json_parse((const char *)told.data, told.len, access, e);

    gk_buf_free(&told);
    gk_resource_server_free(server);
    gk_revocations_free(revocations);
    gk_resource_server_builder_free(builder);
    gk_demand_free(demand);
    explicit_bzero(header, strlen(header));
    pfree(header);
    return status;
}

static bool is(gk_str text, const char *bytes, size_t len) {
    return text.data != NULL && text.len == len && memcmp(text.data, bytes, len) == 0;
}

/* Whether a claim is this text, or a list with it: bytes are compared, nothing is cut or folded. */
static bool contains(const gk_json *claim, const char *bytes, size_t len) {
    if (gk_json_kind_of(claim) == GK_JSON_TEXT) return is(gk_json_text(claim), bytes, len);
    if (gk_json_kind_of(claim) != GK_JSON_LIST) return false;
    for (size_t i = 0; i < gk_json_len(claim); i++)
        if (is(gk_json_text(gk_json_at(claim, i)), bytes, len)) return true;
    return false;
}

/* Whether a `role` setting of this role has its value in the claim; `role = NAME` alone is its own
 * value. */
static bool may_be(const policy *p, const gk_json *claims, const char *role) {
    const gk_json *claim = claims;
    for (const char *name = value_of(p, ROLE_CLAIM); *name != '\0'; name += strspn(name, " ")) {
        claim = gk_json_member(claim, name, strcspn(name, " "));
        name += strcspn(name, " ");
    }
    foreach_ptr(char, rule, p->values[ROLE]) {
        size_t n = strcspn(rule, " ");
        const char *value = rule + n + strspn(rule + n, " ");
        if (strlen(role) != n || memcmp(rule, role, n) != 0) continue;
        if (*value != '\0' ? contains(claim, value, strlen(value)) : contains(claim, role, n))
            return true;
    }
    return false;
}

/* Who it is: the issuer, `#` and a claim that stays. NULL for what could not be told apart in a
 * log. */
static char *identity_of(const policy *p, const gk_json *claims) {
    const char *name = value_of(p, IDENTITY_CLAIM) ? value_of(p, IDENTITY_CLAIM) : "sub";
    gk_str who = gk_json_text(gk_json_member(claims, name, strlen(name)));
    if (who.data == NULL || who.len == 0 || who.len > LONGEST_IDENTITY) return NULL;
    for (size_t i = 0; i < who.len; i++)
        if ((unsigned char)who.data[i] < ' ' || who.data[i] == 0x7f) return NULL;
    return psprintf("%s#%.*s", value_of(p, ISSUER), (int)who.len, who.data);
}

static bool lives_too_long(const policy *p, const gk_json *claims) {
    double exp = 0, iat = 0;
    if (p->values[MAX_LIFE] == NIL) return false;
    return !gk_json_number(gk_json_member(claims, GK_TEXT("exp")), &exp) ||
           !gk_json_number(gk_json_member(claims, GK_TEXT("iat")), &iat) ||
           exp - iat > (double)p->numbers[MAX_LIFE];
}

/* Why a token was refused, or NULL. */
static char *refused(const HbaLine *hba, const char *token, const char *role, char **identity) {
    char *why = NULL;
    gk_error e;
    gk_json *access = NULL;
    if (hba->oauth_issuer == NULL || hba->oauth_scope == NULL)
        return "the line has no issuer or no scope";
    policy *p = policy_of(policies_file, hba->oauth_issuer, hba->oauth_scope, &why);
    if (p == NULL) return why;
    if (hba->oauth_skip_usermap && p->values[ROLE_CLAIM] == NIL)
        return psprintf("policy \"%s\" has no \"role_claim\", which delegate_ident_mapping needs",
                        p->name);

    keys k = keys_of(p, &why);
    if (k.set == NULL && newer_keys(p, 0, WAIT_FOR_FIRST, &why)) k = keys_of(p, &why);
    if (k.set == NULL) return psprintf("there are no keys of %s: %s", value_of(p, ISSUER), why);
    renew(p, &k, &why);
    if (k.set == NULL) return psprintf("there are no keys of %s: %s", value_of(p, ISSUER), why);
    why = "they are those of jwks_file";
    gk_status status = check(p, k.set, token, &access, &e);
    gk_key_set_free(k.set);
    if (status == GK_STATUS_KEY_NOT_FOUND && newer_keys(p, k.fetched, WAIT_FOR_OTHERS, &why)) {
        k = keys_of(p, &why);
        if (k.set != NULL) status = check(p, k.set, token, &access, &e);
        gk_key_set_free(k.set);
    }
    if (status == GK_STATUS_KEY_NOT_FOUND)
        return psprintf("policy \"%s\": %s No newer keys: %s", p->name, e.message, why);
    if (status != GK_STATUS_OK) return psprintf("policy \"%s\": %s", p->name, e.message);

    const gk_json *claims = gk_json_member(access, GK_TEXT("claims"));
    *identity = identity_of(p, claims);
    if (*identity == NULL)
        why = psprintf("policy \"%s\": the claim \"%s\" must be a text without control characters",
                       p->name, value_of(p, IDENTITY_CLAIM) ? value_of(p, IDENTITY_CLAIM) : "sub");
    else if (lives_too_long(p, claims))
        why = psprintf("policy \"%s\": the token lives longer than max_life, or does not tell",
                       p->name);
    else if (p->values[ROLE_CLAIM] != NIL && !may_be(p, claims, role))
        why = psprintf("policy \"%s\": the claim \"%s\" does not grant this role", p->name,
                       value_of(p, ROLE_CLAIM));
    else
        why = NULL;
    gk_json_free(access);
    return why;
}

static bool validate(const ValidatorModuleState *state, const char *token, const char *role,
                     ValidatorModuleResult *result) {
    const HbaLine *hba = MyProcPort->hba;
    (void)state;
    result->authorized = false;
    result->authn_id = NULL;
    char *why = refused(hba, token, role, &result->authn_id);
    if (why == NULL)
        result->authorized = true;
    else
        ereport(LOG, errmsg("gatekey: no log-in as \"%s\" by line %d of \"%s\": %s", role,
                            hba->linenumber, hba->sourcefile, why));
    return true;
}

static const OAuthValidatorCallbacks callbacks = {PG_OAUTH_VALIDATOR_MAGIC, NULL, NULL, validate};

const OAuthValidatorCallbacks *_PG_oauth_validator_module_init(void) { return &callbacks; }

void _PG_init(void) {
    DefineCustomStringVariable("gatekey.policies",
                               "The file with the policies of pg_hba.conf's oauth lines.",
                               "Relative to the data directory.", &policies_file, "gatekey.conf",
                               PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
    MarkGUCPrefixReserved("gatekey");
}
