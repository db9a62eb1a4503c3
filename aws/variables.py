"""
The variables of the function: its own, and below them what Systems Manager's Parameter Store keeps under one path.

    PARAMETERS_PATH=/warmthread/prod    each parameter below it is a variable, /warmthread/prod/CRON_SECRET for instance

So secrets stand encrypted in one place, and not in the function's configuration, which more may read. They are read
once, before an instance starts: whoever changes one has new instances started. Also set here, where nobody sets them,
are two that Vercel's platform or its way to work would: the name of the deployment, and that no invocation stays open
behind its answer, for on Lambda its caller would wait.

The only reader of the environment in this room.
"""

import os
import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from aws.signing import Credentials, signed_headers

PATH_VARIABLE = "PARAMETERS_PATH"
NAME = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
PAGES_MAX = 10
"""Of ten parameters, which is all that one request may ask for."""

TIMEOUT_S = 2.0
ATTEMPTS = 2
"""Lambda gives ten seconds to a start."""

TARGET = "AmazonSSM.GetParametersByPath"


class ParametersError(Exception):
    """The parameters could not be read; the text says why. Lambda starts the function again."""


def prepare(environ: MutableMapping[str, str] | None = None) -> None:
    """Complete *environ*, the process's own by default. Raises ParametersError: nothing was set."""
    environ = os.environ if environ is None else environ
    if path := environ.get(PATH_VARIABLE, ""):
        for name, value in read_parameters(path, environ).items():
            environ.setdefault(name, value)
    environ.setdefault("WARMTHREAD_METRICS_HOLD_S", "0")
    if function := environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        environ.setdefault("VERCEL_DEPLOYMENT_ID", f"{function}:{version}")


def read_parameters(path: str, environ: Mapping[str, str]) -> dict[str, str]:
    """
    Return the variables below *path* with their values, decrypted. One request for every ten of them.

    Raises:   ParametersError, which names no value.
    """
    path = path.rstrip("/")
    asked: dict[str, object] = {"Path": path, "WithDecryption": True, "MaxResults": 10}
    variables: dict[str, str] = {}
    for _ in range(PAGES_MAX):
        page = _ask(asked, environ)
        for parameter in page.get("Parameters", []):
            name = str(parameter["Name"]).removeprefix(f"{path}/")
            if not NAME.fullmatch(name):
                raise ParametersError(f"could not read {path}: {name[:64]} below it is no name of a variable")
            variables[name] = str(parameter["Value"])
        if not (token := page.get("NextToken")):
            if not variables:
                raise ParametersError(f"could not read {path}: there is none below it in Parameter Store")
            return variables
        asked["NextToken"] = token
    raise ParametersError(f"could not read {path}: it has more than {PAGES_MAX * 10} parameters")


def _ask(asked: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, Any]:
    from pyreqwest.client import SyncClientBuilder
    from pyreqwest.exceptions import PyreqwestError

    url, region = _endpoint(environ)
    credentials = Credentials(
        environ.get("AWS_ACCESS_KEY_ID", ""),
        environ.get("AWS_SECRET_ACCESS_KEY", ""),
        environ.get("AWS_SESSION_TOKEN", ""),
    )
    body, cause = orjson.dumps(asked), ""
    with SyncClientBuilder().timeout(timedelta(seconds=TIMEOUT_S)).follow_redirects(False).build() as client:
        for _ in range(ATTEMPTS):
            headers = signed_headers(credentials, region, "ssm", url, TARGET, body, datetime.now(UTC))
            try:
                answer = client.post(url).headers(headers).body_bytes(body).build().send()
                said = answer.json()
            except (PyreqwestError, ValueError) as error:
                cause = type(error).__name__
                continue
            if answer.status == 200 and isinstance(said, dict):
                return said
            # What it says of a refusal names the path and who asked, no value.
            cause = f"{answer.status} {said.get('__type', '') if isinstance(said, dict) else ''}".strip()
    raise ParametersError(f"could not read {asked['Path']} from Parameter Store in {region}: {cause}")


def _endpoint(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return where Systems Manager is asked, and in which region."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise ParametersError("could not read parameters: AWS_REGION is not set")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = environ.get("AWS_ENDPOINT_URL_SSM") or f"https://ssm.{region}.{domain}"
    return f"{url.rstrip('/')}/", region
