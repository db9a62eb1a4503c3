"""
Mint an API key: its hash goes into the tenant's hash, the key itself is stored nowhere.
"""

import hashlib
import json
import re
import urllib.request

KEY = re.compile(r"wt_(?P<tenant>[a-z0-9-]{1,40})_[A-Za-z0-9_-]{5,128}")
TIMEOUT_S = 10.0


def mint(url: str, token: str, key: str) -> None:
    """
    Make *key* valid in the store at *url*.

    Raises:   ValueError: the key has not the form wt_<tenant>_<secret>.
              OSError: the store did not answer, or refused.
    """
    parts = KEY.fullmatch(key)
    if parts is None:
        raise ValueError(
            "could not mint the key: it must have the form wt_<tenant>_<secret>, secret 5 to 128 long"
        )
    digest = hashlib.sha256(key.encode()).hexdigest()
    command = ["HSET", f"wt1:{parts['tenant']}:tenant", f"k:{digest}", "0"]
    request = urllib.request.Request(  # noqa: S310  The address is the operator's own.
        url, json.dumps(command).encode(), {"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
        pass
