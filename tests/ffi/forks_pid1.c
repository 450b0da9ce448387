/* Two processes with one number: each is process 1 of a namespace of its own. What one draws, the
 * other does not draw as well. */
#define _GNU_SOURCE
#include "forks.h"

#include <errno.h>
#include <sched.h>

static FILE *told; /* shared by all, who write at its end */

/* Draws what the library draws of itself, and tells it. */
static void draws(gk_signer *signer, gk_api_keys *keys, const gk_api_key_spec *spec) {
    gk_error err;
    gk_key *key = NULL;
    gk_buf token;
    gk_issued_api_key issued;
    char thumbprint[GK_THUMBPRINT_SIZE], line[1024];
    MUST(gk_key_generate(GK_ALG_HS256, &key, &err));
    MUST(gk_key_thumbprint(key, &thumbprint, &err));
    MUST(gk_signer_sign_json(signer, GK_TEXT("{}"), &token, &err));
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    const char *claims = strchr(token.data, '.') + 1;
    const int size = snprintf(line, sizeof line, "%s\n%.*s\n%s\n", thumbprint,
                              (int)strcspn(claims, "."), claims, issued.secret.data);
    CHECK(size > 0 && (size_t)size < sizeof line &&
          write(fileno(told), line, (size_t)size) == size);
    gk_issued_api_key_free(&issued);
    gk_buf_free(&token);
    gk_key_free(key);
}

/* Process 1, which forks process 1 of another namespace; both draw the same things at once. */
static void process_1(void) {
    gk_error err;
    gk_key *key = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_api_keys *keys = NULL;
    gk_api_key_spec *spec = gk_api_key_spec_new();
    CHECK(getpid() == 1);
    alarm(PATIENCE);
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_token_ids(builder, true);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_api_keys_open(GK_TEXT("memory:"), NULL, &keys, &err));
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    draws(signer, keys, spec); /* whatever draws has begun to */
    CHECK(unshare(CLONE_NEWPID) == 0);
    const pid_t other = fork();
    CHECK(other > 0 || getpid() == 1);
    if (other == 0) alarm(PATIENCE);
    draws(signer, keys, spec);
    if (other > 0) CHECK(ended_well(other, "process 1 of its own namespace"));
    _exit(EXIT_SUCCESS);
}

/* A process can go into a new namespace once: each round has one of its own. */
static void in_a_new_namespace(void) {
    const pid_t launcher = fork();
    if (launcher == 0) {
        alarm(PATIENCE);
        if (unshare(CLONE_NEWPID) != 0) CHECK(unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0);
        const pid_t first = fork();
        if (first == 0) process_1();
        CHECK(ended_well(first, "process 1"));
        _exit(EXIT_SUCCESS);
    }
    CHECK(ended_well(launcher, "a round"));
}

/* Whether new namespaces are permitted; asked in a child, which is not in one afterwards. */
static bool may_unshare(void) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0)
        _exit(unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0 ? 0 : errno);
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    errno = WEXITSTATUS(status);
    return errno == 0;
}

int main(void) {
    if (!may_unshare()) {
        printf("  forks_pid1   SKIPPED: no new PID namespace here: %s\n", strerror(errno));
        return EXIT_SUCCESS;
    }
    CHECK((told = tmpfile()) != NULL && fcntl(fileno(told), F_SETFL, O_APPEND) == 0);
    const int all = rounds(4), lines = all * 9;
    for (int i = 0; i < all; i++) in_a_new_namespace();
    rewind(told);
    char(*draw)[512] = calloc((size_t)lines, sizeof *draw);
    CHECK(draw != NULL);
    for (int i = 0; i < lines; i++) {
        CHECK(fgets(draw[i], sizeof *draw, told) != NULL);
        for (int j = 0; j < i; j++) CHECK(strcmp(draw[i], draw[j]) != 0);
    }
    fclose(told);
    free(draw);
    return passed("forks_pid1");
}
