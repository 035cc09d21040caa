"""What there is to see of a run, view by view: arrays, with what is printed of them as `facts()`."""

from ostinato.inspection.views.gates import GatesView, Shown, gates_view
from ostinato.inspection.views.gradients import (
    Clipping,
    Followed,
    GradientsView,
    Products,
    clipping_of,
    flows,
    products_of,
)
from ostinato.inspection.views.loss import LossView, loss_view
from ostinato.inspection.views.training import TrainingView, training_view
from ostinato.inspection.views.units import UnitsView, units_view

__all__ = [
    "Clipping",
    "Followed",
    "GatesView",
    "GradientsView",
    "LossView",
    "Products",
    "Shown",
    "TrainingView",
    "UnitsView",
    "clipping_of",
    "flows",
    "gates_view",
    "loss_view",
    "products_of",
    "training_view",
    "units_view",
]
