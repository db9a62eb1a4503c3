/**
 * The view of the fleet: /api/metrics, asked again and again while it is looked at. What it was before, only this page
 * remembers.
 */

import { ask } from "./api.js";
import { chart } from "./chart.js";
import { byId, made, notice, now } from "./dom.js";
import { crons, FIGURES, totals } from "./figures.js";
import { parse } from "./prometheus.js";

const LOOKS_MAX = 360;

let secret = "";
let looks = []; // {at_ms, samples}: the newest two whole, of older ones only the points below.
let points = new Map();
let timer = 0;

/** Begin to look. Throws Problem: the secret is refused. */
export async function enter(value) {
  leave();
  secret = value;
  try {
    await look();
  } catch (problem) {
    leave();
    throw problem;
  }
}

export function leave() {
  clearTimeout(timer);
  secret = "";
  looks = [];
  points = new Map();
  for (const id of ["totals", "charts", "unseen", "crons"]) byId(id).replaceChildren();
  byId("fleet-at").textContent = "";
}

async function look() {
  clearTimeout(timer);
  const asked = secret;
  try {
    const samples = parse(await ask("/api/metrics", secret));
    if (secret !== asked) return;
    looks = [...looks.slice(-1), { at_ms: Date.now(), samples }];
    notice(byId("fleet-notice"), null);
    offerDeployments(samples);
    addPoints();
    draw();
  } catch (problem) {
    if (problem.status === 401 || problem.status === undefined) throw problem;
    if (secret !== asked) return;
    notice(byId("fleet-notice"), problem);
  }
  wait();
}

/** Look again in time, if somebody looks at the page then. */
function wait() {
  clearTimeout(timer);
  if (!secret || byId("paused").checked || document.hidden) return;
  timer = setTimeout(again, 1000 * Number(byId("every").value));
}

const again = () => look().catch((problem) => document.dispatchEvent(new CustomEvent("refused", { detail: problem })));

const where = () => (byId("deployment").value ? { deployment: byId("deployment").value } : {});

function offerDeployments(samples) {
  const place = byId("deployment");
  const known = new Set([...place.options].map((option) => option.value));
  for (const { labels } of [...samples.values()].flat()) {
    if (labels.deployment === undefined || known.has(labels.deployment)) continue;
    known.add(labels.deployment);
    place.append(made("option", { value: labels.deployment }, labels.deployment));
  }
}

function addPoints() {
  if (looks.length < 2) return;
  const [before, after] = looks;
  const seconds = (after.at_ms - before.at_ms) / 1000;
  for (const { title, read } of FIGURES) {
    const values = read(before.samples, after.samples, seconds, where());
    points.set(title, [...(points.get(title) ?? []), { at_ms: after.at_ms, values }].slice(-LOOKS_MAX));
  }
}

function draw() {
  const { samples } = looks.at(-1);
  byId("fleet-at").textContent = `As of ${now()}. Instances hand over what they counted every few seconds.`;
  byId("totals").replaceChildren(
    ...[...totals(samples, where())].map(([name, value]) => made("div", {}, made("dt", {}, name), made("dd", {}, value))),
  );
  const place = byId("charts");
  const open = new Set([...place.querySelectorAll("details[open]")].map((element) => element.dataset.title));
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const held = focused && [focused.closest("section").getAttribute("aria-label"), focused.tagName];
  const seen = FIGURES.filter(({ title }) => points.get(title)?.some(({ values }) => values.size));
  place.replaceChildren(
    ...seen.map(({ title, hint, text }) => chart({ title, hint, text, points: points.get(title), isOpen: open.has(title) })),
  );
  const rest = FIGURES.filter((figure) => !seen.includes(figure)).map(({ title }) => title.toLowerCase());
  byId("unseen").textContent = points.size
    ? `Nothing was counted yet of: ${rest.join(", ")}.`
    : `Lines begin with the second look, in ${byId("every").value} s.`;
  // What had the focus was drawn anew: its successor has it.
  if (held) [...place.children].find((one) => one.getAttribute("aria-label") === held[0])?.querySelector(held[1])?.focus();
  byId("crons").replaceChildren(...cronTable(crons(samples, where())));
}

function cronTable(rows) {
  if (!rows.length) return [];
  const heads = ["Cron", "Last run (UTC)", "Took", "Failures"];
  return [
    made(
      "section",
      { class: "panel" },
      made("h2", {}, "Crons"),
      made(
        "table",
        {},
        made("thead", {}, made("tr", {}, ...heads.map((head) => made("th", { scope: "col" }, head)))),
        made("tbody", {}, ...rows.map(([name, ...cells]) => made("tr", {}, made("th", { scope: "row" }, name), ...cells.map((cell) => made("td", {}, cell))))),
      ),
    ),
  ];
}

byId("every").addEventListener("change", wait);
byId("paused").addEventListener("change", wait);
document.addEventListener("visibilitychange", wait);
byId("deployment").addEventListener("change", () => {
  points = new Map(); // Lines of two deployments are not one line.
  if (looks.length) draw();
});
