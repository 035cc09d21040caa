"""Which of scikit-learn's own estimator checks do not hold, and why: the whole list.

check_estimator(Forecaster(window=2), expected_failed_checks=expected_failed_checks(Forecaster()))
"""

from collections.abc import Mapping
from typing import Any

#: By estimator: the check's name, and the reason.
EXPECTED_FAILED_CHECKS: Mapping[str, Mapping[str, str]] = {
    "Forecaster": {
        "check_methods_sample_order_invariance": "rows are time steps: in another order they are another series",
        "check_methods_subset_invariance": "row i is the i-th step after the end: alone it is the first",
        "check_estimators_empty_data_messages": "a table without columns is a series without covariates",
    },
    "SequenceClassifier": {},
    "SequenceRegressor": {},
    "SequenceTagger": {
        "check_n_features_in": "sequences have any length, so that there is no number of features",
        "check_n_features_in_after_fitting": "sequences have any length, so that none can be wrong",
    },
}


def expected_failed_checks(estimator: Any) -> dict[str, str]:
    """What `check_estimator` and `parametrize_with_checks` take as `expected_failed_checks`.

    Args:
        estimator: one of these, or of a class derived from one.
    """
    names = (kind.__name__ for kind in type(estimator).__mro__)
    return dict(next(EXPECTED_FAILED_CHECKS[name] for name in names if name in EXPECTED_FAILED_CHECKS))
