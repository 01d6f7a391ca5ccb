// Signs messages, and judges signatures, by the libraries that senders publish: standardwebhooks and svix for Standard Webhooks v1,
// @octokit/webhooks-methods for GitHub; and by OpenSSL, as Node has it, for v1a, which none of them knows.
// Each line of the input is {do: "sign" | "verify", scheme, key, id, at, headers, body}, each line of the output what comes of it.
import { createPrivateKey, createPublicKey, sign as opensslSign, verify as opensslVerify } from "node:crypto";
import { createInterface } from "node:readline";
import { sign as octokitSign, verify as octokitVerify } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import { Webhook as Svix } from "svix";

const now = Date.now;
const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
const family = (library, prefix) => ({
  sign: ({ key, id, at, body }) => ({
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: `${at}`,
    [`${prefix}-signature`]: new library(key).sign(id, new Date(at * 1000), body),
  }),
  verify: ({ key, headers, body }) => (new library(key).verify(body, lower(headers), { jsonParse: false }), true),
});

// A key of v1a is a seed of 32 bytes here; DER puts the same bytes before every such key (RFC 8410).
const privateKey = (seed) =>
  createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(seed, "base64")]), format: "der", type: "pkcs8" });
const openssl = {
  sign: ({ key, id, at, body }) => {
    const signature = opensslSign(null, Buffer.from(`${id}.${at}.${body}`), privateKey(key)).toString("base64");
    return { "webhook-id": id, "webhook-timestamp": `${at}`, "webhook-signature": `v1a,${signature}` };
  },
  verify: ({ key, headers, body }) => {
    const h = lower(headers);
    const [version, signature] = h["webhook-signature"].split(",");
    const content = Buffer.from(`${h["webhook-id"]}.${h["webhook-timestamp"]}.${body}`);
    const encoded = /^[A-Za-z0-9+/]{86}==$/.test(signature); // Node passes over what is no base64
    return version === "v1a" && encoded && opensslVerify(null, content, createPublicKey(privateKey(key)), Buffer.from(signature, "base64"));
  },
};

const schemes = {
  standardwebhooks: family(Webhook, "webhook"),
  svix: family(Svix, "svix"),
  openssl,
  octokit: {
    sign: async ({ key, body }) => ({ "x-hub-signature-256": await octokitSign(key, body) }),
    verify: ({ key, headers, body }) => octokitVerify(key, body, lower(headers)["x-hub-signature-256"]),
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  Date.now = () => order.now * 1000; // the libraries ask it for the time
  let answer;
  try {
    const out = await schemes[order.scheme][order.do](order);
    answer = order.do === "sign" ? { headers: out } : { ok: out };
  } catch (e) {
    answer = { ok: false, error: String(e) };
  }
  Date.now = now;
  console.log(JSON.stringify(answer));
}
