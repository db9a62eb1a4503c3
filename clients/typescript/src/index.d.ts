export { createClient } from "./client.js";
export type {
  Appended,
  Client,
  ClientOptions,
  Context,
  ContextParameters,
  Conversation,
  Given,
  Page,
  RequestOptions,
  StoredItem,
} from "./client.js";
export * from "./errors.js";
export type { components, operations, paths } from "./openapi.js";
