import assert from "node:assert/strict";
import { test } from "node:test";

import * as sdk from "ai";
import * as mocks from "ai/test";
import { z } from "zod";

import { createChatStore } from "warmthread/ai";

import { PNG } from "./messages.mjs";
import { countingClient } from "./service.mjs";

const client = countingClient();
const chats = createChatStore({ client, model: "gpt-4o", budget: 2000 });
const text = (said) => ({ type: "text", text: said });
const done = (said) => ({ type: "text", text: said, state: "done" });
const step = { type: "step-start" };
const user = (id, ...parts) => ({ id, role: "user", parts });
const assistant = (id, ...parts) => ({ id, role: "assistant", parts });
const called = (toolCallId, more) => ({
  type: "tool-find",
  toolCallId,
  state: "input-available",
  input: { what: "it" },
  ...more,
});

const CHAT = [
  { id: "sys", role: "system", parts: [text("Be brief.")] },
  user("m-1", text("What is this?"), { type: "file", mediaType: "image/png", url: `data:image/png;base64,${PNG}` }),
  assistant(
    "m-2",
    step,
    { type: "reasoning", text: "Hm.", state: "done" },
    done("I look."),
    called("c1", { state: "output-available", output: { found: ["a", 1] } }),
    called("c2", { state: "output-error", errorText: "gone" }),
    { ...called("c3", { state: "output-available", output: "a text" }), type: "dynamic-tool", toolName: "other" },
    called("c4", { state: "output-denied", approval: { id: "c4", approved: false, reason: "no" } }),
    step,
    done("A dot."),
  ),
  user("m-3", text("Sure?")),
  assistant("m-4", step, done("Yes.")),
];

async function saved(messages) {
  const id = await chats.create();
  await chats.save(id, messages);
  return id;
}

test("a chat comes back as it was saved, with its ids", async () => {
  assert.deepEqual(await chats.load(await saved(CHAT)), CHAT);
});

test("what is saved again is stored once, in one request of reading", async () => {
  const id = await saved(CHAT);
  const before = client.sent.length;

  await chats.save(id, CHAT);

  assert.equal(client.sent.length - before, 1);
  assert.deepEqual(await chats.load(id), CHAT);
});

test("only what is new is appended", async () => {
  const id = await saved(CHAT.slice(0, 3));
  const before = client.sent.length;

  await chats.save(id, CHAT);

  const appended = client.sent.slice(before).filter(({ method }) => method === "POST");
  assert.equal(appended.length, 1);
  assert.equal(JSON.parse(appended[0].body).items.length, 2);
  assert.deepEqual(await chats.load(id), CHAT);
});

test("two that save the same at the same time store it once", async () => {
  const id = await chats.create();

  await Promise.all([chats.save(id, CHAT), chats.save(id, CHAT)]);

  assert.deepEqual(await chats.load(id), CHAT);
});

test("an answer that is made anew takes the place of the old one", async () => {
  const id = await saved(CHAT);
  const anew = [...CHAT.slice(0, -1), assistant("m-5", step, done("Quite."))];

  await chats.save(id, anew);

  assert.deepEqual(await chats.load(id), anew);
});

test("a message that is edited, and edited back, takes the place of itself", async () => {
  const id = await saved(CHAT);
  const edited = [...CHAT.slice(0, 3), user("m-3", text("Really?"))];

  await chats.save(id, edited);
  assert.deepEqual(await chats.load(id), edited);
  await chats.save(id, CHAT);

  assert.deepEqual(await chats.load(id), CHAT);
});

test("a call that the browser answers later is answered in place", async () => {
  const open = [user("m-1", text("Find.")), assistant("m-2", step, called("c1"), called("c2"))];
  const answered = (...outputs) => [
    open[0],
    assistant(
      "m-2",
      step,
      ...outputs.map((output, index) => called(`c${index + 1}`, output && { state: "output-available", output })),
    ),
  ];
  const id = await saved(open);
  assert.deepEqual(await chats.load(id), open);

  for (const chat of [answered(undefined, "second"), answered("first", "second")]) {
    await chats.save(id, chat);
    assert.deepEqual(await chats.load(id), chat);
  }
});

