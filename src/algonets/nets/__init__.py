"""Reference networks that the algorithms are combined with."""

from algonets.nets.letter_scorer import LetterScorer

__all__ = ["LetterScorer"]
