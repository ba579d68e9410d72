"""`python -m meshery_connections`: the connections service as a process of its own."""

from meshery_common import runtime
from meshery_connections.app import running
from meshery_connections.settings import ConnectionsSettings


def main() -> None:
    """Read the settings from the environment and serve until told to stop."""
    runtime.main("connections", ConnectionsSettings, running)


if __name__ == "__main__":
    main()
