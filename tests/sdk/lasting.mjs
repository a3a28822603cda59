// The seeds' walk, and what happens over time: tokens that end, keys, pages, a host that starts anew.
import assert from "node:assert/strict";
import { ADMIN, ask, connect, event, MELIS, pause, refused, run, step } from "./harness.mjs";

const sdk = await connect();
let walker;

step("make a user on an open host", async () => {
  const user = await sdk.security.createUser("melis", { content: { profileIds: ["default"] }, credentials: { local: MELIS } });
  assert.deepEqual([user._id, user.profileIds], ["melis", ["default"]]);
});

step("log in", async () => {
  walker = await connect();
  assert.match(await walker.auth.login("local", MELIS), /^kauth-/);
});

step("who am I, with the token alone", async () => {
  const other = await connect();
  other.jwt = walker.jwt;
  assert.equal((await other.auth.getCurrentUser())._id, "melis");
});

step("log out, and the token is dead", async () => {
  const token = walker.jwt;
  await walker.auth.logout();
  assert.equal((await walker.auth.checkToken(token)).valid, false);
  const other = await connect();
  other.jwt = token;
  await refused(other.auth.getCurrentUser(), "security.token.invalid", 401);
});

step("actions without a method of their own", async () => {
  await sdk.security.createFirstAdmin("admin", { content: {}, credentials: { local: ADMIN } }, { reset: true });
  await sdk.auth.login("local", ADMIN);
  const query = async (controller, action, rest) => (await sdk.query({ controller, action, ...rest })).result;
  const once = await query("auth", "createToken", { singleUse: true });
  assert.deepEqual([once.singleUse, once.ttl], [true, 3_600_000]);
  const upserted = await query("security", "upsertUser", { _id: "kim", body: { content: { profileIds: ["default"] } } });
  assert.equal(upserted._id, "kim");
  const found = await query("security", "searchUsersByCredentials", { strategy: "local", body: { query: { match: { username: "melis" } } } });
  assert.deepEqual(found.hits, [{ username: "melis", kuid: "melis" }]);
  assert.equal(await query("security", "revokeTokens", { _id: "melis" }), null);
});

step("the host's clock and its administrator", async () => {
  assert.ok(Math.abs((await sdk.server.now()) - Date.now()) < 5_000);
  assert.equal(await sdk.server.adminExists(), true);
});

step("pages of users, by from and size", async () => {
  for (let i = 0; i < 5; i++) await sdk.security.createUser(`u${i}`, { content: { profileIds: ["default"], page: true } });
  const seen = [];
  let page = await sdk.security.searchUsers({ query: { equals: { page: true } } }, { from: 0, size: 2, lang: "koncorde" });
  assert.equal(page.total, 5);
  for (; page; page = await page.next()) seen.push(...page.hits.map((user) => user._id));
  assert.deepEqual(seen.sort(), ["u0", "u1", "u2", "u3", "u4"]);
});

step("pages of users, by sort and search_after", async () => {
  const seen = [];
  let page = await sdk.security.searchUsers({ query: { term: { page: true } }, sort: [{ _id: "desc" }] }, { size: 2 });
  for (; page; page = await page.next()) seen.push(...page.hits.map((user) => user._id));
  assert.deepEqual(seen, ["u4", "u3", "u2", "u1", "u0"]);
});

step("pages of users, by scroll", async () => {
  const seen = [];
  let page = await sdk.security.searchUsers({ query: { term: { page: true } }, sort: [{ _id: "asc" }] }, { scroll: "10s", size: 2 });
  for (; page; page = await page.next()) seen.push(...page.hits.map((user) => user._id));
  assert.deepEqual(seen, ["u0", "u1", "u2", "u3", "u4"]);
});

step("pages of profiles and of roles", async () => {
  for (const search of ["searchProfiles", "searchRoles"]) {
    const seen = [];
    let page = await sdk.security[search]({}, { from: 0, size: 2 });
    for (; page; page = await page.next()) seen.push(...page.hits.map((each) => each._id));
    assert.deepEqual(seen.sort(), ["admin", "anonymous", "default"]);
  }
  const scrolled = [];
  let page = await sdk.security.searchProfiles({}, { scroll: "10s", size: 2 });
  for (; page; page = await page.next()) scrolled.push(...page.hits.map((each) => each._id));
  assert.deepEqual(scrolled.sort(), ["admin", "anonymous", "default"]);
});

step("a token that ends is announced on the socket", async () => {
  const client = await connect();
  const begun = Date.now();
  const ended = event(client, "tokenExpired");
  await client.auth.login("local", MELIS, 1_200);
  await ended;
  assert.ok(Date.now() - begun >= 1_150, `after ${Date.now() - begun} ms`);
  assert.equal(client.jwt, null);
  assert.equal((await client.auth.getCurrentUser())._id, "-1");
}, "websocket");

step("a token that has ended is noticed at the next request", async () => {
  const client = await connect();
  await client.auth.login("local", MELIS, 300);
  await pause(400);
  const ended = event(client, "tokenExpired");
  await refused(client.auth.getCurrentUser(), "security.token.invalid", 401);
  await ended;
  assert.equal(client.jwt, null);
}, "http");

step("an authenticator logs in again when the token ends", async () => {
  const client = await connect();
  client.authenticator = () => client.auth.login("local", MELIS, "1h");
  await client.auth.login("local", MELIS, 1_200);
  const former = client.jwt;
  const again = event(client, "reAuthenticated");
  if (client.protocol.name !== "websocket") {
    await pause(1_300);
    await client.auth.getCurrentUser().catch(() => {});
  }
  await again;
  assert.notEqual(client.jwt, former);
  assert.equal((await client.auth.getCurrentUser())._id, "melis");
});

step("an API key outlives a logout", async () => {
  const key = await sdk.security.createApiKey("melis", "for ever");
  const client = await connect();
  client.setAPIKey(key._source.token);
  assert.equal((await client.auth.getCurrentUser())._id, "melis");
  await client.auth.logout();
  client.setAPIKey(key._source.token);
  assert.equal((await client.auth.getCurrentUser())._id, "melis");
  assert.throws(() => client.setAPIKey("kauth-x"));
});

step("after a new start of the host everything goes on", async () => {
  const client = await connect({ autoReconnect: true, reconnectionDelay: 100 });
  const socket = client.protocol.constructor.name.startsWith("WebSocket");
  await client.auth.login("local", MELIS);
  const token = client.jwt;
  const back = socket ? [client, sdk].map((each) => event(each, "reconnected")) : [];
  await ask("restart");
  await Promise.all(back);
  assert.equal(client.jwt, token);
  assert.equal((await client.auth.getCurrentUser())._id, "melis");
  assert.equal((await sdk.auth.getCurrentUser())._id, "admin");
});

await run();
