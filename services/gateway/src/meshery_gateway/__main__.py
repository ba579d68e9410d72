"""`python -m meshery_gateway`: the gateway as a process of its own."""

from meshery_common import runtime
from meshery_gateway.app import running
from meshery_gateway.settings import GatewaySettings


def main() -> None:
    """Read the settings from the environment and serve until told to stop."""
    runtime.main("gateway", GatewaySettings, running)


if __name__ == "__main__":
    main()
