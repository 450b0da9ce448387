// A certified authorization server (oidc-provider) for the tests: `node server.mjs` on a free port of this machine.
//
// Prints `READY <issuer>` when it listens and ends when its standard input does, so that a test that dies leaves no
// server behind. The environment chooses variants:
//   PORT       0 or unset: any free one
//   KID        a suffix of its keys' names: another one stands for rotated keys
//   AT_TTL     seconds that access tokens live
//   CODE_TTL   seconds that codes live
//   RP_KEY     where to write the private key that the client `web-pkjwt` proves itself with, a JWK
//   HOLD       milliseconds that each answer is held up
//   COUNTED    if set, GET /counted says how often each path was asked for
//   TLS_CERT, TLS_KEY, MTLS_JWKS   serve https, and know the client `mtls` by its certificate
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider, { errors } from 'oidc-provider';

const env = process.env;
const tls = env.TLS_CERT && { cert: readFileSync(env.TLS_CERT), key: readFileSync(env.TLS_KEY) };
const tokenLife = Number(env.AT_TTL || 600);
const API = 'https://api.example.test';
const SECRET = 'a-secret-of-the-tests-0123456789abcdef';
const CALLBACK = 'http://127.0.0.1:9999/cb';

// Every request goes to whatever is listening; the provider is made once the port is known.
let handle;
const counted = {};
const listener = (request, response) => {
  const path = request.url.split('?')[0];
  if (env.COUNTED && path === '/counted') return response.end(JSON.stringify(counted));
  counted[path] = (counted[path] || 0) + 1;
  if (!env.HOLD) return handle(request, response);
  return setTimeout(() => handle(request, response), Number(env.HOLD));
};
const server = tls
  ? https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, listener)
  : http.createServer(listener);

server.listen(Number(env.PORT || 0), '127.0.0.1', () => {
  const { port } = server.address();
  const issuer = tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  handle = provider(issuer).callback();
  console.log('READY', issuer);
  // Whoever started it reads no further.
  console.log = console.info = () => {};
});
process.stdin.on('end', () => process.exit(0)).resume();
process.on('SIGTERM', () => process.exit(0));

function key(type, options, alg) {
  // By way of PEM: Node.js 20 can lock itself up when it exports a key whose maker is collected at that moment.
  const pem = { type: 'pkcs8', format: 'pem' };
  const { privateKey } = generateKeyPairSync(type, { ...options, privateKeyEncoding: pem });
  const jwk = createPrivateKey(privateKey).export({ format: 'jwk' });
  return { ...jwk, use: 'sig', alg, kid: `${alg}-${env.KID || '1'}` };
}

function client(client_id, more = {}) {
  return {
    client_id,
    client_secret: SECRET,
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...more,
  };
}

function clients() {
  const machine = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] };
  const open = { token_endpoint_auth_method: 'none', client_secret: undefined };
  const jwks = (file) => JSON.parse(readFileSync(file, 'utf8'));
  const known = [
    client('web-basic'),
    client('web-post', { token_endpoint_auth_method: 'client_secret_post' }),
    client('web-csjwt', { token_endpoint_auth_method: 'client_secret_jwt' }),
    // A colon, a plus, a slash and a percent sign: Basic works only if they are form-encoded first.
    client('web+odd:id', { client_secret: 'p@ss w0rd:/+%=a-secret-of-the-tests' }),
    client('web-public', open),
    client('native', { ...open, application_type: 'native', redirect_uris: ['http://127.0.0.1/cb', 'http://127.0.0.1/callback'] }),
    client('device', {
      ...open,
      redirect_uris: [],
      response_types: [],
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    }),
    client('m2m', machine),
    client('service', { grant_types: ['authorization_code', 'refresh_token', 'client_credentials'] }),
    client('rs', { ...machine, grant_types: [] }),
    client('par-only', { require_pushed_authorization_requests: true }),
    client('es256', { id_token_signed_response_alg: 'ES256' }),
    client('eddsa', { id_token_signed_response_alg: 'Ed25519' }),
    client('web-logout', { post_logout_redirect_uris: ['http://127.0.0.1:9999/bye'] }),
  ];
  if (env.RP_KEY) {
    const { d, ...own } = { ...key('ec', { namedCurve: 'P-256' }, 'ES256'), kid: 'rp-1' };
    writeFileSync(env.RP_KEY, JSON.stringify({ ...own, d }), { mode: 0o600 });
    known.push(client('web-pkjwt', {
      client_secret: undefined,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [own] },
    }));
  }
  if (env.MTLS_JWKS) {
    known.push(client('mtls', {
      ...machine,
      client_secret: undefined,
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: jwks(env.MTLS_JWKS),
    }));
  }
  return known;
}

function provider(issuer) {
  const on = { enabled: true };
  const op = new Provider(issuer, {
    clients: clients(),
    jwks: {
      keys: [
        key('rsa', { modulusLength: 2048 }, 'RS256'),
        key('ec', { namedCurve: 'P-256' }, 'ES256'),
        key('ed25519', undefined, 'Ed25519'),
      ],
    },
    cookies: { keys: ['of the tests'] },
    scopes: ['openid', 'offline_access', 'email', 'profile'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: `${sub}@example.test`, email_verified: true, name: sub }),
    }),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none',
      ...(tls ? ['self_signed_tls_client_auth'] : []),
    ],
    ttl: { AccessToken: tokenLife, AuthorizationCode: Number(env.CODE_TTL || 60), ClientCredentials: tokenLife },
    features: {
      devInteractions: on,
      clientCredentials: on,
      introspection: on,
      revocation: on,
      deviceFlow: on,
      pushedAuthorizationRequests: on,
      mTLS: {
        enabled: Boolean(tls),
        selfSignedTlsClientAuth: true,
        getCertificate(context) {
          const peer = context.socket.getPeerCertificate?.();
          return peer?.raw && new X509Certificate(peer.raw);
        },
      },
      // Access tokens for this API are JWTs (RFC 9068); for nothing in particular they are opaque.
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_, resource) {
          if (resource !== API) throw new errors.InvalidTarget();
          return {
            scope: 'api:read api:write',
            audience: API,
            accessTokenFormat: 'jwt',
            accessTokenTTL: tokenLife,
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
    },
  });
  return op;
}
