"""Inventory: owns the live picture of every connected cluster."""
