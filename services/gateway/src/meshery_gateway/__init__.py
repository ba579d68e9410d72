"""Gateway: the way in over HTTP. Authenticates, asks the services over the bus; owns no table."""
