"""From `client_config`, plugin properties and the home's settings to a client of one AWS service: the door to boto3.

In a home bound to the sandbox a client takes its endpoint from the settings and its keys from `client_config`, and
reads neither environment, nor ~/.aws, nor instance metadata, nor proxies. What an error means is said in `failures`.
"""

import base64
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import Enum
from functools import cache
from typing import Any, Final

import boto3
from botocore import configprovider, session, xform_name
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody
from botocore.waiter import SingleWaiterConfig

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, OperationError, RecoverableError
from groundplan.sdk.spans import Span, span
from groundplan_aws.failures import BusyError, Refusal, RefusedError, judge, partial

_KEPT: Final = 64
"""Clients kept by a process; one costs about 50 ms to make and a few megabytes to hold."""

_CONNECT_TIMEOUT: Final = 10.0
_READ_TIMEOUT: Final = 60.0
_ATTEMPTS: Final = 5
_SANDBOX_ATTEMPTS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where to connect, and as whom. Equal accounts share a client.

    Attributes:
        isolated: nothing but this says where to connect and as whom (a home bound to the sandbox).
        options: `additional_config` as JSON: keywords of botocore's `Config`.
        read_timeout: seconds that one request may take.
    """

    access_key_id: str | None
    secret_access_key: str | None
    session_token: str | None
    region: str | None
    endpoint_url: str | None
    ca_file: str | None
    api_version: str | None
    assume_role: str | None
    options: str
    read_timeout: float
    isolated: bool

    def __repr__(self) -> str:
        return f"Account(access_key_id={self.access_key_id!r}, region={self.region!r})"


def account_of(ctx: OperationContext, client_config: Mapping[str, Any]) -> Account:
    """Read a node's `client_config`, then the plugin's properties, in the light of the home's settings.

    Raises:
        NonRecoverableError: a bound home names no endpoint, or its blueprint gives no keys.
    """
    sandboxed = ctx.plugin.sandboxed
    settings = ctx.plugin.settings
    given = _joined(client_config, ctx.plugin.properties)
    keys = (given.get("aws_access_key_id"), given.get("aws_secret_access_key"))
    if sandboxed and not settings.get("endpoint_url"):
        raise NonRecoverableError("the sandbox of this home offers no AWS endpoint: groundplan sandbox up")
    if sandboxed and not all(keys):
        raise NonRecoverableError(
            "client_config, or the properties of the plugin's import, must give aws_access_key_id and "
            "aws_secret_access_key: in a home bound to the sandbox no other credentials are looked for"
        )
    return Account(
        access_key_id=keys[0],
        secret_access_key=keys[1],
        session_token=given.get("aws_session_token"),
        region=given.get("region_name"),
        endpoint_url=settings.get("endpoint_url") if sandboxed else given.get("endpoint_url"),
        ca_file=settings.get("ca_file"),
        api_version=given.get("api_version"),
        assume_role=given.get("assume_role"),
        options=json.dumps(given.get("additional_config") or {}, sort_keys=True),
        read_timeout=max(1.0, min(_READ_TIMEOUT, ctx.operation.timeout / 2)),
        isolated=sandboxed,
    )


_IDENTITY: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
"""What says as whom: a node that gives one of them gives all that there are."""


def _joined(client_config: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    own, shared = (
        {key: value for key, value in written.items() if value not in (None, "")}
        for written in (client_config, properties)
    )
    if any(name in own for name in _IDENTITY):
        shared = {name: value for name, value in shared.items() if name not in _IDENTITY}
    return shared | own


class Progress(Enum):
    """How a waiter judges what it saw."""

    REACHED = "success"
    FAILED = "failure"
    PENDING = "retry"


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """One of botocore's waiters, looked through once at a time by whoever owns the clock.

    Attributes:
        delay: seconds between two looks, as AWS advises.
        patience: seconds after which AWS's own waiter gives up.
    """

    api: "Api"
    plan: SingleWaiterConfig
    delay: float
    patience: float

    def look(self, **parameters: Any) -> Progress:
        """Ask once and judge the answer by the waiter's acceptors; an absent thing that none of them names is pending.

        Raises:
            RefusedError, BusyError: an error that no acceptor expects.
        """
        failure: RefusedError | BusyError | None = None
        try:
            answer = self.api.call(xform_name(self.plan.operation), **parameters)
        except (RefusedError, BusyError) as error:
            failure = error
            answer = {"Error": {"Code": error.refusal.code, "Message": error.refusal.message}}
        for acceptor in self.plan.acceptors:
            if acceptor.matcher_func(answer):
                return Progress(acceptor.state)
        if failure is not None and not failure.refusal.absent:
            raise failure
        return Progress.PENDING


class LostError(RecoverableError):
    """A request was sent, and what AWS made of it is not known."""


_PAIRS: Final = (("Key", "Value"), ("key", "value"), ("TagKey", "TagValue"))
"""How services spell a tag's two fields."""

