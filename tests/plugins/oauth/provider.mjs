// A real OpenID provider (oidc-provider), for the tests: node provider.mjs '{"host": "http://127.0.0.1:7512"}'
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const given = JSON.parse(process.argv[2]);
const callbacks = given.callbacks;
const server = createServer();
await new Promise((resolve) => server.listen(given.port ?? 0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const web = {
  redirect_uris: callbacks,
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  post_logout_redirect_uris: given.afterLogout ?? [],
};
const backchannel = given.backchannel
  ? { backchannel_logout_uri: given.backchannel, backchannel_logout_session_required: true }
  : {};
const clients = [
  { client_id: 'basic', client_secret: 'a secret: +/&=% of the basic client', ...web, ...backchannel },
  { client_id: 'post', client_secret: 'secret-of-the-post-client', token_endpoint_auth_method: 'client_secret_post', ...web },
  { client_id: 'native', token_endpoint_auth_method: 'none', application_type: 'native', ...web, redirect_uris: ['http://127.0.0.1/back'] },
];
if (given.jwk) {
  clients.push({ client_id: 'jwt', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [given.jwk] }, ...web });
}

const provider = new Provider(issuer, {
  clients,
  cookies: { keys: ['a key of the tests'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups', 'address'] },
  conformIdTokenClaims: true,
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  // Its own fetch refuses private addresses, and the host of the tests has one.
  fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }),
  pkce: { required: () => given.pkce !== false },
  scopes: ['openid', 'offline_access', 'email', 'profile'],
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, DeviceCode: 600 },
  async findAccount(ctx, id) {
    return {
      accountId: id,
      async claims() {
        return {
          sub: id,
          email: `${id}@example.com`,
          email_verified: !id.startsWith('unverified'),
          name: `Name of ${id}`,
          groups: id.startsWith('chief') ? ['chiefs', 'all'] : ['all'],
          address: { country: 'LU' },
        };
      },
    };
  },
});
provider.on('backchannel.error', (ctx, error, client) => console.error('backchannel', client.clientId, error));
provider.on('server_error', (ctx, error) => console.error(error));
server.on('request', provider.callback());
console.log(issuer);
process.stdin.on('end', () => process.exit(0)).resume();
