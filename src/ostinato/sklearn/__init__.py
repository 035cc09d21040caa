"""Estimators by scikit-learn's conventions, on the same models and the same loop as the commands."""

from ostinato.core.errors import ConfigError

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    raise ConfigError("ostinato.sklearn needs scikit-learn: pip install 'ostinato[sklearn]'") from None

from ostinato.sklearn.classifier import SequenceClassifier
from ostinato.sklearn.forecaster import Forecaster
from ostinato.sklearn.regressor import SequenceRegressor
from ostinato.sklearn.tagger import SequenceTagger

__all__ = ["Forecaster", "SequenceClassifier", "SequenceRegressor", "SequenceTagger"]
