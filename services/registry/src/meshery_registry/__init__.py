"""Registry: owns models, components, relationships and policies."""
