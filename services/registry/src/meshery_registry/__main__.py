"""`python -m meshery_registry`: the registry service as a process of its own."""

from meshery_common import runtime
from meshery_registry.app import running
from meshery_registry.settings import RegistrySettings


def main() -> None:
    """Read the settings from the environment and serve until told to stop."""
    runtime.main("registry", RegistrySettings, running)


if __name__ == "__main__":
    main()
