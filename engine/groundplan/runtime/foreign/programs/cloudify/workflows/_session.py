"""The conversation of this process with the engine: numbered requests there, answers back, over an inherited socket."""

import json
import queue
import socket
import threading
import traceback
from typing import Any, Callable, Dict, List, Optional, Set

from ..exceptions import NonRecoverableError, RecoverableError
from .api import ExecutionCancelled, cancel

_LONGEST = 16 * 2**20
_SHOWN = 60000
_OF_A_TASK = "_of_a_task"


class Refused(RuntimeError):
    """The engine does not do what was asked for: it names what is not there, or is not allowed."""


class Answer:
    """How a request ended. `error` is what is to be raised, or None."""

    def __init__(self, state: str, result: Any = None, error: Optional[BaseException] = None) -> None:
        self.state = state
        self.result = result
        self.error = error


def is_of_a_task(error: BaseException) -> bool:
    """Whether it is the failure of something that the engine ran: of that, the record has all there is to tell."""
    return getattr(error, _OF_A_TASK, False) is True


class Session:
    """One conversation; `listen` starts the thread that hears the engine."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._sending = threading.Lock()
        self._numbering = threading.Lock()
        self._last = 0
        self._waiting: Dict[str, Callable[[Answer], None]] = {}
        self._functions: Dict[str, Callable[[], Any]] = {}
        self._told: "queue.Queue[Dict[str, Any]]" = queue.Queue()
        self._asking = threading.Lock()
        self._settled = threading.Condition()
        self._raised: List[str] = []
        self._unseen: Dict[str, BaseException] = {}
        self.watchers: List[Callable[[], None]] = []
        self.hello = self._read() or {}
        self.recorded: Set[str] = set(self.hello.get("recorded", ()))
        self.context: Any = None
        self.parameters = Parameters(self.hello.get("parameters", {}))

    def listen(self) -> None:
        """Hear the engine from now on."""
        threading.Thread(target=self._listen, name="engine", daemon=True).start()

    def number(self) -> str:
        """Return the next request's number. The same workflow asks in the same order each time it runs."""
        with self._numbering:
            self._last += 1
            return str(self._last)

    def ask(
        self,
        message: Dict[str, Any],
        on_answer: Callable[[Answer], None],
        function: Optional[Callable[[], Any]] = None,
    ) -> None:
        """Make a request; `function` is run when the engine says so.

        Raises:
            RuntimeError: it cannot be said in JSON.
        """
        number = message["number"]
        line = _line(message)
        self._waiting[number] = on_answer
        if function is not None:
            self._functions[number] = function
        self.go_on()
        self.send_line(line)

    def tell(self, message: Dict[str, Any]) -> None:
        """Say something that is not answered."""
        self.send_line(_line(message))

    def wonder(self, message: Dict[str, Any]) -> Any:
        """Ask what does not change, and return it.

        Raises:
            NonRecoverableError: there is none.
        """
        with self._asking:
            self.tell(message)
            told = self._told.get()
        if "error" in told:
            raise NonRecoverableError(told["error"])
        return told["value"]

    def judge(self, numbers: List[str], ignored: bool) -> None:
        """Tell what the workflow makes of requests that failed."""
        if numbers:
            self.tell({"type": "judged", "numbers": numbers, "ignored": ignored})

    def seen(self, numbers: List[str]) -> None:
        """Take note that the failure of requests was raised: asking for more means to go on from it."""
        with self._numbering:
            self._raised += numbers
            for number in numbers:
                self._unseen.pop(number, None)

    def failed(self, number: str, error: BaseException) -> None:
        """Take note of a failure that nobody looked at yet."""
        with self._numbering:
            self._unseen[number] = error

    def settle(self) -> None:
        """Wait until every request is answered."""
        with self._settled:
            self._settled.wait_for(lambda: not self._waiting)

    def unseen(self) -> List[BaseException]:
        """Return the failures that nobody looked at."""
        with self._numbering:
            return list(self._unseen.values())

    def go_on(self) -> None:
        """Tell that the workflow went on from the failures that were raised."""
        with self._numbering:
            raised, self._raised = self._raised, []
        self.judge(raised, ignored=True)

    def send_line(self, line: bytes) -> None:
        """Send a message."""
        with self._sending:
            self._connection.sendall(line)

    def _read(self) -> Optional[Dict[str, Any]]:
        line = self._lines.readline()
        message: Optional[Dict[str, Any]] = json.loads(line.decode("utf-8")) if line else None
        return message

    def _listen(self) -> None:
        message = self._read()
        while message is not None:
            kind = message["type"]
            if kind == "answer":
                self._take_answer(message)
            elif kind == "run":
                threading.Thread(target=self._run, args=(message,), name="local-task", daemon=True).start()
            elif kind == "told":
                self._told.put(message)
            elif kind == "cancel":
                cancel()
                for watcher in list(self.watchers):
                    watcher()
            message = self._read()

    def _take_answer(self, message: Dict[str, Any]) -> None:
        on_answer = self._waiting.get(message["number"])
        self._functions.pop(message["number"], None)
        if on_answer is None:
            return
        state = message["state"]
        error: Optional[BaseException] = None
        if state == "cancelled":
            error = ExecutionCancelled()
        elif state == "refused":
            error = Refused(message["error"])
        elif state == "failed":
            kind = RecoverableError if message.get("recoverable", True) else NonRecoverableError
            error = kind(message["error"])
            setattr(error, _OF_A_TASK, True)
        on_answer(Answer(state, message.get("result"), error))
        with self._settled:
            self._waiting.pop(message["number"], None)
            self._settled.notify_all()

    def _run(self, message: Dict[str, Any]) -> None:
        number = message["number"]
        told: Dict[str, Any] = {"type": "ran", "number": number}
        try:
            told["result"] = self._functions[number]()
            line = _line(told)
        # Also exit(): it ends the function, not the process that waits for others.
        except BaseException as error:
            told.pop("result", None)
            told["error"] = (str(error) or type(error).__name__)[:_SHOWN]
            told["error_type"] = type(error).__name__[:300]
            told["detail"] = traceback.format_exc()[-_SHOWN:]
            told["recoverable"] = not isinstance(error, NonRecoverableError)
            told["retry_after"] = getattr(error, "retry_after", None)
            line = _line(told)
        self.send_line(line)


class Parameters(Dict[str, Any]):
    """The workflow's parameters, which can be read as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Current:
    """Stands for a part of the session of this process, which may not be there yet."""

    def __init__(self, part: str) -> None:
        self.__dict__["_part"] = part

    def _get(self) -> Any:
        if current[0] is None:
            raise RuntimeError("this is no process of a workflow: there is no workflow context here")
        return getattr(current[0], self._part)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._get(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get(), name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._get()[key]

    def __iter__(self) -> Any:
        return iter(self._get())

    def __len__(self) -> int:
        return len(self._get())

    def __contains__(self, key: Any) -> bool:
        return key in self._get()


current: List[Optional[Session]] = [None]


def session() -> Session:
    """Return the conversation of this process.

    Raises:
        RuntimeError: there is none.
    """
    if current[0] is None:
        raise RuntimeError("this is no process of a workflow: there is no workflow context here")
    return current[0]


def _line(message: Dict[str, Any]) -> bytes:
    try:
        line = json.dumps(message, allow_nan=False).encode("utf-8") + b"\n"
    except (TypeError, ValueError) as error:
        raise RuntimeError("what is handed to the engine must be JSON: %s" % error) from error
    if len(line) > _LONGEST:
        raise RuntimeError("more than %d bytes cannot be handed to the engine at once" % _LONGEST)
    return line
