"""A checksum over a whole file, behind its last byte.

HDF5 checks the blocks of its arrays (Fletcher-32) but neither names nor attributes: a flipped bit in ``units`` would be
read as it stands. HDF5 ignores what follows its own end, so every tool opens a sealed file, and drops the seal when it
changes the file.
"""

from __future__ import annotations

import hashlib

_MARK = b"bionet-sha256-1\n"
_SIZE = len(_MARK) + hashlib.sha256().digest_size


def seal(content: bytes | memoryview) -> bytes:
    """Return the seal that belongs behind these bytes.

    Parameters
    ----------
    content : bytes
        The whole file without its seal.

    Examples
    --------
    >>> len(seal(b"spikes"))
    48
    """
    return _MARK + hashlib.sha256(content).digest()


def seal_state(file: bytes) -> str:
    """Tell whether a file's seal fits the bytes before it: ``whole``, ``broken``, or ``none`` if it carries no seal.

    Parameters
    ----------
    file : bytes
        The whole file.

    Examples
    --------
    >>> [seal_state(file) for file in (b"spikes" + seal(b"spikes"), b"spoken" + seal(b"spikes"), b"spikes")]
    ['whole', 'broken', 'none']
    """
    content, found = memoryview(file)[:-_SIZE], file[-_SIZE:]
    if not found.startswith(_MARK):
        return "none"
    return "whole" if found == seal(content) else "broken"
