export { createChatStore } from "./chats.js";
export type { ChatStore, UnsupportedPart } from "./chats.js";
export { createMemory } from "./memory.js";
export type { Memory, MemoryDefaults, MemoryOptions, ModelPrompt, Prompt, Turn, Unsupported } from "./memory.js";
