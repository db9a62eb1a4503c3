/**
 * The units of a log in words: the legend with its sums, the table, and the one that is chosen, with its items.
 */

import { ask } from "./api.js";
import { named } from "./bar.js";
import { byId, counted, made, whole } from "./dom.js";
import { because, isSent, label, STATES } from "./states.js";

const ITEMS_SHOWN = 10;
const TEXT_CHARS = 4_000;

const swatch = (state) => made("span", { class: "swatch", "data-state": state, "aria-hidden": "true" });

/** Show what each state comes to. @param {any[]} rows */
export function showLegend(rows) {
  const sums = new Map(Object.keys(STATES).map((state) => [state, { tokens: 0, items: 0 }]));
  for (const row of rows) {
    const sum = sums.get(row.state) ?? sums.set(row.state, { tokens: 0, items: 0 }).get(row.state);
    sum.tokens += row.tokens;
    sum.items += row.item_ids.length;
  }
  const used = [...sums].filter(([state]) => rows.some((row) => row.state === state));
  byId("legend").replaceChildren(
    ...used.map(([state, { tokens, items }]) =>
      made(
        "li",
        {},
        swatch(state),
        made("b", {}, label(state)),
        ` ${counted(tokens, "token")}`,
        made("span", { class: "quiet" }, items ? ` · ${counted(items, "item")}, ${STATES[state]?.text ?? ""}` : ` · ${STATES[state]?.text ?? ""}`),
      ),
    ),
  );
}

let pending = null;

/** Fill the table, now or when it is opened. @param {any[]} rows @param {(index: number) => void} choose */
export function showTable(rows, choose) {
  pending = () => {
    byId("units").replaceChildren(...rows.map((row, index) => line(row, named(index, rows), () => choose(index))));
    pending = null;
  };
  if (byId("as-table").open) pending();
}

byId("as-table").addEventListener("toggle", () => byId("as-table").open && pending?.());

function line(row, name, choose) {
  const button = made("button", { type: "button", class: "plain" }, name);
  button.addEventListener("click", () => {
    choose();
    byId("unit-title").focus();
  });
  return made(
    "tr",
    {},
    made("th", { scope: "row" }, button),
    made("td", {}, swatch(row.state), label(row.state)),
    made("td", {}, because(row.reason)),
    made("td", { class: "number" }, whole(row.tokens)),
    made("td", { class: "number" }, whole(row.item_ids.length)),
  );
}

export function clearUnit() {
  byId("unit-title").textContent = "A unit";
  byId("unit").replaceChildren(made("p", { class: "empty" }, "Choose a unit above."));
}

let shown = "";

/** Show the row that is chosen, and its items as the log has them. @param {{ key: string, id: string, rows: any[], chosen: number }} view */
export function showUnit(view) {
  const row = view.rows[view.chosen];
  const { item_ids: ids } = row;
  byId("unit-title").textContent = `${named(view.chosen, view.rows)}: ${label(row.state).toLowerCase()}`;
  const facts = made("p", { class: "facts", role: "status" }, swatch(row.state), made("b", {}, label(row.state)), ` · ${counted(row.tokens, "token")}: ${because(row.reason)}`);
  const place = byId("unit");
  const held = place.querySelector(".items");
  if (held !== null && shown === ids.join()) {
    place.replaceChildren(facts, held); // The same items, in another state.
    return;
  }
  shown = ids.join();
  const items = made("ol", { class: "items" });
  place.replaceChildren(facts, ids.length ? items : made("p", { class: "quiet" }, isSent(row.state) ? "It is no item of the log." : ""));
  more(view, ids, items);
}

/** Add the next items of *ids* to *list*, and a button where there are more. */
function more(view, ids, list) {
  for (const id of ids.slice(0, ITEMS_SHOWN)) {
    const element = made("li", { "aria-busy": "true" }, made("p", { class: "quiet" }, id));
    list.append(element);
    ask(`/v1/conversations/${encodeURIComponent(view.id)}/items/${encodeURIComponent(id)}`, view.key)
      .then((item) => element.append(...content(item)))
      .catch((problem) => element.append(made("p", { class: "error" }, problem.words ?? "It could not be shown.")))
      .finally(() => element.removeAttribute("aria-busy"));
  }
  const rest = ids.slice(ITEMS_SHOWN);
  if (!rest.length) return;
  const button = made("button", { type: "button" }, `${counted(rest.length, "more item")}`);
  const element = made("li", {}, button);
  button.addEventListener("click", () => {
    element.remove();
    more(view, rest, list);
  });
  list.append(element);
}

/** What is shown of an item: who says it, and what. */
function content(item) {
  const who = item.type === "message" ? item.role : item.type.replaceAll("_", " ") + (item.name ? `: ${item.name}` : "");
  const text = item.type === "message" ? item.content.map(part).join("\n") : rest(item);
  const shown = text.length > TEXT_CHARS ? `${text.slice(0, TEXT_CHARS)}\n… ${whole(text.length - TEXT_CHARS)} more characters` : text;
  return [made("p", { class: "who" }, who), made("pre", {}, shown)];
}

const part = (one) => one.text ?? one.refusal ?? JSON.stringify(one);

function rest(item) {
  if (typeof item.output === "string") return item.output;
  if (typeof item.arguments === "string") return item.arguments;
  const { id, type, status, ...others } = item;
  return JSON.stringify(others, null, 2);
}
