"""
Commands on the store past the service, for who plants a fault or reads what is stored.
"""

from typing import Any

import httpx


class Past:
    """A client of the store's REST protocol."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"})

    def run(self, *command: str | int) -> Any:
        """Run one command. Raises RuntimeError: the store refused it."""
        answer = self._http.post("/", json=list(command)).json()
        if "result" not in answer:
            raise RuntimeError(f"the store refused {command[0]}: {answer['error']}")
        return answer["result"]

    def close(self) -> None:
        self._http.close()
