// A real identity provider for the end-to-end tests: oidc-provider, with clients, an account and a browser of its own.
//
//   node server.mjs ISSUER [PORT]
//
// Prints one line of JSON with its address when it listens. ISSUER is the URL that others reach it by, which may lead
// through a cable that a test can cut. What is under /control is for tests alone:
//   POST /control/rotate   {"forget": true}       new signing keys; the old ones stay published unless they are forgotten
//   POST /control/sign     {"claims", "header"}   any JWT at all, signed by the present RSA key
//   POST /control/browse   {"url", "leave": true} what a person's browser does: follows redirects, sends forms, consents;
//                                                 stops at the first URL of somebody else unless it is to leave as well
//   POST /control/regroup  {"account", "groups"}  the groups that an account is in from now on
//   GET  /control/calls                           how often each path was asked for
import * as http from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { SignJWT, importJWK } from 'jose';

const [issuer, port = '0'] = process.argv.slice(2);
const JWT_RESOURCE = 'https://models.test';
const OPAQUE_RESOURCE = 'https://opaque.test';
const ACCOUNTS = {
  alice: { email: 'alice@example.test', email_verified: true, name: 'Alice', groups: ['engineers', 'on-call'] },
  bob: { email: 'bob@example.test', email_verified: true, name: 'Bob', groups: ['sales'] },
};
const calls = {};

function newKeys() {
  const key = (type, alg, options) => {
    const { privateKey } = generateKeyPairSync(type, options);
    return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg };
  };
  return [
    key('rsa', 'RS256', { modulusLength: 2048 }),
    key('ec', 'ES256', { namedCurve: 'P-256' }),
    key('ed25519', 'EdDSA', {}),
  ];
}

function resourceServer(indicator, client) {
  const alg = client.metadata().signing ?? 'RS256';
  return {
    scope: 'models openid',
    audience: indicator,
    accessTokenTTL: 600,
    accessTokenFormat: indicator === OPAQUE_RESOURCE ? 'opaque' : 'jwt',
    jwt: { sign: { alg } },
  };
}

const confidential = { client_secret: 'idp-secret-canary-5f1d8c', token_endpoint_auth_method: 'client_secret_basic' };
const configuration = {
  clients: [
    { client_id: 'service', ...confidential, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    ...['RS256', 'ES256', 'EdDSA'].map((signing) => ({
      client_id: `service-${signing}`, signing, ...confidential,
      grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    })),
    // Asks about tokens, and gets none.
    { client_id: 'turnpike', ...confidential, grant_types: [], redirect_uris: [], response_types: [] },
    {
      client_id: 'turnpike-cli', application_type: 'native', token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'], redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
    },
  ],
  extraClientMetadata: { properties: ['signing'] },
  cookies: { keys: [randomUUID()] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'offline_access', 'models'],
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...ACCOUNTS[id] }) }),
  // Whoever calls the provider about an account's token learns its e-mail address and groups.
  extraTokenClaims: (ctx, token) => (token.accountId ? { ...ACCOUNTS[token.accountId] } : { groups: ['services'] }),
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  pkce: { required: () => true },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: 600, ClientCredentials: 600, IdToken: 600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, DeviceCode: 600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => JWT_RESOURCE,
      getResourceServerInfo: (ctx, indicator, client) => resourceServer(indicator, client),
      useGrantedResource: () => true,
    },
  },
};

let keys = newKeys();
let provider;
let answer;

function renew() {
  provider = new Provider(issuer, { ...configuration, jwks: { keys } });
  provider.on('server_error', (ctx, error) => console.error(error));
  answer = provider.callback();
}

/** Whoever is asked to log in is alice, or whom `login_hint` names, and consents to everything. */
async function interact(request, response) {
  const { params, prompt, session, grantId } = await provider.interactionDetails(request, response);
  const accountId = session?.accountId ?? params.login_hint ?? 'alice';
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId } });
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

/** A browser without a person: it ends at a page that asks nothing more. */
async function browse({ url, leave }) {
  const cookies = new Map();
  let form;
  for (let hop = 0; hop < 20; hop += 1) {
    if (!leave && !url.startsWith(issuer)) return { url };
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const page = await fetch(url, { redirect: 'manual', headers, ...(form && { method: 'POST', body: form }) });
    for (const cookie of page.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      cookies.set(name, value);
    }
    form = undefined;
    const text = await page.text();
    const target = page.headers.get('location');
    const asked = /<form[^>]*action="([^"]*)"/.exec(text);
    if (target) {
      url = new URL(target, url).href;
    } else if (page.ok && asked && text.includes('name="user_code"')) {
      form = new URLSearchParams();
      for (const [input] of text.matchAll(/<input[^>]*>/g)) {
        const attribute = (name) => new RegExp(`\\b${name}="([^"]*)"`).exec(input)?.[1];
        form.set(attribute('name'), attribute('value') ?? '');
      }
      url = new URL(asked[1].replaceAll('&amp;', '&'), url).href;
    } else {
      return { url, status: page.status, text };
    }
  }
  throw new Error(`too many redirects, the last to ${url}`);
}

const control = {
  rotate: ({ forget }) => {
    keys = [...newKeys(), ...(forget ? [] : keys)];
    renew();
    return { kids: keys.map((key) => key.kid) };
  },
  sign: async ({ claims, header = {} }) => {
    const key = keys.find((one) => one.alg === (header.alg ?? 'RS256'));
    const jwt = new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header });
    return { token: await jwt.sign(await importJWK(key, key.alg)) };
  },
  browse,
  regroup: ({ account, groups }) => Object.assign(ACCOUNTS[account], { groups }),
  calls: () => calls,
};

async function text(request) {
  let all = '';
  for await (const piece of request) all += piece;
  return all;
}

const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  try {
    const [, section, name] = pathname.split('/');
    if (section === 'control' && Object.hasOwn(control, name)) {
      const body = await text(request);
      const result = await control[name](body ? JSON.parse(body) : {});
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(result));
      return;
    }
    calls[pathname] = (calls[pathname] ?? 0) + 1;
    await (section === 'interaction' ? interact(request, response) : answer(request, response));
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(JSON.stringify({ error: String(error) }));
  }
});

renew();
server.listen(Number(port), '127.0.0.1', () => {
  console.log(JSON.stringify({ address: `127.0.0.1:${server.address().port}` }));
});
