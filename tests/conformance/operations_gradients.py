"""The operations of ``algonets.gradients``, for the conformance suite."""
