"""The service runtime."""
