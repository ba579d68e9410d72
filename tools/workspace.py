"""The members of this workspace and what their names must be. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Where members live, by the kind of member.
KINDS = {"lib": "libs/*", "service": "services/*", "agent": "agents/*", "standalone": "standalone"}


@dataclass(frozen=True, order=True)
class Member:
    """One folder with a pyproject.toml."""

    folder: Path
    kind: str

    @property
    def name(self) -> str:
        """The one word that stands for the member, as in `make test M=designs`."""
        return self.folder.name.removeprefix("meshery_")

    @property
    def token(self) -> str:
        """The name where a hyphen is not allowed: subjects, packages, schemas."""
        return self.name.replace("-", "_")

    @property
    def package(self) -> str:
        """The Python package."""
        return f"meshery_{self.token}"

    @property
    def distribution(self) -> str:
        """The name in pyproject.toml."""
        return f"meshery-{self.name.replace('_', '-')}"

    @property
    def src(self) -> Path:
        """The folder that must be on the path."""
        return self.folder / "src"

    @property
    def code(self) -> Path:
        """The folder of the package."""
        return self.src / self.package

    @property
    def empty(self) -> bool:
        """Whether nothing was written yet: a package with an `__init__.py` only."""
        return not any(file.name != "__init__.py" for file in self.code.rglob("*.py"))


def members(root: Path = ROOT) -> list[Member]:
    """Every member, libraries first, in the order of the dependency stack's folders."""
    return [
        Member(file.parent, kind)
        for kind, pattern in KINDS.items()
        for file in sorted(root.glob(f"{pattern}/pyproject.toml"))
    ]
