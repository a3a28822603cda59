// fastify and @fastify/jwt, as their manuals show them; with BENCH_CACHE, verified tokens are remembered.
const fastify = require("fastify")();
const me = require("./answer");

fastify.register(require("@fastify/jwt"), {
  secret: process.env.BENCH_SECRET,
  verify: { algorithms: ["HS256"], cache: Boolean(process.env.BENCH_CACHE) },
});
fastify.get("/me", { onRequest: (request) => request.jwtVerify() }, async (request) => me(request.user.sub));
fastify.listen({ port: Number(process.env.BENCH_PORT), host: "127.0.0.1" });
