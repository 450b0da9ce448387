/* An API's door, opened and knocked at in one call each. */
#ifndef GATEKEY_TESTS_DOOR_H
#define GATEKEY_TESTS_DOOR_H

#include "check.h"

/* What a door is made of; what is NULL is left out. */
struct door_parts {
    const gk_remote_key_set *keys;
    const gk_key_ring *ring;
    const gk_oauth_client *asking;
    const gk_http *http;
    const gk_api_keys *api_keys;
    const gk_revocations *revocations;
};

static inline gk_status open_door(const char *json, struct door_parts of, gk_resource_server **door,
                                  gk_error *err) {
    gk_resource_server_builder *builder;
    gk_status status = gk_resource_server_builder_from_json(json, strlen(json), &builder, err);
    if (status != GK_STATUS_OK) return status;
    if (of.keys != NULL) gk_resource_server_builder_keys(builder, of.keys);
    if (of.ring != NULL) gk_resource_server_builder_key_ring(builder, of.ring);
    if (of.asking != NULL) gk_resource_server_builder_introspection(builder, of.asking, of.http);
    if (of.api_keys != NULL) gk_resource_server_builder_api_keys(builder, of.api_keys);
    if (of.revocations != NULL) gk_resource_server_builder_revocations(builder, of.revocations);
    status = gk_resource_server_builder_build(builder, door, err);
    gk_resource_server_builder_free(builder);
    return status;
}

/* A demand of scopes, separated by spaces, or NULL; of one way to sign in, or NULL; of an age, or
 * 0. */
static inline gk_demand *demanding(const char *scopes, const char *acr, uint64_t max_age) {
    gk_demand *demand = gk_demand_new();
    while (scopes != NULL && *scopes != 0) {
        const size_t len = strcspn(scopes, " ");
        gk_demand_scope(demand, scopes, len);
        scopes += len + (scopes[len] == ' ');
    }
    if (acr != NULL) gk_demand_acr_value(demand, acr, strlen(acr));
    if (max_age != 0) gk_demand_max_age(demand, max_age);
    return demand;
}

/* Any caller that is known, by this header. */
static inline gk_status knock_at(const gk_resource_server *door, const char *header, gk_buf *access,
                                 gk_error *err) {
    const gk_caller caller = {header, header == NULL ? 0 : strlen(header), NULL, 0, NULL, 0};
    return gk_resource_server_check(door, &caller, NULL, access, NULL, err);
}

#endif /* GATEKEY_TESTS_DOOR_H */
