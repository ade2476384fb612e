"""The operations of ``algonets.graph``, for the conformance suite."""
