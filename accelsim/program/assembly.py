"""The text of instructions, one to a line, and their hexadecimal words; each is read back to the same instructions.

LOAD address=4096 local=8192 rows=8 beats=2 stride=16 post=s0
MATMUL dst=8 cols=1 imm=16 flags=transpose wait=s0,s3 post=s1   # K x Q
HALT
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.program.instruction import BITS, OPS, Instruction, decode, encode, form_of

DIGITS = BITS // 4
LISTS = ("flags", "wait", "post")


def render_instruction(instruction: Instruction) -> str:
    """One line; fields that are 0 are left out."""
    fields = [f"{n}={instruction.args[n]}" for n in form_of(instruction.op) if instruction.args.get(n)]
    lists = {
        "flags": sorted(instruction.flags),
        "wait": [f"s{n}" for n in sorted(instruction.wait)],
        "post": [f"s{n}" for n in sorted(instruction.post)],
    }
    return " ".join([instruction.op, *fields, *(f"{name}={','.join(found)}" for name, found in lists.items() if found)])


def read_assembly(text: str, source: str = "program") -> tuple[Instruction, ...]:
    """The instructions of a text; `#` begins a comment.

    Raises:
        AccelsimError: what cannot be read, with its line and column.
    """
    return tuple(_read(line, source, number) for number, line in _lines(text))


def read_words(text: str, source: str = "program") -> tuple[Instruction, ...]:
    """The instructions of hexadecimal words of 32 digits, one to a line.

    Raises:
        AccelsimError: a line that is no such word, or a word that is no instruction, with its line.
    """
    found = []
    for number, line in _lines(text):
        word = line.strip()
        if len(word) != DIGITS or not all(digit in "0123456789abcdefABCDEF" for digit in word):
            raise AccelsimError(f'expected {DIGITS} hexadecimal digits, got "{word[:40]}"', Mark(source, number, 1))
        try:
            found.append(decode(int(word, 16)))
        except AccelsimError as error:
            raise AccelsimError(error.message, Mark(source, number, 1)) from None
    return tuple(found)


def render_words(instructions: Iterable[Instruction]) -> str:
    """The words, highest digit first, one to a line."""
    return "".join(f"{encode(each):0{DIGITS}x}\n" for each in instructions)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with something on them, without their comments."""
    for number, line in enumerate(text.splitlines(), start=1):
        kept = line.partition("#")[0]
        if kept.strip():
            yield number, kept


def _read(line: str, source: str, number: int) -> Instruction:
    op, *words = line.split()
    mark = Mark(source, number, line.index(op) + 1)
    if op not in OPS:
        raise AccelsimError(f'no operation is called "{op}"{nearest(op, OPS)}', mark)
    lists: dict[str, list[str]] = {name: [] for name in LISTS}
    args: dict[str, int] = {}
    given: set[str] = set()
    for word in words:
        place = Mark(source, number, line.index(word) + 1)
        name, equals, value = word.partition("=")
        if not equals:
            raise AccelsimError(f'expected FIELD=VALUE, got "{word}"', place)
        if name in given:
            raise AccelsimError(f"{name} is there twice", place)
        given.add(name)
        if name in LISTS:
            lists[name] += value.split(",")
        elif name not in form_of(op):
            raise AccelsimError(f'{op} has no field "{name}"{nearest(name, [*form_of(op), *LISTS])}', place)
        else:
            args[name] = _number(value, place)
    try:
        wait, post = (frozenset(_semaphore(text, mark) for text in lists[name]) for name in ("wait", "post"))
        return Instruction(op, wait, post, frozenset(lists["flags"]), {name: n for name, n in args.items() if n})
    except AccelsimError as error:
        raise AccelsimError(error.message, error.mark or mark) from None


def _number(text: str, mark: Mark) -> int:
    digits, base = (text[2:], 16) if text.lower().startswith("0x") else (text, 10)
    try:
        return int(digits, base) if digits.isascii() and digits.isalnum() else _refuse(text, mark)
    except ValueError:
        return _refuse(text, mark)


def _refuse(text: str, mark: Mark) -> int:
    raise AccelsimError(f'expected a number such as 16 or 0x10, got "{text}"', mark)


def _semaphore(text: str, mark: Mark) -> int:
    if not (text.startswith("s") and text[1:].isascii() and text[1:].isdigit()):
        raise AccelsimError(f'expected a semaphore such as s3, got "{text}"', mark)
    return int(text[1:])
