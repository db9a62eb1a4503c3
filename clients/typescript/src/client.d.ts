import type { components, operations } from "./openapi.js";

type Body<Name extends keyof operations> = operations[Name] extends {
  requestBody?: { content: { "application/json": infer Given } };
}
  ? Given
  : never;
type Answer<Name extends keyof operations> = operations[Name]["responses"] extends {
  200: { content: { "application/json": infer Said } };
}
  ? Said
  : never;
type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;

/** Each way of a body stays one: Omit alone would keep only what all of them have. */
type Without<Ways, Name extends string> = Ways extends unknown ? Omit<Ways, Name> : never;

export type Conversation = components["schemas"]["conversation"];
export type StoredItem = components["schemas"]["stored_item"];
/** What an append brings: items, or messages of a provider. */
export type Given = Without<Body<"append">, "context">;
/** The parameters of a context: `model`, `budget`, `format` and the like. */
export type ContextParameters = Query<"context">;
/** A context, by its `format`. */
export type Context = Answer<"context">;
export type Page = Answer<"items">;
export type Appended = Answer<"append">;

export interface ClientOptions {
  /** Where the service is, with or without `/v1`. */
  baseUrl: string | URL;
  /** `wt_<tenant>_<secret>`. Keep it on the server. */
  apiKey: string;
  /** For a request and its retries together; 30,000. */
  timeoutMs?: number;
  /** How often a request is sent again that got no answer, or a 408, 502, 503 or 504; 2. */
  retries?: number;
  fetch?: typeof globalThis.fetch;
  headers?: Record<string, string>;
}

export interface RequestOptions {
  /** Names what is written: the same key again writes nothing, and answers the same. Made where it is not given. */
  idempotencyKey?: string;
  /** Stops the request. */
  signal?: AbortSignal;
  timeoutMs?: number;
  retries?: number;
  headers?: Record<string, string>;
}

/** Each throws ProblemError, ConnectionError or DeadlineError. */
export interface Client {
  createConversation(given?: Body<"create">, options?: RequestOptions): Promise<Conversation>;
  conversation(id: string, options?: RequestOptions): Promise<Conversation>;
  deleteConversation(id: string, options?: RequestOptions): Promise<unknown>;
  /** Append all or nothing, once. */
  append(id: string, given: Given, options?: RequestOptions): Promise<Appended>;
  /**
   * Append, and answer with the context right after it, in one request.
   *
   * @throws ContextDoesNotFitError and the like: the items are stored then, and `isStored` of the error is true.
   */
  turn(
    id: string,
    given: Given,
    context: ContextParameters,
    options?: RequestOptions,
  ): Promise<Omit<Appended, "context"> & { context: Context }>;
  context(id: string, parameters?: ContextParameters, options?: RequestOptions): Promise<Context>;
  items(id: string, parameters?: Query<"items">, options?: RequestOptions): Promise<Page>;
  /** All items, oldest first, in a request per 100. */
  allItems(id: string, options?: RequestOptions): Promise<StoredItem[]>;
  deleteItem(id: string, itemId: string, options?: RequestOptions): Promise<Conversation>;
  /** Any other route: `request("GET", "/usage")`. */
  request(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<unknown>;
}

export function createClient(options: ClientOptions): Client;
