"""Fitzpatrick17k is read as it lies, and what cannot be used is named; the images here are drawn by the tests."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.data import photographs
from models.data.fitzpatrick17k import Fitzpatrick17k
from models.data.fitzpatrick17k_files import ARCHIVES, UnusableData
from models.data.images import LEVELS, shrunk
from models.data.photographs import decoded
from models.data.sources import DataUnavailable
from models.skin import skin_images

NOW = "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url"
FIRST = ",md5hash,fitzpatrick,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,url_alphanum"
SMALL = "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label"


def picture(seed: int, width: int = 24, height: int = 24, mode: str = "RGB", form: str = "PNG") -> bytes:
    """Return a file of coloured noise; PNG by default, so that its pixels are known."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)
    file = io.BytesIO()
    image.save(file, form, **({"quality": 95} if form == "JPEG" else {}))
    return file.getvalue()


def pixels_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).transpose(2, 0, 1)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Published:
    """A folder as it is published: images called by their md5, and a table."""

    def __init__(self, folder: Path, place: str = "") -> None:
        self.folder = folder
        self.images = folder / place
        self.images.mkdir(parents=True, exist_ok=True)
        self.lines: list[str] = []

    def add(self, skin_type: object, content: bytes, label: str = "acne", qc: str = "", name: str = "") -> str:
        name = name or md5(content)
        if content:
            (self.images / f"{name}.jpg").write_bytes(content)
        self.lines.append(
            f'{name},{skin_type},-1,"{label}, typical",inflammatory,non-neoplastic,{qc},https://example.org'
        )
        return name

    def fill(self, types: str = "1256", size: int = 24) -> list[str]:
        return [self.add(skin_type, picture(1000 + i, size, size)) for i, skin_type in enumerate(types)]

    def write(self, header: str = NOW) -> Path:
        (self.folder / "fitzpatrick17k.csv").write_text("\n".join([header, *self.lines]) + "\n")
        return self.folder


@pytest.fixture
def published(tmp_path, monkeypatch) -> Published:
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    return Published(tmp_path / "fitzpatrick17k")


@pytest.mark.parametrize("place", ["", "images", "data/finalfitz17k"])
def test_a_published_folder_is_read_wherever_its_images_lie(tmp_path, place):
    published = Published(tmp_path, place)
    contents = {skin_type: picture(skin_type) for skin_type in (1, 2, 3, 4, 5, 6)}
    names = {published.add(skin_type, contents[skin_type], label=f"c{skin_type}"): skin_type for skin_type in contents}
    images = Fitzpatrick17k(published.write()).images(24)
    used = sorted(name for name, skin_type in names.items() if skin_type in (1, 2, 5, 6))
    assert images.ids.tolist() == used
    assert images.skin_type.tolist() == [names[name] for name in used]
    assert images.skin_tone.tolist() == ["light" if names[name] < 3 else "dark" for name in used]
    assert images.conditions["label"].tolist() == [f"c{names[name]}, typical" for name in used]
    assert set(images.conditions) == set(LEVELS)
    assert images.conditions["three_partition_label"].tolist() == ["non-neoplastic"] * 4
    for row, name in enumerate(used):
        np.testing.assert_array_equal(images.pixels[row], pixels_of(contents[names[name]]))
    assert (images.pixels.dtype, images.skin_type.dtype) == (np.uint8, np.int8)
    assert (images.name, images.synthetic, images.left_out) == ("fitzpatrick17k", False, ())
    assert "https://doi.org/10.1109/CVPRW53098.2021.00201" in images.source
    assert "CC BY-NC-SA 3.0" in images.licence
    assert str(tmp_path) not in images.source


def test_groups_are_by_choice_and_other_rows_are_counted_not_named(published):
    names = published.fill("112344566")
    published.add(-1, picture(50))
    published.add("", picture(51))
    root = published.write()
    images = Fitzpatrick17k(root).images(24)
    assert Counter(images.skin_tone.tolist()) == {"light": 3, "dark": 3}
    assert images.source.endswith("6 images; 3 rows of other skin types; 2 rows without a skin type")
    assert images.left_out == ()
    images = Fitzpatrick17k(root, light_types={1}, dark_types=range(4, 7)).images(24)
    assert Counter(images.skin_type.tolist()) == {1: 2, 4: 2, 5: 1, 6: 2}
    assert set(images.ids.tolist()) <= set(names)


