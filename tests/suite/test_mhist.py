"""MHIST's reader: sound layouts, and one line for each thing that can be wrong with the files."""

from __future__ import annotations

import io
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import registry
from bench.errors import BadData
from suite.datasets.mhist import COLUMNS

DATASET = registry.datasets().get("mhist")
HEADER = ",".join(COLUMNS)
ROWS = ("a.png,HP,0,train", "b.png,SSA,4,train", "c.png,HP,3,test", "d.png,SSA,7,test")
PIXELS = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)


def png(pixels: np.ndarray, **settings: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **settings)
    return stream.getvalue()


GOOD = png(PIXELS)


def write(
    folder: Path, *rows: str, header: str = HEADER, images: str = "abcd", place: str = "images"
) -> Path:
    """A folder with these rows, or the sound ones, and an image for each letter."""
    (folder / "annotations.csv").write_text("\n".join([header, *(rows or ROWS)]) + "\n")
    (folder / place).mkdir(parents=True, exist_ok=True)
    for letter in images:
        (folder / place / f"{letter}.png").write_bytes(GOOD)
    return folder


def test_rows_become_cases_of_their_partition(tmp_path: Path) -> None:
    write(tmp_path)
    assert DATASET.problems(tmp_path) == []
    assert not DATASET.groups(tmp_path)
    cases = DATASET.cases(tmp_path)
    assert [(case.id, case.group, case.partition, case.stratum) for case in cases] == [
        ("a.png", "a.png", "train", "0"),
        ("b.png", "b.png", "train", "4"),
        ("c.png", "c.png", "test", "3"),
        ("d.png", "d.png", "test", "7"),
    ]
    patches = [DATASET.read(case) for case in cases]
    assert [(patch.label, patch.votes) for patch in patches] == [(0, 0), (1, 4), (0, 3), (1, 7)]
    assert patches[0].image.dtype == np.uint8
    assert np.array_equal(patches[0].image, PIXELS)
    assert {path.name for path in DATASET.files(tmp_path)} == {
        "annotations.csv", "a.png", "b.png", "c.png", "d.png",
    }  # fmt: skip


@pytest.mark.parametrize("place", [".", "images", "images_part1", "images/images"])
def test_images_may_lie_beside_the_table_or_below_folders_of_images(
    tmp_path: Path, place: str
) -> None:
    write(tmp_path, place=place)
    assert DATASET.problems(tmp_path) == []
    assert len(DATASET.cases(tmp_path)) == 4
    DATASET.read(DATASET.cases(tmp_path)[0])


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_table_reads_the_same_however_it_was_saved(
    tmp_path: Path, end: bytes, mark: bytes
) -> None:
    write(tmp_path)
    expected = DATASET.cases(tmp_path)
    quoted = [",".join(f'"{cell}"' for cell in row.split(",")) for row in (HEADER, *ROWS)]
    for lines in (quoted, [HEADER + ",Note", *(f'{row},"one, ""two""\nthree"' for row in ROWS)]):
        data = mark + end.join(line.encode() for line in lines) + end
        (tmp_path / "annotations.csv").write_bytes(data)
        assert DATASET.problems(tmp_path) == []
        assert DATASET.cases(tmp_path) == expected


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("a.png,SSX,0,train", "row 2 has label 'SSX', labels are HP and SSA"),
        ("a.png,HP,8,train", "row 2 has '8' votes for SSA, there are 0 to 7"),
        ("a.png,HP,,train", "row 2 has '' votes for SSA, there are 0 to 7"),
        ("a.png,HP,2.5,train", "row 2 has '2.5' votes for SSA, there are 0 to 7"),
        ("a.png,HP,4,train", "row 2 has label HP against the majority, 4 of 7 votes for SSA"),
        ("a.png,SSA,3,train", "row 2 has label SSA against the majority, 3 of 7 votes for SSA"),
        ("a.png,HP,0,dev", "row 2 has partition 'dev', partitions are train and test"),
        ("a.png,HP,0", "row 2 has 3 columns, the header 4"),
        ('"a"b,HP,0,train', "row 2 is unreadable (',' expected after '\"')"),
    ],
)
def test_a_bad_row_is_named_and_left_out(tmp_path: Path, row: str, line: str) -> None:
    write(tmp_path, row, *ROWS[1:])
    found = [p for p in DATASET.problems(tmp_path) if "no row of" not in p]
    assert found == [f"{tmp_path / 'annotations.csv'}: {line}"]
    assert [case.id for case in DATASET.cases(tmp_path)] == ["b.png", "c.png", "d.png"]


