// Holds the server's answers against what libraries from npm make of the same questions: scim2-parse-filter of a filter,
// scim-patch and SCIMMY of a PATCH, SCIMMY of what users, groups and lists look like. It writes a line for each disagreement and one at the end.
// The evaluator of filters compares letter by letter, so all texts here are in small letters; and in emails[A and B] it takes
// A from one address and B from another, which RFC 7644 section 3.5.2 does not mean, so a bracket holds one term.
// Usage: node agree.mjs BASE TOKEN SEED
import { isDeepStrictEqual } from "node:util";
import scimPatch from "scim-patch";
import parseFilter from "scim2-parse-filter";
import SCIMMY from "scimmy";

const [, , base, token, seed] = process.argv;
const user = "urn:ietf:params:scim:schemas:core:2.0:User";
const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const patchOp = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const searchRequest = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

let state = Number(seed);
const random = (n) => {
  // mulberry32: the same questions with the same seed
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
};
const pick = (...of) => of[random(of.length)];
const maybe = (make) => (random(3) ? make() : undefined);
const copy = (v) => JSON.parse(JSON.stringify(v));

async function say(method, path, body) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/scim+json" };
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} ${JSON.stringify(body)}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}
const asked = {}; // how often each library
let disagreements = 0;
const same = (library, what, ours, theirs) => {
  asked[library] = (asked[library] ?? 0) + 1;
  if (isDeepStrictEqual(ours, theirs)) return;
  disagreements++;
  console.log(`${library}: ${what}\n  ours   ${JSON.stringify(ours)}\n  theirs ${JSON.stringify(theirs)}`);
};
const answered = async (f) => {
  try {
    return await f();
  } catch (e) {
    return String(e);
  }
};

const word = () => pick("ann", "anne", "bea", "ben", "cleo", "dan", "anna b", "ben-ann");
const address = (i) => `${pick("ann", "bea", "cleo")}${i}@${pick("a", "b")}.example.edu`;
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser);
const person = (i) =>
  copy({
    schemas: [user, enterprise],
    userName: `${word().replace(" ", "")}.${i}`,
    externalId: maybe(() => `x-${i}`),
    active: random(4) > 0,
    displayName: maybe(word),
    title: maybe(word),
    nickName: maybe(word),
    locale: maybe(() => pick("en", "de")),
    name: maybe(() => ({ givenName: word(), familyName: maybe(word) })),
    emails: maybe(() => [{ value: address(i), type: "work", primary: true }, ...(random(2) ? [{ value: address(100 + i), type: "home" }] : [])]),
    phoneNumbers: maybe(() => [{ value: `+49${i}`, type: pick("work", "mobile") }]),
    [enterprise]: maybe(() => ({ department: word(), employeeNumber: `${i}` })),
  });

// A filter of the grammar of RFC 7644 figure 1, of which both must say the same.
const texts = ["userName", "displayName", "title", "nickName", "name.givenName", "name.familyName"];
const comparison = () => {
  switch (random(8)) {
    case 0:
      return `active eq ${pick("true", "false")}`;
    case 1:
      return `${pick(...texts, "emails", "name", "externalId", "phoneNumbers")} pr`;
    case 2:
      return `emails[${pick("not (type pr)", 'type eq "home"', `value ${pick("co", "sw", "ew")} "${pick("ann", "bea", "a.example.edu", "@b")}"`)}]`;
    case 3:
      return `userName ne "${word()}.${random(24)}"`;
    case 4:
      return `emails.type eq "${pick("work", "home", "other")}"`;
    default:
      return `${pick(...texts)} ${pick("eq", "co", "sw", "ew", "gt", "ge", "lt", "le")} "${word()}"`;
  }
};
const filter = (depth) => {
  if (!depth || !random(3)) return comparison();
  if (!random(4)) return `not (${filter(depth - 1)})`;
  const side = () => (random(2) ? filter(depth - 1) : `(${filter(depth - 1)})`);
  return `${side()} ${pick("and", "or")} ${side()}`;
};
async function filters(rounds) {
  const { Resources: all } = await say("GET", "/Users?count=1000");
  const ids = (some) => some.map((u) => u.id).sort();
  for (let i = 0; i < rounds; i++) {
    const text = filter(3);
    const found = await (i % 2
      ? say("GET", `/Users?count=1000&filter=${encodeURIComponent(text)}`)
      : say("POST", "/Users/.search", { schemas: [searchRequest], count: 1000, filter: text }));
    same("scim2-parse-filter", text, ids(found.Resources), await answered(() => ids(all.filter(parseFilter.filter(parseFilter.parse(text))))));
  }
}

