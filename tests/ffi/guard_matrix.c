/* Every kind of credential, refused in every way, through the C ABI: what Python's frameworks
 * answer must be what a service in C answers.
 *
 * usage: guard_matrix ROOT, the directory of the repository */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "guard_rows.h"

/* ---- answers ---- */

/* Whether the decision has exactly these headers, and `Vary`. */
static bool same_headers(const gk_guard_decision *decision, const gk_json *wanted) {
    size_t found = 0;
    for (size_t i = 0; i < gk_json_len(wanted); i++) {
        const gk_json *values = gk_json_at(wanted, i);
        size_t next = 0;
        for (size_t at = 0; at < gk_guard_decision_headers_len(decision); at++) {
            const gk_header header = gk_guard_decision_header_at(decision, at);
            CHECK(header.name.data[header.name.len] == 0 &&
                  header.value.data[header.value.len] == 0);
            if (!same_name(header.name, gk_json_name_at(wanted, i))) continue;
            if (!same(header.value, gk_json_text(gk_json_at(values, next++)))) return false;
        }
        if (next != gk_json_len(values)) return false;
        found += next;
    }
    CHECK(str_is(gk_guard_decision_header(decision, GK_TEXT("vary")),
                 "Authorization, Cookie, X-API-Key"));
    return found + 1 == gk_guard_decision_headers_len(decision);
}

/* Whether the caller is the one of this object. */
static bool same_access(const gk_access *access, const gk_json *wanted) {
    static const char *const BY[] = {NULL, "cookie", "key", "bearer"};
    const char *by = BY[gk_access_proved_by(access)];
    const gk_str named = {by, by == NULL ? 0 : strlen(by)};
    const gk_json *scopes = gk_json_member(wanted, GK_TEXT("scopes"));
    bool equal = same(named, gk_json_text(gk_json_member(wanted, GK_TEXT("by"))));
    equal = equal && gk_access_is_anonymous(access) == (by == NULL);
    equal = equal && same(gk_access_kind_name(access),
                          gk_json_text(gk_json_member(wanted, GK_TEXT("kind"))));
    equal = equal && same(gk_access_subject(access),
                          gk_json_text(gk_json_member(wanted, GK_TEXT("subject"))));
    equal = equal && gk_access_scopes_len(access) == gk_json_len(scopes);
    for (size_t i = 0; equal && i < gk_json_len(scopes); i++)
        equal = same(gk_access_scope_at(access, i), gk_json_text(gk_json_at(scopes, i)));
    return equal;
}

static bool as_wanted(const gk_guard_decision *decision, gk_status status, const gk_json *wanted) {
    int64_t number = 0;
    CHECK(gk_json_integer(gk_json_member(wanted, GK_TEXT("status")), &number));
    const gk_json *body = gk_json_member(wanted, GK_TEXT("body"));
    const bool allowed = gk_guard_decision_is_allowed(decision);
    CHECK(allowed == (status == GK_STATUS_OK) && allowed == (number == 200));
    CHECK(gk_guard_decision_error(decision, &err) == status && err.status == status);
    const gk_str own = gk_guard_decision_body(decision);
    CHECK((own.data == NULL) == allowed && (allowed || own.data[own.len] == 0));
    CHECK((gk_guard_decision_access(decision) != NULL) == allowed);
    return gk_guard_decision_http_status(decision) == number &&
           same_headers(decision, gk_json_member(wanted, GK_TEXT("headers"))) &&
           (allowed ? same_access(gk_guard_decision_access(decision), body)
                    : same(own, gk_json_text(body)));
}

static bool answers_as(struct world *world, const char *kind, const char *name,
                       const gk_json *wanted) {
    static struct row row;
    make(world, &row, kind, name);
    gk_guard_demand *demand = demand_of(row.target);
    gk_guard_decision *decision = NULL;
    gk_status status = GK_STATUS_OK;
    if (row.before != NULL) row.before(world);
    for (int i = 0; i < row.times; i++) {
        gk_guard_decision_free(decision);
        status = decided(world, &row.sent.request, demand, &decision);
        CHECK(decision != NULL);
    }
    const bool right = as_wanted(decision, status, wanted);
    if (!right) {
        const gk_str body = gk_guard_decision_body(decision);
        fprintf(stderr, "%s, %s: %d %s: %s\n%.*s\n", kind, name,
                gk_guard_decision_http_status(decision), gk_status_name(status), err.message,
                (int)body.len, body.data == NULL ? "" : body.data);
        for (size_t i = 0; i < gk_guard_decision_headers_len(decision); i++) {
            const gk_header header = gk_guard_decision_header_at(decision, i);
            fprintf(stderr, "  %s: %s\n", header.name.data, header.value.data);
        }
    }
    gk_guard_decision_free(decision);
    gk_guard_demand_free(demand);
    return right;
}

int main(int argc, char **argv) {
    char kind[64], name[64];
    int wrong = 0, rows = 0;
    struct world together, alone;
    CHECK(argc == 2);
    gk_json *golden = golden_of(argv[1]);
    begin(&together, true);
    for (size_t i = 0; i < gk_json_len(golden); i++) {
        const gk_json *of_kind = gk_json_at(golden, i);
        snprintf(kind, sizeof kind, "%.*s", (int)gk_json_name_at(golden, i).len,
                 gk_json_name_at(golden, i).data);
        for (size_t j = 0; j < gk_json_len(of_kind); j++, rows++) {
            snprintf(name, sizeof name, "%.*s", (int)gk_json_name_at(of_kind, j).len,
                     gk_json_name_at(of_kind, j).data);
            const bool apart = is_alone(name);
            if (apart) begin(&alone, is(name, "store gone"));
            now_seconds = 1800000000;
            wrong += !answers_as(apart ? &alone : &together, kind, name, gk_json_at(of_kind, j));
            if (apart) end(&alone);
            checks_made++;
        }
    }
    end(&together);
    gk_json_free(golden);
    CHECK(rows == 108);
    CHECK(wrong == 0);
    return passed("guard_matrix");
}
