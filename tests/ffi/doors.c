/* Wide doors: several issuers, tokens without type or audience, of known clients; tenants; and a
 * request with two credentials. */
#include "door.h"

#define API "https://api.example"
#define A "https://a.example"
#define B "https://b.example"

static gk_error err;

static gk_key_ring *a_ring(void) {
    gk_key_ring *ring = NULL;
    gk_key_ring_options *options = gk_key_ring_options_new();
    gk_key_ring_options_alg(options, GK_ALG_HS256);
    MUST(gk_key_ring_open(GK_TEXT("memory:"), options, &ring, &err));
    gk_key_ring_options_free(options);
    return ring;
}

/* The value of a header with a token of this issuer's by this ring; without a type for NULL. */
static const char *bearer(const gk_key_ring *ring, const char *issuer, const char *typ,
                          const char *claims) {
    static char headers[4][2048];
    static int next = 0;
    char *header = headers[next++ % 4];
    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_following(ring, &builder, &err));
    gk_signer_builder_issuer(builder, issuer, strlen(issuer));
    if (typ != NULL)
        gk_signer_builder_typ(builder, typ, strlen(typ));
    else
        gk_signer_builder_no_typ(builder);
    gk_signer *signer = NULL;
    MUST(gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
    gk_buf token;
    MUST(gk_signer_sign_json(signer, claims, strlen(claims), &token, &err));
    snprintf(header, sizeof headers[0], "Bearer %s", token.data);
    gk_buf_free(&token);
    gk_signer_free(signer);
    return header;
}

static gk_status knock(const gk_resource_server *door, const char *header, const char *expected) {
    gk_buf access;
    const gk_status status = knock_at(door, header, &access, &err);
    if (status == GK_STATUS_OK) CHECK(strstr(access.data, expected) != NULL);
    gk_buf_free(&access);
    return status;
}

static gk_resource_server *built(gk_resource_server_builder *builder) {
    gk_resource_server *door = NULL;
    MUST(gk_resource_server_builder_build(builder, &door, &err));
    gk_resource_server_builder_free(builder);
    return door;
}

static void issuers(void) {
    gk_key_ring *a = a_ring(), *b = a_ring();
    gk_resource_server_builder *builder = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(A), a);
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(B), b);
    gk_resource_server *door = built(builder), *twice = NULL;
    const char *claims = "{\"sub\":\"alice\",\"aud\":\"" API "\",\"client_id\":\"app\"}";
    CHECK(knock(door, bearer(a, A, "at+jwt", claims), "\"issuer\":\"" A "\"") == GK_STATUS_OK);
    CHECK(knock(door, bearer(b, B, "at+jwt", claims), "\"issuer\":\"" B "\"") == GK_STATUS_OK);
    CHECK(knock(door, bearer(b, A, "at+jwt", claims), "") == GK_STATUS_KEY_NOT_FOUND);
    CHECK(knock(door, bearer(a, "c", "at+jwt", claims), "") == GK_STATUS_INVALID_ISSUER);
    CHECK(knock(door, bearer(a, A, "JWT", claims), "") == GK_STATUS_INVALID_TYPE);
    CHECK(strstr(err.message, "token_types") != NULL && strstr(err.message, "`JWT`") != NULL);
    CHECK(strcmp(gk_error_claim(&err), "typ") == 0);
    builder = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(A), a);
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(A), b);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_resource_server_builder_build(builder, &twice, &err));
    CHECK(twice == NULL && strcmp(gk_error_claim(&err), "issuers") == 0);
    gk_resource_server_builder_free(builder);
    gk_resource_server_free(door);
    gk_key_ring_free(a);
    gk_key_ring_free(b);
}

/* Keys of a file: those of another set verify nothing. */
static void keys_that_stay(void) {
    gk_key *key = NULL, *other = NULL;
    gk_key_set *keys = NULL;
    gk_signer_builder *signing = NULL;
    gk_signer *signer = NULL;
    gk_buf token;
    char header[2048];
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_key_generate(GK_ALG_ES256, &other, &err));
    const gk_key *const ours[] = {key};
    MUST(gk_key_set_new(ours, 1, &keys, &err));
    gk_resource_server_builder *builder = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer_key_set(builder, GK_TEXT(A), keys);
    gk_resource_server *door = built(builder);
    gk_key_set_free(keys);
    const gk_key *const signers[] = {key, other};
    for (int i = 0; i < 2; i++) {
        MUST(gk_signer_builder_new(signers[i], &signing, &err));
        gk_signer_builder_issuer(signing, GK_TEXT(A));
        gk_signer_builder_typ(signing, GK_TEXT("at+jwt"));
        MUST(gk_signer_builder_build(signing, &signer, &err));
        MUST(gk_signer_sign_json(
            signer, GK_TEXT("{\"sub\":\"alice\",\"aud\":\"" API "\",\"client_id\":\"app\"}"),
            &token, &err));
        snprintf(header, sizeof header, "Bearer %s", token.data);
        CHECK((knock(door, header, "\"subject\":\"alice\"") == GK_STATUS_OK) == (i == 0));
        gk_buf_free(&token);
        gk_signer_free(signer);
        gk_signer_builder_free(signing);
    }
    gk_resource_server_free(door);
    gk_key_free(other);
    gk_key_free(key);
}

