"""
The tests that openai-python has of conversations and their items, from its source distribution, pass here.

They are meant for a mock server that has whatever it is asked for; what they ask for is made before each of them. Left
out are those with aiohttp as the client's transport, an extra of that client, and the one test that asks for a page of
no items behind an item called "after": OpenAI documents 1 to 100, and so it is here.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import openai
import pytest

from scripts.local.upstash import LocalUpstash
from tests.roots import environ_of_registries

ROOT = Path(__file__).parents[1]
CONFTEST = Path(__file__).parent / "data" / "openai_conftest.py"
WANTED = (
    "tests/__init__.py",
    "tests/utils.py",
    "tests/api_resources/__init__.py",
    "tests/api_resources/test_conversations.py",
    "tests/api_resources/conversations/__init__.py",
    "tests/api_resources/conversations/test_items.py",
)
BACKEND = """
import pathlib, shutil

def prepare_metadata_for_build_wheel(folder, settings=None):
    info = pathlib.Path(folder, "openai-VERSION.dist-info")
    info.mkdir()
    shutil.copy("PKG-INFO", info / "METADATA")
    return info.name
"""
"""In place of what builds it, which pip asks for its metadata, and would fetch and install for that."""

LEFT_OUT = "not aiohttp and not test_method_list_with_all_params"
TIMEOUT_S = 300
TESTS_MIN = 130

pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip, which fetches it, is not here"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with those of its tests, and our conftest."""
    folder = tmp_path_factory.mktemp("openai")
    name = f"openai=={openai.__version__}"
    (folder / "builds" / "hatchling").mkdir(parents=True)
    (folder / "builds" / "hatchling" / "build.py").write_text(BACKEND.replace("VERSION", openai.__version__))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-binary", "openai"]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, name],
        cwd=folder,
        env={**environ_of_registries(), "PYTHONPATH": str(folder / "builds")},
        check=True,
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        for wanted in WANTED:
            member = source.getmember(f"openai-{openai.__version__}/{wanted}")
            member.name = wanted
            source.extract(member, folder, filter="data")
    shutil.copy(CONFTEST, folder / "tests" / "conftest.py")
    return folder


def test_openais_own_tests_pass(folder: Path, service_url: str, key: str, upstash: LocalUpstash) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TEST_API_BASE_URL": f"{service_url}/v1",
        "WARMTHREAD_KEY": key,
        "UPSTASH_REDIS_REST_URL": upstash.url,
        "UPSTASH_REDIS_REST_TOKEN": upstash.token,
    }
    options = ["-q", "-p", "no:cacheprovider", "-o", "anyio_mode=auto", "-k", LEFT_OUT, "--rootdir", str(folder)]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", os.devnull, *options, "tests/api_resources"],
        cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    passed = re.search(r"^(\d+) passed, \d+ deselected", ran.stdout, re.MULTILINE)

    assert ran.returncode == 0, ran.stdout[-4_000:] + ran.stderr[-2_000:]
    assert passed is not None, ran.stdout[-4_000:]
    assert int(passed[1]) >= TESTS_MIN
