"""What the services say to each other. Depends on pydantic only."""
