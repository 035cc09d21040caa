"""What each diagnosis of a training means, and what to do about it: the words, apart from what finds it."""

from types import MappingProxyType

from ostinato.advice.diagnoses import Diagnosis
from ostinato.core.advice import NOT_FINITE, Advice

OVERFITTING = "overfitting"
GUESSING = "no-better-than-guessing"
DEAD = "dead-units"
SATURATED = "saturated-gates"
VANISHING = "vanishing-gradients"
CLIPPED = "clipped-always"
TOO_HIGH = "learning-rate-too-high"
TOO_LOW = "learning-rate-too-low"

#: By diagnosis, which is also the section of the guide. `{lr}` and the like are filled in by who says it.
WORDS = MappingProxyType(
    {
        OVERFITTING: Diagnosis(
            OVERFITTING,
            "the model learns its examples by heart, and less and less of what others have in common with them; {kept}",
            "more data helps most; else --dropout or --weight-decay, a smaller --hidden, or --patience 3 to save time",
        ),
        GUESSING: Diagnosis(
            GUESSING,
            "so far the model makes nothing of what it is given: it learns too slowly, not at all, or there is nothing "
            "to learn",
            "check that inputs and answers belong together; try another --lr (--find-lr looks for one), more --epochs, "
            "or a gated --cell such as lstm or gru where what matters lies far back",
        ),
        DEAD: Diagnosis(
            DEAD,
            "these units say the same whatever is read: they take time and learn nothing any more",
            "lower --lr; check the scale of the inputs; with an unbounded activation take a bounded one, or a smaller "
            "--hidden if that many are not needed",
        ),
        SATURATED: Diagnosis(
            SATURATED,
            "gates at either end pass on almost no gradient: what they do hardly changes any more",
            "lower --lr; check the scale of the inputs (numbers of about 1 are best); add --weight-decay",
        ),
        VANISHING: Diagnosis(
            VANISHING,
            "what stands early in a sequence cannot be learned from: its gradient is lost on the way back, and the "
            "answers are still no better than guesses",
            "a gated --cell (lstm, gru) if this is none, a lower --lr if it is one; shorter sequences; or answers that "
            "look at all steps (--pooling, attention) where the task has them",
        ),
        CLIPPED: Diagnosis(
            CLIPPED,
            "the gradient's length no longer counts, only its direction: every step is as long as the learning rate "
            "makes it, however near the goal is",
            "raise --clip to about {norm}, the length that gradients have, or lower --lr",
        ),
        TOO_HIGH: Diagnosis(
            TOO_HIGH,
            "steps overshoot: each goes past what the one before has gained",
            "lower --lr (it is {lr:g}); {lower}, or what --find-lr suggests",
        ),
        TOO_LOW: Diagnosis(
            TOO_LOW,
            "steps are so short that the weights stay about where chance has put them",
            "raise --lr (it is {lr:g}, the default is {default:g}), or take what --find-lr suggests",
        ),
        NOT_FINITE: Diagnosis(NOT_FINITE, "{cause}", "{remedy}"),
    }
)


def advice(name: str, said: str, **filled: object) -> Advice:
    """A piece of advice, in the words of its diagnosis.

    Args:
        name: the diagnosis.
        said: what was seen.
        **filled: what its words leave open.
    """
    return WORDS[name].found(said, **filled)
