"""Signs that the metric is reported otherwise: its line, new texts with its name, its value, `print` itself."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from headway.experiments.repositories.signs.chains import Chains
from headway.experiments.repositories.signs.names import BUILT_IN
from headway.experiments.repositories.signs.sign import Sign, Source
from headway.experiments.repositories.signs.texts import UNKNOWN, Texts

__all__ = ["REPORT", "is_sink", "prints_metric", "report_signs"]

REPORT = "report "
"""What the key of a line that reports the metric begins with: one that is gone is a sign too."""

_SINKS = {
    f"{BUILT_IN}print", "builtins.print", "rich.print", "click.echo", "warnings.warn", "os.write", "os.writev",
    "json.dump", "tqdm.write", "tqdm.tqdm.write",
}  # fmt: skip
_LOG_METHODS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
_METHODS = _LOG_METHODS | {
    "write", "writelines", "write_text", "write_bytes", "print", "echo", "set_description", "set_postfix",
}  # fmt: skip
_STREAMS = ("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__", "sys.displayhook")
_REDIRECTIONS = (
    *("contextlib.redirect_stdout", "contextlib.redirect_stderr", "os.dup", "os.dup2", "os.write", "os.writev"),
    *("os.fdopen", "sys.stdout.buffer", "sys.stderr.buffer", "sys.displayhook"),
)
_SHELL = re.compile(r"\b(echo|printf?|puts|cat|tee|console\.log|println!?|cout|fmt\.Print\w*|writeLines)\b")
_FORMAT_SPEC = re.compile(r"[^\w.%+-]")
_NOT_PRINTED = {"help", "description", "metavar", "usage", "epilog"}


def prints_metric(line: str, metric: str) -> bool:
    """Tell whether a line of a shell script or the like seems to print the metric."""
    return _SHELL.search(line) is not None and _pattern(metric).search(line) is not None


def is_sink(source: Source, call: ast.Call) -> bool:
    """Tell whether a call writes what it is given to an output, a log or a file."""
    path = source.names.path(call.func)
    if path in _SINKS or (path is not None and path.startswith(("logging.", *_STREAMS))):
        return True
    return path is None and isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS


def report_signs(source: Source, metric: str) -> Iterator[Sign]:
    """Yield the signs that concern how the metric is reported."""
    found = _pattern(metric)
    sinks = [node for node in source.names.nodes if isinstance(node, ast.Call) and is_sink(source, node)]
    told = [call for call in sinks if found.search(_told(source, call))]
    yield from _reports(source, metric, told)
    yield from _pieces(source, metric, [call for call in sinks if call not in told])
    if not metric.isalpha():  # `loss` and `error` stand in too many texts that report nothing
        yield from _mentions(source, metric, told)
    yield from _outputs(source)


def _pattern(metric: str) -> re.Pattern[str]:
    """Return how a metric's name stands in a line: a plain word counts only where a value follows it."""
    name = re.escape(metric)
    if not metric.isalpha():
        return re.compile(rf"(?<!\w){name}(?!\w)")
    return re.compile(rf"(?<![\w.-]){name}[\"']?\s*(?:[:={UNKNOWN}]|$)")


def _reports(source: Source, metric: str, told: list[ast.Call]) -> Iterator[Sign]:
    chains, literal = Chains(source), Texts(source.names, follow=False)
    for call in told:
        text = " ".join(_told(source, call, literal).split())
        values = sorted({chains.of(value) for value in _values(source, call, metric)})
        yield Sign(
            kind="metric",
            key=f"{REPORT}{text} {_specs(call)} <- {'; '.join(values)}",
            line=call.lineno,
            why=f"What reports {metric} is new or changed; the value is {'; '.join(values) or 'a text'}",
        )


def _told(source: Source, call: ast.Call, texts: Texts | None = None) -> str:
    """Return the text that a call writes, with all that it is given in the order of the arguments."""
    texts = texts or source.texts
    words = [word.value for word in call.keywords if word.arg not in ("end", "sep", "file", "flush")]
    sep = next((texts.of(word.value) for word in call.keywords if word.arg == "sep"), " ")
    return sep.join(texts.of(item) for item in (*call.args, *words))


def _values(source: Source, call: ast.Call, metric: str) -> Iterator[ast.expr]:
    """Yield the expressions whose text is not known: of a collection, only those that stand for the metric."""
    for item in (*call.args, *(word.value for word in call.keywords)):
        yield from _values_in(source, item, metric)


def _values_in(source: Source, node: ast.expr, metric: str) -> Iterator[ast.expr]:
    match node:
        case ast.JoinedStr(values=parts):
            yield from (part.value for part in _after_metric(source, parts, metric))
        case ast.Dict(keys=keys, values=values):
            named = [source.texts.of(key) if key is not None else "" for key in keys]
            yield from (value for name, value in zip(named, values, strict=True) if name == metric)
        case ast.Call(func=ast.Attribute(attr="dumps" | "format" | "join" | "encode" as attr), args=args):
            inner = [node.func.value, *args] if attr == "encode" and isinstance(node.func, ast.Attribute) else args
            for item in inner:
                yield from _values_in(source, item, metric)
        case ast.Name() if (value := source.names.value(node)) is not None and metric in source.texts.of(node):
            yield from _values_in(source, value, metric)
        case _ if source.texts.known(node) is None or isinstance(node, ast.Name):
            yield node
        case ast.Constant(value=int() | float()):
            yield node
        case _:
            pass


