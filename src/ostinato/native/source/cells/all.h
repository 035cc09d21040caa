// Made by `make kernels` from the cells that say that they are `native`: do not edit.
#pragma once

#include "gru.h"
#include "lstm.h"
#include "lstm_peephole.h"
#include "rnn.h"
#include "rnn_relu.h"

// Of each, its struct and its name.
#define OSTINATO_FUSED_CELLS(X) \
    X(Gru, "gru") \
    X(Lstm, "lstm") \
    X(LstmPeephole, "lstm_peephole") \
    X(Rnn, "rnn") \
    X(RnnRelu, "rnn_relu")