def test_a_name_that_comes_twice_is_named_with_both_rows(tmp_path: Path) -> None:
    write(tmp_path, *ROWS, ROWS[1])
    (problem,) = DATASET.problems(tmp_path)
    assert problem.endswith("annotations.csv: row 6 names 'b.png', which row 3 has named")
    assert [case.id for case in DATASET.cases(tmp_path)] == ["a.png", "b.png", "c.png", "d.png"]


def test_images_and_rows_without_each_other_are_named(tmp_path: Path) -> None:
    write(tmp_path, images="abcx")
    (tmp_path / "images" / "._a.png").write_bytes(b"what a Mac leaves")
    missing, unnamed = DATASET.problems(tmp_path)
    assert "row 5 names 'd.png', which is no PNG" in missing
    assert unnamed == f"{tmp_path / 'images' / 'x.png'}: no row of annotations.csv names it"
    assert [case.id for case in DATASET.cases(tmp_path)] == ["a.png", "b.png", "c.png"]


def test_two_images_of_one_name_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "b.png").write_bytes(GOOD)
    (problem,) = DATASET.problems(tmp_path)
    both = f"{tmp_path / 'b.png'} and {tmp_path / 'images' / 'b.png'}"
    assert problem == f"{both} are two images of one name"
    assert [case.id for case in DATASET.cases(tmp_path)] == ["a.png", "c.png", "d.png"]


def test_every_mistake_of_a_table_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "a.png,HPP,9,dev", "b.png,SSA,4,train", "c.png,HP,7,test", "e.png,HP,0,test")
    found = DATASET.problems(tmp_path)
    assert [problem.split("annotations.csv: ")[-1][:18] for problem in found[:5]] == [
        "row 2 has label 'H", "row 2 has '9' vote", "row 2 has partitio", "row 4 has label HP",
        "row 5 names 'e.png",
    ]  # fmt: skip
    assert found[5].endswith("d.png: no row of annotations.csv names it") and len(found) == 6


def test_missing_files_and_columns_are_named_once(tmp_path: Path) -> None:
    (problem,) = DATASET.problems(tmp_path)
    assert "annotations.csv is missing: expected annotations.csv with the columns" in problem
    (tmp_path / "annotations.csv").write_text("\n".join([HEADER, *ROWS]))
    (problem,) = DATASET.problems(tmp_path)
    assert "holds no PNG: expected" in problem
    (tmp_path / "images.zip").write_bytes(b"PK")
    (problem,) = DATASET.problems(tmp_path)
    assert "holds no PNG (images.zip must be unpacked)" in problem
    assert DATASET.cases(tmp_path) == []


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("", "is empty"),
        (HEADER, "has no row below its header"),
        (
            "Image Name,Partition\na.png,train\n",
            "row 1 names no column 'Majority Vote Label', 'Number of Annotators who Selected SSA "
            "(Out of 7)', only 'Image Name', 'Partition'",
        ),
        ('"Image" Name\n', "row 1 is unreadable (',' expected after '\"')"),
    ],
)
def test_a_table_without_rows_or_columns_is_one_problem(
    tmp_path: Path, table: str, line: str
) -> None:
    write(tmp_path)
    (tmp_path / "annotations.csv").write_text(table)
    assert DATASET.problems(tmp_path) == [f"{tmp_path / 'annotations.csv'}: {line}"]
    assert DATASET.cases(tmp_path) == []


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(depth: int, colour: int, *, side: int = 224, samples: int = 3) -> bytes:
    """A black PNG that Pillow itself would not write."""
    row = bytes(1 + side * samples * depth // 8)
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * min(side, 300)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "JPEG")
    return stream.getvalue()


