import assert from "node:assert/strict";
import { test } from "node:test";

import { ConnectionError, ContextDoesNotFitError, createClient, DeadlineError, ProblemError } from "warmthread";

import { countingClient, newConversation, settings } from "./service.mjs";

const hello = { items: [{ role: "user", content: "Hello" }] };

test("an append whose answer is lost is sent again and applied once", async () => {
  let lost = 0;
  const client = countingClient({
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      if (url.endsWith("/items") && init.method === "POST" && lost++ === 0) throw new TypeError("the line broke");
      return answer;
    },
  });
  const id = await newConversation(client);

  const appended = await client.append(id, hello);

  assert.equal(lost, 2);
  const keys = client.sent.filter(({ method }) => method === "POST").map(({ headers }) => headers["idempotency-key"]);
  assert.equal(keys[1], keys[2]);
  assert.deepEqual(
    (await client.allItems(id)).map((item) => item.id),
    [appended.data[0].id],
  );
});

test("a key that was used with the same body answers the same items", async () => {
  const client = createClient(settings);
  const id = await newConversation(client);

  const idempotencyKey = crypto.randomUUID();
  const once = await client.append(id, hello, { idempotencyKey });
  const twice = await client.append(id, hello, { idempotencyKey });

  assert.deepEqual(twice.data, once.data);
  assert.equal((await client.allItems(id)).length, 1);
});

test("a turn is one request, and its context holds what it appended", async () => {
  const client = countingClient();
  const id = await newConversation(client);
  client.sent.length = 0;

  const { data, context } = await client.turn(id, hello, { model: "gpt-4o", budget: 100, format: "chat" });

  assert.equal(client.sent.length, 1);
  assert.equal(data.length, 1);
  assert.deepEqual(context.messages, [{ role: "user", content: "Hello" }]);
});

test("a turn whose context does not fit says what would do, and that its items are stored", async () => {
  const client = createClient(settings);
  const id = await newConversation(client);

  const error = await client.turn(id, hello, { model: "gpt-4o", budget: 1 }).catch((reason) => reason);

  assert.ok(error instanceof ContextDoesNotFitError);
  assert.equal(error.isStored, true);
  assert.ok(error.neededTokens > 1);
  assert.equal((await client.allItems(id)).length, 1);
});

test("a problem is an error that names the field", async () => {
  const client = createClient(settings);
  const id = await newConversation(client);

  const error = await client.append(id, { items: [{ role: "nobody", content: "x" }] }).catch((reason) => reason);

  assert.ok(error instanceof ProblemError);
  assert.equal(error.status, 400);
  assert.match(error.param, /^items\[0\]/);
});

test("an unknown conversation is a 404 that is not tried again", async () => {
  const client = countingClient();

  const error = await client.context("conv_nowhere", { budget: 100 }).catch((reason) => reason);

  assert.equal(error.status, 404);
  assert.equal(client.sent.length, 1);
});

test("no server is a ConnectionError after the retries", async () => {
  let tries = 0;
  const fetch = async () => {
    tries += 1;
    throw new TypeError("refused");
  };
  const client = createClient({ ...settings, fetch, retries: 1 });

  await assert.rejects(client.conversation("conv_a"), ConnectionError);
  assert.equal(tries, 2);
});

test("time that is over is a DeadlineError, and what the caller stops is the caller's reason", async () => {
  const fetch = (_, { signal }) =>
    new Promise((_, reject) => {
      const open = setInterval(() => {}, 1000); // As a socket does, it keeps the process alive.
      signal.addEventListener("abort", () => {
        clearInterval(open);
        reject(signal.reason);
      });
    });
  const client = createClient({ ...settings, fetch });
  const stop = new AbortController();
  const reason = new Error("nobody waits any more");

  await assert.rejects(client.conversation("conv_a", { timeoutMs: 20 }), DeadlineError);
  const stopped = client.conversation("conv_a", { signal: stop.signal });
  stop.abort(reason);
  await assert.rejects(stopped, reason);
});

test("all items come in order, also those of many pages", async () => {
  const client = createClient(settings);
  const id = await newConversation(client);
  for (let batch = 0; batch < 3; batch += 1) {
    const items = Array.from({ length: 50 }, (_, index) => ({ role: "user", content: `${batch * 50 + index}` }));
    await client.append(id, { items });
  }

  const texts = (await client.allItems(id)).map((item) => item.content[0].text);

  assert.deepEqual(
    texts,
    Array.from({ length: 150 }, (_, index) => `${index}`),
  );
});
