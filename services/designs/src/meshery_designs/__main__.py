"""`python -m meshery_designs`: the designs service as a process of its own."""

from meshery_common import runtime
from meshery_designs.app import running
from meshery_designs.settings import DesignsSettings


def main() -> None:
    """Read the settings from the environment and serve until told to stop."""
    runtime.main("designs", DesignsSettings, running)


if __name__ == "__main__":
    main()
