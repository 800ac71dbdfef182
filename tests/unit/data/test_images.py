"""Images: one form of column, opened as transformers opens them, and every fault found before training."""

from __future__ import annotations

import base64
import io
import os

import numpy as np
import PIL.Image
import pytest
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from PIL import ExifTags
from transformers.image_utils import load_image

from hfft.data.images import as_images, image_findings, look_at, none_left, open_image, repeated_images
from hfft.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 4), dtype=np.uint8)  # height, width, channels
DRAWN = PIL.Image.fromarray(PIXELS[..., :3])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


def encoded(image: PIL.Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation: int) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def in_palette_with_a_transparent_colour() -> bytes:
    return encoded(DRAWN.quantize(16), transparency=bytes([0, 128] + [255] * 14))


def animated() -> bytes:
    frames = [PIL.Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


WIDE, FLAT, SIDE = (24, 40), (4, 6), (40, 24)
READABLE = {  # bytes, size, deep, transparent
    "png": (encoded(DRAWN), WIDE, False, False),
    "jpeg": (encoded(DRAWN, "JPEG"), WIDE, False, False),
    "progressive": (encoded(DRAWN, "JPEG", progressive=True), WIDE, False, False),
    "webp": (encoded(DRAWN, "WEBP"), WIDE, False, False),
    "one pixel": (encoded(DRAWN.crop((0, 0, 1, 1)), "JPEG"), (1, 1), False, False),
    "grey": (encoded(DRAWN.convert("L")), WIDE, False, False),
    "grey jpeg": (encoded(DRAWN.convert("L"), "JPEG"), WIDE, False, False),
    "black and white": (encoded(DRAWN.convert("1")), WIDE, False, False),
    "palette": (encoded(DRAWN.quantize(16)), WIDE, False, False),
    "transparent palette": (in_palette_with_a_transparent_colour(), WIDE, False, True),
    "rgba": (encoded(PIL.Image.fromarray(PIXELS)), WIDE, False, True),
    "la": (encoded(PIL.Image.fromarray(PIXELS).convert("LA")), WIDE, False, True),
    "cmyk": (encoded(DRAWN.convert("CMYK"), "JPEG"), WIDE, False, False),
    "animated": (animated(), FLAT, False, False),
    "16 bits": (encoded(PIL.Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 40)), FLAT, True, False),
    "32 bits": (encoded(PIL.Image.fromarray(np.full((4, 6), 300, dtype=np.int32)), "TIFF"), FLAT, True, False),
    "float": (encoded(PIL.Image.fromarray(np.full((4, 6), 0.5, dtype=np.float32)), "TIFF"), FLAT, True, False),
    **{
        f"{kind} turned {number}": (
            encoded(DRAWN, kind, exif=turned(number)),
            SIDE if number > 4 else WIDE,
            False,
            False,
        )
        for number in range(1, 9)
        for kind in ("JPEG", "PNG")
    },
}


def images(*contents: bytes | str) -> Dataset:
    """A column of images: bytes, or paths."""
    values = [
        {"bytes": content, "path": None} if isinstance(content, bytes) else {"bytes": None, "path": content}
        for content in contents
    ]
    return Dataset.from_dict({"image": values}, Features({"image": Image(decode=False)}))


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.filterwarnings("ignore:Palette images with Transparency:UserWarning")  # of the reference, not of ours
def test_an_image_is_what_transformers_makes_of_it(tmp_path, name):
    content = READABLE[name][0]
    (tmp_path / "image").write_bytes(content)
    expected = load_image(PIL.Image.open(io.BytesIO(content)))
    for value in ({"bytes": content, "path": "nowhere.png"}, {"bytes": None, "path": str(tmp_path / "image")}):
        opened = open_image(value)
        assert opened.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(opened), np.asarray(expected))


def test_an_image_on_its_side_is_turned():
    opened = open_image({"bytes": encoded(DRAWN, exif=turned(6)), "path": None})
    np.testing.assert_array_equal(np.asarray(opened), np.rot90(np.asarray(DRAWN), k=-1))


def test_of_a_moving_image_the_first_frame_counts():
    assert np.asarray(open_image({"bytes": animated(), "path": None})).tolist() == [[[255, 0, 0]] * 6] * 4


def test_values_above_8_bits_become_white():
    """What `deep` warns of: measured, and not wished for."""
    content = encoded(PIL.Image.fromarray(np.array([[0, 255, 256, 65535]], dtype=np.uint16)))
    assert np.asarray(open_image({"bytes": content, "path": None}))[0, :, 0].tolist() == [0, 255, 255, 255]


