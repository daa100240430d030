
// The table of services.

/** How many rows are shown at first, and how many more at a time. */
const PORTION = 200;
/** The pause between two looks, unless the controller keeps lists for longer: then a look in between shows nothing new. */
const LOOK_SECONDS = 5;
/** A little more than the controller's own deadline. */
const PATIENCE_SECONDS = 30;
const TONES = { Running: "good", Updating: "warn", Creating: "wait", Failed: "bad" };

const table = {
  services: null,
  /** When what is shown was read from the API server, and how it came; `null`: nothing is shown. */
  read: 0,
  source: "",
  old: false,
  failure: null,
  failures: 0,
  limit: PORTION,
  rows: new Map(),
  listTtl: 0,
};

async function lookAtServices() {
  const period = Math.max(LOOK_SECONDS, table.listTtl);
  try {
    const { data, headers } = await ask("services", PATIENCE_SECONDS);
    const status = headers.get("Cache-Status") ?? "";
    table.read = Date.now() - Number(headers.get("Age")) * 1000;
    table.source = source(status);
    table.old = status.includes("fwd=stale");
    table.failure = null;
    table.failures = 0;
    keep(data);
    return period;
  } catch (failure) {
    table.failure = failure;
    return backOff(period, table.failures++, failure);
  }
}

/** Where an answer came from (RFC 9211), in words. */
function source(status) {
  if (status.includes("fwd=stale")) return "kept";
  if (status.includes("ttl=-1")) return "from memory, while a new one is fetched";
  if (status.includes("hit")) return "from memory";
  return status.includes("collapsed") ? "fetched for several callers" : "fetched for this page";
}

function keep(services) {
  for (const service of services) {
    const { id, status, envname, version, owner, service_url: url } = service;
    service.words = [id, status, envname, version, owner, url].join(" ").toLowerCase();
  }
  table.services = services;
}

function matching() {
  const words = element("filter").value.toLowerCase().split(/\s+/);
  const troubled = element("troubled").checked;
  const matches = (service) => words.every((word) => service.words.includes(word));
  return (table.services ?? []).filter((service) => matches(service) && !(troubled && service.status === "Running"));
}

/** Shows the rows that match. Of rows that are there already only what has changed is touched. */
function showTable() {
  const matches = matching();
  const shown = matches.slice(0, table.limit);
  const body = element("rows");
  const before = table.rows;
  table.rows = new Map();
  let next = body.firstChild;
  for (const service of shown) {
    const row = before.get(service.id) ?? newRow();
    before.delete(service.id);
    table.rows.set(service.id, row);
    fill(row, service);
    if (row.line === next) next = next.nextSibling;
    else body.insertBefore(row.line, next);
  }
  for (const row of before.values()) row.line.remove();
  document.querySelector("table").classList.toggle("old", isOld());
  showCounts(matches.length, matches.length - shown.length);
}

function newRow() {
  const line = make("tr");
  const name = make("th", "name");
  name.scope = "row";
  const [id, brief] = [make("span"), make("span", "brief aside")];
  name.append(id, brief);
  const cells = ["status", "replicas", "env", "owner", "url", "created"].map((column) => make("td", column));
  line.append(name, ...cells);
  return { line, texts: [id, brief, ...cells] };
}

function fill({ texts }, service) {
  const environment = [service.envname, service.version].filter(Boolean).join(" ");
  const { id, status, owner, replicas, available_replicas: available, service_url: url } = service;
  const brief = [environment, owner, url || "no URL"].filter(Boolean).join(" · ");
  const values = [id, brief, status, `${available} of ${replicas}`, environment || "–", owner || "–", url || "–"];
  [...values, service.created_at || "–"].forEach((value, n) => say(texts[n], value));
  texts[2].dataset.state = TONES[status] ?? "wait";
}

function showCounts(matches, hidden) {
  const all = table.services?.length ?? 0;
  const running = (table.services ?? []).filter((service) => service.status === "Running").length;
  say(element("count"), table.services ? `${matches} of ${all} shown; ${running} of ${all} run` : "");
  const more = element("more");
  more.hidden = hidden === 0;
  say(more, `Show ${Math.min(hidden, PORTION)} more (${hidden} are not shown)`);
  const nothing = element("nothing");
  nothing.hidden = matches > 0;
  say(nothing, !table.services ? "Nothing is known yet." : all ? "No service matches." : "There are no services.");
}

function showServices() {
  showTable();
  showFreshness();
}

function isOld() {
  return table.old || Boolean(table.failure && table.services);
}

/** Says how old the rows are, and when there is trouble what it is and when they are asked for again. */
function showFreshness() {
  const node = element("freshness");
  const age = seconds((Date.now() - table.read) / 1000);
  const { failure } = table;
  const again = failure && services.due !== Infinity ? ` Asked again in ${seconds((services.due - Date.now()) / 1000)}.` : "";
  if (failure) {
    const code = failure.status ? ` (HTTP ${failure.status})` : "";
    const shown = table.services ? ` What is shown is ${age} old.` : "";
    tell(node, "bad", table.services ? "Old:" : "No answer:", `${failure.message}${code}.${shown}${again}`);
  } else if (table.old) {
    tell(node, "warn", "Old:", `${age} old, because the API server cannot be had now.`);
  } else if (table.services) {
    tell(node, "good", "Current:", `${age} old, ${table.source}.`);
  }
}

let announcing;
function filterTable() {
  table.limit = PORTION;
  showTable();
  clearTimeout(announcing);
  announcing = setTimeout(() => say(element("announcement"), `${matching().length} services match`), 700);
}
element("filter").addEventListener("input", filterTable);
element("troubled").addEventListener("change", filterTable);
element("more").addEventListener("click", () => {
  const first = table.rows.size;
  table.limit += PORTION;
  showTable();
  // The button may be gone: those who use the keyboard go on where the new rows begin.
  if (element("more").hidden) {
    const line = element("rows").children[first];
    line.tabIndex = -1;
    line.focus();
  }
});
