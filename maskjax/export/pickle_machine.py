"""The instructions of a pickle on plain data: calls are recorded as `Call` and never executed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from maskjax.errors import InputError

DICTS = frozenset({"collections.OrderedDict", "collections.defaultdict", "collections.Counter"})


class Global(NamedTuple):
    """The name of a class or function."""

    path: str  # module and name, such as `collections.OrderedDict`


@dataclass(eq=False, slots=True)
class Call:
    """An object that unpickling would make by a call."""

    function: Any  # the function, usually a `Global`
    arguments: Any
    state: Any = None  # the state that unpickling would set afterwards


@dataclass(eq=False, slots=True)
class Persistent:
    """A reference to an object outside of the pickle."""

    id: Any  # the id of the object


class Machine:
    """The stack and the memo of a pickle.

    Attributes:
        references: The ids of all `Persistent` objects so far.
    """

    def __init__(self) -> None:
        self.references: list[Any] = []
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks under each mark
        self._memo: dict[int, Any] = {}

    def execute(self, name: str, argument: Any) -> None:
        """Executes one instruction."""
        if name in _CONSTANTS:
            self.push(argument)
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in _IDLE:
            raise InputError(f"its pickle has a {name}, which torch.save never writes")

    def push(self, value: Any) -> None:
        """Pushes a value on the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Pops the topmost value."""
        return _nonempty(self._stack).pop()

    def top(self) -> Any:
        """The topmost value."""
        return _nonempty(self._stack)[-1]

    def pop_mark(self) -> list[Any]:
        """Pops all values above the topmost mark, and the mark."""
        items, self._stack = self._stack, _nonempty(self._below).pop()
        return items

    def drop_mark(self) -> None:
        """Drops all values above the topmost mark, and the mark."""
        self.pop_mark()

    def pop_tuple(self, size: int) -> tuple[Any, ...]:
        """Pops `size` values, in the order in which they were pushed."""
        return tuple([self.pop() for _ in range(size)][::-1])

    def mark(self) -> None:
        """Starts a stack above the current one."""
        self._below.append(self._stack)
        self._stack = []

    def discard(self) -> None:
        """Drops the topmost value or mark."""
        if self._stack:
            self._stack.pop()
        else:
            self.drop_mark()

    def put(self, index: int | None) -> None:
        """Stores the topmost value in the memo, by default under the next number."""
        self._memo[len(self._memo) if index is None else index] = self.top()

    def get(self, index: int) -> None:
        """Pushes a value of the memo."""
        if index not in self._memo:
            raise InputError("its pickle is damaged (it refers to an object that is not there)")
        self.push(self._memo[index])

    def push_global(self, module: Any, name: Any) -> None:
        """Pushes the name of a class."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise InputError("its pickle is damaged (the name of a class is no text)")
        self.push(Global(f"{module}.{name}"))

    def call(self, function: Any, arguments: Any) -> None:
        """Records a call; only dicts of the standard library are built."""
        is_dict = isinstance(function, Global) and function.path in DICTS
        self.push(_dict(arguments) if is_dict else Call(function, arguments))

    def build(self) -> None:
        """Sets the state of an object."""
        state = self.pop()
        if isinstance(target := self.top(), Call):
            target.state = state

    def refer(self) -> None:
        """Records a reference to an object outside of the pickle."""
        self.references.append(self.pop())
        self.push(Persistent(self.references[-1]))

    def extend(self, items: list[Any]) -> None:
        """Extends the topmost list; the items of other objects are dropped."""
        if isinstance(target := self.top(), list):
            target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        """Adds alternating keys and values to the topmost dict."""
        if len(items) % 2:
            raise InputError("its pickle is damaged (a key of a dict has no value)")
        if isinstance(target := self.top(), dict):
            _update(target, zip(items[::2], items[1::2], strict=True))


def _nonempty(stack: list[Any]) -> list[Any]:
    if not stack:
        raise InputError("its pickle is damaged (it takes more from its stack than is there)")
    return stack


def _update(target: dict[Any, Any], pairs: Iterable[Sequence[Any]]) -> None:
    for key, value in pairs:
        # Other keys are dropped: the hash of a deeply nested tuple overflows the C stack.
        if isinstance(key, str | int | float | bytes):
            target[key] = value


def _dict(arguments: Any) -> dict[Any, Any]:
    """Builds a dict from the pairs in the last argument, as Python 2 pickled an OrderedDict."""
    result: dict[Any, Any] = {}
    pairs = arguments[-1] if isinstance(arguments, tuple) and arguments else ()
    if isinstance(pairs, list):
        _update(result, [p for p in pairs if isinstance(p, list | tuple) and len(p) == 2])
    return result


def _split(machine: Machine, argument: str) -> None:
    """Pushes the class of an argument "module name"."""
    module, _, name = argument.partition(" ")
    machine.push_global(module, name)


def _instance(machine: Machine, argument: str) -> None:
    arguments = tuple(machine.pop_mark())
    _split(machine, argument)
    machine.call(machine.pop(), arguments)


def _object(machine: Machine, _: Any) -> None:
    function, *arguments = _nonempty(machine.pop_mark())
    machine.call(function, tuple(arguments))


def _dict_of_marked(machine: Machine, _: Any) -> None:
    items = machine.pop_mark()
    machine.push({})
    machine.set_items(items)


_CONSTANTS = frozenset((
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING",
    "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
))  # fmt: skip
"""Instructions that push their argument."""
_IDLE = frozenset(("PROTO", "FRAME", "STOP"))
_ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push([]),
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.discard(),
    "POP_MARK": lambda machine, _: machine.drop_mark(),
    "DUP": lambda machine, _: machine.push(machine.top()),
    "PUT": Machine.put,
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "MEMOIZE": Machine.put,
    "GET": Machine.get,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine, _: machine.push(machine.pop_tuple(1)),
    "TUPLE2": lambda machine, _: machine.push(machine.pop_tuple(2)),
    "TUPLE3": lambda machine, _: machine.push(machine.pop_tuple(3)),
    "LIST": lambda machine, _: machine.push(machine.pop_mark()),
    "FROZENSET": lambda machine, _: machine.push(machine.pop_mark()),
    "DICT": _dict_of_marked,
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items([*machine.pop_tuple(2)]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    "GLOBAL": _split,
    "STACK_GLOBAL": lambda machine, _: machine.push_global(*machine.pop_tuple(2)),
    "REDUCE": lambda machine, _: machine.call(*machine.pop_tuple(2)),
    "NEWOBJ": lambda machine, _: machine.call(*machine.pop_tuple(2)),
    "NEWOBJ_EX": lambda machine, _: machine.call(*machine.pop_tuple(3)[:2]),
    "INST": _instance,
    "OBJ": _object,
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.refer(),
}
