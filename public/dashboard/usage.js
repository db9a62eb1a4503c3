/**
 * The view of a tenant's usage and budgets: what is used and reserved of each limit, and by model.
 */

import { ask } from "./api.js";
import { byId, counted, made, notice, now, whole } from "./dom.js";

const WINDOWS = { day: "Today", month: "This month" };
const UNITS = {
  tokens: { label: "Tokens", text: (amount) => whole(amount) },
  usd: { label: "US dollars", text: (amount) => `$${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 })}` },
};

let key = "";

/** Show what the holder of *secret* used. Throws Problem: the key is refused. */
export async function enter(secret) {
  key = secret;
  try {
    draw(await ask("/v1/usage", key));
    notice(byId("usage-notice"), null);
  } catch (problem) {
    if (problem.status === 401) throw problem;
    notice(byId("usage-notice"), problem);
  }
}

export function leave() {
  key = "";
  byId("usage").replaceChildren();
  byId("usage-at").textContent = "";
}

byId("usage-again").addEventListener("click", () =>
  enter(key).catch((problem) => document.dispatchEvent(new CustomEvent("refused", { detail: problem }))),
);

function draw(usage) {
  byId("usage-at").textContent = `As of ${now()}.`;
  const windows = Object.entries(WINDOWS).map(([name, title]) => panel(title, usage[name]));
  byId("usage").replaceChildren(made("div", { class: "beside" }, ...windows), models(usage.models));
}

function panel(title, window) {
  return made(
    "section",
    { class: "panel" },
    made("h2", {}, title),
    made("p", { class: "quiet" }, `Begins anew ${until(window.resets_at)} (UTC).`),
    ...Object.keys(UNITS).map((unit) => meter(`${title}, ${UNITS[unit].label.toLowerCase()}`, UNITS[unit], window[unit])),
  );
}

function until(resets_at) {
  const hours = (resets_at * 1000 - Date.now()) / 3_600_000;
  if (hours < 1) return `in ${counted(Math.max(Math.round(hours * 60), 0), "minute")}`;
  return hours < 48 ? `in ${counted(Math.round(hours), "hour")}` : `in ${counted(Math.round(hours / 24), "day")}`;
}

/** A limit and what is gone of it; without a limit only the sums. */
function meter(name, { label, text }, { limit, settled, reserved, overrun }) {
  const sums = `${text(settled)} used, ${text(reserved)} reserved`;
  const over = overrun > 0 ? `, ${text(overrun)} beyond what was reserved` : "";
  if (limit === null) {
    return made("div", { class: "meter" }, made("p", {}, made("b", {}, label), ` ${sums}${over}. No limit is set.`));
  }
  const share = limit > 0 ? (settled + reserved) / limit : 1;
  const said = `${sums}${over}, of ${text(limit)}`;
  const [used, aside] = ["kept", "reserved"].map((state) => made("span", { "data-state": state }));
  used.style.width = `${100 * Math.min(settled / (limit || 1), 1)}%`;
  aside.style.width = `${100 * Math.min(reserved / (limit || 1), Math.max(1 - settled / (limit || 1), 0))}%`;
  const track = made("div", { class: share >= 0.8 ? "track near" : "track", role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * Math.min(share, 1)), "aria-valuetext": said }, used, aside);
  const left = share >= 1 ? "Nothing is left." : `${Math.floor(100 * (1 - share))} % is left.`;
  return made("div", { class: "meter" }, made("p", {}, made("b", {}, label), ` ${said}. `, made("b", {}, left)), track);
}

function models(used) {
  const rows = Object.entries(used).sort(([, one], [, other]) => other.usd - one.usd);
  const body = rows.map(([name, row]) =>
    made(
      "tr",
      {},
      made("th", { scope: "row" }, name),
      ...[whole(row.input_tokens), whole(row.output_tokens), UNITS.usd.text(row.usd), whole(row.settlements)].map((cell) =>
        made("td", { class: "number" }, cell),
      ),
    ),
  );
  if (!body.length) body.push(made("tr", {}, made("td", { colSpan: 5, class: "empty" }, "Nothing was settled for a model this month.")));
  const heads = ["Input tokens", "Output tokens", "US dollars", "Calls settled"];
  return made(
    "section",
    { class: "panel" },
    made("h2", { id: "models-title" }, "By model, this month"),
    made(
      "div",
      { class: "scroll", role: "region", "aria-labelledby": "models-title", tabIndex: 0 },
      made(
        "table",
        {},
        made("thead", {}, made("tr", {}, made("th", { scope: "col" }, "Model"), ...heads.map((head) => made("th", { scope: "col", class: "number" }, head)))),
        made("tbody", {}, ...body),
      ),
    ),
  );
}
