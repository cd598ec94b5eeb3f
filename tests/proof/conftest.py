"""The home that most proofs have: an empty one for each test."""

from pathlib import Path

import pytest

from .user import User, user_in


@pytest.fixture
def user(tmp_path: Path) -> User:
    """A user with an empty home and no sandbox."""
    return user_in(tmp_path)
