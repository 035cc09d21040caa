"""What `ostinato.sklearn.SequenceRegressor` asks of the task: see `ostinato.tasks.estimators`."""

from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.reading import LabelledColumns
from ostinato.tasks.regress.data import PreparedTargets, prepare_targets
from ostinato.tasks.regress.options import TrainRegress


def prepare(options: TrainRegress, columns: LabelledColumns, data: Raw, share: float) -> PreparedTargets:
    """Sequences with their targets, made ready."""
    return prepare_targets(options, columns, data, share=share)
