/**
 * The view of conversations: which there are, and the one that is looked into.
 */

import { ask } from "./api.js";
import { byId, made, notice } from "./dom.js";
import { close, open } from "./inspector.js";

const RECENT_MAX = 50;
const NAMED_BY = ["title", "name", "topic", "subject"];

let key = "";
let isListed = false;

const href = (id) => `#conversations/${id}`;

byId("recent").addEventListener("change", (event) => {
  if (event.target.value) location.hash = href(event.target.value);
});
byId("open").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = byId("conversation-id").value.trim();
  if (location.hash === href(id)) open(key, id); // It was asked for before, and may be there now.
  else location.hash = href(id);
});

/** Show the tenant's conversations, and the one called *id*. Throws Problem: the key is refused. */
export async function enter(secret, id) {
  if (key !== secret || !isListed) {
    key = secret;
    close();
    await list();
  }
  byId("recent").value = id;
  if (byId("recent").selectedIndex < 0) byId("recent").value = "";
  byId("empty").hidden = Boolean(id);
  if (id) await open(key, id);
  else close();
}

export function leave() {
  key = "";
  close();
}

async function list() {
  const place = byId("recent");
  place.replaceChildren(made("option", { value: "" }, "Looking …"));
  let page;
  isListed = false;
  try {
    page = await ask(`/v1/conversations?limit=${RECENT_MAX}`, key);
  } catch (problem) {
    place.replaceChildren(made("option", { value: "" }, "They could not be listed"));
    if (problem.status === 401) {
      key = "";
      throw problem;
    }
    notice(byId("context-notice"), problem);
    return;
  }
  isListed = true;
  const first = page.data.length ? "Choose one …" : "There is none yet";
  byId("empty").textContent = page.data.length
    ? "Choose a conversation to see what of it a model call is given."
    : "This tenant has no conversation yet. Append to one, and look again.";
  place.replaceChildren(made("option", { value: "" }, first));
  for (const conversation of page.data) place.append(made("option", { value: conversation.id }, title(conversation)));
}

/** What a person knows a conversation by. */
function title({ id, metadata, created_at }) {
  const name = NAMED_BY.map((field) => metadata[field]).find(Boolean) ?? Object.values(metadata)[0];
  const made_at = new Date(created_at * 1000).toISOString().slice(0, 16).replace("T", " ");
  return [name, id, made_at].filter(Boolean).join(" · ");
}
