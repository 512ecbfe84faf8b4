// The parameters of a neuron, once: declared by every core around it, and passed on by name.
//
// A state is named by its letter: I current, V potential, H refractory response (S_hat), A adaptation (theta_a).
// tests/hls/test_cores.py holds this file against the tables of snntb_adsnn/neuron/constants.py.
`ifndef ASN_NEURON_PARAMETERS
`define ASN_NEURON_PARAMETERS

// ---- the type of a state: bits, fraction bits, rounding (asn_cast counts the modes), saturate or wrap ---------
`define ASN_TYPE(X, MODE) parameter int X``_W = 18, parameter int X``_F = 12, \
  parameter int X``_ROUNDING = MODE, parameter bit X``_SATURATE = 1
`define ASN_PASS_TYPE(X) .X``_W(X``_W), .X``_F(X``_F), .X``_ROUNDING(X``_ROUNDING), .X``_SATURATE(X``_SATURATE)

// ---- what decays into the current: the sum of a step's weights, its bits and fraction bits --------------------
`define ASN_DRIVE_PARAMETERS parameter int D_W = 16, parameter int D_F = 6, parameter int K_BETA = 4014
`define ASN_PASS_DRIVE .D_W(D_W), .D_F(D_F), .K_BETA(K_BETA)

// ---- current and potential; C: the type of all factors ---------------------------------------------------------
`define ASN_FILTER_PARAMETERS `ASN_TYPE(I, 1), `ASN_TYPE(V, 1), \
  parameter int C_W = 12, parameter int C_F = 12, parameter int G_PHI = 1350
`define ASN_PASS_FILTER `ASN_PASS_TYPE(I), `ASN_PASS_TYPE(V), .C_W(C_W), .C_F(C_F), .G_PHI(G_PHI)

// ---- refractory response, adaptation, threshold; c of the corrective spikes in quarters, 0: there are none -------
`define ASN_FIRE_PARAMETERS `ASN_TYPE(H, 0), `ASN_TYPE(A, 0), \
  parameter int K_ETA = 4014, parameter int K_GAMMA = 3832, parameter int M_GAMMA = 766, parameter int THETA0 = 819, \
  parameter int CORRECTIVE = 0
`define ASN_PASS_FIRE `ASN_PASS_TYPE(H), `ASN_PASS_TYPE(A), \
  .K_ETA(K_ETA), .K_GAMMA(K_GAMMA), .M_GAMMA(M_GAMMA), .THETA0(THETA0), .CORRECTIVE(CORRECTIVE)
`endif
