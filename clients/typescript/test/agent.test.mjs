// An agent of 30 turns with tools on the AI SDK: replies put back as they came, one request a model call.
import assert from "node:assert/strict";
import { test } from "node:test";

import * as sdk from "ai";
import * as mocks from "ai/test";
import { z } from "zod";

import { createMemory } from "warmthread/ai";

import { countingClient, newConversation, storeRequests } from "./service.mjs";

const Mock = mocks.MockLanguageModelV4 ?? mocks.MockLanguageModelV3;
const BUDGET = 2000;
const TURNS = 30;
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
const reason = (unified) => ({ unified, raw: undefined });
const stopWhen = sdk.stepCountIs(5);
const tools = {
  measure: sdk.tool({
    description: "Measures a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => ({ city, report: `${city} is windy and wet. `.repeat(40) }),
  }),
};

/** A scripted model: two calls at once, then another, then an answer; so in each turn. */
function scriptedModel(prompts) {
  let calls = 0;
  const call = (city) => ({
    type: "tool-call",
    toolCallId: `call_${++calls}`,
    toolName: "measure",
    input: JSON.stringify({ city }),
  });
  return new Mock({
    doGenerate: async ({ prompt }) => {
      prompts.push(structuredClone(prompt));
      const step = (prompts.length - 1) % 3;
      if (step === 2) {
        return {
          content: [{ type: "text", text: `Answer ${prompts.length}.` }],
          finishReason: reason("stop"),
          usage,
          warnings: [],
        };
      }
      const content = step
        ? [call("Oslo")]
        : [{ type: "reasoning", text: "Both." }, { type: "text", text: "I measure." }, call("Rome"), call("Paris")];
      return { content, finishReason: reason("tool-calls"), usage, warnings: [] };
    },
  });
}

/** Fails unless each call before the end is answered, and each answer has its call. */
function assertPaired(prompt) {
  const open = new Set();
  for (const { role, content } of prompt) {
    if (role === "user" || role === "system") assert.equal(open.size, 0);
    for (const part of Array.isArray(content) ? content : []) {
      if (part.type === "tool-call") open.add(part.toolCallId);
      if (part.type === "tool-result") assert.ok(open.delete(part.toolCallId), `no call for ${part.toolCallId}`);
    }
  }
  assert.equal(open.size, 0);
}

test("an agent of 30 turns: one request a model call, and a request to the store each", async () => {
  const client = countingClient();
  const conversationId = await newConversation(client);
  const memory = createMemory({ client, conversationId, model: "gpt-4o", budget: BUDGET });
  await memory.append([{ role: "system", content: "You measure cities." }]);
  const prompts = [];
  const counted = [];
  const model = scriptedModel(prompts);
  let unsaved = [];
  const expected = [];
  const before = { client: client.sent.length, store: await storeRequests() };

  for (let number = 0; number < TURNS; number += 1) {
    const asked = { role: "user", content: `Question ${number}: where is it windy?` };
    const turn = await memory.turn([...unsaved, asked]);
    counted.push(turn.tokens);
    const result = await sdk.generateText({ model, tools, stopWhen, ...turn.prompt, prepareStep: turn.prepareStep });
    unsaved = await turn.unsaved(result);
    expected.push(asked, ...((await result.responseMessages) ?? result.response.messages));
  }

  assert.equal(prompts.length, 3 * TURNS);
  assert.equal(client.sent.length - before.client, 3 * TURNS);
  assert.equal((await storeRequests()) - before.store, 3 * TURNS);
  for (const prompt of prompts) assertPaired(prompt);
  for (const tokens of counted) assert.ok(tokens <= BUDGET, `${tokens} tokens`);
  // What was put back is all there, as it came.
  await memory.append(unsaved);
  const whole = await memory.context({ budget: 1_000_000 });
  assert.equal(whole.omitted.items, 0);
  assert.deepEqual(whole.messages, JSON.parse(JSON.stringify(expected)));
});

test("every prompt of the agent counts at most the budget, by the service's own count", async () => {
  const client = countingClient();
  const conversationId = await newConversation(client);
  const memory = createMemory({ client, conversationId, model: "gpt-4o", budget: BUDGET });
  const prompts = [];
  const model = scriptedModel(prompts);
  let unsaved = [];

  for (let number = 0; number < 4; number += 1) {
    const turn = await memory.turn([...unsaved, { role: "user", content: `Question ${number}` }]);
    const result = await sdk.generateText({ model, tools, stopWhen, ...turn.prompt, prepareStep: turn.prepareStep });
    unsaved = await turn.unsaved(result);
  }

  let largest = 0;
  for (const prompt of prompts) {
    const messages = prompt.flatMap(chatMessages);
    const { tokens } = await client.request("POST", "/tokens/count", { model: "gpt-4o", messages });
    largest = Math.max(largest, tokens);
  }
  assert.ok(largest <= BUDGET && largest > BUDGET / 2, `${largest} tokens`);
});

/** A message of a model's prompt as Chat Completions has it. */
function chatMessages({ role, content }) {
  if (role === "system") return [{ role, content }];
  const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
  if (role === "user") return [{ role, content: text }];
  if (role === "tool") {
    return content.map((part) => ({ role, tool_call_id: part.toolCallId, content: JSON.stringify(part.output.value) }));
  }
  const calls = content.filter((part) => part.type === "tool-call");
  const tool_calls = calls.map((part) => ({
    id: part.toolCallId,
    type: "function",
    function: { name: part.toolName, arguments: JSON.stringify(part.input) },
  }));
  return [{ role, content: text || null, ...(calls.length && { tool_calls }) }];
}

test("a streamed answer goes the same way", async () => {
  const client = countingClient();
  const memory = createMemory({
    client,
    conversationId: await newConversation(client),
    model: "gpt-4o",
    budget: BUDGET,
  });
  let calls = 0;
  const model = new Mock({
    doStream: async () => {
      calls += 1;
      const said =
        calls === 1
          ? [{ type: "tool-call", toolCallId: "c1", toolName: "measure", input: '{"city":"Rome"}' }]
          : [
              { type: "text-start", id: "0" },
              { type: "text-delta", id: "0", delta: "Windy." },
              { type: "text-end", id: "0" },
            ];
      const end = { type: "finish", finishReason: reason(calls === 1 ? "tool-calls" : "stop"), usage };
      return { stream: sdk.simulateReadableStream({ chunks: [{ type: "stream-start", warnings: [] }, ...said, end] }) };
    },
  });
  const turn = await memory.turn([{ role: "user", content: "Rome?" }]);
  const result = sdk.streamText({ model, tools, stopWhen, ...turn.prompt, prepareStep: turn.prepareStep });
  await result.consumeStream();

  const unsaved = await turn.unsaved(result);

  assert.deepEqual(
    unsaved.map((message) => message.role),
    ["assistant"],
  );
  await memory.append(unsaved);
  assert.deepEqual(
    (await memory.context()).messages.map((message) => message.role),
    ["user", "assistant", "tool", "assistant"],
  );
});

test("a turn that is sent again with its key is stored once", async () => {
  const client = countingClient();
  const memory = createMemory({
    client,
    conversationId: await newConversation(client),
    model: "gpt-4o",
    budget: BUDGET,
  });
  const messages = [{ role: "user", content: "Hello" }];
  const idempotencyKey = crypto.randomUUID();

  await memory.turn(messages, { idempotencyKey });
  const again = await memory.turn(messages, { idempotencyKey });

  assert.deepEqual(again.messages, messages);
});
