/**
 * The views of the dashboard, by the hash of the address, and the secret that each needs.
 *
 *     #conversations/<id>  ->  a tenant's key  ->  conversations.js
 *     #usage               ->  a tenant's key  ->  usage.js
 *     #fleet               ->  the secret of metrics  ->  fleet.js
 *
 * A view is `enter(secret, argument)`, which asks its first question and throws a Problem when that is refused, and
 * `leave()`. What is refused later is told by the event "refused" of the document.
 */

import * as conversations from "./conversations.js";
import { byId } from "./dom.js";
import * as fleet from "./fleet.js";
import { showForm } from "./keys.js";
import { forget, keep, secret } from "./session.js";
import * as usage from "./usage.js";

const VIEWS = {
  conversations: { secret: "key", title: "Conversations", module: conversations },
  usage: { secret: "key", title: "Usage", module: usage },
  fleet: { secret: "metrics", title: "Fleet", module: fleet },
};

let shown = null;

function place() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  return VIEWS[name] ? [name, rest.join("/")] : [null, ""];
}

async function route() {
  let [name, argument] = place();
  if (name === null && shown !== null) return; // The link to the content, for instance.
  name ??= "conversations";
  const view = VIEWS[name];
  const section = byId(`view-${name}`);
  if (shown !== name) {
    if (shown !== null) VIEWS[shown].module.leave();
    for (const other of Object.keys(VIEWS)) byId(`view-${other}`).hidden = other !== name;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${view.title} · Warmthread`;
    shown = name;
  }
  const value = secret(view.secret);
  if (value === null) lock(section, view, null);
  else await unlock(section, view, value, argument);
}

/** Ask for the key of *view*. */
function lock(section, view, problem) {
  section.querySelector(".with-key").hidden = true;
  showForm(section.querySelector(".needs-key"), view.secret, problem, (value) =>
    unlock(section, view, value, place()[1]),
  );
}

/** Show *view*; its secret is kept when it was not refused. */
async function unlock(section, view, value, argument) {
  try {
    section.querySelector(".with-key").hidden = false;
    await view.module.enter(value, argument);
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    forget(view.secret);
    lock(section, view, problem);
    return;
  }
  const form = section.querySelector(".needs-key");
  const hadFocus = form.contains(document.activeElement);
  keep(view.secret, value);
  form.replaceChildren();
  if (hadFocus) byId("main").focus({ preventScroll: true });
}

function relock(problem) {
  const view = VIEWS[shown];
  view.module.leave();
  forget(view.secret);
  lock(byId(`view-${shown}`), view, problem);
}

document.addEventListener("refused", (event) => relock(event.detail));
byId("forget").addEventListener("click", () => {
  for (const name of ["key", "metrics"]) forget(name);
  location.replace(location.pathname); // What was read goes with them.
});
addEventListener("hashchange", route);
route();
