/*
 * Policies: gatekey.conf, one section for each line of pg_hba.conf.
 *
 *     [orders]
 *     issuer = https://login.example.com
 *     scope = db:orders
 *     audience = https://db.example.com
 *
 * It is read at each log-in, so that a change needs no reload. What is wrong in a section breaks
 * that section, and the others go on.
 */
#include "owned.h"
#include "validator.h"

#include "mb/pg_wchar.h"
#include "utils/json.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LARGEST_FILE (64 * 1024)
#define LONGEST_ROLE 63 /* PostgreSQL cuts names there */

typedef enum { ONCE, MANY, NUMBER, SWITCH } kind;

static const struct {
    const char *name;
    kind kind;
    int64 least, most; /* of a number */
} known[SETTINGS] = {
    [ISSUER] = {"issuer", ONCE, 0, 0},
    [SCOPE] = {"scope", ONCE, 0, 0},
    [HBA_ISSUER] = {"hba_issuer", ONCE, 0, 0},
    [AUDIENCE] = {"audience", ONCE, 0, 0},
    [TOKEN_TYPE] = {"token_type", MANY, 0, 0},
    [ALGORITHM] = {"algorithm", MANY, 0, 0},
    [CLIENT] = {"client", MANY, 0, 0},
    [LEEWAY] = {"leeway", NUMBER, 0, 600},
    [MAX_LIFE] = {"max_life", NUMBER, 1, 365 * 86400},
    [IDENTITY_CLAIM] = {"identity_claim", ONCE, 0, 0},
    [ROLE_CLAIM] = {"role_claim", ONCE, 0, 0},
    [ROLE] = {"role", MANY, 0, 0},
    [JWKS_FILE] = {"jwks_file", ONCE, 0, 0},
    [JWKS_URL] = {"jwks_url", ONCE, 0, 0},
    [METADATA_URL] = {"metadata_url", ONCE, 0, 0},
    [CA_FILE] = {"ca_file", ONCE, 0, 0},
    [KEYS_TTL] = {"keys_ttl", NUMBER, 1, 86400},
    [KEYS_MAX_STALE] = {"keys_max_stale", NUMBER, 60, 365 * 86400},
    [ALLOW_LOOPBACK_HTTP] = {"allow_loopback_http", SWITCH, 0, 0},
    [REVOCATIONS] = {"revocations", ONCE, 0, 0},
};

/* Claims that users can edit themselves, or that pass from one user to another (OpenID Connect Core
 * sections 5.1 and 5.7), and Microsoft Entra ID's names of the same kind. */
static const char *const editable[] = {
    "name",        "given_name", "family_name",        "middle_name",
    "nickname",    "profile",    "preferred_username", "picture",
    "website",     "email",      "email_verified",     "phone_number",
    "gender",      "birthdate",  "zoneinfo",           "phone_number_verified",
    "locale",      "address",    "updated_at",         "upn",
    "unique_name",
};

const char *value_of(const policy *p, setting s) {
    return p->values[s] == NIL ? NULL : linitial(p->values[s]);
}

char *read_file(const char *path, size_t largest, size_t *len, char **why) {
    /* Neither waits for the other end of a pipe nor follows what grows. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st, after;
    if (fd < 0 || fstat(fd, &st) != 0) {
        *why = psprintf("cannot open \"%s\": %m", path);
        if (fd >= 0) close(fd);
        return NULL;
    }
    char *text = NULL;
    ssize_t got = 0;
    const char *must = must_be_owned(&st);
    if (must != NULL)
        *why = psprintf("\"%s\" %s", path, must);
    else if (st.st_size < 0 || (size_t)st.st_size > largest)
        *why = psprintf("\"%s\" is larger than %zu bytes", path, largest);
    else {
        text = palloc0((size_t)st.st_size + 1);
        *len = 0;
        while (*len < (size_t)st.st_size &&
               (got = read(fd, text + *len, (size_t)st.st_size - *len)) > 0)
            *len += (size_t)got;
        if (got < 0 || *len != (size_t)st.st_size || fstat(fd, &after) != 0 ||
            after.st_size != st.st_size || after.st_mtim.tv_sec != st.st_mtim.tv_sec ||
            after.st_mtim.tv_nsec != st.st_mtim.tv_nsec) {
            *why = psprintf("cannot read \"%s\" whole", path);
            text = NULL;
        }
    }
    close(fd);
    return text;
}

void add_text(StringInfo json, const char *name, const char *text) {
    appendStringInfo(json, "%s\"%s\":", json->data[json->len - 1] == '{' ? "" : ",", name);
    escape_json(json, text);
}

void add_texts(StringInfo json, const char *name, const List *texts) {
    const char *comma = json->data[json->len - 1] == '{' ? "" : ",";
    if (texts == NIL) return;
    appendStringInfo(json, "%s\"%s\":[", comma, name);
    foreach_ptr(char, text, texts) {
        if (text != linitial(texts)) appendStringInfoChar(json, ',');
        escape_json(json, text);
    }
    appendStringInfoChar(json, ']');
}

/* The first thing that is wrong with a policy is kept. */
static void broken(policy *p, int line, const char *reason) {
    if (p->broken == NULL) p->broken = psprintf("line %d: %s", line, reason);
}

static bool as_number(const char *text, int64 *number) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 15 || text[digits] != '\0') return false;
    *number = strtoll(text, NULL, 10);
    return true;
}

