"""What a cold function does not load before something needs it."""

import subprocess
import sys

import httpx

WITHOUT_A_JOB = """
import asyncio, sys
from shared.process.pool import Pool

async def work():
    pool = Pool(1)
    assert await pool.run_when(False, len, "four") == 4
    print("anyio._backends._asyncio" in sys.modules)
    assert await pool.run_when(True, len, "four") == 4
    print("anyio._backends._asyncio" in sys.modules)

asyncio.run(work())
"""


def test_the_threads_are_loaded_by_the_first_job() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT_A_JOB], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["False", "True"]


WHAT_IS_MISSING = """
import json, sys
from types import SimpleNamespace
from shared.process.imports import remember_missing
from vercel_runtime.headers import set_headers
from vercel_runtime.wait_until import begin_wait_until, clear_wait_until_context

looked_for = []
finder = SimpleNamespace(find_spec=lambda name, path, target=None: looked_for.append(name))
sys.meta_path.insert(0, finder)

def searches():
    looked_for.clear()
    set_headers({})
    begin_wait_until()
    clear_wait_until_context()
    set_headers(None)
    return looked_for.count("vercel")

before = searches()
remember_missing()
after = searches()
remember_missing("json.tool")
print(before, after, "json.tool" in sys.modules)
"""


def test_what_the_launcher_misses_is_searched_for_once() -> None:
    ran = subprocess.run([sys.executable, "-c", WHAT_IS_MISSING], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["4", "0", "False"], "each search costs the event loop 50 microseconds"


def test_a_function_searches_no_more_once_it_runs(api: httpx.Client) -> None:
    assert api.get("/v1/conversations/conv_none").status_code == 404
    assert sys.modules.get("vercel", "not looked for") is None