@pytest.mark.parametrize("header", [NOW, f"\ufeff{NOW}", NOW.replace("_scale", ""), SMALL])
def test_every_version_of_the_table_is_read(published, header):
    published.fill()
    if header == SMALL:
        published.lines = [line.rsplit(",", 2)[0] for line in published.lines]
    assert len(Fitzpatrick17k(published.write(header)).images(24)) == 4


def test_the_first_version_with_its_unnamed_index_is_read(published):
    published.fill()
    published.lines = [f"{at},{line},alphanum" for at, line in enumerate(published.lines)]
    assert len(Fitzpatrick17k(published.write(FIRST)).images(24)) == 4


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("hash,fitzpatrick\na,1\n", r"fitzpatrick17k\.csv: no column 'md5hash'; it has hash, fitzpatrick"),
        (
            NOW.replace("fitzpatrick_scale", "fst"),
            "no column 'fitzpatrick_scale' or 'fitzpatrick'; it has md5hash, fst",
        ),
        (NOW.replace("nine_partition_label", "nine"), "no column 'nine_partition_label'"),
        ("", "no column 'md5hash'"),
        (f"{NOW}\n0a94359e7eaacd7178e06b2823777789,1,1,a", "row 1: not as many fields as the header"),
        (f"{NOW}\n0a94359e7eaacd7178e06b2823777789,1,1,a,b,c,,u,more", "row 1: not as many fields"),
        (f"{NOW}\n../../../etc/passwd,1,1,a,b,c,,u", "row 1: md5hash '../../../etc/passwd' is not 32 hexadecimal"),
        (f"{NOW}\n0a94359e7eaacd7178e06b2823777789,IV,1,a,b,c,,u", "row 1: skin type 'IV' is none of -1, , 1, 2"),
        (f'{NOW}\n0a94359e7eaacd7178e06b2823777789,1,1,"a', "not a CSV file in UTF-8: unexpected end of data"),
        (b"\xff\xfe\x00", "not a CSV file in UTF-8"),
        (NOW, "0 of 0|no image of light skin"),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error_that_names_file_and_place(published, table, message):
    path = published.folder / "fitzpatrick17k.csv"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(UnusableData, match=message):
        Fitzpatrick17k(published.folder).images(24)


