"""A nop node goes as its properties say, and can be repeated."""

from importlib.resources import files

import pytest
import yaml

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.operation import traits
from groundplan.sdk.testing import context, end, run_twice
from groundplan_nop.operations import run


def test_it_takes_its_time() -> None:
    ctx = context(properties={"seconds": 1.5})
    run(ctx)

    assert ctx.slept == [1.5]


def test_values_become_runtime_properties_until_delete() -> None:
    properties = {"values": {"ip": "10.0.0.1"}}
    ctx = context(properties=properties)
    run(ctx)
    assert ctx.instance.runtime_properties == {"ip": "10.0.0.1"}

    last = context(
        properties=properties,
        runtime_properties=ctx.instance.runtime_properties,
        operation="cloudify.interfaces.lifecycle.delete",
    )
    run(last)
    assert last.instance.runtime_properties == {}


def test_a_named_operation_fails_for_good() -> None:
    properties = {"fail": ["start"]}
    run(context(properties=properties))

    with pytest.raises(NonRecoverableError, match="start was told to fail"):
        run(context(properties=properties, operation="cloudify.interfaces.lifecycle.start"))


def test_the_first_attempts_fail() -> None:
    for attempt in (0, 1):
        with pytest.raises(RecoverableError, match=f"attempt {attempt + 1}"):
            run(context(properties={"fail_times": 2}, retry_number=attempt))

    run(context(properties={"fail_times": 2}, retry_number=2))


def test_a_relationship_goes_as_its_inputs_say() -> None:
    source = end(properties={"seconds": 9, "fail": ["establish"]})
    ctx = context(
        source=source, target=end(name="db"), operation="cloudify.interfaces.relationship_lifecycle.establish"
    )

    assert run(ctx, seconds=2) == "establish"
    assert ctx.slept == [2]


def test_an_unreadable_setting_is_named() -> None:
    with pytest.raises(NonRecoverableError, match="soon"):
        run(context(properties={"seconds": "soon"}))


def test_it_can_be_repeated() -> None:
    first, second = run_twice(run, context(properties={"values": {"a": [1]}}))

    assert first == second == {"a": [1]}
    assert traits(run).repeatable


def test_every_type_maps_to_a_function_of_the_table() -> None:
    manifest = yaml.safe_load(files("groundplan_nop").joinpath("plugin.yaml").read_text())
    interfaces = [
        operations
        for section in ("node_types", "relationships")
        for declared in manifest[section].values()
        for kind in ("interfaces", "source_interfaces", "target_interfaces")
        for operations in declared.get(kind, {}).values()
    ]
    paths = {path.removeprefix("nop.") for operations in interfaces for path in operations.values()}

    assert paths == set(manifest["groundplan"]["operations"])


def test_drift_is_what_it_is_told() -> None:
    name = "cloudify.interfaces.lifecycle.check_drift"
    assert run(context(operation=name)) == {}
    assert run(context(operation=name, properties={"drift": {"port": 2}})) == {"port": 2}
