// Every method of the client's `security` controller.
import assert from "node:assert/strict";
import { ADMIN, connect, MELIS, refused, run, step, watched } from "./harness.mjs";

const sdk = await connect();
const [security, missed] = watched(sdk.security);
const ROLE = { controllers: { auth: { actions: { getCurrentUser: true, logout: true } } } };
const PROFILE = { policies: [{ roleId: "reader" }] };
const ids = (found) => found.map((each) => each._id).sort();

step("createFirstAdmin", async () => {
  const admin = await security.createFirstAdmin("admin", { content: {}, credentials: { local: ADMIN } }, { reset: true });
  assert.deepEqual([admin._id, admin.profileIds], ["admin", ["admin"]]);
  await refused(security.createFirstAdmin("other", { content: {} }), "security.rights.unauthorized", 401);
  await sdk.auth.login("local", ADMIN);
  await refused(security.createFirstAdmin("other", { content: {} }), "api.process.admin_exists", 412);
});

step("createRole", async () => {
  const role = await security.createRole("reader", ROLE);
  assert.deepEqual([role._id, role.controllers], ["reader", ROLE.controllers]);
  const unknown = { controllers: { mine: { actions: { "*": true } } } };
  await refused(security.createRole("forced", unknown), "security.role.unknown_controller", 400);
  assert.equal((await security.createRole("forced", unknown, { force: true }))._id, "forced");
});

step("createOrReplaceRole", async () => {
  assert.deepEqual((await security.createOrReplaceRole("other", ROLE)).controllers, ROLE.controllers);
});

step("updateRole", async () => {
  const controllers = { auth: { actions: { "*": true } } };
  assert.deepEqual((await security.updateRole("other", { controllers })).controllers, controllers);
});

step("getRole", async () => {
  assert.deepEqual((await security.getRole("reader")).controllers, ROLE.controllers);
  await refused(security.getRole("nobody"), "security.role.not_found", 404);
});

step("mGetRoles", async () => {
  assert.deepEqual(ids(await security.mGetRoles(["reader", "other"])), ["other", "reader"]);
});

step("searchRoles", async () => {
  const found = await security.searchRoles({ controllers: ["mine"] }, { from: 0, size: 10 });
  assert.deepEqual([found.total, ids(found.hits)], [2, ["admin", "forced"]]); // admin's `*` has every controller
});

step("createProfile", async () => {
  const profile = await security.createProfile("readers", { ...PROFILE, rateLimit: 100 });
  assert.deepEqual([profile._id, profile.rateLimit, profile.policies], ["readers", 100, PROFILE.policies]);
  assert.deepEqual(ids(await profile.getRoles()), ["reader"]);
});

step("createOrReplaceProfile", async () => {
  assert.equal((await security.createOrReplaceProfile("others", PROFILE))._id, "others");
});

step("updateProfile", async () => {
  assert.deepEqual((await security.updateProfile("others", { rateLimit: 7 })).policies, PROFILE.policies);
});

step("getProfile", async () => {
  assert.equal((await security.getProfile("others")).rateLimit, 7);
});

step("mGetProfiles", async () => {
  assert.deepEqual(ids(await security.mGetProfiles(["readers", "default"])), ["default", "readers"]);
});

step("searchProfiles", async () => {
  const found = await security.searchProfiles({ roles: ["reader"] }, { from: 0, size: 10 });
  assert.deepEqual(ids(found.hits), ["others", "readers"]);
});

step("getProfileRights", async () => {
  assert.deepEqual((await security.getProfileRights("readers")).map((right) => right.action).sort(), ["getCurrentUser", "logout"]);
});

step("createUser", async () => {
  const user = await security.createUser("melis", { content: { profileIds: ["readers"], name: "Melis" }, credentials: { local: MELIS } });
  assert.deepEqual([user._id, user.profileIds, user.content.name], ["melis", ["readers"], "Melis"]);
  assert.deepEqual(ids(await user.getProfiles()), ["readers"]);
  await refused(security.createUser("melis", { content: { profileIds: ["default"] } }), "security.user.already_exists", 412);
});

step("createUser: an id of the host's own", async () => {
  const user = await security.createUser(null, { content: { profileIds: ["default"] } });
  assert.match(user._id, /^kuid-[a-z]+-[a-z]+-\d+$/);
  await security.deleteUser(user._id);
}, "websocket"); // over HTTP the client insists on an id

step("createRestrictedUser", async () => {
  const user = await security.createRestrictedUser({ content: { name: "Sam" } }, "sam");
  assert.deepEqual([user._id, user.profileIds], ["sam", ["default"]]);
});

step("updateUser", async () => {
  assert.deepEqual((await security.updateUser("sam", { age: 7 })).content.age, 7);
});

step("replaceUser", async () => {
  const user = await security.replaceUser("sam", { profileIds: ["readers"], nick: "s" });
  assert.deepEqual([user.profileIds, user.content.nick, user.content.age], [["readers"], "s", undefined]);
});

step("getUser", async () => {
  assert.equal((await security.getUser("melis")).content.name, "Melis");
});

