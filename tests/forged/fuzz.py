"""Malformed frames, entries and records: nothing but a clean refusal may come of them.

The grammar damages what honest nodes said, below the signatures too (the liar has 北区's
keys), then sometimes the bytes. Each case is given to the machine on a link and as a
broadcast, and its parts to every decoder. Time is processor time of one of these, memory
what Python allocates meanwhile (zlib and cbor2 allocate through Python).
"""

from __future__ import annotations

import contextlib
import gc
import random
import time
import traceback
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from meshrelay.core.accept import prepare
from meshrelay.core.codec import decode, encode
from meshrelay.core.entry import read_author_part, read_entry
from meshrelay.core.events import Heard
from meshrelay.core.frames import FRAME_BYTES_MAX, decode_frame
from meshrelay.core.have import read_have
from meshrelay.core.records import read_record
from meshrelay.desk import receipts, talk
from meshrelay.errors import RemoteProtocolError
from meshrelay.node.doorman import NodeDoorman
from tests.forged.corpus import SATO, Corpus
from tests.forged.grammar import mangle, shrink
from tests.forged.row import Row
from tests.forged.scene import RECORDS, Liar, Lonely, deflate, frame_of, inflate, loose_frame
from tests.unit.core.city import CHUO, KITA, NETWORK, book_of

MS_MAX = 10.0
MIB_MAX = 20.0
# A fresh victim after so many, so that a case can be played again without all before it.
PER_VICTIM = 500
MANGLED = 0.2
FAULTS_MAX = 20
# A busy machine makes slow figures: a slow case is played again on fresh victims.
AGAIN = 3
HEX_SHOWN_MAX = 400

DOORMAN = NodeDoorman(book_of(*RECORDS), CHUO.public)


def prey() -> Lonely:
    """A victim without a disk."""
    return Lonely(CHUO, [*RECORDS, *SATO.records])


def _by_doorman(data: bytes) -> None:
    DOORMAN.admit(data, None)


def _recognised(data: bytes) -> None:
    DOORMAN.recognise(data, b"t" * 32)


# Every door through which bytes of a peer come in. The machine's own is `Prey.attacked`.
DECODERS: tuple[Callable[[bytes], object], ...] = (
    decode_frame, read_entry, read_record, read_have, read_author_part, receipts.decode_body,
    lambda data: talk.check(data, "all"), _by_doorman, _recognised,
)  # fmt: skip


def decoders(data: bytes, every: Sequence[Callable[[bytes], object]] | None = None) -> None:
    """Put the same bytes, and the byte strings in them, to each decoder by itself."""
    for part in (data, *_strings(data)):
        for decoder in every or DECODERS:
            try:
                decoder(part)
            except RemoteProtocolError:
                continue


def _strings(data: bytes) -> Iterator[bytes]:
    """The first few byte strings of a frame that decodes: entries, records, statements."""
    try:
        fields: Any = decode(data, FRAME_BYTES_MAX)
    except RemoteProtocolError:
        return
    if type(fields) is list:
        if fields[:1] in ([4], [5]):
            with contextlib.suppress(RemoteProtocolError, TypeError, zlib.error):
                fields = [decode(inflate(fields[-1]), FRAME_BYTES_MAX)]
                fields = fields[0] if type(fields[0]) is list else fields
        for field in fields[:6]:
            items = field if type(field) is list else [field]
            yield from [item for item in items[:4] if type(item) is bytes]


def play(victim: Lonely, data: bytes) -> tuple[str, float]:
    """One case on a link, then as a broadcast: its word, and the slower one's milliseconds."""
    began_ns = time.thread_time_ns()
    refused, closed = victim.attacked(data)
    middle_ns = time.thread_time_ns()
    victim.feed(Heard(KITA.public, "mqtt", data))
    word = "link closed" if closed else "refused" if refused else "harmless"
    return word, max(middle_ns - began_ns, time.thread_time_ns() - middle_ns) / 1e6


def weigh(victim: Lonely, data: bytes) -> float:
    """The same for its memory, prepared as on a thread: MiB that Python allocated at most."""
    tracemalloc.start()
    try:
        victim.attacked(data, prepare(data, NETWORK, victim.machine.book))
        decoders(data)
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


