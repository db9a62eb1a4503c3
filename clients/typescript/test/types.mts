// What a user writes compiles, and what is not there does not.
import { generateText, type ModelMessage, type UIMessage } from "ai";
import { ContextDoesNotFitError, createClient, type Context } from "warmthread";
import { createChatStore, createMemory, type Prompt } from "warmthread/ai";

const client = createClient({ baseUrl: "http://127.0.0.1:3000", apiKey: "wt_dev_local", timeoutMs: 5000 });

export async function turn(model: Parameters<typeof generateText>[0]["model"], asked: string): Promise<string> {
  const conversation = await client.createConversation({ metadata: { user: "1" } });
  const memory = createMemory({ client, conversationId: conversation.id, model: "gpt-4o", budget: 2000 });
  const turn = await memory.turn([{ role: "user", content: asked }]);
  const result = await generateText({ model, ...turn.prompt, prepareStep: turn.prepareStep });
  const messages: ModelMessage[] = await turn.unsaved(result);
  await memory.append(messages, { idempotencyKey: "one", signal: AbortSignal.timeout(100) });
  const prompt: Prompt = await memory.context({ budget: 1000 });
  // @ts-expect-error  a budget is a number
  await memory.context({ budget: "1000" });
  return `${prompt.tokens} ${prompt.omitted.items} ${result.text}`;
}

export async function chat(id: string, messages: UIMessage[]): Promise<UIMessage[]> {
  const chats = createChatStore({ client, model: "gpt-4o", budget: 2000 });
  const { unsupported } = await chats.save(id, messages);
  // @ts-expect-error  there is no such member
  unsupported.map((each) => each.index);
  return chats.load(id);
}

export function said(context: Context): number {
  switch (context.format) {
    case "chat":
      return context.messages.length;
    case "items":
      return context.input.length;
    default:
      return 0;
  }
}

export async function append(): Promise<number> {
  try {
    await client.append("conv_1", { items: [{ role: "user", content: "Hello" }] });
    // @ts-expect-error  no such role
    await client.append("conv_1", { items: [{ role: "nobody", content: 1 }] });
    return 0;
  } catch (error) {
    return error instanceof ContextDoesNotFitError ? (error.neededTokens ?? 0) : 1;
  }
}
