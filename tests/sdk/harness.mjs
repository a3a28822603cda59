// Steps run in order, each reported as one line of JSON. The program is told where the host is, and how to speak to it.
import assert from "node:assert/strict";
import readline from "node:readline";
import client from "kuzzle-sdk";

const { Http, Kuzzle, WebSocket } = client;

export const [PORT, PROTOCOL] = [Number(process.argv[2]), process.argv[3]];
export const ADMIN = { username: "admin", password: "a long enough password" };
export const MELIS = { username: "melis", password: "password" };
const PATIENCE = 20_000;
const steps = [];
const clients = [];
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Declare a step; those of one protocol alone do nothing over the other.
export function step(name, body, only = PROTOCOL) {
  steps.push({ name, body: only === PROTOCOL ? body : () => {} });
}

// A new client, connected.
export async function connect(options = {}) {
  const protocol = PROTOCOL === "http" ? new Http("127.0.0.1", { port: PORT }) : new WebSocket("127.0.0.1", { port: PORT, ...options });
  const client = new Kuzzle(protocol);
  client.on("networkError", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

// What a method answers, and which of a controller's methods were called.
export function watched(controller) {
  const called = new Set();
  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(controller));
  const methods = own.filter((name) => name !== "constructor" && !Object.getOwnPropertyDescriptor(Object.getPrototypeOf(controller), name).get);
  const proxy = new Proxy(controller, {
    get(target, name) {
      if (typeof target[name] !== "function") return target[name];
      called.add(name);
      return target[name].bind(target);
    },
    set(target, name, value) {
      target[name] = value;
      return true;
    },
  });
  return [proxy, () => methods.filter((name) => !called.has(name))];
}

// Expect a refusal with this error id.
export async function refused(promise, id, status) {
  const error = await promise.then(
    (answer) => assert.fail(`not refused: ${JSON.stringify(answer)}`),
    (reason) => reason,
  );
  assert.deepEqual([error.id, error.status], [id, status], error.message);
  return error;
}

// Wait for an event of a client.
export function event(client, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} within ${PATIENCE} ms`)), PATIENCE);
    client.once(name, (...payload) => {
      clearTimeout(timer);
      resolve(payload);
    });
  });
}

// Ask who runs this program for something, such as a new start of the host.
export async function ask(what) {
  console.log(JSON.stringify({ ask: what }));
  await lines.next();
}

// One login per second and socket.
export const rested = () => PROTOCOL === "http" || pause(1_050);

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function run() {
  for (const { name, body } of steps) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("too slow")), 2 * PATIENCE);
    });
    try {
      await Promise.race([body(), late]);
      console.log(JSON.stringify({ name, error: null }));
    } catch (error) {
      console.log(JSON.stringify({ name, error: `${error.id ?? ""} ${error.stack}` }));
    }
    clearTimeout(timer);
  }
  for (const client of clients) client.disconnect();
  process.exit(0);
}