def test_corrupt_and_missing_images_are_named_and_counted_and_not_fatal(published):
    published.fill("112256" * 2)
    whole = picture(1, 64, 64, form="JPEG")
    flat = picture(2)
    expected = {
        published.add(1, whole[: len(whole) // 2]): r"corrupt: .*truncated",
        published.add(2, b"<html>Not found</html>"): r"corrupt: not an image",
        published.add(5, flat[:-40]): r"corrupt: ",
        published.add(6, b"", name="0" * 32): r"missing",
        published.add(1, flat, name="1" * 32): r"corrupt: content does not match its md5",
        published.add(1, whole[:0] + b"\xff\xd8\xff"): r"corrupt: ",
    }
    images = Fitzpatrick17k(published.write()).images(24)
    assert len(images) == 12
    assert [name for name, _ in images.left_out] == sorted(expected)
    for name, reason in images.left_out:
        assert re.match(expected[name], reason), (name, reason)
        assert "0x" not in reason, "an address in memory would make two runs differ"


def test_what_the_system_refuses_is_named_without_a_path(published):
    published.fill("112256")
    (published.images / f"{'a' * 32}.jpg").mkdir()
    (published.images / f"{'b' * 32}.jpg").symlink_to(published.folder / "nowhere")
    (published.images / f"{'c' * 32}.jpg").symlink_to(f"{'c' * 32}.jpg")
    for letter in "abc":
        published.add(1, b"", name=letter * 32)
    assert [left.reason for left in Fitzpatrick17k(published.write()).images(24).left_out] == [
        f"corrupt: {os.strerror(errno.EISDIR)}",
        "missing",
        f"corrupt: {os.strerror(errno.ELOOP)}",
    ]


def test_the_md5_is_not_asked_for_on_request(published):
    published.fill()
    name = published.add(1, picture(3), name="f" * 32)
    root = published.write()
    assert [left.name for left in Fitzpatrick17k(root).images(24).left_out] == [name]
    assert Fitzpatrick17k(root, check_md5=False).images(24).left_out == ()


def test_more_than_half_unreadable_is_an_error_with_counts_and_remedy(published):
    published.fill("1526")
    for i in range(4):
        published.add(1, b"", name=f"{i:032x}")
    assert len(Fitzpatrick17k(published.write()).images(24)) == 4
    published.add(2, b"no image")
    with pytest.raises(UnusableData, match=r"5 of 9 images .* \(1 corrupt, 4 missing; .*fetch_fitzpatrick17k"):
        Fitzpatrick17k(published.write()).images(24)


def test_a_group_without_images_is_an_error(published):
    published.fill("11126")
    message = r"no image of dark skin \(types 5 of fitzpatrick_scale\) is left; left out: none; give other skin types"
    with pytest.raises(UnusableData, match=message):
        Fitzpatrick17k(published.write(), dark_types=[5]).images(24)


def test_of_equal_pictures_the_first_stays_and_unlike_labels_are_said(published):
    published.fill("1256" * 2)
    same = picture(7)
    comment = b"tEXtkey\0text"  # changes the bytes of a PNG and its md5, not its pixels
    again = same[:-12] + b"\0\0\0\x08" + comment + zlib.crc32(comment).to_bytes(4, "big") + same[-12:]
    first, second = sorted([published.add(1, same, label="a"), published.add(2, again, label="b")])
    images = Fitzpatrick17k(published.write()).images(24)
    (left,) = images.left_out
    assert left.name == second
    assert left.reason.startswith(f"repeated: same picture as {first}; skin_type ")
    assert "; label " in left.reason
    assert "nine_partition_label" not in left.reason
    assert first in images.ids
    assert len(set(images.ids.tolist())) == len(images) == 9


def test_a_picture_that_is_light_and_dark_is_not_used_at_all(published):
    names = published.fill("1256" * 2)
    content = (published.images / f"{names[0]}.jpg").read_bytes()
    published.add(5, content)  # the same md5hash twice, as type 1 and as type 5
    images = Fitzpatrick17k(published.write()).images(24)
    assert [left.name for left in images.left_out] == [names[0]] * 2
    for left in images.left_out:
        assert left.reason.startswith("repeated: listed twice; skin_type ")
        assert left.reason.endswith("; light and dark, so that none is used")
    assert names[0] not in images.ids


def test_a_row_that_stands_there_twice_counts_once(published):
    published.fill()
    published.lines.append(published.lines[0])
    images = Fitzpatrick17k(published.write()).images(24)
    assert len(images) == 4
    assert [left.reason for left in images.left_out] == ["repeated: listed twice"]


def test_rows_marked_as_wrongly_labelled_are_left_out_on_request(published):
    published.fill()
    published.add(1, picture(60), qc="3 Wrongly labelled")
    published.add(1, picture(61), qc="1 Diagnostic")
    root = published.write()
    assert len(Fitzpatrick17k(root).images(24)) == 6
    images = Fitzpatrick17k(root, keep_wrongly_labelled=False).images(24)
    assert len(images) == 5
    assert "1 rows marked as wrongly labelled" in images.source
    published.lines = [line.rsplit(",", 2)[0] for line in published.lines]
    with pytest.raises(UnusableData, match="no column 'qc'"):
        Fitzpatrick17k(published.write(SMALL), keep_wrongly_labelled=False).images(24)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dark_types": (5, 7)}, r"dark_types=\(5, 7\): name at least one skin type, 1 to 6"),
        ({"light_types": ()}, "light_types"),
        ({"light_types": (1, 2, 5)}, "skin type 5 is both"),
    ],
)
def test_impossible_skin_types_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Fitzpatrick17k("anywhere", **arguments)


@pytest.mark.parametrize(
    ("image_size", "message"), [(0, "image_size=0"), (48, "image_size=48: 4 of the 4 images in .* are smaller")]
)
def test_impossible_sizes_are_refused(published, image_size, message):
    published.fill()
    with pytest.raises(ValueError, match=message):
        Fitzpatrick17k(published.write()).images(image_size)


