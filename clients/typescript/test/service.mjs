// The real service, which the Python side has started, and what its store was asked.
import { createClient } from "warmthread";

const { WARMTHREAD_URL: baseUrl, WARMTHREAD_KEY: apiKey, STORE_STATS_URL: statsUrl, STORE_TOKEN: token } = process.env;

export const settings = { baseUrl, apiKey };

/** A client that counts its requests, and what it has sent. */
export function countingClient(options = {}) {
  const sent = [];
  const fetch = (url, init) => {
    sent.push({ url: String(url), ...init });
    return (options.fetch ?? globalThis.fetch)(url, init);
  };
  return Object.assign(createClient({ ...settings, ...options, fetch }), { sent });
}

export async function newConversation(client) {
  return (await client.createConversation()).id;
}

/** How many HTTP requests the store has got so far. */
export async function storeRequests() {
  const answer = await fetch(statsUrl, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()).requests;
}
