"""A thin asynchronous Kubernetes client: discovery, server-side apply, watches."""
