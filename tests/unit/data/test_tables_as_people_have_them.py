"""Tables that were not written for hfft: read as they are meant, which is said where it is not plain, or refused."""

from __future__ import annotations

import json

import pyarrow
import pyarrow.parquet
import pytest

from hfft.data.files import read_files
from hfft.data.fingerprint import fingerprint
from hfft.data.table import Table
from hfft.errors import DataError


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads it."""

    def give(name: str, content: str | bytes, *file_columns: str) -> Table:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_files([name], str(tmp_path), "data.files.train", file_columns)

    return give


def told(table: Table) -> list[str]:
    return [str(finding) for finding in table.findings("train", [])]


@pytest.mark.parametrize(
    ("lines", "texts", "named"),
    [
        (['"begins\tgood', "is fine\tbad", 'ends"\tgood'], ['"begins', "is fine", 'ends"'], "lines 2, 4"),
        (['"Well," he said\tgood', '"whole"\tbad'], ['"Well," he said', '"whole"'], "lines 2, 3"),
        (["is fine\tbad", '"never ends\tgood'], ["is fine", '"never ends'], "line 3"),
        (['"whole"\tgood', '"and ""inside"""\tbad'], ["whole", 'and "inside"'], None),
        (['"two\nlines"\tgood', 'an 8" pipe\tbad'], ["two\nlines", 'an 8" pipe'], None),
        (['"a tab\there"\tgood', "fine\tbad"], ["a tab\there", "fine"], None),
    ],
)
def test_quotes_of_a_tsv_are_letters_where_they_stand_around_no_field(read, lines, texts, named):
    found = read("a.tsv", "\n".join(["text\tlabel", *lines, ""]))
    assert found.rows["text"][:] == texts
    remarks = told(found)
    assert len(remarks) == (named is not None)
    assert all(
        f"of a.tsv hold quotes, not all of them around whole fields: in the whole file they are letters: {named}"
        in remark
        for remark in remarks
    )


def test_quotes_of_a_tsv_that_are_both_are_refused_with_the_line(read):
    with pytest.raises(
        DataError, match=r"a.tsv, line 2: a quote begins a field that runs over lines which are rows by"
    ):
        read("a.tsv", 'text\tlabel\n"begins\tgood\nends"\tbad\n"two\nlines"\tgood\n')


@pytest.mark.parametrize(
    ("rows", "suspects"),
    [
        ('"He said,good\nfine,bad\nit ends",good\npoor,bad\nnice,good\n', "line 2"),
        ('fine,1.5\n"He said,2\nit ends",4\n', "line 3"),
        ('"Dear all, hello\nwe are here",good\nfine,bad\n', None),
    ],
)
def test_quotes_of_a_csv_that_hide_rows_are_told(read, rows, suspects):
    remarks = told(read("a.csv", f"text,label\n{rows}"))
    assert len(remarks) == (suspects is not None)
    assert all(
        f"lines that look like rows of their own. A quote that is a letter must be doubled: {suspects}" in remark
        for remark in remarks
    )


def test_quotes_behind_the_label_that_hide_rows_are_told(read):
    assert told(read("a.csv", 'label,text\ngood,"He said\nbad,fine\ngood,it ends"\nbad,poor\ngood,ok\n'))


def test_a_stray_quote_of_a_csv_is_named_by_the_line_where_it_stands(read):
    with pytest.raises(DataError, match=r"a.csv, line 3: not valid csv: .* A field that holds a quote must stand in"):
        read("a.csv", 'text,label\nfine,good\n"begins,bad\nfine,good\nfine,good\n')


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(("name", "between"), [("a.csv", ","), ("a.tsv", "\t")])
def test_a_header_amid_the_rows_is_no_row(read, name, between, mark):
    lines = ["text,label", "a,good", f"{mark}text,label", "b,bad", "text,good"]
    found = read(name, "\n".join(line.replace(",", between) for line in lines))
    assert found.rows.to_dict() == {"text": ["a", "b", "text"], "label": ["good", "bad", "good"]}
    assert told(found) == [
        f"train: 1 of 4 rows (25.0%) of {name} are the names of the columns again, and are left out: line 3"
    ]


def test_a_header_of_another_order_amid_the_rows_is_refused(read):
    with pytest.raises(DataError, match=r"a.csv, line 3 names the columns again, and in another order: \['label', 't"):
        read("a.csv", "text,label\na,good\nlabel,text\nbad,b\n")


