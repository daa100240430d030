
// The picture: how this replica and the API server get along, as far back as this tab has watched.

const SAMPLE_SECONDS = 2;
/** What is counted is shown as the rate over so long: longer than the pause between two looks at the table. */
const RATE_SECONDS = 10;
const WINDOW_SECONDS = 300;
/** A replica that has not answered for so long is not the one to watch. */
const GONE_SECONDS = 15;
const WIDTH = 300;
const HEIGHT = 20;

/** The tops of scales, at least: less than that is noise. */
const TOPS = { "/s": 1, "": 4, " s": 0.1 };

/** A series is a label, a tone, a unit, and its value in a sample; `before` is one from `RATE_SECONDS` ago. */
const gauge = (label, tone, unit, value) => ({ label, tone, unit, value });
const perSecond = (label, tone, count) =>
  gauge(label, tone, "/s", (now, before) => (count(now.status) - count(before.status)) / ((now.at - before.at) / 1000));
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);
const calls = (label, tone, outcome) => perSecond(label, tone, ({ api_calls }) => api_calls[outcome]);
const refused = (label, reason) => perSecond(label, "warn", ({ throttle }) => throttle.refused[reason] ?? 0);
const answers = (label, tone, from) => perSecond(label, tone, ({ answers }) => answers[from] ?? 0);
const lane = (name) => [
  gauge(`${name}: queue`, "warn", "", ({ status }) => status.throttle.lanes[name].waiting),
  gauge(`${name}: wait`, "warn", " s", ({ status }, before) => {
    const [now, then] = [status, before.status].map(({ throttle }) => throttle.lanes[name]);
    return now.admitted > then.admitted ? (now.waited_seconds - then.waited_seconds) / (now.admitted - then.admitted) : 0;
  }),
];

const PANELS = [
  ["Rate of API calls", [
    gauge("let through at most", "wait", "limit", ({ status }) => status.throttle.rate),
    perSecond("made", "wait", ({ api_calls }) => sum(api_calls)),
    gauge("under way", "wait", "", ({ status }) => status.throttle.in_flight),
    gauge("gate closed", "bad", "gate", ({ status }) => (status.throttle.closed ? 1 : 0)),
  ]],
  ["API calls by outcome", [
    calls("2xx", "good", "ok"),
    calls("4xx", "warn", "client_error"),
    calls("429, overloaded", "bad", "throttled"),
    calls("5xx", "bad", "server_error"),
    calls("no answer", "bad", "no_answer"),
    calls("given up by us", "wait", "abandoned"),
  ]],
  ["Waiting for a turn, by lane", [...lane("write"), ...lane("read"), ...lane("bulk")]],
  ["Refused by this replica", [
    refused("own rate", "rate"),
    refused("calls in flight", "in_flight"),
    refused("server overloaded", "overloaded"),
    refused("server unreachable", "unreachable"),
  ]],
  ["Answers by source", [
    answers("memory", "good", "hit"),
    answers("memory, revalidated", "good", "revalidate"),
    answers("joined a fetch", "wait", "joined"),
    answers("fetched", "wait", "fetch"),
    answers("old", "bad", "stale"),
  ]],
];

/** The three lines of the traffic: what gathering and memory save is the space between them. */
const MEMORY = ["hit", "revalidate", "stale"];
const TRAFFIC = [
  perSecond("asked by callers", "asked", ({ answers }) => sum(answers)),
  perSecond("answered from memory", "remembered", ({ answers }) => MEMORY.reduce((total, from) => total + (answers[from] ?? 0), 0)),
  perSecond("API calls made", "called", ({ api_calls }) => sum(api_calls)),
];
const TRAFFIC_HEIGHT = 90;

/** Samples of the replica that is watched. Behind one address there may be several, and each counts for itself. */
const picture = { samples: [], failure: null, failures: 0, strays: 0, panels: [], traffic: [] };

