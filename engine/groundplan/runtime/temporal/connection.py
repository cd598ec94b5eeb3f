"""Opens a connection to a Temporal service and sees that it knows our search attributes."""

from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, TLSConfig

from groundplan.diagnostics.trouble import UsageError
from groundplan.runtime.temporal.address import Address
from groundplan.runtime.temporal.attributes import ALL


async def connect(address: Address) -> Client:
    """Connect, and define the search attributes where the namespace lacks them.

    Raises:
        UsageError: the service does not answer, or a file of its settings cannot be read.
    """
    tls = _tls(address) if address.tls else False
    api_key = None if address.api_key is None else _read(address.api_key).decode().strip()
    try:
        client = await Client.connect(address.target, namespace=address.namespace, tls=tls, api_key=api_key)
        await _define_attributes(client)
    # RuntimeError: how the library tells that nothing answers at the address.
    except (RuntimeError, RPCError, ValueError) as error:
        raise UsageError(
            f"Temporal at {address.target}, namespace {address.namespace!r}, cannot be used: {_reason(error)}.",
            fix="Check GROUNDPLAN_TEMPORAL_ADDRESS and the settings beside it, and that the service runs.",
        ) from error
    return client


async def _define_attributes(client: Client) -> None:
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    lacking = [key.name for key in ALL if key.name not in known.custom_attributes]
    if lacking:
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        request = AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes=dict.fromkeys(lacking, keyword)
        )
        await client.operator_service.add_search_attributes(request)


def _tls(address: Address) -> TLSConfig:
    return TLSConfig(
        server_root_ca_cert=None if address.ca is None else _read(address.ca),
        domain=address.server_name or None,
        client_cert=None if address.certificate is None else _read(address.certificate),
        client_private_key=None if address.key is None else _read(address.key),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _reason(error: Exception) -> str:
    """Return the library's words in one line, without what repeats them."""
    text = error.message if isinstance(error, RPCError) else str(error)
    return " ".join(text.split())[:300].rstrip(".")
