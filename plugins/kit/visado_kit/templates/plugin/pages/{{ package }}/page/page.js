// Log in, say who is logged in, log out. The token is a cookie that the browser sends along: no script sees it.

const [form, member, who, leave, problem] = ["form", "member", "who", "leave", "problem"].map((id) =>
  document.getElementById(id),
);
const NOBODY = "-1"; // the id of everybody who has not logged in

async function ask(verb, path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method: verb, headers, body: body && JSON.stringify(body) });
  const { error, result } = await answer.json();
  if (error) throw new Error(error.message);
  return result;
}

async function show() {
  const user = await ask("GET", "/_me").catch(() => ({ _id: NOBODY })); // a token that has ended is nobody's
  form.hidden = user._id !== NOBODY;
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
  attempt(() => ask("POST", path, credentials));
});
leave.addEventListener("click", () => attempt(() => ask("POST", "/_logout?cookieAuth=true")));
show();