def test_a_few_enlarged_images_are_counted(published):
    published.fill()
    published.add(1, picture(70, 20, 30))
    images = Fitzpatrick17k(published.write()).images(24)
    assert len(images) == 5
    assert images.source.endswith("; 1 enlarged")


def archived(path: Path, published: Published, rename: dict[str, str] | None = None) -> Path:
    root = published.write()
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                name = file.relative_to(root).as_posix()
                archive.write(file, (rename or {}).get(name, name))
    return path


def test_an_archive_is_read_by_its_path_without_a_checksum_or_md5(tmp_path):
    published = Published(tmp_path / "published", "images")
    names = [published.add(skin_type, picture(skin_type), name=f"{skin_type:032x}") for skin_type in (1, 2, 5, 6)]
    published.add(1, b"", name="e" * 32)
    images = Fitzpatrick17k(archived(tmp_path / "some.zip", published)).images(12)
    assert images.ids.tolist() == names
    for row, skin_type in enumerate((1, 2, 5, 6)):
        np.testing.assert_array_equal(images.pixels[row], shrunk(pixels_of(picture(skin_type))[None], 12)[0])
    assert [tuple(left) for left in images.left_out] == [("e" * 32, "missing")]
    assert "some.zip: 4 images" in images.source


def test_a_damaged_member_of_an_archive_is_a_corrupt_image(tmp_path):
    published = Published(tmp_path / "published")
    published.fill("112256")
    path = archived(tmp_path / "some.zip", published)
    content = next(published.images.glob("*.jpg")).read_bytes()
    damaged = path.read_bytes().replace(content, content[:50] + bytes(20) + content[70:])
    path.write_bytes(damaged)
    images = Fitzpatrick17k(path).images(24)
    (left,) = images.left_out
    assert left.name == md5(content)
    assert left.reason.startswith("corrupt: Bad CRC-32 for file ")


def test_what_is_no_archive_or_has_no_table_is_refused(tmp_path):
    (tmp_path / "some.zip").write_bytes(b"PK no")
    with pytest.raises(UnusableData, match=r"some\.zip: not a zip archive"):
        Fitzpatrick17k(tmp_path / "some.zip").images(24)
    published = Published(tmp_path / "published")
    published.fill()
    path = archived(tmp_path / "some.zip", published, {"fitzpatrick17k.csv": "other.csv"})
    with pytest.raises(UnusableData, match=r"fitzpatrick17k\.csv cannot be read: it is not in the archive"):
        Fitzpatrick17k(path).images(24)


