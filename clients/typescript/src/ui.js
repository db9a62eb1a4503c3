/**
 * UIMessages of the AI SDK as items of a conversation, and back.
 *
 * A message makes several items. To which message an item belongs, and what of its part items have no form for, says
 * the item's id: `<message's id>_<number><marks>`, and `_r…` behind it where that id was taken. The marks are
 *
 *     s   a step of the model begins with it
 *     y   a call of a dynamic tool
 *     e   an output that is an error
 *     d   an output that says that the call was denied
 *     u   what the user said amid the answer
 *
 * What came without such an id, from another client, is grouped by who speaks. Data parts, metadata, approvals that are
 * open, files of the assistant and what a provider's own tools did have no form, and are named.
 */

import { isAnthropic, toAnthropic } from "./anthropic.js";
import { readInput, readOutput } from "./content.js";
import { isGemini, toGemini } from "./gemini.js";
import { fromItems, reasoningPart, toItems } from "./items.js";

const ITEM_ID = /^(.+)_(\d+)([sydeu]*)(?:_r[0-9a-z]+)?$/;
const MESSAGE_ID = /^[A-Za-z0-9_-]{1,40}$/;
const DENIED = "Tool execution denied.";

/**
 * Return what *messages* make, piece by piece: a piece is appended whole, as items with ids or in a provider's dialect.
 *
 * @param {readonly any[]} messages
 */
export function toPieces(messages) {
  /** @type {{ items: any[], given: any }[]} */
  const pieces = [];
  /** @type {{ messageId: string, type: string }[]} */
  const unsupported = [];
  for (const message of messages) {
    if (!MESSAGE_ID.test(message.id)) {
      const hint = message.id ? "" : " Give toUIMessageStreamResponse a generateMessageId.";
      throw new TypeError(
        `A message's id must be 1 to 40 letters, digits, "_" and "-", not ${JSON.stringify(message.id)}.${hint}`,
      );
    }
    const without = (/** @type {string} */ type) => void unsupported.push({ messageId: message.id, type });
    if (message.metadata !== undefined && message.metadata !== null) without("metadata");
    const made = modelMessages(message, without);
    const marked = made.map((each) => ({ ...each, ...toItems([each.message]) }));
    for (const each of marked.flatMap((each) => each.unsupported)) without(each.type);
    const to = made.some((each) => isSigned(each.message, isAnthropic)) ? toAnthropic : null;
    const dialect = to ?? (made.some((each) => isSigned(each.message, isGemini)) ? toGemini : null);
    const items = marked.flatMap((each) =>
      each.items.map((item, index) => ({ item, marks: each.marksOf(item, index) })),
    );
    const named = items.map(({ item, marks }, number) => ({ ...item, id: `${message.id}_${number}${marks}` }));
    if (dialect) pieces.push({ items: named, given: dialect(made.map((each) => each.message)).given });
    else pieces.push(...named.map((item) => ({ items: [item], given: null })));
  }
  return { pieces, unsupported };
}

/** Errors have a mark here; only a signature is a reason to leave the form that has ids. */
function isSigned(/** @type {any} */ message, /** @type {(message: any) => boolean} */ isOf) {
  return message.role === "assistant" && isOf(message);
}

/**
 * Return the ModelMessages of one UIMessage, with the marks of each one's items.
 *
 * @param {any} message @param {(type: string) => void} without
 * @returns {{ message: any, marksOf: (item: any, index: number) => string }[]}
 */
function modelMessages({ role, parts }, without) {
  if (role !== "assistant") return [{ message: { role, content: said(role, parts, without) }, marksOf: () => "" }];
  /** @type {{ message: any, marksOf: (item: any, index: number) => string }[]} */
  const made = [];
  let step = newStep();
  const close = () => {
    made.push(...step.messages());
    step = newStep();
  };
  for (const part of parts) {
    if (part.type === "step-start") {
      close();
      step.isMarked = true;
    } else if (part.type === "steering-message") {
      close();
      made.push({ message: { role: "user", content: said("user", part.parts, without) }, marksOf: () => "u" });
    } else {
      step.add(part, without);
    }
  }
  close();
  return made;
}