_TAG_PARAMETERS: Final = ("Tags", "tags", "UserPoolTags", "IdentityPoolTags")
"""How create calls spell the parameter that takes tags."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TagParameter:
    """A create call's parameter for tags. `pair`: the fields of a tag in a list; None for a map."""

    name: str
    pair: tuple[str, str] | None = None

    def holding(self, tags: Mapping[str, str]) -> Any:
        """Return the tags as the parameter takes them."""
        if self.pair is None:
            return dict(tags)
        key, value = self.pair
        return [{key: name, value: text} for name, text in tags.items()]


CLIENT_TOKEN: Final = "ClientToken"  # noqa: S105 - a parameter's name
"""Recognises a repeated request, also in calls whose model does not mark it (spot requests of EC2)."""


class Api:
    """A client of one service that speaks in the sdk's errors; threads may share it, as they may boto3's clients."""

    def __init__(self, client: Any, *, isolated: bool) -> None:
        self._client = client
        self._isolated = isolated

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the client by boto3's name (`create_vpc`) and return its answer without metadata.

        Raises:
            RefusedError, BusyError: an error answer of AWS.
            NonRecoverableError: the request could not even be built or signed, or the sandbox is down.
            LostError: no answer, or not a whole one, to a request that was sent.
            RecoverableError: nobody to send it to.
        """
        with self._told(method):
            return self._call(method, parameters)

    def _told(self, method: str) -> AbstractContextManager[Span]:
        meta = self._client.meta
        service = meta.service_model.service_name
        region = meta.region_name or ""
        return span(
            f"aws {service}.{method}", rpc_system="aws-api", rpc_service=service, rpc_method=method, cloud_region=region
        )

    def _call(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, method)(**parameters)
            contents = {name: value.read() for name, value in answer.items() if isinstance(value, StreamingBody)}
        except ClientError as error:
            raise judge(_refusal(error)) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise self._trouble(method, error) from error
        answer.pop("ResponseMetadata", None)
        refusal = partial(self._client.meta.method_to_api_mapping[method], answer)
        if refusal is not None:
            raise judge(refusal)
        return answer | contents

    def pages(self, method: str, **parameters: Any) -> list[dict[str, Any]]:
        """Call a method until its answer names no further page, and return the answers. Raises as `call`."""
        if not self._client.can_paginate(method):
            return [self.call(method, **parameters)]
        with self._told(method):
            try:
                answers = list(self._client.get_paginator(method).paginate(**parameters))
            except ClientError as error:
                raise judge(_refusal(error)) from error
            except (BotoCoreError, ResponseParserError) as error:
                raise self._trouble(method, error) from error
        return [{name: value for name, value in answer.items() if name != "ResponseMetadata"} for answer in answers]

    @property
    def endpoint(self) -> str:
        """Where requests go, as a URL."""
        return str(self._client.meta.endpoint_url)

    def written(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters as the service's model wants them: a document for a parameter of type string is JSON."""
        shape = self._operation(method).input_shape
        return {name: _written(shape and shape.members.get(name), value) for name, value in parameters.items()}

    def tag_parameter(self, method: str) -> TagParameter | None:
        """Return the parameter by which a create call takes tags, if it has one besides `TagSpecifications`."""
        shape = self._operation(method).input_shape
        for name in _TAG_PARAMETERS if shape else ():
            member = shape.members.get(name)
            if member is not None and member.type_name == "map":
                return TagParameter(name=name)
            if member is not None and member.type_name == "list":
                fields = member.member.members
                return TagParameter(name=name, pair=next(pair for pair in _PAIRS if pair[0] in fields))
        return None

    def parameters(self, method: str) -> Mapping[str, str]:
        """Return the parameters of a method with the types of the service's model: `{"VpcIds": "list"}`."""
        shape = self._operation(method).input_shape
        return {name: member.type_name for name, member in shape.members.items()} if shape else {}

    def token_parameter(self, method: str) -> str | None:
        """Return the parameter by which AWS recognises a repeated request, if there is one."""
        unmarked = CLIENT_TOKEN if CLIENT_TOKEN in self.parameters(method) else None
        return next(iter(self._operation(method).idempotent_members), unmarked)

    def holder(self, method: str, parameter: str) -> str:
        """Return the structure among a method's parameters that holds one; empty when the method has it itself."""
        shape = self._operation(method).input_shape
        members = shape.members if shape else {}
        inner = ((name, member) for name, member in members.items() if member.type_name == "structure")
        return "" if parameter in members else next((name for name, it in inner if parameter in it.members), "")

    def waiter(self, name: str) -> Waiting:
        """Return one of botocore's waiters by its name (`vpc_available`)."""
        plan = self._client.get_waiter(name).config
        return Waiting(api=self, plan=plan, delay=float(plan.delay), patience=float(plan.delay * plan.max_attempts))

    def _operation(self, method: str) -> Any:
        meta = self._client.meta
        return meta.service_model.operation_model(meta.method_to_api_mapping[method])

    def _trouble(self, method: str, error: Exception) -> OperationError:
        if self._isolated and isinstance(error, NoConnectionError):
            return NonRecoverableError(f"the sandbox of this home is down: groundplan sandbox up ({error})")
        if isinstance(error, EndpointConnectionError) and (doubt := _doubt(self._client.meta)):
            return NonRecoverableError(f"{method}: {error} {doubt}")
        if isinstance(error, NoConnectionError):
            return RecoverableError(f"{method}: {error}")
        if isinstance(error, HTTPClientError | ResponseParserError):
            return LostError(f"{method}: {error}")
        return NonRecoverableError(f"{method}: {error}")