step("mGetUsers", async () => {
  assert.deepEqual(ids(await security.mGetUsers(["melis", "sam", "nobody"])), ["melis", "sam"]);
});

step("searchUsers", async () => {
  const found = await security.searchUsers({ query: { term: { profileIds: "readers" } } }, { from: 0, size: 10 });
  assert.deepEqual([found.total, ids(found.hits)], [2, ["melis", "sam"]]);
  const koncorde = await security.searchUsers({ query: { equals: { name: "Melis" } } }, { lang: "koncorde" });
  assert.deepEqual(ids(koncorde.hits), ["melis"]);
});

step("getUserRights", async () => {
  assert.equal((await security.getUserRights("melis")).length, 2);
});

step("getUserStrategies", async () => {
  assert.deepEqual(await security.getUserStrategies("melis"), ["local"]);
  assert.deepEqual(await security.getUserStrategies("sam"), []);
});

step("checkRights", async () => {
  assert.equal(await security.checkRights("melis", { controller: "auth", action: "logout" }), true);
  assert.equal(await security.checkRights("melis", { controller: "security", action: "getUser" }), false);
});

step("validateCredentials", async () => {
  assert.equal(await security.validateCredentials("local", "sam", { username: "sam", password: "x" }), true);
});

step("createCredentials", async () => {
  assert.deepEqual(await security.createCredentials("local", "sam", { username: "sam", password: "x" }), { username: "sam" });
});

step("updateCredentials", async () => {
  assert.equal((await security.updateCredentials("local", "sam", { password: "y" })).username, "sam");
});

step("hasCredentials", async () => {
  assert.equal(await security.hasCredentials("local", "sam"), true);
});

step("getCredentials", async () => {
  assert.deepEqual(await security.getCredentials("local", "sam"), { username: "sam", kuid: "sam" });
});

step("getCredentialsById", async () => {
  assert.deepEqual(await security.getCredentialsById("local", "melis"), { username: "melis", kuid: "melis" });
});

step("getCredentialFields", async () => {
  assert.deepEqual(await security.getCredentialFields("local"), ["username", "password"]);
});

step("getAllCredentialFields", async () => {
  assert.deepEqual((await security.getAllCredentialFields()).local, ["username", "password"]);
});

step("deleteCredentials", async () => {
  assert.deepEqual(await security.deleteCredentials("local", "sam"), { acknowledged: true });
  assert.equal(await security.hasCredentials("local", "sam"), false);
});

step("createApiKey, and log in with it", async () => {
  const key = await security.createApiKey("melis", "of melis", { _id: "k1", expiresIn: -1 });
  assert.deepEqual([key._id, key._source.userId, key._source.ttl], ["k1", "melis", -1]);
  const other = await connect();
  other.setAPIKey(key._source.token);
  assert.equal((await other.auth.getCurrentUser())._id, "melis");
});

step("searchApiKeys", async () => {
  const found = await security.searchApiKeys("melis", {}, { from: 0, size: 10 });
  assert.deepEqual([found.total, found.hits[0]._id], [1, "k1"]);
});

step("deleteApiKey", async () => {
  await security.deleteApiKey("melis", "k1");
  assert.equal((await security.searchApiKeys("melis")).total, 0);
});

for (const kind of ["User", "Profile", "Role"]) {
  step(`get${kind}Mapping and update${kind}Mapping`, async () => {
    const updated = await security[`update${kind}Mapping`]({ properties: { shoe: { type: "integer" } } });
    assert.deepEqual(updated.properties.shoe, { type: "integer" });
    const { mapping } = await security[`get${kind}Mapping`]();
    assert.deepEqual([mapping.shoe, mapping._kuzzle_info], [{ type: "integer" }, undefined]);
  });
}

step("refresh", async () => {
  for (const collection of ["users", "profiles", "roles"]) assert.equal((await security.refresh(collection)).result, null);
});

step("deleteProfile", async () => {
  await refused(security.deleteProfile("readers"), "security.profile.in_use", 412);
  assert.deepEqual(await security.deleteProfile("readers", { onAssignedUsers: "remove" }), { _id: "readers" });
  assert.deepEqual((await security.getUser("melis")).profileIds, ["anonymous"]);
});

step("deleteRole", async () => {
  await refused(security.deleteRole("reader"), "security.role.in_use", 412);
  assert.deepEqual(await security.deleteRole("forced"), { _id: "forced" });
});

step("deleteUser", async () => {
  assert.deepEqual(await security.deleteUser("melis"), { _id: "melis" });
  await refused(security.getUser("melis"), "security.user.not_found", 404);
});

step("mDeleteUsers, mDeleteProfiles, mDeleteRoles", async () => {
  assert.deepEqual(await security.mDeleteUsers(["sam"]), ["sam"]);
  assert.deepEqual(await security.mDeleteProfiles(["others"]), ["others"]);
  assert.deepEqual((await security.mDeleteRoles(["reader", "other"])).sort(), ["other", "reader"]);
  const error = await refused(security.mDeleteRoles(["nobody", "admin"]), "services.storage.incomplete_delete", 206);
  assert.equal(error.count, 2);
});

step("no method of security was forgotten", () => {
  assert.deepEqual(missed(), []);
});

await run();
