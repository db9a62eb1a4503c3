/**
 * Why a unit is sent or not, made by scripts/tables.
 */

export const REASONS = {
  "prompt": "what every prompt counts beside its messages",
  "opening": "a message of the user, (no text), opens what has none, where the provider wants one",
  "head": "a system or developer message before the first user message",
  "system-message": "a later system or developer message, or an item that acts on all that follows it",
  "summary": "the summary, in the place of what it covers",
  "newest-user-message": "the newest user message is in every context",
  "open-call": "the last unit, whose calls wait for their results",
  "last-unit": "the last unit is in every context",
  "opens-window": "the user message of a turn of which only newer units fit",
  "moved-to-front": "a user message that is sent first, as one has to be, before units that are older",
  "fits": "among the newest units that fit",
  "unsupported": "would be sent, but the format has no form for any of it",
  "part-of-result": "kept, with a result of a tool in part",
  "matches": "quotes of older items that match the newest user message, directly before it",
  "whole": "the text of a document, all of it",
  "cut": "the text of a document, as much as its share of the budget holds",
  "covered-by-summary": "the summary stands for it",
  "over-budget": "older than all that fits",
  "thinned": "an older unit of the oldest turn that is kept",
  "stable-prefix": "it would fit, but the window starts at a later anchor",
  "before-first-user-message": "a context starts with the user, and this was said before",
  "orphan-output": "a result without a call",
  "unanswered-call": "a call without a result, and not at the end",
  "dangling-reasoning": "reasoning without what it led to",
};
