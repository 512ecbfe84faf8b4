"""FixedType against the ap_fixed classes that hls4ml brings along, compiled with g++."""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.arithmetic import OVERFLOWS, ROUNDINGS, FixedType, integer_bits
from hypothesis import example, given
from hypothesis import strategies as st

from snntb_adsnn.errors import ParameterError

SHAPES = [(1, 1), (1, 0), (2, 1), (3, 5), (4, -2), (8, 3), (13, 0), (18, 6), (24, 30), (33, 12)]
SOURCES = [FixedType(w, i, s) for w, i, s in [(20, 8, True), (14, -3, False), (40, 20, True), (60, 60, True)]]


def _targets() -> list[FixedType]:
    """All rounding and overflow modes, signed and unsigned, each in two shapes."""
    rng = random.Random(3)
    return [
        FixedType(*shape, signed, rounding, overflow)
        for rounding, overflow, signed in itertools.product(ROUNDINGS, OVERFLOWS, (True, False))
        for shape in rng.sample(SHAPES, 2)
        # the C++ class turns a single signed bit with SAT_SYM into -1 where the range is {0}
        if not (shape[0] == 1 and signed and overflow == "SAT_SYM")
    ]


TARGETS = _targets()
CONVERTED = TARGETS[::3]
PAIRS = [(SOURCES[(i + i // 4) % 4], t) for i, t in enumerate(TARGETS)]

CPP = r"""
#include "ap_fixed.h"
template <class S, int SW, class T, int TW> void assign(const void *in, long long *out, long n) {
    for (long i = 0; i < n; i++) {
        S s;
        s.range(SW - 1, 0) = ap_int<64>(((const long long *)in)[i]).range(SW - 1, 0);
        T t = s;
        ap_int<64> r = 0;
        r.range(TW - 1, 0) = t.range(TW - 1, 0);
        out[i] = r.to_int64();
    }
}
template <class T, int TW> void convert(const void *in, long long *out, long n) {
    for (long i = 0; i < n; i++) {
        T t = ((const double *)in)[i];
        ap_int<64> r = 0;
        r.range(TW - 1, 0) = t.range(TW - 1, 0);
        out[i] = r.to_int64();
    }
}
typedef void (*function)(const void *, long long *, long);
static const function assigns[] = {%s};
static const function converts[] = {%s};
extern "C" void run_assign(int k, const void *in, long long *out, long n) { assigns[k](in, out, n); }
extern "C" void run_convert(int k, const void *in, long long *out, long n) { converts[k](in, out, n); }
"""


@pytest.fixture(scope="session")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The C++ classes behind a C interface."""
    compiler = shutil.which("g++")
    spec = importlib.util.find_spec("hls4ml")
    if compiler is None or spec is None or not spec.submodule_search_locations:
        pytest.skip("needs g++ and hls4ml's headers")
    headers = Path(spec.submodule_search_locations[0]) / "templates" / "vivado" / "ap_types"
    folder = tmp_path_factory.mktemp("ap")
    assigns = ",".join(f"assign<{s.cpp},{s.width},{t.cpp},{t.width}>" for s, t in PAIRS)
    converts = ",".join(f"convert<{t.cpp},{t.width}>" for t in CONVERTED)
    (folder / "cast.cpp").write_text(CPP.replace("%s", assigns, 1).replace("%s", converts, 1))
    # NDEBUG: an assertion of get_bit fails inside the library for very fine unsigned sources; the result is right
    command = [
        compiler,
        "-std=c++14",
        "-O0",
        "-w",
        "-DNDEBUG",
        "-shared",
        "-fPIC",
        f"-I{headers}",
        "cast.cpp",
        "-o",
        "cast.so",
    ]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "cast.so"))


def _run(function, index: int, values: np.ndarray, kind: FixedType) -> np.ndarray:
    """The driver returns bare bits; a signed type's are extended here."""
    values = np.ascontiguousarray(values)
    out = np.empty(len(values), np.int64)
    function(
        index, values.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(len(values))
    )
    return np.where(out > kind.high, out - (1 << kind.width), out) if kind.signed else out


def _corners(s: FixedType, t: FixedType) -> np.ndarray:
    """Source words around every multiple of half a target step near zero and near the ends of both ranges."""
    shift = s.fraction - t.fraction
    half = 1 << max(shift - 1, 0)
    base = [0, s.low, s.high] + [k * half for k in range(-8, 9)]
    for end in (t.low, t.high, t.high + 1, t.low - 1, 2 * t.high, 2 * t.low):
        word = end << shift if shift >= 0 else end >> -shift
        base += [word, word + half, word - half]
    near = {b + d for b in base for d in (-1, 0, 1)}
    return np.array(sorted(w for w in near if s.low <= w <= s.high), np.int64)


def test_assignment_at_the_corners_equals_cpp(cpp: ctypes.CDLL) -> None:
    compared = 0
    for k, (s, t) in enumerate(PAIRS):
        words = _corners(s, t)
        np.testing.assert_array_equal(
            t.cast(words, s.fraction), _run(cpp.run_assign, k, words, t), err_msg=f"{s} -> {t}"
        )
        compared += len(words)
    assert compared > 4_000


@given(st.integers(0, len(PAIRS) - 1), st.data())
def test_assignment_equals_cpp(cpp: ctypes.CDLL, k: int, data: st.DataObject) -> None:
    s, t = PAIRS[k]
    words = np.array(data.draw(st.lists(st.integers(s.low, s.high), min_size=1, max_size=50)), np.int64)
    np.testing.assert_array_equal(t.cast(words, s.fraction), _run(cpp.run_assign, k, words, t))


@given(
    st.integers(0, len(CONVERTED) - 1),
    st.lists(st.floats(-(2.0**40), 2.0**40, allow_subnormal=False) | st.floats(-4, 4), min_size=1, max_size=50),
)
@example(CONVERTED.index(next(t for t in CONVERTED if t.rounding == "RND")), [0.5 - 2**-54, -0.5 + 2**-54])
def test_conversion_of_doubles_equals_cpp(cpp: ctypes.CDLL, k: int, values: list[float]) -> None:
    t = CONVERTED[k]
    x = np.array(values)
    np.testing.assert_array_equal(t.quantize(x), _run(cpp.run_convert, k, x, t), err_msg=str(t))


@given(st.integers(-(2**62), 2**62), st.integers(-5, 130))
def test_cast_equals_exact_rational_arithmetic(word: int, fraction: int) -> None:
    t = FixedType(62, 62, rounding="RND_CONV", overflow="SAT")
    scaled = word << -fraction if fraction < 0 else None
    if scaled is None:
        from fractions import Fraction

        scaled = round(Fraction(word, 1 << fraction))  # Python rounds ties to even
    assert int(t.cast(word, fraction)) == min(max(scaled, t.low), t.high)


def test_array_of_fractions_equals_single_fractions() -> None:
    rng = np.random.default_rng(0)
    words, fractions = rng.integers(-(2**40), 2**40, 500), rng.integers(-20, 90, 500)
    for t in TARGETS[::7]:
        single = [int(t.cast(int(w), int(f))) for w, f in zip(words, fractions, strict=True)]
        np.testing.assert_array_equal(t.cast(words, fractions), single)


@given(st.integers(0, len(TARGETS) - 1))
def test_spellings_round_trip(k: int) -> None:
    t = TARGETS[k]
    assert FixedType.parse(str(t)) == t
    assert FixedType.parse(t.cpp) == t


def test_parse_accepts_defaults_and_refuses_nonsense() -> None:
    assert FixedType.parse("ap_fixed<16, 6>") == FixedType(16, 6)
    assert FixedType.parse("uint<4>") == FixedType(4, 4, False)
    assert FixedType.parse("ufixed<8,0,RND>") == FixedType(8, 0, False, "RND")
    for text in (
        "fixed<16>",
        "float",
        "fixed<8,4,UP>",
        "int<8,4>",
        "fixed<0,0>",
        "fixed<8,4,TRN,WRAP_SM>",
        "int<8,4,RND>",
    ):
        with pytest.raises(ParameterError):
            FixedType.parse(text)


def test_quantize_refuses_nan() -> None:
    with pytest.raises(ParameterError, match="NaN"):
        FixedType(8, 4).quantize([0.0, np.nan])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.booleans())
def test_integer_bits_are_the_fewest_that_hold(values: list[float], signed: bool) -> None:
    x = np.array(values) if signed else np.abs(values)
    bits = integer_bits(x, signed)
    wide = FixedType(60, bits, signed, "TRN", "SAT")
    assert wide.holds(x)
    if np.any(x):
        assert not FixedType(60, bits - 1, signed, "TRN", "SAT").holds(x)


def test_decays_reach_zero_only_when_rounded_towards_zero() -> None:
    """The reason for the state's rounding mode (docs/fixed-point.md)."""
    k, fraction = round(np.exp(-1 / 50) * 4096), 12
    ends = {}
    for rounding in ("TRN", "RND", "TRN_ZERO"):
        t = FixedType(18, 6, True, rounding, "SAT")
        words = np.array([-3000, 3000])
        for _ in range(2000):
            words = t.cast(k * words, t.fraction + fraction)
        ends[rounding] = words.tolist()
    assert ends["TRN_ZERO"] == [0, 0]
    assert ends["TRN"][0] == -50
    assert ends["RND"][1] == -ends["RND"][0] == 25