def test_an_archive_with_an_outer_folder_is_told_from_one_without_the_table(tmp_path):
    published = Published(tmp_path / "outer" / "published")
    published.fill()
    published.write()
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(published.folder.rglob("*")):
            archive.write(file, file.relative_to(tmp_path / "outer").as_posix())
    told = r"found as published/fitzpatrick17k\.csv: zip its content without the outer folder"
    with pytest.raises(UnusableData, match=told):
        Fitzpatrick17k(path).images(24)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (3, b"\x03", r"some\.zip: the archive is damaged \(.*\): get it again"),
        (8, b"\x01", r"some\.zip: fitzpatrick17k\.csv cannot be read: .*password.*; get the archive again"),
        (10, b"\x09", r"some\.zip: fitzpatrick17k\.csv cannot be read: .*compression.*; get the archive again"),
    ],
    ids=["a byte of the directory", "a password", "Deflate64"],
)
def test_an_archive_that_cannot_be_unpacked_is_an_error_that_names_it(tmp_path, place, value, message):
    published = Published(tmp_path / "published")
    published.fill()
    path = archived(tmp_path / "some.zip", published)
    content = path.read_bytes()
    entry = content.rindex(b"fitzpatrick17k.csv") - 46  # in the directory, whose entries have 46 bytes before the name
    assert content[entry : entry + 4] == b"PK\x01\x02"
    path.write_bytes(content[: entry + place] + value + content[entry + place + 1 :])
    with pytest.raises(UnusableData, match=message):
        Fitzpatrick17k(path).images(24)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_the_project_must_be_the_one_of_that_name(tmp_path, monkeypatch, name):
    published = Published(tmp_path / "published")
    published.fill()
    path = archived(tmp_path / name, published)
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    for root in (None, tmp_path):
        with pytest.raises(UnusableData, match=rf"another content: sha256 [0-9a-f]{{64}}, expected {ARCHIVES[name]}"):
            Fitzpatrick17k(root).images(24)
    named = Fitzpatrick17k(path).images(24)
    assert len(named) == 4, "a path that is named is taken as it is"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"{name} (of another content than the one of that name: sha256 {digest[:12]}...): 4 images" in named.source
    monkeypatch.setitem(ARCHIVES, name, hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(Fitzpatrick17k().images(24)) == 4


def test_the_archive_of_the_largest_images_comes_first_unless_another_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    for types, name in (("1256", "fitzpatrick17k_128px.zip"), ("12566", "fitzpatrick17k_64px.zip")):
        published = Published(tmp_path / name.partition(".")[0])
        published.fill(types)
        path = archived(tmp_path / name, published)
        monkeypatch.setitem(ARCHIVES, name, hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(Fitzpatrick17k().images(24)) == 4
    assert len(Fitzpatrick17k(archives=("fitzpatrick17k_64px.zip", "fitzpatrick17k_128px.zip")).images(24)) == 5
    assert len(skin_images(24)) == 5  # the gate's figures are of the smaller archive
    (tmp_path / "fitzpatrick17k_64px.zip").unlink()
    assert len(skin_images(24)) == 4
    with pytest.raises(ValueError, match=r"archives: 'mine\.zip' is none of fitzpatrick17k_128px\.zip, "):
        Fitzpatrick17k(archives=("mine.zip",))


def test_the_skin_types_are_those_of_the_label_that_is_asked_for(published):
    scale, centaur = "1256", ("2", "5", "-1", "6")
    for seed, (here, there) in enumerate(zip(scale, centaur, strict=True)):
        name = published.add(here, picture(seed))
        published.lines[-1] = published.lines[-1].replace(f"{name},{here},-1", f"{name},{here},{there}")
    folder = published.write()
    assert sorted(Fitzpatrick17k(folder).images(24).skin_type.tolist()) == [1, 2, 5, 6]
    images = Fitzpatrick17k(folder, label="fitzpatrick_centaur").images(24)
    assert sorted(images.skin_type.tolist()) == [2, 5, 6]
    assert sorted(images.skin_tone.tolist()) == ["dark", "dark", "light"]
    assert "1 rows without a skin type; skin types of column fitzpatrick_centaur" in images.source
    with pytest.raises(ValueError, match="label='centaur': give one of fitzpatrick_scale, fitzpatrick_centaur"):
        Fitzpatrick17k(folder, label="centaur")
    published.write(NOW.replace(",fitzpatrick_centaur", ",somebody"))
    with pytest.raises(UnusableData, match="no column 'fitzpatrick_centaur'; it has"):
        Fitzpatrick17k(folder, label="fitzpatrick_centaur").images(24)


@pytest.mark.parametrize("inside", ["", "fitzpatrick17k"])
def test_the_published_folder_comes_before_the_archive(tmp_path, monkeypatch, inside):
    published = Published(tmp_path / inside)
    published.fill()
    published.write()
    (tmp_path / "fitzpatrick17k_64px.zip").write_bytes(b"not asked for")
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    assert len(Fitzpatrick17k().images(24)) == 4


def test_nothing_there_is_one_error_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    with pytest.raises(DataUnavailable, match="in FAIRNESS_DATA, which is not set\nSet FAIRNESS_DATA to the folder"):
        Fitzpatrick17k().images(24)
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match=re.escape(f"in FAIRNESS_DATA={tmp_path}\n")):
        Fitzpatrick17k().images(24)
    nowhere = f"nor fitzpatrick17k_128px.zip nor fitzpatrick17k_64px.zip in {tmp_path}\nGive the folder"
    with pytest.raises(DataUnavailable, match=re.escape(nowhere)):
        Fitzpatrick17k(tmp_path).images(24)
    with pytest.raises(UnusableData, match=r"gone: there is no such file or folder; correct it"):
        Fitzpatrick17k(tmp_path / "gone").images(24)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "1"])
