// Adaptive spiking neurons for hls4ml, io_stream: a call of the top function is an image, that is n_steps time steps.
// The stages are dataflow processes, so stage 2 computes step t while stage 1 computes step t + 1.

#ifndef NNET_ASN_STREAM_H_
#define NNET_ASN_STREAM_H_

#include "hls_stream.h"
#include "nnet_asn.h"
#include "nnet_types.h"

namespace nnet {

// A packet holds the channels of one pixel; the pixels of a step come row by row.
template <class data_T, class spike_T, typename CONFIG_T>
void asn_window(hls::stream<data_T> &data, hls::stream<spike_T> &spikes, typename CONFIG_T::bias_t bias[],
                typename CONFIG_T::gain_t gain[], typename CONFIG_T::offset_t offset[]) {
    static const unsigned channels = CONFIG_T::channels;
    static const unsigned pixels = CONFIG_T::height * CONFIG_T::width;
    static const unsigned out_pixels = CONFIG_T::out_height * CONFIG_T::out_width;
    static const unsigned lanes = DIV_ROUNDUP(channels, CONFIG_T::reuse_factor);
    typedef typename data_T::value_type drive_t;

    static typename CONFIG_T::current_t I[pixels * channels];
    static typename CONFIG_T::potential_t V[pixels * channels];
    static typename CONFIG_T::refractory_t S_hat[out_pixels * channels];
    static typename CONFIG_T::adaptation_t theta_a[out_pixels * channels];
    #pragma HLS ARRAY_PARTITION variable=I cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=V cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=S_hat cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=theta_a cyclic factor=lanes

Steps:
    for (unsigned t = 0; t < CONFIG_T::n_steps; t++) {
        const bool reset = t == 0, waits = t < CONFIG_T::onset;
        data_T packet;
        spike_T fired;
    Pixels:
        for (unsigned p = 0; p < pixels; p++) {
        Channels:
            for (unsigned r = 0; r < CONFIG_T::reuse_factor; r++) {
                #pragma HLS LOOP_FLATTEN
                #pragma HLS PIPELINE II=1
                if (r == 0 && (!CONFIG_T::analog || reset))
                    packet = data.read();
                for (unsigned lane = 0; lane < lanes; lane++) {
                    #pragma HLS UNROLL
                    const unsigned c = r * lanes + lane, i = p * channels + c;
                    if (c >= channels)
                        continue;
                    if (reset) {
                        I[i] = 0;
                        V[i] = 0;
                    }
                    if (!CONFIG_T::analog)
                        I[i] = asn_receive<drive_t, CONFIG_T>(I[i], packet[c]);
                    else if (reset)
                        I[i] = gain[CONFIG_T::n_gain == channels ? c : i] * packet[c] +
                               offset[CONFIG_T::n_offset == channels ? c : i];
                    V[i] = asn_filter<CONFIG_T>(V[i], I[i]);
                    if (!CONFIG_T::pooled) {
                        if (reset) {
                            S_hat[i] = 0;
                            theta_a[i] = 0;
                        }
                        fired[c] = asn_fire<CONFIG_T>(V[i], bias[CONFIG_T::n_bias == channels ? c : i], S_hat[i], theta_a[i],
                                                      waits);
                        ASN_SHOW_ONE(CONFIG_T::stage, probe_spikes, t, i, fired[c])
                    }
                }
                if (!CONFIG_T::pooled && r + 1 == CONFIG_T::reuse_factor)
                    spikes.write(fired);
            }
        }
        if (CONFIG_T::pooled) {
        Pooled:
            for (unsigned p = 0; p < out_pixels; p++) {
            PooledChannels:
                for (unsigned r = 0; r < CONFIG_T::reuse_factor; r++) {
                    #pragma HLS LOOP_FLATTEN
                    #pragma HLS PIPELINE II=1
                    for (unsigned lane = 0; lane < lanes; lane++) {
                        #pragma HLS UNROLL
                        const unsigned c = r * lanes + lane, i = p * channels + c;
                        if (c >= channels)
                            continue;
                        if (reset) {
                            S_hat[i] = 0;
                            theta_a[i] = 0;
                        }
                        fired[c] = asn_fire<CONFIG_T>(
                            asn_pool<CONFIG_T>(p / CONFIG_T::out_width, p % CONFIG_T::out_width, c, V),
                            bias[CONFIG_T::n_bias == channels ? c : i], S_hat[i], theta_a[i], waits);
                        ASN_SHOW_ONE(CONFIG_T::stage, probe_spikes, t, i, fired[c])
                    }
                    if (r + 1 == CONFIG_T::reuse_factor)
                        spikes.write(fired);
                }
            }
        }
        ASN_SHOW(CONFIG_T::stage, probe_I, t, I, pixels * channels)
        ASN_SHOW(CONFIG_T::stage, probe_V, t, V, pixels * channels)
        ASN_SHOW(CONFIG_T::stage, probe_S_hat, t, S_hat, out_pixels * channels)
        ASN_SHOW(CONFIG_T::stage, probe_theta_a, t, theta_a, out_pixels * channels)
    }
}

// A stage that receives weighted spikes.
template <class data_T, class spike_T, typename CONFIG_T>
void asn(hls::stream<data_T> &data, hls::stream<spike_T> &spikes, typename CONFIG_T::bias_t bias[CONFIG_T::n_bias]) {
    typename CONFIG_T::gain_t gain[1] = {0};
    typename CONFIG_T::offset_t offset[1] = {0};
    asn_window<data_T, spike_T, CONFIG_T>(data, spikes, bias, gain, offset);
}

// The first stage: reads the pixels once.
template <class data_T, class spike_T, typename CONFIG_T>
void asn_analog(hls::stream<data_T> &data, hls::stream<spike_T> &spikes, typename CONFIG_T::bias_t bias[CONFIG_T::n_bias],
                typename CONFIG_T::gain_t gain[CONFIG_T::n_gain],
                typename CONFIG_T::offset_t offset[CONFIG_T::n_offset]) {
    asn_window<data_T, spike_T, CONFIG_T>(data, spikes, bias, gain, offset);
}

// The read-out: a packet of outputs for each step.
template <class data_T, class res_T, typename CONFIG_T>
void asn_readout(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::bias_t bias[CONFIG_T::channels]) {
Steps:
    for (unsigned t = 0; t < CONFIG_T::n_steps; t++) {
        data_T packet = data.read();
        res_T out;
        asn_readout_step<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(t == 0, t, packet.data, out.data,
                                                                                            bias);
        res.write(out);
    }
}

} // namespace nnet

#endif
