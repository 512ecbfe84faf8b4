// C simulation only: a testbench that sets asn_probe() sees each word of each stage after each step. For synthesis, and
// with ADSNN_NO_PROBE, nothing of it is left.

#ifndef NNET_ASN_PROBE_H_
#define NNET_ASN_PROBE_H_

#if defined(__SYNTHESIS__) || defined(ADSNN_NO_PROBE)
#define ASN_SHOW(stage, quantity, step, words, n)
#define ASN_SHOW_ONE(stage, quantity, step, index, word)
#else
#define ASN_SHOW(stage, quantity, step, words, n) ::nnet::asn_show(stage, ::nnet::quantity, step, words, n);
#define ASN_SHOW_ONE(stage, quantity, step, index, word)                                                                 \
    ::nnet::asn_show_one(stage, ::nnet::quantity, step, index, word);

#include "ap_fixed.h"
#include "ap_int.h"

namespace nnet {

enum asn_quantity { probe_spikes, probe_I, probe_V, probe_S_hat, probe_theta_a };

typedef void (*asn_probe_function)(unsigned stage, asn_quantity quantity, unsigned step, unsigned index, long long word);
inline asn_probe_function &asn_probe() {
    static asn_probe_function probe = 0;
    return probe;
}

// The integer that an ap_fixed stands for: its value times 2 to the number of its fraction bits.
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> long long asn_word(const ap_fixed<W, I, Q, O, N> &x) {
    ap_int<W> word;
    word.range(W - 1, 0) = x.range(W - 1, 0);
    return word.to_int64();
}
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> long long asn_word(const ap_ufixed<W, I, Q, O, N> &x) {
    ap_uint<W> word;
    word.range(W - 1, 0) = x.range(W - 1, 0);
    return word.to_int64();
}
template <int W> long long asn_word(const ap_uint<W> &x) { return x.to_int64(); }
template <int W> long long asn_word(const ap_int<W> &x) { return x.to_int64(); }

template <class T>
void asn_show_one(unsigned stage, asn_quantity quantity, unsigned step, unsigned index, const T &word) {
    if (asn_probe())
        asn_probe()(stage, quantity, step, index, asn_word(word));
}

template <class T>
void asn_show(unsigned stage, asn_quantity quantity, unsigned step, const T *words, unsigned n) {
    for (unsigned i = 0; asn_probe() && i < n; i++)
        asn_show_one(stage, quantity, step, i, words[i]);
}

} // namespace nnet

#endif

#endif
