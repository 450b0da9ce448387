/* Whom files must belong to that say whom to believe: of the module and of its program alike. */
#ifndef GATEKEY_OWNED_H
#define GATEKEY_OWNED_H

#include <sys/stat.h>
#include <unistd.h>

/* NULL, or what a file must be that is opened already. */
static inline const char *must_be_owned(const struct stat *st) {
    if (!S_ISREG(st->st_mode) || (st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "must be a file that only its owner may write";
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return "must belong to the server's user or to root";
    return NULL;
}

#endif