def test_any_colour_mode_becomes_red_green_blue(mode):
    content = picture(5, mode=mode)
    pixels, _ = decoded(content, 24)
    np.testing.assert_array_equal(pixels, pixels_of(content))


def test_cmyk_jpegs_and_transparent_palettes_are_read():
    assert decoded(picture(5, form="JPEG", mode="CMYK"), 24)[0].shape == (3, 24, 24)
    file = io.BytesIO()
    image = Image.open(io.BytesIO(picture(5, mode="P")))
    image.save(file, "PNG", transparency=bytes(range(256)))
    np.testing.assert_array_equal(decoded(file.getvalue(), 24)[0], np.asarray(image.convert("RGB")).transpose(2, 0, 1))


@pytest.mark.parametrize(("width", "height", "left", "top"), [(40, 24, 8, 0), (24, 31, 0, 3), (25, 24, 0, 0)])
def test_the_square_is_the_middle_of_the_image(width, height, left, top):
    content = picture(6, width, height)
    square = pixels_of(content)[:, top : top + 24, left : left + 24]
    np.testing.assert_array_equal(decoded(content, 24)[0], square)
    np.testing.assert_array_equal(decoded(content, 8)[0], shrunk(square[None], 8)[0])


@pytest.mark.parametrize(("edge", "size"), [(100, 32), (130, 64), (60, 59), (24, 24), (48, 16)])
def test_a_pixel_is_the_mean_of_the_area_that_it_covers(edge, size):
    content = picture(8, edge, edge)
    weights = np.zeros((size, edge))
    for new in range(size):
        low, high = new * edge / size, (new + 1) * edge / size
        for old in range(edge):
            weights[new, old] = max(0.0, min(high, old + 1) - max(low, old)) * size / edge
    expected = np.einsum("ay,cyx,bx->cab", weights, pixels_of(content).astype(float), weights)
    pixels, enlarged = decoded(content, size)
    assert not enlarged
    assert np.abs(pixels - expected).max() <= 0.5 + 1e-9  # rounded to whole numbers, no more


def test_a_large_jpeg_is_decoded_at_a_fraction_to_nearly_the_same_means():
    y, x = np.mgrid[:512, :512] / 512
    smooth = np.stack([255 * x, 255 * y, 127 + 127 * np.sin(9 * x + 5 * y)], axis=-1).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(smooth).save(file, "JPEG", quality=95, subsampling=0)
    whole = shrunk(pixels_of(file.getvalue())[None], 16)[0].astype(int)
    assert np.abs(decoded(file.getvalue(), 16)[0] - whole).max() <= 2


def test_an_image_that_claims_too_many_pixels_is_refused(monkeypatch):
    monkeypatch.setattr(photographs, "MOST_PIXELS", 24 * 24 - 1)
    with pytest.raises(ValueError, match="24 x 24 pixels, more than 575"):
        decoded(picture(1), 8)


