/**
 * The service's routes for conversations, as functions over `fetch`.
 *
 *     request -> retries within one deadline -> the answer's JSON, or an error of errors.js
 *
 * Every write carries an Idempotency-Key, so that what is tried again is done once.
 */

import { ConnectionError, DeadlineError, problemError } from "./errors.js";

const RETRIED = new Set([408, 502, 503, 504]);
const PAUSE_MS = 100;
const PAGE_ITEMS = 100;

/** @type {typeof import("./client").createClient} */
export function createClient({
  baseUrl,
  apiKey,
  timeoutMs = 30_000,
  retries = 2,
  fetch = globalThis.fetch,
  headers: besides = {},
}) {
  const base = String(baseUrl).replace(/\/+$/, "").replace(/\/v1$/, "");

  /** @param {string} method @param {string} path @param {any} body @param {any} options */
  async function request(method, path, body, options = {}) {
    const headers = { ...besides, ...options.headers, authorization: `Bearer ${apiKey}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (method !== "GET") headers["idempotency-key"] = options.idempotencyKey ?? crypto.randomUUID();
    const deadline = AbortSignal.timeout(options.timeoutMs ?? timeoutMs);
    const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
    const sent = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
    for (let left = options.retries ?? retries; ; left -= 1) {
      const [answer, error] = await attempt(`${base}/v1${path}`, sent);
      if (!error) return answer;
      if (signal.aborted) throw over(deadline, options.signal, error);
      const mayRetry = error instanceof ConnectionError || (RETRIED.has(error.status) && error.shouldRetry);
      if (left <= 0 || !mayRetry) throw error;
      const pauseMs = Math.max(PAUSE_MS * (1 + Math.random()), 1000 * (error.retryAfterS ?? 0));
      await pause(pauseMs, signal).catch(() => {
        throw over(deadline, options.signal, error);
      });
    }
  }

  /** @param {string} url @param {any} sent */
  async function attempt(url, sent) {
    try {
      const response = await fetch(url, sent);
      const text = await response.text();
      if (response.ok) return [JSON.parse(text), null];
      return [null, problemError(readProblem(response.status, text), response.headers)];
    } catch (cause) {
      return [null, new ConnectionError(`No answer came from ${base}.`, { cause })];
    }
  }

  const at = (/** @type {string} */ id) => `/conversations/${encodeURIComponent(id)}`;

  return {
    createConversation: (given = {}, options) => request("POST", "/conversations", given, options),
    conversation: (id, options) => request("GET", at(id), undefined, options),
    deleteConversation: (id, options) => request("DELETE", at(id), undefined, options),
    append: (id, given, options) => request("POST", `${at(id)}/items`, given, options),
    async turn(id, given, context, options) {
      const answer = await request("POST", `${at(id)}/items`, { ...given, context }, options);
      const { error } = answer.context;
      if (error) throw Object.assign(problemError({ ...error, error }), { isStored: true });
      return answer;
    },
    context: (id, parameters = {}, options) =>
      request("GET", `${at(id)}/context${query(parameters)}`, undefined, options),
    items: (id, parameters = {}, options) => request("GET", `${at(id)}/items${query(parameters)}`, undefined, options),
    async allItems(id, options) {
      const items = [];
      for (let after; ;) {
        const parameters = { order: "asc", limit: PAGE_ITEMS, ...(after && { after }) };
        const page = await request("GET", `${at(id)}/items${query(parameters)}`, undefined, options);
        items.push(...page.data);
        if (!page.has_more) return items;
        after = page.last_id;
      }
    },
    deleteItem: (id, itemId, options) =>
      request("DELETE", `${at(id)}/items/${encodeURIComponent(itemId)}`, undefined, options),
    request,
  };
}

/** @param {Record<string, unknown>} parameters */
function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/** @param {number} status @param {string} text */
function readProblem(status, text) {
  try {
    return { ...JSON.parse(text), status };
  } catch {
    return { status, detail: text.slice(0, 200) || undefined };
  }
}

/** What the caller stopped is thrown as the caller said it; what took too long is a DeadlineError. */
function over(
  /** @type {AbortSignal} */ deadline,
  /** @type {AbortSignal | undefined} */ stop,
  /** @type {Error} */ cause,
) {
  return stop?.aborted && !deadline.aborted ? stop.reason : new DeadlineError("The request's time is over.", { cause });
}

/** @param {number} forMs @param {AbortSignal} signal */
function pause(forMs, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, forMs);
    signal.addEventListener("abort", stopped, { once: true });
    function done() {
      signal.removeEventListener("abort", stopped);
      resolve(undefined);
    }
    function stopped() {
      clearTimeout(timer);
      reject(signal.reason);
    }
  });
}
