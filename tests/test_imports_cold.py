"""What a cold function does not load before something needs it."""

import subprocess
import sys

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
