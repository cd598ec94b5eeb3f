"""Listings: prefix, delimiter, pages, in both versions of ListObjects."""

from __future__ import annotations

import io

import pytest

KEYS = ["a/1", "a/2", "a/b/3", "a0", "b c/x", "c", "d/é"]


@pytest.fixture(scope="module")
def shelf(store, client):
    name = f"shelf-of-{store.kind}"
    client.make_bucket(name, "us-west-1")
    for key in KEYS:
        client.put_object(name, key, io.BytesIO(key.encode()), len(key.encode()))
    return name


def keys(answer) -> list[str]:
    return [each["Key"] for each in answer.get("Contents", [])]


def prefixes(answer) -> list[str]:
    return [each["Prefix"] for each in answer.get("CommonPrefixes", [])]


def test_all_keys_in_order(shelf, s3, client):
    assert keys(s3.list_objects_v2(Bucket=shelf)) == KEYS
    assert keys(s3.list_objects(Bucket=shelf)) == KEYS
    assert [each.object_name for each in client.list_objects(shelf, recursive=True)] == KEYS


def test_entries_say_what_the_object_is(shelf, s3):
    entry = s3.list_objects_v2(Bucket=shelf, Prefix="c", FetchOwner=True)["Contents"][0]
    assert (entry["Size"], entry["StorageClass"]) == (1, "STANDARD")
    assert entry["ETag"] == s3.head_object(Bucket=shelf, Key="c")["ETag"]
    assert entry["Owner"]["ID"]


@pytest.mark.parametrize(
    ("prefix", "found", "rolled"),
    [
        ("", ["a0", "c"], ["a/", "b c/", "d/"]),
        ("a/", ["a/1", "a/2"], ["a/b/"]),
        ("a", ["a0"], ["a/"]),
        ("d/é", ["d/é"], []),
        ("nothing", [], []),
    ],
)
def test_prefix_and_delimiter(shelf, s3, prefix, found, rolled):
    answer = s3.list_objects_v2(Bucket=shelf, Prefix=prefix, Delimiter="/")
    assert (keys(answer), prefixes(answer)) == (found, rolled)
    assert answer["KeyCount"] == len(found) + len(rolled)


@pytest.mark.parametrize("version", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_add_up(shelf, s3, version, size):
    pages = list(s3.get_paginator(version).paginate(Bucket=shelf, PaginationConfig={"PageSize": size}))
    assert [key for page in pages for key in keys(page)] == KEYS
    assert max(len(keys(page)) for page in pages) == size


@pytest.mark.parametrize("version", ["list_objects", "list_objects_v2"])
def test_pages_of_prefixes_add_up(shelf, s3, version):
    pages = list(s3.get_paginator(version).paginate(Bucket=shelf, Delimiter="/", PaginationConfig={"PageSize": 1}))
    assert sorted(entry for page in pages for entry in keys(page) + prefixes(page)) == ["a/", "a0", "b c/", "c", "d/"]


def test_listing_starts_after_a_key(shelf, s3):
    assert keys(s3.list_objects_v2(Bucket=shelf, StartAfter="a/2")) == KEYS[2:]
    assert keys(s3.list_objects(Bucket=shelf, Marker="a0")) == KEYS[4:]
    assert prefixes(s3.list_objects_v2(Bucket=shelf, StartAfter="a/1", Delimiter="/")) == ["b c/", "d/"]


def test_without_versioning_every_object_has_one_version(shelf, s3):
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=shelf, PaginationConfig={"PageSize": 3})
    versions = [version for page in pages for version in page.get("Versions", [])]
    assert [version["Key"] for version in versions] == KEYS
    assert {(version["VersionId"], version["IsLatest"]) for version in versions} == {("null", True)}


def test_a_page_of_nothing(shelf, s3):
    answer = s3.list_objects_v2(Bucket=shelf, MaxKeys=0)
    assert (keys(answer), answer["IsTruncated"]) == ([], False)


def test_sizes_that_are_none_are_refused(shelf, send):
    for size in ("-1", "many"):
        answer = send.signed("GET", f"/{shelf}?list-type=2&max-keys={size}")
        assert (answer.status, answer.code) == (400, "InvalidArgument")
