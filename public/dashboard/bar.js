/**
 * The log as a bar: units side by side by their tokens, oldest first, in as many lines as let an ordinary unit be seen.
 *
 * It is a listbox: arrows move, Enter chooses; a pointer does both. A unit that goes on in the next line is one option,
 * and the rest of it says nothing to a screen reader.
 */

import { counted, made } from "./dom.js";
import { because, label } from "./states.js";

const ROWS_MAX = 500; // Of an explanation; see docs/contexts.md.
const LINES_MAX = 6;
const SEEN_PX = 5;
const EDGE_PX = 4;
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

/** What a row is called: one of the oldest of very many stands for all units like it. */
export const named = (index, rows) => `${rows.length < ROWS_MAX ? "Unit" : "Row"} ${index + 1}`;

/** What a row is, in a few words. */
export function described(row, index, rows) {
  return `${named(index, rows)} of ${rows.length}: ${label(row.state)}, ${counted(row.tokens, "token")}: ${because(row.reason)}`;
}

/**
 * Make *place* a bar. *point* is told of the unit that is looked at, *choose* of the one that is asked for, both by
 * their number.
 *
 * @param {HTMLElement} place @param {{ point: (index: number) => void, choose: (index: number) => void }} told
 */
export function makeBar(place, { point, choose }) {
  let rows = [];
  let current = -1;
  let drawnWidth = 0;

  place.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "listbox", "aria-labelledby": "log-title" })) {
    place.setAttribute(name, value);
  }

  function layOut() {
    drawnWidth = place.clientWidth;
    const cuts = lines(rows, drawnWidth);
    place.replaceChildren(
      ...cuts.map((pieces) => made("div", { class: "line", role: "presentation" }, ...pieces.map(segment))),
    );
    mark();
  }

  function segment({ index, tokens, px, isFirst }) {
    const row = rows[index];
    const traits = { "data-index": index, "data-state": row.state, class: px > EDGE_PX ? "segment edged" : "segment" };
    const option = isFirst
      ? { id: `unit-${index}`, role: "option", "aria-selected": "false", "aria-label": described(row, index, rows) }
      : { "aria-hidden": "true" };
    const element = made("div", { ...traits, ...option });
    element.style.flexGrow = tokens;
    return element;
  }

  function mark() {
    for (const element of place.querySelectorAll(".current")) {
      element.classList.remove("current");
      if (element.id) element.setAttribute("aria-selected", "false");
    }
    if (current < 0) place.removeAttribute("aria-activedescendant");
    else {
      place.setAttribute("aria-activedescendant", `unit-${current}`);
      for (const element of place.querySelectorAll(`[data-index="${current}"]`)) {
        element.classList.add("current");
        if (element.id) element.setAttribute("aria-selected", "true");
      }
    }
  }

  const touched = (event) => {
    const index = event.target.closest("[data-index]")?.dataset.index;
    return index === undefined ? -1 : Number(index);
  };

  place.addEventListener("keydown", (event) => {
    let next;
    if (event.key in STEPS) next = (current < 0 ? rows.length - 1 : current) + (current < 0 ? 0 : STEPS[event.key]);
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = rows.length - 1;
    else if ((event.key === "Enter" || event.key === " ") && current >= 0) choose(current);
    else return;
    event.preventDefault();
    if (next === undefined) return;
    current = Math.min(Math.max(next, 0), rows.length - 1);
    mark();
    point(current);
  });
  place.addEventListener("pointermove", (event) => touched(event) >= 0 && point(touched(event)));
  place.addEventListener("click", (event) => touched(event) >= 0 && choose(touched(event)));
  new ResizeObserver(() => {
    if (rows.length && place.clientWidth !== drawnWidth) layOut();
  }).observe(place);

  return {
    /** Show *given*, rows of an explanation. */
    draw(given) {
      rows = given;
      if (current >= rows.length) current = -1;
      layOut();
    },
    /** Mark the unit *index*, -1 for none. */
    select(index) {
      current = index;
      mark();
    },
  };
}

/** Return the pieces of each line: which unit, how many of its tokens, and how wide they are. */
export function lines(rows, widthPx) {
  const seen = rows.filter((row) => row.tokens > 0);
  const total = seen.reduce((sum, row) => sum + row.tokens, 0);
  const median = seen.map((row) => row.tokens).sort((a, b) => a - b)[seen.length >> 1] ?? 1;
  const count = Math.min(Math.max(Math.ceil((SEEN_PX * total) / (median * widthPx)), 1), LINES_MAX);
  const perLine = Math.ceil(total / count) || 1;
  const made = [[]];
  let room = perLine;
  rows.forEach((row, index) => {
    let left = row.tokens;
    let isFirst = true;
    do {
      if (room === 0) {
        made.push([]);
        room = perLine;
      }
      const tokens = Math.min(left, room);
      made.at(-1).push({ index, tokens, px: (tokens / perLine) * widthPx, isFirst });
      left -= tokens;
      room -= tokens;
      isFirst = false;
    } while (left > 0);
  });
  return made;
}
