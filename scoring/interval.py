"""How sure a figure is: 95 % intervals, and estimates from unequal samples. SciPy's, where it has them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

# SciPy loads its parts on first use, so a process that only takes answers never carries its statistics (80 MB).
import scipy

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """From where to where the true value lies, at 95 % confidence."""

    low: float
    high: float


class Stratum(NamedTuple):
    """A part of the population: its size, how many of it were asked and answered, their mean and standard deviation."""

    size: int
    n: int
    mean: float
    deviation: float


class Estimate(NamedTuple):
    """A mean and its standard error."""

    mean: float
    error: float


def wilson(successes: int, n: int) -> Interval | None:
    """Wilson's score interval of a share; None without a trial."""
    if n == 0:
        return None
    found = scipy.stats.binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(found.low), float(found.high))


def wilson_of_share(share: float, n: float) -> Interval:
    """Wilson's interval of a weighted share, `n` being its effective sample size, which need not be whole.

    SciPy's takes whole numbers only; for those it is the same (Wilson 1927, equation 4).
    """
    z = float(scipy.stats.norm.ppf((1 + CONFIDENCE) / 2))
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))


def newcombe(successes: int, n: int, other_successes: int, other_n: int) -> Interval | None:
    """Newcombe's interval of the difference of two independent shares (his method 10, without continuity correction).

    Newcombe, R. G. (1998), Statistics in Medicine 17, 873-890. None where either share has no trial.
    """
    one, other = wilson(successes, n), wilson(other_successes, other_n)
    if one is None or other is None:
        return None
    share, other_share = successes / n, other_successes / other_n
    below = math.hypot(share - one.low, other.high - other_share)
    above = math.hypot(one.high - share, other_share - other.low)
    return Interval(share - other_share - below, share - other_share + above)


def student(mean: float, deviation: float, n: int) -> Interval | None:
    """Student's interval of a mean; None below two values."""
    return around(mean, deviation / math.sqrt(n), n - 1) if n > 1 else None


def around(value: float, error: float, freedom: int) -> Interval:
    """Student's interval around an estimate, by its standard error and its degrees of freedom (1 or more)."""
    if error == 0:
        return Interval(value, value)
    low, high = scipy.stats.t.interval(CONFIDENCE, freedom, loc=value, scale=error)
    return Interval(float(low), float(high))


def weigh_back(strata: Sequence[Stratum]) -> Estimate | None:
    """The population's mean from a stratified sample: Σ (Nₕ/N)·meanₕ, with the finite population correction:

    se² = Σ (Nₕ/N)² · (1 - nₕ/Nₕ) · sₕ²/nₕ. Cochran, Sampling Techniques, 3rd ed., 5.9. None for an empty population.
    Raises `ValueError` for a stratum from which nobody answered: it cannot be estimated, only merged with another.
    """
    populated = [stratum for stratum in strata if stratum.size]
    if any(stratum.n == 0 for stratum in populated):
        raise ValueError("a stratum without answers cannot be weighed back")
    if not populated:
        return None
    population = sum(stratum.size for stratum in populated)
    mean = math.fsum(stratum.size / population * stratum.mean for stratum in populated)
    variance = math.fsum(
        (stratum.size / population) ** 2 * (1 - stratum.n / stratum.size) * stratum.deviation**2 / stratum.n
        for stratum in populated
    )
    return Estimate(mean, math.sqrt(variance))
