"""What was published for the 1,000 questions of each task: errors in percent."""

__all__ = ["FAILED", "PUBLISHED"]

FAILED = 5.0
"""A task is failed where the error is above, in percent (Weston et al. 2015)."""

PUBLISHED: dict[str, tuple[float, ...]] = {
    # Sukhbaatar et al. 2015, table 1: three hops, position encoding, linear start, random noise of time.
    "memory, per task": (
        *(0.0, 8.3, 40.3, 2.8, 13.1, 7.6, 17.3, 10.0, 13.2, 15.1),
        *(0.9, 0.2, 0.4, 1.7, 0.0, 1.3, 51.0, 11.1, 82.8, 0.0),
    ),
    "memory, joint": (
        *(0.0, 11.4, 21.9, 13.4, 14.4, 2.8, 18.3, 9.3, 1.9, 6.5),
        *(0.3, 0.1, 0.2, 6.9, 0.0, 2.7, 40.4, 9.4, 88.0, 0.0),
    ),
    # Weston et al. 2015, as given there.
    "lstm, per task": (
        *(50.0, 80.0, 80.0, 39.0, 30.0, 52.0, 51.0, 55.0, 36.0, 56.0),
        *(38.0, 26.0, 6.0, 73.0, 79.0, 77.0, 49.0, 48.0, 92.0, 9.0),
    ),
}
"""Task 1 to 20 of each method; means 13.9, 12.4 and 51.3."""
