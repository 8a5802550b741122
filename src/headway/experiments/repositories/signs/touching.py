"""Signs that a source reads what it is measured by, or touches files that are not its own."""

import ast
import re
from collections.abc import Iterator

from headway.experiments.repositories.signs.names import BUILT_IN
from headway.experiments.repositories.signs.reports import is_sink
from headway.experiments.repositories.signs.sign import Sign, Source
from headway.experiments.repositories.signs.tampering import is_evaluation
from headway.experiments.repositories.signs.texts import UNKNOWN

__all__ = ["touching_signs"]

_SPLITS = {"val", "valid", "validation", "test", "holdout", "held_out", "heldout"}
_SPLIT_FILE = re.compile(r"(^|[/_.-])(val|valid|validation|test|holdout)([/_.-][\w/.-]*)?\.\w{1,8}$")
_HELD_BACK = re.compile(
    r"(^|_)(val|valid|validation|test|eval|holdout|dir|path|file|filename|shards?|cache)(_|$)", re.I
)
_OTHERS = ("results.tsv", "run.log", "metrics.json", "correct.json", "sitecustomize.py", "conftest.py", "headway.toml")
_PLACES = re.compile(r"(?<!\w)\.git(?!\w)|(?<![\w.])/(proc|sys|dev(?!/null\b))(?=/|$)|(?<!\w)\.(headway|cache)/")
_ELSEWHERE = re.compile(r"^(~|/(?!dev/null\b)[A-Za-z]|\.\.(/|$))[\w./~-]*$|(^|/)\.\./")
_DATA_FILE = re.compile(r"\.(parquet|arrow|h5|tfrecords?)$")
_PLAIN = re.compile(rf"[\w-][\w./{UNKNOWN}-]*")
_READS_NO_FILE = {"get", "startswith", "endswith", "pop", "split", "partition", "count", "index", "find", "replace"}
_OPENERS = (f"{BUILT_IN}open", "io.open", "os.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open", "os.fdopen")
_CHANGERS = {
    "os.remove", "os.unlink", "os.rename", "os.replace", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chdir",
    "os.rmdir", "os.removedirs", "shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree", "shutil.move",
    "os.utime", "os.mkfifo", "os.mknod",
}  # fmt: skip
_SAVERS = {"torch.save": 1, "numpy.save": 0, "numpy.savez": 0, "numpy.savez_compressed": 0, "numpy.savetxt": 0}
_PATH_METHODS = {"write_text", "write_bytes", "unlink", "symlink_to", "hardlink_to", "rmdir", "touch"}
_LONGEST_TEXT, _MOST_NUMBERS = 1_000, 256


def touching_signs(source: Source) -> Iterator[Sign]:
    """Yield the signs of the kind data."""
    printed = _printed(source)
    for node in source.names.nodes:
        match node:
            case ast.Call():
                yield from _of_call(source, node, id(node) in printed)
            case ast.Subscript(slice=ast.Constant(value=str(key)), ctx=ast.Load()) if key in _SPLITS:
                yield _split(node, key)
            case ast.Constant() | ast.JoinedStr() | ast.BinOp() if id(node) not in printed:
                yield from _of_text(source, node)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Dict(values=items):
                yield from _of_items(source, node, items)
            case ast.arguments(defaults=defaults, kw_defaults=others):
                given = [item for item in (*defaults, *others) if item is not None]
                yield from (_split(item, text) for item in given if (text := source.texts.known(item)) in _SPLITS)
            case ast.Name() | ast.Attribute():
                yield from _held_back(source, node)
            case _:
                pass


def _printed(source: Source) -> set[int]:
    """Return by id what is only shown: docstrings, and what is printed or logged."""
    found: set[int] = set()
    for node in source.names.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(id(node.value))
        elif isinstance(node, ast.Call) and is_sink(source, node):
            found.add(id(node))
            for item in (*node.args, *(word.value for word in node.keywords)):
                found.update(id(inner) for inner in _without_calls(item))
    return found