static void wide(void) {
    gk_key_ring *ring = a_ring();
    gk_resource_server_builder *builder = gk_resource_server_builder_new(NULL, 0);
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(A), ring);
    gk_resource_server_builder_any_audience(builder);
    gk_resource_server *door = NULL;
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_resource_server_builder_build(builder, &door, &err));
    CHECK(strcmp(gk_error_claim(&err), "clients") == 0);
    gk_resource_server_builder_client(builder, GK_TEXT("app"));
    gk_resource_server_builder_allow_missing_type(builder);
    gk_resource_server_builder_tenant_claim(builder, GK_TEXT("tid"));
    door = built(builder);
    CHECK(knock(door, bearer(ring, A, NULL, "{\"sub\":\"alice\",\"cid\":\"app\",\"tid\":\"bank\"}"),
                "\"tenant\":\"bank\",\"client_id\":\"app\"") == GK_STATUS_OK);
    CHECK(knock(door, bearer(ring, A, NULL, "{\"sub\":\"alice\",\"azp\":\"app\"}"), "") ==
          GK_STATUS_MISSING_CLAIM);
    CHECK(knock(door, bearer(ring, A, NULL, "{\"sub\":\"alice\",\"cid\":\"app\",\"nonce\":\"n\"}"),
                "") == GK_STATUS_INVALID_CLAIM);
    CHECK(strcmp(gk_error_claim(&err), "nonce") == 0);
    CHECK(knock(door, bearer(ring, A, "JWT", "{\"sub\":\"alice\",\"cid\":\"app\"}"), "") ==
          GK_STATUS_INVALID_TYPE);
    gk_resource_server_free(door);
    gk_key_ring_free(ring);
}

/* B may leave audience and type out, for one client; A may not. */
static void rules(void) {
    gk_key_ring *a = a_ring(), *b = a_ring();
    gk_door_rule *lenient = gk_door_rule_new(), *strict = gk_door_rule_new();
    const gk_alg algs[] = {GK_ALG_HS256};
    gk_door_rule_any_audience(lenient);
    gk_door_rule_client(lenient, GK_TEXT("svc"));
    gk_door_rule_allow_missing_type(lenient);
    gk_door_rule_token_type(lenient, GK_TEXT("JWT"));
    gk_door_rule_algorithms(lenient, algs, 1);
    gk_door_rule_leeway(lenient, 120);
    gk_door_rule_tenant_claim(lenient, GK_TEXT("tid"));
    gk_door_rule_claim(lenient, GK_TEXT("env"), GK_TEXT("\"live\""));
    gk_door_rule_audience(strict, GK_TEXT("urn:a"));
    gk_door_rule_client(strict, GK_TEXT("web"));
    gk_resource_server_builder *builder = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(A), a);
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(B), b);
    gk_resource_server_builder_issuer_rule(builder, GK_TEXT(A), strict);
    gk_resource_server_builder_issuer_rule(builder, GK_TEXT(B), lenient);
    gk_resource_server *door = built(builder), *none = NULL;
    const char *svc = "{\"sub\":\"alice\",\"client_id\":\"svc\",\"tid\":\"bank\",\"env\":\"live\"}";
    const char *bare = "{\"sub\":\"alice\",\"client_id\":\"svc\"}";
    const char *test = "{\"sub\":\"alice\",\"client_id\":\"svc\",\"env\":\"test\"}";
    const char *web = "{\"sub\":\"alice\",\"client_id\":\"web\",\"aud\":\"urn:a\"}";
    CHECK(knock(door, bearer(b, B, NULL, svc), "\"tenant\":\"bank\"") == GK_STATUS_OK);
    CHECK(knock(door, bearer(b, B, "JWT", svc), "\"issuer\":\"" B "\"") == GK_STATUS_OK);
    CHECK(knock(door, bearer(b, B, NULL, test), "") == GK_STATUS_INVALID_CLAIM);
    CHECK(strcmp(gk_error_claim(&err), "env") == 0);
    CHECK(knock(door, bearer(b, B, NULL, bare), "") == GK_STATUS_MISSING_CLAIM);
    CHECK(strcmp(gk_error_claim(&err), "env") == 0);
    CHECK(knock(door, bearer(b, B, NULL, web), "") == GK_STATUS_INVALID_CLAIM);
    CHECK(knock(door, bearer(a, A, "at+jwt", web), "\"issuer\":\"" A "\"") == GK_STATUS_OK);
    CHECK(knock(door, bearer(a, A, NULL, web), "") == GK_STATUS_INVALID_TYPE);
    CHECK(knock(door, bearer(a, A, "at+jwt", svc), "") == GK_STATUS_MISSING_CLAIM);
    CHECK(strstr(err.message, "`aud`") != NULL);
    gk_resource_server_free(door);

    builder = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(A), a);
    gk_resource_server_builder_issuer_rule(builder, GK_TEXT(B), strict);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_resource_server_builder_build(builder, &none, &err));
    CHECK(strcmp(gk_error_claim(&err), "issuers") == 0);
    gk_resource_server_builder_issuer_rule(builder, GK_TEXT(A), NULL);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_resource_server_builder_build(builder, &none, &err));
    gk_resource_server_builder_free(builder);
    /* What is wrong with a rule is told by the door that has it. */
    gk_door_rule_client(strict, NULL, 3);
    builder = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(A), a);
    gk_resource_server_builder_issuer_rule(builder, GK_TEXT(A), strict);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_resource_server_builder_build(builder, &none, &err));
    CHECK(none == NULL && strstr(err.message, "client_id") != NULL);
    gk_resource_server_builder_free(builder);
    gk_door_rule_free(lenient);
    gk_door_rule_free(strict);
    gk_door_rule_free(NULL);
    gk_key_ring_free(a);
    gk_key_ring_free(b);
}

