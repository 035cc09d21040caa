"""Every picture, in one style. What draws raises a ConfigError without matplotlib: `pip install 'ostinato[plots]'`."""

from ostinato.plots.alignment import alignment_matrix
from ostinato.plots.gradients import Course, gradient_courses, norms_over_steps
from ostinato.plots.style import COLOURS, picture, picture_files, require_matplotlib
from ostinato.plots.training import read_metrics, training_curve

__all__ = [
    "COLOURS",
    "Course",
    "alignment_matrix",
    "gradient_courses",
    "norms_over_steps",
    "picture",
    "picture_files",
    "read_metrics",
    "require_matplotlib",
    "training_curve",
]
