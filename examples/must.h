/* How the examples end when a call fails. A service answers or logs instead. */
#ifndef MUST_H
#define MUST_H

#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gk_error err;

static void must(gk_status status) {
    if (status) fprintf(stderr, "%s: %s\n", gk_status_name(status), err.message), exit(1);
}

#endif
