// Every method of the client's `auth` controller.
import assert from "node:assert/strict";
import { ADMIN, connect, event, MELIS, refused, rested, run, step, watched } from "./harness.mjs";

const sdk = await connect();
const [auth, missed] = watched(sdk.auth);
const local = { local: ADMIN };

step("make the first administrator", async () => {
  const admin = await sdk.security.createFirstAdmin("admin", { content: { name: "Root" }, credentials: local }, { reset: true });
  assert.deepEqual([admin._id, admin.profileIds, admin.content.name], ["admin", ["admin"], "Root"]);
});

step("login: a wrong password", async () => {
  const attempt = event(sdk, "loginAttempt");
  const error = await refused(auth.login("local", { ...ADMIN, password: "x" }), "plugin.strategy.missing_user", 401);
  assert.equal(error.message, "wrong username or password");
  assert.equal((await attempt)[0].success, false);
});

step("login: an unknown strategy", async () => {
  await rested();
  await refused(auth.login("foo", ADMIN), "security.credentials.unknown_strategy", 400);
});

step("login", async () => {
  await rested();
  const jwt = await auth.login("local", ADMIN, "2h");
  assert.match(jwt, /^kauth-[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.equal(sdk.jwt, jwt);
  assert.equal(sdk.authenticated, true);
  assert.equal(auth.authenticationToken.userId, "admin");
  assert.ok(Math.abs(auth.authenticationToken.expiresAt * 1_000 - Date.now() - 7_200_000) < 5_000);
});

step("authenticateRequest", () => {
  const [request, check] = [{ controller: "auth", action: "getCurrentUser" }, { controller: "auth", action: "checkToken" }];
  auth.authenticateRequest(request);
  auth.authenticateRequest(check);
  assert.deepEqual([request.jwt, check.jwt], [sdk.jwt, undefined]);
});

step("checkToken: its own, another, none", async () => {
  const checked = await auth.checkToken();
  assert.deepEqual([checked.valid, checked.kuid], [true, "admin"]);
  assert.ok(checked.expiresAt > Date.now());
  assert.equal((await auth.checkToken("kauth-garbage")).valid, false);
  assert.equal(await sdk.isAuthenticated(), true);
});

step("getCurrentUser", async () => {
  const user = await auth.getCurrentUser();
  assert.deepEqual([user._id, user.profileIds, user.content.name], ["admin", ["admin"], "Root"]);
});

step("getMyRights", async () => {
  assert.deepEqual(await auth.getMyRights(), [{ controller: "*", action: "*", index: "*", collection: "*", value: "allowed" }]);
});

step("checkRights", async () => {
  assert.equal(await auth.checkRights({ controller: "document", action: "delete", index: "a", collection: "b" }), true);
});

step("getStrategies", async () => {
  assert.ok((await auth.getStrategies()).includes("local"));
});

step("updateSelf", async () => {
  const user = await auth.updateSelf({ mood: "happy" });
  assert.deepEqual([user._id, user.content.mood, user.content.name], ["admin", "happy", "Root"]);
  await refused(auth.updateSelf({ profileIds: ["default"] }), "api.assert.forbidden_argument", 400);
});

step("credentialsExist", async () => {
  assert.equal(await auth.credentialsExist("local"), true);
});

step("getMyCredentials", async () => {
  assert.deepEqual(await auth.getMyCredentials("local"), { username: "admin", kuid: "admin" });
});

step("validateMyCredentials", async () => {
  assert.equal(await auth.validateMyCredentials("local", MELIS), true);
});

step("updateMyCredentials", async () => {
  assert.equal((await auth.updateMyCredentials("local", { username: "root" })).username, "root");
});

step("deleteMyCredentials", async () => {
  assert.equal(await auth.deleteMyCredentials("local"), true);
  assert.equal(await auth.credentialsExist("local"), false);
});

step("createMyCredentials", async () => {
  assert.deepEqual(await auth.createMyCredentials("local", ADMIN), { username: "admin" });
});

step("createApiKey, and log in with it", async () => {
  const key = await auth.createApiKey("my key", { _id: "k1", expiresIn: "1h", refresh: "wait_for" });
  assert.deepEqual([key._id, key._source.userId, key._source.description, key._source.ttl], ["k1", "admin", "my key", 3_600_000]);
  const other = await connect();
  other.setAPIKey(key._source.token);
  assert.equal((await other.auth.getCurrentUser())._id, "admin");
  await refused(other.auth.refreshToken(), "security.token.refresh_forbidden", 401);
});

step("searchApiKeys", async () => {
  await auth.createApiKey("another");
  const found = await auth.searchApiKeys({ match: { description: "my" } }, { from: 0, size: 5, lang: "elasticsearch" });
  assert.deepEqual([found.total, found.hits[0]._id, found.hits[0]._source.token], [1, "k1", undefined]);
  assert.equal((await auth.searchApiKeys()).total, 2);
});

step("deleteApiKey", async () => {
  assert.equal(await auth.deleteApiKey("k1"), null);
  await refused(auth.deleteApiKey("k1"), "services.storage.not_found", 404);
});

step("refreshToken", async () => {
  const former = sdk.jwt;
  const renewed = await auth.refreshToken({ expiresIn: "3h" });
  assert.notEqual(renewed.jwt, former);
  assert.deepEqual([renewed._id, renewed.ttl, sdk.jwt], ["admin", 10_800_000, renewed.jwt]);
  assert.equal((await auth.getCurrentUser())._id, "admin");
});

step("logout", async () => {
  const token = sdk.jwt;
  const attempt = event(sdk, "logoutAttempt");
  await auth.logout();
  assert.equal((await attempt)[0].success, true);
  assert.equal(sdk.jwt, null);
  assert.equal((await auth.checkToken(token)).valid, false);
  assert.equal((await auth.getCurrentUser())._id, "-1");
});

step("no method of auth was forgotten", () => {
  assert.deepEqual(missed(), []);
});

await run();