/** @param {string} role @param {any[]} parts @param {(type: string) => void} without */
function said(role, parts, without) {
  if (role === "system") return parts.map((part) => part.text ?? "").join("");
  return parts
    .map(({ type, text, mediaType, filename, url, providerReference }) => {
      if (type === "text") return { type, text };
      if (type === "file" && !providerReference) return { type, mediaType, filename, data: url };
      return without(type);
    })
    .filter((part) => part !== undefined);
}

/** One call of the model: what it said, and then what its tools answered. */
function newStep() {
  /** @type {any[]} */
  const content = [];
  /** @type {any[]} */
  const results = [];
  /** @type {string[]} */
  const resultMarks = [];
  const dynamic = new Set();
  return {
    isMarked: false,
    add(/** @type {any} */ part, /** @type {(type: string) => void} */ without) {
      const isTool = part.type === "dynamic-tool" || part.type.startsWith("tool-");
      const providerOptions = part.providerMetadata ?? part.callProviderMetadata;
      if (part.type === "text" || part.type === "reasoning") {
        content.push({ type: part.type, text: part.text, ...(providerOptions && { providerOptions }) });
      } else if (isTool && part.state !== "input-streaming" && !part.providerExecuted) {
        const toolName = part.type === "dynamic-tool" ? part.toolName : part.type.slice("tool-".length);
        const input = part.input ?? part.rawInput ?? {};
        content.push({
          type: "tool-call",
          toolCallId: part.toolCallId,
          toolName,
          input,
          ...(providerOptions && { providerOptions }),
        });
        if (part.type === "dynamic-tool") dynamic.add(part.toolCallId);
        const [output, mark] = outputOf(part);
        if (output) {
          results.push({ type: "tool-result", toolCallId: part.toolCallId, toolName, output });
          resultMarks.push(mark);
        } else if (part.approval) without("approval");
      } else without(part.type);
    },
    messages() {
      const marksOf = (/** @type {any} */ item, /** @type {number} */ index) =>
        (index === 0 && this.isMarked ? "s" : "") + (dynamic.has(item.call_id) ? "y" : "");
      const resultMarksOf = (/** @type {any} */ _, /** @type {number} */ index) => resultMarks[index];
      return [
        ...(content.length ? [{ message: { role: "assistant", content }, marksOf }] : []),
        ...(results.length ? [{ message: { role: "tool", content: results }, marksOf: resultMarksOf }] : []),
      ];
    },
  };
}

/** @param {any} part @returns {[any, string]} */
function outputOf(part) {
  switch (part.state) {
    case "output-available":
      if (part.preliminary) return [null, ""];
      if (typeof part.output === "string") return [{ type: "text", value: part.output }, ""];
      return [{ type: "json", value: part.output ?? null }, ""];
    case "output-error":
      return [{ type: "text", value: part.errorText }, "e"];
    case "output-denied":
      return [{ type: "execution-denied", reason: part.approval?.reason ?? DENIED }, "d"];
    default:
      return [null, ""];
  }
}

/**
 * Return the UIMessages that the *items* of a conversation are.
 *
 * @param {readonly any[]} items
 */
export function fromStored(items) {
  /** @type {any[]} */
  const messages = [];
  let key = "";
  const calls = new Map();
  for (const item of items) {
    const [, messageId, , marks = ""] = ITEM_ID.exec(item.id) ?? [];
    const role =
      item.type !== "message" || marks.includes("u") ? "assistant" : item.role === "developer" ? "system" : item.role;
    const itsKey = messageId ?? (role === "assistant" ? "assistant" : item.id);
    if (itsKey !== key || messages.at(-1)?.role !== role) {
      messages.push({ id: messageId ?? item.id, role, parts: [] });
      key = itsKey;
    }
    addParts(messages.at(-1).parts, item, marks, !messageId, calls);
  }
  return messages.filter((message) => message.parts.length);
}

