// Made by `make kernels` from the cells that say that they are `native`: do not edit.
#pragma once

#include "gru.h"
#include "gru_reset_before.h"
#include "jordan.h"
#include "lstm.h"
#include "lstm_layer_norm.h"
#include "lstm_peephole.h"
#include "lstm_projected.h"
#include "rnn.h"
#include "rnn_relu.h"

#define OSTINATO_FUSED_CELLS(X) \
    X(Gru, "gru") \
    X(Lstm, "lstm") \
    X(LstmPeephole, "lstm_peephole") \
    X(Rnn, "rnn") \
    X(RnnRelu, "rnn_relu")

#define OSTINATO_ADAPTED_CELLS(X) \
    X(GruResetBefore, "gru_reset_before") \
    X(Jordan, "jordan") \
    X(LstmLayerNorm, "lstm_layer_norm") \
    X(LstmProjected, "lstm_projected")
