/* A shared library that uses libsqlite3.so.0: which one it gets. */
#include <sqlite3.h>

int got_its_own_sqlite(void);

int got_its_own_sqlite(void) { return sqlite3_libversion_number() == SQLITE_VERSION_NUMBER; }
