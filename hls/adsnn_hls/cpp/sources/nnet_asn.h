// Adaptive spiking neurons for hls4ml: one time step of a stage, and the io_parallel interface.
// Every state word is defined by docs/fixed-point.md of snntb-adsnn; names are those of the Python code.

#ifndef NNET_ASN_H_
#define NNET_ASN_H_

#include "nnet_asn_probe.h"
#include "nnet_common.h"
#include "nnet_mult.h"

namespace nnet {

namespace product {
// A spike selects its weight: no multiplier. (data_binary is another thing: its 0 stands for -1.)
template <class x_T, class w_T> class spike_select : public Product {
  public:
    static w_T product(x_T spike, w_T weight) {
        #pragma HLS INLINE
        return spike != 0 ? weight : static_cast<w_T>(0);
    }
};

// One that may be negative adds or subtracts it.
template <class x_T, class w_T> class signed_select : public Product {
  public:
    static auto product(x_T spike, w_T weight) -> decltype(-weight) {
        #pragma HLS INLINE
        typedef decltype(-weight) term_t;
        return spike == 0 ? static_cast<term_t>(0) : spike > 0 ? static_cast<term_t>(weight) : static_cast<term_t>(-weight);
    }
};
} // namespace product

// What a stage is made of; the generated structs override these members.
struct asn_config {
    static const unsigned stage = 0;   // number in the chain, for the probe
    static const unsigned n_steps = 1; // time steps of an image
    static const unsigned onset = 0;   // no neuron spikes before this step
    static const unsigned reuse_factor = 1;

    // pixels before and after pooling; a flat layer is one pixel
    static const unsigned height = 1, width = 1, channels = 1;
    static const unsigned out_height = 1, out_width = 1;
    static const bool pooled = false;
    static const unsigned pool_height = 1, pool_width = 1, stride_height = 1, stride_width = 1;
    static const unsigned pad_top = 0, pad_left = 0;

    // raw words of coefficient_t and theta0_t
    static const unsigned long k_beta = 0, g_phi = 0, k_eta = 0, k_gamma = 0, m_gamma = 0, theta0 = 0;
    static const bool shift_add = false; // products with the coefficients as shifts and additions

    // corrective spikes: c in quarters, 0 for none; a spike is then -1, 0 or 1
    static const unsigned long corrective = 0;
    typedef ap_ufixed<8, 6> corrective_t;
    typedef bool spike_t;

