"""`python -m meshery_inventory`: inventory as a process of its own."""

from meshery_common import runtime
from meshery_inventory.app import running
from meshery_inventory.settings import InventorySettings


def main() -> None:
    """Read the settings from the environment and serve until told to stop."""
    runtime.main("inventory", InventorySettings, running)


if __name__ == "__main__":
    main()
