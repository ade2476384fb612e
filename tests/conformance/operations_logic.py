"""The operations of ``algonets.logic``, for the conformance suite."""
