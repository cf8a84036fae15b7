"""The top frames of a stack trace, in one form for every language: innermost first, without what a build changes."""

from __future__ import annotations

import re
from typing import NamedTuple

#: So many of the innermost frames tell where an error comes from; further out are frameworks and servers.
FRAMES = 5
_LONGEST = 30_000
_LONGEST_LINE = 600


class Dialect(NamedTuple):
    """How a language writes a stack. ``told_by`` is found in such a text; ``frame`` matches a line of it, its groups
    are function and file as far as they are told, in the line's order. ``cause`` begins a section that is nearer to the
    origin, ``end`` ends the one of the origin; ``innermost_last`` tells that calls come in the order of time."""

    name: str
    told_by: str
    frame: str
    cause: str = ""
    end: str = ""
    innermost_last: bool = False


_FILE = r"(?:[^\s\"()]*[\\/])?"
DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "python",
        r'(?m)^[ |+]{0,40}File "[^"\n]{1,500}", line [0-9]',
        r'^[ |+]*File "(?:[^"]*[\\/])?([^"\\/]+)", line [0-9]+(?:, in (\S.*))?$',
        cause=r"^[ |+]*(?:Exception Group )?Traceback \(most recent call last\)",
        innermost_last=True,
    ),
    Dialect(
        "go",
        r"(?m)^goroutine [0-9]+ \[",
        r"^((?!panic\(|runtime\.|runtime/)[0-9A-Za-z_.~/%*-]+(?:\(\*?[0-9A-Za-z_.\[\]]+\)[0-9A-Za-z_.\[\]-]*)?)\(.*\)$",
        end=r"^$",
    ),
    Dialect(
        "rust",
        r"(?m)^[ \t]{0,40}stack backtrace:",
        r"^\s*[0-9]+: +(?:0x[0-9a-f]+ - )?"
        r"((?!rust_begin_unwind|_?rust_panic|core::panicking|core::option|core::result|std::|<?unknown|backtrace::).+)$",
    ),
    Dialect(
        "ruby",
        r"(?m)^.{0,500}:[0-9]{1,9}:in [`']",
        rf"^(?:\s*[0-9]+: )?\s*(?:from )?{_FILE}([^\\/\s:]+):[0-9]+:in [`'](.+?)'",
    ),
    Dialect("php", r"(?m)^#[0-9]+ .{1,500}\([0-9]+\): ", rf"^#[0-9]+ {_FILE}([^\\/\s(]+)\([0-9]+\): ([^\s(]+)\("),
    Dialect(
        "node",
        r"(?m)^[ \t]{1,40}at (?:[^(\n]{1,300} \(.{0,500}\)|(?:async )?\S{1,500}:[0-9]{1,9}:[0-9]{1,9})\s*$",
        rf"^\s*at (?!.*node:internal)(?:(?:async |new )?([^(]*[^( ]) \({_FILE}([^\\/\s()]+?)(?::[0-9]+){{0,2}}\)"
        rf"|(?:async )?{_FILE}([^\\/\s()]+?)(?::[0-9]+){{2}})$",
        cause=r"^\s*(?:\[cause\]: |Caused by: )",
    ),
    Dialect(
        "java or .net",
        r"(?m)^[ \t]{0,40}at [^\s(]{1,500}\(",
        r"^\s*at (?:[0-9A-Za-z_.@-]*/{1,2}){0,2}"
        r"(?!jdk\.internal\.reflect|sun\.reflect|java\.lang\.reflect|System\.Runtime\.)([^\s(/]+(?:/0x[0-9a-f]+[^\s(/]*)?)\(",
        cause=r"^\s*Caused by: ",
        end=r"^\s*--- End of inner exception",
    ),
    Dialect(
        "browser",
        r"(?m)^[^@\s]{0,200}@\S{1,500}:[0-9]",
        rf"^([^@\s]*)@{_FILE}([^\\/\s]+?)(?::[0-9]+){{1,2}}$",
    ),
)

#: What builds and runs change in the name of a function, file or type, in this order.
NAMES: tuple[tuple[str, str], ...] = (
    (r"::h[0-9a-f]{16}$", ""),  # Rust's hash of a symbol
    (r"\$\$(?:Lambda|EnhancerBy|FastClassBy|Spring)[0-9A-Za-z_]*(?:[$/]+[0-9A-Za-z]+)*", "$$"),
    (r"(?<=Proxy)[0-9]+|(?<=Accessor)[0-9]+|(?<=func)[0-9]+|(?<=\$)[0-9]+|(?<=__)[0-9]+(?:_[0-9]+)?", ""),
    (r"@[0-9a-f]{4,8}(?![0-9A-Za-z])|0x[0-9A-Fa-f]+", ""),
    (r" \[as [^\]]*\]", ""),
    (r"\?.*$", ""),
    # A bundle's hash or number before its extension, the version of a library in the name of its file.
    (r"[.-](?=[A-Za-z_]{0,20}[0-9])[0-9A-Za-z_]{6,40}(?=\.(?:chunk\.|min\.)?[cm]?[jt]sx?$)", ""),
    (r"(?<![0-9A-Za-z])[0-9]+(?=\.(?:chunk\.|min\.)?[cm]?[jt]sx?$)", ""),
    (r"-[0-9]+(?:\.[0-9]+){1,3}", ""),
)


def frames(stack: str) -> tuple[str, ...]:
    """The innermost frames of a stack trace, innermost first, each ``file:function``, ``function:file`` or
    ``function`` as its language gives them; of a chain of exceptions those of the first cause. Empty where the text is
    no stack of a known language. Line numbers, folders and addresses are left out: they change with every build."""
    if len(stack) > 2 * _LONGEST:
        stack = f"{stack[:_LONGEST]}\n{stack[-_LONGEST:]}"
    dialect = next((dialect for dialect in _DIALECTS if dialect.told_by.search(stack)), None)
    if dialect is None:
        return ()
    found: list[str] = []
    for line in stack.splitlines():
        line = line[:_LONGEST_LINE].rstrip()
        if dialect.cause and dialect.cause.match(line):
            found = []
        elif dialect.end and found and dialect.end.match(line):
            break
        elif match := dialect.frame.match(line):
            frame = ":".join(steady_name(part) for part in match.groups() if part)
            # A recursion is as deep as it is.
            if frame and frame not in found[-1:]:
                found.append(frame)
    return tuple(found[: -FRAMES - 1 : -1] if dialect.innermost_last else found[:FRAMES])


def steady_name(name: str) -> str:
    """The name of a function, a file or a type without what builds and runs change."""
    name = name[:_LONGEST_LINE]
    for pattern, replacement in _NAMES:
        name = pattern.sub(replacement, name)
    return name


class _Compiled(NamedTuple):
    told_by: re.Pattern[str]
    frame: re.Pattern[str]
    cause: re.Pattern[str] | None
    end: re.Pattern[str] | None
    innermost_last: bool


_DIALECTS = [
    _Compiled(
        re.compile(dialect.told_by),
        re.compile(dialect.frame),
        re.compile(dialect.cause) if dialect.cause else None,
        re.compile(dialect.end) if dialect.end else None,
        dialect.innermost_last,
    )
    for dialect in DIALECTS
]
_NAMES = [(re.compile(pattern), replacement) for pattern, replacement in NAMES]