def test_the_name_of_the_only_column_may_be_a_value(read):
    assert read("a.csv", "text\na\ntext\n").rows["text"][:] == ["a", "text"]


def test_columns_without_a_name_and_a_value_are_passed_over(read):
    assert read("a.csv", "text,,\na,,\nb,,\n").rows.to_dict() == {"text": ["a", "b"]}
    with pytest.raises(DataError, match=r"in its first line, names a column twice: ''\."):
        read("a.csv", "text,,\na,1,\nb,,2\n")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": 1, "a": 2}\n', "a.jsonl, line 2: an object names 'a' twice."),
        ("a.json", '[{"a": "}"},\n {"b": {"a": 1}},\n {"a": 1, "a": 2}]', "a.json, line 3: an object names 'a' twice."),
        ("a.jsonl", '{"a": 1}\n{"a": ' + "[" * 5000 + "]" * 5000 + "}\n", "a.jsonl, line 2: lists or objects lie"),
        ("a.json", "[" * 5000 + "]" * 5000, "a.json: lists or objects lie too deep in one another"),
        ("a.jsonl", '{"a": ' + "9" * 5000 + "}\n", "a.jsonl, line 1: Exceeds the limit"),
        ("a.jsonl", '{"a": 1},\n{"a": 2}\n', "line 1: not valid JSON: Extra data. A line has no comma behind it."),
        ("a.jsonl", '[\n{"a": 1}\n]\n', "line 1: not valid JSON: Expecting value. One list of all objects"),
        ("a.json", '{"a": 1}\n{"a": 2}\n', "line 2: not valid JSON: Extra data. It looks like an object a line:"),
    ],
)  # fmt: skip
def test_a_json_file_is_refused_with_its_line(read, name, content, message):
    with pytest.raises(DataError) as caught:
        read(name, content)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["5", '"x"'], "'odd' mixes kinds of values: row 1 is str, rows before it int."),
        (['["a", "b"]', '["a", 3]'], "'odd' mixes kinds of values: row 1 holds 3 (int), where 'a' (str) stands"),
        (['[[1, "PER", 2]]', "[]"], "row 0 holds 'PER' (str), where 1 (int) stands before it. Write"),
        (['{"x": 1}', '{"x": {}}'], "row 1 holds {} (dict), where 1 (int) stands before it."),
        (["1", str(10**20)], f"too large: in row 1 {10**20}."),
        (["0.5", str(2**60 + 1)], f"too large: in row 1 {2**60 + 1}."),
        (["[" * 40 + "]" * 40] * 2, "holds lists or objects more than 30 deep in one another."),
        (["[" * 400 + "]" * 400] * 2, "holds lists or objects more than 30 deep in one another."),
    ],
)  # fmt: skip
def test_a_column_that_nothing_uses_is_left_out_and_one_that_is_used_is_refused(read, values, reason):
    found = read("a.jsonl", "".join(f'{{"text": "a", "odd": {value}}}\n' for value in values))
    assert found.rows.to_dict() == {"text": ["a", "a"]}
    assert told(found)[0].startswith("train: 2 of 2 rows (100.0%) are read without a column that nothing uses: ")
    assert reason in told(found)[0]
    for used in ("odd", "odd.x"):
        with pytest.raises(DataError) as caught:
            found.findings("train", ["text", used])
        assert reason in str(caught.value)


def test_a_column_that_two_files_write_in_two_ways_is_left_out_where_nothing_uses_it(tmp_path):
    for name, value in (("a", 1), ("b", "x")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name, "odd": value}))
    found = read_files(["*.jsonl"], str(tmp_path), "data.files.train")
    assert found.rows.to_dict() == {"text": ["a", "b"]}
    assert "a.jsonl and that of" in told(found)[0]


def test_halves_of_characters_are_replaced_and_counted(read):
    rows = ['{"text": "fine \\ud83d\\ude00"}', '{"text": "cut \\ud83d"}', '{"text": "\\ude00", "more": ["\\udc00"]}']
    found = read("a.jsonl", "\n".join(rows))
    assert found.rows.to_dict() == {"text": ["fine 😀", "cut \ufffd", "\ufffd"], "more": [None, None, ["\ufffd"]]}
    assert told(found) == [
        "train: 2 of 3 rows (66.7%) of a.jsonl hold halves of characters (such as \\ud83d), which are read as U+FFFD: "
        "rows 1, 2"
    ]


