/**
 * ModelMessages of the AI SDK as items of a conversation, and back.
 *
 *     system       a system message
 *     user         a message: texts, pictures, files
 *     assistant    in the order of its parts: reasoning, a call for each tool-call, a message for each run of texts
 *     tool         an output for each tool-result
 *
 * On the way back neighbouring items of the assistant are one message, and so are neighbouring outputs. What items have
 * no form for is named: approvals, what a provider's own tools did, files that the assistant made or a provider keeps.
 */

import {
  contentPart,
  filePart,
  isImage,
  outputText,
  readInput,
  readOutput,
  resultFile,
  urlOf,
  writeInput,
} from "./content.js";

/**
 * Return the items that *messages* make, and what of them has no form there.
 *
 * @param {readonly any[]} messages
 * @returns {{ items: any[], unsupported: { message: number, type: string }[] }}
 */
export function toItems(messages) {
  /** @type {any[]} */
  const items = [];
  /** @type {{ message: number, type: string }[]} */
  const unsupported = [];
  messages.forEach((message, number) => {
    const without = (/** @type {string} */ type) => void unsupported.push({ message: number, type });
    switch (message.role) {
      case "system":
        items.push({ type: "message", role: "system", content: message.content });
        break;
      case "user":
        items.push({ type: "message", role: "user", content: inputParts(message.content, without) });
        break;
      case "assistant":
        items.push(...assistantItems(message.content, without));
        break;
      case "tool":
        items.push(...outputs(message.content, without));
        break;
      default:
        throw new TypeError(`messages[${number}].role is ${message.role}, which no ModelMessage has.`);
    }
  });
  return { items, unsupported };
}

/** @param {any} content @param {(type: string) => void} without */
function inputParts(content, without) {
  if (typeof content === "string") return [{ type: "input_text", text: content }];
  return content.flatMap((/** @type {any} */ part) => {
    if (part.type === "text") return [{ type: "input_text", text: part.text }];
    const url = part.type === "image" ? urlOf(part.image, part.mediaType) : urlOf(part.data, part.mediaType);
    if (url === null) {
      without(part.type);
      return [];
    }
    if (part.type === "image" || isImage(part.mediaType)) {
      const detail = part.providerOptions?.openai?.imageDetail;
      return [{ type: "input_image", image_url: url, ...(detail && { detail }) }];
    }
    return [inputFile(url, part.filename)];
  });
}

/** @param {string} url @param {string | undefined} filename */
function inputFile(url, filename) {
  return {
    type: "input_file",
    ...(filename && { filename }),
    ...(/^data:/i.test(url) ? { file_data: url } : { file_url: url }),
  };
}

/** @param {any} content @param {(type: string) => void} without */
function assistantItems(content, without) {
  if (typeof content === "string") content = [{ type: "text", text: content }];
  /** @type {any[]} */
  const items = [];
  /** @type {any} */
  let open = null;
  let openId = null;
  for (const part of content) {
    const last = open;
    open = null;
    switch (part.type) {
      case "text":
        open = last?.type === "message" ? last : { type: "message", role: "assistant", content: [] };
        open.content.push({ type: "output_text", text: part.text });
        break;
      case "reasoning": {
        // Parts of one id are the summaries of one reasoning item.
        const { itemId, reasoningEncryptedContent } = openaiOptions(part);
        const isSame = last?.type === "reasoning" && itemId != null && itemId === openId;
        // One that says nothing to read, and has nothing sealed, is nothing.
        if (!part.text && !reasoningEncryptedContent && !part.providerOptions?.anthropic && !isSame) break;
        open = isSame ? last : { type: "reasoning", summary: [] };
        openId = itemId ?? null;
        if (part.text) open.summary.push({ type: "summary_text", text: part.text });
        if (reasoningEncryptedContent) open.encrypted_content = reasoningEncryptedContent;
        break;
      }
      case "tool-call":
        if (part.providerExecuted) without("tool-call of the provider");
        else items.push(call(part));
        break;
      case "tool-result":
        without("tool-result of the provider");
        break;
      default:
        without(part.type);
    }
    if (open && open !== last) items.push(open);
  }
  return items;
}

/** @param {any} part */
const openaiOptions = (part) => part.providerOptions?.openai ?? part.providerOptions?.azure ?? {};

/** @param {any} part */
function call({ toolCallId, toolName, input }) {
  return { type: "function_call", call_id: toolCallId, name: toolName, arguments: writeInput(input) };
}

