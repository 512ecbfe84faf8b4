"""Files of the one format (``record``) that somebody has changed on purpose: parts put in other places, and headers that
say something else, with digests that fit."""

import hashlib
import io
import json
import zipfile

import numpy as np

from snntb_adsnn.errors import OutputError

VALUES = [
    *(None, True, False, 0, 1, -1, 2, 10**12, -(10**12), 10**30, 0.5, 1e308, -1e308, float("nan"), float("inf")),
    *("", "O", "<f4", "V8", "value", "relu", "exact", "x" * 300, [], [1], [-1, -1], [10**12], [[[]]], {}, {"list": []}),
    *(
        {"list": [1, None]},
        {"keys": ["a"], "values": [1]},
        {"keys": ["a"], "values": []},
        {"kind": "Dense", "fields": {}},
    ),
    *({"kind": "Nothing", "fields": {}}, {"kind": "Window", "fields": {"size": [2, 2]}}, {"array": "header"}),
    {"array": "none", "type": "<f4", "shape": [1], "order": "C", "sha256": ""},
]
"""What is put in the place of parts of a header."""


def parts(data):
    """The header of a file, and its other members by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    header = np.load(io.BytesIO(members.pop("header.npy"))).tobytes()
    return json.loads(header.partition(b"\n")[2]), members


def packed(header, members):
    """A file of these, with a digest that fits the header."""
    text = json.dumps(header).encode()
    whole = hashlib.sha256(text).hexdigest().encode() + b"\n" + text
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"header.npy": npy(np.frombuffer(whole, np.uint8)), **members}.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(array):
    """An array as ``numpy.save`` writes it."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def places(part, path=()):
    """Paths to all parts of a header."""
    yield path
    pairs = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def at(part, path):
    """The part of a header at a path."""
    for key in path:
        part = part[key]
    return part


def forged(data, random):
    """``data`` with a part changed that digests do not protect."""
    header, members = parts(data)
    kind = random.integers(0, 8)
    if kind < 4:
        paths = [path for path in places(header) if path]
        path = paths[random.integers(0, len(paths))]
        others = [VALUES[random.integers(0, len(VALUES))], at(header, paths[random.integers(0, len(paths))])]
        inside, key = at(header, path[:-1]), path[-1]
        if random.integers(0, 4) == 0:
            del inside[key]
        else:
            inside[key] = json.loads(json.dumps(others[random.integers(0, 2)]))
    elif kind == 4 and members:  # an array of another kind, with a digest that fits
        entries = [e for path in places(header) if isinstance(e := at(header, path), dict) and "sha256" in e]
        entry = entries[random.integers(0, len(entries))]
        arrays = [
            np.full(entry["shape"], np.nan, np.float32),
            np.zeros(entry["shape"], np.int8),
            np.zeros(3),
            np.zeros(()),
        ]
        array = arrays[random.integers(0, len(arrays))]
        entry |= {"type": array.dtype.str, "shape": array.shape, "sha256": hashlib.sha256(array.tobytes()).hexdigest()}
        members[f"{entry['array']}.npy"] = npy(array)
    elif kind == 5 and members:
        names = list(members)
        name, other = (names[random.integers(0, len(names))] for _ in "ab")
        members[name] = members[other] if random.integers(0, 2) else npy(np.zeros(random.integers(0, 9)))
    elif kind == 6 and members:
        names = list(members)
        members[f"other{random.integers(0, 9)}.npy"] = members.pop(names[random.integers(0, len(names))])
    else:
        members["more.npy"] = npy(np.zeros(4))
    return packed(header, members)


def assert_refused_or_read(path, changes, read, kind=OutputError):
    """Reads each of ``changes`` of the file at ``path``: it is read, or an error of ``kind`` names it in a short line."""
    refused = 0
    for data in changes:
        path.write_bytes(data)
        try:
            read(path)
        except kind as error:
            refused += 1
            words = str(error)
            assert words.startswith(f"{path}: "), words
            assert "\n" not in words, words
            assert len(words) < 600, words
    return refused
