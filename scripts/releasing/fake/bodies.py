"""
What the API takes as bodies of a rolling release's calls; all else is refused, unknown members too.

Source: the zod schemas of npm's @vercel/sdk (`StartRollingReleaseRequestBody`, `ApproveRollingReleaseStageRequestBody`,
`CompleteRollingReleaseRequestBody`). `activeStageIndex` is sent by the CLI and in no schema. The configuration has no
type there: its form is the CLI's, `commands/rolling-release/configure-rolling-release.ts`, its bounds are the docs'.
"""

from typing import Any

from scripts.releasing.fake.refusals import ApiRefusal

ADVANCEMENTS = ("manual-approval", "automatic")
STAGES_MAX = 10


def check_empty(body: Any) -> None:
    """Of `rollback` and `promote`: the CLI sends an empty object, the SDK nothing."""
    _check_members({} if body is None else body, set())


def check_canary(body: Any) -> str:
    """Return the deployment that *body* names. Raises ApiRefusal, as all here."""
    _check_members(body, {"canaryDeploymentId"})
    return _text(body, "canaryDeploymentId")


def check_approval(body: Any) -> tuple[int, str]:
    """Return the stage and the canary."""
    _check_members(body, {"nextStageIndex", "canaryDeploymentId", "activeStageIndex"})
    index = body.get("nextStageIndex")
    if not _is_number(index) or index != int(index):
        raise _wrong("`nextStageIndex` should be a number")
    return int(index), _text(body, "canaryDeploymentId")


def check_configuration(body: Any) -> None:
    _check_members(body, {"enabled", "advancementType", "stages"})
    if not isinstance(body.get("enabled"), bool):
        raise _wrong("`enabled` should be boolean")
    if not body["enabled"]:
        return
    if body.get("advancementType") not in ADVANCEMENTS:
        raise _wrong("`advancementType` should be one of manual-approval, automatic")
    stages = body.get("stages")
    if not isinstance(stages, list) or not 2 <= len(stages) <= STAGES_MAX:
        raise _wrong(f"`stages` should be 2 to {STAGES_MAX} stages")
    percentages = [_percentage(each, body["advancementType"], is_last=each is stages[-1]) for each in stages]
    if percentages != sorted(set(percentages)):
        raise _wrong("`stages` should have ascending percentages")


def _percentage(stage: Any, advancement: str, *, is_last: bool) -> float:
    _check_members(stage, {"targetPercentage", "duration", "linearShift"})
    share = stage.get("targetPercentage")
    if not _is_number(share):
        raise _wrong("`targetPercentage` should be a number")
    if is_last and share != 100:
        raise _wrong("The last stage should have 100 percent")
    if not is_last and not 1 <= share <= 99:
        raise _wrong("A stage before the last should have 1 to 99 percent")
    timed = advancement == "automatic" and not is_last
    if timed != ("duration" in stage):
        raise _wrong("`duration` belongs to each stage but the last of an automatic advancement, and to no other")
    return float(share)


def _check_members(body: Any, known: set[str]) -> None:
    if not isinstance(body, dict):
        raise _wrong("the body should be object")
    if unknown := body.keys() - known:
        raise _wrong(f"should NOT have additional property `{min(unknown)}`")


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _wrong(f"missing required property `{name}`")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(message: str) -> ApiRefusal:
    return ApiRefusal(400, "bad_request", f"Invalid request: {message}.")
