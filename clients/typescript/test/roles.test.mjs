// The least role of a key that each part needs, with real keys of these roles.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient } from "warmthread";
import { createChatStore, createMemory } from "warmthread/ai";

import { settings } from "./service.mjs";

const { WARMTHREAD_READ_KEY: readKey, WARMTHREAD_APPEND_KEY: appendKey } = process.env;
const full = createClient(settings);
const appending = createClient({ ...settings, apiKey: appendKey });
const reading = createClient({ ...settings, apiKey: readKey });

const WANTED = { model: "gpt-4o", budget: 2000 };
const hello = { items: [{ role: "user", content: "Hello" }] };
const said = (id, role, text) => ({
  id,
  role,
  parts: [{ type: "text", text, ...(role === "assistant" && { state: "done" }) }],
});

/** @param {() => Promise<unknown>} call @param {string} role @param {string} needed */
function refused(call, role, needed) {
  return assert.rejects(call, (error) => {
    assert.equal(error.name, "ProblemError");
    assert.deepEqual([error.status, error.code], [403, "insufficient_role"]);
    assert.deepEqual([error.problem.role, error.problem.required_role], [role, needed]);
    return true;
  });
}

test("the client appends by append, takes away by full, and looks by read", async () => {
  const { id } = await appending.createConversation(hello);
  await appending.append(id, hello);
  await appending.turn(id, hello, WANTED);
  const items = await appending.allItems(id);

  await refused(() => appending.deleteItem(id, items[0].id), "append", "full");
  await refused(() => appending.deleteConversation(id), "append", "full");
  await refused(() => reading.append(id, hello), "read", "append");
  await refused(() => reading.turn(id, hello, WANTED), "read", "append");
  await refused(() => reading.createConversation(), "read", "append");
  assert.equal((await reading.conversation(id)).id, id);
  assert.equal((await reading.context(id, WANTED)).conversation_id, id);
  assert.deepEqual(await reading.allItems(id), items);
  await full.deleteItem(id, items[0].id);
  await full.deleteConversation(id);
});

test("a memory takes append, and read where it is only looked at", async () => {
  const { id: conversationId } = await appending.createConversation();
  const memory = createMemory({ client: appending, conversationId, ...WANTED });
  const turn = await memory.turn([{ role: "user", content: "Hello" }]);
  await memory.append([{ role: "assistant", content: "Hi." }]);
  const looking = createMemory({ client: reading, conversationId, ...WANTED });

  assert.equal(turn.prompt.messages.length, 1);
  assert.equal((await looking.context()).messages.length, 2);
  await refused(() => looking.turn([{ role: "user", content: "More" }]), "read", "append");
});

test("a chat is saved and goes on by append; an answer that is made anew takes full", async () => {
  const chats = createChatStore({ client: appending, ...WANTED });
  const chat = [said("m-1", "user", "Hello"), said("m-2", "assistant", "Hi."), said("m-3", "user", "How are you?")];
  const anew = [chat[0], said("m-4", "assistant", "Good morning.")];
  const id = await chats.create();
  await chats.save(id, chat.slice(0, 2));
  const turn = await chats.turn(id, chat);

  assert.equal(turn.messages.length, 3);
  await refused(() => chats.save(id, anew), "append", "full");
  assert.deepEqual(
    (await createChatStore({ client: reading, ...WANTED }).load(id)).map((message) => message.id),
    ["m-1", "m-2", "m-3"],
  );
  await createChatStore({ client: full, ...WANTED }).save(id, anew);
  assert.deepEqual(
    (await chats.load(id)).map((message) => message.id),
    ["m-1", "m-4"],
  );
});
