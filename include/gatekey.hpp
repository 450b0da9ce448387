// gatekey for C++17: header-only, over gatekey.h. JSON Web Tokens (RFC 7519), API keys, sessions,
// OAuth 2.0.
//
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Handles are move-only and as large as a pointer; clone() makes another. Text goes in as
// string_view and comes out as std::string, or as a string_view that lives as long as the handle it
// came from. Calls throw gatekey::error; verifier::try_verify does not, because a bad token is not
// exceptional. A const handle may be used by several threads at once. A handle that was moved from
// may be assigned to and destroyed.
#ifndef GATEKEY_HPP
#define GATEKEY_HPP

#include "gatekey/access.hpp"
#include "gatekey/apikey.hpp"
#include "gatekey/backup.hpp"
#include "gatekey/filter.hpp"
#include "gatekey/guard.hpp"
#include "gatekey/handle.hpp"
#include "gatekey/http.hpp"
#include "gatekey/json.hpp"
#include "gatekey/key.hpp"
#include "gatekey/keyring.hpp"
#include "gatekey/oauth_client.hpp"
#include "gatekey/oauth_config.hpp"
#include "gatekey/oauth_tokens.hpp"
#include "gatekey/operation.hpp"
#include "gatekey/remote_key_set.hpp"
#include "gatekey/resource_server.hpp"
#include "gatekey/revocations.hpp"
#include "gatekey/session.hpp"
#include "gatekey/session_cookies.hpp"
#include "gatekey/signer.hpp"
#include "gatekey/status.hpp"
#include "gatekey/store.hpp"
#include "gatekey/token_manager.hpp"
#include "gatekey/verifier.hpp"
#include "gatekey/web.hpp"

#endif // GATEKEY_HPP
