"""
The template of ops/aws: no wider than it must be, the same crons as on Vercel, and, as far as moto plays the services,
what it makes sends what the function does. That it is sound by AWS's own schemas is checked by scripts/check.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import boto3
import pytest
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as OfficialCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from aws.signing import Credentials, signed_headers
from aws.variables import ParametersError, prepare
from scripts.aws.events import s3_notification
from scripts.deploy.vercel_json import read_config
from scripts.local.object_store import AWS_VARIABLES, ObjectStore
from tests.aws_functions import running_function
from tests.bearers import CHANGES_SECRET, CRON_SECRET
from tests.examples import examples
from tests.instances import ROOT

pytestmark = pytest.mark.unmeasured


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # It comes without types.
    """Reads templates: `!Ref x` is {"Ref": "x"}, `!Sub x` is {"Fn::Sub": "x"}."""


def _function(loader: yaml.SafeLoader, name: str, node: yaml.ScalarNode) -> dict[str, str]:
    return {name if name == "Ref" else f"Fn::{name}": str(loader.construct_scalar(node))}


Loader.add_multi_constructor("!", _function)
CONTENT: Mapping[str, Any] = yaml.load((ROOT / "ops/aws/template.yaml").read_text(), Loader)
RESOURCES: Mapping[str, Any] = CONTENT["Resources"]
PARAMETERS = {
    "CodeBucket": "code-of-tests",
    "CodeKey": "warmthread.zip",
    "DocumentsBucket": "documents-of-the-template",
    "ParametersPath": "/warmthread/tests",
}
VARIABLES = {
    **{name: each.get("Default", "") for name, each in CONTENT["Parameters"].items()},
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    **PARAMETERS,
    "Function": "arn:aws:lambda:us-east-1:123456789012:function:warmthread",
    "Role": "arn:aws:iam::123456789012:role/function",
    "CronRole": "arn:aws:iam::123456789012:role/crons",
    "Log": "arn:aws:logs:us-east-1:123456789012:log-group:warmthread:*",
}


NO_VALUE = "what is not there"


def resolved(value: Any, true: frozenset[str] = frozenset()) -> Any:
    """Return a part of the template with values in the places of what it refers to; *true*: conditions that hold."""
    match value:
        case {"Ref": "AWS::NoValue"}:
            return NO_VALUE
        case {"Fn::If": [name, then, other]}:
            return resolved(then if name in true else other, true)
        case {"Ref": str(name)}:
            return VARIABLES[name]
        case {"Fn::GetAtt": str(name)}:
            return VARIABLES[name.partition(".")[0]]
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda reference: VARIABLES[reference[1]], text)
        case dict():
            inner = {str(name): resolved(each, true) for name, each in value.items()}
            return {name: each for name, each in inner.items() if each != NO_VALUE}
        case list():
            return [resolved(inner, true) for inner in value]
        case _:
            return value


def of_type(kind: str) -> dict[str, Any]:
    """Return the properties of each resource of *kind*."""
    return {name: resolved(each["Properties"]) for name, each in RESOURCES.items() if each["Type"] == kind}


def test_crons_run_as_they_do_on_vercel() -> None:
    schedules = of_type("AWS::Scheduler::Schedule").values()
    found = {
        f"/api/cron/{json.loads(each['Target']['Input'])['cron']}": each["ScheduleExpression"] for each in schedules
    }

    # There the day of the week is ?, and a year follows.
    assert found == {cron["path"]: f"cron({cron['schedule'][:-1]}? *)" for cron in read_config(ROOT)["crons"]}


def test_the_function_is_what_the_zip_holds_and_has_time_for_its_crons() -> None:
    [function] = of_type("AWS::Lambda::Function").values()
    module, _, name = function["Handler"].rpartition(".")

    assert f"{name} = " in (ROOT / f"{module.replace('.', '/')}.py").read_text()
    assert function["Runtime"] == f"python{(ROOT / '.python-version').read_text().strip()}"
    assert function["Timeout"] >= max(each["maxDuration"] for each in read_config(ROOT)["functions"].values())


def test_the_roles_may_do_what_is_needed_and_no_more() -> None:
    stated = {
        (statement["Effect"], action, resource)
        for role in of_type("AWS::IAM::Role").values()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        for resource in [statement["Resource"]]
    }

    assert {each for each in stated if each[0] == "Deny"} == {
        ("Deny", action, "arn:aws:s3:::documents-of-the-template/shared/*")
        for action in ("s3:PutObject", "s3:DeleteObject")
    }
    assert {(action, resource) for effect, action, resource in stated if effect == "Allow"} == {
        ("logs:CreateLogStream", VARIABLES["Log"]),
        ("logs:PutLogEvents", VARIABLES["Log"]),
        ("ssm:GetParametersByPath", "arn:aws:ssm:us-east-1:123456789012:parameter/warmthread/tests"),
        ("s3:GetObject", "arn:aws:s3:::documents-of-the-template/*"),
        ("s3:PutObject", "arn:aws:s3:::documents-of-the-template/*"),
        ("s3:DeleteObject", "arn:aws:s3:::documents-of-the-template/*"),
        ("s3:ListBucket", "arn:aws:s3:::documents-of-the-template"),
        ("lambda:InvokeFunction", VARIABLES["Function"]),
    }


def test_no_secret_stands_in_the_configuration_of_the_function() -> None:
    [function] = of_type("AWS::Lambda::Function").values()

    assert function["Environment"]["Variables"] == {
        "PARAMETERS_PATH": "/warmthread/tests",
        "WARMTHREAD_DOCUMENTS_URL": "s3://documents-of-the-template",
    }


def test_another_store_is_named_and_reached_where_it_is() -> None:
    function, role = (RESOURCES[name]["Properties"] for name in ("Function", "Role"))
    in_vpc = resolved(function, frozenset({"HasStoreUrl", "IsInVpc"}))

    assert set(CONTENT["Conditions"]) == {"HasStoreUrl", "IsInVpc"}
    assert in_vpc["Environment"]["Variables"]["WARMTHREAD_STORE_URL"] == VARIABLES["StoreUrl"]
    assert set(in_vpc["VpcConfig"]) == {"SubnetIds", "SecurityGroupIds"}
    assert resolved(role, frozenset({"IsInVpc"}))["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
    ]
    assert "VpcConfig" not in resolved(function)
    assert "ManagedPolicyArns" not in resolved(role)


class Account(NamedTuple):
    """What moto plays: clients of the services that the template wires, and where they are."""

    url: str
    s3: Any
    scheduler: Any
    ssm: Any


@pytest.fixture(scope="module")
def account(s3: ObjectStore) -> Account:
    """An account in which what the template wires was made."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    clients = {name: session.client(name, endpoint_url=s3.url) for name in ("s3", "scheduler", "ssm")}
    account = Account(s3.url, **clients)
    for name, bucket in of_type("AWS::S3::Bucket").items():
        account.s3.create_bucket(Bucket=bucket["BucketName"])
        wanted = bucket["NotificationConfiguration"]["LambdaConfigurations"]
        assert name == "Documents"
        account.s3.put_bucket_notification_configuration(
            Bucket=bucket["BucketName"],
            NotificationConfiguration={
                "LambdaFunctionConfigurations": [
                    {"LambdaFunctionArn": each["Function"], "Events": [each["Event"]]} for each in wanted
                ]
            },
        )
    for name, schedule in of_type("AWS::Scheduler::Schedule").items():
        account.scheduler.create_schedule(Name=name, **schedule)
    return account


