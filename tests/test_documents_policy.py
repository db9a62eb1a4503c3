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
    root = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    bucket = boto3.client("s3", **access, **root)
    bucket.create_bucket(Bucket=BUCKET)
    iam = boto3.client("iam", **access, **root)
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


def test_the_policy_of_the_guide_lets_read_and_list_and_nothing_else(
    user: dict[str, str], make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto heeds no conditions, so what may be listed is not tried."""
    api, s3 = make_api(), boto3.client("s3", **user)

    assert api.get("/v1/documents/shared/a.md").text == "Closed on Mondays."
    assert api.get("/v1/documents/shared/not-there.md").status_code == 404
    assert api.get("/api/cron/sweep", headers=CRON).json()["outcome"] == "done"
    assert refused(lambda: s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/shared/a.md", Body=b"x")) == "AccessDenied"
    assert refused(lambda: s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/shared/a.md")) == "AccessDenied"
    assert refused(lambda: s3.get_object(Bucket=BUCKET, Key="elsewhere/c.md")) == "AccessDenied"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFNOBODY")
    assert make_api().get("/v1/documents/shared/b.md").status_code == 503
