"""Signs in what a source refers to: ways out of the process, other processes and networks, text run as code, frames.

A reference counts, not only a call: `leave = os._exit` is one.
"""

import ast
from collections.abc import Iterator, Mapping

from headway.experiments.repositories.signs.names import BUILT_IN
from headway.experiments.repositories.signs.sign import Sign, Source

__all__ = ["reference_signs"]

_EXIT = "ends the run in another way than at its end"
_PROCESS = "starts processes or sends signals"
_NETWORK = "reaches for a network"
_NATIVE = "runs native code that nobody can read here"
_CODE = "runs or reads text as code"
_HIDDEN = "takes a text apart that may hide code or data"
_UNPICKLES = "loads objects from a file, which runs code and may bring what was trained elsewhere"
_FRAMES = "looks at other functions' frames, code or objects"
_REMOVES = "removes folders"
_MODULES = "changes how modules are found or what they hold"

# A name stands for all below it; the longest that fits counts.
_TABLE = (
    ("exit", _EXIT, """
        sys.exit os._exit os.abort os.kill os.killpg os.getppid posix._exit posix.kill posix.abort atexit signal
        _thread.interrupt_main _thread.exit"""),
    ("system", _PROCESS, """
        subprocess pty pexpect sh plumbum posix os.system os.popen os.fork os.forkpty os.posix_spawn os.posix_spawnp
        os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp os.execvpe
        os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe
        multiprocessing torch.multiprocessing concurrent.futures.ProcessPoolExecutor
        asyncio.create_subprocess_exec asyncio.create_subprocess_shell"""),
    ("system", _NETWORK, """
        socket socketserver urllib urllib3 http requests httpx aiohttp ftplib smtplib telnetlib xmlrpc paramiko
        websocket websockets webbrowser huggingface_hub torch.hub"""),
    ("system", _NATIVE, "ctypes cffi torch.utils.cpp_extension torch.ops.load_library os.memfd_create"),
    ("system", _CODE, "runpy code codeop types.CodeType types.FunctionType dis pdb"),
    ("system", _HIDDEN, """
        base64 binascii marshal codecs.decode codecs.encode zlib.decompress zlib.decompressobj gzip.decompress
        bz2.decompress lzma.decompress"""),
    ("system", _UNPICKLES, """
        pickle.load pickle.loads pickle.Unpickler _pickle cPickle dill cloudpickle.load cloudpickle.loads joblib.load
        shelve torch.load torch.jit.load pandas.read_pickle"""),
    ("system", _REMOVES, "shutil.rmtree"),
    ("evaluator", _FRAMES, """
        gc.get_objects gc.get_referrers gc.get_referents inspect.currentframe inspect.stack inspect.trace
        inspect.getouterframes inspect.getinnerframes sys._getframe sys._getframemodulename sys._current_frames
        sys.settrace sys.setprofile sys.monitoring sys.addaudithook threading.settrace threading.setprofile
        traceback.extract_stack traceback.walk_stack traceback.format_stack traceback.print_stack"""),
    ("evaluator", _MODULES, """
        sys.modules sys.meta_path sys.path sys.path_hooks importlib imp builtins pkgutil site unittest.mock mock wrapt
        forbiddenfruit"""),
)  # fmt: skip
_HARMLESS = """
    importlib.metadata importlib.resources importlib.util.find_spec importlib.invalidate_caches urllib.parse
    http.HTTPStatus multiprocessing.cpu_count torch.multiprocessing.cpu_count"""
_KINDS: Mapping[str, tuple[str, str] | None] = {
    **{name: (kind, why) for kind, why, names in _TABLE for name in names.split()},
    **dict.fromkeys(_HARMLESS.split()),
}
_BUILT_INS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("exit", "quit", "SystemExit"), ("exit", _EXIT)),
    **dict.fromkeys(("eval", "exec", "compile"), ("system", _CODE)),
    **dict.fromkeys(("__import__", "breakpoint"), ("evaluator", _MODULES)),
}
_INNER = {
    "__code__", "__globals__", "__closure__", "__builtins__", "__subclasses__", "__defaults__", "__kwdefaults__",
    "__wrapped__", "__bases__", "f_globals", "f_locals", "f_back", "f_code", "tb_frame", "gi_frame", "cr_frame",
    "__loader__", "__spec__", "cell_contents", "co_consts",
}  # fmt: skip
_LEAVES = {"sys.exit", f"{BUILT_IN}exit", f"{BUILT_IN}quit", f"{BUILT_IN}SystemExit", "builtins.exit"}
_GUARDED = {"os", "sys", "posix", "subprocess", "builtins", "importlib", "ctypes", "signal"}


