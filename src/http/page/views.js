
// The two views of the table: the kinds of objects, their columns, and what is said of all of them.

const TONES = {
  Running: "good", Succeeded: "good", Updating: "warn", Creating: "wait", Pending: "wait", Failed: "bad", Incomplete: "bad", Unknown: "bad",
};

/** A column: its class, its heading, and the text of a row in it. */
const environment = ({ envname, version }) => [envname, version].filter(Boolean).join(" ");
const column = (name, heading, text) => ({ name, heading, text });
const STATUS = column("status", "Status", ({ status }) => status || "–");
const ENV = column("env", "Environment", (row) => environment(row) || "–");
const OWNER = column("owner", "Owner", ({ owner }) => owner || "–");
const CREATED = column("created", "Created (UTC)", ({ created_at: created }) => created || "–");
/** Why an object does not run, as far as the API server says. */
const why = ({ reason, message }) => [reason, message].filter(Boolean).join(": ");

function view(name, path, [one, many], columns, brief, steady) {
  return {
    name, path, one, many, columns, brief, steady,
    all: null,
    /** When what is shown was read from the API server, and how it came. */
    read: 0,
    source: "",
    old: false,
    failure: null,
    failures: 0,
    limit: PORTION,
    rows: new Map(),
  };
}

const VIEWS = {
  services: view(
    "services", "services", ["service", "services"],
    [
      STATUS,
      column("replicas", "Replicas", ({ replicas, available_replicas: available }) => `${available} of ${replicas}`),
      ENV, OWNER,
      column("url", "URL", ({ service_url: url }) => url || "–"),
      CREATED,
    ],
    (row) => [environment(row), row.owner, row.service_url || "no URL"],
    ["Running"],
  ),
  instances: view(
    "instances", "pods", ["instance", "instances"],
    [
      STATUS,
      column("replicas", "Restarts", ({ restarts }) => String(restarts ?? 0)),
      ENV, OWNER,
      column("url", "Why it does not run, or its address", (row) => why(row) || [row.ip, row.node].filter(Boolean).join(" on ") || "–"),
      CREATED,
    ],
    (row) => [environment(row), row.owner, why(row) || row.ip],
    ["Running", "Succeeded"],
  ),
};

/** The words that a filter looks among. */
const wordsOf = ({ id, status, envname, version, owner, service_url: url, reason, node, ip }) =>
  [id, status, envname, version, owner, url, reason, node, ip].filter(Boolean).join(" ").toLowerCase();

/** How often each value occurs, the most frequent first. */
function counted(rows, value) {
  const counts = new Map();
  for (const row of rows) counts.set(value(row), (counts.get(value(row)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

const SHOWN_ENVIRONMENTS = 6;
const SHOWN_REASONS = 5;

/** Fills a list with as many items as there are texts; hidden without one. */
function list(node, items) {
  node.hidden = items.length === 0;
  while (node.children.length > items.length) node.lastChild.remove();
  items.forEach(([text, tone], n) => {
    const item = node.children[n] ?? node.appendChild(make("li"));
    item.dataset.state = tone;
    say(item, text);
  });
}

/** Instances by phase and environment, and the newest reasons for not running. */
function showSummary() {
  const rows = current.name === "instances" ? current.all ?? [] : [];
  const phases = counted(rows, ({ status }) => status || "no phase").map(([phase, count]) => [`${phase} ${count}`, TONES[phase] ?? "wait"]);
  const environments = counted(rows, (row) => row.envname || "no environment");
  const rest = environments.length - SHOWN_ENVIRONMENTS;
  const named = environments.slice(0, SHOWN_ENVIRONMENTS).map(([name, count]) => [`${name} ${count}`, ""]);
  list(element("summary"), [...phases, ...named, ...(rest > 0 ? [[`${rest} more environments`, ""]] : [])]);
  const troubled = rows.filter((row) => row.reason && !current.steady.includes(row.status));
  troubled.sort((a, b) => String(b.created_at).localeCompare(String(a.created_at)));
  const reasons = counted(troubled, ({ reason }) => reason).slice(0, SHOWN_REASONS).map(([reason, count]) => {
    const newest = troubled.find((row) => row.reason === reason);
    return [`${reason} × ${count}, the newest ${newest.id}${newest.message ? `: ${newest.message}` : ""}`, "bad"];
  });
  list(element("reasons"), reasons);
}
