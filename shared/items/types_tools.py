"""
The shapes of computers, shells, patches, programs, tools and MCP servers, under the rules of types_shapes.py.
"""

from typing import Annotated, Any, Literal, Required, TypedDict

from pydantic import WithJsonSchema
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from shared.items.types_shapes import Caller, Rows, Status, Variant, shape


def _strings_only(values: dict[str, Any]) -> dict[str, Any]:
    """Stop at the first value that is not a string: FailFast does this for lists only."""
    for key, value in values.items():
        if type(value) is not str:
            raise PydanticCustomError("string_value", "not a string", {"key": key})
    return values


# Pydantic's schema does not say what a validator refuses.
type Strings = Annotated[
    dict[str, Any],
    AfterValidator(_strings_only),
    WithJsonSchema({"additionalProperties": {"type": "string"}, "type": "object"}),
]


class Point(TypedDict):
    x: int
    y: int


class ComputerAction(Variant, total=False):
    button: str | None
    keys: Rows[str] | None
    path: Rows[Point] | None
    scroll_x: int | None
    scroll_y: int | None
    text: str | None
    x: int | None
    y: int | None


class SafetyCheck(TypedDict, total=False):
    id: Required[str]
    code: str | None
    message: str | None


@shape
class ComputerCall(TypedDict, total=False):
    call_id: Required[str]
    pending_safety_checks: Required[Rows[SafetyCheck]]
    action: ComputerAction | None
    actions: Rows[ComputerAction] | None
    status: Status


class Screenshot(TypedDict, total=False):
    type: Required[Literal["computer_screenshot"]]
    file_id: str | None
    image_url: str | None


@shape
class ComputerCallOutput(TypedDict, total=False):
    call_id: Required[str]
    output: Required[Screenshot]
    acknowledged_safety_checks: Rows[SafetyCheck] | None
    status: Literal["in_progress", "completed", "incomplete", "failed"] | None


@shape
class ToolSearchCall(TypedDict, total=False):
    arguments: Required[object]
    call_id: str | None
    execution: Literal["server", "client"] | None
    status: Status


@shape
class ToolSearchOutput(TypedDict, total=False):
    tools: Required[Rows[Variant]]
    call_id: str | None
    execution: Literal["server", "client"] | None
    status: Status


@shape
class AdditionalTools(TypedDict, total=False):
    role: Required[Literal["unknown", "user", "assistant", "system", "critic", "discriminator", "developer", "tool"]]
    tools: Required[Rows[Variant]]


class ReasoningConfiguration(TypedDict, total=False):
    effort: str | None


class TextFormat(Variant, total=False):
    name: str | None
    schema: dict[str, Any] | None
    description: str | None
    strict: bool | None


class TextConfiguration(TypedDict, total=False):
    format: Required[TextFormat]


@shape
class ConfigurationUpdate(TypedDict, total=False):
    reasoning: ReasoningConfiguration | None
    text: TextConfiguration | None


@shape
class Program(TypedDict):
    call_id: str
    code: str
    fingerprint: str


@shape
class ProgramOutput(TypedDict, total=False):
    call_id: Required[str]
    result: Required[str]
    status: Literal["completed", "incomplete"] | None


@shape
class Compaction(TypedDict):
    encrypted_content: str


class LocalShellAction(TypedDict, total=False):
    type: Required[Literal["exec"]]
    command: Required[Rows[str]]
    env: Required[Strings]
    timeout_ms: int | None
    user: str | None
    working_directory: str | None


@shape
class LocalShellCall(TypedDict, total=False):
    action: Required[LocalShellAction]
    call_id: Required[str]
    status: Status


@shape
class LocalShellCallOutput(TypedDict, total=False):
    output: Required[str]
    call_id: str | None
    status: Status


class ShellAction(TypedDict, total=False):
    commands: Required[Rows[str]]
    max_output_length: int | None
    timeout_ms: int | None


class ShellEnvironment(Variant, total=False):
    container_id: str | None
    skills: Rows[dict[str, Any]] | None


@shape
class ShellCall(TypedDict, total=False):
    action: Required[ShellAction]
    call_id: Required[str]
    caller: Caller | None
    environment: ShellEnvironment | None
    status: Status


class Outcome(Variant, total=False):
    exit_code: int | None


class ShellOutput(TypedDict):
    outcome: Outcome
    stderr: str
    stdout: str


@shape
class ShellCallOutput(TypedDict, total=False):
    call_id: Required[str]
    output: Required[Rows[ShellOutput]]
    caller: Caller | None
    max_output_length: int | None
    status: Status


class PatchOperation(Variant, total=False):
    path: Required[str]
    diff: str | None


@shape
class ApplyPatchCall(TypedDict, total=False):
    call_id: Required[str]
    operation: Required[PatchOperation]
    caller: Caller | None
    status: Literal["in_progress", "completed"] | None


@shape
class ApplyPatchCallOutput(TypedDict, total=False):
    call_id: Required[str]
    output: str | None
    caller: Caller | None
    status: Literal["completed", "failed"] | None


class McpTool(TypedDict, total=False):
    input_schema: Required[object]
    name: Required[str]
    annotations: object
    description: str | None


@shape
class McpListTools(TypedDict, total=False):
    server_label: Required[str]
    tools: Required[Rows[McpTool]]
    error: str | None


@shape
class McpRequest(TypedDict):
    arguments: str
    name: str
    server_label: str


@shape
class McpApprovalResponse(TypedDict, total=False):
    approval_request_id: Required[str]
    approve: Required[bool]
    reason: str | None


@shape
class McpCall(McpRequest, total=False):
    approval_request_id: str | None
    error: Variant | None
    output: str | None
    status: Literal["in_progress", "completed", "incomplete", "calling", "failed"] | None
