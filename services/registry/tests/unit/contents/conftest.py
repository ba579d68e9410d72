"""What ships with us, read once."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

from meshery_registry.domain.contents import read_contents
from meshery_registry.domain.entities import Package, Readings


@pytest.fixture(scope="session")
def folder() -> Traversable:
    """The folder of the content."""
    return files("meshery_registry") / "content"


@pytest.fixture(scope="session")
def contents(folder: Traversable) -> Readings:
    """Everything that ships."""
    return read_contents(folder)


@pytest.fixture(scope="session")
def kubernetes(contents: Readings) -> list[Package]:
    """The versions of the model of Kubernetes, the newest last."""
    return [one for one in contents.packages if one.model.name == "kubernetes"]


@pytest.fixture(scope="session")
def newest(kubernetes: list[Package]) -> Package:
    """The newest version of Kubernetes, which has the relationships."""
    return kubernetes[-1]
