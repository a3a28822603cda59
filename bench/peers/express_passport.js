// express and passport-jwt, as their manuals show them.
const express = require("express");
const passport = require("passport");
const { ExtractJwt, Strategy } = require("passport-jwt");
const me = require("./answer");

const options = {
  jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
  secretOrKey: process.env.BENCH_SECRET,
  algorithms: ["HS256"],
};
passport.use(new Strategy(options, (claims, done) => done(null, { id: claims.sub })));

const app = express();
app.get("/me", passport.authenticate("jwt", { session: false }), (request, response) => {
  response.json(me(request.user.id));
});
app.listen(Number(process.env.BENCH_PORT), "127.0.0.1");
