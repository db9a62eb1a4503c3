"""Recall where the newest turn takes more than the window has room for."""

from pathlib import Path

import httpx

DATA = Path(__file__).parent / "data"
LINES = "application/x-ndjson"


def test_a_turn_longer_than_the_window_recalls_what_it_does_once_all_is_read(
    api: httpx.Client, other_api: httpx.Client
) -> None:
    """Of this log, drawn once, the items that decide the window say too little of the window before the newest turn."""
    export = (DATA / "log_with_a_long_turn.jsonl").read_bytes()
    paths = []
    for client in (api, other_api):
        answer = client.post("/v1/conversations/import", content=export, headers={"content-type": LINES})
        paths.append(f"/v1/conversations/{answer.json()['id']}/context?recall_budget=25")
    budgets = range(60, 160, 10)
    cold = [api.get(f"{paths[0]}&budget={budget}") for budget in budgets]
    assert other_api.get(f"{paths[1]}&budget=100000").status_code == 200
    whole = [other_api.get(f"{paths[1]}&budget={budget}&explain=true") for budget in budgets]

    assert [each.status_code for each in cold] == [200] * len(budgets)
    assert [each.json()["recalled"] for each in cold] == [each.json()["recalled"] for each in whole]
