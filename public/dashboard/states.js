/**
 * What can become of a unit, in words. How each looks is in views.css, by `data-state`.
 */

import { REASONS } from "./reasons.js";

/** In the order of the legend; the first four count towards the budget. */
export const STATES = {
  prompt: { label: "Prompt", text: "tokens that every prompt has" },
  pinned: { label: "Pinned", text: "always kept" },
  kept: { label: "Kept", text: "sent" },
  shortened: { label: "Shortened", text: "sent by its beginning" },
  recalled: { label: "Recalled", text: "sent, because it matches the question" },
  document: { label: "Document", text: "text of a document, sent" },
  summarised: { label: "Summarised", text: "a summary stands for it" },
  omitted: { label: "Left out", text: "not sent" },
};

const NOT_SENT = new Set(["summarised", "omitted"]);

/** Tell whether what is in *state* is sent. @param {string} state */
export const isSent = (state) => !NOT_SENT.has(state);

/** @param {string} state */
export const label = (state) => STATES[state]?.label ?? state;

/** What *reason* means, to go on with. @param {string} reason */
export const because = (reason) => `${REASONS[reason] ?? reason.replaceAll("-", " ")}.`;
