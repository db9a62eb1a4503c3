import assert from "node:assert/strict";
import { test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";
import { createClient } from "warmthread";
import { createMemory } from "warmthread/ai";

import { assistant, call, DIALOGUES, PNG, result, SIGNED, text, tool, user } from "./messages.mjs";
import { newConversation, settings } from "./service.mjs";

const client = createClient(settings);

async function memoryOf(model = "gpt-4o", budget = 100_000) {
  return createMemory({ client, conversationId: await newConversation(client), model, budget });
}

for (const [name, messages] of Object.entries(DIALOGUES)) {
  test(`what was appended comes back: ${name}`, async () => {
    const memory = await memoryOf();

    const { unsupported } = await memory.append(messages);
    const prompt = await memory.context();

    assert.deepEqual(unsupported, []);
    assert.deepEqual(prompt.omitted.unsupported, []);
    assert.deepEqual(prompt.messages, messages);
  });
}

for (const [model, messages] of Object.entries(SIGNED)) {
  test(`signatures come back to their provider: ${model}`, async () => {
    const memory = await memoryOf(model);

    await memory.append(messages);

    assert.deepEqual((await memory.context()).messages, messages);
  });

  test(`another provider gets no signatures: ${model}`, async () => {
    const memory = await memoryOf(model);

    await memory.append(messages);
    const prompt = await memory.context({ model: "gpt-4o" });

    assert.doesNotMatch(JSON.stringify(prompt.messages), /c2lnbmVk|cmVkYWN0ZWQ/);
    assert.ok(prompt.omitted.unsupported.length > 0);
  });
}

test("pictures come as URLs, bytes and base64, and are the same", async () => {
  const memory = await memoryOf();
  const bytes = Uint8Array.from(Buffer.from(PNG, "base64"));
  const data = [PNG, bytes, bytes.buffer, new URL(`data:image/png;base64,${PNG}`), { type: "data", data: bytes }];

  await memory.append([
    user([
      ...data.map((each) => ({ type: "file", mediaType: "image/png", data: each })),
      { type: "image", image: bytes },
    ]),
  ]);

  const [{ content }] = (await memory.context()).messages;
  assert.equal(content.length, 6);
  for (const part of content) assert.deepEqual(part, { type: "file", mediaType: "image/png", data: PNG });
});

test("messages of the system stand apart", async () => {
  const memory = await memoryOf();

  await memory.append([{ role: "system", content: "Be brief." }, user("Hello")]);
  const { system, messages } = await memory.context();

  assert.deepEqual(system, [{ role: "system", content: "Be brief." }]);
  assert.deepEqual(messages, [user("Hello")]);
});

test("a later message of the system, beside what only a provider has a form for, is stored in its place", async () => {
  const memory = await memoryOf("claude-sonnet-4-5");
  const [asked, thought, answered] = SIGNED["claude-sonnet-4-5"];

  await memory.append([asked, thought, answered, { role: "system", content: "Be brief." }, user("And?")]);

  const items = await client.allItems(memory.conversationId);
  assert.deepEqual(
    items.slice(-2).map(({ role }) => role),
    ["system", "user"],
  );
  assert.equal((await memory.context()).system[0].content, "Be brief.");
});

test("what has no form is named", async () => {
  const memory = await memoryOf();

  const { unsupported } = await memory.append([
    user("Search."),
    assistant(
      { ...call("c1", "web_search", {}), providerExecuted: true },
      { type: "tool-approval-request", approvalId: "a", toolCallId: "c1" },
      { type: "file", mediaType: "image/png", data: PNG },
      text("Found."),
    ),
  ]);

  assert.deepEqual(unsupported, [
    { message: 1, type: "tool-call of the provider" },
    { message: 1, type: "tool-approval-request" },
    { message: 1, type: "file" },
  ]);
  assert.deepEqual((await memory.context()).messages, [user("Search."), assistant(text("Found."))]);
});

test("over a hundred messages go in several requests, in order", async () => {
  const memory = await memoryOf();
  const messages = Array.from({ length: 240 }, (_, index) =>
    index % 2 ? assistant(text(`${index}`)) : user(`${index}`),
  );

  const { itemIds } = await memory.append(messages);

  assert.equal(itemIds.length, 240);
  assert.deepEqual((await memory.context()).messages, messages);
});

// What the SDK's own providers make of a context, caught where they would send it.
const PROVIDERS = {
  "gpt-4o": (fetch) => createOpenAI({ apiKey: "none", fetch })("gpt-4o"),
  "claude-sonnet-4-5": (fetch) => createAnthropic({ apiKey: "none", fetch })("claude-sonnet-4-5"),
  "gemini-2.5-pro": (fetch) => createGoogleGenerativeAI({ apiKey: "none", fetch })("gemini-2.5-pro"),
};

async function sentBy(model, prompt) {
  let body;
  const fetch = async (_, init) => {
    body = JSON.parse(init.body);
    return new Response("{}", { status: 418 });
  };
  await assert.rejects(generateText({ model: PROVIDERS[model](fetch), maxRetries: 0, ...prompt }));
  return body;
}

for (const model of Object.keys(PROVIDERS)) {
  test(`the SDK's provider sends what it would have sent without us: ${model}`, async () => {
    // Gemini's results are text: a picture in one is told, and its item named.
    const first = model.startsWith("gemini") ? DIALOGUES.tools.slice(0, 4) : DIALOGUES.tools;
    const messages = [...first, ...(SIGNED[model] ?? DIALOGUES.sealed)];
    const memory = await memoryOf(model);
    await memory.append([{ role: "system", content: "Be brief." }, ...first]);
    await memory.append(SIGNED[model] ?? DIALOGUES.sealed);

    const { system, messages: kept } = await memory.context();

    const direct = await sentBy(model, { system: [{ role: "system", content: "Be brief." }], messages });
    assert.deepEqual(await sentBy(model, { system, messages: kept }), direct);
  });
}

test("a picture in a result is named where results are text", async () => {
  const memory = await memoryOf("gemini-2.5-pro");

  await memory.append(DIALOGUES.tools);
  const { messages, omitted } = await memory.context();

  assert.equal(omitted.unsupported.length, 1);
  assert.equal(messages.at(-2).content[0].output.value, "drawn\n[image]");
});

test("an input that is no object is still one to those that demand it", async () => {
  const memory = await memoryOf("claude-sonnet-4-5");

  await memory.append([
    user("Go."),
    assistant(call("c1", "go", "{not json")),
    tool(result("c1", "go", { type: "text", value: "no" })),
  ]);

  const [, { content }] = (await memory.context()).messages;
  assert.equal(typeof content[0].input, "object");
});
