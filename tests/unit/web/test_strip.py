"""Positions leave a picture on its way in; what is drawn stays as it was, byte for byte."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshrelay.web.strip import Stripper, orientation
from tests.photos import PLACE, XMP, chunk, exif, riff, segment, tiff, with_exif

JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
PROFILE = segment(0xE2, b"ICC_PROFILE\0\1\1colours")
ADOBE = segment(0xEE, b"Adobe\0d\0\0\0\0\1")
TABLES = segment(0xDB, bytes(65)) + segment(0xC0, b"\x08\0\x10\0\x10\1\1\x11\0")
SCAN = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\xff\x00\x34\xff\xd0\x56\xff\x00"
SECOND_SCAN = segment(0xC4, b"\0" * 17) + segment(0xDA, b"\1\1\0\1\x3f\0") + b"\x78\xff\x00"
EOI = b"\xff\xd9"
PIXELS = TABLES + SCAN + SECOND_SCAN + EOI
JPEG = b"\xff\xd8" + JFIF + PIXELS
IHDR, IDAT, IEND = chunk(b"IHDR", bytes(13)), chunk(b"IDAT", b"pixels"), chunk(b"IEND", b"")
PNG = b"\x89PNG\r\n\x1a\n"
HEIC = b"\0\0\0\x18ftypheicExif\0\0"
PLACE_OF = {">": PLACE, "<": struct.pack("<6I", *struct.unpack(">6I", PLACE))}
STARTS = st.sampled_from(
    [HEIC, HEIC + tiff()[:40], b"", b"\xff\xd8", b"\xff\xd8\xff\xe1", PNG, riff(), JPEG[:40]]
)


def stripped(data: bytes, step: int = 2**20) -> bytes:
    parts = Stripper()
    out = b"".join(parts.feed(data[at : at + step]) for at in range(0, len(data), step))
    return out + parts.end()


def test_a_camera_jpeg_loses_its_position_and_keeps_every_pixel_and_colour() -> None:
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    place = segment(0xED, b"Photoshop 3.0\0" + b"Kita-ku")
    raw = b"\xff\xd8" + exif() + xmp + place + JFIF + PROFILE + ADOBE + PIXELS
    film = segment(0xE1, b"Exif\0\0" + tiff()) + b"ftypmp42 +34.69+135.50/"

    assert PLACE in raw and XMP in raw
    assert stripped(raw + film) == b"\xff\xd8" + JFIF + PROFILE + ADOBE + PIXELS


def test_fill_bytes_and_markers_alone_are_kept_and_hide_nothing() -> None:
    fill = b"\xff\xff\xff\x01\xff\xd0"
    raw = b"\xff\xd8" + fill + exif() + b"\xff" * 70_000 + JFIF + PIXELS

    assert stripped(raw, 5) == b"\xff\xd8" + fill + b"\xff" * 70_000 + JFIF + PIXELS


def test_metadata_between_scans_goes_too() -> None:
    raw = b"\xff\xd8" + JFIF + TABLES + SCAN + exif() + SECOND_SCAN + EOI

    assert stripped(raw) == JPEG


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_turned_picture_stays_turned_and_says_nothing_else(turn: int, order: str) -> None:
    out = stripped(b"\xff\xd8" + exif(turn, order) + JFIF + PIXELS)
    kept = out[2 : out.index(JFIF)]

    assert out.endswith(JFIF + PIXELS)
    assert PLACE not in out and b"KAMEI" not in out
    assert (orientation(kept[10:]) if kept else 1) == turn
    assert len(kept) == (0 if turn == 1 else 36)


def test_a_png_loses_exif_and_texts() -> None:
    texts = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP) + chunk(b"tEXt", b"a\0b")
    raw = PNG + IHDR + texts + chunk(b"eXIf", tiff()) + IDAT + chunk(b"zTXt", b"a") + IEND

    assert stripped(raw + b"behind it") == PNG + IHDR + IDAT + IEND


def test_a_webp_keeps_its_size_and_its_pixels_and_has_blanks_where_the_position_was() -> None:
    pixels = ((b"VP8X", bytes(10)), (b"VP8 ", b"odd pixels!"))
    exif_of, xmp_of = (b"EXIF", tiff()), (b"XMP ", XMP)
    out = stripped(riff(*pixels, exif_of, xmp_of))

    blank = ((b"EXIF", bytes(len(tiff()))), (b"XMP ", bytes(len(XMP))))
    assert out == riff(*pixels, *blank)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("step", [1, 50, 2**20])
def test_a_heic_has_blanks_where_the_position_was_and_nothing_moves(step: int, order: str) -> None:
    head, pixels = b"\0\0\0\x18ftypheic" + b"tables" * 99, b"pixels" * 20_000
    xmp = b"<x:xmpmeta>" + XMP + b"</x:xmpmeta>"
    raw = head + b"\0\0\0\x06Exif\0\0" + tiff(6, order) + pixels + xmp + pixels
    out = stripped(raw, step)
    at = out.index(b"Exif\0\0") + 6

    assert len(out) == len(raw)
    assert out.startswith(head) and out.count(pixels) == 2
    assert PLACE_OF[order] in raw and PLACE_OF[order] not in out
    assert out.endswith(pixels + b" " * len(xmp) + pixels)
    assert orientation(out[at:]) == 6 and b"KAMEI" in out


@pytest.mark.parametrize("raw", [b"", b"GIF89a", b"%PDF-1.7", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0"])
def test_what_is_no_such_picture_comes_back_as_it_is(raw: bytes) -> None:
    assert stripped(raw) == raw


def test_a_damaged_jpeg_comes_back_as_it_is_from_the_damage_on() -> None:
    damaged = b"\xff\xd8" + JFIF + b"damage" + exif() + PIXELS

    assert stripped(damaged) == damaged


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xd8" + b"\xff\xfe\0\2" * 20_000,
        PNG + chunk(b"IDAT", b"") * 20_000,
        HEIC + b"MM\0*Exif\0\0" * 20_000 + b"MM\0*",
    ],
)
def test_a_picture_of_endless_parts_costs_no_endless_time_and_comes_back(raw: bytes) -> None:
    assert stripped(raw) == raw


def test_a_position_cut_off_in_the_middle_goes_all_the_same() -> None:
    assert stripped(b"\xff\xd8" + JFIF + exif()[:-9]) == b"\xff\xd8" + JFIF


@given(STARTS, st.binary(max_size=400), st.integers(1, 60))
@example(b"", with_exif(JPEG, 6), 7)
@example(b"", riff((b"EXIF", b"odd")), 1)
@example(HEIC, tiff(), 3)
@example(
    HEIC, b"MM\0*" + struct.pack(">IHHHIIHHHII", 8, 1, 0x8825, 4, 1, 8, 9, 9, 5, 2**32 - 1, 9), 4
)
def test_any_bytes_pass_in_any_pieces_and_never_grow_by_more_than_an_orientation(
    start: bytes, rest: bytes, step: int
) -> None:
    raw = start + rest
    out = stripped(raw, step)

    assert out == stripped(raw)
    assert len(out) <= len(raw) + 4 * raw.count(b"Exif")
    assert stripped(out) == out


@given(st.binary(max_size=200), st.binary(max_size=80), st.integers(1, 8))
def test_pixels_are_never_touched_whatever_stands_in_the_metadata(
    pixels: bytes, words: bytes, turn: int
) -> None:
    scan = segment(0xDA, b"\1\1\0\0\x3f\0") + pixels.replace(b"\xff", b"\xff\x00") + EOI
    raw = b"\xff\xd8" + exif(turn) + segment(0xE5, words) + segment(0xFE, words) + scan

    out = stripped(raw)

    assert out.endswith(segment(0xFE, words) + scan)
    assert PLACE not in out.removesuffix(scan)


@given(st.binary(max_size=80))
@example(b"II*\0" + struct.pack("<I", 2**32 - 1))
@example(b"MM\0*" + struct.pack(">IH", 8, 2**16 - 1))
def test_a_broken_orientation_is_none(tiff: bytes) -> None:
    assert 0 <= orientation(tiff) < 2**16
