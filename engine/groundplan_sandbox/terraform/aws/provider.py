"""The rows of the stand-in in the form of Terraform's plugin protocol, by the library `tf`.

What AWS refuses becomes a diagnostic in AWS's words. A resource that AWS does not know any more is gone from the state.
"""

import importlib
import os
from typing import Any

from tf.iface import Provider, Resource
from tf.schema import Attribute, Schema
from tf.types import String, Unknown

from groundplan_sandbox.terraform.aws.rows import ROWS, Row, State

Diagnostics = Any


class AwsStandIn(Provider):  # type: ignore[misc]
    """The provider; it answers to the real one's name."""

    def __init__(self) -> None:
        self.account: Any = None
        self.faults: tuple[type[Exception], ...] = ()
        self.is_absence: Any = None

    def get_model_prefix(self) -> str:
        return "aws_"

    def full_name(self) -> str:
        return "registry.terraform.io/hashicorp/aws"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        names = ("region", "access_key", "secret_key", "token")
        return Schema(
            attributes=[Attribute(name, String(), optional=True, sensitive=name == "secret_key") for name in names]
        )

    def validate_config(self, diags: Diagnostics, config: State) -> None:
        """Take what the schema lets through."""

    def configure_provider(self, diags: Diagnostics, config: State) -> None:
        region = config.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            diags.add_error("Missing region", "Set region in the provider's block, or AWS_REGION.", path=["region"])
            return
        # boto3 takes as long to load as all the rest, and most starts of a provider are for its schema alone.
        found = importlib.import_module("groundplan_sandbox.terraform.aws.account")
        self.faults, self.is_absence = found.FAULTS, found.is_absence
        self.account = found.Account(
            region=region,
            access_key=config.get("access_key"),
            secret_key=config.get("secret_key"),
            token=config.get("token"),
        )

    def get_data_sources(self) -> list[Any]:
        return []

    def get_resources(self) -> list[Any]:
        return [_resource(row) for row in ROWS]


def _resource(row: Row) -> type[Any]:
    """Return the class that the library wants for a row."""

    class RowResource(_RowResource):
        of = row

    return RowResource


class _RowResource(Resource):  # type: ignore[misc]
    of: Row

    def __init__(self, provider: AwsStandIn) -> None:
        self._provider = provider

    @classmethod
    def get_name(cls) -> str:
        return cls.of.name

    @classmethod
    def get_schema(cls) -> Schema:
        return Schema(attributes=[Attribute("id", String(), computed=True), *cls.of.attributes])

    def create(self, ctx: Any, planned: State) -> State | None:
        wanted = _known(planned)
        try:
            made = {**wanted, "id": self.of.create(self._provider.account, wanted)}
        except self._provider.faults as error:
            _tell(ctx, error)
            return None
        return self._completed(ctx, made)

    def read(self, ctx: Any, current: State) -> State | None:
        try:
            told = self.of.read(self._provider.account, current)
        except self._provider.faults as error:
            if self._provider.is_absence(error):
                return None
            _tell(ctx, error)
            return current
        return None if told is None else {**current, **told}

    def update(self, ctx: Any, current: State, planned: State) -> State | None:
        wanted = _known(planned)
        try:
            if self.of.update is not None:
                self.of.update(self._provider.account, current, {**wanted, "id": current["id"]})
        except self._provider.faults as error:
            _tell(ctx, error)
            return current
        return self._completed(ctx, {**current, **wanted, "id": current["id"]})

    def delete(self, ctx: Any, current: State) -> None:
        try:
            self.of.delete(self._provider.account, current)
        except self._provider.faults as error:
            if not self._provider.is_absence(error):
                _tell(ctx, error)

    def import_(self, ctx: Any, id: str) -> State | None:
        names = [attribute.name for attribute in self.get_schema().attributes]
        return self.read(ctx, {**dict.fromkeys(names), "id": id})

    def _completed(self, ctx: Any, state: State) -> State:
        """Return a state with what AWS tells; what was made is told even where that fails."""
        try:
            told = self.of.read(self._provider.account, state) or {}
        except self._provider.faults as error:
            _tell(ctx, error)
            return state
        # What the module says must come back to the letter: tags in another form are not another value.
        return {**state, **{name: value for name, value in told.items() if state.get(name) is None}}


def _known(planned: State) -> State:
    return {name: None if value is Unknown else value for name, value in planned.items()}


def _tell(ctx: Any, error: Exception) -> None:
    ctx.diagnostics.add_error(f"{ctx.type_name}: {type(error).__name__}", str(error))