// Operations whose meaning RFC 7644 section 3.5.2 leaves no doubt about. One of the libraries is not asked where it is known to
// think otherwise: scim-patch forgets a given name when a family name is added, and refuses to remove what is not there, and
// SCIMMY to replace it, where Entra wants it made.
const operation = () => {
  const simple = pick("displayName", "title", "nickName", "name.givenName", `${enterprise}:department`);
  switch (random(14)) {
    case 0:
      return { op: "remove", path: pick("displayName", "title", "nickName", "name.familyName", "name", "phoneNumbers") };
    case 1:
      return { op: pick("add", "replace"), value: { displayName: word(), title: word() } };
    case 2:
      return { op: "replace", path: "name", value: { givenName: word(), familyName: word() } };
    case 3:
      return { op: "replace", path: "phoneNumbers", value: [{ value: `+1${random(100)}`, type: "mobile" }] };
    case 4:
      return { op: "add", path: "phoneNumbers", value: [{ value: `+2${random(100000)}`, type: "work" }] };
    case 5:
      return { op: "add", path: "emails", value: [{ value: `new${random(100000)}@example.edu`, type: "other" }] };
    case 6:
      return { op: "replace", path: 'emails[type eq "work"].value', value: `work${random(100)}@example.edu`, not: "SCIMMY" };
    case 7:
      return { op: "remove", path: pick('emails[type eq "home"]', 'emails[value ew "a.example.edu"]', 'phoneNumbers[type eq "mobile"]'), not: "scim-patch" };
    case 8:
      return { op: "replace", path: "active", value: random(2) > 0 };
    case 9:
      return { op: "add", value: { name: { familyName: word() } }, not: "scim-patch" };
    case 10:
      return { op: "remove", path: `${enterprise}:department` };
    default:
      return { op: pick("add", "replace"), path: simple, value: word() };
  }
};
const told = (u) => {
  const { meta, schemas, ...rest } = copy(u);
  for (const name in rest) if (typeof rest[name] === "object" && !Object.keys(rest[name]).length) delete rest[name]; // RFC 7643 section 2.5
  return rest;
};
async function patches(rounds) {
  const { Resources: all } = await say("GET", "/Users?count=1000");
  for (let i = 0; i < rounds; i++) {
    const before = await say("GET", `/Users/${pick(...all).id}`);
    const chosen = Array.from({ length: 1 + random(4) }, operation);
    const Operations = chosen.map(({ not, ...o }) => o);
    const body = { schemas: [patchOp], Operations };
    const ours = told(await say("PATCH", `/Users/${before.id}`, body));
    const libraries = {
      "scim-patch": () => scimPatch.scimPatch(copy(before), copy(Operations)),
      SCIMMY: async () => (await new SCIMMY.Messages.PatchOp(copy(body)).apply(new SCIMMY.Schemas.User(copy(before)))) ?? before,
    };
    for (const name in libraries) {
      if (chosen.some((o) => o.not === name)) continue;
      same(name, `${JSON.stringify(before)} ${JSON.stringify(Operations)}`, ours, await answered(async () => told(await libraries[name]())));
    }
  }
}

// What is shown is of the types that the schema says, and nothing is left over.
async function shapes() {
  const dateless = (r) => copy(r.meta ? { ...r, meta: { ...r.meta, created: undefined, lastModified: undefined } } : r); // it knows no microseconds
  for (const [path, schema] of [["/Users", SCIMMY.Schemas.User], ["/Groups", SCIMMY.Schemas.Group]]) {
    const list = await say("GET", `${path}?count=1000`);
    const read = await answered(() => new SCIMMY.Messages.ListResponse(copy(list)));
    same("SCIMMY", `the list of ${path}`, [list.totalResults, list.itemsPerPage, list.Resources.length], [read.totalResults, read.itemsPerPage, read.Resources?.length]);
    for (const each of list.Resources) {
      same("SCIMMY", `${path}/${each.id}`, dateless(each), await answered(() => dateless(copy(new schema(copy(each), "out")))));
    }
  }
}

const made = [];
for (let i = 0; i < 24; i++) made.push((await say("POST", "/Users", person(i))).id);
await say("POST", "/Groups", { schemas: ["urn:ietf:params:scim:schemas:core:2.0:Group"], displayName: "all", members: made.map((value) => ({ value })) });
await shapes();
await filters(150);
await patches(80);
await shapes();
console.log(`${disagreements} disagreements ${JSON.stringify(asked)}`);
process.exitCode = disagreements ? 1 : 0;
