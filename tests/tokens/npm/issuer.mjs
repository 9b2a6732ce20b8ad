// An issuer that does HelseID's dance: private_key_jwt, the nonce first, a JWT of ten minutes that is bound to a key.
// node issuer.mjs CLIENT PUBLIC-JWK; prints its address.
import crypto from 'node:crypto';
import http from 'node:http';
import Provider from 'oidc-provider';

const [client_id, jwk] = process.argv.slice(2);
const algorithms = ['PS512', 'ES256'];
const server = http.createServer().listen(0, '127.0.0.1', () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  const resource = { scope: 'nhn:msh/api', audience: 'nhn:msh', accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'RS256' } } };
  const provider = new Provider(address, {
    clients: [{
      client_id, grant_types: ['client_credentials'], redirect_uris: [], response_types: [], jwks: { keys: [JSON.parse(jwk)] },
      token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: JSON.parse(jwk).alg, dpop_bound_access_tokens: true,
    }],
    scopes: ['nhn:msh/api'],
    jwks: { keys: [{ ...crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
    enabledJWA: { clientAuthSigningAlgValues: algorithms, dPoPSigningAlgValues: algorithms },
    features: {
      devInteractions: { enabled: false }, clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: crypto.randomBytes(32), requireNonce: () => true },
      resourceIndicators: { enabled: true, defaultResource: () => 'nhn:msh', useGrantedResource: () => true, getResourceServerInfo: () => resource },
    },
    extraTokenClaims: () => ({ nbf: Math.floor(Date.now() / 1000), herid: '123-456', 'helseid://claims/client/claims/orgnr_parent': '999000029' }),
  });
  server.on('request', provider.callback());
  console.log(address);
});
