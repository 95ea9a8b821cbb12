"""JSON objects read field by field: every fault is kept with its JSON pointer, and reading goes on."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from perdure.errors import FieldError, InvalidInputError

MAX_TEXT = 4_000
# More than anybody mends in one go; an answer that lists them stays small.
MAX_FAULTS = 1_000

Choice = TypeVar("Choice", bound=str)


class Faults:
    """What is wrong with a document, in the order in which it was found."""

    def __init__(self) -> None:
        self._found: dict[FieldError, None] = {}

    def add(self, pointer: str, detail: str) -> None:
        """Note a fault; the same place and words are noted once."""
        if len(self._found) < MAX_FAULTS:
            self._found[FieldError(pointer, detail)] = None

    def __iter__(self) -> Iterator[FieldError]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def raise_for(self, noun: str) -> None:
        """InvalidInputError with all faults, when there are some."""
        if self._found:
            first = next(iter(self))
            detail = f"The {noun} has {len(self._found)} fault{'s'[: len(self._found) > 1]}: "
            raise InvalidInputError(f"{detail}{first.pointer or '/'} {first.detail}", list(self))


def escaped(key: str) -> str:
    """A key as a part of a JSON pointer."""
    return key[:100].replace("~", "~0").replace("/", "~1")


def readable(text: str) -> bool:
    """Whether PostgreSQL and JSON can hold it: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


class ObjectReader:
    """One JSON object. What cannot be read is a fault, and its default is returned."""

    def __init__(self, value: object, pointer: str, faults: Faults, known: Collection[str]) -> None:
        self.pointer, self.faults = pointer, faults
        self._value: Mapping[str, object] = {}
        if not isinstance(value, Mapping):
            faults.add(pointer, "must be an object")
            return
        self._value = value
        for key in value:
            if key not in known:
                self.fault(str(key), f"is not known here; known are {', '.join(known)}")

    def fault(self, name: str, detail: str) -> None:
        """Note what is wrong with a field."""
        self.faults.add(self.at(name), detail)

    def at(self, name: str) -> str:
        """The pointer of a field."""
        return f"{self.pointer}/{escaped(name)}"

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._value.get(name) is not None

    def get(self, name: str) -> object:
        """The field as it is."""
        return self._value.get(name)

    def names(self) -> list[str]:
        """The fields that are there, in their order."""
        return [str(name) for name in self._value]

    def text(self, name: str, default: str = "", *, required: bool = False, most: int = MAX_TEXT) -> str:
        """Text; required text is not blank."""
        value = self._value.get(name)
        if value is None:
            if required:
                self.fault(name, "is missing")
            return default
        if not isinstance(value, str):
            self.fault(name, "must be text")
        elif required and not value.strip():
            self.fault(name, "must not be empty")
        elif len(value) > most:
            self.fault(name, f"has {len(value)} characters; at most {most} are allowed")
        elif not readable(value):
            self.fault(name, "holds a character that cannot be stored (NUL or a lone surrogate)")
        else:
            return value
        return default

    def whole(self, name: str, default: int, least: int, most: int, *, required: bool = False) -> int:
        """A whole number within bounds."""
        value = self._value.get(name)
        if value is None:
            if required:
                self.fault(name, "is missing")
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(name, "must be a whole number")
        elif not least <= value <= most:
            self.fault(name, f"must be {least} to {most}, not {_short(value)}")
        else:
            return value
        return default

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._value.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.fault(name, "must be true or false")
        return default

    def choice(self, name: str, choices: type[Choice], default: Choice, *, required: bool = False) -> Choice:
        """One of an enumeration's values."""
        value = self._value.get(name)
        if value is None:
            if required:
                self.fault(name, "is missing")
            return default
        known = [str(one) for one in choices]  # type: ignore[attr-defined]  # an enumeration iterates
        if isinstance(value, str) and value in known:
            return choices(value)
        self.fault(name, f"must be one of {', '.join(known)}")
        return default

    def items(self, name: str, most: int, *, required: bool = False) -> list[tuple[object, str]]:
        """The entries of a list with their pointers; a required list has some."""
        value = self._value.get(name)
        if value is None and not required:
            return []
        if not isinstance(value, list | tuple):
            self.fault(name, "is missing" if value is None else "must be a list")
        elif required and not value:
            self.fault(name, "must not be empty")
        elif len(value) > most:
            self.fault(name, f"has {len(value)} entries; at most {most} are allowed")
        else:
            return [(entry, f"{self.at(name)}/{index}") for index, entry in enumerate(value)]
        return []


def _short(value: int) -> str:
    return str(value) if abs(value) < 10**12 else "so large a number"
