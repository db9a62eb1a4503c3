/**
 * The form that asks for a secret.
 */

import { made } from "./dom.js";

const ASKED = {
  key: {
    label: "API key",
    hint: "wt_<tenant>_<secret>, as scripts/keys or scripts/dev printed it. It shows this tenant's data and no other's.",
  },
  metrics: {
    label: "Secret of metrics",
    hint: "The value of WARMTHREAD_METRICS_SECRET, which opens /api/metrics. scripts/dev prints the one that it made.",
  },
};

/**
 * Put the form for the secret *name* into *place*; *problem* is why the last one was refused, or null.
 *
 * @param {HTMLElement} place @param {string} name @param {any} problem @param {(value: string) => Promise<void>} use
 */
export function showForm(place, name, problem, use) {
  const { label, hint } = ASKED[name];
  const id = `${name}-of-${place.parentElement.id}`;
  const field = made("input", {
    id,
    type: "password",
    required: true,
    autocomplete: "off",
    spellcheck: false,
    "aria-describedby": `${id}-hint ${id}-error`,
  });
  const error = made("div", { id: `${id}-error` });
  const button = made("button", {}, "Show");
  const form = made(
    "form",
    { class: "panel key" },
    made("p", { class: "field grow" }, made("label", { for: id }, label), field),
    button,
    made("p", { id: `${id}-hint`, class: "quiet wide" }, hint),
    error,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    await use(field.value.trim());
    button.disabled = false;
  });
  place.replaceChildren(form);
  if (problem === null) return;
  field.setAttribute("aria-invalid", "true");
  error.append(
    made("div", { class: "notice error", role: "alert" }, made("p", {}, problem.words), made("p", { class: "quiet" }, problem.detail)),
  );
  field.focus();
}