FLIPPED = bytearray(GOOD)
FLIPPED[5000] ^= 255
ALPHA = "is RGB with alpha, expected RGB without alpha"
CORRUPT = "is a truncated or corrupt PNG"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", ["is empty"]),
        (jpeg(), ["is no PNG, whatever its name says"]),
        (GOOD[: len(GOOD) // 2], [f"{CORRUPT} (Truncated File Read)"]),
        (GOOD[:-12], [f"{CORRUPT} (truncated PNG file)"]),
        (GOOD[:20], [f"{CORRUPT} (Truncated File Read)"]),
        (GOOD[:8], [f"{CORRUPT} (its chunks cannot be read)"]),
        (bytes(FLIPPED), [CORRUPT]),
        (raw_png(16, 2), ["has 16 bits a channel, expected 8"]),
        (raw_png(16, 2)[:-30], ["has 16 bits a channel, expected 8", CORRUPT]),
        (png(np.dstack([PIXELS, PIXELS[..., :1]])), [ALPHA]),
        (png(PIXELS[..., 0]), ["is grey, expected RGB without alpha"]),
        (raw_png(8, 3, samples=1), ["is palette colour, expected RGB without alpha"]),
        (
            png(PIXELS, transparency=(1, 2, 3)),
            ["has a transparent colour, expected RGB without alpha"],
        ),
        (png(PIXELS[:100]), ["is 224x100 pixels, expected 224x224"]),
        (png(PIXELS[:112, :112]), ["is 112x112 pixels, expected 224x224"]),
        (raw_png(8, 2, side=100_000), ["is 100000x100000 pixels, expected 224x224"]),
    ],
    ids=[
        "empty", "JPEG", "half", "no end", "header alone", "signature alone", "bit flipped",
        "16 bit", "16 bit and truncated", "RGBA", "grey", "palette", "transparent colour",
        "not square", "too small", "bomb",
    ],
)  # fmt: skip
def test_a_bad_image_is_named(tmp_path: Path, data: bytes, lines: list[str]) -> None:
    write(tmp_path)
    path = tmp_path / "images" / "b.png"
    path.write_bytes(data)
    assert DATASET.problems(tmp_path) == []
    case = DATASET.cases(tmp_path)[1]
    with pytest.raises(BadData) as caught:
        DATASET.read(case)
    problems = caught.value.problems
    assert len(problems) == len(lines)
    for problem, line in zip(problems, lines, strict=True):
        assert problem.startswith(f"{path}: {line}") and "\n" not in problem


def test_an_image_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = DATASET.cases(write(tmp_path))[0]

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BadData, match=r"a\.png: cannot be read \(Permission denied\)"):
        DATASET.read(case)


def test_the_stand_in(shared_data: Path) -> None:
    folder = shared_data / "histology_standin"
    if not folder.is_dir():
        pytest.skip("there is no histology_standin in ../shared/data")
    assert DATASET.problems(folder) == []
    cases = DATASET.cases(folder)
    assert Counter((case.partition, case.stratum) for case in cases) == {
        ("train", "0"): 150, ("train", "7"): 150, ("test", "0"): 50, ("test", "7"): 50,
    }  # fmt: skip
    patches = [DATASET.read(case) for case in cases]
    assert {patch.image.shape for patch in patches} == {(224, 224, 3)}
    assert Counter(patch.label for patch in patches) == {0: 200, 1: 200}
    assert len(DATASET.files(folder)) == 401
