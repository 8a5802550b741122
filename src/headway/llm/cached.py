"""Answers by the digest of what was asked: a loop that is resumed asks nothing twice, and pays nothing twice."""

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from headway.core import digest
from headway.llm.model import Completion, Model, Request
from headway.store import own_writes

__all__ = ["Cached"]

_FORMAT = 1


class Cached(Model):
    """Answer from a folder what was answered before, else ask `model` and keep the answer.

    A request is known by the model's name and all that the answer may depend on, its seed too. Threads that ask the
    same at once ask the model once; processes that do all get the answer that was kept first. Files appear whole or not
    at all, so a process may be killed at any moment. Only their owner may read them. Errors are not kept.
    """

    def __init__(self, model: Model, folder: Path) -> None:
        self._model = model
        self._folder = os.fspath(folder)
        self._mark = secrets.token_hex(4)  # in the names of files that are not whole yet: other processes write there
        self._lock = threading.Lock()
        self._asking: dict[str, tuple[threading.Lock, int]] = {}

    @property
    def name(self) -> str:
        """Return the name of the model that is asked."""
        return self._model.name

    def complete(self, request: Request) -> Completion:
        """Answer from the folder, or ask."""
        began = time.perf_counter()
        key = digest({"format": _FORMAT, "model": self._model.name, "request": request.digest()})
        with self._alone(key):
            kept = self._read(key)
            if kept is None:
                completion = self._model.complete(request)
                if self._keep(key, completion):
                    return completion
                kept = self._read(key) or completion
            return replace(
                kept, cached=True, dollars=None if kept.dollars is None else 0.0, seconds=time.perf_counter() - began
            )

    @contextlib.contextmanager
    def _alone(self, key: str) -> Generator[None]:
        """Let one thread at a time ask what has this key."""
        with self._lock:
            lock, waiting = self._asking.get(key, (threading.Lock(), 0))
            self._asking[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._asking.pop(key)
                if waiting > 1:
                    self._asking[key] = (lock, waiting - 1)

    def _path(self, key: str) -> str:
        return f"{self._folder}/{key[:2]}/{key}.json"

    def _read(self, key: str) -> Completion | None:
        """Return what is kept, None where nothing is. A file that was damaged since goes, and is asked for again."""
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        completion = _parsed(data)
        if completion is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        return completion

    def _keep(self, key: str, completion: Completion) -> bool:
        """Keep an answer; return False where another process kept one first."""
        path = self._path(key)
        content = {"format": _FORMAT, "model": self._model.name, "completion": asdict(completion)}
        partial = f"{self._folder}/{key[:2]}/.{key}-{self._mark}"
        with own_writes(Path(path)):
            try:
                _write(partial, json.dumps(content).encode())
                return _placed(partial, path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial)


def _write(path: str, data: bytes) -> None:
    """Write a new file that only its owner may read.

    By bare system calls: a thread hands Python over at each, and the engine beside it takes its time to hand it back.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = os.open(path, flags, 0o600)
    try:
        while data := data[os.write(handle, data) :]:
            pass
    finally:
        os.close(handle)


def _placed(partial: str, path: str) -> bool:
    """Give a whole file its name; return False where the name is taken."""
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links: the last answer stays, and not the first
        os.replace(partial, path)
    return True


def _parsed(data: bytes) -> Completion | None:
    try:
        content = cast("dict[str, Any]", json.loads(data))
        completion = Completion(**content["completion"])
    except (ValueError, KeyError, TypeError):
        return None
    whole = content.get("format") == _FORMAT and isinstance(cast("object", completion.text), str)
    return completion if whole else None
