"""Homes that the proofs share: an empty one for each test, and one with the application installed in a sandbox."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .user import ROOT, User, sandboxed, user_in


@pytest.fixture
def user(tmp_path: Path) -> User:
    """A user with an empty home and no sandbox."""
    return user_in(tmp_path)


@pytest.fixture(scope="module")
def developer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user with a sandbox who has uploaded the project's blueprints and imported its example secrets."""
    with sandboxed(user_in(tmp_path_factory.mktemp("developer"))) as user:
        user.ok("blueprints", "upload", "--all", ROOT / "blueprints")
        user.ok("secrets", "import", ROOT / "secrets.example.json")
        yield user


@pytest.fixture(scope="module")
def application(developer: User) -> User:
    """The same user after the application is installed as `app_dev_small`."""
    developer.ok("deployments", "create", "app_dev_small", "-b", "app", "-i", "env_type=dev-small")
    developer.install("app_dev_small")
    return developer
