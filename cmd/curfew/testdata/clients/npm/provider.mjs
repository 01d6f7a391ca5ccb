// An OpenID provider with people of a school, by oidc-provider's own pages. It is told over standard input, a line of JSON an
// order: listen, serve (which needs the client's redirect address), age (as if everybody had signed in so many seconds earlier).
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

console.warn = console.info = () => {}; // its advice for production; our answers are the only thing that is said
const { default: Provider } = await import('oidc-provider');

const groups = {
  'ada@example.edu': ['curfew-admins'], 'hana@example.edu': ['curfew-admins', 'heads'], 'carla@example.edu': ['heads'], 'otto@example.edu': ['helpdesk'],
};

// Everything that the provider keeps, by model and id.
const kept = new Map();
class Adapter {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) { kept.set(this.key(id), payload); }
  async find(id) { return kept.get(this.key(id)); }
  async findByUid(uid) { return [...kept.entries()].find(([key, p]) => key.startsWith(`${this.model}:`) && p.uid === uid)?.[1]; }
  async findByUserCode() { return undefined; }
  async consume(id) { kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(this.key(id)); }
  async revokeByGrantId(grantId) { for (const [key, p] of kept) if (p.grantId === grantId) kept.delete(key); }
}

const server = createServer();
const orders = {
  listen: () => new Promise((done) => { server.listen(0, '127.0.0.1', () => done({ id: `http://127.0.0.1:${server.address().port}` })); }),
  serve: ({ redirect, secret }) => {
    const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
      adapter: Adapter,
      clients: [{ client_id: 'curfew', client_secret: secret, redirect_uris: [redirect], require_auth_time: true }],
      conformIdTokenClaims: false,
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username', 'groups'] },
      cookies: { keys: ['a key of a test'] },
      findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, email: sub, email_verified: true, preferred_username: sub, groups: groups[sub] ?? [] }) }),
      async loadExistingGrant(ctx) { // the school has consented for everybody
        const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
        grant.addOIDCScope('openid email profile');
        await grant.save();
        return grant;
      },
    });
    server.on('request', provider.callback());
    return {};
  },
  age: ({ seconds }) => {
    for (const [key, p] of kept) if (key.startsWith('Session:') && p.loginTs) p.loginTs -= seconds;
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  console.log(JSON.stringify(await orders[order.do](order)));
}
server.closeAllConnections();
server.close();
