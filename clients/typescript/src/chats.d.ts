import type { UIMessage } from "ai";
import type { Client, RequestOptions } from "./client.js";
import type { MemoryDefaults, Prompt } from "./memory.js";

/** Part of a UIMessage that has no form in a conversation and was not stored: metadata, data parts and the like. */
export interface UnsupportedPart {
  messageId: string;
  type: string;
}

type Options = Pick<RequestOptions, "signal" | "timeoutMs">;

export interface ChatStore {
  /** Make a conversation, and return its id: the `id` of useChat. */
  create(
    given?: { metadata?: Record<string, string>; user?: string; agent?: string },
    options?: RequestOptions,
  ): Promise<string>;
  load<Message extends UIMessage = UIMessage>(id: string, options?: Options): Promise<Message[]>;
  /** Make what is stored equal to *messages*, all of the chat: what is there already is left alone. */
  save(id: string, messages: readonly UIMessage[], options?: Options): Promise<{ unsupported: UnsupportedPart[] }>;
  /** Save, and return the prompt for the next model call. */
  turn(
    id: string,
    messages: readonly UIMessage[],
    parameters?: MemoryDefaults & Options,
  ): Promise<Omit<Prompt, "unsupported"> & { unsupported: UnsupportedPart[] }>;
}

export function createChatStore(options: { client: Client } & MemoryDefaults): ChatStore;
