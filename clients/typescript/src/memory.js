/**
 * What an agent on the AI SDK remembers: its messages go in as they came, and a prompt of at most `budget` tokens comes
 * back, in one request a model call.
 *
 *     append     messages -> items, or the dialect of a provider where only that has a form for them
 *     context    the conversation -> messages, in the format that keeps what the provider of the model demands back
 *     turn       both in one request; its prepareStep does the same before each further step of a tool loop
 */

import { fromAnthropic, isAnthropic, toAnthropic } from "./anthropic.js";
import { fromGemini, isGemini, toGemini } from "./gemini.js";
import { fromItems, toItems } from "./items.js";

const BATCH_ITEMS = 100;

const RECALL_BUDGET = 20;

/** @type {typeof import("./memory").createMemory} */
export function createMemory({ client, conversationId, ...defaults }) {
  /** @param {any} options */
  function split({ idempotencyKey, signal, timeoutMs, ...parameters } = {}) {
    const wanted = { ...defaults, ...parameters };
    return [
      { format: formatOf(wanted.model), recall_budget: RECALL_BUDGET, ...wanted },
      { idempotencyKey, signal, timeoutMs },
    ];
  }

  /** Append all batches but the last, and return that. @param {readonly any[]} messages @param {any} options */
  async function appendAhead(messages, options) {
    const key = options.idempotencyKey ?? crypto.randomUUID();
    const batches = toBatches(messages);
    const numbered = batches.map((batch, number) => ({ ...batch, key: number ? `${key}-${number}` : key }));
    const last = numbered.pop();
    const answers = [];
    for (const { given, key: idempotencyKey } of numbered) {
      answers.push(await client.append(conversationId, given, { ...options, idempotencyKey }));
    }
    const unsupported = batches.flatMap((batch) => batch.unsupported);
    return { last, answers, unsupported };
  }

  const memory = {
    conversationId,

    async append(/** @type {readonly any[]} */ messages, options = {}) {
      const [, rest] = split(options);
      const { last, answers, unsupported } = await appendAhead(messages, rest);
      if (last) answers.push(await client.append(conversationId, last.given, { ...rest, idempotencyKey: last.key }));
      return {
        itemIds: answers.flatMap((answer) => answer.data.map((/** @type {any} */ item) => item.id)),
        unsupported,
      };
    },

    async context(options = {}) {
      const [parameters, rest] = split(options);
      return toPrompt(await client.context(conversationId, parameters, rest), []);
    },

    async turn(/** @type {readonly any[]} */ messages, options = {}) {
      const [parameters, rest] = split(options);
      const { last, unsupported } = await appendAhead(messages, rest);
      const asked = last
        ? (await client.turn(conversationId, last.given, parameters, { ...rest, idempotencyKey: last.key })).context
        : await client.context(conversationId, parameters, rest);
      return new Turn(memory, toPrompt(asked, unsupported), options);
    },
  };
  return /** @type {any} */ (memory);
}

/** A prompt, and what of the replies to it is stored already. */
class Turn {
  #memory;
  #options;
  #stored = 0;

  /** @param {any} memory @param {any} prompt @param {any} options */
  constructor(memory, prompt, { idempotencyKey, ...options }) {
    this.#memory = memory;
    this.#options = options;
    this.prompt = { system: prompt.system, messages: prompt.messages };
    Object.assign(this, prompt);
    this.prepareStep = this.prepareStep.bind(this);
  }

  /**
   * For generateText and streamText: stores what the last step brought, and trims the next prompt.
   *
   * @param {any} step
   */
  async prepareStep({ steps, responseMessages = steps.at(-1)?.response.messages ?? [] }) {
    const fresh = responseMessages.slice(this.#stored);
    if (!steps.length || !fresh.length) return undefined;
    const next = await this.#memory.turn(fresh, this.#options);
    this.#stored += fresh.length;
    return next.prompt;
  }

  /** Return the replies of a finished call that prepareStep did not store: for the next turn. @param {any} result */
  async unsaved(result) {
    // AI SDK 7 has the messages of all steps here, version 6 in its response; streams have promises of them.
    const messages = (await result.responseMessages) ?? (await result.response).messages;
    return messages.slice(this.#stored);
  }
}

/**
 * Return the batches that *messages* are appended as. Items have a form for nearly all; what only a provider's own
 * messages have one for goes in those.
 *
 * @param {readonly any[]} messages
 * @returns {{ given: any, unsupported: any[] }[]}
 */
function toBatches(messages) {
  const to = messages.some(isAnthropic) ? toAnthropic : messages.some(isGemini) ? toGemini : itemsGiven;
  /** @type {number[]} */
  const starts = [];
  let from = 0;
  let count = 0;
  messages.forEach((message, number) => {
    const parts = typeof message.content === "string" ? 1 : Math.max(1, message.content.length);
    // A system prompt stands before a provider's own messages, so a later one begins another batch.
    const isPrompt = message.role === "system" && messages[number - 1]?.role !== "system" && to !== itemsGiven;
    if (count && (isPrompt || count + parts > BATCH_ITEMS)) {
      starts.push(from);
      from = number;
      count = 0;
    }
    count += parts;
  });
  if (messages.length) starts.push(from);
  return starts
    .map((start, index) => {
      const { given, unsupported } = to(messages.slice(start, starts[index + 1]));
      return { given, unsupported: unsupported.map((each) => ({ ...each, message: each.message + start })) };
    })
    .filter(({ given }) => Object.values(given).some((value) => Array.isArray(value) && value.length));
}

/** @param {readonly any[]} messages */
function itemsGiven(messages) {
  const { items, unsupported } = toItems(messages);
  return { given: { items }, unsupported };
}

/** Return the format in which the provider of *model* gets back what it demands. @param {string | undefined} model */
function formatOf(model) {
  const name = model?.toLowerCase() ?? "";
  return name.includes("claude") ? "anthropic" : name.includes("gemini") ? "gemini" : "items";
}

/** @param {any} context @param {any[]} unsupported */
function toPrompt(context, unsupported) {
  const { system, messages, unsupported: unknown = [] } = read(context);
  const { tokens, budget, version, model, encoding, exact, kept, omitted } = context;
  // Version 6 of the AI SDK takes `system`, and so does version 7 beside its newer name.
  const rest = { tokens, budget, version, model, encoding, exact, kept };
  return {
    ...(system.length && { system }),
    messages,
    ...rest,
    omitted: {
      ...omitted,
      unsupported: [...omitted.unsupported, ...unknown.map((/** @type {any} */ item) => item.id)],
    },
    unsupported,
  };
}

/** @param {any} context @returns {{ system: any[], messages: any[], unsupported?: any[] }} */
function read(context) {
  switch (context.format) {
    case "items":
      return fromItems(context.input);
    case "anthropic":
      return fromAnthropic(context);
    case "gemini":
      return fromGemini(context);
    default:
      throw new TypeError(
        `format must be items, anthropic or gemini for messages of the AI SDK, not ${context.format}.`,
      );
  }
}