def test_nan_is_nothing_and_infinity_is_a_number(read):
    found = read("a.jsonl", '{"a": NaN, "b": 1}\n{"a": "x", "b": -Infinity}\n')
    assert found.rows.to_dict() == {"a": [None, "x"], "b": [1.0, float("-inf")]}


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("a.jsonl", b'{}\n"it\x92s"\n', "line 2: the byte 0x92 is not UTF-8; it looks like Windows' cp1252. Convert"),
        ("a.json", b'\n["Jos\xe9"]\n', "line 2: the byte 0xe9 is not UTF-8; it looks like Windows' cp1252. Convert"),
        ("a.csv", b"text\n\xcf\xf0\x81\x90\n", "0xcf is not UTF-8. Find out what it is in (`file -i"),
        ("a.csv", "Jos\u00e9\n".encode() + b"\xff\n", "line 2: the byte 0xff is not UTF-8, though other parts"),
        ("a.csv", "text\nJos\u00e9\n".encode("utf-16")[:-1], "a.csv is in UTF-16, but broken at byte 20: truncated"),
        ("a.csv", "text\na longer line\n".encode("utf-16-le"), "a.csv is in utf-16le, not in UTF-8. Convert the file"),
        ("a.csv", b"text\n\xe9\0\n", "a.csv is not a text file: it holds zero bytes. The first is in line 2."),
    ],
)  # fmt: skip
def test_what_is_no_utf8_is_named(read, name, content, advice):
    with pytest.raises(DataError) as caught:
        read(name, content)
    assert advice in str(caught.value)


GUESSED = "of {} are not in UTF-8, and are read as Windows' cp1252: line "


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_what_windows_wrote_is_read_and_the_first_such_line_is_told(read, name):
    lines = ["text", "fine", "It\u2019s \u201eK\u00f6ln\u201c for 5 \u20ac", "\u00abCAF\u00c9\u00bb"]
    found = read(name, "\r\n".join(lines).encode("cp1252"))
    assert found.rows["text"][:] == lines[name != "a.txt" :]
    assert told(found) == [f"train: 2 of 4 lines (50.0%) {GUESSED.format(name)}3 holds {lines[2][:24]!r}"]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_conll_of_windows_is_read(read, encoding):
    found = read("a.conll", "Köln B-LOC\r\nist O\r\n".encode(encoding))
    assert found.rows.to_dict() == {"tokens": [["Köln", "ist"]], "tags": [["B-LOC", "O"]]}
    assert len(told(found)) == (encoding == "cp1252")


@pytest.mark.parametrize("order", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\r\ncafé,名\r\n"),
        ("a.tsv", "text\tlabel\ncafé\t名\n"),
        ("a.jsonl", '{"text": "café", "label": "名"}\n'),
        ("a.json", '[{"text": "café", "label": "名"}]'),
    ],
)
def test_utf16_is_told_by_its_mark(read, name, content, order):
    found = read(name, (content if order == "utf-16" else f"\ufeff{content}").encode(order))
    assert found.rows.to_dict() == {"text": ["café"], "label": ["名"]}
    assert told(found) == []