static void set(policy *p, int line, const char *name, char *value) {
    setting s = 0;
    while (s < SETTINGS && strcmp(name, known[s].name) != 0) s++;
    if (s == SETTINGS) {
        broken(p, line, psprintf("there is no setting \"%s\"", name));
        return;
    }
    if (*value == '\0') broken(p, line, psprintf("\"%s\" has no value", name));
    if (p->values[s] != NIL && known[s].kind != MANY)
        broken(p, line, psprintf("\"%s\" is set twice", name));
    if (known[s].kind == NUMBER &&
        (!as_number(value, &p->numbers[s]) || p->numbers[s] < known[s].least ||
         p->numbers[s] > known[s].most))
        broken(p, line,
               psprintf("\"%s\" must be a number from %lld to %lld", name,
                        (long long)known[s].least, (long long)known[s].most));
    if (known[s].kind == SWITCH && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        broken(p, line, psprintf("\"%s\" must be on or off", name));
    if (s == ROLE && strcspn(value, " ") > LONGEST_ROLE)
        broken(p, line, psprintf("a role's name has at most %d bytes", LONGEST_ROLE));
    if (s == IDENTITY_CLAIM || s == ROLE_CLAIM) /* Of "address country" the first. */
        for (size_t i = 0, n = strcspn(value, " "); i < lengthof(editable); i++)
            if (strlen(editable[i]) == n && memcmp(value, editable[i], n) == 0)
                broken(
                    p, line,
                    psprintf("users can change \"%s\", so it cannot be \"%s\"", editable[i], name));
    p->values[s] = lappend(p->values[s], value);
}

/* What only the whole section can tell. */
static void complete(policy *p) {
    for (setting s = 0; s < SETTINGS; s++)
        if ((s == ISSUER || s == SCOPE || s == AUDIENCE) && p->values[s] == NIL)
            broken(p, p->line, psprintf("\"%s\" must be set", known[s].name));
    /* An identity is the issuer, `#` and the claim: two never look alike. */
    if (value_of(p, ISSUER) != NULL && strpbrk(value_of(p, ISSUER), "# ") != NULL)
        broken(p, p->line, "an issuer has neither fragment nor blanks");
    if ((p->values[ROLE_CLAIM] == NIL) != (p->values[ROLE] == NIL))
        broken(p, p->line, "\"role_claim\" and \"role\" go together");
    if ((p->values[JWKS_FILE] != NIL) + (p->values[JWKS_URL] != NIL) +
            (p->values[METADATA_URL] != NIL) >
        1)
        broken(p, p->line, "\"jwks_file\", \"jwks_url\" and \"metadata_url\" exclude each other");
}

static char *trimmed(char *text) {
    text += strspn(text, " \t");
    for (size_t n = strlen(text); n > 0 && strchr(" \t\r", text[n - 1]) != NULL;) text[--n] = '\0';
    return text;
}

static void must_be_text(policy *p, int line, const char *text) {
    int len = (int)strlen(text);
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            broken(p, line, "it contains a control character");
            return;
        }
    if (pg_encoding_verifymbstr(PG_UTF8, text, len) != len) broken(p, line, "it is not UTF-8");
}

static List *policies_of(char *text) {
    List *policies = NIL;
    policy *p = NULL;
    int number = 0;
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) *next++ = '\0';
        number++;
        line = trimmed(line);
        if (*line == '\0' || *line == '#') continue;
        /* What follows a damaged heading belongs to it, and never to the section before. */
        if (*line == '[' || p == NULL) {
            size_t n = strlen(line);
            p = palloc0(sizeof *p);
            p->line = number;
            p->name = pstrdup("?");
            policies = lappend(policies, p);
            if (n > 2 && line[0] == '[' && strcspn(line, "]") == n - 1)
                p->name = pnstrdup(line + 1, n - 2);
            else
                broken(p, number, "a section begins with its name in brackets");
        }
        if (*line == '[') {
            must_be_text(p, number, line);
            continue;
        }
        char *value = strchr(line, '=');
        if (value == NULL) {
            broken(p, number, "it is not NAME = VALUE");
            continue;
        }
        *value++ = '\0';
        line = trimmed(line);
        value = trimmed(value);
        must_be_text(p, number, line);
        must_be_text(p, number, value);
        set(p, number, line, value);
    }
    foreach_ptr(policy, each, policies) complete(each);
    return policies;
}

policy *policy_of(const char *file, const char *issuer, const char *scope, char **why) {
    policy *found = NULL;
    size_t len = 0;
    char *text = read_file(file, LARGEST_FILE, &len, why);
    if (text == NULL) return NULL;
    if (strlen(text) != len) {
        *why = psprintf("\"%s\" contains a NUL", file);
        return NULL;
    }
    /* What an editor has not written to the end yet may lack what a policy demands. */
    if (len > 0 && text[len - 1] != '\n') {
        *why = psprintf("\"%s\" must end with a newline: its last line may not be whole", file);
        return NULL;
    }
    /* Some editors begin a file with a byte order mark. */
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3;
    foreach_ptr(policy, p, policies_of(text)) {
        const char *at = value_of(p, HBA_ISSUER) ? value_of(p, HBA_ISSUER) : value_of(p, ISSUER);
        const char *own = value_of(p, SCOPE);
        if (at == NULL || own == NULL || strcmp(at, issuer) != 0 || strcmp(own, scope) != 0)
            continue;
        if (found != NULL) {
            *why = psprintf("\"%s\" has two policies for this issuer and scope, at lines %d and %d",
                            file, found->line, p->line);
            return NULL;
        }
        found = p;
    }
    if (found == NULL)
        *why =
            psprintf("\"%s\" has no policy with issuer = %s and scope = %s", file, issuer, scope);
    else if (found->broken != NULL) {
        *why = psprintf("policy \"%s\" of \"%s\" is broken: %s", found->name, file, found->broken);
        return NULL;
    }
    return found;
}
