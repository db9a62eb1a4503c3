/**
 * ModelMessages of the AI SDK as messages of Anthropic, and back: what keeps the signatures of thinking, without which
 * Claude refuses an open tool loop, and says which results are errors.
 *
 *     system       the system prompt, which has to stand first
 *     tool         a user message of tool_result blocks; the user message after it goes into the same one
 */

import { contentPart, filePart, isImage, outputText, readOutput, resultFile, splitDataUrl, urlOf } from "./content.js";

/** @param {any} part */
const options = (part) => part.providerOptions?.anthropic ?? {};

/** Tell whether *message* holds what only Anthropic's messages have a form for. @param {any} message */
export function isAnthropic(message) {
  if (typeof message.content === "string") return false;
  return message.content.some(
    (/** @type {any} */ part) =>
      (part.type === "reasoning" && (options(part).signature || options(part).redactedData)) ||
      (part.type === "tool-result" && part.output.type.startsWith("error-")),
  );
}

/**
 * Return the body that appends *messages*, and what of them has no form in it.
 *
 * @param {readonly any[]} messages
 * @returns {{ given: any, unsupported: { message: number, type: string }[] }}
 */
export function toAnthropic(messages) {
  /** @type {any[]} */
  const system = [];
  /** @type {any[]} */
  const made = [];
  /** @type {{ message: number, type: string }[]} */
  const unsupported = [];
  messages.forEach((message, number) => {
    const without = (/** @type {string} */ type) => void unsupported.push({ message: number, type });
    if (message.role === "system") {
      if (made.length) throw new TypeError(`messages[${number}] is of the system, and has to be appended by itself.`);
      system.push({ type: "text", text: message.content });
      return;
    }
    const content = blocks(message, without);
    if (content.length) made.push({ role: message.role === "assistant" ? "assistant" : "user", content });
  });
  return { given: { format: "anthropic", messages: made, ...(system.length && { system }) }, unsupported };
}

/** @param {any} message @param {(type: string) => void} without */
function blocks({ role, content }, without) {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.flatMap((/** @type {any} */ part) => {
    const made =
      role === "assistant" ? assistantBlock(part) : role === "tool" ? resultBlock(part, without) : userBlock(part);
    if (made === null) without(part.providerExecuted ? "tool-call of the provider" : part.type);
    return made === null ? [] : [made];
  });
}

/** @param {any} part */
function assistantBlock(part) {
  const { signature, redactedData } = options(part);
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text };
    case "reasoning":
      if (redactedData) return { type: "redacted_thinking", data: redactedData };
      return signature ? { type: "thinking", thinking: part.text, signature } : null;
    case "tool-call": {
      if (part.providerExecuted) return null;
      const input = part.input !== null && typeof part.input === "object" ? part.input : { input: part.input ?? null };
      return { type: "tool_use", id: part.toolCallId, name: part.toolName, input };
    }
    default:
      return null;
  }
}

/** @param {any} part */
function userBlock(part) {
  if (part.type === "text") return { type: "text", text: part.text };
  const url = part.type === "image" ? urlOf(part.image, part.mediaType) : urlOf(part.data, part.mediaType);
  return url && mediaBlock(url, part.type === "image" || isImage(part.mediaType), part.filename);
}

/** @param {string} url @param {boolean} isPicture @param {string | undefined} title */
function mediaBlock(url, isPicture, title) {
  const data = splitDataUrl(url);
  const source = data ? { type: "base64", media_type: data.mediaType, data: data.base64 } : { type: "url", url };
  return isPicture ? { type: "image", source } : { type: "document", source, ...(title && { title }) };
}

/** @param {any} part @param {(type: string) => void} without */
function resultBlock(part, without) {
  if (part.type !== "tool-result") return null;
  const content =
    outputText(part.output) ??
    part.output.value.flatMap((/** @type {any} */ each) => {
      const made = contentPart(each);
      if (made === null) without(each.type);
      if (made === null) return [];
      return "text" in made ? [{ type: "text", text: made.text }] : [mediaBlock(made.url, made.isImage, made.filename)];
    });
  const isError = part.output.type.startsWith("error-");
  return { type: "tool_result", tool_use_id: part.toolCallId, content, ...(isError && { is_error: true }) };
}

/**
 * Return the ModelMessages that an answered context holds, the system's apart.
 *
 * @param {{ system: any[], messages: any[] }} context
 */
export function fromAnthropic({ system, messages }) {
  /** @type {any[]} */
  const made = [];
  const names = new Map();
  for (const { role, content } of messages) {
    if (role === "assistant") {
      const parts = content.map(assistantPart).filter((/** @type {any} */ part) => part !== null);
      for (const part of parts) if (part.type === "tool-call") names.set(part.toolCallId, part.toolName);
      made.push({ role, content: parts });
      continue;
    }
    const results = content.filter((/** @type {any} */ block) => block.type === "tool_result");
    const others = content.filter((/** @type {any} */ block) => block.type !== "tool_result");
    if (results.length) {
      made.push({ role: "tool", content: results.map((/** @type {any} */ each) => resultPart(each, names)) });
    }
    if (others.length) made.push({ role: "user", content: userContent(others) });
  }
  return { system: system.map((block) => ({ role: "system", content: block.text })), messages: made };
}

/** @param {any} block */
function assistantPart(block) {
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text };
    case "thinking":
      return {
        type: "reasoning",
        text: block.thinking,
        providerOptions: { anthropic: { signature: block.signature } },
      };
    case "redacted_thinking":
      return { type: "reasoning", text: "", providerOptions: { anthropic: { redactedData: block.data } } };
    case "tool_use":
      return { type: "tool-call", toolCallId: block.id, toolName: block.name, input: block.input };
    default:
      return null; // Blocks of the provider's own tools, which only messages in this dialect hold.
  }
}

/** @param {any[]} blocks */
function userContent(blocks) {
  if (blocks.length === 1 && blocks[0].type === "text") return blocks[0].text;
  return blocks.map((block) => {
    if (block.type === "text") return { type: "text", text: block.text };
    const known = block.type === "image" ? { mediaType: "image/*" } : { filename: block.title };
    return filePart(urlOfSource(block.source), known);
  });
}

/** @param {any} source @returns {string} */
const urlOfSource = (source) => source.url ?? `data:${source.media_type};base64,${source.data}`;

/** @param {any} block @param {Map<string, string>} names */
function resultPart(block, names) {
  const { tool_use_id: toolCallId, content } = block;
  return { type: "tool-result", toolCallId, toolName: names.get(toolCallId) ?? "tool", output: output(block, content) };
}

/** @param {any} block @param {any} content */
function output(block, content) {
  if (typeof content === "string") return readOutput(content, block.is_error);
  if (content.length === 1 && content[0].type === "text") return readOutput(content[0].text, block.is_error);
  const value = content.map((/** @type {any} */ part) =>
    part.type === "text"
      ? { type: "text", text: part.text }
      : resultFile(urlOfSource(part.source), { isImage: part.type === "image", filename: part.title }),
  );
  return { type: "content", value };
}
