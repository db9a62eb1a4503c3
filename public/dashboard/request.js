/**
 * The context as its format sends it, to look at and to copy.
 */

import { byId, whole } from "./dom.js";

const MEMBERS = {
  items: ["input"],
  chat: ["messages"],
  anthropic: ["system", "messages"],
  gemini: ["system_instruction", "contents"],
  text: ["text"],
};
const SHOWN_CHARS = 100_000;

let text = "";

/** @param {any} context the answer */
export function showRequest(context) {
  const members = MEMBERS[context.format].filter((name) => name in context);
  text =
    context.format === "text"
      ? context.text
      : JSON.stringify(Object.fromEntries(members.map((name) => [name, context[name]])), null, 2);
  const rest = text.length - SHOWN_CHARS;
  byId("request").textContent =
    rest > 0 ? `${text.slice(0, SHOWN_CHARS)}\n… ${whole(rest)} more characters; Copy takes them all.` : text;
  byId("copied").textContent = "";
}

byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(text);
    byId("copied").textContent = `Copied ${whole(text.length)} characters.`;
  } catch {
    byId("copied").textContent = "The browser did not allow it. Select the text below instead.";
    byId("request").focus();
  }
});