@pytest.fixture
def secrets(account: Account, upstash: Any) -> Iterator[Mapping[str, str]]:
    """What Parameter Store keeps: the store's address and token, and more secrets than one page has."""
    values = {
        "UPSTASH_REDIS_REST_URL": upstash.url,
        "UPSTASH_REDIS_REST_TOKEN": upstash.token,
        "CRON_SECRET": CRON_SECRET,
        "WARMTHREAD_CHANGES_SECRET": CHANGES_SECRET,
        **{f"OTHER_{number}": str(number) for number in range(9)},
    }
    names = [f"/warmthread/tests/{name}" for name in values]
    for name, value in zip(names, values.values(), strict=True):
        account.ssm.put_parameter(Name=name, Value=value, Type="SecureString")
    yield values
    account.ssm.delete_parameters(Names=names[:10])
    account.ssm.delete_parameters(Names=names[10:])


def started(account: Account, path: str = "/warmthread/tests") -> dict[str, str]:
    """Return the variables of a function that starts there, as Lambda and the template set them."""
    [function] = of_type("AWS::Lambda::Function").values()
    own = {"AWS_LAMBDA_FUNCTION_NAME": "warmthread", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST"}
    own |= {"AWS_ENDPOINT_URL_SSM": account.url, "PARAMETERS_PATH": path}
    return {**AWS_VARIABLES, **function["Environment"]["Variables"], **own}


def test_a_function_starts_with_the_secrets_of_parameter_store(account: Account, secrets: Mapping[str, str]) -> None:
    environ = started(account) | {"OTHER_0": "its own"}
    prepare(environ)

    assert {name: environ[name] for name in secrets} == {**secrets, "OTHER_0": "its own"}
    assert environ["VERCEL_DEPLOYMENT_ID"] == "warmthread:$LATEST"
    assert environ["WARMTHREAD_METRICS_HOLD_S"] == "0"


def test_what_the_template_wires_sends_what_the_function_does(
    account: Account,
    secrets: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    tenant: str,
    fresh_crons: None,
) -> None:
    environ = started(account)
    prepare(environ)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.url)
    monkeypatch.setenv("WARMTHREAD_METRICS_FLUSH_S", "0")
    bucket = PARAMETERS["DocumentsBucket"]
    wired = account.s3.get_bucket_notification_configuration(Bucket=bucket)["LambdaFunctionConfigurations"]

    with running_function() as function:
        account.s3.put_object(Bucket=bucket, Key=f"{tenant}/a.txt", Body=b"before")
        assert function.ask("GET", "/v1/documents/a.txt", key).body == b"before"
        account.s3.put_object(Bucket=bucket, Key=f"{tenant}/a.txt", Body=b"after")
        [told] = function.invoke(s3_notification(bucket, f"{tenant}/a.txt"))["done"]
        assert told["kept"] == 1
        assert function.ask("GET", "/v1/documents/a.txt", key).body == b"after"
        sent = [account.scheduler.get_schedule(Name=name)["Target"]["Input"] for name in ("Sweep", "Warm")]
        done = [function.invoke(json.loads(event))["done"][0]["object"] for event in sent]

    assert done == ["sweep", "warm"]
    assert {event for each in wired for event in each["Events"]} == {
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:*",
        "s3:LifecycleExpiration:*",
    }
    assert {each["LambdaFunctionArn"] for each in wired} == {VARIABLES["Function"]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:9"}, "ConnectError"),
        ({"AWS_REGION": ""}, "AWS_REGION"),
        ({"PARAMETERS_PATH": "/nowhere"}, "there is none"),
        ({"PARAMETERS_PATH": "/warmthread"}, "tests/CRON_SECRET|no name of a variable"),
    ],
)
def test_a_function_whose_parameters_cannot_be_read_does_not_start(
    change: Mapping[str, str], named: str, account: Account, secrets: Mapping[str, str]
) -> None:
    environ = {**started(account), **change}
    account.ssm.put_parameter(Name="/warmthread/lower", Value="x", Type="String", Overwrite=True)

    with pytest.raises(ParametersError, match=named) as refused:
        prepare(environ)
    assert not any(value in str(refused.value) for value in secrets.values() if len(value) > 8)
    assert "CRON_SECRET" not in environ