test("signed thinking stays in the context of an open tool loop, and the chat is stored once", async () => {
  const signed = {
    type: "reasoning",
    text: "Hm.",
    state: "done",
    providerMetadata: { anthropic: { signature: "c2lnbmVk" } },
  };
  const chat = [user("m-1", text("Find.")), assistant("m-2", step, signed, done("Looking."), called("c1"))];
  const id = await saved(chat);

  const { messages } = await chats.turn(id, chat, { model: "claude-sonnet-4-5" });

  assert.deepEqual(messages[1].content[0].providerOptions, { anthropic: { signature: "c2lnbmVk" } });
  const [, { parts }] = await chats.load(id);
  assert.deepEqual(
    parts.map((part) => part.type),
    ["step-start", "reasoning", "text", "tool-find"],
  );
});

test("what has no form is named", async () => {
  const id = await chats.create();
  const parts = [
    step,
    done("Here."),
    { type: "data-chart", data: { a: 1 } },
    { type: "source-url", sourceId: "1", url: "https://a.example" },
  ];

  const { unsupported } = await chats.save(id, [{ ...assistant("m-1", ...parts), metadata: { tokens: 1 } }]);

  assert.deepEqual(
    unsupported.map((each) => each.type),
    ["metadata", "data-chart", "source-url"],
  );
});

test("an id that no item can carry is refused", async () => {
  const id = await chats.create();

  await assert.rejects(chats.save(id, [user("über", text("x"))]), TypeError);
  await assert.rejects(chats.save(id, [assistant("", done("x"))]), /generateMessageId/);
});

test("a conversation that another client wrote is a chat", async () => {
  const id = await chats.create();
  await client.append(id, {
    items: [
      { role: "user", content: "Find." },
      { type: "function_call", call_id: "c1", name: "find", arguments: '{"what":"it"}' },
      { type: "function_call_output", call_id: "c1", output: '{"a":1}' },
      { role: "assistant", content: "Found." },
    ],
  });

  const messages = await chats.load(id);

  assert.deepEqual(
    messages.map(({ role, parts }) => [role, parts]),
    [
      ["user", [text("Find.")]],
      ["assistant", [step, called("c1", { state: "output-available", output: { a: 1 } }), step, done("Found.")]],
    ],
  );
});

test("a route of useChat: what streamText says is saved, and comes back as the browser saw it", async () => {
  const Mock = mocks.MockLanguageModelV4 ?? mocks.MockLanguageModelV3;
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
  let calls = 0;
  const model = new Mock({
    doStream: async () => {
      calls += 1;
      const said =
        calls % 2
          ? [{ type: "tool-call", toolCallId: `c${calls}`, toolName: "find", input: '{"what":"it"}' }]
          : [
              { type: "text-start", id: "0" },
              { type: "text-delta", id: "0", delta: "Found." },
              { type: "text-end", id: "0" },
            ];
      const finishReason = { unified: calls % 2 ? "tool-calls" : "stop", raw: undefined };
      return {
        stream: sdk.simulateReadableStream({
          chunks: [{ type: "stream-start", warnings: [] }, ...said, { type: "finish", finishReason, usage }],
        }),
      };
    },
  });
  const find = sdk.tool({
    inputSchema: z.object({ what: z.string() }),
    execute: async ({ what }) => ({ what, found: true }),
  });
  const id = await chats.create();
  let chat = [];

  for (const said of ["Find it.", "Again."]) {
    chat.push(user(`u-${chat.length}`, text(said)));
    const { system, messages } = await chats.turn(id, chat);
    const result = sdk.streamText({ model, system, messages, tools: { find }, stopWhen: sdk.stepCountIs(3) });
    const response = result.toUIMessageStreamResponse({
      originalMessages: chat,
      generateMessageId: sdk.createIdGenerator({ prefix: "a", size: 16 }),
      onFinish: async (event) => {
        chat = event.messages;
        await chats.save(id, chat);
      },
    });
    await response.text();
  }

  assert.equal(chat.length, 4);
  const plain = JSON.parse(JSON.stringify(chat));
  assert.deepEqual(await chats.load(id), plain);
  assert.deepEqual(await sdk.convertToModelMessages(await chats.load(id)), await sdk.convertToModelMessages(plain));
});
