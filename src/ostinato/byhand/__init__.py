"""Recurrent networks in NumPy alone, every derivative written out: to be read, and to be compared with.

Each class is a layer. `forward` computes, and remembers what its derivative will need; `backward` takes the gradient of
the loss by the layer's result and returns the gradient by its input. On the way it adds the gradients by the layer's
weights to `grads`. With y = f(x, W), and dy for dL/dy, that is all there is to know of a layer:

    dx = dy * df/dx        dW += dy * df/dW

A model is a list of layers: forward from the first to the last, backward from the last to the first. That is the chain
rule, and it is all of backpropagation.

**Through time.** A recurrent layer has the same weights at every step, so unrolled over T steps it is a net of T layers
that happen to be equal, and backpropagation needs nothing new. Two sums are all that time adds:

- `h_t` has two readers, the layer above and the next step. Its gradient is the sum of what both send back.
- the weights have T users, one a step. Their gradient is the sum over the steps. (A matrix that embedding and output
  layer share has two users, and the same sum: that is why gradients are added, never set.)

A text has no end, so the net is cut into pieces of T steps: the state goes on from each piece to the next, the gradient
does not. That is *truncated* backpropagation through time.

Names are those of Saitoh, "Deep Learning from Scratch 2", chapters 5 to 8, and so are shapes and order of the weights:
`Wx [D, G*H]`, `Wh [H, G*H]` and one bias, multiplied from the right. The code is our own. Sequences are `[N, T, ...]`:
N sequences side by side, T steps, D inputs, H units, V words, G gates.

| to read | in |
|---|---|
| embedding, scores, loss, dropout | `layers` |
| Elman's network and Jordan's | `simple` |
| LSTM and GRU | `gated` |
| what a decoder looks back with | `attention` |
| language models, and pieces of a text | `language` |
| one sequence to another | `seq2seq` |
| steps downhill, and clipping | `optimizer` |
| weights to a file, without pickle | `model` |
"""

from ostinato.byhand.attention import Attention, AttentionWeight, TimeAttention, WeightSum
from ostinato.byhand.gated import TimeGRU, TimeLSTM
from ostinato.byhand.language import BetterRnnlm, LanguageModel, Rnnlm, pieces
from ostinato.byhand.layers import TimeAffine, TimeDropout, TimeEmbedding, TimeSoftmaxWithLoss
from ostinato.byhand.optimizer import SGD, Adam, clip_grads
from ostinato.byhand.seq2seq import AttentionSeq2seq, PeekySeq2seq, Seq2seq
from ostinato.byhand.simple import TimeJordan, TimeRNN

__all__ = [
    "SGD",
    "Adam",
    "Attention",
    "AttentionSeq2seq",
    "AttentionWeight",
    "BetterRnnlm",
    "LanguageModel",
    "PeekySeq2seq",
    "Rnnlm",
    "Seq2seq",
    "TimeAffine",
    "TimeAttention",
    "TimeDropout",
    "TimeEmbedding",
    "TimeGRU",
    "TimeJordan",
    "TimeLSTM",
    "TimeRNN",
    "TimeSoftmaxWithLoss",
    "WeightSum",
    "clip_grads",
    "pieces",
]
