"""A diagnosis, and those of a doctor: each once. Those of a training are in `words`."""

from typing import NamedTuple

from ostinato.core.advice import Advice


class Diagnosis(NamedTuple):
    """What is always said of one kind of finding; its section in the guide is called as it is.

    What stands in braces is filled in by whoever finds it.

    Attributes:
        name: in kebab case.
        meaning: what it means.
        remedy: what to do.
    """

    name: str
    meaning: str
    remedy: str

    def found(self, said: str, **filled: object) -> Advice:
        """A finding.

        Args:
            said: what was seen: a line.
            **filled: what meaning and remedy leave open.
        """
        meaning, remedy = self.meaning.format(**filled), self.remedy.format(**filled)
        return Advice(name=self.name, said=said, meaning=meaning, remedy=remedy, anchor=self.name)


STATE_NOT_DETACHED = Diagnosis(
    "state-not-detached",
    "the gradient runs on into the batch before: backward fails the second time, or takes longer and more memory at "
    "each step",
    "cut the state off between batches: h = h.detach(), of an LSTM h and c; or keep it in an ostinato.KeptState",
)
MIXED_UP = Diagnosis(
    "batch-and-time-mixed-up",
    "the layer steps through the batch instead of through time, so that sequences leak into each other",
    "say batch_first=True where the input is [batch, time, features], and not where it is [time, batch, features]; "
    "the last step is then output[:, -1], or output[-1]",
)
LAST_OF_PADDED = Diagnosis(
    "last-step-of-padded",
    "the last step of a shorter sequence is padding: what is read there is zeros, or a state that padding has changed",
    "take the final state (h_n) of a packed sequence, or of ostinato's layers called with lengths=; or index each "
    "sequence at its own last step: output[torch.arange(N), lengths - 1] where the batch is first",
)
LAST_OF_BIDIRECTIONAL = Diagnosis(
    "last-step-of-bidirectional",
    "at the last step the backward direction has read one element only, and at the first step so has the forward one: "
    "half of the features know next to nothing of the sequence",
    "take the final states of both directions: torch.cat((h_n[-2], h_n[-1]), dim=1)",
)
ONE_DIRECTION = Diagnosis(
    "one-direction-of-two",
    "what the other direction's final state has gathered is not used",
    "take the final states of both directions: torch.cat((h_n[-2], h_n[-1]), dim=1)",
)
LAID_OUT_WRONG = Diagnosis(
    "state-laid-out-wrong",
    "a view does not move numbers: each row now holds those of several sequences",
    "bring the batch to the front first: h_n.transpose(0, 1).reshape(N, -1); or concatenate the layers you mean: "
    "torch.cat((h_n[-2], h_n[-1]), dim=1)",
)
VANISHING = Diagnosis(
    "vanishing-gradients",
    "what lies so far back changes no weight: dependencies of that length cannot be learned",
    "an LSTM with a forget bias of 1 or more, shorter pieces, or a mean or attention over all steps in place of the "
    "last state",
)
EXPLODING = Diagnosis(
    "exploding-gradients",
    "steps far back outweigh all others by orders of magnitude: the weights jump",
    "clip the gradient (torch.nn.utils.clip_grad_norm_), begin with smaller or orthogonal recurrent weights, or use a "
    "gated cell",
)
DEAD = Diagnosis(
    "dead-units",
    "they give the same number whatever they read, get next to no gradient, and mostly stay so",
    "a lower learning rate, inputs scaled to about 1, tanh in place of relu, or smaller initial weights",
)
SATURATED = Diagnosis(
    "saturated-units",
    "at its ends tanh is flat: next to no gradient comes through, and how far the input goes makes no difference",
    "scale the inputs to about 1, or begin with smaller weights",
)
NO_GRADIENT = Diagnosis(
    "parameters-without-gradient",
    "the loss does not depend on them: they stay as they are drawn",
    "use them on the way to the loss; look for a detach(), an item() or a torch.no_grad() there; or leave them out",
)
SOFTMAX_TWICE = Diagnosis(
    "softmax-before-cross-entropy",
    "the loss takes the softmax itself: of probabilities it is nearly flat, and learning is slow",
    "give the loss what stands before the softmax",
)
SIGMOID_TWICE = Diagnosis(
    "softmax-before-cross-entropy",
    "the loss takes the sigmoid itself: of probabilities it is nearly flat, and learning is slow",
    "give the loss what stands before the sigmoid, or use binary_cross_entropy",
)