@pytest.mark.parametrize("edge", [9_500, 20_000], ids=["Pillow warns", "Pillow refuses"])
def test_a_claim_that_pillow_warns_of_is_refused_without_a_word(published, edge):
    published.fill("112256")
    size = struct.pack(">II", edge, edge)
    name = published.add(1, png(size + b"\x08\x02\0\0\0", bytes(100)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        images = Fitzpatrick17k(published.write()).images(24)
    assert [str(warning.message) for warning in said] == []
    (left,) = images.left_out
    assert left.name == name
    assert left.reason.startswith(f"corrupt: Image size ({edge**2} pixels) exceeds limit of ")


def png(header: bytes, lines: bytes) -> bytes:
    """Return a PNG file, written by hand: Pillow writes no colour of 16 bits."""
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content


@pytest.mark.parametrize("colour_type", [0, 2, 4, 6], ids=["grey", "colour", "grey, alpha", "colour, alpha"])
def test_sixteen_bits_become_the_upper_eight(colour_type):
    channels, colours = {0: (1, 1), 2: (3, 3), 4: (2, 1), 6: (4, 3)}[colour_type]
    values = np.random.default_rng(9).integers(0, 2**16, (24, 24, channels))
    values[0, :2] = [[0] * channels, [2**16 - 1] * channels]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)  # 0: no filter
    pixels, _ = decoded(png(struct.pack(">IIBBBBB", 24, 24, 16, colour_type, 0, 0, 0), lines), 24)
    np.testing.assert_array_equal(pixels, np.broadcast_to(values[..., :colours] // 256, (24, 24, 3)).transpose(2, 0, 1))


def test_a_grey_picture_of_sixteen_bits_is_that_of_eight():
    eight = np.random.default_rng(10).integers(0, 256, (40, 30), dtype=np.uint8)
    files = []
    for array in (eight, eight.astype(np.uint16) * 257):
        file = io.BytesIO()
        Image.fromarray(array).save(file, "PNG")
        files.append(file.getvalue())
    for size in (7, 30, 50):
        np.testing.assert_array_equal(decoded(files[1], size)[0], decoded(files[0], size)[0])


def test_only_numpy_and_pillow_are_needed():
    """A machine with PyTorch alone has both."""
    code = (
        "import sys, models.data.fitzpatrick17k, models.phantom.skin_phantom\n"
        "known = set(sys.stdlib_module_names) | {'numpy', 'PIL', 'models', 'fairness_checks', '__main__'}\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} - known))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env=_bare())
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def _bare() -> dict[str, str]:
    """Return an environment in which -S finds the packages but no .pth file loads anything first."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_the_real_images_have_the_known_counts():
    folder = os.environ.get("FAIRNESS_DATA", "")
    if not folder or not Path(folder, "fitzpatrick17k_64px.zip").is_file():
        pytest.skip("FAIRNESS_DATA has no fitzpatrick17k_64px.zip: photographs of patients, not part of the project")
    images = Fitzpatrick17k(Path(folder, "fitzpatrick17k_64px.zip")).images(32)
    assert len(images.left_out) == 1, "one picture is listed as two, of types 1 and 2; none is missing or corrupt"
    assert images.left_out[0].reason.startswith("repeated: same picture as ")
    assert images.left_out[0].reason.endswith("; skin_type 2, there 1")
    assert Counter(images.skin_type.tolist()) == {1: 528, 2: 964 - 1, 5: 216, 6: 89}
    assert "393 rows of other skin types" in images.source
    wider = Fitzpatrick17k(Path(folder, "fitzpatrick17k_64px.zip"), dark_types=(4, 5, 6)).images(64)
    # Another picture is there as type 4 and as type 2: it has no known group.
    assert Counter(wider.skin_type.tolist()) == {1: 528, 2: 964 - 2, 4: 393 - 1, 5: 216, 6: 89}
    assert len({len(np.unique(wider.conditions[level])) for level in LEVELS}) == 3
    both = np.isin(wider.ids, images.ids)
    np.testing.assert_array_equal(shrunk(wider.pixels[both], 32), images.pixels[np.isin(images.ids, wider.ids)])


@pytest.mark.parametrize(
    ("dark_types", "label", "expected"),
    [
        ((5, 6), "fitzpatrick_scale", {1: 766, 2: 1361 - 1, 5: 299, 6: 133}),
        ((4, 5, 6), "fitzpatrick_scale", {1: 766, 2: 1361 - 2, 4: 579 - 1, 5: 299, 6: 133}),
        ((5, 6), "fitzpatrick_centaur", None),
    ],
)
def test_the_real_images_of_128_pixels_have_the_known_counts(dark_types, label, expected):
    folder = os.environ.get("FAIRNESS_DATA", "")
    if not folder or not Path(folder, "fitzpatrick17k_128px.zip").is_file():
        pytest.skip("FAIRNESS_DATA has no fitzpatrick17k_128px.zip: photographs of patients, not part of the project")
    images = Fitzpatrick17k(dark_types=dark_types, label=label).images(32)  # the first that is found
    assert "fitzpatrick17k_128px.zip" in images.source
    found = Counter(images.skin_type.tolist())
    if expected is not None:
        assert found == expected
    else:  # one picture is there twice
        assert sum(found.values()) + len(images.left_out) == 1314 + 692 + 211 + 108