# Whatever a bug may raise; what a peer may cause is RemoteProtocolError, and the machine
# turns that into a refusal.
BUGS = (
    RemoteProtocolError, ArithmeticError, AssertionError, AttributeError, LookupError,
    MemoryError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


def breaks(data: bytes) -> str | None:
    """What a fresh victim raises, and where, or None."""
    try:
        weigh(prey(), data)
    except BUGS as error:
        return _where(error)
    return None


def _where(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def bombs(types: Sequence[int], rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Frames as large or as deep as they may be, and beyond."""
    full = FRAME_BYTES_MAX
    yield "nothing", b""
    yield "zeros", bytes(full)
    yield "noise", rng.randbytes(full)
    yield "one byte too many", b"\x59" + bytes(full)
    yield "nested arrays", b"\x81" * (full - 1) + b"\x80"
    yield "nested maps", b"\xa1\x00" * (full // 2 - 1) + b"\x00"
    yield "a length beyond memory", b"\x9b" + b"\xff" * 8
    yield "a string beyond memory", b"\x5b" + b"\x7f" + b"\xff" * 7
    yield "a bignum", b"\xc2\x59\xff\x00" + b"\xff" * (full - 300)
    yield "endless indefinite", b"\x9f" * full
    empty = [bytes(1)] * (full // 3)
    for kind in (*types, max(types) + 1):
        yield f"frame {kind} of small strings", encode([kind, b"n" * 16, empty[: full // 4]])
        yield f"frame {kind} of empty lists", encode([kind, 0, 0, [[]] * 30_000, [[]] * 30_000])
        yield f"frame {kind} of ids", encode([kind, 0, 9, [], [rng.randbytes(32)] * 1_900])
        rows = [[KITA.public, rng.randbytes(8), 1, 1 << 62, b"h" * 32] for _ in range(700)]
        yield f"frame {kind} of lines", encode([kind, 0, 9, rows, []])
        wanted = [[KITA.public, rng.randbytes(8), 3, 1] for _ in range(1_200)]
        yield f"frame {kind} of wants", encode([kind, 1 << 62, b"n" * 8, wanted, []])
    hello = [1, 1, b"i" * 8, 0, b"d" * 16, b"i" * 8, 0, 2, b"word"]
    for length in (24, 255, 256, 1_024, 1_028, 1_279):  # as long as the head of a batch looks
        for kind in types:
            yield (
                f"frame {kind} of {length} elements",
                encode([kind, *hello[1:], *[0] * length][:length]),
            )
    yield "frame 4, deflated 64 MiB", loose_frame(4, NETWORK, deflate(bytes(1 << 26)))
    yield "frame 5, deflated 64 MiB", loose_frame(5, deflate(bytes(1 << 26)))
    yield "frame 4, deflated lists", loose_frame(4, NETWORK, deflate(encode([[[]] * 60_000, []])))
    yield "frame 5, deflated lists", loose_frame(5, deflate(encode([[]] * 65_000)))
    yield "frame 5, deflated strings", loose_frame(5, deflate(encode([b""] * 65_000)))
    yield "batch of strings", loose_frame(4, NETWORK, deflate(encode([[b""] * 65_000, []])))
    entry = Liar(rng).entry(KITA, Liar(rng).log(KITA)).raw
    packed = encode([[entry, *[b"x"] * 20_000], [0] * 20_001])
    yield "batch of packed noise", loose_frame(4, NETWORK, deflate(packed))
    yield "deflate that never ends", loose_frame(5, deflate(bytes(9))[:-1])
    yield "deflate and more", loose_frame(5, deflate(encode([])) + b"more")
    yield "batch of noise", frame_of(*(rng.randbytes(16) for _ in range(3_000)))
    yield "batch of one entry of zeros", frame_of(bytes(48_000))


class Pair(NamedTuple):
    """Two victims of the same cases: tracing memory would make the first one slow."""

    timed: Lonely
    weighed: Lonely


def fresh() -> Pair:
    return Pair(prey(), prey())


def run(cases: int, seed: int, directory: Path) -> Row:
    """All bombs, then damaged frames of each kind in turn."""
    row = Row("malformed frames and entries", f"no crash, ≤ {MS_MAX:g} ms, ≤ {MIB_MAX:g} MiB", seed)
    corpus = Corpus()
    row.figures = {"ms at most": 0.0, "MiB at most": 0.0}
    gc.disable()  # a collection would be blamed on whatever case it fell into
    try:
        for name, data in bombs(corpus.types, random.Random(f"bombs {seed}")):
            _case(row, fresh(), name, data)
        while row.cases < cases and len(row.faults) < FAULTS_MAX:
            gc.collect()
            pair = fresh()
            for number in range(row.cases, min(row.cases + PER_VICTIM, cases)):
                rng = random.Random(f"malformed {seed} {number}")
                maker = corpus.makers[number % len(corpus.makers)]
                data = maker.make(rng)
                if rng.random() < MANGLED:
                    data = mangle(data, rng)
                if not _case(row, pair, f"{number} ({maker.name})", data):
                    pair = fresh()
            _still_at_work(row, pair.timed)
    finally:
        gc.enable()
    return row


def _case(row: Row, pair: Pair, name: str, data: bytes) -> bool:
    """Play it, note what came of it; False when the victims are not to be used again."""
    row.cases += 1
    try:
        word, ms = play(pair.timed, data)
        mib = weigh(pair.weighed, data)
    except BUGS as error:
        alone = breaks(data)
        small = shrink(data, lambda less: breaks(less) == alone) if alone else data
        hint = "" if alone else " (only after the cases before it)"
        said = f"{_where(error)} {error}"[:200]
        row.faults.append(f"case {name}: {said}{hint}: {small.hex()[:HEX_SHOWN_MAX]}")
        return False
    row.counts[word] += 1
    for _ in range(AGAIN):
        if ms <= MS_MAX:
            break
        ms = min(ms, play(prey(), data)[1])
    row.figures["ms at most"] = max(row.figures["ms at most"], ms)
    row.figures["MiB at most"] = max(row.figures["MiB at most"], mib)
    shown = data.hex()[:HEX_SHOWN_MAX]
    row.expect(ms <= MS_MAX, f"case {name}: {ms:.1f} ms: {shown}")
    row.expect(mib <= MIB_MAX, f"case {name}: {mib:.1f} MiB: {shown}")
    return True


def _still_at_work(row: Row, victim: Lonely) -> None:
    """After all that an honest entry gets in."""
    liar = Liar(random.Random(row.cases))
    entry = liar.entry(KITA, liar.log(KITA))
    victim.attacked(frame_of(entry.raw))
    row.expect(victim.height(entry.log) == 1, f"after case {row.cases} no honest entry gets in")
