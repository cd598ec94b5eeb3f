"""Creating, importing and changing secrets."""

import json

import pytest

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.service import secrets
from groundplan.service.assembly import Engine, now


def import_(engine: Engine, document: object, **more: object) -> secrets.Imported:
    """Import a document."""
    text = document if isinstance(document, str) else json.dumps(document)
    return secrets.import_(engine.store, text, now(), **more)


def names(engine: Engine) -> list[str]:
    """The names of all secrets."""
    return [item.name for item in secrets.listing(engine.store)]


def test_a_secret_is_created_once(engine: Engine) -> None:
    secrets.create(engine.store, "a", "1", now())
    with pytest.raises(Conflict):
        secrets.create(engine.store, "a", "2", now())
    assert secrets.get(engine.store, "a").text == "1"


def test_a_secret_is_changed_and_deleted_by_name(engine: Engine) -> None:
    secrets.create(engine.store, "a", "1", now())
    secrets.change(engine.store, "a", "2", now())
    assert secrets.get(engine.store, "a").text == "2"
    secrets.delete(engine.store, "a")
    assert names(engine) == []


@pytest.mark.parametrize(
    "use", [secrets.get, secrets.delete, lambda store, name: secrets.change(store, name, "x", now())]
)
def test_what_is_not_there_is_not_found(engine: Engine, use: object) -> None:
    with pytest.raises(NotFound, match="'nothing'"):
        use(engine.store, "nothing")


@pytest.mark.parametrize(("name", "text"), [("a b", "1"), ("", "1"), ("a/b", "1"), ("a", ""), ("a", "null")])
def test_a_name_or_text_that_cannot_be_used_is_refused(engine: Engine, name: str, text: str) -> None:
    with pytest.raises(UsageError):
        secrets.create(engine.store, name, text, now())


def test_an_object_of_texts_and_documents_is_imported(engine: Engine) -> None:
    done = import_(engine, {"text": "1", "map": {"a": [1]}})
    assert done.created == ["text", "map"]
    found = secrets.get(engine.store, "map")
    assert (json.loads(found.text), found.is_document) == ({"a": [1]}, True)


def test_the_exported_array_of_the_other_engine_is_imported(engine: Engine) -> None:
    exported = [{"key": "a", "value": "1", "visibility": "tenant", "encrypted": False}]
    assert import_(engine, exported).created == ["a"]


def test_the_same_values_again_change_nothing(engine: Engine) -> None:
    import_(engine, {"a": "1", "m": {"x": 1, "y": 2}})
    assert import_(engine, '{"m": {"y": 2, "x": 1}, "a": "1"}').unchanged == ["m", "a"]


def test_another_value_is_a_conflict_and_nothing_is_imported(engine: Engine) -> None:
    import_(engine, {"a": "1"})
    with pytest.raises(Conflict, match="a"):
        import_(engine, {"new": "1", "a": "2"})
    assert names(engine) == ["a"]


def test_another_value_is_taken_when_that_is_asked_for(engine: Engine) -> None:
    import_(engine, {"a": "1"})
    assert import_(engine, {"a": "2"}, override=True).updated == ["a"]
    assert secrets.get(engine.store, "a").text == "2"


@pytest.mark.parametrize(
    "document",
    ["", "{", "1", '["a"]', '{"a b": "1"}', '{"a": null}', '[{"key": "a", "value": "x", "encrypted": true}]'],
)
def test_what_is_not_of_either_form_is_refused(engine: Engine, document: str) -> None:
    with pytest.raises(UsageError):
        import_(engine, document)
    assert names(engine) == []


def test_no_trouble_shows_a_value(engine: Engine) -> None:
    import_(engine, {"a": "first value"})
    with pytest.raises(Conflict) as caught:
        import_(engine, {"a": "second value"})
    assert "value" not in str(caught.value).replace("other values", "")