@pytest.mark.parametrize(
    ("name", "content", "columns", "between"),
    [
        ("a.csv", "text;label\na, c;x\nb;y\n", {"text": ["a, c", "b"], "label": ["x", "y"]}, "';'"),
        ("a.csv", 'text;label\n"a; b";3,5\nb;4\n', {"text": ["a; b", "b"], "label": ["3,5", "4"]}, "';'"),
        ("a.csv", 'text\tlabel\n"a\tx\nb"\ty\n', {"text": ['"a', 'b"'], "label": ["x", "y"]}, "tabs"),
        ("a.csv", "text|label\na;b|x\n", {"text": ["a;b"], "label": ["x"]}, "'|'"),
        ("a.csv", "a, b;c\n1;2\n3;4\n", {"a, b": ["1", "3"], "c": ["2", "4"]}, "';'"),
        ("a.csv", "text;label\n", {"text": [], "label": []}, "';'"),
        ("a.csv", "a;b,c\n1;2,3\n", {"a;b": ["1;2"], "c": ["3"]}, None),
        ("a.csv", "text\na; b\nc; d\n", {"text": ["a; b", "c; d"]}, None),
        ("a.csv", "good; or bad\na; b\nc\nd\n", {"good; or bad": ["a; b", "c", "d"]}, None),
        ("a.csv", "good; or bad\na; b, c\n", {"good": ["a"], " or bad": [" b, c"]}, "';'"),
        ("a.csv", '"text;label"\n"a;b"\n', {"text;label": ["a;b"]}, None),
        ("a.tsv", "text,label\na,x\n", {"text": ["a"], "label": ["x"]}, "','"),
        ("a.tsv", 'text;label\n"a\n\nb";x\n', {"text": ["a\n\nb"], "label": ["x"]}, "';'"),
    ],
)
def test_what_stands_between_columns_is_told_by_the_first_rows(read, name, content, columns, between):
    found = read(name, content)
    assert found.rows.to_dict() == columns
    usual, count = "tabs" if name == "a.tsv" else "','", len(found.rows)
    text = f"of {name} are read with {between} between columns, and not {usual}"
    shown = f"{count} of {count} rows{' (100.0%)' if count else ''}"
    assert [remark for remark in told(found) if "between columns" in remark] == (
        [f"train: {shown} {text}"] if between else []
    )


def test_a_faulty_row_between_semicolons_is_named_by_its_line(read):
    lines = ["text;label", "a;1,5", "b; c;2", "d, e;3,5"]
    with pytest.raises(DataError, match=r"a.csv, line 3: 3 fields .* names 2 columns. A field that holds ';'"):
        read("a.csv", "\n".join(lines))
    with pytest.raises(DataError, match=r"a.csv, line 30: 3 fields"):
        read("a.csv", "\n".join([*["text;label", *["a;1"] * 28], "b;c;2"]))


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["3,5", "-0,25", "", "4"], ["3.5", "-0.25", "", "4"]),
        (["1.234,5", "1.234", "12.345.678"], ["1234.5", "1234", "12345678"]),
        (["1 234,5", "1\u00a0234", "1\u202f000,25"], ["1234.5", "1234", "1000.25"]),
        ([" 3,5 ", "1,5E-05"], ["3.5", "1.5E-05"]),
        (["2,596", "3,1"], ["2.596", "3.1"]),
    ],
)
def test_decimals_behind_a_comma_are_numbers_where_no_comma_parts_the_columns(tmp_path, values, numbers):
    (tmp_path / "a.csv").write_text("text;score;other\n" + "".join(f"a;{value};{value}\n" for value in values))
    found = read_files(["a.csv"], str(tmp_path), "x", number_columns=["score", "none"])
    assert found.rows["score"][:] == numbers
    assert found.rows["other"][:] == values
    commas = [number for number, value in enumerate(values) if "," in value]
    shown = f"{values[commas[0]]!r} is {numbers[commas[0]]}"
    share = f"{len(commas)} of {len(values)} rows ({len(commas) / len(values):.1%})"
    text = f"of a.csv have a comma before the decimals of 'score', which is read as such: {shown}"
    assert told(found)[1:] == [f"train: {share} {text}"]


@pytest.mark.parametrize(
    ("name", "between", "values"),
    [
        ("a.csv", ",", ['"3,5"', '"4,5"']),
        ("a.csv", ";", ["3,5", "4.5"]),
        ("a.csv", ";", ["3,5", "n/a"]),
        ("a.csv", ";", ["1.234", "2.500"]),
        ("a.csv", ";", ["1,2,3", "4,5"]),
        ("a.tsv", "\t", ["12.34,5", "1,5"]),
    ],
)
def test_other_texts_with_commas_stay_what_they_are(tmp_path, name, between, values):
    (tmp_path / name).write_text(
        "\n".join(f"{one}{between}{two}" for one, two in [("text", "score"), *zip("ab", values, strict=True)])
    )
    found = read_files([name], str(tmp_path), "x", number_columns=["score"])
    assert found.rows["score"][:] == [value.strip('"') for value in values]
    assert not any("decimals" in remark for remark in told(found))


def test_files_of_one_split_are_each_read_as_they_are_written(tmp_path):
    (tmp_path / "a.csv").write_text("text;score\na;1.234,5\n")
    (tmp_path / "b.csv").write_text("text,score\nb,1.234\n")
    found = read_files(["*.csv"], str(tmp_path), "x", number_columns=["score"])
    assert found.rows["score"][:] == ["1234.5", "1.234"]


