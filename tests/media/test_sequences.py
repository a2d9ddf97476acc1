"""Pictures as they really are: several in a file, orientation with transparency, more than 8 bits."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from media.errors import ImageError
from media.images import PICTURE_FILE, decode_gray, read_gray
from media.kinds import Kind, find_kind, is_ignored, natural_order
from media.sequences import PictureSequence
from tests.support.videos import HEIGHT, WIDTH, scene

ORIENTATIONS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: np.rot90(p, 2),
    4: lambda p: p[::-1],
    5: lambda p: p.T,
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p, 2).T,
    8: np.rot90,
}
"""What each value of EXIF makes of a stored picture (EXIF 2.32, 4.6.4, A)."""


def save(path: Path, pictures: list[Image.Image], **options: object) -> Path:
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)  # type: ignore[arg-type]
    return path


def images(count: int, mode: str = "L") -> list[Image.Image]:
    return [Image.fromarray(scene(number)).convert(mode) for number in range(count)]


def grays(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    with PictureSequence(path) as sequence:
        return [(each.time_s, each.gray()) for each in sequence.pictures()]


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".gif", {"duration": 200}),
        (".png", {"duration": 200}),
        (".webp", {"duration": 200, "lossless": True}),
    ],
)
@pytest.mark.parametrize("named", ["as it is", "picture.jpg", "film.mp4"])
def test_every_picture_of_an_animation_counts(
    suffix: str, options: dict[str, object], named: str, tmp_path: Path
) -> None:
    path = save(tmp_path / f"animation{suffix}", images(4, "RGB"), **options)
    if named != "as it is":
        path = path.rename(tmp_path / named)
    assert find_kind(path) is Kind.SEQUENCE
    found = grays(path)
    assert [time_s for time_s, _ in found] == pytest.approx([0, 0.2, 0.4, 0.6])
    for number, (_, gray) in enumerate(found):
        assert np.abs(gray.astype(int) - scene(number)).mean() < 8, number


def test_the_picture_for_programs_without_animations_is_not_part_of_one(tmp_path: Path) -> None:
    path = save(tmp_path / "animation.png", images(4, "RGB"), default_image=True, duration=200)
    assert find_kind(path) is Kind.SEQUENCE
    found = grays(path)
    assert [time_s for time_s, _ in found] == pytest.approx([0, 0.2, 0.4])
    for number, (_, gray) in enumerate(found, 1):
        assert np.abs(gray.astype(int) - scene(number)).mean() < 8, number


def test_an_animation_of_which_only_that_picture_is_there_is_damaged(tmp_path: Path) -> None:
    path = save(tmp_path / "animation.png", images(4, "RGB"), default_image=True, duration=200)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"fcTL") - 4] + data[data.index(b"IEND") - 4 :])
    with pytest.raises(ImageError, match="damaged PNG"):
        grays(path)


def test_every_page_of_a_document_counts_without_its_smaller_copies(tmp_path: Path) -> None:
    pages = images(3)
    small = pages[0].resize((WIDTH // 4, HEIGHT // 4))
    path = tmp_path / "pages.tif"
    with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as writer:
        for page in (pages[0], small, *pages[1:]):
            buffer = io.BytesIO()
            page.save(buffer, "TIFF", tiffinfo={254: 1} if page is small else {})
            writer.write(buffer.getvalue())
            writer.newFrame()
    assert find_kind(path) is Kind.SEQUENCE
    found = grays(path)
    assert [time_s for time_s, _ in found] == [0, 0, 0]
    for number, (_, gray) in enumerate(found):
        assert np.array_equal(gray, scene(number))


def test_a_damaged_animation_gives_the_pictures_before_the_damage(tmp_path: Path) -> None:
    path = save(tmp_path / "animation.gif", images(6, "RGB"), duration=100)
    path.write_bytes(path.read_bytes()[: 9 * path.stat().st_size // 10])
    with PictureSequence(path) as sequence:
        pictures = sequence.pictures()
        assert next(pictures).gray().shape == (HEIGHT, WIDTH)
        with pytest.raises(ImageError, match="GIF"):
            list(pictures)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        (".jpg", "L"),
        (".jpg", "RGB"),
        (".png", "L"),
        (".png", "RGBA"),
        (".png", "LA"),
        (".png", "P"),
        (".png", "I;16"),
        (".webp", "RGBA"),
        (".tif", "RGB"),
        (".tif", "RGBA"),
    ],
)
def test_the_orientation_is_applied_whatever_the_format(
    orientation: int, suffix: str, mode: str, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = scene(0)
    if mode == "I;16":
        image = Image.fromarray(picture.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(picture).convert("RGB" if mode == "P" else mode)
        image = image.quantize(256) if mode == "P" else image
    path = tmp_path / f"picture{suffix}"
    image.save(path, exif=exif, **({"quality": 95} if suffix in (".jpg", ".webp") else {}))
    gray = read_gray(path)
    expected = ORIENTATIONS[orientation](picture)
    assert gray.shape == expected.shape
    assert np.abs(gray.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(scene(0)).convert(mode)
    image.putalpha(Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)))
    path = tmp_path / "picture.png"
    image.save(path)
    assert (read_gray(path) == 255).all()


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_deep_grey_pictures_are_as_bright_as_ordinary_ones(bits: int, suffix: str, tmp_path: Path) -> None:
    picture = scene(0).copy()
    picture[0, 0] = 255
    path = tmp_path / f"deep{suffix}"
    assert cv2.imwrite(str(path), picture.astype(np.uint16) << (bits - 8))
    assert np.abs(read_gray(path).astype(int) - picture).max() <= 1


@pytest.mark.parametrize("scale", [1.0, 255.0, 1000.0])
def test_floating_point_pictures_are_as_bright_as_ordinary_ones(scale: float, tmp_path: Path) -> None:
    picture = scene(0).copy()
    picture[0, :2] = 0, 255
    path = tmp_path / "float.tif"
    Image.fromarray((picture / 255 * scale).astype(np.float32)).save(path)
    assert np.abs(read_gray(path).astype(int) - picture).max() <= 1


def test_a_tiff_of_twelve_bits(tmp_path: Path) -> None:
    picture = scene(0)
    values = (picture.astype(np.uint16) << 4).reshape(-1, 2)
    packed = np.stack(
        [values[:, 0] >> 4, (values[:, 0] & 15) << 4 | values[:, 1] >> 8, values[:, 1] & 255], 1
    )
    path = tmp_path / "twelve.tif"
    data = packed.astype(np.uint8).tobytes()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in (
        *((256, WIDTH), (257, HEIGHT), (258, 12), (259, 1), (262, 1)),
        *((273, 0), (277, 1), (278, HEIGHT), (279, len(data))),
    ):
        tags[tag] = value
    # The offset of the strip is completed when the directory is written.
    path.write_bytes(b"II*\0\x08\0\0\0" + tags.tobytes(8) + data)
    assert np.abs(decode_gray(path.read_bytes(), PICTURE_FILE).astype(int) - picture).max() <= 1


def test_names_with_numbers_are_in_natural_order() -> None:
    names = ["10.jpg", "2.jpg", "1.jpg", "a10b2.jpg", "a9b10.jpg", "a9b9.jpg", "A1.jpg", "a01.jpg", "²3.jpg"]
    ordered = sorted(map(Path, names), key=natural_order)
    assert [path.name for path in ordered] == [
        *("1.jpg", "2.jpg", "10.jpg", "a01.jpg", "A1.jpg", "a9b9.jpg", "a9b10.jpg", "a10b2.jpg", "²3.jpg")
    ]


@pytest.mark.parametrize(
    "name", ["._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.jpg", "~$a.tif"]
)
def test_files_that_systems_leave_in_folders_are_passed_by(name: str) -> None:
    assert is_ignored(name)
    assert not is_ignored("a.jpg")


def test_pictures_of_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    for head, name in (
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"8BPS", "Photoshop"),
    ):
        path = tmp_path / "picture.jpg"
        path.write_bytes(head + bytes(60))
        assert find_kind(path) is Kind.PICTURE
        with pytest.raises(ImageError, match=f"{name}: expected JPEG, PNG"):
            read_gray(path)
