"""An empty home for each test, and blueprints that do nothing but take time and leave marks."""

from pathlib import Path

import pytest

from ..proof.user import User, user_in


@pytest.fixture
def user(tmp_path: Path) -> User:
    """A user with an empty home and no sandbox."""
    return user_in(tmp_path)
