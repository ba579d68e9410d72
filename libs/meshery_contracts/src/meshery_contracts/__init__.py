"""What the services say to each other: messages, subjects, permission keys and errors.

A contract is data: one module per service with its endpoints (request-reply), topics (facts) and the
messages they carry. Depends on pydantic only, holds no behaviour beyond checking and naming, and never
imports a service or the runtime.
"""
