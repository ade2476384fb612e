"""The operations of ``algonets.render``, for the conformance suite."""
