"""Contract: kinds that a CustomResourceDefinition brings: served, checked, owned by field, gone with it."""

from __future__ import annotations

import json
import uuid

import pytest
from kubernetes import client

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
SIZE = {"type": "integer", "minimum": 1, "maximum": 9, "default": 2}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["flavour"],
            "properties": {
                "flavour": {"type": "string", "enum": ["sweet", "sour"]},
                "size": SIZE,
                "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}


@pytest.fixture
def widgets(api, eventually):
    """A kind of the test's own, served: its definition."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wg"]}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [version | {"subresources": {"status": {}}}],
        },
    }
    extensions = client.ApiextensionsV1Api(api)
    extensions.create_custom_resource_definition(body)
    eventually(lambda: established(extensions, body["metadata"]["name"]))
    yield body
    try:
        extensions.delete_custom_resource_definition(body["metadata"]["name"])
    except client.ApiException as error:
        assert error.status == 404  # noqa: PT017


def established(extensions, name):
    status = extensions.read_custom_resource_definition(name).status
    return any((each.type, each.status) == ("Established", "True") for each in status.conditions or [])


@pytest.fixture
def custom(api, widgets, namespace, eventually):
    """Calls on widgets: `custom("create", body)`."""
    objects = client.CustomObjectsApi(api)
    place = (widgets["spec"]["group"], "v1", namespace, "widgets")
    eventually(lambda: objects.list_namespaced_custom_object(*place))

    def call(verb, *arguments, **options):
        return getattr(objects, f"{verb}_namespaced_custom_object")(*place, *arguments, **options)

    return call


@pytest.fixture
def widget(widgets):
    def build(name="one", **spec):
        head = {"apiVersion": f"{widgets['spec']['group']}/v1", "kind": "Widget", "metadata": {"name": name}}
        return head | {"spec": {"flavour": "sweet", **spec}}

    return build


def refused(call, *arguments, **options):
    with pytest.raises(client.ApiException) as caught:
        call(*arguments, **options)
    return json.loads(caught.value.body)


def test_defaults_are_filled_in_and_unknown_fields_dropped(custom, widget):
    made = custom("create", widget(colour="red", extra={"any": ["thing"]}))
    assert made["spec"] == {"flavour": "sweet", "size": 2, "extra": {"any": ["thing"]}}
    assert made["metadata"]["generation"] == 1
    assert custom("get", "one")["metadata"]["uid"] == made["metadata"]["uid"]


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"size": "big"}, "spec.size", "must be of type integer"),
        ({"size": 0}, "spec.size", "should be greater than or equal to 1"),
        ({"flavour": "bitter"}, "spec.flavour", 'supported values: "sweet", "sour"'),
        ({"flavour": None}, "spec.flavour", "Required value"),
    ],
)
def test_what_the_schema_forbids_is_refused(custom, widget, spec, field, words):
    status = refused(custom, "create", widget(**spec))
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert field in [cause["field"] for cause in status["details"]["causes"]]
    assert words in status["message"]


def test_an_unknown_field_is_an_error_to_strict_clients(custom, widget):
    status = refused(custom, "create", widget(sise=1), field_validation="Strict")
    assert (status["code"], 'unknown field "spec.sise"' in status["message"]) == (400, True)


def test_status_is_written_apart(raw, custom, widget, namespace):
    custom("create", widget() | {"status": {"phase": "Made up"}})
    assert "status" not in custom("get", "one")
    path = f"/apis/{widget()['apiVersion']}/namespaces/{namespace}/widgets/one/status"
    body = {"spec": {"size": 7}, "status": {"phase": "Done"}}
    written = raw("PATCH", path, body=body, Content_Type=MERGE)
    assert (written["spec"]["size"], written["status"], written["metadata"]["generation"]) == (2, {"phase": "Done"}, 1)


def test_fields_have_owners(raw, widget, namespace, custom):
    path = f"/apis/{widget()['apiVersion']}/namespaces/{namespace}/widgets/one"

    def apply(manager, body, **query):
        options = [("fieldManager", manager), *query.items()]
        return raw("PATCH", path, query=options, body=body, Content_Type=APPLY)[0]

    apply("one", widget(size=3))
    status = refused(apply, "two", widget(size=4))
    assert (status["code"], [cause["field"] for cause in status["details"]["causes"]]) == (409, [".spec.size"])
    taken = apply("two", widget(size=4), force="true")
    assert taken["spec"]["size"] == 4
    assert apply("one", widget())["spec"]["size"] == 4


def test_a_strategic_merge_is_not_for_custom_kinds(raw, custom, widget, namespace):
    custom("create", widget())
    path = f"/apis/{widget()['apiVersion']}/namespaces/{namespace}/widgets/one"
    media_type = "application/strategic-merge-patch+json"
    assert refused(raw, "PATCH", path, body={"spec": {"size": 3}}, Content_Type=media_type)["code"] == 415
    assert raw("PATCH", path, body={"spec": {"size": 3}}, Content_Type=MERGE)["metadata"]["generation"] == 2


def test_discovery_names_the_kind(raw, widgets, eventually):
    def found():
        listed = raw("GET", f"/apis/{widgets['spec']['group']}/v1", Accept="application/json")["resources"]
        return {each["name"]: each.get("shortNames") for each in listed}

    assert eventually(found) == {"widgets": ["wg"], "widgets/status": None}


def test_a_definition_takes_its_objects_along(api, custom, widget, widgets, eventually):
    custom("create", widget())
    client.ApiextensionsV1Api(api).delete_custom_resource_definition(widgets["metadata"]["name"])

    def gone():
        try:
            return not custom("list")
        except client.ApiException as error:
            return error.status == 404

    eventually(gone)


def test_a_definition_must_be_named_by_its_plural_and_group(api, widgets):
    body = widgets | {"metadata": {"name": "gadgets.example.com"}}
    status = refused(client.ApiextensionsV1Api(api).create_custom_resource_definition, body)
    assert (status["code"], status["details"]["causes"][0]["field"]) == (422, "metadata.name")
