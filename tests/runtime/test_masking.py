"""What people see of secrets: dots, in whatever form the secret shows up."""

import base64
from urllib.parse import quote, quote_plus

import pytest

from groundplan.model.values import Sensitive
from groundplan.runtime.masking import DOTS, Masker

SECRET = "pa ss/w+rd?ü"
KEY = "-----BEGIN KEY-----\nabcdefghij\nklmnopqrst\nuv\n-----END KEY-----"


@pytest.fixture
def masker() -> Masker:
    """One that knows a password and a key."""
    found = Masker()
    found.learn([SECRET, KEY])
    return found


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        KEY,
        "klmnopqrst",
    ],
)
def test_a_secret_is_masked_in_each_of_its_forms(masker: Masker, form: str) -> None:
    assert masker.mask(f"<{form}>") == f"<{DOTS}>"


@pytest.mark.parametrize("text", ["-----BEGIN KEY-----", "uv", "an ordinary line"])
def test_what_is_no_secret_stays(masker: Masker, text: str) -> None:
    assert masker.mask(text) == text


def test_the_longer_of_two_secrets_is_masked_whole(masker: Masker) -> None:
    masker.learn(["secret", "secret-of-mine"])
    assert masker.mask("secret-of-mine") == DOTS


def test_short_values_are_left_alone() -> None:
    masker = Masker()
    masker.learn(["1", "admin"])
    assert masker.mask("admin 1") == "admin 1"


def test_data_that_holds_a_secret_is_marked(masker: Masker) -> None:
    url = f"postgres://u:{quote(SECRET, safe='')}@db"
    assert masker.mark({"urls": [url, "plain"]}) == {"urls": [Sensitive(url), "plain"]}


@pytest.mark.parametrize("name", ["password", "api-token", "my_SECRET", "private_key", "kubeconfig"])
def test_data_is_marked_when_its_name_says_so(name: str) -> None:
    assert Masker().mark({name: "anything"}) == {name: Sensitive("anything")}


def test_nothing_is_hidden_behind_an_empty_value() -> None:
    assert Masker().mark({"password": "", "token": None}) == {"password": "", "token": None}
