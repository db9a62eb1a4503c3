/**
 * Questions to this deployment, and what is said when one goes wrong.
 */

/** What went wrong: `words` for a person, `detail` as the service puts it. */
export class Problem extends Error {
  /** @param {number} status 0: no answer came @param {any} document the problem document, or what is like it */
  constructor(status, document) {
    super(document.title ?? "no answer");
    this.status = status;
    this.document = document;
    this.words = words(status, document);
    const id = document.request_id ? ` Request ${document.request_id}.` : "";
    this.detail = (document.detail ?? "") + id;
  }
}

function words(status, document) {
  const kind = String(document.type ?? "").split(/[/:#]/).pop();
  if (status === 0) return "No answer came. Is the service running, and are you online?";
  if (status === 401) return "This key is not valid here. Check it, or ask for a new one.";
  if (status === 404) return "Nothing of this name exists under this key.";
  if (kind === "context-does-not-fit") return "This budget is too small for what is always kept.";
  if (status === 429) return "Too many requests, or a budget is used up. Wait a little.";
  if (kind === "misconfigured") return "A setting of this deployment is wrong, so it does not answer this.";
  if (kind === "store-full") return "The store is full.";
  if (status === 503) return "The store is away, or the service is busy. What is shown may be old.";
  if (status >= 500) return "The service failed. Its log says why.";
  return "This was refused.";
}

/**
 * Ask for *path* with *secret*; JSON, or text where that is what comes.
 *
 * Throws Problem; an abort by *signal* is a DOMException, as it is of `fetch`.
 *
 * @param {string} path @param {string} secret @param {AbortSignal} [signal]
 */
export async function ask(path, secret, signal) {
  let response, body;
  try {
    response = await fetch(path, {
      // Nothing of a conversation belongs in the browser's cache on disk. The header is what the browser would put in
      // the place of none: no-cache, which forbids more than is meant.
      cache: "no-store",
      headers: { authorization: `Bearer ${secret}`, "cache-control": "max-age=0" },
      credentials: "omit",
      signal,
    });
    body = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, {});
  }
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  let read = body;
  try {
    if (isJson) read = JSON.parse(body);
  } catch {
    throw new Problem(0, {});
  }
  if (response.ok) return read;
  throw new Problem(response.status, isJson ? read : { detail: body.slice(0, 200) });
}
