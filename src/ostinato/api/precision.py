"""What a training multiplies in: what was asked for, or what `--precision auto` finds."""

from dataclasses import replace
from typing import Any, NamedTuple, cast

from torch import nn

from ostinato import kernels
from ostinato.api.compute import compute_settings
from ostinato.api.saved import saved_options
from ostinato.checkpoint import RunFolder
from ostinato.core.accelerator import resolve
from ostinato.tasks.options import TrainOptions
from ostinato.training import Job
from ostinato.training.job import Validation

#: Leaves it to the machine and the task.
AUTO = "auto"

#: Of torch.set_float32_matmul_precision: products in float32, and with factors of bfloat16.
FLOAT32, BFLOAT16 = "highest", "medium"


class Products(NamedTuple):
    """What products of matrices are computed in.

    Attributes:
        asked: what --precision said when the run began.
        used: one of torch.set_float32_matmul_precision, which the whole training keeps to.
        why: of what is used, in words; empty where it was asked for.
    """

    asked: str
    used: str
    why: str = ""

    @property
    def measured(self) -> str:
        """What validations and tests are computed in: float32, unless other products were asked for."""
        return FLOAT32 if self.asked == AUTO else self.used

    def record(self) -> dict[str, str]:
        """What config.json says of it."""
        return {"asked": self.asked, "used": self.used}


def products_of(options: TrainOptions, resumed: RunFolder | None = None) -> Products:
    """What a training multiplies in.

    Args:
        options: of the training.
        resumed: the folder of the run that it goes on with: it keeps to what that used, on any machine.
    """
    asked = options.training.precision
    if resumed is not None:
        return _as_begun(options, resumed)
    if asked != AUTO:
        return Products(asked, asked)
    if why_not := _keeps_float32(options):
        return Products(asked, FLOAT32, f"products in float32: {why_not}")
    why = f"this processor multiplies it, and figures of {options.TASK} are the same"
    return Products(asked, BFLOAT16, f"products in bfloat16: {why}")


def computed_in(options: TrainOptions, products: Products) -> TrainOptions:
    """The options, with what is used in the place of what was asked for."""
    training = replace(options.training, precision=cast("Any", products.used))
    changed: Any = replace(cast("Any", options), training=training)
    return cast("TrainOptions", changed)


def measured_in(products: Products, job: Job) -> Job:
    """The job, validated in what validations are computed in, and with a word on its products where nobody asked for
    them."""
    about = f"{job.about}; {products.why}" if products.why else job.about
    if products.measured == products.used:
        return replace(job, about=about)

    def validate(model: nn.Module) -> Validation:
        with compute_settings(0, products.measured):
            return job.validate(model)

    return replace(job, about=about, validate=validate)


def _as_begun(options: TrainOptions, folder: RunFolder) -> Products:
    used = saved_options(type(options), str(folder.path))["precision"]
    asked = folder.read_config(options.TASK).get("precision", {}).get("asked", used)  # earlier versions wrote none
    given = options.training.precision
    if given not in (AUTO, used):  # refused with whatever else differs
        return Products(given, given)
    if used != BFLOAT16:
        why = "products in float32, as the run began" if used == FLOAT32 else ""
    elif kernels.native.multiplies_bfloat16():
        why = "products in bfloat16, as the run began"
    else:
        why = "products in float32: the run began in bfloat16, which this processor does not multiply"
    return Products(asked, used, why if asked == AUTO else "")


def _keeps_float32(options: TrainOptions) -> str:
    """Why products stay float32; empty where they need not."""
    if resolve(options.training.accelerator).type != "cpu":
        return "only of the processor is it known whether bfloat16 gives the same figures"
    if not kernels.native.multiplies_bfloat16():
        return "this processor does not multiply bfloat16"
    if not type(options).BFLOAT16:
        return f"no table shows yet that figures of {options.TASK} are the same in bfloat16"
    return ""