@pytest.mark.parametrize("name", ["a.conll", "a.bio", "a.txt"])
@pytest.mark.parametrize("blank", [" ", "\t", " x _ "])
def test_conll_files_are_sentences(read, name, blank):
    lines = ["-DOCSTART- -X- O O", "", "# id = 1", "New\u00a0York|B-LOC", "is|O", "", "", "# id 2", "Fine|O", "#|O"]
    if blank == "\t":
        lines[3] = "New York|B-LOC"
    found = read(name, "\r\n".join(lines).replace("|", blank))
    first = "New York" if blank == "\t" else "New\u00a0York"
    assert found.rows.to_dict() == {"tokens": [[first, "is"], ["Fine", "#"]], "tags": [["B-LOC", "O"], ["O", "O"]]}
    assert len(told(found)) == (name == "a.txt")


def test_a_word_without_a_tag_is_refused(read):
    with pytest.raises(
        DataError, match=r"a.conll, line 2: 1 fields \(is\) where 2 are expected. A line holds a word and"
    ):
        read("a.conll", "New B-LOC\nis\n\nFine O\n")


def test_lines_of_text_are_no_conll(read):
    assert read("a.txt", "not this O\nnor this\n").rows["text"][:] == ["not this O", "nor this"]
    assert read("a.txt", "me O\nyou O\n").rows["text"][:] == ["me O", "you O"]


def test_spans_that_are_lists_are_read(read):
    found = read("a.jsonl", '{"a": [[0, 2, "PER"]]}\n{"a": []}\n{"a": null}\n')
    assert found.rows["a"][:] == [[{"start": 0, "end": 2, "label": "PER"}], [], None]


def test_names_that_windows_wrote_are_paths(read, tmp_path):
    read("d/cats/a.png", "")
    read("d/odd\\name.png", "")
    rows = read("d/t.csv", "image\ncats\\a.png\nodd\\name.png\ncats/a.png\n", "image").rows
    folder = tmp_path / "d"
    assert rows["image"][:] == [
        str(folder / "cats" / "a.png"),
        str(folder / "odd\\name.png"),
        str(folder / "cats" / "a.png"),
    ]


@pytest.mark.parametrize("pattern", ["my data [v1]/*.csv", "my data [v1]/**/*.csv", "my*/a.csv"])
def test_a_folder_with_brackets_is_taken_by_its_name(read, tmp_path, pattern):
    read("my data [v1]/a.csv", "text\na\n")
    assert read_files([pattern], str(tmp_path), "x").rows["text"][:] == ["a"]


def test_brackets_in_a_pattern_are_explained(tmp_path):
    with pytest.raises(
        DataError, match=r"In a pattern \[ \] stands for one of the letters inside, and \[\[\] for a brac"
    ):
        read_files(["a[1].csv"], str(tmp_path), "x")
    with pytest.raises(DataError, match="which is no name of a file: File name too long"):
        read_files(["a" * 5000], str(tmp_path), "x")


def test_text_in_parquet_that_is_no_utf8_is_refused(tmp_path):
    odd = pyarrow.array([b"\xff"]).view(pyarrow.string())
    pyarrow.parquet.write_table(pyarrow.table({"text": odd}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet is not a readable parquet file: .*UTF8"):
        read_files(["a.parquet"], str(tmp_path), "x")


def test_parquet_in_a_folder_with_brackets_and_columns_of_unknown_types(read, tmp_path):
    (tmp_path / "set[1]").mkdir()
    odd = pyarrow.array([[("x", 1)], []], pyarrow.map_(pyarrow.string(), pyarrow.int64()))
    columns = {"text": pyarrow.array(["a", "b"]).dictionary_encode(), "odd": odd}
    columns["more"] = pyarrow.array(["c", None], pyarrow.string_view())
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "set[1]" / "a.parquet")
    found = read_files(["set[1]/*"], str(tmp_path), "x")
    assert found.rows.select([1, 0]).to_dict() == {"text": ["b", "a"], "more": [None, "c"]}
    assert fingerprint(found.rows)
    assert "the column 'odd' is of the type map<string, int64 ('odd')>, which cannot be read." in told(found)[0]
