// Log in, show who is logged in, log out. The token is a cookie, which the browser sends and no script can read.

const [form, member, who, leave, problem] = ["form", "member", "who", "leave", "problem"].map((id) =>
  document.getElementById(id),
);
const ANONYMOUS = "-1"; // the id of an anonymous user

async function request(verb, path, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(path, { method: verb, headers, body: body && JSON.stringify(body) });
  const { error, result } = await response.json();
  if (error) throw new Error(error.message);
  return result;
}

async function show() {
  const user = await request("GET", "/_me").catch(() => ({ _id: ANONYMOUS })); // the token has expired
  form.hidden = user._id !== ANONYMOUS;
  member.hidden = !form.hidden;
  who.textContent = user._id;
}

async function attempt(work) {
  problem.textContent = "";
  try {
    await work();
    form.reset();
  } catch (error) {
    problem.textContent = error.message;
  }
  await show();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const credentials = Object.fromEntries(new FormData(form));
  const path = `/_login/${encodeURIComponent(form.dataset.strategy)}?cookieAuth=true`;
  attempt(() => request("POST", path, credentials));
});
leave.addEventListener("click", () => attempt(() => request("POST", "/_logout?cookieAuth=true")));
show();
