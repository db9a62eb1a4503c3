/**
 * Lines over time as SVG, each with a dash of its own besides its colour, a legend with the newest values, and a table
 * that says the same.
 */

import { drawn, made } from "./dom.js";

const [WIDTH, HEIGHT] = [300, 80];
const TABLE_ROWS = 30;
const LINES_MAX = 6;

const clock = (at_ms) => new Date(at_ms).toLocaleTimeString("en-GB");

/**
 * Return a figure. A point is `{at_ms, values}`, where a line without a value has a gap; one point at least has values.
 *
 * @param {{ title: string, hint: string, points: { at_ms: number, values: Map<string, number> }[], text: (value: number) => string, isOpen: boolean }} shown
 */
export function chart({ title, hint, points, text, isOpen }) {
  const all = [...new Set(points.flatMap(({ values }) => [...values.keys()]))];
  const names = all.length > LINES_MAX ? largest(all, points) : all;
  const newest = points.at(-1)?.values ?? new Map();
  const high = Math.max(...points.flatMap(({ values }) => names.map((name) => values.get(name) ?? 0)), 0);
  return made(
    "section",
    { class: "panel chart", "aria-label": title },
    made("h2", {}, title),
    made("p", { class: "quiet hint" }, hint),
    picture(names, points, high, `${title}: ${names.map((name) => `${name} ${text(newest.get(name) ?? 0)}`).join(", ")}; at most ${text(high)} in ${points.length} looks`, text),
    made(
      "ul",
      { class: "keys" },
      ...names.map((name, index) => made("li", {}, sample(index), made("span", {}, name), " ", made("b", {}, newest.has(name) ? text(newest.get(name)) : "–"))),
      ...(all.length > names.length ? [made("li", { class: "quiet" }, `and ${all.length - names.length} smaller ones`)] : []),
    ),
    table(title, names, points, text, isOpen),
  );
}

/** Return those of *names* that came highest. */
function largest(names, points) {
  const high = new Map(names.map((name) => [name, Math.max(...points.map(({ values }) => values.get(name) ?? 0))]));
  return names.toSorted((one, other) => high.get(other) - high.get(one)).slice(0, LINES_MAX);
}

function sample(index) {
  return drawn("svg", { class: "sample", viewBox: "0 0 24 8", "aria-hidden": "true" }, drawn("path", { class: `trace l${index}`, d: "M0 4H24" }));
}

function picture(names, points, high, label, text) {
  const [first, last] = [points[0].at_ms, points.at(-1).at_ms];
  const x = (at_ms) => (last === first ? WIDTH : ((at_ms - first) / (last - first)) * WIDTH);
  const y = (value) => HEIGHT - 2 - (high > 0 ? value / high : 0) * (HEIGHT - 6);
  const paths = names.map((name, index) => {
    let pen = "M";
    const steps = points.map(({ at_ms, values }) => {
      if (!values.has(name)) {
        pen = "M";
        return "";
      }
      const step = `${pen}${x(at_ms).toFixed(1)} ${y(values.get(name)).toFixed(1)}`;
      pen = "L";
      return step;
    });
    // A single point is no line; a stroke with round ends makes it a dot.
    return drawn("path", { class: `trace l${index}`, d: steps.join("") + (points.length === 1 ? "h0" : "") });
  });
  const svg = drawn("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, drawn("path", { class: "axis", d: `M0 ${HEIGHT - 1}H${WIDTH}` }), ...paths.reverse());
  const ends = made("p", { class: "ends quiet", "aria-hidden": "true" }, made("span", {}, clock(first)), made("span", {}, clock(last)));
  return made("div", { class: "frame" }, made("p", { class: "high quiet", "aria-hidden": "true" }, text(high)), svg, ends);
}

function table(title, names, points, text, isOpen) {
  const rows = points.slice(-TABLE_ROWS).reverse();
  const body = rows.map(({ at_ms, values }) =>
    made("tr", {}, made("th", { scope: "row" }, clock(at_ms)), ...names.map((name) => made("td", { class: "number" }, values.has(name) ? text(values.get(name)) : "–"))),
  );
  return made(
    "details",
    { open: isOpen, "data-title": title },
    made("summary", {}, "As a table"),
    made(
      "div",
      { class: "scroll", role: "region", "aria-label": `${title}, as a table`, tabIndex: 0 },
      made(
        "table",
        {},
        made("thead", {}, made("tr", {}, made("th", { scope: "col" }, "At"), ...names.map((name) => made("th", { scope: "col", class: "number" }, name)))),
        made("tbody", {}, ...body),
      ),
    ),
  );
}