    // the first stage: I = gain * pixel + offset, held; elsewhere unused
    static const bool analog = false;
    static const unsigned n_bias = 1, n_gain = 1, n_offset = 1;
    typedef ap_uint<1> gain_t;
    typedef ap_uint<1> offset_t;
};

// ---- products with constants ----------------------------------------------------------------------------------------

// lsb * K by the canonical signed digits of K; whole-word wrapping is harmless since the result fits.
template <unsigned long K, unsigned SHIFT> struct asn_digits {
    static const int digit = (K & 1) == 0 ? 0 : ((K & 3) == 3 ? -1 : 1);
    template <class T> static T times(T lsb) {
        #pragma HLS INLINE
        const T rest = asn_digits<(K - digit) / 2, SHIFT + 1>::times(lsb);
        if (digit == 0)
            return rest;
        const T term = lsb << SHIFT;
        return digit > 0 ? static_cast<T>(rest + term) : static_cast<T>(rest - term);
    }
};
template <unsigned SHIFT> struct asn_digits<0, SHIFT> {
    template <class T> static T times(T) { return 0; }
};

// x times the coefficient with raw word K, all bits kept.
template <typename CONFIG_T, unsigned long K, class x_T>
auto asn_scale(x_T x) -> decltype(x * typename CONFIG_T::coefficient_t()) {
    #pragma HLS INLINE
    typedef typename CONFIG_T::coefficient_t coefficient_t;
    typedef decltype(x * coefficient_t()) product_t;
    if (CONFIG_T::shift_add)
        return asn_digits<K, 0>::times(static_cast<product_t>(static_cast<product_t>(x) >> CONFIG_T::coefficient_fraction));
    coefficient_t k;
    k.range(coefficient_t::width - 1, 0) = K;
    return x * k;
}

// c theta, all bits kept.
template <typename CONFIG_T, class theta_T>
auto asn_corrective_level(theta_T theta) -> decltype(theta * typename CONFIG_T::corrective_t()) {
    #pragma HLS INLINE
    typedef decltype(theta * typename CONFIG_T::corrective_t()) level_t;
    return asn_digits<CONFIG_T::corrective, 0>::times(static_cast<level_t>(static_cast<level_t>(theta) >> 2));
}

// ---- one neuron, one step -------------------------------------------------------------------------------------------

// 1. The current: the weighted spikes of this step join what is left of the last ones.
template <class drive_T, typename CONFIG_T>
typename CONFIG_T::current_t asn_receive(typename CONFIG_T::current_t I, drive_T drive) {
    #pragma HLS INLINE
    return asn_scale<CONFIG_T, CONFIG_T::k_beta>(I) + drive;
}

// 2. The membrane filter.
template <typename CONFIG_T>
typename CONFIG_T::potential_t asn_filter(typename CONFIG_T::potential_t V, typename CONFIG_T::current_t I) {
    #pragma HLS INLINE
    return V + asn_scale<CONFIG_T, CONFIG_T::g_phi>(I - V);
}

// 3. to 7. S = potential + bias against the threshold; neither S nor theta is rounded. waits: the onset has not come.
template <typename CONFIG_T>
typename CONFIG_T::spike_t asn_fire(typename CONFIG_T::potential_t potential, typename CONFIG_T::bias_t bias,
                                    typename CONFIG_T::refractory_t &S_hat, typename CONFIG_T::adaptation_t &theta_a,
                                    bool waits) {
    #pragma HLS INLINE
    typedef typename CONFIG_T::refractory_t refractory_t;
    typedef typename CONFIG_T::adaptation_t adaptation_t;
    typename CONFIG_T::theta0_t theta0;
    theta0.range(CONFIG_T::theta0_t::width - 1, 0) = CONFIG_T::theta0;

    const refractory_t decayed = asn_scale<CONFIG_T, CONFIG_T::k_eta>(S_hat);
    const auto theta = theta0 + theta_a;
    const auto S = potential + bias;
    const auto excess = S - decayed;
    // not excess > theta / 2, which would lose the last bit of theta
    const bool spike = ((excess + excess) - theta) > 0 && !waits;
    bool negative = false;
    if (CONFIG_T::corrective != 0) {
        typedef decltype(potential + bias) potential_bias_t;
        const auto ahead = decayed - (S > 0 ? static_cast<potential_bias_t>(S) : static_cast<potential_bias_t>(0));
        negative = ((ahead + ahead) - asn_corrective_level<CONFIG_T>(theta)) > 0 && !waits;
    }

    const auto relaxed = asn_scale<CONFIG_T, CONFIG_T::k_gamma>(theta_a);
    const adaptation_t adapted = relaxed + asn_scale<CONFIG_T, CONFIG_T::m_gamma>(theta);
    const refractory_t raised = decayed + theta;
    const refractory_t lowered = decayed - theta;
    S_hat = spike ? raised : negative ? lowered : decayed;
    theta_a = spike || negative ? adapted : static_cast<adaptation_t>(relaxed);
    return static_cast<typename CONFIG_T::spike_t>(spike - negative);
}

// Position in an array that has one value for each channel, or one for each element.
template <unsigned N, unsigned CHANNELS> unsigned asn_index(unsigned i) {
    #pragma HLS INLINE
    return N == CHANNELS ? i % CHANNELS : i;
}

// The largest V under the window of an output pixel; what lies outside the image never wins.
template <typename CONFIG_T>
typename CONFIG_T::potential_t asn_pool(unsigned out_row, unsigned out_column, unsigned channel,
                                        typename CONFIG_T::potential_t V[]) {
    #pragma HLS INLINE
    typename CONFIG_T::potential_t largest = 0;
    bool found = false;
    for (unsigned i = 0; i < CONFIG_T::pool_height; i++) {
        #pragma HLS UNROLL
        for (unsigned j = 0; j < CONFIG_T::pool_width; j++) {
            #pragma HLS UNROLL
            const unsigned row = out_row * CONFIG_T::stride_height + i; // counted in the padded image
            const unsigned column = out_column * CONFIG_T::stride_width + j;
            if (row >= CONFIG_T::pad_top && row < CONFIG_T::pad_top + CONFIG_T::height && column >= CONFIG_T::pad_left &&
                column < CONFIG_T::pad_left + CONFIG_T::width) {
                const unsigned pixel = (row - CONFIG_T::pad_top) * CONFIG_T::width + (column - CONFIG_T::pad_left);
                const typename CONFIG_T::potential_t here = V[pixel * CONFIG_T::channels + channel];
                if (!found || here > largest)
                    largest = here;
                found = true;
            }
        }
    }
    return largest;
}

// ---- io_parallel: one step of a stage for each call -----------------------------------------------------------------

// Whether a stage still waits in this step; once a step. What is left of the onset is counted down.
template <typename CONFIG_T> bool asn_waits(bool reset) {
    #pragma HLS INLINE
    if (CONFIG_T::onset == 0)
        return false;
    static ap_uint<16> left = 0;
    if (reset)
        left = CONFIG_T::onset;
    else if (left != 0)
        left--;
    return left != 0;
}

// reuse_factor r: r cycles for n neurons, ceil(n / r) of them at once.
template <class data_T, class spike_T, typename CONFIG_T>
void asn_step(bool reset, data_T data[], spike_T spikes[], typename CONFIG_T::bias_t bias[],
              typename CONFIG_T::gain_t gain[], typename CONFIG_T::offset_t offset[]) {
    static const unsigned n_in = CONFIG_T::height * CONFIG_T::width * CONFIG_T::channels;
    static const unsigned n_out = CONFIG_T::out_height * CONFIG_T::out_width * CONFIG_T::channels;
    static const unsigned lanes = DIV_ROUNDUP(n_in, CONFIG_T::reuse_factor);
    static const unsigned out_lanes = DIV_ROUNDUP(n_out, CONFIG_T::reuse_factor);

    static typename CONFIG_T::current_t I[n_in];
    static typename CONFIG_T::potential_t V[n_in];
    static typename CONFIG_T::refractory_t S_hat[n_out];
    static typename CONFIG_T::adaptation_t theta_a[n_out];
    #pragma HLS ARRAY_PARTITION variable=I cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=V cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=S_hat cyclic factor=out_lanes
    #pragma HLS ARRAY_PARTITION variable=theta_a cyclic factor=out_lanes
    const bool waits = asn_waits<CONFIG_T>(reset);

Neurons:
    for (unsigned r = 0; r < CONFIG_T::reuse_factor; r++) {
        #pragma HLS PIPELINE II=1
        for (unsigned lane = 0; lane < lanes; lane++) {
            #pragma HLS UNROLL
            const unsigned i = r * lanes + lane;
            if (i >= n_in)
                continue;
            if (reset) {
                I[i] = 0;
                V[i] = 0;
            }
            if (!CONFIG_T::analog)
                I[i] = asn_receive<data_T, CONFIG_T>(I[i], data[i]);
            else if (reset)
                I[i] = gain[asn_index<CONFIG_T::n_gain, CONFIG_T::channels>(i)] * data[i] +
                       offset[asn_index<CONFIG_T::n_offset, CONFIG_T::channels>(i)];
            V[i] = asn_filter<CONFIG_T>(V[i], I[i]);
            if (!CONFIG_T::pooled) {
                if (reset) {
                    S_hat[i] = 0;
                    theta_a[i] = 0;
                }
                spikes[i] = asn_fire<CONFIG_T>(V[i], bias[asn_index<CONFIG_T::n_bias, CONFIG_T::channels>(i)], S_hat[i],
                                               theta_a[i], waits);
            }
        }
    }
    if (CONFIG_T::pooled) {
    Pooled:
        for (unsigned r = 0; r < CONFIG_T::reuse_factor; r++) {
            #pragma HLS PIPELINE II=1
            for (unsigned lane = 0; lane < out_lanes; lane++) {
                #pragma HLS UNROLL
                const unsigned i = r * out_lanes + lane;
                if (i >= n_out)
                    continue;
                if (reset) {
                    S_hat[i] = 0;
                    theta_a[i] = 0;
                }
                const unsigned pixel = i / CONFIG_T::channels;
                spikes[i] = asn_fire<CONFIG_T>(asn_pool<CONFIG_T>(pixel / CONFIG_T::out_width, pixel % CONFIG_T::out_width,
                                                                  i % CONFIG_T::channels, V),
                                               bias[asn_index<CONFIG_T::n_bias, CONFIG_T::channels>(i)], S_hat[i],
                                               theta_a[i], waits);
            }
        }
    }
    ASN_SHOW(CONFIG_T::stage, probe_spikes, 0, spikes, n_out)
    ASN_SHOW(CONFIG_T::stage, probe_I, 0, I, n_in)
    ASN_SHOW(CONFIG_T::stage, probe_V, 0, V, n_in)
    ASN_SHOW(CONFIG_T::stage, probe_S_hat, 0, S_hat, n_out)
    ASN_SHOW(CONFIG_T::stage, probe_theta_a, 0, theta_a, n_out)
}

// A stage that receives weighted spikes. reset: this is the first step of an image; it travels with the spikes, since a
// dataflow channel has one reader.
template <class data_T, class reset_T, class spike_T, typename CONFIG_T>
void asn(data_T data[CONFIG_T::height * CONFIG_T::width * CONFIG_T::channels], reset_T reset[1],
         reset_T next_reset[1], spike_T spikes[CONFIG_T::out_height * CONFIG_T::out_width * CONFIG_T::channels],
         typename CONFIG_T::bias_t bias[CONFIG_T::n_bias]) {
    next_reset[0] = reset[0];
    typename CONFIG_T::gain_t gain[1] = {0};
    typename CONFIG_T::offset_t offset[1] = {0};
    asn_step<data_T, spike_T, CONFIG_T>(reset[0] != 0, data, spikes, bias, gain, offset);
}

// The first stage. Pixels are read when reset is set.
template <class data_T, class reset_T, class spike_T, typename CONFIG_T>
void asn_analog(data_T data[CONFIG_T::height * CONFIG_T::width * CONFIG_T::channels], reset_T reset[1],
                reset_T next_reset[1], spike_T spikes[CONFIG_T::out_height * CONFIG_T::out_width * CONFIG_T::channels],
                typename CONFIG_T::bias_t bias[CONFIG_T::n_bias], typename CONFIG_T::gain_t gain[CONFIG_T::n_gain],
                typename CONFIG_T::offset_t offset[CONFIG_T::n_offset]) {
    next_reset[0] = reset[0];
    asn_step<data_T, spike_T, CONFIG_T>(reset[0] != 0, data, spikes, bias, gain, offset);
}

// The read-out: smoothed current plus bias, no spikes.
template <class data_T, class res_T, typename CONFIG_T>
void asn_readout_step(bool reset, unsigned step, data_T data[CONFIG_T::channels], res_T res[CONFIG_T::channels],
                      typename CONFIG_T::bias_t bias[CONFIG_T::channels]) {
    static typename CONFIG_T::current_t I[CONFIG_T::channels];
    static typename CONFIG_T::potential_t V[CONFIG_T::channels];
    #pragma HLS ARRAY_PARTITION variable=I complete
    #pragma HLS ARRAY_PARTITION variable=V complete
    #pragma HLS PIPELINE
    for (unsigned i = 0; i < CONFIG_T::channels; i++) {
        #pragma HLS UNROLL
        if (reset) {
            I[i] = 0;
            V[i] = 0;
        }
        I[i] = asn_receive<data_T, CONFIG_T>(I[i], data[i]);
        V[i] = asn_filter<CONFIG_T>(V[i], I[i]);
        res[i] = V[i] + bias[i];
    }
    ASN_SHOW(CONFIG_T::stage, probe_I, step, I, CONFIG_T::channels)
    ASN_SHOW(CONFIG_T::stage, probe_V, step, V, CONFIG_T::channels)
    (void)step; // the probe's alone
}

template <class data_T, class reset_T, class res_T, typename CONFIG_T>
void asn_readout(data_T data[CONFIG_T::channels], reset_T reset[1], res_T res[CONFIG_T::channels],
                 typename CONFIG_T::bias_t bias[CONFIG_T::channels]) {
    asn_readout_step<data_T, res_T, CONFIG_T>(reset[0] != 0, 0, data, res, bias);
}

} // namespace nnet

#endif
