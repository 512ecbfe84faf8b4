// io_stream: hls4ml's own layers, once for each step of the window.

#ifndef NNET_SPIKE_WINDOW_H_
#define NNET_SPIKE_WINDOW_H_

#include "nnet_conv2d_stream.h"
#include "nnet_dense_stream.h"
#include "nnet_padding_stream.h"

namespace nnet {

template <class data_T, class res_T, typename CONFIG_T, unsigned STEPS>
void spike_dense_window(hls::stream<data_T> &data, hls::stream<res_T> &res,
                        typename CONFIG_T::weight_t weights[CONFIG_T::n_in * CONFIG_T::n_out],
                        typename CONFIG_T::bias_t biases[CONFIG_T::n_out]) {
Steps:
    for (unsigned t = 0; t < STEPS; t++)
        dense<data_T, res_T, CONFIG_T>(data, res, weights, biases);
}

template <class data_T, class res_T, typename CONFIG_T, unsigned STEPS>
void spike_conv_window(hls::stream<data_T> &data, hls::stream<res_T> &res,
                       typename CONFIG_T::weight_t weights[CONFIG_T::kernel_size * CONFIG_T::n_chan * CONFIG_T::n_filt],
                       typename CONFIG_T::bias_t biases[CONFIG_T::n_filt]) {
Steps:
    for (unsigned t = 0; t < STEPS; t++)
        conv_2d_cl<data_T, res_T, CONFIG_T>(data, res, weights, biases);
}

template <class data_T, class res_T, typename CONFIG_T, unsigned STEPS>
void spike_pad_window(hls::stream<data_T> &data, hls::stream<res_T> &res) {
Steps:
    for (unsigned t = 0; t < STEPS; t++)
        zeropad2d_cl<data_T, res_T, CONFIG_T>(data, res);
}

} // namespace nnet

#endif
