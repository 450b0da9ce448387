/* What examples/c-service answers at GET /orders, by the same server without a guard.
 *
 * usage: open_microhttpd --port PORT */
#define _GNU_SOURCE
#include "../../examples/c-service/serve.h"

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **kept) {
    static char body[] = "{\"caller\":\"acme\",\"kind\":\"api_key\"}";
    (void)cls, (void)method, (void)version, (void)data, (void)size;
    if (*kept == NULL) return *kept = body, MHD_YES; /* at the second call, as there */
    if (strcmp(path, "/orders") != 0) return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof body - 1, body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    const enum MHD_Result done = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return done;
}

static void completed(void *cls, struct MHD_Connection *connection, void **kept,
                      enum MHD_RequestTerminationCode code) {
    (void)cls, (void)connection, (void)kept, (void)code;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    return run(listening((uint16_t)strtol(argv[2], NULL, 10)), 0, NULL, handle, completed);
}
