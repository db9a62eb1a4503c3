"""The types of Gemini's request, as its Python client publishes them (google-genai 3.6.1, types.py), in camelCase."""

from typing import Literal, Required, TypedDict

type _Object = dict[str, object]


class _InlineData(TypedDict, total=False):
    mimeType: Required[str]
    data: Required[str]
    displayName: str


class _FileData(TypedDict, total=False):
    mimeType: str
    fileUri: Required[str]
    displayName: str


class _FunctionCall(TypedDict, total=False):
    id: str
    name: Required[str]
    args: _Object


class _ResponsePart(TypedDict, total=False):
    inlineData: _InlineData
    fileData: _FileData


class _FunctionResponse(TypedDict, total=False):
    id: str
    name: Required[str]
    response: Required[_Object]
    parts: list[_ResponsePart]
    willContinue: bool
    scheduling: str


class _Part(TypedDict, total=False):
    text: str
    inlineData: _InlineData
    fileData: _FileData
    functionCall: _FunctionCall
    functionResponse: _FunctionResponse
    executableCode: _Object
    codeExecutionResult: _Object
    thought: bool
    thoughtSignature: str
    videoMetadata: _Object
    mediaResolution: _Object
    partMetadata: _Object


class _User(TypedDict, total=False):
    role: Required[Literal["user"]]
    parts: Required[list[_Part]]


class _Model(TypedDict, total=False):
    role: Required[Literal["model"]]
    parts: Required[list[_Part]]


class _Text(TypedDict, total=False):
    text: Required[str]


class _Instruction(TypedDict, total=False):
    role: str
    parts: Required[list[_Text]]


class GenerateRequest(TypedDict, total=False):
    contents: Required[list[_User | _Model]]
    system_instruction: _Instruction
    systemInstruction: _Instruction