def reference_signs(source: Source) -> Iterator[Sign]:
    """Yield the references that are worth a look, of the kinds exit, system and evaluator."""
    for node in source.names.nodes:
        match node:
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()) | ast.Subscript() if _is_whole(source, node):
                yield from _of_path(source, node)
            case ast.Call():
                yield from _of_call(source, node)
            case ast.Assign(targets=[ast.Attribute(attr="daemon")], value=value) if _is_true(value):
                yield _daemon(node)
            case ast.ImportFrom(module=str(module), names=[ast.alias(name="*")]):
                yield from _named(source, node, f"{module}.system" if module in _GUARDED else module)
            case _:
                pass
        yield from _of_inner(node)


def _of_inner(node: ast.AST) -> Iterator[Sign]:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) if name in _INNER:
            yield Sign(kind="evaluator", key=name, line=node.lineno, why=f"{name} {_FRAMES}")
        case _:
            pass


def _is_whole(source: Source, node: ast.expr) -> bool:
    """Tell whether a reference is not just the first part of a longer one."""
    return not isinstance(source.names.parent(node), ast.Attribute)


def _of_path(source: Source, node: ast.expr) -> Iterator[Sign]:
    path = source.names.path(node)
    if path is not None and path.split(".")[0] not in source.own:
        yield from _named(source, node, path)


def _named(source: Source, node: ast.expr | ast.stmt, path: str) -> Iterator[Sign]:
    name = path.removeprefix(BUILT_IN)
    found = _BUILT_INS.get(name) if path.startswith(BUILT_IN) else _kind_of(path)
    if found is not None:
        failing = path in _LEAVES and _fails(source.names.parent(node))
        key = "an exit with an error" if failing else path
        yield Sign(kind=found[0], key=key, line=node.lineno, why=f"{name} {found[1]}", once=failing)


def _kind_of(path: str) -> tuple[str, str] | None:
    parts = path.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((_KINDS[name] for name in names if name in _KINDS), None)


def _fails(parent: ast.AST | None) -> bool:
    """Tell whether an exit says that the run failed: such a run has no score."""
    match parent:
        case ast.Call(args=[ast.Constant(value=bool() | 0)]):
            return False
        case ast.Call(args=[ast.Constant(value=int() | str())]) | ast.Call(args=[ast.JoinedStr()]):
            return True
        case _:
            return False


def _of_call(source: Source, call: ast.Call) -> Iterator[Sign]:
    yield from _of_path(source, call)
    path = source.names.path(call.func)
    words = {word.arg: word.value for word in call.keywords}
    if path == f"{BUILT_IN}getattr" and call.args and source.names.path(call) is None:
        holder = source.names.path(call.args[0])
        if holder in _GUARDED or source.read_only.holds(holder):
            why = f"getattr looks up a name in {holder} that cannot be read here"
            yield Sign(kind="system", key=f"getattr {holder}", line=call.lineno, why=why)
    if path in ("threading.Thread", "threading.Timer") and _is_true(words.get("daemon")):
        yield _daemon(call)
    if path == "numpy.load" and _is_true(words.get("allow_pickle")):
        yield Sign(kind="system", key="numpy.load", line=call.lineno, why=f"numpy.load {_UNPICKLES}")
    if isinstance(call.func, ast.Attribute) and call.func.attr == "setDaemon":
        yield _daemon(call)


def _daemon(node: ast.Call | ast.Assign) -> Sign:
    return Sign(kind="system", key="daemon", line=node.lineno, why="A daemon thread goes on while the evaluation runs")


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
