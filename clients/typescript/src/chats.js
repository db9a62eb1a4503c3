/**
 * Persistence for `useChat`: UIMessages by the id of their conversation.
 *
 *     save     what is stored -> how far it says the same as the messages -> what follows is blanked, the rest appended
 *     load     the items, as UIMessages
 *
 * A conversation is a log: an answer that is made anew, or a message that is edited, takes the place of what stood
 * there. What is saved twice is stored once, also by two instances at the same time.
 */

import { ProblemError } from "./errors.js";
import { createMemory } from "./memory.js";
import { fromStored, saying, toPieces } from "./ui.js";

const BATCH_ITEMS = 100;

/** @type {typeof import("./chats").createChatStore} */
export function createChatStore({ client, ...defaults }) {
  /** @param {string} id @param {readonly any[]} messages @param {any} options */
  async function save(id, messages, options) {
    const { pieces, unsupported } = toPieces(messages);
    for (let revision = ""; ; revision = `_r${Date.now().toString(36)}`) {
      const stored = await client.allItems(id, options);
      const { kept, rest } = compare(stored, pieces);
      if (!rest.length && kept === stored.length) return { unsupported };
      for (const item of stored.slice(kept)) await client.deleteItem(id, item.id, options);
      try {
        for (const given of batches(rest, revision)) await client.append(id, given, options);
        return { unsupported };
      } catch (error) {
        // Stored meanwhile by another instance, or the id of what was blanked: what is there now tells.
        if (revision || !(error instanceof ProblemError) || error.code !== "duplicate_item") throw error;
      }
    }
  }

  return {
    create: async (given = {}, options) => (await client.createConversation(given, options)).id,
    load: async (id, options) => /** @type {any} */ (fromStored(await client.allItems(id, options))),
    save,
    async turn(id, messages, parameters = {}) {
      const { signal, timeoutMs, ...wanted } = parameters;
      const { unsupported } = await save(id, messages, { signal, timeoutMs });
      const prompt = await createMemory({ client, conversationId: id, ...defaults }).context({
        ...wanted,
        signal,
        timeoutMs,
      });
      return { ...prompt, unsupported: /** @type {any} */ (unsupported) };
    },
  };
}

/**
 * Return how many of the *stored* items say what *pieces* begin with, and the pieces that follow.
 *
 * @param {readonly any[]} stored @param {{ items: any[], given: any }[]} pieces
 */
function compare(stored, pieces) {
  const said = stored.map(saying);
  let kept = 0;
  for (const [index, piece] of pieces.entries()) {
    if (!piece.items.every((item, at) => said[kept + at] === saying(item))) return { kept, rest: pieces.slice(index) };
    kept += piece.items.length;
  }
  return { kept, rest: [] };
}

/**
 * Return the bodies that append *pieces*, in order.
 *
 * @param {{ items: any[], given: any }[]} pieces @param {string} revision
 */
function batches(pieces, revision) {
  /** @type {any[]} */
  const bodies = [];
  for (const { items, given } of pieces) {
    if (given) {
      bodies.push(given);
      continue;
    }
    let last = bodies.at(-1);
    if (!last?.items || last.items.length + items.length > BATCH_ITEMS) bodies.push((last = { items: [] }));
    last.items.push(...items.map((item) => ({ ...item, id: item.id + revision })));
  }
  return bodies;
}
