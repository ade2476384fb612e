"""T-conorms: soft "or" on [0, 1], and their dual t-norms, soft "and".

``algonets.render`` folds the coverages of a pixel by all faces with one of them, ``algonets.relax`` uses the
dual t-norms for ``and``. All but :class:`Max` are Archimedean, ``S = g^-1(sum g(F_i))``, so a fold is a sum.

============== ======================== ===================== =======================================
family         g(F), with s = 1 - F     parameter             special cases and limits
============== ======================== ===================== =======================================
Max            none                                           the smallest t-conorm
Probabilistic  -log s                                         independent events
Einstein       artanh F                                       = Hamacher(2)
Hamacher       log(1 + p F/s)           p >= 0                1: Probabilistic, 2: Einstein, 0: F/s
Frank          -log((p^s - 1)/(p - 1))  p > 0, not 1          0: Max, 1: Probabilistic, inf: Yager(1)
Yager          F^p, cut at 1            p > 0                 1: bounded sum, inf: Max
AczelAlsina    (-log s)^p               p > 0                 1: Probabilistic, inf: Max
Dombi          (F/s)^p                  p > 0                 1: Hamacher(0), inf: Max
SchweizerSklar s^p - 1                  p < 0                 0: Probabilistic, -1: Hamacher(0), -inf: Max
============== ======================== ===================== =======================================

Max, Probabilistic, AczelAlsina and SchweizerSklar also have ``reduce_log_survival``, which takes and returns
``log(1 - F)`` (see ``Distribution.log_survival``) and keeps apart what is 1 to rounding.
"""

from algonets.tconorms.aczel_alsina import AczelAlsina
from algonets.tconorms.base import ArchimedeanTConorm, TConorm
from algonets.tconorms.dombi import Dombi
from algonets.tconorms.einstein import Einstein
from algonets.tconorms.frank import Frank
from algonets.tconorms.hamacher import Hamacher
from algonets.tconorms.maximum import Max
from algonets.tconorms.probabilistic import Probabilistic
from algonets.tconorms.schweizer_sklar import SchweizerSklar
from algonets.tconorms.yager import Yager

__all__ = [
    "AczelAlsina",
    "ArchimedeanTConorm",
    "Dombi",
    "Einstein",
    "Frank",
    "Hamacher",
    "Max",
    "Probabilistic",
    "SchweizerSklar",
    "TConorm",
    "Yager",
]
