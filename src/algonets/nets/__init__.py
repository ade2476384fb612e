"""Reference networks that the algorithms are combined with."""

from algonets.nets.digit_ranker import DigitRanker
from algonets.nets.letter_scorer import LetterScorer
from algonets.nets.small_cnn import SmallCnn

__all__ = ["DigitRanker", "LetterScorer", "SmallCnn"]
