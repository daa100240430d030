
// The table: the rows of the view that is chosen.

/** How many rows are shown at first, and how many more at a time. */
const PORTION = 200;
/** The pause between two looks, unless the controller keeps lists for longer: then a look in between shows nothing new. */
const LOOK_SECONDS = 5;
/** A little more than the controller's own deadline. */
const PATIENCE_SECONDS = 30;

/** The view that the table shows; only this one is asked for. */
let current;
let listTtl = 0;

async function lookAtTable() {
  const shown = current;
  const period = Math.max(LOOK_SECONDS, listTtl);
  try {
    const { data, headers } = await ask(shown.path, PATIENCE_SECONDS);
    const status = headers.get("Cache-Status") ?? "";
    shown.read = Date.now() - Number(headers.get("Age")) * 1000;
    shown.source = source(status);
    shown.old = status.includes("fwd=stale");
    shown.failure = null;
    shown.failures = 0;
    for (const row of data) row.words = wordsOf(row);
    shown.all = data;
    // The other view has been chosen meanwhile, and waits.
    return shown === current ? period : 0;
  } catch (failure) {
    shown.failure = failure;
    return shown === current ? backOff(period, shown.failures++, failure) : 0;
  }
}

/** Where an answer came from (RFC 9211), in words. */
function source(status) {
  if (status.includes("fwd=stale")) return "kept";
  if (status.includes("ttl=-1")) return "from memory, while a new one is fetched";
  if (status.includes("hit")) return "from memory";
  return status.includes("collapsed") ? "fetched for several callers" : "fetched for this page";
}

function matching() {
  const words = element("filter").value.toLowerCase().split(/\s+/);
  const troubled = element("troubled").checked;
  const matches = (row) => words.every((word) => row.words.includes(word));
  return (current.all ?? []).filter((row) => matches(row) && !(troubled && current.steady.includes(row.status)));
}

/** Shows the rows that match. Of rows that are there already only what has changed is touched. */
function showTable() {
  const matches = matching();
  const shown = matches.slice(0, current.limit);
  const body = element("rows");
  const before = current.rows;
  current.rows = new Map();
  let next = body.firstChild;
  for (const object of shown) {
    const row = before.get(object.id) ?? newRow();
    before.delete(object.id);
    current.rows.set(object.id, row);
    fill(row, object);
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
  const cells = current.columns.map((column) => make("td", column.name));
  line.append(name, ...cells);
  return { line, id, brief, cells };
}

function fill({ id, brief, cells }, object) {
  say(id, object.id);
  say(brief, current.brief(object).filter(Boolean).join(" · "));
  current.columns.forEach((column, n) => say(cells[n], column.text(object)));
  cells[0].dataset.state = TONES[object.status] ?? "wait";
}

function showCounts(matches, hidden) {
  const all = current.all?.length ?? 0;
  const running = (current.all ?? []).filter(({ status }) => status === "Running").length;
  say(element("count"), current.all ? `${matches} of ${all} shown; ${running} of ${all} run` : "");
  const more = element("more");
  more.hidden = hidden === 0;
  say(more, `Show ${Math.min(hidden, PORTION)} more (${hidden} are not shown)`);
  const nothing = element("nothing");
  nothing.hidden = matches > 0;
  say(nothing, !current.all ? "Nothing is known yet." : all ? `No ${current.one} matches.` : `There are no ${current.many}.`);
}

function showView() {
  showTable();
  showSummary();
  showFreshness();
}

function isOld() {
  return current.old || Boolean(current.failure && current.all);
}

/** Says how old the rows are, and when there is trouble what it is and when they are asked for again. */
function showFreshness() {
  const node = element("freshness");
  const age = seconds((Date.now() - current.read) / 1000);
  const { failure } = current;
  const again = failure && looking.due !== Infinity ? ` Asked again in ${seconds((looking.due - Date.now()) / 1000)}.` : "";
  if (failure) {
    const code = failure.status ? ` (HTTP ${failure.status})` : "";
    const shown = current.all ? ` What is shown is ${age} old.` : "";
    tell(node, "bad", current.all ? "Old:" : "No answer:", `${failure.message}${code}.${shown}${again}`);
  } else if (current.old) {
    tell(node, "warn", "Old:", `${age} old, because the API server cannot be had now.`);
  } else if (current.all) {
    tell(node, "good", "Current:", `${age} old, ${current.source}.`);
  }
}

let announcing;
function filterTable() {
  current.limit = PORTION;
  showTable();
  clearTimeout(announcing);
  announcing = setTimeout(() => say(element("announcement"), `${matching().length} ${current.many} match`), 700);
}
element("filter").addEventListener("input", filterTable);
element("troubled").addEventListener("change", filterTable);
element("more").addEventListener("click", () => {
  const first = current.rows.size;
  current.limit += PORTION;
  showTable();
  // The button may be gone: those who use the keyboard go on where the new rows begin.
  if (element("more").hidden) {
    const line = element("rows").children[first];
    line.tabIndex = -1;
    line.focus();
  }
});

/** Chooses a view: its columns, and the rows that are known of it until new ones come. */
function choose(view) {
  current = view;
  element("rows").replaceChildren();
  current.rows = new Map();
  const name = make("th", "name", current.one[0].toUpperCase() + current.one.slice(1));
  const heads = [name, ...current.columns.map((column) => make("th", column.name, column.heading))];
  heads.forEach((head) => { head.scope = "col"; });
  element("heads").replaceChildren(...heads);
  say(element("caption"), `Environment ${current.many}, in the order of the API server`);
  for (const { name } of Object.values(VIEWS)) {
    const tab = element(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === current.name));
    tab.tabIndex = name === current.name ? 0 : -1;
  }
  element("table").setAttribute("aria-labelledby", `tab-${current.name}`);
}

/** Lets the tabs choose, by the pointer and by the arrows of the keyboard. */
function wireTabs() {
  const views = Object.values(VIEWS);
  views.forEach((view, n) => {
    const tab = element(`tab-${view.name}`);
    tab.addEventListener("click", () => switchTo(view));
    tab.addEventListener("keydown", ({ key }) => {
      const step = { ArrowLeft: views.length - 1, ArrowRight: 1 }[key];
      if (!step) return;
      switchTo(views[(n + step) % views.length]);
      element(`tab-${current.name}`).focus();
    });
  });
}

function switchTo(view) {
  choose(view);
  showView();
  looking.now();
}
