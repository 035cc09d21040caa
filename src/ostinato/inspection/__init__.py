"""What a cell does while it reads: gates, states, gradients, predictions. Plain arrays, whichever cell it is."""

from ostinato.inspection.candidates import Predictions, loss_by_kind, predictions
from ostinato.inspection.gates import Record, Saturation, record, saturation
from ostinato.inspection.gradients import (
    Flow,
    clipped,
    gradient_flow,
    gradient_norms,
    repeated_product,
    scaled_to,
    spectral_radii,
    spectral_radius,
)
from ostinato.inspection.live import Live, LivePlace, Series
from ostinato.inspection.observed import Batches, Observed, ObservedText, Typed
from ostinato.inspection.training import training_curves
from ostinato.inspection.units import PROPERTIES, Follower, auc, correlation, followers, text_properties
from ostinato.inspection.views.gates import GatesView
from ostinato.inspection.views.gradients import GradientsView
from ostinato.inspection.views.loss import LossView
from ostinato.inspection.views.training import TrainingView
from ostinato.inspection.views.units import UnitsView

__all__ = [
    "PROPERTIES",
    "Batches",
    "Flow",
    "Follower",
    "GatesView",
    "GradientsView",
    "Live",
    "LivePlace",
    "LossView",
    "Observed",
    "ObservedText",
    "Predictions",
    "Record",
    "Saturation",
    "Series",
    "TrainingView",
    "Typed",
    "UnitsView",
    "auc",
    "clipped",
    "correlation",
    "followers",
    "gradient_flow",
    "gradient_norms",
    "loss_by_kind",
    "predictions",
    "record",
    "repeated_product",
    "saturation",
    "scaled_to",
    "spectral_radii",
    "spectral_radius",
    "text_properties",
    "training_curves",
]