/**
 * Add what *item* is to the *parts* of its message. *isForeign*: its id is none of ours.
 *
 * @param {any[]} parts @param {any} item @param {string} marks @param {boolean} isForeign @param {Map<string, any>} calls
 */
function addParts(parts, item, marks, isForeign, calls) {
  if (item.type === "function_call_output") {
    const call = calls.get(item.call_id);
    if (call) Object.assign(call, answered(item, marks));
    return;
  }
  const isAnswer = item.type !== "message" || item.role === "assistant";
  const begins = !parts.length || parts.at(-1)?.state?.startsWith("output-");
  if (marks.includes("s") || (isForeign && isAnswer && begins)) parts.push({ type: "step-start" });
  switch (item.type) {
    case "message":
      if (marks.includes("u")) parts.push({ type: "steering-message", id: item.id, parts: uiParts(item) });
      else parts.push(...uiParts(item));
      break;
    case "reasoning": {
      const { text, providerOptions } = reasoningPart(item);
      parts.push({
        type: "reasoning",
        text,
        state: "done",
        ...(providerOptions && { providerMetadata: providerOptions }),
      });
      break;
    }
    case "function_call": {
      const type = marks.includes("y") ? { type: "dynamic-tool", toolName: item.name } : { type: `tool-${item.name}` };
      const part = { ...type, toolCallId: item.call_id, state: "input-available", input: readInput(item.arguments) };
      calls.set(item.call_id, part);
      parts.push(part);
    }
  }
}

/** @param {any} item @param {string} marks */
function answered(item, marks) {
  const text = typeof item.output === "string" ? item.output : null;
  if (marks.includes("e")) return { state: "output-error", errorText: text ?? JSON.stringify(item.output) };
  if (marks.includes("d")) {
    return {
      state: "output-denied",
      approval: { id: item.call_id, approved: false, ...(text !== DENIED && { reason: text }) },
    };
  }
  return { state: "output-available", output: text === null ? item.output : readOutput(text).value };
}

/** @param {any} item */
function uiParts(item) {
  const { system, messages } = fromItems([item]);
  const content = (system[0] ?? messages[0])?.content ?? [];
  const parts = typeof content === "string" ? [{ type: "text", text: content }] : content;
  return parts.map((/** @type {any} */ part) => {
    if (part.type === "text")
      return { type: "text", text: part.text, ...(item.role === "assistant" && { state: "done" }) };
    const url = part.data instanceof URL ? part.data.href : `data:${part.mediaType};base64,${part.data}`;
    return { type: "file", mediaType: part.mediaType, url, ...(part.filename && { filename: part.filename }) };
  });
}

/**
 * Return what two items have in common that say the same, whatever their ids are and in whichever dialect they came.
 *
 * @param {any} item
 */
export function saying(item) {
  const one = fromItems([
    item.type === "message" && typeof item.content === "string" ? { ...item, content: [{ text: item.content }] } : item,
  ]);
  const [message] = [...one.system, ...one.messages];
  const content =
    typeof message?.content === "string" ? [{ type: "text", text: message.content }] : (message?.content ?? []);
  return JSON.stringify([message?.role ?? item.type, content.map(withoutOptions)]);
}

/** @param {any} part */
function withoutOptions({ providerOptions, ...part }) {
  const value = part.output?.type === "json" ? part.output.value : null;
  const keys = value && typeof value === "object" ? Object.keys(value) : [];
  // Gemini's answers are objects: a text is the `result` of one.
  if (keys.length === 1 && typeof value.result === "string") return { ...part, output: readOutput(value.result) };
  return part;
}