JPEG, PNG = encoded(DRAWN, "JPEG"), encoded(DRAWN)
BROKEN = {
    "a.jpg": (JPEG[:-100], "truncated"),
    "b.jpg": (JPEG[: len(JPEG) // 2], "truncated"),
    "c.jpg": (JPEG[:20], "Truncated File Read|truncated|no image|not enough"),
    "d.png": (PNG[: len(PNG) // 2], "truncated"),
    "text.jpg": (b"this is no image", "it is no image of a kind that Pillow can read"),
    "empty.png": (b"", "it is empty"),
    "missing.png": (None, "there is no such file"),
}


@pytest.fixture
def broken(tmp_path):
    """The paths of files that cannot be read, in the order of BROKEN."""
    for name, (content, _) in BROKEN.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in BROKEN]


def test_what_cannot_be_opened_is_an_error_that_names_the_file(broken, tmp_path):
    for path, (content, reason) in zip(broken, BROKEN.values(), strict=True):
        with pytest.raises(DataError, match=rf"The image {path} cannot be read: .*({reason})"):
            open_image({"bytes": None, "path": path})
        if content:
            with pytest.raises(DataError, match=rf"The image of {len(content)} bytes cannot be read: .*({reason})"):
                open_image({"bytes": content, "path": None})
    with pytest.raises(DataError, match=rf"The image {tmp_path} cannot be read: "):
        open_image({"bytes": None, "path": str(tmp_path)})


@pytest.mark.parametrize(("pixels", "reads"), [(24 * 40 - 1, True), (24 * 40 // 2 - 1, False)])
def test_a_very_large_image_is_a_fault_and_a_large_one_no_warning(monkeypatch, pixels, reads):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", pixels)  # Pillow warns above it, and refuses above its double
    assert look_at(images(PNG), "image").readable.tolist() == [reads]
    if reads:
        assert open_image({"bytes": PNG, "path": None}).size == (40, 24)
    else:
        with pytest.raises(DataError, match="decompression bomb"):
            open_image({"bytes": PNG, "path": None})


def test_a_look_finds_size_depth_and_transparency(capfd):
    looked = look_at(images(*(content for content, *_ in READABLE.values())), "image")
    assert looked.faults == [None] * len(READABLE)
    found = zip(map(tuple, looked.sizes.tolist()), looked.deep.tolist(), looked.transparent.tolist(), strict=True)
    assert dict(zip(READABLE, found, strict=True)) == {name: tuple(facts) for name, (_, *facts) in READABLE.items()}
    opened = [open_image({"bytes": content, "path": None}).size[::-1] for content, *_ in READABLE.values()]
    assert opened == [size for _, size, *_ in READABLE.values()]
    assert capfd.readouterr() == ("", "")


def test_a_look_finds_every_fault(broken):
    looked = look_at(images(*broken, PNG), "image")
    for fault, (_, reason) in zip(looked.faults, BROKEN.values(), strict=False):
        with pytest.raises(DataError, match=reason):
            raise DataError(fault)
    assert looked.faults[-1] is None
    assert looked.readable.tolist() == [False] * len(broken) + [True]
    assert looked.sizes.tolist() == [[0, 0]] * len(broken) + [[24, 40]]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_found(progressive):
    content = encoded(DRAWN, "JPEG", progressive=progressive)
    looked = look_at(images(*(content[:length] for length in range(1, len(content), 7))), "image")
    assert not looked.readable.any()


def test_the_same_bytes_have_the_same_digest_wherever_they_lie(tmp_path):
    (tmp_path / "a").write_bytes(PNG)
    digests = look_at(images(PNG, str(tmp_path / "a"), JPEG), "image").digests
    assert digests[0] == digests[1] != digests[2]


def test_a_selection_is_looked_at_in_its_order():
    looked = look_at(images(PNG, JPEG, READABLE["animated"][0], b"x").select([3, 2, 0]), "image")
    assert looked.readable.tolist() == [False, True, True]
    assert looked.sizes.tolist() == [[0, 0], [4, 6], [24, 40]]


def same(one, other) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("faults", "digests", "sizes", "deep", "transparent")
    )


def test_a_second_look_reads_what_the_first_kept(cache, tmp_path):
    (tmp_path / "a").write_bytes(PNG)
    rows = images(str(tmp_path / "a"), str(tmp_path / "none"), READABLE["rgba"][0], READABLE["16 bits"][0], b"")
    first = look_at(rows, "image")
    (kept,) = cache.iterdir()
    assert same(look_at(rows, "image"), first)
    assert list(cache.iterdir()) == [kept]
    kept.write_text(kept.read_text().replace("[24, 40]", "[1, 2]"))
    assert look_at(rows, "image").sizes[0].tolist() == [1, 2]  # it is read indeed
    for damaged in ("damaged", "[]", "{}", '{"faults": [], "digests": [], "sizes": [], "deep": [], "transparent": []}'):
        kept.write_text(damaged)
        assert same(look_at(rows, "image"), first)


def test_a_file_that_changed_is_looked_at_again(tmp_path):
    path = tmp_path / "a"
    rows = images(str(path))
    assert look_at(rows, "image").faults == ["there is no such file"]
    path.write_bytes(PNG)
    assert look_at(rows, "image").readable.all()
    path.write_bytes(b"x" * len(PNG))
    os.utime(path, ns=(1, 1))
    assert not look_at(rows, "image").readable.any()


@pytest.mark.parametrize("stored", [str, lambda path: path.read_bytes()], ids=["file", "bytes"])
def test_what_could_not_be_read_is_tried_again(cache, tmp_path, monkeypatch, stored):
    """A reader of Pillow's that was missing is there later; the files are the same."""
    for name in ("png", "webp"):
        (tmp_path / name).write_bytes(READABLE[name][0])
    rows = images(*(stored(tmp_path / name) for name in ("webp", "png", "webp")), b"broken")
    with monkeypatch.context() as patch:
        PIL.Image.init()
        patch.setattr(PIL.Image, "ID", [kind for kind in PIL.Image.ID if kind != "WEBP"])
        assert look_at(rows, "image").readable.tolist() == [False, True, False, False]
    found = look_at(rows, "image")
    assert found.readable.tolist() == [True, True, True, False]
    assert found.sizes.tolist() == [[24, 40]] * 3 + [[0, 0]]
    (kept,) = cache.iterdir()
    before = kept.stat()
    assert same(look_at(rows, "image"), found)
    assert kept.stat() == before  # nothing new, nothing written


def test_other_bytes_are_looked_at_again(cache):
    look_at(images(PNG), "image")
    assert not look_at(images(PNG[:-50]), "image").readable.any()
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        ([DRAWN], Image()),
        ([DRAWN], Image(decode=False)),
        ([PNG], Value("binary")),
        ([PNG], Value("large_binary")),
        ([{"bytes": PNG}], {"bytes": Value("binary")}),
        ([{"path": "x.png", "bytes": PNG}], {"path": Value("string"), "bytes": Value("binary")}),
    ],
)
def test_bytes_of_every_kind_become_one_kind_of_column(values, feature):
    rows = Dataset.from_dict({"image": values, "label": [1]}, Features({"image": feature, "label": Value("int64")}))
    found = as_images(rows, "image", "train")
    assert found.features == Features({"image": Image(decode=False), "label": Value("int64")})
    np.testing.assert_array_equal(np.asarray(open_image(found[0]["image"])), np.asarray(DRAWN))


@pytest.mark.parametrize("kind", ["string", "large_string"])
def test_names_of_files_become_images_without_a_look_at_the_files(kind):
    rows = Dataset.from_dict({"image": [f"/nowhere/{row}.jpg" for row in range(5)]}, Features({"image": Value(kind)}))
    found = as_images(rows.select([4, 1]), "image", "train")
    assert found["image"][:] == [{"bytes": None, "path": "/nowhere/4.jpg"}, {"bytes": None, "path": "/nowhere/1.jpg"}]


def test_a_broken_image_of_a_data_set_is_not_decoded_on_the_way():
    rows = Dataset.from_dict({"image": [{"bytes": b"no image", "path": None}]}, Features({"image": Image()}))
    assert as_images(rows, "image", "train")[0]["image"] == {"bytes": b"no image", "path": None}


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        ([1], Value("int64")),
        ([1], ClassLabel(names=["a", "b"])),
        ([[1, 2]], List(Value("int64"))),
        ([{"bytes": 1}], {"bytes": Value("int64")}),
        ([{"file": "a.jpg"}], {"file": Value("string")}),
    ],
)
def test_a_column_of_something_else_is_refused(values, feature):
    rows = Dataset.from_dict({"picture": values}, Features({"picture": feature}))
    with pytest.raises(DataError) as caught:
        as_images(rows, "picture", "eval")
    assert "task.image: the column 'picture' of the eval split holds " in str(caught.value)
    assert "but images are expected: an image column of a data set, bytes" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        (["a", None, "b", ""], Value("string")),
        ([b"a", None, b"b", None], Value("binary")),
        (
            [{"bytes": b"", "path": None}, None, {"bytes": b"x", "path": ""}, {"bytes": None, "path": None}],
            {"bytes": Value("binary"), "path": Value("string")},
        ),
    ],
)
def test_rows_without_an_image_are_named(values, feature):
    rows = Dataset.from_dict({"image": values}, Features({"image": feature}))
    with pytest.raises(DataError) as caught:
        as_images(rows, "image", "train")
    assert "2 of 4 rows of the train split have no image in the column 'image': rows 1, 3." in str(caught.value)


