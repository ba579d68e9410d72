"""`python -m meshery_gateway`: the gateway as a process of its own."""

from meshery_common import runtime
from meshery_gateway.app import running
from meshery_gateway.settings import GatewaySettings


def main() -> None:
    """Read the settings from the environment and serve until told to stop."""
    settings = GatewaySettings()
    runtime.run("gateway", settings.telemetry, lambda: running(settings))


if __name__ == "__main__":
    main()