def _doubt(meta: Any) -> str:
    """What may be wrong with the region of a client that reaches nobody; empty for one that the SDK knows."""
    known = _known_regions(meta.service_model.service_name)
    of_amazon = str(meta.endpoint_url).endswith((".amazonaws.com", ".amazonaws.com.cn"))
    if not of_amazon or not known or meta.region_name in known:
        return ""
    near = get_close_matches(str(meta.region_name), known, n=3)
    return f"There is no region {meta.region_name}" + (f"; did you mean {', '.join(near)}?" if near else ".")


@cache
def _known_regions(service: str) -> tuple[str, ...]:
    core = session.get_session()
    found = (core.get_available_regions(service, name) for name in core.get_available_partitions())
    return tuple(region for regions in found for region in regions)


_clients: OrderedDict[tuple[str, Account], Api] = OrderedDict()
_making = threading.Lock()


def once(account: Account, patience: float) -> Account:
    """Return an account whose clients send each request once, and wait for its answer for `patience` seconds."""
    options = json.loads(account.options)
    retries = {"mode": "standard", **(options.get("retries") or {}), "total_max_attempts": 1}
    retries.pop("max_attempts", None)
    return replace(account, options=json.dumps({**options, "retries": retries}), read_timeout=patience)


def connect(service: str, account: Account) -> Api:
    """Return a client of `service` (boto3's name), made once per account and process.

    Raises:
        NonRecoverableError: no region, an option that boto3 does not know, an unusable endpoint.
    """
    with _making:
        api = _clients.get((service, account))
        if api is None:
            api = Api(_make(service, account), isolated=account.isolated)
            _clients[service, account] = api
        _clients.move_to_end((service, account))
        if len(_clients) > _KEPT:
            _clients.popitem(last=False)
        return api


