// A client that others have written: gets a token as HelseID's clients do, and calls what it is for; tells what it got.
// node client.mjs ISSUER CLIENT PRIVATE-JWK-FILE CALLED
import crypto from 'node:crypto';
import fs from 'node:fs';
import * as oauth from 'oauth4webapi';

const [issuer, client_id, file, called] = process.argv.slice(2);
const insecure = { [oauth.allowInsecureRequests]: true };
const { alg, ...jwk } = JSON.parse(fs.readFileSync(file));
const imported = (name) => crypto.subtle.importKey('jwk', jwk, { name, hash: 'SHA-512' }, false, ['sign']);
const server = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), insecure));
const client = { client_id };
const shown = oauth.PrivateKeyJwt(await imported('RSA-PSS'), { [oauth.modifyAssertion]: (header) => { header.typ = 'client-authentication+jwt'; } });
const { d, p, q, dp, dq, qi, ...open } = jwk;
const publicKey = await crypto.subtle.importKey('jwk', open, { name: 'RSA-PSS', hash: 'SHA-512' }, true, ['verify']);
const DPoP = oauth.DPoP(client, { privateKey: await imported('RSA-PSS'), publicKey });
const ask = async () => oauth.processClientCredentialsResponse(server, client,
  await oauth.clientCredentialsGrantRequest(server, client, shown, { scope: 'nhn:msh/api' }, { DPoP, ...insecure }));
let refused = '';
const told = await ask().catch((error) => {
  if (!oauth.isDPoPNonceError(error)) throw error;
  refused = error.error;
  return ask();
});
const answer = await oauth.protectedResourceRequest(told.access_token, 'POST', new URL(called), new Headers(), null, { DPoP, ...insecure });
console.log(JSON.stringify({ refused, type: told.token_type, seconds: told.expires_in, scope: told.scope, status: answer.status }));