@given(
    st.text("ABCXYZ0189", min_size=4, max_size=20),
    st.text("abcXYZ019/+", min_size=24, max_size=40),
    st.text("abcXYZ019/+=", max_size=40),
    st.binary(max_size=40),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001  # Made aware below.
    st.sampled_from(["https://ssm.eu-west-1.amazonaws.com/", "http://127.0.0.1:4566/"]),
)
@settings(max_examples=examples(150))
def test_requests_are_signed_as_by_the_library_of_aws(
    key_id: str, secret: str, token: str, body: bytes, at: datetime, url: str
) -> None:
    now = at.replace(tzinfo=UTC)
    own = signed_headers(Credentials(key_id, secret, token), "eu-west-1", "ssm", url, "AmazonSSM.X", body, now)
    theirs = AWSRequest("POST", url, data=body)
    for name in ("content-type", "x-amz-target", "x-amz-date", "x-amz-security-token"):
        if name in own:
            theirs.headers[name] = own[name]
    theirs.context["timestamp"] = own["x-amz-date"]
    signer = SigV4Auth(OfficialCredentials(key_id, secret, token or None), "ssm", "eu-west-1")
    signature = signer.signature(signer.string_to_sign(theirs, signer.canonical_request(theirs)), theirs)

    assert own["authorization"].endswith(f"Signature={signature}")
    assert secret not in repr(Credentials(key_id, secret, token))