def told(findings):
    return [(finding.kind, finding.split, finding.count, finding.total) for finding in findings]


def test_findings_name_what_cannot_be_read_and_why(broken):
    rows = images(PNG, *broken)
    (finding,) = image_findings("train", rows, "image", look_at(rows, "image"))
    assert told([finding]) == [("unreadable", "train", 7, 8)]
    assert finding.text.startswith("cannot be read and are left out (a.jpg: ")
    assert "; b.jpg: " in finding.text
    assert "; c.jpg: " in finding.text
    assert "d.png" not in finding.text
    assert finding.text.endswith("): rows 1, 2, 3, ...")


def test_findings_count_images_that_lose_something_or_stand_twice():
    white, deep = READABLE["rgba"][0], READABLE["16 bits"][0]
    splits = {"train": images(PNG, white, PNG, b"", b"", JPEG), "eval": images(deep, JPEG, b"")}
    looked = {split: look_at(rows, "image") for split, rows in splits.items()}
    found = [one for split, rows in splits.items() for one in image_findings(split, rows, "image", looked[split])]
    assert told(found) == [
        ("unreadable", "train", 2, 6),
        ("transparent", "train", 1, 6),
        ("unreadable", "eval", 1, 3),
        ("deep", "eval", 1, 3),
    ]
    assert told(repeated_images(looked, [None] * 6)) == [("duplicate", "train", 1, 6), ("shared", "eval", 1, 3)]
    labels = ["cat", "cat", "dog", "cat", "dog", None]
    assert told(repeated_images(looked, labels))[-1] == ("contradiction", "train", 1, 6)


