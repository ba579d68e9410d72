"""Registry: owns models, components, relationships, policies and who registered them. It talks to no cluster."""