/** @param {any[]} content @param {(type: string) => void} without */
function outputs(content, without) {
  return content.flatMap((part) => {
    if (part.type !== "tool-result") {
      without(part.type);
      return [];
    }
    const output =
      outputText(part.output) ?? part.output.value.flatMap((/** @type {any} */ each) => outputPart(each, without));
    return [{ type: "function_call_output", call_id: part.toolCallId, output }];
  });
}

/** @param {any} part @param {(type: string) => void} without */
function outputPart(part, without) {
  const made = contentPart(part);
  if (made === null) without(part.type);
  if (made === null) return [];
  if ("text" in made) return [{ type: "input_text", text: made.text }];
  return [made.isImage ? { type: "input_image", image_url: made.url } : inputFile(made.url, made.filename)];
}

/**
 * Return the ModelMessages that *items* make, the system's apart, and the items that they have no form for.
 *
 * @param {readonly any[]} items
 * @returns {{ system: any[], messages: any[], unsupported: { id: string, type: string }[] }}
 */
export function fromItems(items) {
  /** @type {any[]} */
  const system = [];
  /** @type {any[]} */
  const messages = [];
  /** @type {{ id: string, type: string }[]} */
  const unsupported = [];
  const names = new Map();
  const into = (/** @type {string} */ role) => {
    if (messages.at(-1)?.role !== role) messages.push({ role, content: [] });
    return messages.at(-1).content;
  };
  for (const item of items) {
    switch (item.type) {
      case "message":
        if (item.role === "user") messages.push({ role: "user", content: userContent(item.content) });
        else if (item.role === "assistant") into("assistant").push(...item.content.map(assistantText));
        else system.push({ role: "system", content: textOf(item.content) });
        break;
      case "reasoning":
        into("assistant").push(reasoningPart(item));
        break;
      case "function_call":
        names.set(item.call_id, item.name);
        into("assistant").push(callPart(item));
        break;
      case "function_call_output":
        into("tool").push(resultPart(item, names.get(item.call_id)));
        break;
      default:
        unsupported.push({ id: item.id, type: item.type });
    }
  }
  return { system, messages, unsupported };
}

/** @param {any} content */
const textOf = (content) => content.map((/** @type {any} */ part) => part.text ?? part.refusal ?? "").join("");

/** @param {any} part */
const assistantText = (part) => ({ type: "text", text: part.text ?? part.refusal ?? "" });

/** A single text is a string, which is what most programs write. @param {any[]} content */
function userContent(content) {
  if (content.length === 1 && content[0].type === "input_text") return content[0].text;
  return content.map((part) => inputPart(part)).filter((part) => part !== null);
}

/** @param {any} part */
function inputPart(part) {
  switch (part.type) {
    case "input_image": {
      if (!part.image_url) return null;
      const detail =
        part.detail && part.detail !== "auto" ? { providerOptions: { openai: { imageDetail: part.detail } } } : {};
      return { ...filePart(part.image_url, { mediaType: "image/*" }), ...detail };
    }
    case "input_file": {
      const url = part.file_data ?? part.file_url;
      return url ? filePart(url, { filename: part.filename }) : null;
    }
    default:
      return { type: "text", text: part.text ?? "" };
  }
}

/** @param {any} item */
export function reasoningPart(item) {
  const text = (item.summary ?? []).map((/** @type {any} */ part) => part.text).join("\n\n");
  // Without its id it is sent whole: OpenAI then needs to have kept nothing.
  const options = item.encrypted_content && { openai: { reasoningEncryptedContent: item.encrypted_content } };
  return { type: "reasoning", text, ...(options && { providerOptions: options }) };
}

/** @param {any} item */
export function callPart(item) {
  return { type: "tool-call", toolCallId: item.call_id, toolName: item.name, input: readInput(item.arguments) };
}

/** @param {any} item @param {string | undefined} name */
export function resultPart(item, name) {
  const output =
    typeof item.output === "string"
      ? readOutput(item.output)
      : { type: "content", value: item.output.map(resultContent) };
  return { type: "tool-result", toolCallId: item.call_id, toolName: name ?? "tool", output };
}

/** @param {any} part */
function resultContent(part) {
  if (part.type === "input_image") return resultFile(part.image_url, { isImage: true });
  if (part.type === "input_file") {
    return resultFile(part.file_data ?? part.file_url, { isImage: false, filename: part.filename });
  }
  return { type: "text", text: part.text ?? "" };
}
