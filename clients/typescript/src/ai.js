export { createChatStore } from "./chats.js";
export { createMemory } from "./memory.js";