def _without_calls(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what it is put together from, but not what calls within it are given."""
    yield node
    if not isinstance(node, ast.Call):
        for child in ast.iter_child_nodes(node):
            yield from _without_calls(child)


def _of_items(source: Source, node: ast.expr, items: list[ast.expr]) -> Iterator[Sign]:
    if len(items) > _MOST_NUMBERS:
        yield _data(node, "many values", f"{len(items)} values are written into the code")
    else:
        yield from (_split(item, text) for item in items if (text := source.texts.known(item)) in _SPLITS)


def _of_call(source: Source, call: ast.Call, printed: bool) -> Iterator[Sign]:
    given = [*call.args, *(word.value for word in call.keywords)]
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if not printed and method not in _READS_NO_FILE:
        for item in given:
            if (text := source.texts.known(item)) in _SPLITS:
                yield _split(item, text)
    for path in _written(source, call):
        if not _is_plain(path) or _named(source, path):
            shown = path.replace(UNKNOWN, "...") or "..."
            yield _data(call, f"writes {shown}", f"It writes to, moves or removes {shown}")


def _split(node: ast.expr, text: str | None) -> Sign:
    return _data(node, f"split {text}", f"The split {text!r} is asked for once more")


def _data(node: ast.expr, key: str, why: str) -> Sign:
    return Sign(kind="data", key=key, line=node.lineno, why=why)


def _written(source: Source, call: ast.Call) -> Iterator[str]:
    """Yield the texts of the paths that a call writes to, moves or removes."""
    path = source.names.path(call.func)
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if path in _CHANGERS:
        yield from (source.texts.of(item) for item in call.args)
    elif path in _SAVERS and len(call.args) > _SAVERS[path]:
        target = call.args[_SAVERS[path]]
        yield from () if _is_stream(source, target) else (source.texts.of(target),)
    elif path in _OPENERS and call.args and _writes(source, call, 1):
        yield source.texts.of(call.args[0])
    elif isinstance(call.func, ast.Attribute) and path is None and _changes_path(source, call, method):
        yield source.texts.of(call.func.value)


def _changes_path(source: Source, call: ast.Call, method: str) -> bool:
    return method in _PATH_METHODS or (method == "open" and _writes(source, call, 0))


def _is_stream(source: Source, node: ast.expr) -> bool:
    """Tell whether a file was opened before, where its path was seen, or is none at all."""
    if not isinstance(node, ast.Name):
        return False
    values = [binding.value for binding in source.names.bindings(node)]
    return any(isinstance(v, ast.Call) and not source.texts.of(v).strip(UNKNOWN) for v in values)


def _writes(source: Source, call: ast.Call, place: int) -> bool:
    """Tell whether a file is opened for writing. A mode that cannot be read may be one."""
    modes = [word.value for word in call.keywords if word.arg in ("mode", "flags")]
    modes += call.args[place : place + 1]
    if not modes:
        return False
    text = source.texts.known(modes[0])
    path = source.names.path(modes[0]) or ""
    return not path.endswith("O_RDONLY") and (text is None or bool(set(text) & set("wax+")))


def _is_plain(path: str) -> bool:
    """Tell whether a path is that of a file of the run's own, below the folder in which it runs."""
    return _PLAIN.fullmatch(path) is not None and ".." not in path


def _of_text(source: Source, node: ast.expr) -> Iterator[Sign]:
    """Yield what a text names: files of others, folders elsewhere, splits as files; or that it is very long."""
    if isinstance(source.names.parent(node), ast.JoinedStr | ast.FormattedValue):
        return
    if isinstance(node, ast.Constant) and not isinstance(node.value, str | bytes):
        return
    text = source.texts.of(node)
    if len(text) > _LONGEST_TEXT:
        yield _data(node, "long text", f"A text of {len(text)} characters is written into the code")
    elif isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) and (named := _named(source, text)) is not None:
        yield _data(node, f"names {named}", f"{named!r} is no file of the candidate's")


def _named(source: Source, text: str) -> str | None:
    files = (*_OTHERS, *source.read_only.paths, *(path.rsplit("/", 1)[-1] for path in source.read_only.paths))
    found = next((name for name in files if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)), None)
    if found is not None:
        return found
    suspect = _PLACES.search(text) or _ELSEWHERE.search(text) or _SPLIT_FILE.search(text) or _DATA_FILE.search(text)
    return text.replace(UNKNOWN, "...")[:60] if suspect else None


def _held_back(source: Source, node: ast.Name | ast.Attribute) -> Iterator[Sign]:
    """Yield the use of a read-only name that speaks of held-back data or of files, or that is private there."""
    path = source.names.path(node)
    if path is None or not source.read_only.holds(path) or isinstance(node.ctx, ast.Store):
        return
    name = source.read_only.short(path).partition(".")[2]
    private = name.startswith("_") and not name.startswith("__")
    if private or (_HELD_BACK.search(name) and not is_evaluation(source, path)):
        yield _data(node, f"uses {name}", f"{source.read_only.short(path)} is the evaluation's own")
