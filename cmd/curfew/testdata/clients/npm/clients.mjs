// Drives a SCIM server by public clients from npm. What to do comes as lines of JSON, and the outcome of each goes back as
// one: the test beside says what must be true of the sessions in between. Usage: node clients.mjs NAME BASE TOKEN
import { createInterface } from "node:readline";
import { Octokit } from "@octokit/core";
import { enterpriseCloud } from "@octokit/plugin-enterprise-cloud";
import RingCentral from "@rc-ex/core";

const user = "urn:ietf:params:scim:schemas:core:2.0:User";
const group = "urn:ietf:params:scim:schemas:core:2.0:Group";
const patch = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const search = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

const person = (m) => ({
  schemas: [user],
  userName: m.email,
  externalId: m.email,
  active: m.active ?? true,
  displayName: m.title,
  name: { givenName: m.title, familyName: "Example", formatted: `${m.title} Example` },
  emails: [{ value: m.email, type: "work", primary: true }],
});
const told = (u) => ({ id: u.id, email: u.userName, active: u.active, title: u.name?.givenName });
const listed = (l) => ({ total: l.totalResults, items: l.itemsPerPage, ids: l.Resources.map((r) => r.id) });

// RingCentral's client knows the routes of the standard and people only. Its patches are texts, so it says "false".
function ringCentral(base, token) {
  const scim = new RingCentral({ server: base, token: { access_token: token } }).scim("v2");
  const change = (id, path, value) => scim.users(id).patch({ schemas: [patch], Operations: [{ op: "replace", path, value }] });
  return {
    discover: async () => {
      const [config, schemas, types] = [await scim.serviceProviderConfig().get(), await scim.schemas().list(), await scim.resourceTypes().list()];
      return { ids: [...schemas.Resources, ...types.Resources].map((r) => r.id), active: config.patch.supported && config.filter.supported };
    },
    create: async (m) => told(await scim.users().post(person(m))),
    get: async (m) => told(await scim.users(m.id).get()),
    find: async (m) => listed(await scim.users().list({ filter: `userName eq "${m.email}"` })),
    search: async (m) => listed(await scim.users().dotSearch().post({ schemas: [search], filter: `userName eq "${m.email}"`, startIndex: 1, count: 10 })),
    page: async (m) => listed(await scim.users().list({ startIndex: m.start, count: m.count })),
    rename: async (m) => told(await change(m.id, "name.givenName", m.title)),
    deactivate: async (m) => told(await change(m.id, "active", "false")),
    reactivate: async (m) => told(await change(m.id, "active", "true")),
    replace: async (m) => told(await scim.users(m.id).put({ ...(await scim.users(m.id).get()), active: m.active })),
    remove: async (m) => void (await scim.users(m.id).delete()),
  };
}

// GitHub's client and its plugin for enterprises: people and groups, and media types of GitHub's own in Accept.
function gitHub(base, token) {
  const octokit = new (Octokit.plugin(enterpriseCloud))({ baseUrl: base });
  octokit.hook.before("request", (o) => void (o.headers.authorization = `bearer ${token}`)); // by itself it says "token"
  const at = octokit.enterpriseAdmin;
  const whose = (m, more) => ({ enterprise: "acme", scim_user_id: m.id, ...more });
  const which = (m, more) => ({ enterprise: "acme", scim_group_id: m.id, ...more });
  const change = (m, ...Operations) => at.updateAttributeForEnterpriseUser(whose(m, { schemas: [patch], Operations }));
  const regroup = (m, ...Operations) => at.updateAttributeForEnterpriseGroup(which(m, { schemas: [patch], Operations }));
  const members = (m) => m.members.map((value) => ({ value, displayName: "somebody" }));
  return {
    create: async (m) => told((await at.provisionEnterpriseUser(whose({}, person(m)))).data),
    get: async (m) => told((await at.getProvisioningInformationForEnterpriseUser(whose(m))).data),
    find: async (m) => listed((await at.listProvisionedIdentitiesEnterprise({ enterprise: "acme", filter: `userName eq "${m.email}"` })).data),
    page: async (m) => listed((await at.listProvisionedIdentitiesEnterprise({ enterprise: "acme", startIndex: m.start, count: m.count })).data),
    rename: async (m) => told((await change(m, { op: "replace", path: "name.givenName", value: m.title })).data),
    deactivate: async (m) => told((await change(m, { op: "replace", value: { active: false } })).data),
    reactivate: async (m) => told((await change(m, { op: "replace", path: "active", value: true })).data),
    replace: async (m) => {
      const { data } = await at.getProvisioningInformationForEnterpriseUser(whose(m));
      return told((await at.setInformationForProvisionedEnterpriseUser(whose(m, { ...data, active: m.active }))).data);
    },
    remove: async (m) => void (await at.deleteUserFromEnterprise(whose(m))),
    "create group": async (m) => {
      const { data } = await at.provisionEnterpriseGroup({ enterprise: "acme", schemas: [group], displayName: m.title, externalId: m.title, members: members(m) });
      return { id: data.id, title: data.displayName };
    },
    "find group": async (m) => listed((await at.listProvisionedGroupsEnterprise({ enterprise: "acme", filter: `displayName eq "${m.title}"`, excludedAttributes: "members" })).data),
    members: async (m) => {
      const { data } = await at.getProvisioningInformationForEnterpriseGroup(which(m));
      return { title: data.displayName, ids: (data.members ?? []).map((each) => each.value) };
    },
    join: async (m) => void (await regroup(m, { op: "add", path: "members", value: members(m) })),
    leave: async (m) => void (await regroup(m, ...m.members.map((id) => ({ op: "remove", path: `members[value eq "${id}"]` })))),
    "rename group": async (m) => void (await regroup(m, { op: "replace", path: "displayName", value: m.title })),
    "remove group": async (m) => void (await at.deleteScimGroupFromEnterprise(which(m))),
  };
}

const [, , name, base, token] = process.argv;
const client = { ringcentral: ringCentral, octokit: gitHub }[name](base, token);
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let outcome;
  try {
    outcome = (await client[order.do](order)) ?? {};
  } catch (e) {
    const status = e.status ?? e.response?.status ?? 0; // 0: the client itself gave up
    outcome = { status, error: status ? JSON.stringify(e.response?.data ?? e.message) : (e.stack ?? String(e)) };
  }
  process.stdout.write(JSON.stringify(outcome) + "\n");
}
