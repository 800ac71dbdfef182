"""Local files: read as they were written, or refused with the file and the line."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import datasets.config
import pyarrow
import pyarrow.parquet
import pytest
from datasets import Audio, ClassLabel, Dataset, Features, Image, Value

from hfft.data.checks import require_columns
from hfft.data.files import read_files
from hfft.errors import DataError
from hfft.workflows.init.columns import columns_of
from hfft.workflows.init.guess import guess
from hfft.workflows.init.options import InitOptions


@pytest.fixture
def read(tmp_path):
    """Writes files and reads them as one split."""

    def give(files: dict[str, str | bytes], *patterns: str) -> Dataset:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_files(list(patterns or files), str(tmp_path), "data.files.train").rows

    return give


@pytest.fixture
def _own_datasets_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\nfine,good\npoor,bad\n"),
        ("a.csv", '\ufeff"text","label"\r\n"fine",good\r\npoor,bad'),
        ("a.csv", "text,label\rfine,good\rpoor,bad\r"),
        ("a.csv", "text,label\n\nfine,good\n\npoor,bad\n\n"),
        ("A.TSV", "text\tlabel\nfine\tgood\npoor\tbad\n"),
        ("a.json", '[{"text": "fine", "label": "good"},\n {"text": "poor", "label": "bad"}]'),
        ("a.json", '{"version": 1, "data": [{"text": "fine", "label": "good"}, {"label": "bad", "text": "poor"}]}'),
        ("a.jsonl", '{"text": "fine", "label": "good"}\r\n\n{"text": "poor", "label": "bad"}'),
        ("a.ndjson", '{"text": "fine", "label": "good"}\n{"label": "bad", "text": "poor"}\n'),
    ],
)
def test_every_kind_of_file_gives_the_same_rows(read, name, content):
    assert read({name: content}).to_dict() == {"text": ["fine", "poor"], "label": ["good", "bad"]}


@pytest.mark.usefixtures("_own_datasets_cache")
def test_parquet_keeps_its_types_and_is_read_anew_when_it_changes(read, tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    for label in (1, 0):
        Dataset.from_dict({"text": ["fine"], "label": [label]}, features).to_parquet(tmp_path / "a.parquet")
        found = read({}, "a.parquet")
        assert found.to_dict() == {"text": ["fine"], "label": [label]}
        assert found.features == features


def test_a_text_file_has_an_example_a_line(read):
    assert read({"a.txt": "fine, really\r\n\n  poor\n"}).to_dict() == {"text": ["fine, really", "  poor"]}


@pytest.mark.parametrize(
    "value", ["NA", "null", "007", "1e5", "True", "", " x ", "a, b", 'say "x"', "two\nlines", "ß\t😀"]
)
def test_values_of_a_csv_file_are_the_texts_that_were_written(read, tmp_path, value):
    with open(tmp_path / "a.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "label"], [value, "x"]])
    assert read({}, "a.csv").to_dict() == {"text": [value], "label": ["x"]}


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0c"])
@pytest.mark.parametrize(("name", "header"), [("a.csv", "text\n"), ("a.tsv", "text\n"), ("a.txt", "")])
def test_signs_that_are_no_line_ends_do_not_cut_a_row(read, name, header, sign):
    assert read({name: f"{header}one{sign}row\n"})["text"][:] == [f"one{sign}row"]


def test_a_long_document_is_a_value_as_any_other(read):
    assert read({"a.csv": f"text\n{'long ' * 30_000}\n"})["text"][0] == "long " * 30_000


def test_json_keeps_types_and_null(read):
    content = '{"label": 1, "ids": [1, 2]}\n{"ids": [], "label": null}\n{"label": -1}\n'
    assert read({"a.jsonl": content}).to_dict() == {"label": [1, None, -1], "ids": [[1, 2], [], None]}


def test_files_are_joined_in_the_order_of_patterns_then_names(read):
    files = {
        "b/2.csv": "text,id\nc,3\n",
        "b/1.csv": "id,text\n2,b\n",
        "a.csv": "text,id\nd,4\n",
        "first.csv": "id,text\n1,a\n",
    }
    found = read(files, "first.csv", "b/*.csv", "a.csv")
    assert found.to_dict() == {"id": ["1", "2", "3", "4"], "text": ["a", "b", "c", "d"]}


def test_a_recursive_pattern_and_an_absolute_one_are_followed(read, tmp_path):
    files = {"x/y/a.csv": "text\na\n", "x/b.csv": "text\nb\n"}
    assert read(files, "**/*.csv")["text"][:] == ["b", "a"]
    assert read({}, str(tmp_path / "x" / "*.csv"))["text"][:] == ["b"]


def test_a_pattern_is_followed_in_a_folder_with_brackets_in_its_name(tmp_path):
    (tmp_path / "run[1]").mkdir()
    (tmp_path / "run[1]" / "a.csv").write_text("text\na\n")
    assert read_files(["*.csv"], str(tmp_path / "run[1]"), "data.files.train").rows["text"][:] == ["a"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "trian.csv",
            r"data.files.train is 'trian.csv', but there is no file .*/trian.csv. Did you mean 'train.csv'\?",
        ),
        ("*.parquet", r"data.files.train is '\*.parquet', but there is no file"),
        (
            "https://example.org/train.csv",
            "data.files.train is 'https://example.org/train.csv', an address: download it first, and give the name of",
        ),
        (
            "nowhere/train.csv",
            r"there is no file .*\. There is no folder .*nowhere; data\.root says where the files lie\.",
        ),
    ],
)
def test_a_file_that_is_not_there_is_named_with_the_nearest_one(read, pattern, message):
    with pytest.raises(DataError, match=message):
        read({"train.csv": "text\na\n"}, pattern)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv is empty, or its first line is; that line should name the columns."),
        ("a.csv", "text,text\na,b\n", "a.csv, in its first line, names a column twice: 'text'."),
        (
            "a.csv",
            "text,label\na,b\nc, d,e\n",
            "a.csv, line 3: 3 fields (['c', ' d', 'e']), but the first line names 2",
        ),
        ("a.csv", 'text,label\n"two\nlines",b\nc\n', "a.csv, line 4: 1 fields (['c']), but the first line names 2"),
        ("a.tsv", "text\tlabel\na b\n", "A field that holds '\t' or a quote must stand in double quotes."),
        ("a.csv", 'text,label\na,b\n"c"d,e\n', "a.csv, line 3: not valid csv: "),
        ("a.csv", 'text,label\n"a,b\n', "a.csv, line 2: not valid csv: "),
        ("a.json", '[{"text": "a"},\n]', "a.json, line 2: not valid JSON: "),
        ("a.json", '{"text": ["a"], "label": ["b"]}', "a.json should hold a list of objects, one a row."),
        ("a.json", '["a"]', "a.json should hold a list of objects, one a row."),
        ("a.jsonl", '{"text": "a"}\n\n{"text": \n', "a.jsonl, line 3: not valid JSON: "),
        ("a.jsonl", '{"text": "a"}\n[1]\n', "a.jsonl, line 2: [1] is no object; each line should be one"),
        (
            "a.jsonl",
            '{"a": 1}\n{"a": null}\n{"a": "x"}\n',
            "'a' mixes kinds of values: row 2 is str, rows before it int.",
        ),
        (
            "a.jsonl",
            '{"a": true}\n{"a": 1}\n',
            "the column 'a' mixes kinds of values: row 1 is int, rows before it bool.",
        ),
        (
            "a.jsonl",
            b'{"text": "ok"}\n\n{"text": "Jos\xe9"}\n',
            "a.jsonl, line 3: the byte 0xe9 is not UTF-8; it looks like Windows' cp1252. Convert the file first, for",
        ),
        ("a.txt", b"a\0b", "a.txt is not a text file: it holds zero bytes."),
        ("a.ods", b"PK", "a.ods is of no known kind. Known: .csv, .tsv, .xlsx, .json, .jsonl, "),
    ],
)
def test_a_broken_file_is_refused_with_its_line(read, name, content, message):
    with pytest.raises(DataError) as caught:
        read({name: content})
    assert message in str(caught.value)


def test_data_root_is_advised_where_there_is_one(read):
    with pytest.raises(DataError) as caught:
        read_files(["nowhere/a.csv"], ".", "--data")
    assert str(caught.value).endswith("There is no folder nowhere.")


@pytest.mark.usefixtures("_own_datasets_cache")
def test_a_broken_parquet_file_is_refused(read):
    with pytest.raises(DataError, match=r"a.parquet is not a readable parquet file: Parquet .* 1 bytes"):
        read({"a.parquet": "x"})


def test_a_whole_number_beyond_64_bits_is_refused(read):
    with pytest.raises(DataError, match=r"a.jsonl"):
        read({"a.jsonl": f'{{"id": {10**20}}}\n'})


def test_files_of_one_split_need_the_same_columns_and_types(read):
    with pytest.raises(DataError, match=r"b.csv has the columns \['label'\], but .*a.csv has \['text'\]"):
        read({"a.csv": "text\na\n", "b.csv": "label\na\n"})
    with pytest.raises(
        DataError, match=r"data.files.train: the column 'label' of .*a.jsonl and that of .*b.jsonl do not fit"
    ):
        read({"a.jsonl": '{"label": 1}\n', "b.jsonl": '{"label": "one"}\n'})


def paths(tmp_path, *names):
    return [str(tmp_path / name) for name in names]


def test_an_image_folder_has_a_row_a_file_and_a_label_a_subfolder(read, tmp_path):
    (tmp_path / "all" / "empty").mkdir(parents=True)
    names = ["all/dog/b.jpg", "all/dog/more/a.jpg", "all/cat/x.txt", "all/cat/y.PNG", "all/README.md"]
    hidden = ["all/.git/a.jpg", "all/cat/.DS_Store", "all/cat/Thumbs.db", "all/dog/desktop.ini", "all/dog/.x/a.jpg"]
    packed = ["all/__MACOSX/dog/b.jpg", "all/cat/__MACOSX/y.PNG", "all/cat/__MACOSX_y.PNG"]
    stored = ["all/@eaDir/a.jpg", "all/cat/@eaDir/y.PNG/THUMB_SM.jpg", "all/dog/.AppleDouble/b.jpg", "all/lost+found/b"]
    found = read(dict.fromkeys([*names, *hidden, *packed, *stored], ""), "all")
    assert found.features["label"] == ClassLabel(names=["cat", "dog", "empty"])
    assert found.to_dict() == {
        "image": paths(tmp_path, "all/cat/x.txt", "all/cat/y.PNG", "all/dog/b.jpg", "all/dog/more/a.jpg"),
        "label": [0, 0, 1, 1],
    }


def test_image_folders_of_one_split_join_their_classes(read, tmp_path):
    found = read({"one/dog/a.jpg": "", "two/cat/b.jpg": "", "two/dog/c.jpg": ""}, "one", "two")
    assert found.features["label"] == ClassLabel(names=["cat", "dog"])
    assert found.to_dict() == {
        "image": paths(tmp_path, "one/dog/a.jpg", "two/cat/b.jpg", "two/dog/c.jpg"),
        "label": [1, 0, 1],
    }


def test_a_pattern_that_only_folders_match_reads_them(read, tmp_path):
    found = read({"train_a/dog/a.jpg": "", "train_b/cat/b.jpg": "", "x.csv": "text\na\n"}, "tr*")
    assert found.to_dict() == {"image": paths(tmp_path, "train_a/dog/a.jpg", "train_b/cat/b.jpg"), "label": [1, 0]}
    read({"parts/1/dog/a.jpg": "", "parts/2/cat/b.jpg": "", "parts/@eaDir/small/b.jpg": ""})
    assert read({}, "parts/*").features["label"].names == ["cat", "dog"]


def test_a_folder_within_each_class_folder_changes_no_label(read):
    """As Tiny ImageNet has it; what is no image is counted when the images are looked at."""
    found = read({"all/n01/images/a.JPEG": "", "all/n01/n01_boxes.txt": "", "all/n02/images/b.JPEG": ""}, "all")
    assert [Path(name).name for name in found["image"]] == ["a.JPEG", "n01_boxes.txt", "b.JPEG"]
    assert found["label"][:] == [0, 0, 1]
    assert read({"one/cat/a.jpg": "", "one/cat/more/b.jpg": ""}, "one").features["label"].names == ["cat"]


def test_a_folder_and_a_table_are_not_joined(read):
    with pytest.raises(DataError) as caught:
        read({"all/cat/a.jpg": "", "t.csv": "image,label\nb.jpg,cat\n"}, "t.csv", "all")
    assert "data.files.train: " in str(caught.value)
    assert "all is a folder and " in str(caught.value)
    assert "t.csv a table, which cannot be joined in one split." in str(caught.value)


@pytest.mark.parametrize("labelled", [True, False])
def test_links_that_lead_back_are_not_followed_and_others_are(read, tmp_path, labelled):
    read({"all/cat/a.jpg": "", "all/dog/b.jpg": "", "else/c.jpg": ""})
    links = {"cat/up": "all", "cat/further_up": "", "all": "all", "dog/itself": "all/dog", "dog/more": "else"}
    for name, target in links.items():
        (tmp_path / "all" / name).symlink_to(tmp_path / target)
    (tmp_path / "else" / "back").symlink_to(tmp_path / "all")
    found = read_files(["all"], str(tmp_path), "x", labelled=labelled).rows
    assert found["image"][:] == paths(tmp_path, "all/cat/a.jpg", "all/dog/b.jpg", "all/dog/more/c.jpg")
    if labelled:
        assert found.features["label"].names == ["cat", "dog"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
@pytest.mark.parametrize("name", ["all/cat/gr\udcfcn.jpg", "all/gr\udcfcn/a.jpg"])
def test_a_name_that_is_not_utf8_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()
    for pattern, labelled in (("all", True), ("all", False), (name, True)):
        with pytest.raises(
            DataError, match=r"x: the name b'.*/gr\\xfcn.*' is not UTF-8. Rename the file or the folder"
        ):
            read_files([pattern], str(tmp_path), "x", labelled=labelled)


def test_an_image_folder_without_labels_has_files_from_every_depth(read, tmp_path):
    read({"x/b.jpg": "", "x/a/c.jpg": "", "x/.hidden.jpg": ""})
    found = read_files(["x"], str(tmp_path), "the input", labelled=False).rows
    assert found.to_dict() == {"image": paths(tmp_path, "x/a/c.jpg", "x/b.jpg")}
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"the input: the folder .*none holds no files"):
        read_files(["none"], str(tmp_path), "the input", labelled=False)


def test_image_files_that_are_named_are_rows_of_their_own(read, tmp_path):
    found = read({"b.JPG": "", "a.png": "", "c/d.webp": "", "c/e.csv": "text\na\n"}, "b.JPG", "*.png", "c/*.webp")
    assert found.to_dict() == {"image": paths(tmp_path, "b.JPG", "a.png", "c/d.webp")}
    with pytest.raises(DataError, match=r"e.csv has the columns \['text'\], but .*d.webp has \['image'\]"):
        read({}, "c/*")


def test_a_name_relative_to_the_working_folder_becomes_absolute(read, tmp_path, monkeypatch):
    read({"x/cat/a.jpg": "", "t.csv": "image\na.jpg\n"})
    monkeypatch.chdir(tmp_path)
    assert read_files(["x"], ".", "--data").rows["image"][:] == paths(tmp_path, "x/cat/a.jpg")
    assert read_files(["x/cat/a.jpg"], ".", "--data").rows["image"][:] == paths(tmp_path, "x/cat/a.jpg")
    assert read_files(["t.csv"], ".", "--data", ["image"]).rows["image"][:] == paths(tmp_path, "a.jpg")


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        ([], ["data.files.train: the folder ", "is empty. In an image folder each class needs its own subfolder"]),
        (
            ["a.jpg", "b.jpg", "c.jpg", "d.jpg"],
            ["has no subfolders, but a.jpg, b.jpg, c.jpg and 1 more. In an image folder each class needs its own"],
        ),
        (
            ["test.csv", "train.csv"],
            ["no subfolders, but test.csv, train.csv.", "If test.csv is a table of the data, name it"],
        ),
        (
            ["cat/a.jpg", "dog/b.jpg", "c.jpg", "README.md"],
            ["has c.jpg beside the subfolders cat, dog. In an image folder each class needs its own subfolder"],
        ),
        (
            ["train/cat/a.jpg", "Val/cat/b.jpg"],
            [
                "look like splits, not like classes: Val, train",
                "in data.files: {eval: ",
                "all/Val, train: ",
                "all/train}",
            ],
        ),
        (["cat/.DS_Store", "dog/.DS_Store"], ["data.files.train: the subfolders of ", " hold no files."]),
        (
            ["images/cat/a.jpg", "images/dog/b.jpg", "README.md"],
            [
                "has only one subfolder, images, with the subfolders cat, dog. If these are the classes, name ",
                "all/images.",
            ],
        ),
        (
            ["images/a.jpg", "images/b.jpg", "labels.csv"],
            ["has only one subfolder, images, which would be the label of all", "If labels.csv has the labels, name "],
        ),
    ],
)
def test_a_folder_that_is_no_image_folder_is_refused(read, tmp_path, files, messages):
    (tmp_path / "all").mkdir()
    with pytest.raises(DataError) as caught:
        read({f"all/{name}": "" for name in files}, "all")
    for message in messages:
        assert message in str(caught.value)


@pytest.mark.parametrize("names", [["pos/1.txt", "neg/2.txt"], ["space/61001", "hockey/52550"]], ids=["txt", "bare"])
def test_class_folders_of_texts_are_refused(read, names):
    with pytest.raises(DataError) as caught:
        read({f"all/{name}": "Gr\xfc\xdfe".encode("latin1") for name in names}, "all")
    assert "data.files.train: the subfolders of " in str(caught.value)
    assert f"hold texts, and no images: {', '.join(sorted(names))}." in str(caught.value)
    assert "a .csv file with the columns text and label and a line for each text" in str(caught.value)


def test_images_need_no_ending_in_class_folders(read, tmp_path):
    begin = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    found = read({"all/cat/61001": begin, "all/dog/52550": begin}, "all")
    assert found["image"][:] == paths(tmp_path, "all/cat/61001", "all/dog/52550")


def test_what_takes_files_alone_is_not_told_of_a_recipe(read, tmp_path):
    read({"birds/train/cat/a.jpg": "", "birds/test/cat/b.jpg": ""})
    with pytest.raises(DataError) as caught:
        read_files(["birds"], str(tmp_path), "--data")
    assert str(caught.value).endswith(
        f"not like classes: test, train. Name one of them: {tmp_path / 'birds' / 'test'}."
    )


def test_one_class_named_as_a_split_is_a_class(read):
    assert read({"all/test/a.jpg": "", "all/retest/b.jpg": ""}, "all").features["label"].names == ["retest", "test"]


@pytest.mark.usefixtures("_own_datasets_cache")
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl", ".parquet"])
def test_names_of_files_start_from_the_folder_of_their_table(tmp_path, ending):
    (tmp_path / "deep").mkdir()
    columns = {"label": ["x", "y", "z"], "image": ["a.jpg", "/else/b.jpg", ""], "text": ["a.jpg"] * 3}
    rows = Dataset.from_dict(columns)
    write = {
        ".csv": rows.to_csv,
        ".tsv": lambda file: rows.to_csv(file, sep="\t"),
        ".json": lambda file: rows.to_json(file, lines=False),
        ".jsonl": rows.to_json,
        ".parquet": rows.to_parquet,
    }
    write[ending](tmp_path / "deep" / f"t{ending}")
    found = read_files([f"deep/t{ending}"], str(tmp_path), "data.files.train", ["image", "picture"]).rows
    assert found.column_names == ["label", "image", "text"]
    assert found.to_dict() == {**columns, "image": [str(tmp_path / "deep" / "a.jpg"), "/else/b.jpg", ""]}
    assert len(found.select_columns("image").add_column("more", [1, 2, 3])) == 3  # type: ignore[call-arg]


def test_a_table_of_names_alone_is_made_absolute_row_by_row(read, tmp_path):
    read({"a.jsonl": '{"image": "x.jpg"}\n{"image": null}\n{"image": "d/y.jpg"}\n'})
    found = read_files(["a.jsonl"], str(tmp_path), "data.files.train", ["image"]).rows
    assert found.to_dict() == {"image": [str(tmp_path / "x.jpg"), None, str(tmp_path / "d" / "y.jpg")]}


@pytest.mark.usefixtures("_own_datasets_cache")
def test_bytes_in_a_file_column_stay(tmp_path):
    rows = Dataset.from_dict({"image": [b"abc"], "other": [{"bytes": b"abc", "path": "a.jpg"}]})
    rows.to_parquet(tmp_path / "a.parquet")
    assert read_files(["a.parquet"], str(tmp_path), "x", ["image", "other"]).rows.to_dict() == rows.to_dict()


@pytest.mark.usefixtures("_own_datasets_cache")
@pytest.mark.parametrize("feature", [None, Image()], ids=["struct", "image"])
def test_names_in_structs_start_from_the_folder_of_their_table_too(tmp_path, feature):
    given = [{"bytes": None, "path": "a.jpg"}, {"bytes": b"x", "path": "b.jpg"}, None, {"bytes": None, "path": None}]
    rows = Dataset.from_dict({"image": given, "label": [1, 2, 3, 4]})
    table = rows.data.table
    if feature is not None:
        table = table.replace_schema_metadata(
            Features({"image": feature, "label": Value("int64")}).arrow_schema.metadata
        )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    found = read_files(["a.parquet"], str(tmp_path), "x", ["image"]).rows
    assert found.column_names == ["image", "label"]
    if feature is not None:
        assert found.features["image"] == feature
        found = found.cast_column("image", Image(decode=False))
    assert found["image"][:] == [{"bytes": None, "path": str(tmp_path / "a.jpg")}, *given[1:]]


@pytest.mark.parametrize("null", ["", ', "bytes": null'])
def test_names_in_objects_of_jsonl_start_from_its_folder(read, tmp_path, null):
    read({"d/a.jsonl": f'{{"image": {{"path": "x.jpg"{null}}}}}\n'})
    found = read_files(["d/a.jsonl"], str(tmp_path), "data.files.train", ["image"]).rows
    assert found[0]["image"]["path"] == str(tmp_path / "d" / "x.jpg")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            ["cat/a.jpg", "dog/b.jpg", "metadata.csv"],
            "2 of 2 rows (100.0%) have the name of their folder as label, and",
        ),
        (
            ["1/cat/a.jpg", "1/dog/b.jpg", "2/cat/c.jpg", "2/dog/d.jpg"],
            "4 of 4 rows (100.0%) lie in subfolders that all",
        ),
        (
            ["cat/a.jpg", "dog/b.jpg", ".net/c.jpg"],
            "1 of 3 rows (33.3%) lie in folders whose names begin with a dot, and",
        ),
        (["cat/a.jpg", "dog/b.jpg", "README.md", ".git/c.jpg"], None),
        (["n01/images/a.jpg", "n02/images/b.jpg"], None),
    ],
    ids=["table", "classes below", "hidden", "plain", "folder between"],
)
def test_images_whose_label_may_be_meant_otherwise_are_counted(tmp_path, files, told):
    for name in files:
        (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / name).touch()
    findings = read_files(["all"], str(tmp_path), "data.files.train").findings("train", ["image"])
    assert [str(finding)[: len(f"train: {told}")] for finding in findings] == ([f"train: {told}"] if told else [])


@pytest.mark.usefixtures("_own_datasets_cache")
def test_sounds_are_never_decoded_and_no_task_takes_them(tmp_path):
    table = Dataset.from_dict({"audio": [{"bytes": b"RIFF", "path": "a.wav"}], "text": ["a"]}).data.table
    features = Features({"audio": Audio(), "text": Value("string")})
    typed = table.replace_schema_metadata(features.arrow_schema.metadata)
    pyarrow.parquet.write_table(typed, tmp_path / "a.parquet")
    rows = read_files(["a.parquet"], str(tmp_path), "data.files.train").rows
    assert rows["audio"][:] == [{"bytes": b"RIFF", "path": "a.wav"}]
    with pytest.raises(
        DataError, match=r"task.text is 'audio', a column of sounds or films in the train split, but no"
    ):
        require_columns({"train": rows}, {"task.text": ["audio"]})
    with pytest.raises(DataError, match="'audio' holds sounds or films, but no task takes"):
        guess(columns_of(rows), InitOptions())
    (tmp_path / "all" / "yes").mkdir(parents=True)
    (tmp_path / "all" / "yes" / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"the subfolders of .*all hold sounds or films, but no task takes"):
        read_files(["all"], str(tmp_path), "data.files.train")
