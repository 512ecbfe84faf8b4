#!/bin/sh
# Compiles the C++ of this project with its testbench and runs it: sh csim.sh [vectors]
# hls4ml's and ap_types' own warnings are theirs (-isystem); HLS pragmas and loop labels mean nothing to g++.
set -e
cd "$(dirname "$0")"
${CXX:-g++} -std=c++14 -O${OPT:-2} -Wall -Wextra -Wno-unknown-pragmas -Wno-unused-label -isystem firmware/ap_types \
    -DWEIGHTS_DIR='"firmware/weights"' firmware/@PROJECT@.cpp @PROJECT@_test.cpp -o csim 2>csim_warnings.log ||
    { cat csim_warnings.log >&2; exit 3; }
[ "$1" = --compile-only ] || exec ./csim "$@"
