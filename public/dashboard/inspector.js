/**
 * The conversation that is looked into: choices -> one context, explained -> verdict, bar, table, unit, request.
 */

import { ask } from "./api.js";
import { makeBar, described } from "./bar.js";
import { byId, counted, notice, whole } from "./dom.js";
import { showRequest } from "./request.js";
import { budgetAt, placeOf } from "./scale.js";
import { clearUnit, showLegend, showTable, showUnit } from "./units.js";

const WAIT_MS = 120;
const BUDGET_MIN = 16;
const WHOLE_MIN = 1000;

const NOTHING = { key: "", id: "", budget: null, low: BUDGET_MIN, high: WHOLE_MIN, isScaled: false, rows: [], chosen: -1 };

/** What is looked at; `low` and `high` are the ends of the slider, found once `isScaled`. */
const view = { ...NOTHING };
let asking = null;
let waiting = 0;

const bar = makeBar(byId("bar"), { point, choose });

/** Look into the conversation *id*. */
export async function open(key, id) {
  if (view.key === key && view.id === id && !byId("result").hidden) return;
  close();
  Object.assign(view, { key, id });
  byId("conversation-id").value = id;
  await refresh();
}

/** Look into none. */
export function close() {
  asking?.abort();
  clearTimeout(waiting);
  Object.assign(view, NOTHING);
  allow(false);
  byId("result").hidden = true;
  notice(byId("context-notice"), null);
}

async function refresh() {
  clearTimeout(waiting);
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const result = byId("result");
  result.setAttribute("aria-busy", "true");
  const query = new URLSearchParams({
    model: byId("model").value,
    format: byId("format").value,
    document_budget: byId("share").value,
    stable_prefix: String(byId("stable").checked),
    explain: "true",
    ...(view.budget !== null && { budget: String(view.budget) }),
  });
  try {
    const context = await ask(`/v1/conversations/${encodeURIComponent(view.id)}/context?${query}`, view.key, signal);
    notice(byId("context-notice"), null);
    draw(context);
  } catch (problem) {
    if (signal.aborted) return;
    if (problem.status === 401) document.dispatchEvent(new CustomEvent("refused", { detail: problem }));
    else refuse(problem);
  }
  result.setAttribute("aria-busy", "false");
  allow(true);
}

/** A budget is taken from the first answer on: one that was typed before would be lost to that answer's. */
function allow(isAllowed) {
  for (const id of ["budget", "budget-slider"]) byId(id).disabled = !isAllowed;
}

/** Ask again when the choices have come to rest. */
function soon() {
  clearTimeout(waiting);
  if (view.id) waiting = setTimeout(refresh, WAIT_MS);
}

function draw(context) {
  const rows = context.explanation.units;
  const same = view.rows[view.chosen]?.item_ids.join();
  view.rows = rows;
  scale(context);
  bar.draw(rows);
  showLegend(rows, context);
  showTable(rows, choose);
  showRequest(context);
  byId("verdict").textContent = verdict(context);
  byId("result").hidden = false;
  // What was chosen stays chosen, though it is another row now.
  view.chosen = same === undefined ? -1 : rows.findIndex((row) => row.item_ids.join() === same);
  bar.select(view.chosen);
  if (view.chosen < 0) clearUnit();
  else showUnit(view);
  byId("pointed").textContent =
    view.chosen < 0
      ? "Point at a unit, or move with the arrow keys; Enter shows what it holds."
      : described(rows[view.chosen], view.chosen, rows);
}

/** The ends of the slider: what is always kept, and the whole log. They are found once for a conversation. */
function scale(context) {
  const rows = view.rows;
  const sum = (some) => some.reduce((tokens, row) => tokens + row.tokens, 0);
  if (!view.isScaled) {
    view.low = Math.max(BUDGET_MIN, sum(rows.filter((row) => row.state === "prompt" || row.state === "pinned")));
    view.high = Math.max(WHOLE_MIN, sum(rows), view.low + 1);
    view.budget ??= Math.min(context.budget, view.high);
    view.isScaled = true;
  }
  showBudget();
}

function showBudget() {
  const slider = byId("budget-slider");
  slider.value = String(placeOf(view.budget, view.low, view.high));
  slider.setAttribute("aria-valuetext", counted(view.budget, "token"));
  if (document.activeElement !== byId("budget")) byId("budget").value = String(view.budget);
}

function verdict({ tokens, kept, omitted }) {
  const all = kept.items + omitted.items;
  const left = omitted.items ? `; ${counted(omitted.tokens, "token")} are not` : "";
  return `${whole(tokens)} of ${counted(view.budget, "token")} are sent: ${whole(kept.items)} of ${counted(all, "item")}${left}.`;
}

function refuse(problem) {
  const needed = problem.document.needed_tokens;
  byId("result").hidden = true;
  notice(byId("context-notice"), problem);
  if (problem.status === 404) byId("empty").hidden = false;
  if (needed === undefined) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `Take ${counted(needed, "token")}`;
  button.addEventListener("click", () => {
    view.budget = needed;
    showBudget();
    byId("budget-slider").focus();
    refresh();
  });
  byId("context-notice").firstChild.append(button);
}

function point(index) {
  byId("pointed").textContent = described(view.rows[index], index, view.rows);
}

function choose(index) {
  view.chosen = index;
  bar.select(index);
  point(index);
  showUnit(view);
}

byId("budget-slider").addEventListener("input", (event) => {
  view.budget = budgetAt(Number(event.target.value), view.low, view.high);
  event.target.setAttribute("aria-valuetext", counted(view.budget, "token"));
  byId("budget").value = String(view.budget);
  soon();
});
byId("budget").addEventListener("input", (event) => {
  if (!event.target.validity.valid || event.target.value === "") return;
  view.budget = Number(event.target.value);
  showBudget();
  soon();
});
byId("share").addEventListener("input", (event) => {
  byId("share-shown").value = `${event.target.value} %`;
  soon();
});
byId("again").addEventListener("click", refresh);
for (const id of ["model", "format", "stable"]) byId(id).addEventListener("change", soon);
byId("choices").addEventListener("submit", (event) => {
  event.preventDefault();
  soon();
});

