
// Asking the controller that this page came from: as often as it is of use, and never while nobody looks.

/** A time in seconds, for those who read it. */
const seconds = (time) => `${Math.max(0, Math.round(time))} s`;
const clock = (at) => new Date(at).toLocaleTimeString();
const element = (id) => document.getElementById(id);

/** Sets a text, if it is another. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes an element with a class and a text. */
function make(tag, name = "", text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

/** Says a state: a word and what it means. What is new is also said to those who do not see it, once. */
function tell(node, state, word, meaning) {
  node.dataset.state = state;
  const [strong, span] = node.children;
  if (strong.textContent !== word) say(element("announcement"), `${word} ${meaning}`);
  say(strong, word);
  say(span, meaning);
}

/** Why there is no answer. `after`: when it may be asked again, in seconds; 0: nobody said. */
class Failure extends Error {
  constructor(status, message, after = 0) {
    super(message);
    this.status = status;
    this.after = after;
  }
}

const TOKEN = "aenv-controller.token";

/** Asks for a path beside this page. `no-cache` lets the browser ask whether what it has is still true; unlike
 * `no-store` it sends no `Cache-Control: no-cache`, which would make the controller ask the API server each time. */
async function ask(path, patience) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  let body;
  try {
    response = await fetch(path, { headers, cache: "no-cache", signal: AbortSignal.timeout(patience * 1000) });
    body = await response.json().catch(() => null);
  } catch {
    throw new Failure(0, "the controller does not answer");
  }
  if (response.ok && body?.success) return { data: body.data, headers: response.headers };
  const after = Number(response.headers.get("Retry-After")) || 0;
  const failure = new Failure(response.status, body?.message || "it did not say why", after);
  if (failure.status === 401) askForToken(token, failure);
  throw failure;
}

/** Looks again and again, and shows what was found. `look` gives the seconds until the next time; `Infinity`: until
 * `now` is called. */
function keepLooking(look, show) {
  let timer;
  let busy = false;
  const state = { due: 0, now };
  function plan() {
    clearTimeout(timer);
    if (busy || document.hidden || state.due === Infinity) return;
    timer = setTimeout(run, Math.max(0, state.due - Date.now()));
  }
  async function run() {
    busy = true;
    const pause = await look();
    busy = false;
    state.due = Date.now() + pause * 1000;
    show();
    plan();
  }
  function now() {
    state.due = 0;
    plan();
  }
  document.addEventListener("visibilitychange", plan);
  plan();
  return state;
}

/** How long to wait after so many failures in a row: longer each time, as long as was asked for at least, and not all
 * pages at the same moment. */
function backOff(period, failures, failure) {
  if (failure.status === 401) return Infinity;
  const pause = Math.max(failure.after, Math.min(60, period * 2 ** failures));
  return pause * (1 + Math.random() / 5);
}

function askForToken(refused, failure) {
  const why = refused ? "The token is refused." : "The controller needs a token.";
  say(element("credentials-why"), `${why} It says: ${failure.message}`);
  element("credentials").hidden = false;
}
