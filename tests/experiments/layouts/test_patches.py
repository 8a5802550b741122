"""Patches: what fits is applied, what does not fit is told by its block."""

import subprocess

import pytest

from headway.core import UsageError
from headway.experiments.layouts import (
    EditableFiles,
    EvolveBlocks,
    SearchReplace,
    UnifiedDiff,
    WholeFiles,
    apply_patch,
    evolve_blocks,
    parse_patch,
)

FILES = EditableFiles(editable=("*.py", "src/**"), read_only=("src/fixed.py",))
SOURCE = "import a\n\ndef f(x):\n    return x\n\n\ndef g(x):\n    return x\n"


def block(old, new):
    return f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"


def test_a_diff_of_git_is_applied(tmp_path):
    new = SOURCE.replace("import a", "import b").replace(
        "def g(x):\n    return x", "def g(x):\n    return 2 * x\n\n\nG = 1"
    )
    (tmp_path / "old.py").write_text(SOURCE)
    (tmp_path / "new.py").write_text(new)
    made = subprocess.run(
        ["git", "diff", "--no-index", "old.py", "new.py"], cwd=tmp_path, capture_output=True, text=True
    )
    diff = made.stdout.replace("new.py", "m.py").replace("old.py", "m.py")
    assert apply_patch(parse_patch(diff), {"m.py": SOURCE}, FILES) == {"m.py": new}
    moved = "# moved\n" * 7 + SOURCE
    assert apply_patch(UnifiedDiff(diff), {"m.py": moved}, FILES) == {"m.py": "# moved\n" * 7 + new}


def test_a_diff_keeps_line_ends_and_an_open_end():
    old = "a = 1\r\nb = 2"
    cut = "\\ No newline at end of file\n"
    diff = f"--- m.py\n+++ m.py\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n{cut}+b = 3\n{cut}"
    assert apply_patch(UnifiedDiff(diff), {"m.py": old}, FILES) == {"m.py": "a = 1\r\nb = 3"}


def test_a_diff_makes_a_new_file():
    diff = "--- /dev/null\n+++ b/src/new.py\n@@ -0,0 +1,2 @@\n+x = 1\n+y = 2\n"
    assert apply_patch(UnifiedDiff(diff), {}, FILES) == {"src/new.py": "x = 1\ny = 2\n"}


@pytest.mark.parametrize(
    ("diff", "said"),
    [
        ("--- m.py\n+++ m.py\n@@ -3,2 +3,2 @@\n def f(x):\n-    return y\n+    return z\n", "Hunk 1 of 1, at line 3"),
        ("--- m.py\n+++ m.py\n@@ -3,9 +3,2 @@\n def f(x):\n", "cut off"),
        ("--- m.py\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-import a\n", "removes m.py"),
        ("--- none.py\n+++ none.py\n@@ -1,1 +1,1 @@\n-a\n+b\n", "no file 'none.py'"),
        ("--- src/fixed.py\n+++ src/fixed.py\n@@ -1,1 +1,1 @@\n-a\n+b\n", "'src/fixed.py', which is read-only"),
        ("--- data.csv\n+++ data.csv\n@@ -1,1 +1,1 @@\n-a\n+b\n", "'data.csv', which is not editable"),
        ("@@ -1,1 +1,1 @@\n-a\n+b\n", "hunk of no file"),
        (
            "rename from a.py\nrename to b.py\n--- a.py\n+++ b.py\n@@ -1 +1 @@\n-a\n+b\n",
            "Only changes of a file's text",
        ),
    ],
)
def test_a_diff_that_does_not_fit_says_where(diff, said):
    with pytest.raises(UsageError, match=said):
        apply_patch(UnifiedDiff(diff), {"m.py": SOURCE}, FILES)


def test_search_and_replace_blocks_are_applied_one_after_the_other():
    text = "Here is why.\n" + block("import a\n", "import b\n") + block("def f(x):\n    return x\n", "f = None\n")
    changed = apply_patch(parse_patch(text, "m.py"), {"m.py": SOURCE}, FILES)
    assert changed == {"m.py": "import b\n\nf = None\n\n\ndef g(x):\n    return x\n"}
    assert apply_patch(SearchReplace("m.py", block("import a\n", "")), {"m.py": SOURCE}, FILES)["m.py"] == SOURCE[9:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (block("    return x\n", "pass\n"), "Block 1 of 1 matches m.py 2 times, at lines 4, 8"),
        (block("import a\n", "import b\n") + block("imports a\n", "\n"), "Block 2 of 2 does not match"),
        (block("def f(y):\n", "pass\n"), "nearest line is 3: 'def f"),
        (block("return x\n", "pass\n"), "Line 4 has the same words with another indentation"),
        (block("def f(x):\n    return 1\n", "pass\n"), "Line 3 is its first line"),
        (block("", "pass\n"), "searches for nothing"),
        ("<<<<<<< SEARCH\nimport a\n", "1 SEARCH blocks begin and 0 are whole"),
        (block("import a\n", "import a\n"), "changes nothing"),
    ],
)
def test_a_block_that_does_not_fit_says_why(text, said):
    with pytest.raises(UsageError, match=said):
        apply_patch(SearchReplace("m.py", text), {"m.py": SOURCE}, FILES)


@pytest.mark.parametrize("comment", ["# {}", "// {}", "/* {} */", "-- {}", "<!-- {} -->", "; {}", "% {}"])
def test_evolve_blocks_are_found_in_the_comments_of_any_language(comment):
    begin, end = comment.format("EVOLVE-BLOCK-START"), comment.format("EVOLVE-BLOCK-END")
    source = f"head\n{begin}\none\n{end}\nmiddle\n  {begin}\ntwo\nthree\n  {end}\ntail\n"
    files = EditableFiles(editable=("m.py",), blocks_only=True)
    assert evolve_blocks(source) == ("one\n", "two\nthree\n")
    changed = apply_patch(EvolveBlocks("m.py", ("1", "2\n")), {"m.py": source}, files)
    assert evolve_blocks(changed["m.py"]) == ("1\n", "2\n")
    with pytest.raises(UsageError, match="outside of its EVOLVE-BLOCKs, at 'HEAD'"):
        apply_patch(WholeFiles({"m.py": source.replace("head", "HEAD")}), {"m.py": source}, files)
    with pytest.raises(UsageError, match="never closed"):
        apply_patch(
            WholeFiles({"m.py": source.replace(end, "")}), {"m.py": source.replace("  " + end + "\ntail\n", "")}, files
        )
    with pytest.raises(UsageError, match="has 2 EVOLVE-BLOCKs, and the patch gives 1"):
        apply_patch(EvolveBlocks("m.py", ("1",)), {"m.py": source}, files)


def test_a_text_that_is_no_patch_is_refused():
    with pytest.raises(UsageError, match="neither a unified diff"):
        parse_patch("make it better")
    with pytest.raises(UsageError, match="Name the file"):
        parse_patch(block("a\n", "b\n"))
    assert parse_patch("x = 1\n", "m.py") == WholeFiles({"m.py": "x = 1\n"})


def test_read_only_wins_and_the_record_is_never_editable():
    everything = EditableFiles(editable=("**",), read_only=("data/**", "eval*.py"))
    allowed = ["a.py", "./a.py", "deep/er/b.py", "deep/evaluate.py"]
    refused = [
        "data/x.py",
        "evaluate.py",
        ".git/hooks/pre-commit",
        ".headway/store.db",
        "headway.toml",
        "a/../b.py",
        ".",
    ]
    assert [everything.allows(path) for path in allowed + refused] == [True] * 4 + [False] * 7
