"""Estimators and tests for paired right-or-wrong answers; all own figures are proportions.

Every question is answered by several seeds and levels, so answers are never independent; clusters
are groups of duplicate or same-template questions. What `statsmodels` and `scipy.stats` have comes
from there; own code is for what they lack. Each function names its estimand and source;
docs/statistics.md lists assumptions and the oracle each one is tested against.

- `clusters`: least squares with few or many clusters, CR2 and Satterthwaite's degrees of freedom.
- `estimates`: the result type and cluster sums.
- `gains`: paired comparisons of two variants, and intervals for one accuracy.
- `levels`: trends over response lengths, contrasts of sections, Holm's adjustment.
- `power`: power and smallest detectable effects.
- `variance`: variance components of crossed questions and seeds.
"""
