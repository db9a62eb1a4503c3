// The recipes of docs/typescript.md, run as they stand against the service.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import * as sdk from "ai";
import * as mocks from "ai/test";
import { z } from "zod";

import { settings } from "./service.mjs";

const Mock = mocks.MockLanguageModelV4 ?? mocks.MockLanguageModelV3;
const page = readFileSync(new URL("typescript.md", import.meta.url), "utf8");
const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };

async function recipe(name) {
  const [, code] = page.match(new RegExp(`<!-- recipe: ${name} -->\n\n\`\`\`js\n(.*?)\`\`\``, "s"));
  assert.ok(code.trim().split("\n").length <= 16, "a recipe is short");
  const here = code.replace("http://127.0.0.1:3000", settings.baseUrl).replace("wt_dev_local", settings.apiKey);
  writeFileSync(new URL(`recipe-${name}.mjs`, import.meta.url), here);
  return import(`./recipe-${name}.mjs`);
}

test("the recipe of an agent remembers over its turns", async () => {
  const prompts = [];
  const model = new Mock({
    doGenerate: async ({ prompt }) => {
      prompts.push(prompt);
      const isCall = prompts.length === 1;
      const said = isCall
        ? { type: "tool-call", toolCallId: "c1", toolName: "look", input: "{}" }
        : { type: "text", text: `Answer ${prompts.length}` };
      return {
        content: [said],
        finishReason: { unified: isCall ? "tool-calls" : "stop", raw: undefined },
        usage,
        warnings: [],
      };
    },
  });
  const tools = { look: sdk.tool({ inputSchema: z.object({}), execute: async () => "seen" }) };
  const { answer } = await recipe("agent");

  assert.equal(await answer(model, tools, "Look."), "Answer 2");
  assert.equal(await answer(model, tools, "And?"), "Answer 3");

  assert.deepEqual(
    prompts[2].map((message) => message.role),
    ["system", "user", "assistant", "tool", "assistant", "user"],
  );
});

test("the recipe of a chat keeps it", async () => {
  const chunks = [
    { type: "stream-start", warnings: [] },
    { type: "text-start", id: "0" },
    { type: "text-delta", id: "0", delta: "Hi!" },
    { type: "text-end", id: "0" },
    { type: "finish", finishReason: { unified: "stop", raw: undefined }, usage },
  ];
  const model = new Mock({ doStream: async () => ({ stream: sdk.simulateReadableStream({ chunks }) }) });
  const { chats, POST } = await recipe("chat");
  const id = await chats.create();
  const messages = [{ id: "m-1", role: "user", parts: [{ type: "text", text: "Hello" }] }];

  const response = await POST(
    new Request("http://a.example", { method: "POST", body: JSON.stringify({ id, messages }) }),
    model,
  );
  await response.text();

  const chat = await chats.load(id);
  assert.deepEqual(
    chat.map(({ role }) => role),
    ["user", "assistant"],
  );
  assert.deepEqual(chat[0], messages[0]);
});
