/**
 * ModelMessages of the AI SDK as contents of Gemini, and back: what keeps thought signatures, which Gemini demands of
 * the calls of an open tool loop.
 */

import { contentPart, filePart, outputText, readOutput, splitDataUrl, urlOf } from "./content.js";

/** @param {any} part */
const options = (part) => part.providerOptions?.google ?? part.providerOptions?.vertex ?? {};

/** Tell whether *message* holds what only Gemini's contents have a form for. @param {any} message */
export function isGemini(message) {
  return (
    typeof message.content !== "string" &&
    message.content.some((/** @type {any} */ part) => options(part).thoughtSignature)
  );
}

/**
 * Return the body that appends *messages*, and what of them has no form in it.
 *
 * @param {readonly any[]} messages
 * @returns {{ given: any, unsupported: { message: number, type: string }[] }}
 */
export function toGemini(messages) {
  /** @type {any[]} */
  const system = [];
  /** @type {any[]} */
  const contents = [];
  /** @type {{ message: number, type: string }[]} */
  const unsupported = [];
  messages.forEach((message, number) => {
    const without = (/** @type {string} */ type) => void unsupported.push({ message: number, type });
    if (message.role === "system") {
      if (contents.length)
        throw new TypeError(`messages[${number}] is of the system, and has to be appended by itself.`);
      system.push({ text: message.content });
      return;
    }
    const parts = contentParts(message, without);
    if (parts.length) contents.push({ role: message.role === "assistant" ? "model" : "user", parts });
  });
  return { given: { contents, ...(system.length && { systemInstruction: { parts: system } }) }, unsupported };
}

/** @param {any} message @param {(type: string) => void} without */
function contentParts({ content }, without) {
  if (typeof content === "string") return [{ text: content }];
  return content.flatMap((/** @type {any} */ part) => {
    const made = part.providerExecuted ? null : modelPart(part, without);
    if (made === null) without(part.providerExecuted ? "tool-call of the provider" : part.type);
    const { thoughtSignature } = options(part);
    return made === null ? [] : [{ ...made, ...(thoughtSignature && { thoughtSignature }) }];
  });
}

/** @param {any} part @param {(type: string) => void} without */
function modelPart(part, without) {
  switch (part.type) {
    case "text":
      return { text: part.text };
    case "reasoning":
      return { text: part.text, thought: true };
    case "tool-call": {
      const args = part.input !== null && typeof part.input === "object" ? part.input : { input: part.input ?? null };
      return { functionCall: { id: part.toolCallId, name: part.toolName, args } };
    }
    case "tool-result":
      return {
        functionResponse: { id: part.toolCallId, name: part.toolName, response: response(part.output, without) },
      };
    case "image":
      return data(urlOf(part.image, part.mediaType), part.mediaType);
    case "file":
      return data(urlOf(part.data, part.mediaType), part.mediaType);
    default:
      return null;
  }
}

/** @param {string | null} url @param {string | undefined} mediaType */
function data(url, mediaType) {
  const inline = url && splitDataUrl(url);
  if (inline) return { inlineData: { mimeType: inline.mediaType, data: inline.base64 } };
  return url ? { fileData: { fileUri: url, ...(mediaType?.match(/^\w+\/[^*]/) && { mimeType: mediaType }) } } : null;
}

/** @param {any} output @param {(type: string) => void} without */
function response(output, without) {
  const text = outputText(output);
  if (text === null) {
    const parts = output.value.map(contentPart);
    for (const part of parts) if (part === null || "url" in part) without("file in a tool result");
    return { result: parts.flatMap((/** @type {any} */ part) => (part?.text ? [part.text] : [])).join("\n") };
  }
  const isObject =
    output.type === "json" && output.value !== null && typeof output.value === "object" && !Array.isArray(output.value);
  return isObject ? output.value : { result: text };
}

/**
 * Return the ModelMessages that an answered context holds, the system's apart.
 *
 * @param {{ system_instruction?: any, contents: any[] }} context
 */
export function fromGemini({ system_instruction: system, contents }) {
  /** @type {any[]} */
  const made = [];
  /** @type {string[]} */
  const unanswered = [];
  for (const { role, parts } of contents) {
    if (role === "model") {
      const content = parts.map((/** @type {any} */ part) => assistantPart(part, unanswered)).filter(Boolean);
      made.push({ role: "assistant", content });
      continue;
    }
    const results = parts.filter((/** @type {any} */ part) => part.functionResponse);
    const others = parts.filter((/** @type {any} */ part) => !part.functionResponse);
    if (results.length) {
      made.push({ role: "tool", content: results.map((/** @type {any} */ part) => resultPart(part, unanswered)) });
    }
    if (others.length) made.push({ role: "user", content: userContent(others) });
  }
  const texts = (system?.parts ?? []).map((/** @type {any} */ part) => ({ role: "system", content: part.text }));
  return { system: texts, messages: made };
}

/** @param {any} part @param {string[]} unanswered */
function assistantPart(part, unanswered) {
  const signature = part.thoughtSignature && {
    providerOptions: { google: { thoughtSignature: part.thoughtSignature } },
  };
  if (part.functionCall) {
    // A call without an id is answered by its name, in order.
    const toolCallId = part.functionCall.id ?? `call_${crypto.randomUUID()}`;
    if (!part.functionCall.id) unanswered.push(toolCallId);
    const { name, args } = part.functionCall;
    return { type: "tool-call", toolCallId, toolName: name, input: args ?? {}, ...signature };
  }
  if ("text" in part) return { type: part.thought ? "reasoning" : "text", text: part.text, ...signature };
  const { mimeType, data: base64 } = part.inlineData ?? {};
  return base64 ? { type: "file", mediaType: mimeType, data: base64, ...signature } : null;
}

/** @param {any} part @param {string[]} unanswered */
function resultPart({ functionResponse: { id, name, response: value } }, unanswered) {
  const text = Object.keys(value).length === 1 && typeof value.result === "string" ? value.result : null;
  const output = text === null ? { type: "json", value } : readOutput(text);
  return { type: "tool-result", toolCallId: id ?? unanswered.shift() ?? name, toolName: name, output };
}

/** @param {any[]} parts */
function userContent(parts) {
  if (parts.length === 1 && "text" in parts[0]) return parts[0].text;
  return parts.map((part) => {
    if ("text" in part) return { type: "text", text: part.text };
    if (part.fileData) return filePart(part.fileData.fileUri, { mediaType: part.fileData.mimeType });
    return { type: "file", mediaType: part.inlineData.mimeType, data: part.inlineData.data };
  });
}
