"""scikit-learn's own checks of estimators, those that hand in data among them."""

from pathlib import Path

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from scipy import sparse  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from ostinato.sklearn import Forecaster, SequenceClassifier, SequenceRegressor, SequenceTagger  # noqa: E402
from ostinato.sklearn.checks import EXPECTED_FAILED_CHECKS, expected_failed_checks  # noqa: E402

TINY = {"hidden": 4, "dropout": 0.0, "epochs": 1, "batch": 64, "validation_fraction": 0, "random_state": 1}
TINY |= {"options": {"threads": 1, "schedule": "constant"}}
FORECASTS = {
    "options": TINY["options"] | {"floor": "none"}
}  # the checks' targets are whole numbers, none of them negative
LEARNS = {"hidden": 8, "epochs": 4, "batch": 32, "lr": 0.03, "bidirectional": False}  # the checks want 83 % right
FITS = LEARNS | {"epochs": 20, "batch": 16, "pooling": "last"}  # and an R2 of one half


class RowTagger(SequenceTagger):
    """scikit-learn's checks have one label a row; here every token of a row has it."""

    def fit(self, X, y):
        return super().fit(X, self._each(X, y))

    def predict(self, X):
        return np.array([labels[-1] for labels in super().predict(X)])

    def predict_proba(self, X):
        return np.array([probabilities[-1] for probabilities in super().predict_proba(X)])

    def score(self, X, y):
        return np.mean(self.predict(X) == y)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True  # or no check would be run
        return tags

    def _each(self, X, y):
        whole = y is not None and not sparse.issparse(X) and np.ndim(X) == 2
        return [[label] * np.shape(X)[1] for label in np.asarray(y)] if whole else y


CHECKED = {"expected_failed_checks": expected_failed_checks, "xfail_strict": True}


@parametrize_with_checks([SequenceClassifier(**TINY | LEARNS)], **CHECKED)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        SequenceRegressor(**TINY | FITS),
        RowTagger(embed=4, char_hidden=0, **TINY),
        Forecaster(window=2, horizon=4, **TINY | FORECASTS),
    ],
    **CHECKED,
)
def test_scikit_learns_checks_of_the_others(estimator, check):
    check(estimator)


def test_every_exception_stands_in_the_documentation():
    docs = Path(__file__).parents[3] / "docs"
    for page in ("guides/scikit-learn.md", "adr/0021-scikit-learn.md"):
        told = " ".join((docs / page).read_text(encoding="utf-8").split())
        for exceptions in EXPECTED_FAILED_CHECKS.values():
            for check, reason in exceptions.items():
                assert f"`{check}` | {reason}" in told, page
        assert told.count("| `check_") == sum(map(len, EXPECTED_FAILED_CHECKS.values()))
