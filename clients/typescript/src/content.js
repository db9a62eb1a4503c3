/**
 * Files and pictures of messages, and results of tools, as the AI SDK has them and as JSON has them.
 *
 * A file of the AI SDK is a URL, bytes, base64, or since version 7 one of these with its name beside it
 * (`{type: "data" | "url" | "text" | "reference"}`). In JSON it is a URL, which may be a data URL.
 */

const DATA_URL = /^data:([^;,]*)(?:;[^;,]*)*;base64,/i;
const WEB_URL = /^https?:\/\//i;
const TYPE_BY_ENDING = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  pdf: "application/pdf",
  txt: "text/plain",
};
const CHUNK_BYTES = 0x8000;

/**
 * Return the URL of a file's or a picture's *data*, null where it has none: a reference to what a provider keeps.
 *
 * @param {any} data @param {string | undefined} mediaType
 * @returns {string | null}
 */
export function urlOf(data, mediaType) {
  if (data instanceof URL) return data.href;
  if (typeof data === "string") {
    return WEB_URL.test(data) || /^data:/i.test(data) ? data : dataUrl(mediaType, data);
  }
  if (data instanceof Uint8Array) return dataUrl(mediaType, base64Of(data));
  if (data instanceof ArrayBuffer) return dataUrl(mediaType, base64Of(new Uint8Array(data)));
  switch (data?.type) {
    case "data":
      return urlOf(data.data, mediaType);
    case "url":
      return String(data.url);
    case "text":
      return dataUrl(
        mediaType?.includes("/") ? mediaType : "text/plain",
        base64Of(new TextEncoder().encode(data.text)),
      );
    default:
      return null;
  }
}

/** @param {string | undefined} mediaType @param {string} base64 */
function dataUrl(mediaType, base64) {
  return `data:${fullType(mediaType, base64)};base64,${base64}`;
}

/** The AI SDK takes `image/*`, `image` and nothing at all for pictures; the first bytes say what it is. */
function fullType(/** @type {string | undefined} */ mediaType, /** @type {string} */ base64) {
  if (mediaType && mediaType.includes("/") && !mediaType.endsWith("/*")) return mediaType;
  if (base64.startsWith("/9j/")) return "image/jpeg";
  if (base64.startsWith("R0lG")) return "image/gif";
  if (base64.startsWith("UklGR")) return "image/webp";
  return "image/png";
}

/** @param {Uint8Array} bytes */
function base64Of(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK_BYTES));
  }
  return btoa(text);
}

/** @param {string} url */
export function splitDataUrl(url) {
  const match = DATA_URL.exec(url);
  return match && { mediaType: match[1].toLowerCase(), base64: url.slice(match[0].length) };
}

/**
 * Return the file part that *url* is. Both versions of the AI SDK take a URL, and base64.
 *
 * @param {string} url @param {{ mediaType?: string, filename?: string }} [known]
 */
export function filePart(url, { mediaType, filename } = {}) {
  const data = splitDataUrl(url);
  const name = filename ? { filename } : {};
  if (data) return { type: "file", mediaType: data.mediaType, data: data.base64, ...name };
  const guess = mediaType ?? typeByEnding(filename) ?? typeByEnding(url.split(/[?#]/)[0]) ?? "application/pdf";
  return { type: "file", mediaType: guess, data: new URL(url), ...name };
}

/** @param {string | undefined} name @returns {string | undefined} */
function typeByEnding(name) {
  return TYPE_BY_ENDING[/** @type {"png"} */ (name?.split(".").pop()?.toLowerCase())];
}

/** @param {string | undefined} mediaType */
export const isImage = (mediaType) => /^image(\/|$)/.test(mediaType ?? "");

/**
 * Return the arguments of a call as the JSON that providers have. A string is what a model wrote that was no JSON.
 *
 * @param {unknown} input
 */
export const writeInput = (input) => (typeof input === "string" ? input : (JSON.stringify(input) ?? "{}"));

/** @param {string} text @returns {unknown} */
export function readInput(text) {
  try {
    return JSON.parse(text || "{}");
  } catch {
    return text;
  }
}

/**
 * Return what a tool put out as text, which is what a model reads; null for content of several parts.
 *
 * @param {any} output @returns {string | null}
 */
export function outputText(output) {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "json":
    case "error-json":
      return JSON.stringify(output.value) ?? "null";
    case "execution-denied":
      return output.reason ?? "Tool execution denied.";
    default:
      return null;
  }
}

/**
 * Return the output that *text* stands for: an object or a list where it is exactly their JSON, else a text.
 *
 * @param {string} text
 */
export function readOutput(text, isError = false) {
  if (/^[[{]/.test(text)) {
    try {
      const value = JSON.parse(text);
      if (JSON.stringify(value) === text) return { type: isError ? "error-json" : "json", value };
    } catch {
      // It begins like JSON and is a text.
    }
  }
  return { type: isError ? "error-text" : "text", value: text };
}

/**
 * Return the parts of a tool's content one by one: a text, or the URL of a file; null for what has neither.
 *
 * @param {any} part
 * @returns {{ text: string } | { url: string, isImage: boolean, filename?: string } | null}
 */
export function contentPart(part) {
  switch (part.type) {
    case "text":
      return { text: part.text };
    case "file":
    case "media":
    case "file-data":
    case "image-data": {
      const url = urlOf(part.data, part.mediaType);
      return url === null
        ? null
        : { url, isImage: isImage(part.mediaType) || part.type === "image-data", filename: part.filename };
    }
    case "file-url":
    case "image-url":
      return { url: part.url, isImage: isImage(part.mediaType) || part.type === "image-url" };
    default:
      return null;
  }
}

/**
 * Return the part of a tool's content that a file at *url* is, in a form that AI SDK 6 and 7 know.
 *
 * @param {string} url @param {{ isImage: boolean, filename?: string }} known
 */
export function resultFile(url, { isImage: isPicture, filename }) {
  const data = splitDataUrl(url);
  if (!data) return isPicture ? { type: "image-url", url } : { type: "file-url", url };
  if (isPicture) return { type: "image-data", data: data.base64, mediaType: data.mediaType };
  return { type: "file-data", data: data.base64, mediaType: data.mediaType, ...(filename && { filename }) };
}
