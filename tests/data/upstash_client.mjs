// What @upstash/redis makes of the local server; prints one JSON object. Started by tests/test_local_upstash_node.py.
import { Redis } from "@upstash/redis";

const redis = new Redis({
  url: process.env.UPSTASH_REDIS_REST_URL,
  token: process.env.UPSTASH_REDIS_REST_TOKEN,
  enableTelemetry: false,
});
const seen = { messages: [], pattern: [], tokens: [], errors: [] };
const until = async (holds) => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
};
const next = (subscriber, type) => new Promise((resolve) => subscriber.on(type, resolve));

const chat = redis.subscribe("node:chat");
chat.on("error", (error) => seen.errors.push(String(error)));
chat.on("message", (event) => seen.messages.push(event));
seen.subscribed = await next(chat, "subscribe");

// Of a pattern's messages this client takes JSON only.
const all = redis.psubscribe("node:j*");
all.on("error", (error) => seen.errors.push(String(error)));
all.on("pmessage", (event) => seen.pattern.push(event));
seen.psubscribed = await next(all, "psubscribe");

seen.receivers = [
  await redis.publish("node:chat", "hello, you"),
  await redis.publish("node:chat", { a: [1, "zażółć 漢字"] }),
  await redis.publish("node:json", { b: 2 }),
];
await until(() => seen.messages.length === 2 && seen.pattern.length === 1);

await chat.unsubscribe();
await all.unsubscribe();
// The server learns of it when the connections close, which nothing here tells.
await until(async () => (await redis.publish("node:chat", "anybody?")) === 0);
await until(async () => (await redis.publish("node:json", "anybody?")) === 0);

const token = () => seen.tokens.push(redis.readYourWritesSyncToken);
await redis.get("node:k"), token();
await redis.set("node:k", 1), token();
await redis.get("node:k"), token();
await redis.pipeline().incr("node:k").get("node:k").exec(), token();
await redis.eval("return redis.call('INCR', KEYS[1])", ["node:k"], []), token();
console.log(JSON.stringify(seen));
