// Messages of the AI SDK that tests append, in their normal form: as contexts bring them back.
export const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const PDF = Buffer.from("%PDF-1.4 nothing").toString("base64");

export const call = (toolCallId, toolName, input, providerOptions) => ({
  type: "tool-call",
  toolCallId,
  toolName,
  input,
  ...(providerOptions && { providerOptions }),
});
export const result = (toolCallId, toolName, output) => ({ type: "tool-result", toolCallId, toolName, output });
export const text = (said) => ({ type: "text", text: said });
export const user = (content) => ({ role: "user", content });
export const assistant = (...content) => ({ role: "assistant", content });
export const tool = (...content) => ({ role: "tool", content });

/** By name, what one conversation holds. */
export const DIALOGUES = {
  texts: [user("Hello"), assistant(text("Hi!")), user([text("One"), text("two")]), assistant(text("a"), text("b"))],
  files: [
    user([
      text("What is this?"),
      { type: "file", mediaType: "image/png", data: PNG },
      { type: "file", mediaType: "application/pdf", data: PDF, filename: "a.pdf" },
      { type: "file", mediaType: "image/*", data: new URL("https://example.com/a.png") },
      { type: "file", mediaType: "application/pdf", data: new URL("https://example.com/b.pdf") },
    ]),
    assistant(text("A dot.")),
  ],
  tools: [
    user("Weather in Rome and Paris?"),
    assistant(
      text("I will look."),
      call("c1", "weather", { city: "Rome" }),
      call("c2", "weather", { city: "Paris", days: 2 }),
    ),
    tool(
      result("c1", "weather", { type: "json", value: { sky: "clear", degrees: 21 } }),
      result("c2", "weather", { type: "text", value: "rain" }),
    ),
    assistant(text("Rome is dry.")),
    user("Draw it."),
    assistant(call("c3", "draw", {})),
    tool(
      result("c3", "draw", {
        type: "content",
        value: [text("drawn"), { type: "image-data", data: PNG, mediaType: "image/png" }],
      }),
    ),
    assistant(text("Done.")),
  ],
  sealed: [
    user("Think."),
    assistant(
      { type: "reasoning", text: "Hm.", providerOptions: { openai: { reasoningEncryptedContent: "c2VhbGVk" } } },
      call("c9", "find", { what: "it" }),
    ),
    tool(result("c9", "find", { type: "text", value: "found" })),
    assistant(text("Here.")),
  ],
};

/** What only a provider's own messages have a form for, by the model that gets it back. */
export const SIGNED = {
  "claude-sonnet-4-5": [
    user("Think, then find."),
    assistant(
      { type: "reasoning", text: "I have to look.", providerOptions: { anthropic: { signature: "c2lnbmVk" } } },
      { type: "reasoning", text: "", providerOptions: { anthropic: { redactedData: "cmVkYWN0ZWQ=" } } },
      text("One moment."),
      call("toolu_1", "find", { what: "it" }),
    ),
    tool(result("toolu_1", "find", { type: "error-text", value: "nothing there" })),
  ],
  "gemini-2.5-pro": [
    user("Think, then find."),
    assistant(
      { type: "reasoning", text: "I have to look." },
      call("call_1", "find", { what: "it" }, { google: { thoughtSignature: "c2lnbmVk" } }),
    ),
    tool(result("call_1", "find", { type: "json", value: { found: true } })),
  ],
};
