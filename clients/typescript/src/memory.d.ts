import type { ModelMessage, PrepareStepFunction, SystemModelMessage } from "ai";
import type { Client, Context, ContextParameters, RequestOptions } from "./client.js";

/** Part of a message that has no form in a conversation and was not stored. *message* counts from 0. */
export interface Unsupported {
  message: number;
  type: string;
}

type Said = Pick<Context, "tokens" | "budget" | "version" | "model" | "encoding" | "exact" | "kept" | "omitted">;

/** What a model call takes: spread it into generateText or streamText. Messages of the system stand in `system`. */
export interface ModelPrompt {
  system?: SystemModelMessage[];
  messages: ModelMessage[];
}

/** A context as the AI SDK takes it. `omitted.unsupported` names the items that these messages cannot carry. */
export interface Prompt extends ModelPrompt, Said {
  /** What of the appended messages was not stored. */
  unsupported: Unsupported[];
}

/** A prompt, and what stores the replies to it. */
export interface Turn extends Prompt {
  /** `system` and `messages` alone. */
  prompt: ModelPrompt;
  /** Stores what a step brought, and trims the next one's prompt to the budget: a request for each further step. */
  prepareStep: PrepareStepFunction<any>;
  /** The replies of the finished call that are not stored yet: put them before what the user says next. */
  unsaved(result: {
    response: PromiseLike<{ messages: ModelMessage[] }> | { messages: ModelMessage[] };
    responseMessages?: PromiseLike<ModelMessage[]> | ModelMessage[];
  }): Promise<ModelMessage[]>;
}

export interface MemoryDefaults extends Omit<ContextParameters, "format" | "recall_budget"> {
  /** By default that of the model's provider: Anthropic's for Claude, Gemini's for Gemini, else items. */
  format?: "items" | "anthropic" | "gemini";
  /** Percent of the budget for older items that match the newest user message: 20 by default. */
  recall_budget?: ContextParameters["recall_budget"];
}

export type MemoryOptions = MemoryDefaults & Pick<RequestOptions, "idempotencyKey" | "signal" | "timeoutMs">;

/** Each throws what the client throws. */
export interface Memory {
  readonly conversationId: string;
  /** Append messages as they came; once, where it is sent again. */
  append(
    messages: readonly ModelMessage[],
    options?: MemoryOptions,
  ): Promise<{ itemIds: string[]; unsupported: Unsupported[] }>;
  /** What matters of the conversation in at most `budget` tokens. */
  context(options?: MemoryOptions): Promise<Prompt>;
  /** Both in one request; more where the messages make over 100 items. */
  turn(messages: readonly ModelMessage[], options?: MemoryOptions): Promise<Turn>;
}

export function createMemory(options: { client: Client; conversationId: string } & MemoryDefaults): Memory;
