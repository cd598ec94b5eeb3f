"""The emulated account, as a provider's configuration reaches it: the only import of boto3 here.

Loaded when the provider is configured; one that is asked for its schema alone starts without it.
"""

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

FAULTS = (BotoCoreError, ClientError)


class Account:
    """Clients of one region; credentials that are not given come from the environment of the process."""

    def __init__(self, *, region: str, access_key: str | None, secret_key: str | None, token: str | None) -> None:
        session = boto3.Session(
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=token,
            region_name=region,
        )
        options = Config(retries={"mode": "standard", "max_attempts": 8})
        # One address for every service: nothing is asked anywhere else, whatever the module says.
        address = os.environ["AWS_ENDPOINT_URL"]
        self.region = region
        self.ec2: Any = session.client("ec2", endpoint_url=address, config=options)
        self.s3: Any = session.client("s3", endpoint_url=address, config=options)


def is_absence(error: Exception) -> bool:
    """Whether AWS says that there is no such thing."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return "NotFound" in code or code in ("404", "NoSuchBucket")