def test_the_error_for_a_split_without_images_names_the_first_that_cannot_be_read(tmp_path):
    rows = images(PNG, b"no image", str(tmp_path / "none.jpg"))
    message = str(none_left(rows, "image", look_at(rows, "image"), "eval"))
    assert message == (
        "task.image: no image of the eval split is left: 2 of 3 cannot be read, the first, of 8 bytes, since it is no "
        "image of a kind that Pillow can read."
    )
    rows = rows.select([2])
    message = str(none_left(rows, "image", look_at(rows, "image"), "eval"))
    assert f"the first, {tmp_path / 'none.jpg'}, since there is no such file. Names of files start from the" in message


@pytest.mark.parametrize("name", ["a0", "train/a0.png", "elsewhere/a0.jpg"])
def test_a_name_without_folder_or_ending_is_told_what_is_there(tmp_path, name):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a0.jpg").write_bytes(JPEG)
    rows = images(str(tmp_path / name))
    message = str(none_left(rows, "image", look_at(rows, "image"), "train"))
    start = (tmp_path / name).parent if name.startswith("train") else tmp_path
    there, meant = (tmp_path / "train" / "a0.jpg").relative_to(start), (tmp_path / name).relative_to(start)
    assert f"But there is '{there}' in {start}: names need their folder and ending." in message
    assert f"Write that in the place of '{meant}'" in message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (base64.b64encode(encoded(DRAWN)).decode(), "the image itself as text (base64)"),
        (f"data:image/png;base64,{base64.b64encode(encoded(DRAWN)).decode()}", "the image itself as text (base64)"),
        (" ".join(map(str, PIXELS[..., 0].flatten())), "the image itself as numbers"),
        (str(encoded(DRAWN)), "an image as Python prints it"),
        (str({"bytes": encoded(DRAWN, "JPEG"), "path": None}), "an image as Python prints it"),
        (repr(DRAWN), "an image as Python prints it"),
    ],
    ids=["base64", "uri", "pixels", "bytes", "struct", "pillow"],
)
def test_an_image_written_as_text_is_named_and_not_printed(text, what):
    rows = images(f"/data/{text}", PNG)
    looked = look_at(rows, "image")
    (finding,) = image_findings("train", rows, "image", looked)
    message = str(none_left(rows, "image", looked, "train"))
    for shown in (str(finding), message):
        assert f"it is no name of a file, but {what}" in shown
        assert len(shown) < 450
    assert message.endswith(
        "Decode the images into files, and write their names; or put their bytes into a parquet file."
    )