async function lookAtStatus() {
  try {
    const { data } = await ask("status", 5);
    picture.failure = null;
    picture.failures = 0;
    listTtl = data.list_ttl_ms / 1000;
    addSample({ at: Date.now(), status: data });
    return SAMPLE_SECONDS;
  } catch (failure) {
    picture.failure = failure;
    return backOff(SAMPLE_SECONDS, picture.failures++, failure);
  }
}

function showStatus() {
  showPicture();
  showVerdict();
}

const identity = ({ status }) => `${status.replica.name} ${status.replica.started_ms}`;

function addSample(sample) {
  const last = picture.samples.at(-1);
  if (last && identity(last) !== identity(sample)) {
    picture.strays += 1;
    if (sample.at - last.at < GONE_SECONDS * 1000) return;
    picture.samples = [];
    picture.strays = 0;
  }
  const horizon = sample.at - WINDOW_SECONDS * 1000;
  picture.samples = [...picture.samples.filter(({ at }) => at > horizon), sample];
}

function buildPanels() {
  picture.panels = PANELS.map(([title, all]) => {
    const panel = make("div", "panel");
    panel.append(make("h3", "", title));
    const lines = all.map((series) => {
      const line = make("dl", "series");
      line.dataset.state = series.tone;
      const [name, value, graph] = [make("dt", "", series.label), make("dd", "zero", "–"), make("dd")];
      const svg = svgElement("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
      const [area, stroke] = [svgElement("path", { class: "area" }), svgElement("path", {})];
      svg.append(area, stroke);
      graph.append(svg);
      line.append(name, value, graph);
      panel.append(line);
      return { series, value, area, stroke };
    });
    element("panels").append(panel);
    return lines;
  });
}

function buildTraffic() {
  const svg = svgElement("svg", { viewBox: `0 0 ${WIDTH} ${TRAFFIC_HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  picture.traffic = TRAFFIC.map((series) => {
    const [name, value] = [make("dt", series.tone, series.label), make("dd", "", "–")];
    const stroke = svgElement("path", { class: series.tone });
    svg.append(stroke);
    element("legend").append(name, value);
    return { series, value, stroke };
  });
  element("traffic").append(svg);
}

function svgElement(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Draws all series. Those of one panel that have the same unit have the same scale. */
function showPicture() {
  const { samples } = picture;
  if (samples.length === 0) return;
  const now = Date.now();
  const before = samples.map((_, n) => earlier(n));
  const pointsOf = ({ series }) => samples.map((sample, n) => ({ at: sample.at, value: series.value(sample, before[n]) }));
  showTraffic(pointsOf, now);
  for (const lines of picture.panels) {
    const points = lines.map(pointsOf);
    lines.forEach(({ series, value, area, stroke }, n) => {
      const current = points[n].at(-1).value;
      say(value, written(series.unit, current));
      value.className = current && short(current) !== "0" ? "" : "zero";
      const alike = points.filter((_, other) => lines[other].series.unit === series.unit).flat();
      const [line, below] = drawn(points[n], top(series.unit, alike), now);
      stroke.setAttribute("d", line);
      area.setAttribute("d", below);
    });
  }
}

function showTraffic(pointsOf, now) {
  const points = picture.traffic.map(pointsOf);
  const highest = top("/s", points.flat());
  picture.traffic.forEach(({ series, value, stroke }, n) => {
    say(value, written(series.unit, points[n].at(-1).value));
    stroke.setAttribute("d", drawn(points[n], highest, now, TRAFFIC_HEIGHT)[0]);
  });
}

/** The sample to compare the `n`th with: the oldest that is not too old, if only the one before it. */
function earlier(n) {
  const { samples } = picture;
  const oldest = samples.findIndex(({ at }) => at >= samples[n].at - RATE_SECONDS * 1000);
  return samples[Math.max(0, Math.min(oldest, n - 1))];
}

function top(unit, points) {
  if (unit === "limit") return picture.samples.at(-1).status.throttle.ceiling ?? 1;
  const values = points.map(({ value }) => value).filter(Number.isFinite);
  return Math.max(TOPS[unit] ?? 1, ...values);
}

function written(unit, value) {
  if (unit === "gate") return value ? "closed" : "open";
  if (unit === "limit") return value === null ? "no limit" : `${short(value)} of ${short(picture.samples.at(-1).status.throttle.ceiling)}/s`;
  // Of the first sample no difference is known.
  return Number.isFinite(value) ? short(value) + unit : "–";
}

/** A number with as many digits as are read at a glance. */
function short(value) {
  const digits = value < 1 ? 2 : value < 100 ? 1 : 0;
  return String(Number(value.toFixed(digits)));
}

/** The line and what is below it, broken where nobody looked. */
function drawn(points, top, now, height = HEIGHT) {
  let line = "";
  let below = "";
  let last;
  const x = (at) => (WIDTH * (1 - (now - at) / (WINDOW_SECONDS * 1000))).toFixed(1);
  const close = () => (last ? `L${x(last.at)} ${height}Z` : "");
  for (const point of points.filter(({ value }) => Number.isFinite(value))) {
    const y = (height - 1 - (height - 2) * Math.min(1, point.value / top)).toFixed(1);
    const goesOn = last && point.at - last.at < 4 * SAMPLE_SECONDS * 1000;
    below += goesOn ? "" : `${close()}M${x(point.at)} ${height}L${x(point.at)} ${y}`;
    line += `${goesOn ? "L" : "M"}${x(point.at)} ${y}`;
    below += goesOn ? `L${x(point.at)} ${y}` : "";
    last = point;
  }
  return [line, below + close()];
}

/** How many more there were within the last minute. */
function lately(count) {
  const { samples } = picture;
  const now = samples.at(-1);
  const then = samples.find(({ at }) => at > now.at - 60_000);
  return count(now.status) - count(then.status);
}

/** Says in one line what an operator has to know first. */
function showVerdict() {
  const node = element("verdict");
  const { failure, samples } = picture;
  if (failure) {
    const again = status.due === Infinity ? "" : ` Asked again in ${seconds((status.due - Date.now()) / 1000)}.`;
    tell(node, "bad", failure.status === 401 ? "Needs a token:" : "No picture:", `${failure.message}.${again}`);
    return;
  }
  const sample = samples.at(-1);
  if (!sample) return;
  const { replica, throttle } = sample.status;
  const { rate, ceiling, closed } = throttle;
  const others = picture.strays ? `; ${picture.strays} answers came from other replicas` : "";
  say(element("replica"), `replica ${replica.name}, version ${replica.version}, up since ${new Date(replica.started_ms).toLocaleString()}${others}`);
  if (closed) {
    tell(node, "bad", closed.why === "overloaded" ? "Gate closed:" : "API server unreachable:", closedBecause(closed, sample.at));
  } else if (rate !== null && rate < ceiling * 0.995) {
    const rates = `${short(rate)} of ${short(ceiling)} API calls per second`;
    tell(node, "warn", "Slowed:", `the API server was overloaded. ${rates} are let through; the rate grows again as it is used.`);
  } else {
    showErrors(node, ceiling);
  }
}

function closedBecause({ why, opens_in_ms: wait }, at) {
  const opens = at + wait;
  const when = `${clock(opens)} (in ${seconds((opens - Date.now()) / 1000)})`;
  if (why === "overloaded") return `the API server has asked to be left alone; nothing is asked until ${when}.`;
  return wait === null ? "it does not answer. It is being probed." : `it does not answer. It is probed again at ${when}.`;
}

function showErrors(node, ceiling) {
  const failed = lately(({ api_calls }) => api_calls.throttled + api_calls.server_error);
  const unanswered = lately(({ api_calls }) => api_calls.no_answer);
  const limit = ceiling === null ? "without a limit" : `at up to ${short(ceiling)}/s`;
  if (failed + unanswered > 0) {
    tell(node, "warn", "Errors:", `in the last minute ${failed} API calls failed and ${unanswered} had no answer. Calls are let through ${limit}.`);
  } else {
    tell(node, "good", "Open:", `API calls are let through ${limit}.`);
  }
}
