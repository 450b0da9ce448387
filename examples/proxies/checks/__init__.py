"""What a proxy may say to an application of who calls, and what each check is about."""

IDENTITY = (
    "X-Gatekey-Subject",
    "X-Gatekey-Tenant",
    "X-Gatekey-Scopes",
    "X-Gatekey-Kind",
    "X-Gatekey-Key-Id",
)
# A refusal's body for nginx; no application is to read it.
STRIPPED = (*IDENTITY, "X-Gatekey-Problem")
# What the answers of a guarded route depend on.
VARY = "Authorization, Cookie, X-API-Key"
# What decide.c answers a refusal with. All else is not its answer.
REFUSALS = (400, 401, 403, 429, 431, 503)
# In a path: what a client could have two servers read differently.
ODD = r"%2e|%2f|%5c|%25|%23|%3b|%3f|%00|//|/\.\.?(/|\?|$)|;|\x5c"
