"""From where a thing is shown: given views and held-out views, by elevation in degrees."""

__all__ = ["HELD_OUT", "TRAINED"]

TRAINED, HELD_OUT = (-20.0, 10.0, 40.0), (25.0, -5.0)
