"""The operations of ``algonets.projections``, for the conformance suite."""