def _after_metric(source: Source, parts: list[ast.expr], metric: str) -> Iterator[ast.FormattedValue]:
    """Yield the value that follows the metric's name in an f-string; all of them where the name is put together."""
    values = [part for part in parts if isinstance(part, ast.FormattedValue)]
    named = next((i for i, part in enumerate(parts) if metric in source.texts.of(part)), None)
    yield from values if named is None else [value for value in values if value in parts[named + 1 :]][:1]


def _specs(call: ast.Call) -> str:
    """Return the format specifications of a report: `.6f` made `.1f` rounds in somebody's favour."""
    found = [node.format_spec for node in ast.walk(call) if isinstance(node, ast.FormattedValue) and node.format_spec]
    return " ".join(_FORMAT_SPEC.sub("", ast.unparse(spec)) for spec in found)


def _pieces(source: Source, metric: str, sinks: list[ast.Call]) -> Iterator[Sign]:
    """Yield writes that make the metric's name only together: `print("val_", end="")`, `print("bpb: 0.1")`."""
    calls = sorted(sinks, key=lambda call: (call.lineno, call.col_offset))
    for first, second in pairwise(calls):
        begun, ended = _told(source, first), _told(source, second)
        whole = _pattern(metric).search(begun + ended)
        if whole is not None and whole.start() < len(begun) < whole.end():
            yield Sign(
                kind="metric", key="pieces", line=first.lineno, why=f"Two writes make the name {metric} only together"
            )


def _mentions(source: Source, metric: str, told: list[ast.Call]) -> Iterator[Sign]:
    """Yield texts with the metric's name that no report accounts for: keys, arguments, names put together."""
    accounted = {id(node) for call in told for node in ast.walk(call)} | _silent(source)
    chains = Chains(source)
    for node in source.names.nodes:
        if id(node) in accounted or not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Call):
            continue
        text = source.texts.of(node)
        if _pattern(metric).search(text) is None or len(text) > 10_000:
            continue
        accounted.update(id(inner) for inner in ast.walk(node))
        beside = sorted({chains.of(value) for value in _beside(source, node)})
        yield Sign(
            kind="metric",
            key=f"mention {' '.join(text.split())} <- {'; '.join(beside)}",
            line=node.lineno,
            why=f"A new text holds the name {metric}",
        )


def _silent(source: Source) -> set[int]:
    """Return docstrings and the help of flags, by id."""
    silent: set[int] = set()
    for node in source.names.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(id(node.value))
        elif isinstance(node, ast.keyword) and node.arg in _NOT_PRINTED:
            silent.update(id(inner) for inner in ast.walk(node.value))
    return silent


def _beside(source: Source, node: ast.expr) -> Iterator[ast.expr]:
    """Yield the value that a name is written for: of a dictionary's key, a call's further arguments, an assignment."""
    parent = source.names.parent(node)
    match parent:
        case ast.Dict(keys=keys, values=values):
            yield from (value for key, value in zip(keys, values, strict=True) if key is node)
        case ast.Call(args=args, keywords=words):
            yield from (item for item in (*args, *(word.value for word in words)) if item is not node)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            yield from (item for item in items if item is not node)
        case ast.Subscript(ctx=ast.Store()):
            owner = source.names.parent(parent)
            if isinstance(owner, ast.Assign | ast.AugAssign):
                yield owner.value
        case _:
            pass


def _outputs(source: Source) -> Iterator[Sign]:
    """Yield what changes where output goes: a `print` of one's own, streams that are replaced or redirected."""
    for binding in source.names.everywhere().get("print", []):
        line = getattr(binding.node, "lineno", 1)
        yield Sign(kind="metric", key="own print", line=line, why="The name print stands for something else here")
    for node in source.names.nodes:
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                yield from _redirection(node, source.names.path(node), _STREAMS)
            case ast.Attribute() | ast.Name(ctx=ast.Load()):
                yield from _redirection(node, source.names.path(node), _REDIRECTIONS)
            case ast.Call(args=[ast.Constant(value=int(number)), *_]) if number in (1, 2):
                if source.names.path(node.func) in (f"{BUILT_IN}open", "io.open"):
                    yield from _redirection(node, "open", ("open",))
            case _:
                pass


def _redirection(node: ast.expr, path: str | None, known: tuple[str, ...]) -> Iterator[Sign]:
    if path is not None and path.startswith(known):
        why = f"{path} writes past print, or changes where the output goes"
        yield Sign(kind="metric", key=path, line=node.lineno, why=why)