def eks_token(account: Account, cluster: str) -> str:
    """Return the bearer token by which an EKS cluster knows this account: a signed URL of STS, good for 15 minutes.

    Raises:
        NonRecoverableError: no credentials, no region.
    """
    session_ = _session(account)
    credentials = session_.get_credentials()
    if credentials is None:
        raise NonRecoverableError("no credentials to make a token for the cluster with")
    sts = _make("sts", account)
    region = sts.meta.region_name
    endpoint = account.endpoint_url or f"https://sts.{region}.amazonaws.com"
    request = AWSRequest(
        method="GET",
        url=f"{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15",
        headers={"x-k8s-aws-id": cluster},
    )
    SigV4QueryAuth(credentials.get_frozen_credentials(), "sts", region, expires=60).add_auth(request)
    encoded = base64.urlsafe_b64encode(request.url.encode()).decode()
    return f"k8s-aws-v1.{encoded.rstrip('=')}"


def _make(service: str, account: Account) -> Any:
    try:
        return _session(account).client(
            service,
            region_name=account.region,
            api_version=account.api_version,
            endpoint_url=account.endpoint_url,
            verify=_authorities(account),
            config=_config(account),
        )
    except (BotoCoreError, TypeError, ValueError) as error:
        raise NonRecoverableError(f"cannot make a client for {service}: {error}") from error


def _authorities(account: Account) -> str | bool | None:
    """The CA file, or whether to check at all: None lets botocore read the environment, as a free home may."""
    return account.ca_file or (True if account.isolated else None)


def _config(account: Account) -> Config:
    """The SDK's options: its standard retry mode, timeouts; what `additional_config` says wins."""
    attempts = _SANDBOX_ATTEMPTS if account.isolated else _ATTEMPTS
    options: dict[str, Any] = {
        "connect_timeout": min(_CONNECT_TIMEOUT, account.read_timeout),
        "read_timeout": account.read_timeout,
        "retries": {"mode": "standard", "total_max_attempts": attempts},
    }
    options |= json.loads(account.options)
    if account.isolated:
        options |= {"proxies": {}, "ignore_configured_endpoint_urls": True}
    return Config(**options)


def _session(account: Account) -> boto3.Session:
    core = _isolated_session() if account.isolated else session.Session()
    made = boto3.Session(
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
        aws_session_token=account.session_token,
        botocore_session=core,
    )
    return _assume(made, account) if account.assume_role else made


def _isolated_session() -> session.Session:
    """A session whose every variable has botocore's default: no environment, no files but the library's own."""
    made = session.Session()
    constants = {name: entry[2] for name, entry in configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    constants |= {"config_file": os.devnull, "credentials_file": os.devnull}
    store = configprovider.ConfigValueStore(
        mapping={name: configprovider.ConstantProvider(value) for name, value in constants.items()}
    )
    made.register_component("config_store", store)
    made.register_component("data_loader", _own_data())
    return made


@cache
def _own_data() -> Loader:
    """The library's own files, read once: every client needs the table of endpoints."""
    return Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)


def _assume(made: boto3.Session, account: Account) -> boto3.Session:
    """A session that acts in the role, and renews the role's credentials when they run out."""
    source = made.get_credentials()
    if source is None:
        raise NonRecoverableError(f"no credentials to assume the role {account.assume_role} with")

    def sts(service: str, **keys: Any) -> Any:
        return made.client(
            service,
            region_name=account.region,
            endpoint_url=account.endpoint_url,
            verify=_authorities(account),
            config=_config(account),
            **keys,
        )

    fetcher = AssumeRoleCredentialFetcher(sts, source, account.assume_role)
    core = _isolated_session() if account.isolated else session.Session()
    core._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return boto3.Session(botocore_session=core)


def _written(shape: Any, value: Any) -> Any:
    kind = shape.type_name if shape is not None else ""
    if kind == "string" and isinstance(value, dict | list):
        return json.dumps(value, default=str)
    if kind == "structure" and isinstance(value, dict):
        return {name: _written(shape.members.get(name), item) for name, item in value.items()}
    if kind == "map" and isinstance(value, dict):
        return {name: _written(shape.value, item) for name, item in value.items()}
    if kind == "list" and isinstance(value, list):
        return [_written(shape.member, item) for item in value]
    return value


def _refusal(error: ClientError) -> Refusal:
    told = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
    wait = meta.get("HTTPHeaders", {}).get("retry-after", "")
    return Refusal(
        call=error.operation_name,
        code=told.get("Code", "Unknown"),
        message=told.get("Message", ""),
        status=meta.get("HTTPStatusCode", 0),
        request_id=meta.get("RequestId", ""),
        retry_after=float(wait) if wait.isdecimal() else None,
    )
