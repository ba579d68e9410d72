"""`python -m meshery_identity`: the identity service as a process of its own."""

from meshery_common import runtime
from meshery_identity.app import running
from meshery_identity.settings import IdentitySettings


def main() -> None:
    """Read the settings from the environment and serve until told to stop."""
    runtime.main("identity", IdentitySettings, running)


if __name__ == "__main__":
    main()