/* What a door says of a request, as `kind`. */
static gk_status asked(const gk_resource_server *door, gk_caller caller, const gk_demand *demand,
                       const char *kind) {
    gk_buf access;
    const gk_status status = gk_resource_server_check(door, &caller, demand, &access, NULL, &err);
    if (status == GK_STATUS_OK) CHECK(strstr(access.data, kind) != NULL);
    gk_buf_free(&access);
    return status;
}

static void places(void) {
    gk_key_ring *ring = a_ring();
    gk_api_keys *keys = NULL;
    MUST(gk_api_keys_open(GK_TEXT("memory:"), NULL, &keys, &err));
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    gk_api_key_spec_tenant(spec, GK_TEXT("bank"));
    gk_issued_api_key issued;
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    gk_api_key_spec_free(spec);
    gk_resource_server_builder *builder = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer_key_ring(builder, GK_TEXT(A), ring);
    gk_resource_server_builder_api_keys(builder, keys);
    gk_resource_server *door = built(builder);

    const char *claims = "{\"sub\":\"alice\",\"aud\":\"" API "\",\"client_id\":\"app\"}";
    const char *header = bearer(ring, A, "at+jwt", claims);
    const gk_caller token = {header, strlen(header), NULL, 0, NULL, 0};
    const gk_caller key = {NULL, 0, NULL, 0, issued.secret.data, issued.secret.len};
    const gk_caller empty = {NULL, 0, NULL, 0, "", 0};
    gk_caller both = token;
    both.api_key = key.api_key, both.api_key_len = key.api_key_len;
    gk_demand *by_token = gk_demand_new(), *by_key = gk_demand_new(), *wrong = gk_demand_new();
    gk_demand_decided_by(by_token, GK_CREDENTIAL_AUTHORIZATION);
    gk_demand_decided_by(by_key, GK_CREDENTIAL_API_KEY);
    gk_demand_decided_by(wrong, 3);
    CHECK(asked(door, token, NULL, "\"jwt\"") == GK_STATUS_OK);
    CHECK(asked(door, key, NULL, "\"subject\":\"acme\",\"tenant\":\"bank\"") == GK_STATUS_OK);
    CHECK(asked(door, both, NULL, "") == GK_STATUS_SEVERAL_CREDENTIALS);
    CHECK(asked(door, empty, NULL, "") == GK_STATUS_MALFORMED_API_KEY);
    CHECK(asked(door, both, by_token, "\"jwt\"") == GK_STATUS_OK);
    CHECK(asked(door, both, by_key, "\"api_key\"") == GK_STATUS_OK);
    CHECK(asked(door, token, by_key, "") == GK_STATUS_MISSING_CREDENTIALS);
    CHECK(asked(door, key, by_token, "") == GK_STATUS_MISSING_CREDENTIALS);
    CHECK(asked(door, key, wrong, "") == GK_STATUS_INVALID_ARGUMENT);
    gk_demand_tenant(by_key, GK_TEXT("mallory"));
    CHECK(asked(door, key, by_key, "") == GK_STATUS_UNKNOWN_API_KEY);
    gk_demand *all[] = {by_token, by_key, wrong};
    for (size_t i = 0; i < 3; i++) gk_demand_free(all[i]);
    gk_resource_server_free(door);
    gk_issued_api_key_free(&issued);
    gk_api_keys_free(keys);
    gk_key_ring_free(ring);
}

int main(void) {
    issuers();
    keys_that_stay();
    wide();
    rules();
    places();
    return passed("doors");
}
