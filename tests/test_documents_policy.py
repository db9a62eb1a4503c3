"""The policy that docs/deploying.md gives a bucket's user is enough for documents and the sweep, and no more."""

from collections.abc import Callable

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from moto import settings

from scripts.local.object_store import ObjectStore
from tests.bearers import CRON
from tests.pages import blocks

pytestmark = [pytest.mark.unmeasured, pytest.mark.usefixtures("fresh_crons")]

BUCKET, PREFIX = "my-bucket", "docs"
REGION = "us-east-1"
ROOT_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture
def policy() -> str:
    [text] = [
        each.text for each in blocks("docs/deploying.md") if each.language == "json" and '"Statement"' in each.text
    ]
    return text


@pytest.fixture
def user(s3: ObjectStore, policy: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The keys of a user who has the policy, at an S3 that now asks what each may do."""
    access = {"endpoint_url": s3.url, "region_name": REGION}
    bucket = boto3.client("s3", **access, **ROOT_KEYS)
    bucket.create_bucket(Bucket=BUCKET)
    iam = boto3.client("iam", **access, **ROOT_KEYS)
    iam.create_user(UserName="warmthread")
    iam.put_user_policy(UserName="warmthread", PolicyName="documents", PolicyDocument=policy)
    made = iam.create_access_key(UserName="warmthread")["AccessKey"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}/shared/a.md", Body=b"Closed on Mondays.")
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}/shared/b.md", Body=b"Closed on Sundays.")
    bucket.put_object(Bucket=BUCKET, Key="elsewhere/c.md", Body=b"None of theirs.")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", made["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made["SecretAccessKey"])
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("WARMTHREAD_DOCUMENTS_URL", f"s3://{BUCKET}/{PREFIX}")
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
    return access | keys


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    return str(error.value.response["Error"]["Code"])


def _reading(policy: str) -> str:
    """Return the policy as the guide says it is for a deployment whose tenants do not write."""
    return policy.replace('["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]', '"s3:GetObject"')


def test_the_policy_of_the_guide_lets_read_list_and_write_what_tenants_have_and_nothing_else(
    user: dict[str, str],
    policy: str,
    make_api: Callable[[], httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
    tenant: str,
) -> None:
    """moto heeds no conditions, so what may be listed is not tried."""
    api, s3 = make_api(), boto3.client("s3", **user)

    assert api.get("/v1/documents/shared/a.md").text == "Closed on Mondays."
    assert api.get("/v1/documents/shared/not-there.md").status_code == 404
    assert api.get("/api/cron/sweep", headers=CRON).json()["outcome"] == "done"
    written = api.put("/v1/documents/own.md", content="mine")
    assert written.status_code == 200
    assert api.get("/v1/documents").json()["data"][0]["path"] == "own.md"
    assert api.put("/v1/documents/own.md", content="x", headers={"if-none-match": "*"}).status_code == 412
    own = api.get("/v1/documents").json()["data"][0]
    assert own["etag"] == written.headers["etag"]
    # As the service asks for it, by an address that is signed, moto knows nobody who has a policy.
    s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{tenant}/own.md")
    assert refused(lambda: s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/shared/a.md", Body=b"x")) == "AccessDenied"
    assert refused(lambda: s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/shared/a.md")) == "AccessDenied"
    assert refused(lambda: s3.get_object(Bucket=BUCKET, Key="elsewhere/c.md")) == "AccessDenied"
    assert refused(lambda: s3.delete_object(Bucket=BUCKET, Key="elsewhere/c.md")) == "AccessDenied"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", float("inf"))
        iam = boto3.client("iam", endpoint_url=s3.meta.endpoint_url, region_name=REGION, **ROOT_KEYS)
        iam.put_user_policy(UserName="warmthread", PolicyName="documents", PolicyDocument=_reading(policy))
    denied = [api.put("/v1/documents/other.md", content="x") for _ in range(6)]
    assert [(each.status_code, each.json()["outcome_unknown"]) for each in denied] == [(503, False)] * 6
    assert api.get("/v1/documents/other.md").status_code == 404
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFNOBODY")
    assert make_api().get("/v1/documents/shared/b.md").status_code == 503
