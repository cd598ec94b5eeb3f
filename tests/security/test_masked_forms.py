"""Secrets as programs quote them: none of these forms may show the secret to people."""

import json
import shlex
from collections.abc import Callable
from html import escape

import pytest

from groundplan.runtime.masking import Masker

PASSWORD = "pa\"ss\\wörd<&>'x%y"
KEY = "-----BEGIN KEY-----\nMIIEabcdefghijklmnop\nqrstuvwxyz0123456789\nshort\n-----END KEY-----\n"

FORMS: list[Callable[[str], str]] = [
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps({"k": [text]}),
    repr,
    lambda text: repr({"k": text}),
    shlex.quote,
    escape,
    lambda text: escape(text, quote=False),
    lambda text: text.encode().hex(),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [PASSWORD, KEY])
def test_a_quoted_secret_is_masked(secret: str, form: Callable[[str], str]) -> None:
    masker = Masker()
    masker.learn([secret])
    shown = masker.mask(f"before {form(secret)} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert not any(piece in shown for piece in ("pa", "ss", "rd", "MII", "qrst", "short", "7061"))
