"""Of the sandbox: the arithmetic of patches and of field ownership, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan_sandbox.kubernetes.fields import from_fields_v1, leaves, to_fields_v1
from groundplan_sandbox.kubernetes.patches import json_patch, merge_patch, strategic_merge_patch
from groundplan_sandbox.kubernetes.status import ApiError

NAMES = st.text("abcde", min_size=1, max_size=3)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
PATHS = st.frozensets(st.lists(NAMES.map("f:{}".format), min_size=1, max_size=4).map(tuple), max_size=8)


@given(PATHS)
def test_field_sets_survive_their_wire_form(paths):
    assert from_fields_v1(to_fields_v1(paths)) == paths


def test_items_of_keyed_lists_are_fields_of_their_own():
    item = {"spec": {"containers": [{"name": "web", "image": "nginx"}]}}
    web = ("f:spec", "f:containers", 'k:{"name":"web"}')
    assert set(leaves(item)) == {web, (*web, "f:name"), (*web, "f:image")}


def test_what_identifies_an_object_belongs_to_nobody():
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": "u", "labels": {"x": "y"}}}
    assert set(leaves(item)) == {("f:metadata", "f:labels", "f:x")}


@given(st.dictionaries(NAMES, DOCUMENTS, max_size=3), st.dictionaries(NAMES, DOCUMENTS, max_size=3))
def test_a_merge_patch_applied_twice_is_applied_once(item, patch):
    once = merge_patch(item, patch)
    assert merge_patch(once, patch) == once


@pytest.mark.parametrize(
    ("item", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_as_the_rfc_shows_them(item, patch, result):
    assert merge_patch(item, patch) == result


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/list/-", "value": 3}, {"list": [1, 2, 3], "a/b": 1}),
        ({"op": "add", "path": "/list/0", "value": 0}, {"list": [0, 1, 2], "a/b": 1}),
        ({"op": "remove", "path": "/a~1b"}, {"list": [1, 2]}),
        ({"op": "move", "from": "/list/0", "path": "/first"}, {"list": [2], "a/b": 1, "first": 1}),
        ({"op": "copy", "from": "/a~1b", "path": "/c"}, {"list": [1, 2], "a/b": 1, "c": 1}),
        ({"op": "replace", "path": "/list", "value": []}, {"list": [], "a/b": 1}),
        ({"op": "test", "path": "/list/1", "value": 2}, {"list": [1, 2], "a/b": 1}),
    ],
    ids=lambda value: value.get("op", ""),
)
def test_json_patch_operations(operation, result):
    assert json_patch({"list": [1, 2], "a/b": 1}, [operation]) == result


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ({}, 400),
        ([{"op": "add"}], 400),
        ([{"op": "bend", "path": "/a"}], 400),
        ([{"op": "remove", "path": "/none"}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "add", "path": "/a/x", "value": 2}], 422),
    ],
)
def test_json_patches_that_do_not_fit(operations, code):
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1}, operations)
    assert caught.value.code == code


def containers(*names):
    return {"spec": {"containers": [{"name": name} for name in names]}}


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"spec": {"containers": [{"name": "b", "$patch": "delete"}]}}, containers("a")),
        ({"spec": {"containers": [{"$patch": "replace"}, {"name": "c"}]}}, containers("c")),
        ({"spec": {"containers": [{"name": "c"}], "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}]}},
         containers("c", "b", "a")),
        ({"spec": {"$patch": "replace", "hostname": "h"}}, {"spec": {"hostname": "h"}}),
        ({"spec": {"$retainKeys": ["hostname"], "hostname": "h"}}, {"spec": {"hostname": "h"}}),
        ({"spec": None}, {}),
    ],
)  # fmt: skip
def test_strategic_directives(patch, result):
    assert strategic_merge_patch(containers("a", "b"), patch) == result


def test_primitive_sets_lose_what_is_named():
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}
    merged = strategic_merge_patch({"metadata": {"finalizers": ["a", "b"]}}, patch)
    assert merged == {"metadata": {"finalizers": ["b", "c"]}}
