"""The operations of ``algonets.training``, for the conformance suite."""
