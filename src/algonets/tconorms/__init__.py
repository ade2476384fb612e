"""tconorms."""
