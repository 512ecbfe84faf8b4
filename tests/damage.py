"""Files with damaged bytes, and what it means that two records are the same."""

import dataclasses

import numpy as np

from snntb_adsnn.errors import OutputError


def same(a, b):
    """Whether two values are of one type and equal, field for field and bit for bit."""
    if type(a) is not type(b):
        return False
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        return all(same(getattr(a, name), getattr(b, name)) for name in names)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    if isinstance(a, np.ndarray):
        layout = (a.dtype.str, a.shape, a.flags.fnc) == (b.dtype.str, b.shape, b.flags.fnc)
        return layout and a.tobytes() == b.tobytes()
    return repr(a) == repr(b)  # NaN is itself, and -0.0 is not 0.0


def damaged(data, random):
    """``data`` with one or two bytes changed, mostly; or cut, doubled, with a part missing or put twice."""
    kind, changed = random.integers(0, 12), bytearray(data)
    start, end = sorted(random.integers(0, len(data), 2))
    if kind == 0:
        return data[:start]
    if kind == 1:
        return data + data[start:] if random.integers(0, 2) else data + data
    if kind == 2:
        return data[:start] + data[end:]
    if kind == 3:
        return data[:end] + data[start:]
    for position in (start, end)[: 1 + (kind == 4)]:
        changed[position] ^= random.integers(1, 256)
    return bytes(changed)


def assert_damage_is_noticed(path, network, changes, read):
    """Reads each of ``changes`` of the file at ``path``: equal to ``network``, or an ``OutputError`` that names it."""
    refused = 0
    for data in changes:
        path.write_bytes(data)
        try:
            again = read(path)
        except OutputError as error:
            again, refused = None, refused + 1
            words = str(error)
        assert words.startswith(f"{path}: ") if again is None else same(again, network)
    return refused
