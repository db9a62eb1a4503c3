import type { components, operations, paths } from "./api";

type Context = operations["context"]["responses"]["200"]["content"]["application/json"];

// A switch over `format` leaves nothing over: each answer has the members of its format, and no others.
export function texts(context: Context): string[] {
  switch (context.format) {
    case "text":
      return [context.text];
    case "chat":
      return context.messages.flatMap((message) => {
        if (message.role === "assistant") {
          const calls = (message.tool_calls ?? []).map((call) =>
            call.type === "function" ? call.function.arguments : call.custom.input,
          );
          return [...calls, ...(message.content === null ? [] : chatTexts(message.content))];
        }
        if (message.role === "tool") return [message.tool_call_id, ...chatTexts(message.content)];
        return chatTexts(message.content);
      });
    case "anthropic":
      return [
        ...context.system.map((block) => block.text),
        ...context.messages.flatMap((message) =>
          message.role === "assistant"
            ? message.content.map((block) =>
                block.type === "text" ? block.text : block.type === "tool_use" ? block.name : block.type,
              )
            : message.content.flatMap((block) => {
                switch (block.type) {
                  case "text":
                    return [block.text];
                  case "image":
                    return [block.source.type];
                  case "tool_result":
                    return [block.tool_use_id];
                  default:
                    return [block.type];
                }
              }),
        ),
      ];
    case "gemini":
      return [context.system_instruction, ...context.contents].flatMap((content) =>
        (content?.parts ?? []).flatMap((part) => part.text ?? part.functionCall?.name ?? []),
      );
    case "items":
      return context.input.flatMap((item) => {
        switch (item.type) {
          case "function_call":
            return [item.id, item.name, item.arguments];
          case "function_call_output":
            return [item.call_id ?? item.id];
          default:
            return [item.id, item.type];
        }
      });
    default: {
      const nothing: never = context;
      return nothing;
    }
  }
}

type ChatPart = { type: "text"; text: string } | { type: string };

function chatTexts(content: string | ChatPart[]): string[] {
  if (typeof content === "string") return [content];
  return content.flatMap((part) => ("text" in part ? [part.text] : []));
}

// What is sent is typed as well.
export const batch: NonNullable<operations["append"]["requestBody"]>["content"]["application/json"] = {
  items: [
    { role: "user", content: "Hello" },
    { type: "function_call", call_id: "c1", name: "find", arguments: "{}" },
    { type: "function_call_output", call_id: "c1", output: "found" },
  ],
};
export const counted: operations["count"]["requestBody"]["content"]["application/json"] = {
  model: "gpt-4o",
  messages: [{ role: "user", content: "Hello" }],
  temperature: 0.5,
};
export type Listed = operations["list"]["responses"]["200"]["content"]["application/json"];
export const cursor = (page: Listed): string | null => (page.has_more ? page.next_after : page.last_id);
export const conversation = (page: Listed): components["schemas"]["listed_conversation"] | undefined => page.data[0];
export const problem = (body: components["schemas"]["Problem"]): string => `${body.status} ${body.error.param ?? ""}`;
export type Path = keyof paths;
export const known: Path = "/v1/conversations/{conversation_id}/context";
