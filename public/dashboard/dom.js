/**
 * Elements, made without markup: what comes from the store is text here, whatever it says.
 */

/**
 * Return an element. *traits* are its properties; those that begin with `aria-` or `data-`, and `role`, `class`, `for`,
 * are attributes.
 *
 * @param {string} tag @param {Record<string, any>} traits @param {...(Node | string)} children
 */
export function made(tag, traits = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(traits)) {
    if (/^(aria-|data-|role$|class$|for$|scope$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Return an element of SVG. @param {string} tag @param {Record<string, any>} attributes @param {...Node} children */
export function drawn(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Return the element that index.html calls *id*. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** 12345 as 12,345. @param {number} value */
export const whole = (value) => WHOLE.format(value);

/** Three digits of *value*. @param {number} value */
export const short = (value) => SHORT.format(value);

/** "1 item", "2 items". @param {number} count @param {string} noun */
export const counted = (count, noun) => `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;

/** The time of day, for "as of". */
export const now = () => new Date().toLocaleTimeString("en-GB");

/** Show *text* in *place*, with *detail* in small letters; null takes away what was there. */
export function notice(place, problem) {
  place.replaceChildren();
  if (problem === null) return;
  const lines = [made("p", {}, problem.words)];
  if (problem.detail) lines.push(made("p", { class: "quiet" }, problem.detail));
  place.append(made("div", { class: "notice error", role: "alert" }, ...lines));
}
